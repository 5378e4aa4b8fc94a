//! From nothing to a pairing, by a code that a person types at the ERP or by a token that a person pastes at the box.
//! The protocol is described in [`link_protocol::enrol`].

mod attempt;
mod discover;
mod http;
mod keys;

use std::{sync::Arc, time::Duration};

use link_protocol::{
    enrol::{Applicant, Offered, Poll, Polled, Prove, Sealed, Token, TokenError, check_name, display_code},
    ids::DbName,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::http::split as split_address;
use self::{
    attempt::{Attempt, Code, Proving},
    http::{Trust, post},
};
use crate::{
    identity::Identity,
    pairing::{Pairing, PairingError, PairingStore},
    tls::{self, BoxCertificate},
};

/// Between attempts to reach an ERP.
const RETRY: Duration = Duration::from_secs(3);
/// Least time from one poll to what follows it: an ERP holds a poll, and whoever does not must not keep the box busy.
const BREATH: Duration = Duration::from_secs(1);

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
    /// The ERP lists the box under IoT boxes > Connect and waits for this code.
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
    #[error(
        "no ERP answers on this network: give its address in the settings, or paste a token from IoT boxes > Connect"
    )]
    NoErp,
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
    #[error("the ERP did not prove that it knows the token: make a new one under IoT boxes > Connect")]
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
    pub async fn run(self, mut asked: Asked, cancel: CancellationToken) {
        let mut store = self.config.store.subscribe();
        let mut wanted = true;
        loop {
            let current = store.borrow_and_update().clone();
            if let Some(pairing) = current {
                self.status.send_replace(paired(&pairing));
                wanted = false;
                tokio::select! {
                    () = cancel.cancelled() => return,
                    changed = store.changed() => if changed.is_err() { return },
                    _ = asked.0.recv() => {}
                }
                if store.borrow().is_none() {
                    self.status.send_replace(EnrolStatus::CodeGone { why: Gone::Unpaired });
                }
                continue;
            }
            if !wanted {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    changed = store.changed() => if changed.is_err() { return },
                    again = asked.0.recv() => match again {
                        Some(()) => wanted = true,
                        None => return,
                    },
                }
                continue;
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                // A token was faster.
                changed = store.changed() => if changed.is_err() { return },
                why = self.show_code() => {
                    wanted = false;
                    if let Some(why) = why {
                        self.status.send_replace(EnrolStatus::CodeGone { why });
                    }
                }
            }
        }
    }

    /// One code from its first offer to its end; `None` when it led to a pairing.
    async fn show_code(&self) -> Option<Gone> {
        let mut code: Option<Code> = None;
        loop {
            if let Some(gone) = code.as_ref().and_then(|c| c.gone(Instant::now())) {
                return Some(gone);
            }
            match self.one_offer(&mut code).await {
                Ok(true) => return None,
                Ok(false) => {}
                Err(error) => {
                    self.tell(&error);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Offers the box at the ERP and waits for somebody to type the code. True: paired.
    async fn one_offer(&self, code: &mut Option<Code>) -> Result<bool, EnrolError> {
        let Some(url) = self.erp_url().await else {
            return Err(EnrolError::NoErp);
        };
        let current = match code {
            Some(code) => code,
            None => code.insert(Code::new(Instant::now())?),
        };
        let (attempt, offer) = Attempt::by_code(current, self.applicant()?);
        let Offered { session } = post(&url, "/iot/v1/enrol/offer", Trust::ByCode, &offer).await?;
        current.show(Instant::now());
        let until = current.until();
        let shown = EnrolStatus::ShowingCode { code: display_code(current.text()), erp_url: url.clone(), until };
        self.status.send_replace(shown);
        let poll = Poll { session: session.clone() };
        let waited = tokio::time::timeout_at(until, async {
            loop {
                let next = Instant::now() + BREATH;
                match post(&url, "/iot/v1/enrol/poll", Trust::ByCode, &poll).await? {
                    Polled::Waiting => tokio::time::sleep_until(next).await,
                    Polled::Gone => {
                        tokio::time::sleep_until(next).await;
                        return Ok::<_, EnrolError>(None);
                    }
                    Polled::Challenge { pake, ca, confirm } => return Ok(Some((pake, ca, confirm))),
                }
            }
        });
        let Ok(challenge) = waited.await else { return Ok(false) };
        let Some((pake, ca, confirm)) = challenge? else { return Ok(false) };
        let Some(proving) = attempt.challenged(&pake, &ca, &confirm) else {
            current.count_wrong();
            tracing::warn!("a wrong pairing code was typed for this box");
            let wrong = Prove { session, confirm: None };
            // The ERP's answer is the same refusal that the person who typed reads; nothing follows from it here.
            let _refusal: Result<serde_json::Value, _> = post(&url, "/iot/v1/enrol/prove", Trust::ByCode, &wrong).await;
            return Ok(false);
        };
        let prove = Prove { session, confirm: Some(proving.confirmation()) };
        let sealed = prove_until_heard(&url, &prove).await?;
        self.accept(&proving, &sealed, None)?;
        Ok(true)
    }

    fn tell(&self, error: &EnrolError) {
        let status = match error {
            EnrolError::NoErp => EnrolStatus::NoErp { message: error.to_string() },
            _ => EnrolStatus::Unreachable {
                erp_url: self.config.erp_url.clone().unwrap_or_default(),
                message: error.to_string(),
            },
        };
        // A code that people read stays on the screen: it is good until its time is over.
        self.status.send_if_modified(|old| {
            let changes = !matches!(old, EnrolStatus::ShowingCode { .. }) && *old != status;
            if changes {
                tracing::warn!(%error, "the box cannot offer itself for pairing");
                *old = status;
            }
            changes
        });
    }

    async fn erp_url(&self) -> Option<String> {
        match &self.config.erp_url {
            Some(url) => Some(url.trim_end_matches('/').to_owned()),
            None if self.config.mdns => discover::find().await,
            None => None,
        }
    }

    fn applicant(&self) -> Result<Applicant, EnrolError> {
        let about = (self.config.about)();
        check_name(&about.name)?;
        let identity = &self.config.identity;
        Ok(Applicant {
            v: link_protocol::VERSION,
            box_id: identity.box_id().clone(),
            serial: identity.serial().to_owned(),
            name: about.name,
            version: about.version,
            client_csr: identity.client_csr()?,
            server_csr: identity.https_csr(&about.addresses)?,
            addresses: about.addresses,
            https_port: about.https_port,
        })
    }

    /// Pairs by the token of the ERP's Connect dialog; saves the pairing.
    pub async fn with_token(&self, token: &str) -> Result<Arc<Pairing>, EnrolError> {
        let token: Token = token.parse()?;
        if let Some(pairing) = self.config.store.current() {
            return Err(EnrolError::AlreadyPaired { erp_name: pairing.grant.erp_name.clone() });
        }
        let Some((proving, offer)) = Attempt::by_token(&token, self.applicant()?) else {
            return Err(EnrolError::Token(TokenError::Shape));
        };
        let trust = Trust::Ca(proving.ca_sha256());
        let sealed: Sealed = post(&token.url, "/iot/v1/enrol/token", trust, &offer).await?;
        self.accept(&proving, &sealed, Some(&token.db))
    }

    /// Opens the grant, tries everything in it that will be relied upon, and saves it.
    fn accept(&self, proving: &Proving, sealed: &Sealed, db: Option<&DbName>) -> Result<Arc<Pairing>, EnrolError> {
        let grant = proving.open(sealed)?;
        if let Some(db) = db.filter(|db| **db != grant.db) {
            return Err(EnrolError::WrongDatabase(db.clone(), grant.db));
        }
        let unusable = |e: tls::TlsError| EnrolError::Nonsense(e.to_string());
        tls::mqtt_config(&self.config.identity, &grant).map_err(unusable)?;
        BoxCertificate::new(&self.config.identity, Some(&grant), &[]).map_err(unusable)?;
        let pairing = self.config.store.save(Pairing { grant })?;
        tracing::info!(erp.name = pairing.grant.erp_name, erp.url = pairing.grant.erp_url, "paired");
        self.status.send_replace(paired(&pairing));
        Ok(pairing)
    }
}

/// The ERP may have paired the box while its answer got lost: it gives the same answer to the same proof.
async fn prove_until_heard(url: &str, prove: &Prove) -> Result<Sealed, EnrolError> {
    let mut tries = 0;
    loop {
        match post(url, "/iot/v1/enrol/prove", Trust::ByCode, prove).await {
            Err(EnrolError::Unreachable { .. } | EnrolError::Nonsense(_)) if tries < 3 => {
                tries += 1;
                tokio::time::sleep(RETRY).await;
            }
            other => return other,
        }
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
