//! What the ERP granted this box, in `pairing.json` (0600: it names the ERP and holds certificates, no key).

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use link_protocol::enrol::Grant;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::staged;

#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    #[error("cannot read or write {path}: {source}; check the owner and the rights of the data directory")]
    Io { path: String, source: io::Error },
    #[error("{path} is damaged ({source}): remove it and pair the box again, or restore it from a backup")]
    Damaged { path: String, source: serde_json::Error },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pairing {
    pub grant: Grant,
}

/// Owner of `pairing.json`. Cheap to clone; all clones see the same.
#[derive(Debug, Clone)]
pub struct PairingStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    current: watch::Sender<Option<Arc<Pairing>>>,
}

impl PairingStore {
    pub fn open(dir: &Path) -> Result<Self, PairingError> {
        let path = dir.join("pairing.json");
        let io_error = |source| PairingError::Io { path: path.display().to_string(), source };
        staged::private_dir(dir).map_err(io_error)?;
        let current = match staged::read(&path).map_err(io_error)? {
            None => None,
            Some(bytes) => Some(Arc::new(
                serde_json::from_slice(&bytes)
                    .map_err(|source| PairingError::Damaged { path: path.display().to_string(), source })?,
            )),
        };
        Ok(Self(Arc::new(Inner { path, current: watch::Sender::new(current) })))
    }

    pub fn current(&self) -> Option<Arc<Pairing>> {
        self.0.current.borrow().clone()
    }

    /// Changes with every [`Self::save`] and [`Self::clear`].
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Pairing>>> {
        self.0.current.subscribe()
    }

    /// On disk when it returns; then every subscriber hears of it.
    pub fn save(&self, pairing: Pairing) -> Result<Arc<Pairing>, PairingError> {
        let path = self.0.path.display().to_string();
        let text = serde_json::to_vec_pretty(&pairing)
            .map_err(|source| PairingError::Damaged { path: path.clone(), source })?;
        staged::write(&self.0.path, &text).map_err(|source| PairingError::Io { path, source })?;
        let pairing = Arc::new(pairing);
        self.0.current.send_replace(Some(pairing.clone()));
        Ok(pairing)
    }

    /// Forgets the pairing; events that were made under it stay in the outbox.
    pub fn clear(&self) -> Result<(), PairingError> {
        staged::remove(&self.0.path)
            .map_err(|source| PairingError::Io { path: self.0.path.display().to_string(), source })?;
        self.0.current.send_replace(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrol::test_grant;

    #[test]
    fn a_saved_pairing_is_there_after_a_restart_and_gone_after_clear() {
        let dir = tempfile::tempdir().unwrap();
        let store = PairingStore::open(dir.path()).unwrap();
        assert!(store.current().is_none());
        let saved = store.save(Pairing { grant: test_grant() }).unwrap();
        assert_eq!(PairingStore::open(dir.path()).unwrap().current(), Some(saved));
        store.clear().unwrap();
        assert!(PairingStore::open(dir.path()).unwrap().current().is_none());
    }

    #[test]
    fn a_damaged_file_is_reported_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pairing.json"), "{\"grant\":").unwrap();
        let error = PairingStore::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("pair the box again"), "{error}");
    }
}
