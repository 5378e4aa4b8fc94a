//! `outbox.mark`: what this program last knew of its file, kept outside of it, so that a file that was put back from a
//! backup or copied with the card to another machine is found out.
//!
//! The mark is written after commits and never ahead of them, so after any crash it says at most what the file says.
//! A mark that says more means that the file is older than this program's memory of it. Being wrong costs little: a
//! new epoch is one more row. What even the mark cannot see (mark and file rolled back together) the ERP's hello
//! shows: it has events that this file never gave out.

use std::{os::linux::fs::MetadataExt, path::Path};

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::OutboxError;
use crate::staged;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) epoch: u64,
    /// Highest event number given out when this was written.
    pub(super) high: i64,
    pub(super) place: Place,
}

/// Which file on which machine. A restored or copied file has another inode, a copied card another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) inode: Option<u64>,
    pub(super) machine: String,
}

/// Why a new epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewal {
    NoMark,
    OtherEpoch,
    OlderThanMark,
    OtherFile,
    OtherMachine,
}

/// Whether a file with this epoch and highest number is the one that the mark speaks of.
pub(super) fn judge(epoch: u64, high: i64, place: &Place, mark: Option<&Mark>) -> Option<Renewal> {
    let Some(mark) = mark else { return Some(Renewal::NoMark) };
    if mark.place.machine != place.machine {
        Some(Renewal::OtherMachine)
    } else if mark.epoch != epoch {
        Some(Renewal::OtherEpoch)
    } else if mark.high > high {
        Some(Renewal::OlderThanMark)
    } else if mark.place.inode != place.inode {
        Some(Renewal::OtherFile)
    } else {
        None
    }
}

/// A damaged mark counts as none.
pub(super) fn read(path: &Path) -> Result<Option<Mark>, OutboxError> {
    let bytes = staged::read(path).map_err(|source| OutboxError::Io { path: path.display().to_string(), source })?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()))
}

pub(super) fn write(path: &Path, mark: &Mark) -> Result<(), OutboxError> {
    let bytes = serde_json::to_vec(mark).map_err(|e| OutboxError::Record(e.to_string()))?;
    staged::write(path, &bytes).map_err(|source| OutboxError::Io { path: path.display().to_string(), source })
}

impl Place {
    /// `db` may lie in a VFS of a test: then it has no inode.
    pub(super) fn of(db: &Path) -> Self {
        let metadata = std::fs::metadata(db).ok();
        let machine = metadata.as_ref().map(machine).unwrap_or_default();
        Self { inode: metadata.map(|m| m.st_ino()), machine }
    }
}

/// A hash of what a copied card does not carry along: the board's serial number, the mainboard's, the card's own.
/// Empty parts are no harm: then only a copy to a machine that tells nothing of itself goes unseen here.
fn machine(metadata: &std::fs::Metadata) -> String {
    let device = metadata.st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let block = format!("/sys/dev/block/{major}:{minor}");
    let sources = [
        "/sys/firmware/devicetree/base/serial-number".to_owned(),
        "/sys/class/dmi/id/product_uuid".to_owned(),
        "/sys/class/dmi/id/board_serial".to_owned(),
        // A partition's parent is the disk; SD cards and eMMC have a cid, NVMe and SCSI a wwid.
        format!("{block}/../device/cid"),
        format!("{block}/../wwid"),
        format!("{block}/../device/wwid"),
    ];
    let mut hash = Sha256::new();
    for path in sources {
        hash.update(std::fs::read(path).unwrap_or_default());
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
}

/// 64 random bits.
pub(super) fn new_epoch() -> Result<u64, OutboxError> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| OutboxError::Record("the system gives no random numbers".into()))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(inode: u64, machine: &str) -> Place {
        Place { inode: Some(inode), machine: machine.into() }
    }

    fn mark() -> Mark {
        Mark { epoch: 7, high: 100, place: place(1, "m") }
    }

    #[test]
    fn the_same_file_at_or_after_the_mark_goes_on() {
        assert_eq!(judge(7, 100, &place(1, "m"), Some(&mark())), None);
        assert_eq!(judge(7, 150, &place(1, "m"), Some(&mark())), None);
    }

    #[test]
    fn a_restored_copied_or_strange_file_gets_a_new_epoch() {
        assert_eq!(judge(7, 99, &place(1, "m"), Some(&mark())), Some(Renewal::OlderThanMark));
        assert_eq!(judge(7, 100, &place(2, "m"), Some(&mark())), Some(Renewal::OtherFile));
        assert_eq!(judge(7, 100, &place(1, "other"), Some(&mark())), Some(Renewal::OtherMachine));
        assert_eq!(judge(8, 100, &place(1, "m"), Some(&mark())), Some(Renewal::OtherEpoch));
        assert_eq!(judge(7, 100, &place(1, "m"), None), Some(Renewal::NoMark));
    }
}
