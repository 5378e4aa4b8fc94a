//! `DIR/control.sock`: the commands of the command line talk to the running daemon, one JSON line each way.

use std::{
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cloud_link::{enrol::EnrolStatus, session::LinkStatus};
use link_protocol::up::{Device, Outbox};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{app::App, doctor, supervisor::Exit};

/// The longest line either side reads.
const LINE: u64 = 1024 * 1024;
/// Pairing with an ERP that does not answer takes this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const CLIENTS: usize = 8;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    Status,
    /// How fast the scanners are.
    Doctor,
    Pair {
        token: String,
    },
    Unpair,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Status(Box<Status>),
    Scanners(Vec<doctor::Scanner>),
    /// What was done, in words.
    Done(String),
    Failed(String),
}

/// What the daemon knows of itself, for `check` and `devices`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) name: String,
    pub(crate) urls: Vec<String>,
    pub(crate) devices: Vec<Device>,
    /// Groups that own ports we may not open, by device name.
    pub(crate) denied: Vec<(String, String)>,
    pub(crate) outbox: Outbox,
    pub(crate) certificate_not_after_ms: i64,
    /// Of the paired ERP.
    pub(crate) erp_name: Option<String>,
    pub(crate) connected: bool,
    /// Why not.
    pub(crate) disconnected_why: String,
    pub(crate) enrolment: String,
    /// The latest time the box knows of, Unix milliseconds.
    pub(crate) latest_time_ms: i64,
    /// Parts that failed too often, with the reason.
    pub(crate) gave_up: Vec<(String, String)>,
}

/// Answers until cancelled.
pub(crate) async fn serve(app: App, listener: Arc<UnixListener>, path: PathBuf, cancel: CancellationToken) -> Exit {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.accept(), if clients.len() < CLIENTS => match accepted {
                Ok((stream, _)) => {
                    let app = app.clone();
                    clients.spawn(async move {
                        if let Err(error) = answer(&app, stream).await {
                            tracing::debug!(%error, "control connection ended");
                        }
                    });
                }
                Err(error) => return Exit::Failed(error.to_string()),
            },
        }
    }
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!(%error, "control socket was gone already");
    }
    Exit::Finished
}

/// Made anew, since a killed daemon leaves its own behind; the lock on the data directory says that nobody else
/// answers there.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The directory is 0700 already, so nobody could connect in between.
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn answer(app: &App, stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read.take(LINE)).lines();
    while let Some(line) = timeout(ANSWER_WITHIN, lines.next_line()).await?? {
        let answer = match serde_json::from_str(&line) {
            Ok(Request::Status) => Answer::Status(Box::new(status(app))),
            Ok(Request::Doctor) => Answer::Scanners(doctor::examine(app)),
            Ok(Request::Pair { token }) => match app.link.pair(&token).await {
                Ok(pairing) => {
                    Answer::Done(format!("Paired with {} at {}.", pairing.grant.erp_name, pairing.grant.erp_url))
                }
                Err(error) => Answer::Failed(error.to_string()),
            },
            Ok(Request::Unpair) => match app.link.unpair().await {
                Ok(done) => Answer::Done(match done.unsent {
                    0 => format!("Unpaired from {}. Everything had been sent.", done.erp_name),
                    n => format!(
                        "Unpaired from {}. Unsent events that stay on the box, for that pairing only: {n}.",
                        done.erp_name
                    ),
                }),
                Err(error) => Answer::Failed(error.to_string()),
            },
            Err(error) => Answer::Failed(format!("the request was not understood: {error}")),
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        timeout(ANSWER_WITHIN, write.write_all(&text)).await??;
    }
    Ok(())
}

fn status(app: &App) -> Status {
    let table = app.router.table().borrow().clone();
    let denied = |e: &crate::fleet::Entry| e.denied_group.clone().map(|group| (e.device.name.clone(), group));
    let (connected, disconnected_why) = match &*app.link.session_status().borrow() {
        LinkStatus::Connected { .. } => (true, String::new()),
        LinkStatus::Disconnected { why, .. } => (false, why.clone()),
    };
    let enrolment = match &*app.link.enrol_status().borrow() {
        EnrolStatus::Paired { .. } => "paired".to_owned(),
        EnrolStatus::NoErp { message } => format!("no ERP was found: {message}"),
        EnrolStatus::Unreachable { erp_url, message } => format!("{erp_url} does not answer: {message}"),
        EnrolStatus::ShowingCode { .. } => "a pairing code is shown".to_owned(),
        EnrolStatus::CodeGone { .. } => "the pairing code is gone; ask for a new one on the box's page".to_owned(),
    };
    let gave_up = |(name, health): (&String, &crate::supervisor::Health)| match health {
        crate::supervisor::Health::GaveUp { why } => Some((name.clone(), why.clone())),
        _ => None,
    };
    Status {
        name: app.link.box_name(),
        urls: app.link.names.borrow().urls(),
        denied: table.0.iter().filter_map(denied).collect(),
        devices: table.devices(),
        outbox: app.router.outbox().stats().borrow().clone(),
        certificate_not_after_ms: app.link.certificate.not_after_ms(),
        erp_name: app.link.store.current().map(|p| p.grant.erp_name.clone()),
        connected,
        disconnected_why,
        enrolment,
        latest_time_ms: app.router.outbox().latest_time_ms(),
        gave_up: app.health.borrow().iter().filter_map(gave_up).collect(),
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("no iot-box runs on {0}: start it with iot-box run, or name its directory with --data")]
    NotRunning(PathBuf),
    #[error("the iot-box that runs on {dir} does not answer: {source}")]
    Io { dir: PathBuf, source: io::Error },
    #[error("the iot-box that runs on {0} is of another version: restart it")]
    OtherVersion(PathBuf),
}

/// One request to the daemon that runs on `dir`.
pub(crate) async fn ask(dir: &Path, socket: &Path, request: &Request) -> Result<Answer, AskError> {
    let failed = |source| AskError::Io { dir: dir.to_owned(), source };
    let stream = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning(dir.to_owned()),
        _ => AskError::Io { dir: dir.to_owned(), source },
    })?;
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_vec(request).map_err(|e| failed(e.into()))?;
    text.push(b'\n');
    write.write_all(&text).await.map_err(failed)?;
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LINE));
    match timeout(ANSWER_WITHIN, read.read_line(&mut line)).await {
        Ok(Ok(_)) => serde_json::from_str(&line).map_err(|_| AskError::OtherVersion(dir.to_owned())),
        Ok(Err(source)) => Err(failed(source)),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}
