//! One attempt at a pairing, without I/O.
//!
//! ```text
//! Attempt::by_code ─Offer─> ... <─Challenge─ Attempt::challenged ─ok─> Proving ─Prove─> ... <─Sealed─ Proving::open
//!                                              └─ wrong code: tell the ERP, count it, make a new attempt
//! Attempt::by_token ─TokenOffer─────────────────────────────────────> Proving
//! ```
//! A SPAKE2 state answers one message and is gone; a second guess needs a second attempt.

use std::time::Duration;

use data_encoding::BASE64;
use link_protocol::enrol::{
    Applicant, CODE_ALPHABET, CODE_LENGTH, CODE_LIFETIME_S, CODE_TRIES, Grant, Offer, PAKE_IDENTITY_BOX,
    PAKE_IDENTITY_ERP, Sealed, Token, TokenOffer, Transcript,
};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Password, Spake2};
use tokio::time::Instant;

use super::{EnrolError, Gone, keys::Keys};
use crate::tls;

/// A code as long as it lives.
#[derive(Debug, Clone)]
pub(super) struct Code {
    text: String,
    until: Instant,
    shown: bool,
    tries: u32,
}

impl Code {
    /// Eight random characters; 32 of them divide 256, so a byte's low bits are even.
    pub(super) fn new(now: Instant) -> Result<Self, EnrolError> {
        let mut bytes = [0; CODE_LENGTH];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| EnrolError::Nonsense("the system gives no random numbers".into()))?;
        let text = bytes.iter().map(|b| char::from(CODE_ALPHABET[usize::from(b & 31)])).collect();
        Ok(Self { text, until: now + Duration::from_secs(CODE_LIFETIME_S), shown: false, tries: 0 })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// An ERP lists the box, so people may read the code: its time begins, once.
    pub(super) fn show(&mut self, now: Instant) {
        if !self.shown {
            self.shown = true;
            self.until = now + Duration::from_secs(CODE_LIFETIME_S);
        }
    }

    /// Somebody typed a wrong one.
    pub(super) fn count_wrong(&mut self) {
        self.tries += 1;
    }

    pub(super) fn gone(&self, now: Instant) -> Option<Gone> {
        if self.tries >= CODE_TRIES {
            Some(Gone::TooManyTries)
        } else if self.shown && now >= self.until {
            Some(Gone::Expired)
        } else {
            None
        }
    }
}

/// The box made an offer by code and waits for the ERP's challenge.
pub(super) struct Attempt {
    applicant: Applicant,
    pake_a: String,
    spake: Spake2<Ed25519Group>,
}

impl Attempt {
    pub(super) fn by_code(code: &Code, applicant: Applicant) -> (Self, Offer) {
        let (spake, message) = Spake2::<Ed25519Group>::start_a(
            &Password::new(code.text.as_bytes()),
            &spake2::Identity::new(PAKE_IDENTITY_BOX),
            &spake2::Identity::new(PAKE_IDENTITY_ERP),
        );
        let pake_a = BASE64.encode(&message);
        let offer = Offer { applicant: applicant.clone(), pake: pake_a.clone() };
        (Self { applicant, pake_a, spake }, offer)
    }

    /// `None`: whoever answered does not know the code.
    pub(super) fn challenged(self, pake_b: &str, ca_pem: &str, confirm: &str) -> Option<Proving> {
        let ca_sha256 = ca_sha256(ca_pem)?;
        let secret = self.spake.finish(&BASE64.decode(pake_b.as_bytes()).ok()?).ok()?;
        let transcript = Transcript {
            applicant: &self.applicant,
            pake_a: &self.pake_a,
            pake_b,
            token_id: "",
            ca_sha256: &ca_sha256,
        };
        let keys = Keys::derive(&secret, &transcript)?;
        keys.erp_confirms(confirm).then_some(Proving { keys, ca_sha256 })
    }

    pub(super) fn by_token(token: &Token, applicant: Applicant) -> Option<(Proving, TokenOffer)> {
        let ca_sha256: [u8; 32] =
            data_encoding::HEXLOWER_PERMISSIVE.decode(token.ca_sha256.as_bytes()).ok()?.try_into().ok()?;
        let transcript =
            Transcript { applicant: &applicant, pake_a: "", pake_b: "", token_id: &token.id, ca_sha256: &ca_sha256 };
        let keys = Keys::derive(token.secret.as_bytes(), &transcript)?;
        let confirm = keys.box_confirmation();
        let offer = TokenOffer { token_id: token.id.clone(), confirm, applicant };
        Some((Proving { keys, ca_sha256 }, offer))
    }
}

/// Both sides know the secret; the box waits for its grant.
pub(super) struct Proving {
    keys: Keys,
    ca_sha256: [u8; 32],
}

impl Proving {
    pub(super) fn ca_sha256(&self) -> [u8; 32] {
        self.ca_sha256
    }

    pub(super) fn confirmation(&self) -> String {
        self.keys.box_confirmation()
    }

    pub(super) fn open(&self, sealed: &Sealed) -> Result<Grant, EnrolError> {
        if !self.keys.opens(sealed) {
            return Err(EnrolError::NotProven);
        }
        let grant: Grant = serde_json::from_str(&sealed.grant).map_err(|e| EnrolError::Nonsense(e.to_string()))?;
        if grant.v != link_protocol::VERSION {
            return Err(EnrolError::Nonsense(format!("version {} of the grant", grant.v)));
        }
        if ca_sha256(&grant.server_ca) != Some(self.ca_sha256) {
            return Err(EnrolError::Nonsense("the grant is of another CA than the one both sides agreed on".into()));
        }
        link_protocol::enrol::check_name(&grant.box_name)?;
        Ok(grant)
    }
}

/// Of the first certificate of a PEM text, DER.
fn ca_sha256(pem: &str) -> Option<[u8; 32]> {
    Some(Sha256::digest(tls::certificates(pem, "server CA").ok()?.first()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applicant() -> Applicant {
        Applicant {
            v: 1,
            box_id: "abcdefghijklmnopqrstuvwxyz".parse().unwrap(),
            serial: "0001".into(),
            name: "Counter".into(),
            version: "0.1.0".into(),
            addresses: vec!["192.168.1.20".into()],
            https_port: 8443,
            client_csr: "csr".into(),
            server_csr: "csr".into(),
        }
    }

    fn ca() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::default().self_signed(&key).unwrap().pem()
    }

    fn grant(ca: &str) -> String {
        serde_json::to_string(&Grant { server_ca: ca.into(), ..crate::enrol::test_grant() }).unwrap()
    }

    /// The ERP's side of the code flow: message B, its confirmation, the sealed grant.
    fn erp(code: &str, offer: &Offer, ca: &str) -> (String, String, Sealed, Keys) {
        let (spake, message) = Spake2::<Ed25519Group>::start_b(
            &Password::new(code.as_bytes()),
            &spake2::Identity::new(PAKE_IDENTITY_BOX),
            &spake2::Identity::new(PAKE_IDENTITY_ERP),
        );
        let secret = spake.finish(&BASE64.decode(offer.pake.as_bytes()).unwrap()).unwrap();
        let pake_b = BASE64.encode(&message);
        let transcript = Transcript {
            applicant: &offer.applicant,
            pake_a: &offer.pake,
            pake_b: &pake_b,
            token_id: "",
            ca_sha256: &ca_sha256(ca).unwrap(),
        };
        let keys = Keys::derive(&secret, &transcript).unwrap();
        let (confirm, sealed) = keys.erp_side(&grant(ca));
        (pake_b, confirm, sealed, keys)
    }

    #[test]
    fn the_right_code_leads_to_the_grant() {
        let code = Code::new(Instant::now()).unwrap();
        assert_eq!(link_protocol::enrol::normalize_code(code.text()).as_deref(), Some(code.text()));
        let (attempt, offer) = Attempt::by_code(&code, applicant());
        let ca = ca();
        let (pake_b, confirm, sealed, keys) = erp(code.text(), &offer, &ca);
        let proving = attempt.challenged(&pake_b, &ca, &confirm).unwrap();
        assert_eq!(proving.confirmation(), keys.box_confirmation());
        assert_eq!(proving.open(&sealed).unwrap().server_ca, ca);
        let forged = Sealed { grant: sealed.grant.replace("Counter", "Kounter"), mac: sealed.mac };
        assert!(matches!(proving.open(&forged), Err(EnrolError::NotProven)));
    }

    #[test]
    fn a_wrong_code_or_an_exchanged_ca_is_found_out() {
        let code = Code::new(Instant::now()).unwrap();
        let ca = ca();
        let (attempt, offer) = Attempt::by_code(&code, applicant());
        let (pake_b, confirm, ..) = erp("00000000", &offer, &ca);
        assert!(attempt.challenged(&pake_b, &ca, &confirm).is_none());

        let (attempt, offer) = Attempt::by_code(&code, applicant());
        let (pake_b, confirm, ..) = erp(code.text(), &offer, &ca);
        assert!(attempt.challenged(&pake_b, &self::ca(), &confirm).is_none());

        let (attempt, offer) = Attempt::by_code(&code, applicant());
        let changed = Offer { applicant: Applicant { name: "Other".into(), ..offer.applicant }, pake: offer.pake };
        let (pake_b, confirm, ..) = erp(code.text(), &changed, &ca);
        assert!(attempt.challenged(&pake_b, &ca, &confirm).is_none());
    }

    #[test]
    fn garbage_from_the_network_is_a_wrong_code() {
        for garbage in ["", "!!", "AAAA", &"A".repeat(44)] {
            let code = Code::new(Instant::now()).unwrap();
            let (attempt, _) = Attempt::by_code(&code, applicant());
            assert!(attempt.challenged(garbage, &ca(), garbage).is_none());
        }
    }

    #[test]
    fn a_token_binds_the_ca_and_the_applicant() {
        let ca = ca();
        let token = Token {
            url: "https://erp.example".into(),
            db: "shop".parse().unwrap(),
            id: "id".into(),
            secret: "secret".into(),
            ca_sha256: data_encoding::HEXLOWER.encode(&ca_sha256(&ca).unwrap()),
        };
        let (proving, offer) = Attempt::by_token(&token, applicant()).unwrap();
        let transcript = Transcript {
            applicant: &offer.applicant,
            pake_a: "",
            pake_b: "",
            token_id: "id",
            ca_sha256: &ca_sha256(&ca).unwrap(),
        };
        let keys = Keys::derive(b"secret", &transcript).unwrap();
        assert_eq!(offer.confirm, keys.box_confirmation());
        assert!(proving.open(&keys.erp_side(&grant(&ca)).1).is_ok());
        assert!(proving.open(&keys.erp_side(&grant(&self::ca())).1).is_err(), "a grant of another CA");
        let other = Keys::derive(b"other", &transcript).unwrap();
        assert!(matches!(proving.open(&other.erp_side(&grant(&ca)).1), Err(EnrolError::NotProven)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_lives_five_minutes_and_five_tries() {
        let mut code = Code::new(Instant::now()).unwrap();
        assert_eq!(code.gone(Instant::now() + Duration::from_secs(1000)), None, "it was not shown yet");
        code.show(Instant::now());
        assert_eq!(code.gone(Instant::now() + Duration::from_secs(299)), None);
        assert_eq!(code.gone(Instant::now() + Duration::from_secs(300)), Some(Gone::Expired));
        for _ in 0..4 {
            code.count_wrong();
        }
        assert_eq!(code.gone(Instant::now()), None);
        code.count_wrong();
        assert_eq!(code.gone(Instant::now()), Some(Gone::TooManyTries));
    }
}
