//! What the outbox promised is there after the power went, the process was killed, or the disk was full.
//!
//! `OUTBOX_CUTS=10000` and `OUTBOX_KILLS=200` for the long run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests and what they stand on")]

mod disk;
mod full;
mod kill;
mod power;
mod sys;

use link_protocol::{
    ids::DeviceId,
    up::{Event, EventBody},
};

fn number_from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |v| v.parse().expect(name))
}

fn device() -> DeviceId {
    "scanner-1".parse().unwrap()
}

fn barcode(text: String) -> EventBody {
    EventBody::barcode(text)
}

/// The file's mark and reserve lie on a real file system; memory is fast and just as good for them.
fn work_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Every event that was promised is there, under its name, in the order of the promises; names are never used twice.
fn check_promises(promised: &[Event], found: &[Event]) -> Result<(), String> {
    let mut rest = found.iter();
    for event in promised {
        if !rest.any(|f| f == event) {
            let known = found.iter().any(|f| f == event);
            return Err(format!("{} {}", event.id, if known { "is out of order" } else { "is lost" }));
        }
    }
    let mut ids: Vec<_> = found.iter().map(|e| &e.id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|w| w[0] == w[1]) {
        return Err("an id is used twice".into());
    }
    Ok(())
}
