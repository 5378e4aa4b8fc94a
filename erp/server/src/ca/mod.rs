//! The ERP's two certificate authorities and the key of the till grants.
//!
//! * the *client CA* signs what boxes show to the MQTT hub: common name and name = box id;
//! * the *server CA* signs what browsers and boxes see: the ERP's own certificate and the boxes' HTTPS certificates.
//!   It is name-constrained, so that a browser which trusts it does not trust it for the rest of the world.
//!
//! What a certificate says is decided here. Of a box's request only the key is taken, after its signature is checked.

mod policy;
mod request;

use std::net::IpAddr;

use jiff::Timestamp;
use link_protocol::ids::BoxId;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

pub use policy::{Constraints, is_private, local_addresses, slug};
pub use request::{Request, RequestError};

use crate::vault::random;

/// Long, because every box and browser would have to learn a new one.
const CA_DAYS: i64 = 20 * 365;
/// As long as browsers accept it from anybody.
const SERVER_DAYS: i64 = 397;
/// A box that lay in a drawer for a season must still come back by itself.
const CLIENT_DAYS: i64 = 3 * 365;
/// Clocks in shops are late by hours, not only by minutes.
const BACKDATED: Duration = Duration::days(2);

#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("cannot make a certificate: {0}")]
    Rcgen(#[from] rcgen::Error),
    #[error("a stored key or certificate is damaged ({0}): restore the database and secret.key from one backup")]
    Stored(&'static str),
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
}

/// A key pair with its certificate, as it is stored (sealed).
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredPair {
    pub key_pem: String,
    pub certificate_pem: String,
}

/// All that has to be kept, sealed, to have the same authority after a restart.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredAuthority {
    pub server: StoredPair,
    pub client: StoredPair,
    /// PKCS#8, base64.
    pub grant_key: String,
    /// Names that the server CA may sign for, as it was made.
    pub constraints: Constraints,
}

/// A certificate for a box, and the serial number by which it is revoked.
#[derive(Debug, Clone)]
pub struct Issued {
    pub pem: String,
    /// Lower-case hex.
    pub serial: String,
    pub not_after: Timestamp,
}

pub struct Authority {
    stored: StoredAuthority,
    server: Issuer<'static, KeyPair>,
    server_der: CertificateDer<'static>,
    client: Issuer<'static, KeyPair>,
    client_der: CertificateDer<'static>,
    grant: EcdsaKeyPair,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("constraints", &self.stored.constraints).finish_non_exhaustive()
    }
}

impl Authority {
    /// New keys. `who` (the company) stands in the CAs' names, so that people find them in a browser's list.
    pub fn create(who: &str, constraints: Constraints) -> Result<Self, CaError> {
        let rng = ring::rand::SystemRandom::new();
        let grant = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)
            .map_err(|_| CaError::Vault(crate::vault::VaultError::Random))?;
        let stored = StoredAuthority {
            server: make_ca(&format!("{who} IoT server CA"), Some(&constraints))?,
            client: make_ca(&format!("{who} IoT box CA"), None)?,
            grant_key: data_encoding::BASE64.encode(grant.as_ref()),
            constraints,
        };
        Self::from_stored(stored)
    }

    pub fn from_stored(stored: StoredAuthority) -> Result<Self, CaError> {
        let load = |pair: &StoredPair, what| -> Result<_, CaError> {
            let der =
                CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).map_err(|_| CaError::Stored(what))?;
            let key = KeyPair::from_pem(&pair.key_pem).map_err(|_| CaError::Stored(what))?;
            Ok((Issuer::from_ca_cert_der(&der, key)?, der))
        };
        let (server, server_der) = load(&stored.server, "server CA")?;
        let (client, client_der) = load(&stored.client, "box CA")?;
        let pkcs8 =
            data_encoding::BASE64.decode(stored.grant_key.as_bytes()).map_err(|_| CaError::Stored("grant key"))?;
        let rng = ring::rand::SystemRandom::new();
        let grant = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &rng)
            .map_err(|_| CaError::Stored("grant key"))?;
        Ok(Self { stored, server, server_der, client, client_der, grant })
    }

    pub fn stored(&self) -> &StoredAuthority {
        &self.stored
    }

    pub fn server_ca_pem(&self) -> &str {
        &self.stored.server.certificate_pem
    }

    pub fn server_ca_der(&self) -> &CertificateDer<'static> {
        &self.server_der
    }

    pub fn client_ca_der(&self) -> &CertificateDer<'static> {
        &self.client_der
    }

    /// Of the server CA's certificate (DER): what a token carries.
    pub fn server_ca_sha256(&self) -> [u8; 32] {
        Sha256::digest(self.server_der.as_ref()).into()
    }

    /// Base64 of the uncompressed point, as boxes get it at enrolment.
    pub fn grant_key(&self) -> String {
        data_encoding::BASE64.encode(ring::signature::KeyPair::public_key(&self.grant).as_ref())
    }

    /// ECDSA P-256 with SHA-256, fixed form, base64.
    pub fn sign_grant(&self, text: &str) -> Result<String, CaError> {
        let rng = ring::rand::SystemRandom::new();
        let signature =
            self.grant.sign(&rng, text.as_bytes()).map_err(|_| CaError::Vault(crate::vault::VaultError::Random))?;
        Ok(data_encoding::BASE64.encode(signature.as_ref()))
    }

    /// The certificate that a box shows to the hub.
    pub fn issue_client(&self, box_id: &BoxId, request: &Request) -> Result<Issued, CaError> {
        let mut params = leaf(box_id.as_str(), CLIENT_DAYS)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![dns(box_id.as_str())?];
        issue(params, request.key(), &self.client)
    }

    /// The certificate that a box shows to browsers on its LAN; the CA's own certificate follows it.
    /// `addresses` must be filtered by the caller's policy already; names outside the constraints are left out, and so
    /// are those in `taken`, which belong to somebody else. The box's id is in the others, so that it always has one.
    pub fn issue_box_server(
        &self,
        box_id: &BoxId,
        name: &str,
        taken: &[String],
        zone: &str,
        addresses: &[IpAddr],
        request: &Request,
    ) -> Result<Issued, CaError> {
        let mut params = leaf(name, SERVER_DAYS)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let names = [local_name(name), format!("{box_id}.local"), format!("*.{box_id}.{zone}")];
        let free = names.iter().map(String::as_str).filter(|n| !taken.iter().any(|t| t.eq_ignore_ascii_case(n)));
        params.subject_alt_names = self.names(free, addresses)?;
        let mut issued = issue(params, request.key(), &self.server)?;
        issued.pem.push_str(self.server_ca_pem());
        Ok(issued)
    }

    /// The ERP's own certificate, with a new key.
    pub fn issue_own(&self, names: &[String], addresses: &[IpAddr]) -> Result<StoredPair, CaError> {
        let mut params = leaf("erp", SERVER_DAYS)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = self.names(names.iter().map(String::as_str), addresses)?;
        let key = KeyPair::generate()?;
        let issued = issue(params, &key, &self.server)?;
        let certificate_pem = issued.pem + self.server_ca_pem();
        Ok(StoredPair { key_pem: key.serialize_pem(), certificate_pem })
    }

    fn names<'a>(&self, names: impl Iterator<Item = &'a str>, addresses: &[IpAddr]) -> Result<Vec<SanType>, CaError> {
        let allowed = &self.stored.constraints;
        let mut out = vec![];
        for name in names.filter(|n| allowed.permits_name(n)) {
            let name = dns(name)?;
            if !out.contains(&name) {
                out.push(name);
            }
        }
        out.extend(addresses.iter().filter(|a| allowed.permits_address(**a)).map(|a| SanType::IpAddress(*a)));
        Ok(out)
    }
}

/// Under which name mDNS may find a box that people call `name`.
pub fn local_name(name: &str) -> String {
    format!("{}.local", slug(name))
}

/// Certificates and key of a [`StoredPair`], for rustls.
pub fn chain(pair: &StoredPair) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CaError> {
    let chain = CertificateDer::pem_slice_iter(pair.certificate_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| CaError::Stored("certificate"))?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(pair.key_pem.as_bytes()).map_err(|_| CaError::Stored("key"))?;
    Ok((chain, PrivateKeyDer::Pkcs8(key)))
}

fn make_ca(name: &str, constraints: Option<&Constraints>) -> Result<StoredPair, CaError> {
    let key = KeyPair::generate()?;
    let mut params = leaf(name, CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = false;
    params.name_constraints = constraints.map(Constraints::to_extension);
    let certificate = params.self_signed(&key)?;
    Ok(StoredPair { key_pem: key.serialize_pem(), certificate_pem: certificate.pem() })
}

fn leaf(name: &str, days: i64) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATED;
    params.not_after = now + Duration::days(days);
    params.distinguished_name = DistinguishedName::new();
    // X.520 allows 64 characters of a common name.
    params.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let mut serial = random::<16>()?;
    // Positive, and never with a leading zero byte that DER would have to drop.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn issue(
    params: CertificateParams,
    key: &impl PublicKeyData,
    issuer: &Issuer<'static, KeyPair>,
) -> Result<Issued, CaError> {
    let certificate = params.signed_by(key, issuer)?;
    let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
    let not_after = Timestamp::from_second(params.not_after.unix_timestamp()).map_err(|_| CaError::Stored("clock"))?;
    Ok(Issued { pem: certificate.pem(), serial: data_encoding::HEXLOWER.encode(&serial), not_after })
}

fn dns(name: &str) -> Result<SanType, CaError> {
    Ok(SanType::DnsName(name.try_into()?))
}

#[cfg(test)]
mod tests;
