//! The data directory: what lies where, who may read it, and that only one daemon uses it.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error(
        "cannot make the data directory {path}: {source}; choose another with --data, or give this user the right to it"
    )]
    Make { path: PathBuf, source: io::Error },
    #[error("another iot-box already runs on {path}: stop it first, or choose another directory with --data")]
    InUse { path: PathBuf },
    #[error("cannot lock {path}: {source}")]
    Lock { path: PathBuf, source: io::Error },
}

#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

/// Held as long as the daemon runs; the kernel lets go of it however the daemon ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.0.join("settings.toml")
    }

    /// The journal of card transactions.
    pub(crate) fn payments(&self) -> PathBuf {
        self.0.join("payments")
    }

    pub(crate) fn technician_password(&self) -> PathBuf {
        self.0.join("technician-password")
    }

    /// Makes the directory if it is missing (only we may look into it) and locks it.
    pub(crate) fn take(&self) -> Result<Lock, DataDirError> {
        let make = |source| DataDirError::Make { path: self.0.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(make)?;
        let path = self.0.join("lock");
        let lock = |source| DataDirError::Lock { path: path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(lock)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path: self.0.clone() }),
            Err(TryLockError::Error(source)) => Err(DataDirError::Lock { path: path.clone(), source }),
        }
    }
}

/// Replaces a file so that a power cut leaves the old one or the new one, never half of either.
pub(crate) fn write_staged(path: &Path, contents: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("the file has no directory"))?;
    let mut staged = path.as_os_str().to_owned();
    staged.push(".new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&staged)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(&staged, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_on_one_directory_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("var/box"));
        let first = data.take().unwrap();
        assert!(matches!(data.take(), Err(DataDirError::InUse { .. })));
        drop(first);
        assert!(data.take().is_ok());
        let mode = std::fs::metadata(data.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_staged_file_is_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_staged(&path, b"one").unwrap();
        write_staged(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
