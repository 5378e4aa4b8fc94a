//! Who this box is: two P-256 keys made at first start, which never leave it.
//!
//! `identity/box.key` signs the box in to the ERP (MQTT) and names it: [`BoxId`] is the hash of its public half.
//! `identity/https.key` serves browsers on the LAN. Both are PKCS#8 PEM with mode 0600.

use std::{io, path::Path, sync::Arc};

use link_protocol::ids::BoxId;
use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData, SanType};
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest, Sha256};

use crate::staged;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read or write {path}: {source}; check the owner and the rights of the data directory")]
    Io { path: String, source: io::Error },
    #[error(
        "{path} is not a P-256 key in PKCS#8 PEM form: restore it from a backup, or remove it and pair the box again ({source})"
    )]
    Key { path: String, source: rcgen::Error },
    #[error("cannot make a key or a certificate request: {0}")]
    Make(#[from] rcgen::Error),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    box_id: BoxId,
    serial: String,
    client: KeyPair,
    https: KeyPair,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("box_id", &self.0.box_id).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads `dir/identity/*.key`; makes what is not there.
    pub fn load_or_create(dir: &Path) -> Result<Self, IdentityError> {
        let dir = dir.join("identity");
        staged::private_dir(&dir).map_err(|source| IdentityError::Io { path: dir.display().to_string(), source })?;
        let client = load_or_create_key(&dir.join("box.key"))?;
        let https = load_or_create_key(&dir.join("https.key"))?;
        let hash: [u8; 32] = Sha256::digest(client.subject_public_key_info()).into();
        let box_id = BoxId::from_key_hash(&hash);
        let serial = machine_serial().unwrap_or_else(|| box_id.to_string());
        Ok(Self(Arc::new(Inner { box_id, serial, client, https })))
    }

    pub fn box_id(&self) -> &BoxId {
        &self.0.box_id
    }

    /// For people to compare: the board's serial number, else a hash of the machine id, else the box id.
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// Request for the client certificate (PKCS#10, PEM).
    pub fn client_csr(&self) -> Result<String, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, self.0.box_id.as_str());
        Ok(params.serialize_request(&self.0.client)?.pem()?)
    }

    /// Request for the certificate that browsers see (PKCS#10, PEM), with these names and addresses.
    pub fn https_csr(&self, names: &[String]) -> Result<String, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, self.0.box_id.as_str());
        params.subject_alt_names = names.iter().filter_map(|n| subject_name(n)).collect();
        Ok(params.serialize_request(&self.0.https)?.pem()?)
    }

    /// The client key, PKCS#8 DER.
    pub(crate) fn client_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.0.client.serialized_der().to_vec().into())
    }

    pub(crate) fn https_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.0.https.serialized_der().to_vec().into())
    }

    pub(crate) fn https_key_pair(&self) -> &KeyPair {
        &self.0.https
    }
}

/// An IP address or a DNS name, as certificates hold it; `None` for what is neither.
pub(crate) fn subject_name(name: &str) -> Option<SanType> {
    match name.parse() {
        Ok(ip) => Some(SanType::IpAddress(ip)),
        Err(_) => name.try_into().ok().map(SanType::DnsName),
    }
}

fn load_or_create_key(path: &Path) -> Result<KeyPair, IdentityError> {
    let io_error = |source| IdentityError::Io { path: path.display().to_string(), source };
    if let Some(bytes) = staged::read(path).map_err(io_error)? {
        let pem = String::from_utf8_lossy(&bytes);
        return KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(|source| IdentityError::Key { path: path.display().to_string(), source });
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    staged::write(path, key.serialize_pem().as_bytes()).map_err(io_error)?;
    Ok(key)
}

/// The Raspberry Pi's serial number; on other machines a hash of the machine id, which itself should stay private
/// (machine-id(5)).
fn machine_serial() -> Option<String> {
    let board = std::fs::read("/sys/firmware/devicetree/base/serial-number").ok();
    let board = board.map(|b| String::from_utf8_lossy(&b).trim_matches(['\0', ' ', '\n']).to_owned());
    if let Some(serial) = board.filter(|s| !s.is_empty()) {
        return Some(serial);
    }
    let id = std::fs::read_to_string("/etc/machine-id").ok()?;
    let id = id.trim();
    if id.is_empty() {
        return None;
    }
    let hash = Sha256::digest(format!("iot-box serial v1 {id}"));
    Some(data_encoding::HEXLOWER.encode(&hash[..8]))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_box_keeps_its_name_over_restarts_and_its_keys_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::load_or_create(dir.path()).unwrap();
        let second = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(first.box_id(), second.box_id());
        for key in ["box.key", "https.key"] {
            let mode = std::fs::metadata(dir.path().join("identity").join(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn two_boxes_have_two_names() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let a = Identity::load_or_create(a.path()).unwrap();
        assert_ne!(a.box_id(), Identity::load_or_create(b.path()).unwrap().box_id());
    }

    #[test]
    fn the_request_carries_the_key_that_the_box_is_named_after() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(dir.path()).unwrap();
        let pem = identity.client_csr().unwrap();
        let csr = rcgen::CertificateSigningRequestParams::from_pem(&pem).unwrap();
        let hash: [u8; 32] = Sha256::digest(csr.public_key.subject_public_key_info()).into();
        assert_eq!(&BoxId::from_key_hash(&hash), identity.box_id());
    }

    #[test]
    fn a_damaged_key_is_reported_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        Identity::load_or_create(dir.path()).unwrap();
        let path = dir.path().join("identity/box.key");
        std::fs::write(&path, "garbage").unwrap();
        let error = Identity::load_or_create(dir.path()).unwrap_err().to_string();
        assert!(error.contains("restore it from a backup"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"garbage");
    }
}
