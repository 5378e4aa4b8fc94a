//! Enrolment, version 1: how a box and an ERP come to trust each other over a network neither trusts.
//!
//! ```text
//! box                                              ERP
//!  POST /iot/v1/enrol/offer   Offer{pake A}   ->    lists serial, name, address under Connect
//!                             <- Offered{session}
//!  POST /iot/v1/enrol/poll    Poll (waits <= 25 s)  a person types the code: SPAKE2 B, key K
//!                             <- Polled::Challenge{pake B, ca, confirm}
//!  (checks confirm: the ERP knows the code)
//!  POST /iot/v1/enrol/prove   Prove{confirm}  ->    checks confirm: the box knows the code; signs
//!                             <- Sealed{Grant}
//! ```
//! With a token the box knows the secret already: `POST /iot/v1/enrol/token` carries the offer and its confirmation,
//! and the answer is the sealed grant at once.
//!
//! K comes from SPAKE2 (ed25519, identities `box` and `erp`, password: the code's 8 characters) or is the token's
//! secret. Every confirmation and seal is HMAC-SHA256 with a key that HKDF-SHA256 derives from K with the SHA-256 of
//! [`Transcript::bytes`] as salt and a label of [`label`] as info (32 bytes of output). A confirmation's MAC is over
//! those same 32 bytes of salt; a seal's is over the grant's text. The transcript holds the box's requests, both SPAKE2
//! messages and the ERP's CA, so nobody in the middle can exchange any of them. TLS is used but not relied upon.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{BoxId, DbName, PairingId};

/// Info strings of the HKDF; one key a purpose.
pub mod label {
    pub const ERP_CONFIRMS: &str = "iot-enrol v1 erp confirms";
    pub const BOX_CONFIRMS: &str = "iot-enrol v1 box confirms";
    pub const GRANT: &str = "iot-enrol v1 grant";
}

/// ALPN of enrolment, offered before `http/1.1`: by it an ERP that shows browsers a certificate from elsewhere knows a
/// box, and shows it the one that its own CA signed, whose fingerprint stands in the token.
pub const ALPN: &[u8] = b"iot-enrol";

/// Identities of SPAKE2.
pub const PAKE_IDENTITY_BOX: &[u8] = b"iot-box";
pub const PAKE_IDENTITY_ERP: &[u8] = b"erp";

/// Characters of a pairing code.
pub const CODE_LENGTH: usize = 8;
/// Wrong attempts after which a code is void.
pub const CODE_TRIES: u32 = 5;
/// How long a code lives, seconds.
pub const CODE_LIFETIME_S: u64 = 300;
/// Crockford's base32: no I, L, O, U.
pub const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a person typed, as Crockford's base32 reads it: case and dashes do not matter, O is 0, I and L are 1.
/// `None` when it cannot be a code.
pub fn normalize_code(typed: &str) -> Option<String> {
    let code: String = typed
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        })
        .collect();
    let valid = code.len() == CODE_LENGTH && code.bytes().all(|b| CODE_ALPHABET.contains(&b));
    valid.then_some(code)
}

/// `ABCD-1234`, as screens and tickets show it.
pub fn display_code(code: &str) -> String {
    match code.split_at_checked(CODE_LENGTH / 2) {
        Some((a, b)) => format!("{a}-{b}"),
        None => code.to_owned(),
    }
}

/// Longest name of a box, characters.
pub const NAME_LENGTH: usize = 63;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    #[error("a name is needed")]
    Empty,
    #[error("at most {NAME_LENGTH} characters, got {0}")]
    TooLong(usize),
    #[error("control, formatting and line-break characters are not allowed, got U+{0:04X}")]
    Character(u32),
}

/// What a box may be called: something that can stand in a list, a log line and on a ticket without doing harm.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    let length = name.chars().count();
    if length > NAME_LENGTH {
        return Err(NameError::TooLong(length));
    }
    // Beside control characters: invisible ones and those that turn the direction of text around.
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
            || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
    };
    match name.chars().find(|c| harmful(*c)) {
        Some(c) => Err(NameError::Character(c as u32)),
        None => Ok(()),
    }
}

/// Who asks, and for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Applicant {
    pub v: u16,
    pub box_id: BoxId,
    /// Of the machine (a Raspberry Pi's serial number), for people to compare.
    pub serial: String,
    /// What people call the box; the ERP cleans it and makes it unique.
    pub name: String,
    pub version: String,
    /// Addresses for the HTTPS certificate; the ERP keeps only private ones.
    pub addresses: Vec<String>,
    pub https_port: u16,
    /// PKCS#10, PEM: the client certificate for MQTT, by the key that `box_id` is the hash of.
    pub client_csr: String,
    /// PKCS#10, PEM: the certificate for browsers, by another key.
    pub server_csr: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    #[serde(flatten)]
    pub applicant: Applicant,
    /// SPAKE2 message A, base64.
    pub pake: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// Names this offer in the calls that follow; random, known to the two only.
    pub session: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Poll {
    pub session: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Polled {
    /// Nobody has typed a code yet: poll again.
    Waiting,
    /// Somebody typed a code for this box.
    Challenge {
        /// SPAKE2 message B, base64.
        pake: String,
        /// The ERP's server CA, PEM.
        ca: String,
        /// HMAC, base64.
        confirm: String,
    },
    /// The offer is gone (restart of the ERP, too old): make a new one.
    Gone,
}

/// The box's answer to a challenge. A box that found the ERP's confirmation wrong says so with `None`: the code that
/// was typed is not its code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prove {
    pub session: String,
    pub confirm: Option<String>,
}

/// `POST /iot/v1/enrol/token`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenOffer {
    #[serde(flatten)]
    pub applicant: Applicant,
    pub token_id: String,
    /// HMAC, base64.
    pub confirm: String,
}

/// `grant` is the exact JSON text of a [`Grant`]; `mac` authenticates its UTF-8 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    pub grant: String,
    pub mac: String,
}

/// What the box needs from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    pub v: u16,
    pub pairing: PairingId,
    pub db: DbName,
    /// What people call the ERP (its company), for the homepage.
    pub erp_name: String,
    /// The name the ERP gave the box, unique there.
    pub box_name: String,
    /// Where the ERP's web pages are, `https://erp.example:8069`; also the page origins that may talk to the box.
    pub erp_url: String,
    pub origins: Vec<String>,
    /// `host:port` of MQTT over mutual TLS, ALPN `mqtt`.
    pub mqtt: String,
    /// PEM. The box trusts an ERP whose certificate this CA signed.
    pub server_ca: String,
    /// PEM.
    pub client_certificate: String,
    /// PEM, leaf first.
    pub server_certificate: String,
    /// The key that signs till grants: base64 of the uncompressed P-256 point.
    pub grant_key: String,
    /// The ERP's clock, Unix milliseconds.
    pub now_ms: i64,
}

/// The token of the Connect dialog: `https://erp.example:8069?token=<id>.<secret>&db=<db>&ca=<sha256 hex>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Scheme, host and port, without a slash at the end.
    pub url: String,
    pub db: DbName,
    pub id: String,
    pub secret: String,
    /// SHA-256 of the ERP's CA certificate (DER), lower-case hex.
    pub ca_sha256: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("this is not a token: copy the whole line from IoT boxes > Connect")]
    Shape,
    #[error("the token lacks {0}: copy the whole line from IoT boxes > Connect")]
    Lacks(&'static str),
    #[error("the token's address must begin with https://")]
    NotHttps,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}?token={}.{}&db={}&ca={}", self.url, self.id, self.secret, self.db, self.ca_sha256)
    }
}

impl std::str::FromStr for Token {
    type Err = TokenError;
    fn from_str(s: &str) -> Result<Self, TokenError> {
        let (url, query) = s.trim().split_once('?').ok_or(TokenError::Shape)?;
        let url = url.trim_end_matches('/');
        if !url.starts_with("https://") {
            return Err(TokenError::NotHttps);
        }
        let value = |key: &'static str| {
            query.split('&').filter_map(|p| p.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
        };
        let token = value("token").ok_or(TokenError::Lacks("its secret"))?;
        let (id, secret) = token.split_once('.').ok_or(TokenError::Lacks("its secret"))?;
        let ca = value("ca").ok_or(TokenError::Lacks("the ERP's fingerprint"))?;
        if ca.len() != 64 || !ca.bytes().all(|b| b.is_ascii_hexdigit()) || id.is_empty() || secret.is_empty() {
            return Err(TokenError::Shape);
        }
        let db = value("db").ok_or(TokenError::Lacks("the database"))?;
        Ok(Self {
            url: url.to_owned(),
            db: db.parse().map_err(|_| TokenError::Shape)?,
            id: id.to_owned(),
            secret: secret.to_owned(),
            ca_sha256: ca.to_ascii_lowercase(),
        })
    }
}

/// Everything that both sides must have seen alike.
#[derive(Debug, Clone, Copy)]
pub struct Transcript<'a> {
    pub applicant: &'a Applicant,
    /// SPAKE2 messages as sent (base64); both empty with a token.
    pub pake_a: &'a str,
    pub pake_b: &'a str,
    /// Empty with a code.
    pub token_id: &'a str,
    /// SHA-256 of the ERP's server CA, DER.
    pub ca_sha256: &'a [u8],
}

impl Transcript<'_> {
    /// Each part behind its length (u32, big-endian), so that no two transcripts share their bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let a = self.applicant;
        let mut out = Vec::with_capacity(4096);
        let mut put = |part: &[u8]| {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        };
        put(b"iot-enrol");
        put(&a.v.to_be_bytes());
        for text in [a.box_id.as_str(), &a.serial, &a.name, &a.version, &a.client_csr, &a.server_csr] {
            put(text.as_bytes());
        }
        put(&a.https_port.to_be_bytes());
        put(&u32::try_from(a.addresses.len()).unwrap_or(u32::MAX).to_be_bytes());
        for address in &a.addresses {
            put(address.as_bytes());
        }
        for text in [self.pake_a, self.pake_b, self.token_id] {
            put(text.as_bytes());
        }
        put(self.ca_sha256);
        out
    }
}
