//! `outbox.reserve`: disk space kept aside for scans. When the disk is full the file is removed and its room used;
//! it is taken again when there is room to spare.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use rustix::fs::FallocateFlags;

#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Reserve {
    /// Takes the reserve, or leaves it when the disk is too full for it already.
    pub(super) fn open(path: PathBuf, bytes: u64) -> Self {
        let mut reserve = Self { path, bytes, held: false };
        if std::fs::metadata(&reserve.path).is_ok_and(|m| m.len() == bytes) {
            reserve.held = true;
        } else {
            reserve.retake();
        }
        reserve
    }

    /// Gives the room to whoever writes next. `false`: there is none left to give.
    pub(super) fn release(&mut self) -> bool {
        if !self.held {
            return false;
        }
        self.held = false;
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                tracing::warn!(reserve.bytes = self.bytes, "the disk is full: the outbox's reserve is used now");
                true
            }
            Err(error) => {
                tracing::error!(%error, "the disk is full and the outbox's reserve cannot be released");
                false
            }
        }
    }

    /// Takes the reserve again if that leaves as much room free as it takes.
    pub(super) fn retake(&mut self) {
        if self.held || self.bytes == 0 {
            return;
        }
        match self.free_bytes() {
            Ok(free) if free >= self.bytes.saturating_mul(2) => {}
            _ => return,
        }
        match self.allocate() {
            Ok(()) => {
                self.held = true;
                tracing::info!(reserve.bytes = self.bytes, "the outbox's reserve is set aside");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot set the outbox's reserve aside");
                if let Err(error) = std::fs::remove_file(&self.path) {
                    tracing::debug!(%error, "no part of the reserve to remove");
                }
            }
        }
    }

    /// There is some room on the disk again, so that it is worth to write.
    pub(super) fn has_room(&self) -> bool {
        self.free_bytes().is_ok_and(|free| free >= 1 << 20)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(self.path.parent().unwrap_or(&self.path))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn allocate(&self) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Ok(()) => {}
            // A file system that cannot promise room is given zeros instead.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let zeros = vec![0; 1 << 16];
                let mut left = self.bytes;
                while left > 0 {
                    let part = left.min(zeros.len() as u64);
                    file.write_all(&zeros[..part as usize])?;
                    left -= part;
                }
            }
            Err(error) => return Err(error.into()),
        }
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_given_once_and_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outbox.reserve");
        let mut reserve = Reserve::open(path.clone(), 1 << 20);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1 << 20);
        assert!(reserve.release());
        assert!(!path.exists());
        assert!(!reserve.release());
        reserve.retake();
        assert!(path.exists());
        assert!(Reserve::open(path, 1 << 20).held);
    }
}
