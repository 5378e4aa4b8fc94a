//! Whether a till may have a token: the ERP's signature, the browser's proof, origin and time. Pure.

use data_encoding::BASE64;
use link_protocol::{
    VERSION,
    ids::{BoxId, DeviceId},
    local::{TillGrant, TokenRequest, Verb, proof_text},
};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum GrantError {
    #[error("The grant is not signed by the ERP that this box is paired with. Reload the page.")]
    Signature,
    #[error("The grant cannot be understood. The ERP may be newer than the box: update the box.")]
    Shape,
    #[error("The grant is for another box. Reload the page.")]
    OtherBox,
    #[error("The grant is for pages of another address.")]
    Origin,
    #[error(
        "The grant has ended, or the box's clock is wrong. Open the page while the ERP can be reached, to renew it, and see iot-box check."
    )]
    Ended,
    #[error("The browser did not prove that the grant is its own. Reload the page.")]
    Proof,
}

/// What the request is judged on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) box_id: &'a BoxId,
    /// The ERP's key of the pairing: base64 of the uncompressed point.
    pub(crate) grant_key: &'a str,
    /// The request's `Origin`.
    pub(crate) origin: &'a str,
    /// The latest time the box has seen, Unix milliseconds.
    pub(crate) latest_ms: i64,
}

/// The nonce is checked by whoever made it.
pub(crate) fn verify(request: &TokenRequest, facts: Facts<'_>) -> Result<TillGrant, GrantError> {
    if !signed_by(facts.grant_key, request.signed.grant.as_bytes(), &request.signed.signature) {
        return Err(GrantError::Signature);
    }
    let grant: TillGrant = serde_json::from_str(&request.signed.grant).map_err(|_| GrantError::Shape)?;
    if grant.v != VERSION {
        return Err(GrantError::Shape);
    }
    if grant.box_id != *facts.box_id {
        return Err(GrantError::OtherBox);
    }
    if grant.origin != facts.origin {
        return Err(GrantError::Origin);
    }
    if grant.not_after_ms <= facts.latest_ms {
        return Err(GrantError::Ended);
    }
    let proof = proof_text(facts.box_id, facts.origin, &request.nonce);
    if !signed_by(&grant.key, proof.as_bytes(), &request.proof) {
        return Err(GrantError::Proof);
    }
    Ok(grant)
}

fn signed_by(key: &str, message: &[u8], signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (BASE64.decode(key.as_bytes()), BASE64.decode(signature.as_bytes())) else {
        return false;
    };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, &signature).is_ok()
}

/// Whether a till may do this to this device.
pub(crate) fn allows(grant: &TillGrant, device: &DeviceId, verb: Verb) -> bool {
    let verbs = &grant.verbs;
    let may = match verb {
        Verb::PrintAndDrawer => {
            verbs.contains(&Verb::PrintAndDrawer) || (verbs.contains(&Verb::Print) && verbs.contains(&Verb::Drawer))
        }
        verb => verbs.contains(&verb),
    };
    may && covers(grant, device)
}

/// Whether the grant speaks of this device at all.
pub(crate) fn covers(grant: &TillGrant, device: &DeviceId) -> bool {
    grant.devices.is_empty() || grant.devices.contains(device)
}

#[cfg(test)]
pub(crate) mod tests {
    use link_protocol::local::SignedGrant;
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
    };

    use super::*;

    pub(crate) fn key() -> EcdsaKeyPair {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap()
    }

    pub(crate) fn public(key: &EcdsaKeyPair) -> String {
        BASE64.encode(key.public_key().as_ref())
    }

    fn sign(key: &EcdsaKeyPair, text: &str) -> String {
        BASE64.encode(key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref())
    }

    pub(crate) fn box_id() -> BoxId {
        BoxId::from_key_hash(&[7; 32])
    }

    pub(crate) const ORIGIN: &str = "https://erp.example:8069";

    pub(crate) fn grant(till: &EcdsaKeyPair) -> TillGrant {
        TillGrant {
            v: VERSION,
            box_id: box_id(),
            grant_id: "g1".into(),
            origin: ORIGIN.into(),
            key: public(till),
            devices: vec!["scanner".parse().unwrap()],
            verbs: vec![Verb::Listen, Verb::Print],
            not_after_ms: 2_000,
        }
    }

    pub(crate) fn request(erp: &EcdsaKeyPair, till: &EcdsaKeyPair, grant: &TillGrant, nonce: &str) -> TokenRequest {
        let text = serde_json::to_string(grant).unwrap();
        let signature = sign(erp, &text);
        let proof = sign(till, &proof_text(&box_id(), &grant.origin, nonce));
        TokenRequest { signed: SignedGrant { grant: text, signature }, nonce: nonce.into(), proof }
    }

    #[test]
    fn a_grant_holds_for_its_box_origin_time_and_key() {
        let (erp, till, thief) = (key(), key(), key());
        let good = grant(&till);
        let id = box_id();
        let erp_key = public(&erp);
        let facts = Facts { box_id: &id, grant_key: &erp_key, origin: ORIGIN, latest_ms: 1_000 };
        assert_eq!(verify(&request(&erp, &till, &good, "n"), facts), Ok(good.clone()));

        let mut tampered = request(&erp, &till, &good, "n");
        tampered.signed.grant = tampered.signed.grant.replace("\"print\"", "\"drawer\"");
        let other_box = TillGrant { box_id: BoxId::from_key_hash(&[8; 32]), ..good.clone() };
        let newer = TillGrant { v: VERSION + 1, ..good.clone() };
        let mut other_nonce = request(&erp, &till, &good, "n");
        other_nonce.nonce = "m".into();
        let cases = [
            (tampered, facts, GrantError::Signature),
            (request(&thief, &till, &good, "n"), facts, GrantError::Signature),
            (request(&erp, &till, &other_box, "n"), facts, GrantError::OtherBox),
            (request(&erp, &till, &newer, "n"), facts, GrantError::Shape),
            (
                request(&erp, &till, &good, "n"),
                Facts { origin: "https://erp.example:80690", ..facts },
                GrantError::Origin,
            ),
            (request(&erp, &till, &good, "n"), Facts { latest_ms: 2_000, ..facts }, GrantError::Ended),
            (request(&erp, &thief, &good, "n"), facts, GrantError::Proof),
            (other_nonce, facts, GrantError::Proof),
        ];
        for (i, (request, facts, error)) in cases.into_iter().enumerate() {
            assert_eq!(verify(&request, facts), Err(error), "case {i}");
        }
    }

    #[test]
    fn a_till_does_only_what_its_grant_names() {
        let till = key();
        let mut grant = grant(&till);
        let (scanner, printer) = ("scanner".parse().unwrap(), "printer".parse().unwrap());
        assert!(allows(&grant, &scanner, Verb::Print));
        assert!(!allows(&grant, &scanner, Verb::Drawer));
        assert!(!allows(&grant, &scanner, Verb::PrintAndDrawer));
        assert!(!allows(&grant, &printer, Verb::Print));
        grant.devices.clear();
        grant.verbs.push(Verb::Drawer);
        assert!(allows(&grant, &printer, Verb::PrintAndDrawer));
    }
}
