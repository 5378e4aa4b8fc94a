//! The boxes that ask to be connected, as a pure machine.
//!
//! ```text
//!          offer                type_code                   prove(right)              conclude
//! (none) --------> waiting ----------------> challenged ------------------> proved -------------> concluded
//!                    ^                          |                                      (answers a repeated prove)
//!                    +---- prove(wrong), -------+
//!                          no answer                 fifth wrong code, old age: gone
//! ```

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use link_protocol::{
    VERSION,
    enrol::{
        Applicant, CODE_LIFETIME_S, CODE_TRIES, Offer, PAKE_IDENTITY_BOX, PAKE_IDENTITY_ERP, Polled, Sealed,
        Transcript, normalize_code,
    },
};
use spake2::{Ed25519Group, Identity, Password, Spake2};

use super::{PairError, keys::Keys, limit::Limiter};
use crate::ca::{Request, RequestError};

const MAX_PENDING: usize = 100;
const MAX_PENDING_PER_ADDRESS: usize = 10;
/// A code and the moments before and after it.
const LIFETIME: Duration = Duration::from_secs(CODE_LIFETIME_S + 60);
/// A box polls every 25 seconds; one that does not has gone.
const SILENCE: Duration = Duration::from_secs(60);
/// For a prove that is sent again because its answer was lost.
const CONCLUDED_FOR: Duration = Duration::from_secs(60);
const MAX_TEXT: usize = 256;
const MAX_ADDRESSES: usize = 32;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("this ERP speaks version 1 of the enrolment: update the ERP or the box")]
    Version,
    #[error("the request is not as the protocol has it: update the box")]
    Malformed,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("too many boxes ask to be connected: connect or wait for those that IoT boxes > Connect lists")]
    Full,
    #[error("too many attempts from this address: wait {wait_s} seconds")]
    TooMany { wait_s: u64 },
    #[error("this offer is gone: make a new one")]
    Gone,
    #[error("the confirmation is wrong: the code that was typed is not this box's code")]
    WrongProof,
    #[error("the token is unknown, used or older than an hour: make a new one at IoT boxes > Connect")]
    Token,
    #[error("the ERP could not store the pairing: try again; its log says why")]
    Internal,
}

/// One server CA, as challenges need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct CaView<'a> {
    pub(super) pem: &'a str,
    pub(super) sha256: &'a [u8; 32],
}

struct Asking {
    /// What the page calls this offer; the session itself stays between box and server.
    handle: String,
    applicant: Applicant,
    pake_a: String,
    address: IpAddr,
    since: Instant,
    heard: Instant,
    tries: u32,
    stage: Stage,
}

enum Stage {
    Waiting,
    Challenged {
        challenge: Polled,
        keys: Box<Keys>,
    },
    /// The right proof has come; the certificate is being made.
    Proved {
        keys: Box<Keys>,
    },
    Concluded {
        keys: Box<Keys>,
        sealed: Sealed,
        at: Instant,
    },
}

pub(super) struct Listed {
    pub(super) handle: String,
    pub(super) serial: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) address: IpAddr,
    pub(super) age: Duration,
    pub(super) tries: u32,
}

/// Outcome of a proof.
pub(super) enum Proof {
    /// Sign, then [`Desk::conclude`].
    Right {
        handle: String,
        applicant: Box<Applicant>,
        address: IpAddr,
    },
    Again(Sealed),
    Wrong {
        handle: String,
        left: u32,
    },
}

#[derive(Default)]
pub(super) struct Desk {
    /// By session.
    asking: HashMap<String, Asking>,
    limiter: Limiter,
}

/// Shape and sizes; then the requests' signatures, and that the box is named after its key.
pub(super) fn check_applicant(a: &Applicant) -> Result<(Request, Request), Refused> {
    if a.v != VERSION {
        return Err(Refused::Version);
    }
    let texts = [&a.serial, &a.name, &a.version];
    if texts.iter().any(|t| t.len() > MAX_TEXT)
        || a.addresses.len() > MAX_ADDRESSES
        || a.addresses.iter().any(|t| t.len() > MAX_TEXT)
    {
        return Err(Refused::Malformed);
    }
    Ok((Request::parse_for(&a.client_csr, &a.box_id)?, Request::parse(&a.server_csr)?))
}

impl Desk {
    /// `session` and `handle` are fresh random texts.
    pub(super) fn offer(
        &mut self,
        now: Instant,
        address: IpAddr,
        offer: Offer,
        session: String,
        handle: String,
    ) -> Result<(), Refused> {
        self.expire(now);
        self.limiter.attempt(now, address).map_err(|wait_s| Refused::TooMany { wait_s })?;
        check_applicant(&offer.applicant).inspect_err(|_| self.limiter.failed(now, address))?;
        if BASE64.decode(offer.pake.as_bytes()).map_or(0, |p| p.len()) != 33 {
            self.limiter.failed(now, address);
            return Err(Refused::Malformed);
        }
        // The same box asks anew (after a wrong code, or it restarted): its attempts go on counting while the code may
        // be the same, and the page that shows it may go on with the handle it has.
        let (mut tries, mut handle) = (0, handle);
        self.asking.retain(|_, a| {
            let same = a.applicant.box_id == offer.applicant.box_id && a.address == address;
            if same {
                tries = tries.max(a.tries);
                handle.clone_from(&a.handle);
            }
            !same
        });
        let from_here = self.asking.values().filter(|a| a.address == address).count();
        if self.asking.len() >= MAX_PENDING || from_here >= MAX_PENDING_PER_ADDRESS {
            return Err(Refused::Full);
        }
        self.asking.insert(
            session,
            Asking {
                handle,
                applicant: offer.applicant,
                pake_a: offer.pake,
                address,
                since: now,
                heard: now,
                tries,
                stage: Stage::Waiting,
            },
        );
        Ok(())
    }

    pub(super) fn poll(&mut self, now: Instant, session: &str) -> Polled {
        self.expire(now);
        match self.asking.get_mut(session) {
            None => Polled::Gone,
            Some(asking) => {
                asking.heard = now;
                match &asking.stage {
                    Stage::Challenged { challenge, .. } => challenge.clone(),
                    _ => Polled::Waiting,
                }
            }
        }
    }

    /// Somebody typed a code for one of the listed boxes: the box is challenged with it.
    pub(super) fn type_code(
        &mut self,
        now: Instant,
        handle: &str,
        typed: &str,
        ca: CaView<'_>,
    ) -> Result<(), PairError> {
        self.expire(now);
        let code = normalize_code(typed).ok_or(PairError::NotACode)?;
        let asking = self.asking.values_mut().find(|a| a.handle == handle).ok_or(PairError::Gone)?;
        match asking.stage {
            Stage::Waiting => {}
            Stage::Challenged { .. } | Stage::Proved { .. } => return Err(PairError::Busy),
            Stage::Concluded { .. } => return Err(PairError::Gone),
        }
        let (spake, message) = Spake2::<Ed25519Group>::start_b(
            &Password::new(code.as_bytes()),
            &Identity::new(PAKE_IDENTITY_BOX),
            &Identity::new(PAKE_IDENTITY_ERP),
        );
        let pake_b = BASE64.encode(&message);
        let secret = BASE64.decode(asking.pake_a.as_bytes()).ok().and_then(|a| spake.finish(&a).ok());
        let transcript = Transcript {
            applicant: &asking.applicant,
            pake_a: &asking.pake_a,
            pake_b: &pake_b,
            token_id: "",
            ca_sha256: ca.sha256,
        };
        let keys = secret.and_then(|s| Keys::derive(&s, &transcript)).ok_or(PairError::Gone)?;
        let challenge = Polled::Challenge { pake: pake_b, ca: ca.pem.to_owned(), confirm: keys.erp_confirmation() };
        asking.stage = Stage::Challenged { challenge, keys: Box::new(keys) };
        Ok(())
    }

    /// The box did not answer its challenge. It may have seen it, so the attempt counts.
    pub(super) fn no_answer(&mut self, handle: &str) {
        let session = self.asking.iter().find(|(_, a)| a.handle == handle).map(|(s, _)| s.clone());
        if let Some(session) = session
            && self.asking.get(&session).is_some_and(|a| matches!(a.stage, Stage::Challenged { .. }))
        {
            self.wrong(&session);
        }
    }

    pub(super) fn prove(&mut self, now: Instant, session: &str, confirm: Option<&str>) -> Result<Proof, Refused> {
        self.expire(now);
        let asking = self.asking.get_mut(session).ok_or(Refused::Gone)?;
        asking.heard = now;
        let (keys, right) = match &asking.stage {
            Stage::Waiting => return Err(Refused::Gone),
            Stage::Challenged { keys, .. } | Stage::Proved { keys } | Stage::Concluded { keys, .. } => {
                (keys, confirm.is_some_and(|c| keys.box_confirms(c)))
            }
        };
        let _ = keys;
        if !right {
            if matches!(asking.stage, Stage::Challenged { .. }) {
                if confirm.is_some() {
                    let address = asking.address;
                    self.limiter.failed(now, address);
                }
                let (handle, left) = self.wrong(session);
                return Ok(Proof::Wrong { handle, left });
            }
            return Err(Refused::WrongProof);
        }
        match std::mem::replace(&mut asking.stage, Stage::Waiting) {
            Stage::Challenged { keys, .. } => {
                asking.stage = Stage::Proved { keys };
                let applicant = Box::new(asking.applicant.clone());
                Ok(Proof::Right { handle: asking.handle.clone(), applicant, address: asking.address })
            }
            Stage::Concluded { keys, sealed, at } => {
                asking.stage = Stage::Concluded { keys, sealed: sealed.clone(), at };
                Ok(Proof::Again(sealed))
            }
            // Signing is under way for the first one.
            other => {
                asking.stage = other;
                Err(Refused::Gone)
            }
        }
    }

    /// The pairing is stored: seals the grant for the box.
    pub(super) fn conclude(&mut self, now: Instant, session: &str, grant: String) -> Result<Sealed, Refused> {
        let asking = self.asking.get_mut(session).ok_or(Refused::Gone)?;
        let Stage::Proved { keys } = std::mem::replace(&mut asking.stage, Stage::Waiting) else {
            return Err(Refused::Gone);
        };
        let sealed = Sealed { mac: keys.seal(&grant), grant };
        asking.stage = Stage::Concluded { keys, sealed: sealed.clone(), at: now };
        Ok(sealed)
    }

    /// Storing the pairing failed: the box has to make a new offer.
    pub(super) fn give_up(&mut self, session: &str) {
        self.asking.remove(session);
    }

    fn wrong(&mut self, session: &str) -> (String, u32) {
        let Some(asking) = self.asking.get_mut(session) else { return (String::new(), 0) };
        asking.tries += 1;
        asking.stage = Stage::Waiting;
        let (handle, left) = (asking.handle.clone(), CODE_TRIES.saturating_sub(asking.tries));
        if left == 0 {
            self.asking.remove(session);
        }
        (handle, left)
    }

    pub(super) fn list(&mut self, now: Instant) -> Vec<Listed> {
        self.expire(now);
        let mut listed: Vec<Listed> = self
            .asking
            .values()
            .filter(|a| !matches!(a.stage, Stage::Proved { .. } | Stage::Concluded { .. }))
            .map(|a| Listed {
                handle: a.handle.clone(),
                serial: a.applicant.serial.clone(),
                name: a.applicant.name.clone(),
                version: a.applicant.version.clone(),
                address: a.address,
                age: now - a.since,
                tries: a.tries,
            })
            .collect();
        listed.sort_by(|a, b| b.age.cmp(&a.age).then_with(|| a.handle.cmp(&b.handle)));
        listed
    }

    /// For requests with a token: attempts and failures of an address.
    pub(super) fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    fn expire(&mut self, now: Instant) {
        self.asking.retain(|_, a| match a.stage {
            Stage::Proved { .. } => true,
            Stage::Concluded { at, .. } => now - at < CONCLUDED_FOR,
            Stage::Waiting | Stage::Challenged { .. } => now - a.since < LIFETIME && now - a.heard < SILENCE,
        });
    }
}
