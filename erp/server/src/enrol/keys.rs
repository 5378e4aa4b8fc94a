//! The keys of one enrolment: from what only the two sides know, and from everything both have seen.

use data_encoding::BASE64;
use link_protocol::enrol::{Transcript, label};
use ring::{hkdf, hmac};
use sha2::{Digest, Sha256};

pub(crate) struct Keys {
    transcript_sha256: [u8; 32],
    erp_confirms: hmac::Key,
    box_confirms: hmac::Key,
    grant: hmac::Key,
}

impl Keys {
    /// `secret`: SPAKE2's shared key, or the token's secret as it stands in the token.
    pub(crate) fn derive(secret: &[u8], transcript: &Transcript<'_>) -> Option<Self> {
        let transcript_sha256: [u8; 32] = Sha256::digest(transcript.bytes()).into();
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &transcript_sha256).extract(secret);
        let key = |info: &str| -> Option<hmac::Key> {
            prk.expand(&[info.as_bytes()], hmac::HMAC_SHA256).ok().map(hmac::Key::from)
        };
        Some(Self {
            transcript_sha256,
            erp_confirms: key(label::ERP_CONFIRMS)?,
            box_confirms: key(label::BOX_CONFIRMS)?,
            grant: key(label::GRANT)?,
        })
    }

    pub(crate) fn erp_confirmation(&self) -> String {
        BASE64.encode(hmac::sign(&self.erp_confirms, &self.transcript_sha256).as_ref())
    }

    /// In constant time.
    pub(crate) fn box_confirms(&self, confirm: &str) -> bool {
        let Ok(mac) = BASE64.decode(confirm.as_bytes()) else { return false };
        hmac::verify(&self.box_confirms, &self.transcript_sha256, &mac).is_ok()
    }

    pub(crate) fn seal(&self, grant: &str) -> String {
        BASE64.encode(hmac::sign(&self.grant, grant.as_bytes()).as_ref())
    }

    #[cfg(test)]
    pub(crate) fn box_side(&self) -> (String, impl Fn(&str, &str) -> bool) {
        let confirm = BASE64.encode(hmac::sign(&self.box_confirms, &self.transcript_sha256).as_ref());
        let opens = |text: &str, mac: &str| {
            hmac::verify(&self.grant, text.as_bytes(), &BASE64.decode(mac.as_bytes()).unwrap()).is_ok()
        };
        (confirm, opens)
    }
}
