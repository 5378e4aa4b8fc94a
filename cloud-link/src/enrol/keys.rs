//! The keys of one enrolment: from what only the two sides know, and from everything both have seen.

use data_encoding::BASE64;
use link_protocol::enrol::{Sealed, Transcript, label};
use ring::{hkdf, hmac};
use sha2::{Digest, Sha256};

pub(super) struct Keys {
    transcript_sha256: [u8; 32],
    erp_confirms: hmac::Key,
    box_confirms: hmac::Key,
    grant: hmac::Key,
}

impl Keys {
    /// `secret`: SPAKE2's shared key, or the token's secret as it stands in the token.
    pub(super) fn derive(secret: &[u8], transcript: &Transcript<'_>) -> Option<Self> {
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

    pub(super) fn box_confirmation(&self) -> String {
        BASE64.encode(hmac::sign(&self.box_confirms, &self.transcript_sha256).as_ref())
    }

    /// In constant time.
    pub(super) fn erp_confirms(&self, confirm: &str) -> bool {
        let Ok(mac) = BASE64.decode(confirm.as_bytes()) else { return false };
        hmac::verify(&self.erp_confirms, &self.transcript_sha256, &mac).is_ok()
    }

    pub(super) fn opens(&self, sealed: &Sealed) -> bool {
        let Ok(mac) = BASE64.decode(sealed.mac.as_bytes()) else { return false };
        hmac::verify(&self.grant, sealed.grant.as_bytes(), &mac).is_ok()
    }

    #[cfg(test)]
    pub(super) fn erp_side(&self, grant: &str) -> (String, Sealed) {
        let confirm = hmac::sign(&self.erp_confirms, &self.transcript_sha256);
        let mac = hmac::sign(&self.grant, grant.as_bytes());
        (BASE64.encode(confirm.as_ref()), Sealed { grant: grant.to_owned(), mac: BASE64.encode(mac.as_ref()) })
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use link_protocol::enrol::Applicant;

    use super::*;

    #[derive(serde::Deserialize)]
    struct File {
        vectors: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        applicant: Applicant,
        pake_a: String,
        pake_b: String,
        token_id: String,
        ca_sha256: String,
        secret: String,
        erp_confirm: String,
        box_confirm: String,
        grant: String,
        grant_mac: String,
    }

    #[test]
    fn keys_and_confirmations_equal_those_of_another_implementation() {
        let file: File = serde_json::from_str(include_str!("../../protocol/tests/enrol_vectors.json")).unwrap();
        for v in file.vectors {
            let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
            let ca_sha256 = hex(&v.ca_sha256);
            let transcript = Transcript {
                applicant: &v.applicant,
                pake_a: &v.pake_a,
                pake_b: &v.pake_b,
                token_id: &v.token_id,
                ca_sha256: &ca_sha256,
            };
            let keys = Keys::derive(&hex(&v.secret), &transcript).unwrap();
            assert_eq!(keys.box_confirmation(), v.box_confirm);
            assert!(keys.erp_confirms(&v.erp_confirm));
            assert!(!keys.erp_confirms(&v.box_confirm), "a reflected confirmation is not the ERP's");
            assert!(keys.opens(&Sealed { grant: v.grant.clone(), mac: v.grant_mac.clone() }));
            assert!(!keys.opens(&Sealed { grant: v.grant + " ", mac: v.grant_mac }));
        }
    }
}
