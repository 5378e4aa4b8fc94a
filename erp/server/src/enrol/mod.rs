//! How a box comes to belong to this ERP. `link_protocol::enrol` describes both ways, by code and by token.
//!
//! [`desk`] is the machine, [`keys`] its cryptography, [`limit`] the back-off; here they meet clock, database and the
//! people at IoT boxes > Connect.

mod desk;
mod keys;
mod limit;
mod name;
mod store;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use erp_engine::{Engine, Search, Uid, domain, values};
use jiff::{SignedDuration, Timestamp};
use link_protocol::{
    enrol::{Offer, Offered, Polled, Prove, Sealed, Token, TokenOffer, Transcript},
    ids::BoxId,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

pub use desk::Refused;
pub use limit::Limiter;
pub(crate) use name::clean_text;
pub use name::{clean, unique};

use crate::{
    access,
    bus::{Bus, BusMessage},
    ca::Authority,
    config::Config,
    error::ServiceError,
    hub::Link,
    vault::{Vault, random},
};
use desk::{CaView, Desk, Proof};
pub(crate) use keys::Keys;

/// How long a box's poll is held open.
const POLL_TIME: Duration = Duration::from_secs(25);
/// How long a person waits for the box's proof.
const PROOF_TIME: Duration = Duration::from_secs(10);
/// For the database, once the proof has come.
const SIGN_TIME: Duration = Duration::from_secs(10);
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

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

/// What enrolment works with.
#[derive(Clone)]
pub struct Parts {
    pub engine: Engine,
    pub config: Arc<Config>,
    pub ca: Arc<Authority>,
    pub vault: Vault,
    pub bus: Bus,
    pub link: Arc<dyn Link>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Enrolment(Arc<Inner>);

struct Inner {
    parts: Parts,
    desk: Mutex<Desk>,
    /// Counts up when a poll should look again.
    turn: watch::Sender<u64>,
    /// People who wait for a proof, by handle.
    waiting: Mutex<HashMap<String, Waiting>>,
}

struct Waiting {
    uid: Uid,
    reply: oneshot::Sender<Result<PairedBox, PairError>>,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn token_text<const N: usize>() -> Result<String, ServiceError> {
    Ok(BASE64URL_NOPAD.encode(&random::<N>().map_err(ServiceError::internal)?))
}

/// Only lower-case letters and digits: it stands in topics, URLs and logs.
pub(crate) fn random_id<const N: usize>() -> Result<String, ServiceError> {
    Ok(BASE32_NOPAD.encode(&random::<N>().map_err(ServiceError::internal)?).to_ascii_lowercase())
}

impl Enrolment {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, desk: Mutex::default(), turn: watch::Sender::new(0), waiting: Mutex::default() }))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.0.desk)
    }

    fn changed(&self) {
        self.0.turn.send_modify(|n| *n += 1);
        self.0.parts.bus.send(BusMessage::Pending);
    }

    /// Boxes that wait for somebody to type their code, oldest first.
    pub async fn pending(&self, uid: Uid) -> Result<Vec<PendingBox>, ServiceError> {
        access::require_admin(&self.0.parts.engine, uid).await?;
        let listed = self.desk().list(Instant::now());
        let now = Timestamp::now();
        Ok(listed
            .into_iter()
            .map(|l| PendingBox {
                session: l.handle,
                serial: clean_text(&l.serial, 64),
                name: clean(&l.name),
                version: clean_text(&l.version, 32),
                address: l.address.to_string(),
                since: now - SignedDuration::try_from(l.age).unwrap_or_default(),
                tries: l.tries,
            })
            .collect())
    }

    /// Waits up to ten seconds for the box's proof.
    pub async fn pair(&self, uid: Uid, session: &str, code: &str) -> Result<PairedBox, PairError> {
        access::require_admin(&self.0.parts.engine, uid).await?;
        let ca = &self.0.parts.ca;
        let (reply, answer) = oneshot::channel();
        {
            let mut desk = self.desk();
            let sha256 = ca.server_ca_sha256();
            desk.type_code(Instant::now(), session, code, CaView { pem: ca.server_ca_pem(), sha256: &sha256 })?;
            lock(&self.0.waiting).insert(session.to_owned(), Waiting { uid, reply });
        }
        self.changed();
        tokio::pin!(answer);
        let answered = match timeout(PROOF_TIME, &mut answer).await {
            Ok(answered) => answered,
            // The prove handler takes the waiting person out when it begins to sign; then its answer is near.
            Err(_) if lock(&self.0.waiting).remove(session).is_none() => {
                timeout(SIGN_TIME, answer).await.unwrap_or(Ok(Err(PairError::NoAnswer)))
            }
            Err(_) => {
                self.desk().no_answer(session);
                self.changed();
                Ok(Err(PairError::NoAnswer))
            }
        };
        answered.unwrap_or(Err(PairError::NoAnswer))
    }

    /// `POST /iot/v1/enrol/offer`.
    pub fn offer(&self, address: IpAddr, offer: Offer) -> Result<Offered, Refused> {
        let session = token_text::<24>().map_err(|_| Refused::Internal)?;
        let handle = token_text::<12>().map_err(|_| Refused::Internal)?;
        let box_id = offer.applicant.box_id.clone();
        self.desk().offer(Instant::now(), address.to_canonical(), offer, session.clone(), handle)?;
        tracing::info!(r#box.id = %box_id, %address, "A box asks to be connected.");
        self.changed();
        Ok(Offered { session })
    }

    /// `POST /iot/v1/enrol/poll`: answers when there is something to say, or after 25 seconds.
    pub async fn poll(&self, session: &str) -> Polled {
        let mut turn = self.0.turn.subscribe();
        let wait = async {
            loop {
                turn.mark_unchanged();
                let polled = self.desk().poll(Instant::now(), session);
                if polled != Polled::Waiting || turn.changed().await.is_err() {
                    return polled;
                }
            }
        };
        timeout(POLL_TIME, wait).await.unwrap_or(Polled::Waiting)
    }

    /// `POST /iot/v1/enrol/prove`. `host`: how the box reached this server.
    pub async fn prove(&self, host: &str, prove: Prove) -> Result<Sealed, Refused> {
        let proof = self.desk().prove(Instant::now(), &prove.session, prove.confirm.as_deref());
        match proof? {
            Proof::Again(sealed) => Ok(sealed),
            Proof::Wrong { handle, left } => {
                tracing::warn!(attempts.left = left, "A wrong code was typed for a box.");
                if let Some(waiting) = lock(&self.0.waiting).remove(&handle) {
                    let error = if left == 0 { PairError::CodeVoid } else { PairError::WrongCode { left } };
                    waiting.reply.send(Err(error)).ok();
                }
                self.changed();
                Err(Refused::WrongProof)
            }
            Proof::Right { handle, applicant, address } => {
                let waiting = lock(&self.0.waiting).remove(&handle);
                let by = waiting.as_ref().map(|w| w.uid);
                let stored = store::pairing(&self.0.parts, &applicant, address, host, by, None).await;
                let (result, sealed) = match stored {
                    Ok((paired, grant)) => {
                        let sealed = self.desk().conclude(Instant::now(), &prove.session, grant);
                        (Ok(paired), sealed)
                    }
                    Err(error) => {
                        tracing::error!(r#box.id = %applicant.box_id, %error, "A pairing could not be stored.");
                        self.desk().give_up(&prove.session);
                        (Err(error.into()), Err(Refused::Internal))
                    }
                };
                if let Some(waiting) = waiting {
                    waiting.reply.send(result).ok();
                }
                self.changed();
                sealed
            }
        }
    }

    /// A token for one box, good for an hour: shown once, to be pasted on the box's homepage.
    pub async fn make_token(&self, uid: Uid) -> Result<String, ServiceError> {
        let parts = &self.0.parts;
        access::require_admin(&parts.engine, uid).await?;
        let (id, secret) = (random_id::<8>()?, token_text::<24>()?);
        // The secret is the MAC's key, so its hash would not do.
        let sealed = parts.vault.seal(&token_label(&id), secret.as_bytes()).map_err(ServiceError::internal)?;
        let mut env = parts.engine.superuser("make a pairing token").await?;
        let values = values! {
            "token_hash" => token_hash(&id),
            "sealed" => sealed,
            "expires_at" => Timestamp::now() + TOKEN_LIFETIME,
            "used" => false,
            "made_by" => uid,
        };
        env.create("iot.token", values).await?;
        access::audit(&mut env, "token_made", Some(uid), None, &format!("token {id}")).await?;
        env.commit().await?;
        let token = Token {
            url: parts.config.public_url.clone(),
            db: parts.config.db.clone(),
            id,
            secret,
            ca_sha256: data_encoding::HEXLOWER.encode(&parts.ca.server_ca_sha256()),
        };
        Ok(token.to_string())
    }

    /// `POST /iot/v1/enrol/token`.
    pub async fn token(&self, address: IpAddr, host: &str, offer: TokenOffer) -> Result<Sealed, Refused> {
        let (now, address) = (Instant::now(), address.to_canonical());
        self.desk().limiter().attempt(now, address).map_err(|wait_s| Refused::TooMany { wait_s })?;
        let outcome = self.token_checked(address, host, &offer).await;
        match &outcome {
            Ok(_) => self.desk().limiter().succeeded(now, address),
            Err(Refused::Internal) => {}
            Err(error) => {
                tracing::warn!(%address, r#box.id = %offer.applicant.box_id, %error, "A pairing token was refused.");
                self.desk().limiter().failed(now, address);
            }
        }
        outcome
    }

    async fn token_checked(&self, address: IpAddr, host: &str, offer: &TokenOffer) -> Result<Sealed, Refused> {
        desk::check_applicant(&offer.applicant)?;
        let parts = &self.0.parts;
        let internal = |error: ServiceError| {
            tracing::error!(%error, "A pairing by token could not be stored.");
            Refused::Internal
        };
        let secret = self.token_secret(&offer.token_id).await.map_err(internal)?.ok_or(Refused::Token)?;
        let transcript = Transcript {
            applicant: &offer.applicant,
            pake_a: "",
            pake_b: "",
            token_id: &offer.token_id,
            ca_sha256: &parts.ca.server_ca_sha256(),
        };
        let keys = Keys::derive(&secret, &transcript).ok_or(Refused::Internal)?;
        if !keys.box_confirms(&offer.confirm) {
            return Err(Refused::Token);
        }
        let stored = store::pairing(parts, &offer.applicant, address, host, None, Some(&offer.token_id)).await;
        let (_, grant) = stored.map_err(|error| match error {
            ServiceError::Conflict(_) => Refused::Token,
            other => internal(other),
        })?;
        self.changed();
        Ok(Sealed { mac: keys.seal(&grant), grant })
    }

    /// Of a token that is unused and in time.
    async fn token_secret(&self, token_id: &str) -> Result<Option<Vec<u8>>, ServiceError> {
        let parts = &self.0.parts;
        let mut env = parts.engine.superuser("check a pairing token").await?;
        let open = domain!(["token_hash", "=", token_hash(token_id)], ["used", "=", false]);
        let found = env.search_read("iot.token", &open, &["sealed", "expires_at"], Search::default()).await?;
        let Some(row) = found.first() else { return Ok(None) };
        if row.get::<Timestamp>("expires_at")? <= Timestamp::now() {
            return Ok(None);
        }
        let sealed: Vec<u8> = row.get("sealed")?;
        parts.vault.open(&token_label(token_id), &sealed).map(Some).map_err(ServiceError::internal)
    }
}

/// The record is found by it; a look into the table shows no token's id.
fn token_hash(id: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(id.as_bytes()))
}

fn token_label(id: &str) -> String {
    format!("iot.token {id}")
}

#[cfg(test)]
mod tests;
