//! Who a client certificate says is calling. That the CA signed it has been checked by TLS.

use link_protocol::ids::BoxId;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub box_id: BoxId,
    /// Lower-case hex.
    pub serial: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("the client certificate cannot be read")]
    Malformed,
    #[error("the client certificate names no box: its common name and its only DNS name must be the box id")]
    NoBox,
}

impl Identity {
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let leaf = EndEntityCert::try_from(certificate).map_err(|_| IdentityError::Malformed)?;
        let mut names = leaf.valid_dns_names();
        let (Some(name), None) = (names.next(), names.next()) else { return Err(IdentityError::NoBox) };
        let box_id: BoxId = name.parse().map_err(|_| IdentityError::NoBox)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| IdentityError::Malformed)?;
        let mut common_names = parsed.subject().iter_common_name().map(|cn| cn.as_str());
        if !matches!((common_names.next(), common_names.next()), (Some(Ok(cn)), None) if cn == box_id.as_str()) {
            return Err(IdentityError::NoBox);
        }
        Ok(Self { box_id, serial: data_encoding::HEXLOWER.encode(parsed.raw_serial()) })
    }
}
