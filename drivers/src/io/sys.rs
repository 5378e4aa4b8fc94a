//! What the compiler cannot check.
#![allow(unsafe_code)] // tokio asks for a promise that a file stays open while it watches it

use std::{fs::File, io};

use tokio::io::unix::AsyncFd;

/// `file` has to be non-blocking and of a kind that can be polled.
pub(super) fn watch(file: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a `File` owns its descriptor, and `AsyncFd` hands it out by reference only.
    Ok(unsafe { AsyncFd::register(file) }?)
}
