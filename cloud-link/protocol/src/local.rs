//! The box's API for browsers on the LAN: `https://<box>/v1/...`.
//!
//! A till holds an ECDSA P-256 key made in the browser (not extractable) and a [`TillGrant`] signed by the ERP for
//! that key. It asks the box for a nonce (`GET /v1/challenge`), signs it, trades both at `POST /v1/token` for a token
//! of ten minutes, and opens `/v1/ws`, where the first frame is [`ToBox::Auth`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    down::CommandBody,
    ids::{BoxId, CommandId, DeviceId, EventId},
    outcome::Outcome,
    up::{Device, Event, Live, Outbox},
};

/// `GET /v1/hello`, open to all: whom am I talking to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    pub v: u16,
    pub box_id: BoxId,
    pub name: String,
    pub version: String,
    pub paired: bool,
}

/// What the ERP allows one browser to do at one box. Travels as [`SignedGrant`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TillGrant {
    pub v: u16,
    pub box_id: BoxId,
    /// Names this grant in revocations and logs.
    pub grant_id: String,
    /// The page's origin, `https://erp.example:8069`, compared exactly.
    pub origin: String,
    /// The browser's public key: base64 of the uncompressed P-256 point (65 bytes).
    pub key: String,
    /// Empty: every device of the box.
    pub devices: Vec<DeviceId>,
    pub verbs: Vec<Verb>,
    /// Unix milliseconds, judged on the latest time the box has seen.
    pub not_after_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Hear events, device states and live weights.
    Listen,
    Print,
    Drawer,
    /// A print that opens the drawer; granted by `Print` and `Drawer` together.
    PrintAndDrawer,
    Weigh,
    /// Ask a gauge for its value.
    Measure,
    /// Charge cards, stop that, and ask what came of it.
    Pay,
    /// Give money back to cards.
    Refund,
    /// End of day and tests of a payment terminal.
    ManageTerminal,
}

/// `grant` is the exact JSON text that was signed (a [`TillGrant`]); `signature` is base64 of ECDSA P-256 with
/// SHA-256 over its UTF-8 bytes, fixed form (r then s, 64 bytes), by the ERP's grant key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignedGrant {
    pub grant: String,
    pub signature: String,
}

/// `GET /v1/challenge`: sign this within a minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    pub nonce: String,
}

/// `POST /v1/token`. `proof`: base64 of the browser key's signature, same form, over the UTF-8 bytes of
/// `iot-box token v1|<box_id>|<origin>|<nonce>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRequest {
    #[serde(flatten)]
    pub signed: SignedGrant,
    pub nonce: String,
    pub proof: String,
}

pub fn proof_text(box_id: &BoxId, origin: &str, nonce: &str) -> String {
    format!("iot-box token v1|{box_id}|{origin}|{nonce}")
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    pub token: String,
    pub expires_in_s: u32,
}

/// Browser to box, one JSON text frame each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "msg", rename_all = "snake_case")]
pub enum ToBox {
    /// First frame, within five seconds. With `cursor` the box first sends every stored event after it.
    Auth { token: String, cursor: Option<EventId> },
    /// `ttl_ms` counts from arrival.
    Command {
        id: CommandId,
        device: DeviceId,
        ttl_ms: u32,
        #[serde(flatten)]
        body: CommandBody,
    },
}

/// Box to browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "msg", rename_all = "snake_case")]
pub enum FromBox {
    /// Answer to `Auth`. `cursor` is the last event stored so far.
    Ready {
        box_id: BoxId,
        cursor: Option<EventId>,
        devices: Vec<Device>,
        outbox: Outbox,
    },
    /// The event's own id is the cursor to come back with.
    Event(Event),
    State {
        devices: Vec<Device>,
        outbox: Outbox,
    },
    Live(Live),
    Outcome {
        id: CommandId,
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// The frame was not understood or not allowed; the connection stays.
    Refused {
        message: String,
    },
}

/// Body of every HTTP error of the box and of the ERP's IoT routes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// Stable word for programs.
    pub error: String,
    /// What happened and what to do, for people.
    pub message: String,
}
