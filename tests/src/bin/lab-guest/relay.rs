//! A simulator behind a gadget: bytes pass both ways until this is dropped.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Between two looks at whether it shall end.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

pub(super) struct Relay {
    ending: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// `gadget` is non-blocking, the simulator's side is not.
    pub(super) fn start(gadget: File, simulator: impl Read + Write + AsFd + Send + 'static) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (stop, record) = (ending.clone(), heard.clone());
        let thread = std::thread::spawn(move || {
            // An end by error is an unplugged gadget, which the checks see for themselves.
            drop(pass(gadget, simulator, &stop, &record));
        });
        Self { ending, heard, thread: Some(thread) }
    }

    /// What came from the host so far.
    pub(super) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn pass(
    mut gadget: File,
    mut simulator: impl Read + Write + AsFd,
    ending: &AtomicBool,
    heard: &Mutex<Vec<u8>>,
) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while !ending.load(Ordering::Relaxed) {
        let (from_gadget, from_simulator) = {
            let mut fds = [PollFd::new(&gadget, PollFlags::IN), PollFd::new(&simulator, PollFlags::IN)];
            poll(&mut fds, Some(&PATIENCE))?;
            (fds[0].revents().contains(PollFlags::IN), fds[1].revents().contains(PollFlags::IN))
        };
        if from_gadget {
            match gadget.read(&mut buffer) {
                Ok(n) => {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..n]);
                    simulator.write_all(&buffer[..n])?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if from_simulator {
            let n = simulator.read(&mut buffer)?;
            let mut rest = &buffer[..n];
            while !rest.is_empty() && !ending.load(Ordering::Relaxed) {
                match gadget.write(rest) {
                    Ok(n) => rest = &rest[n..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        poll(&mut [PollFd::new(&gadget, PollFlags::OUT)], Some(&PATIENCE))?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(())
}
