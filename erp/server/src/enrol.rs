//! How a box comes to belong to this ERP: the pages' side.

use jiff::Timestamp;
use link_protocol::ids::BoxId;
use serde::Serialize;

use crate::{error::ServiceError, state::Uid};

/// A box that shows a code and waits for somebody to type it here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PendingBox {
    /// Handle for [`Enrolment::pair`].
    pub session: String,
    pub serial: String,
    /// As the box says it, cleaned for display.
    pub name: String,
    pub version: String,
    /// Where the request came from.
    pub address: String,
    pub since: Timestamp,
    /// Wrong codes typed so far.
    pub tries: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairedBox {
    pub box_id: BoxId,
    pub name: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PairError {
    #[error("a code has 8 letters and digits, like ABCD-1234: read it again on the box's screen or ticket")]
    NotACode,
    #[error("this is not the code of that box; {left} attempts left")]
    WrongCode { left: u32 },
    #[error("too many wrong codes: ask for a new code on the box")]
    CodeVoid,
    #[error("that box no longer asks: its code has expired; ask for a new one on the box")]
    Gone,
    #[error("the box did not answer: check that it is switched on and on the network, then try again")]
    NoAnswer,
    #[error("somebody else is typing a code for this box right now: try again in a moment")]
    Busy,
    #[error(transparent)]
    Service(#[from] ServiceError),
}

#[derive(Debug, Clone)]
pub struct Enrolment {}

impl Enrolment {
    pub async fn pending(&self, _uid: Uid) -> Result<Vec<PendingBox>, ServiceError> {
        Ok(vec![])
    }

    /// Waits up to ten seconds for the box's proof.
    pub async fn pair(&self, _uid: Uid, _session: &str, _code: &str) -> Result<PairedBox, PairError> {
        Err(PairError::Gone)
    }

    /// A token for one box, good for an hour: shown once, to be pasted on the box's homepage.
    pub async fn make_token(&self, _uid: Uid) -> Result<String, ServiceError> {
        Err(ServiceError::Conflict("the server has no address for boxes yet".into()))
    }
}
