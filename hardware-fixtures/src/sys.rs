//! The one unsafe call of this crate.
#![allow(unsafe_code, reason = "tokio cannot know that a descriptor stays the same while it is watched; we can")]

use std::{io, os::fd::OwnedFd};

use tokio::io::unix::AsyncFd;

/// Has the runtime watch a descriptor.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` returns the same descriptor each time and closes it only when dropped; no caller takes it
    // out or replaces it behind the `AsyncFd`.
    Ok(unsafe { AsyncFd::register(fd) }?)
}
