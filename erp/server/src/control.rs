//! `DIR/control.sock`: how commands on the same machine reach the server that runs.
//!
//! One request a connection, a JSON object on one line; the answer is lines of JSON objects: what to say to the person,
//! then that it is done or why not. Only who may use the directory may connect: it is its user's alone, and so is the
//! socket.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use erp_engine::Engine;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{apps, cli::AppsAction};

const NAME: &str = "control.sock";
/// Bytes of a request.
const MAX_REQUEST: u64 = 65_536;
/// For a request to come in; its work may take long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Commands at the same time.
const MAX_OPEN: usize = 8;
/// Lines that the other side has not read yet.
const LINES: usize = 256;
/// What a socket's address holds, the end left out.
const MAX_ADDRESS: usize = 100;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Apps(AppsAction),
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Say(String),
    Done,
    Failed(String),
}

/// Where the socket is; a path that is too long for an address goes by way of the open directory.
struct Address {
    path: PathBuf,
    _directory: Option<File>,
}

impl Address {
    fn of(data: &Path) -> io::Result<Address> {
        let path = data.join(NAME);
        if path.as_os_str().len() <= MAX_ADDRESS {
            return Ok(Address { path, _directory: None });
        }
        let directory = File::open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()));
        Ok(Address { path, _directory: Some(directory) })
    }
}

/// For who holds the directory's lock: a socket that is left there is nobody's.
pub(crate) fn listen(data: &Path) -> anyhow::Result<UnixListener> {
    let address = Address::of(data).with_context(|| format!("cannot use {}", data.display()))?;
    match fs::remove_file(&address.path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", data.join(NAME).display()));
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(&address.path).with_context(|| format!("cannot listen at {}", data.join(NAME).display()))?;
    fs::set_permissions(&address.path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

pub(crate) async fn run(listener: UnixListener, engine: Engine, stop: CancellationToken) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept(), if open.len() < MAX_OPEN => match accepted {
                Ok((stream, _)) => drop(open.spawn(serve(stream, engine.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "A command could not be heard at the control socket.");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
        }
    }
    // What changes apps is one transaction: it is done or it is not.
    open.shutdown().await;
}

async fn serve(stream: UnixStream, engine: Engine) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_REQUEST));
    if !matches!(tokio::time::timeout(PATIENCE, read.read_line(&mut line)).await, Ok(Ok(length)) if length > 0) {
        return;
    }
    let request: Request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            let text = format!("the server does not know this command ({error}); are both programs the same version?");
            answer(&mut write, &Reply::Failed(text)).await.ok();
            return;
        }
    };
    tracing::info!(?request, "A command came by the control socket.");
    let Request::Apps(action) = request;
    let (lines, mut told) = mpsc::channel::<String>(LINES);
    let work = async move {
        // A line that the other side is too slow for is left out; the last word is not.
        let mut say = |text: &str| drop(lines.try_send(text.to_owned()));
        apps::perform(&engine, &action, &mut say).await
    };
    // Who has gone away no longer hears, but what he asked for is done.
    let tell = async {
        while let Some(text) = told.recv().await {
            answer(&mut write, &Reply::Say(text)).await.ok();
        }
    };
    let (done, ()) = tokio::join!(work, tell);
    let last = match done {
        Ok(()) => Reply::Done,
        Err(error) => Reply::Failed(format!("{error:#}")),
    };
    answer(&mut write, &last).await.ok();
}

async fn answer(write: &mut (impl AsyncWriteExt + Unpin), reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// Has the server that runs in this directory do it. Answers whether there is one.
pub(crate) async fn ask(data: &Path, request: &Request, say: &mut (dyn FnMut(&str) + Send)) -> anyhow::Result<bool> {
    let Ok(address) = Address::of(data) else { return Ok(false) };
    let Ok(stream) = UnixStream::connect(&address.path).await else { return Ok(false) };
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    write.write_all(&line).await.context("the server does not listen")?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await.context("the server went away on the way")? {
        match serde_json::from_str(&line).context("the server's answer cannot be read")? {
            Reply::Say(text) => say(&text),
            Reply::Done => return Ok(true),
            Reply::Failed(text) => bail!(text),
        }
    }
    bail!("the server went away before it was done; see erp apps list for what is so now")
}
