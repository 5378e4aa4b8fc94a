//! Seals small secrets (keys of the certificate authorities, pairing tokens) with a key that lies beside the database,
//! not in it: a copy of the database alone opens nothing.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};

pub const KEY_FILE: &str = "secret.key";
const KEY_LENGTH: usize = 32;
/// First byte of everything sealed, so that the way of sealing can change.
const FORMAT: u8 = 1;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("cannot read or write {path}: {reason}; it must belong to the user who runs the server")]
    File { path: PathBuf, reason: io::Error },
    #[error("{path} may be read by others: run chmod 600 {path}")]
    TooOpen { path: PathBuf },
    #[error("{path} is damaged: put it back from your backup; without it the keys in the database stay closed")]
    Damaged { path: PathBuf },
    #[error("{path} is missing although the database holds keys sealed with it: put it back from your backup")]
    Missing { path: PathBuf },
    #[error("a secret does not open with this secret.key: is it the one that belongs to this database?")]
    WrongKey,
    #[error("the system gives no random numbers")]
    Random,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<LessSafeKey>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens `DIR/secret.key`, or makes it when there is none.
    pub fn load_or_create(data: &Path) -> Result<Self, VaultError> {
        let path = data.join(KEY_FILE);
        match Self::load(&path) {
            Err(VaultError::File { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => Self::create(&path),
            other => other,
        }
    }

    /// As [`Self::load_or_create`] for a database that must have its key already.
    pub fn load_existing(data: &Path) -> Result<Self, VaultError> {
        let path = data.join(KEY_FILE);
        match Self::load(&path) {
            Err(VaultError::File { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => {
                Err(VaultError::Missing { path })
            }
            other => other,
        }
    }

    fn load(path: &Path) -> Result<Self, VaultError> {
        let file_error = |reason| VaultError::File { path: path.to_owned(), reason };
        let mode = fs::metadata(path).map_err(file_error)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(VaultError::TooOpen { path: path.to_owned() });
        }
        let text = fs::read_to_string(path).map_err(file_error)?;
        let key = HEXLOWER.decode(text.trim().as_bytes()).ok().filter(|k| k.len() == KEY_LENGTH);
        Self::from_key(&key.ok_or_else(|| VaultError::Damaged { path: path.to_owned() })?)
    }

    /// Staged, synced and renamed: after a power cut there is the whole key or none.
    fn create(path: &Path) -> Result<Self, VaultError> {
        let key = random::<KEY_LENGTH>()?;
        Self::store(path, &key)?;
        Self::from_key(&key)
    }

    /// A key file from elsewhere, taken into a new data directory.
    pub fn adopt(from: &Path, data: &Path) -> Result<Self, VaultError> {
        let vault = Self::load(from)?;
        let file_error = |reason| VaultError::File { path: from.to_owned(), reason };
        let text = fs::read_to_string(from).map_err(file_error)?;
        let key = HEXLOWER.decode(text.trim().as_bytes()).map_err(|_| VaultError::Damaged { path: from.to_owned() })?;
        Self::store(&data.join(KEY_FILE), &key)?;
        Ok(vault)
    }

    fn store(path: &Path, key: &[u8]) -> Result<(), VaultError> {
        let file_error = |reason| VaultError::File { path: path.to_owned(), reason };
        let staged = path.with_extension("key.new");
        let write = || -> io::Result<()> {
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
            file.write_all(HEXLOWER.encode(key).as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&staged, path)?;
            fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(file_error)
    }

    fn from_key(key: &[u8]) -> Result<Self, VaultError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| VaultError::WrongKey)?;
        Ok(Self(Arc::new(LessSafeKey::new(key))))
    }

    /// `name` is bound in: a sealed secret cannot be put in another's place.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plain.len() + CHACHA20_POLY1305.tag_len());
        out.push(FORMAT);
        out.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name.as_bytes()), &mut body)
            .map_err(|_| VaultError::WrongKey)?;
        out.append(&mut body);
        Ok(out)
    }

    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (format, rest) = sealed.split_first().ok_or(VaultError::WrongKey)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::WrongKey)?;
        if *format != FORMAT {
            return Err(VaultError::WrongKey);
        }
        let mut body = body.to_vec();
        let plain = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name.as_bytes()), &mut body)
            .map_err(|_| VaultError::WrongKey)?;
        Ok(plain.to_vec())
    }
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut out = [0u8; N];
    SystemRandom::new().fill(&mut out).map_err(|_| VaultError::Random)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_under_its_own_name_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::load_or_create(dir.path()).unwrap();
        let sealed = vault.seal("server_ca", b"the key").unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"the key"));
        assert_eq!(vault.open("server_ca", &sealed).unwrap(), b"the key");
        assert!(matches!(vault.open("client_ca", &sealed), Err(VaultError::WrongKey)));
        let mut torn = sealed.clone();
        torn[20] ^= 1;
        assert!(matches!(vault.open("server_ca", &torn), Err(VaultError::WrongKey)));
        assert!(matches!(vault.open("server_ca", &sealed[..5]), Err(VaultError::WrongKey)));

        let again = Vault::load_existing(dir.path()).unwrap();
        assert_eq!(again.open("server_ca", &sealed).unwrap(), b"the key");
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(matches!(Vault::load_existing(elsewhere.path()), Err(VaultError::Missing { .. })));
        let other = Vault::load_or_create(elsewhere.path()).unwrap();
        assert!(matches!(other.open("server_ca", &sealed), Err(VaultError::WrongKey)));
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Vault::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Vault::load_or_create(dir.path()), Err(VaultError::TooOpen { .. })));
    }
}
