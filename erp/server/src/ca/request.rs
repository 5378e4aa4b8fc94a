//! A certificate request (PKCS#10): only its key matters.

use link_protocol::ids::BoxId;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo};
use sha2::{Digest, Sha256};
use x509_parser::{certification_request::X509CertificationRequest, pem::parse_x509_pem, prelude::FromDer};

/// Ours are about 400 bytes.
const MAX_PEM: usize = 4096;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RequestError {
    #[error("the certificate request cannot be read: update the box")]
    Malformed,
    #[error("the certificate request's key is not P-256: update the box")]
    WrongKeyType,
    #[error("the certificate request is not signed by its own key")]
    NotSelfSigned,
    #[error("the box id is not the hash of the key in the request")]
    NotItsKey,
}

/// The public key of a request whose self-signature holds.
#[derive(Debug)]
pub struct Request {
    key: SubjectPublicKeyInfo,
    spki_sha256: [u8; 32],
}

impl Request {
    pub fn parse(pem: &str) -> Result<Self, RequestError> {
        if pem.len() > MAX_PEM {
            return Err(RequestError::Malformed);
        }
        let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| RequestError::Malformed)?;
        let (rest, csr) = X509CertificationRequest::from_der(&pem.contents).map_err(|_| RequestError::Malformed)?;
        if !rest.is_empty() {
            return Err(RequestError::Malformed);
        }
        let spki = csr.certification_request_info.subject_pki.raw;
        let key = SubjectPublicKeyInfo::from_der(spki).map_err(|_| RequestError::WrongKeyType)?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(RequestError::WrongKeyType);
        }
        csr.verify_signature().map_err(|_| RequestError::NotSelfSigned)?;
        Ok(Self { spki_sha256: Sha256::digest(spki).into(), key })
    }

    /// As [`Self::parse`], and the key must be the one the box is named after.
    pub fn parse_for(pem: &str, box_id: &BoxId) -> Result<Self, RequestError> {
        let request = Self::parse(pem)?;
        if BoxId::from_key_hash(&request.spki_sha256) != *box_id {
            return Err(RequestError::NotItsKey);
        }
        Ok(request)
    }

    pub fn key_sha256(&self) -> &[u8; 32] {
        &self.spki_sha256
    }

    pub(super) fn key(&self) -> &SubjectPublicKeyInfo {
        &self.key
    }
}
