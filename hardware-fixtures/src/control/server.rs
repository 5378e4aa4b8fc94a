//! The socket's server side.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::device::{Answer, Refused, Request};

/// A request longer than this is not one.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;

/// The devices by id, and what `list` says of each.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) devices: BTreeMap<String, Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) model: &'static str,
    pub(crate) requests: mpsc::Sender<Request>,
}

pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

pub(crate) async fn serve(listener: UnixListener, directory: Arc<Directory>, cancel: CancellationToken) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(clients.spawn(talk(stream, Arc::clone(&directory)))),
                Err(error) => tracing::warn!(%error, "cannot accept a control connection"),
            },
            Some(done) = clients.join_next() => if let Ok(Err(error)) = done {
                tracing::debug!(%error, "a control connection ended");
            }
        }
    }
}

async fn talk(stream: UnixStream, directory: Arc<Directory>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = String::new();
        if (&mut read).take(LINE_LIMIT).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match ask(&directory, &line).await {
            Ok(Value::Object(mut fields)) => {
                fields.insert("ok".to_owned(), Value::Bool(true));
                Value::Object(fields)
            }
            Ok(other) => json!({ "ok": true, "result": other }),
            Err(Refused(error)) => json!({ "ok": false, "error": error }),
        };
        write.write_all(format!("{answer}\n").as_bytes()).await?;
    }
}

async fn ask(directory: &Directory, line: &str) -> Answer {
    let mut request: Map<String, Value> = serde_json::from_str(line).map_err(Refused::because)?;
    let Some(Value::String(id)) = request.remove("device") else {
        return Err(Refused::because("a request needs \"device\": an id, or \"*\" for \"list\""));
    };
    if id == "*" {
        return match request.get("do").and_then(Value::as_str) {
            Some("list") => Ok(list(directory).await),
            _ => Err(Refused::because("the only verb for \"*\" is \"list\"")),
        };
    }
    let Some(entry) = directory.devices.get(&id) else {
        let known: Vec<_> = directory.devices.keys().map(String::as_str).collect();
        return Err(Refused(format!("there is no device {id}; there are {}", known.join(", "))));
    };
    send(entry, request).await
}

async fn send(entry: &Entry, verb: Map<String, Value>) -> Answer {
    let (reply, answer) = oneshot::channel();
    let gone = |_| Refused::because("the device's task has ended");
    entry.requests.send(Request { verb, reply }).await.map_err(|_| Refused::because("the device's task has ended"))?;
    answer.await.map_err(gone)?
}

async fn list(directory: &Directory) -> Value {
    let mut devices = Vec::new();
    for (id, entry) in &directory.devices {
        let verb = Map::from_iter([("do".to_owned(), Value::from("state"))]);
        let state = send(entry, verb).await.unwrap_or_else(|Refused(error)| json!({ "error": error }));
        devices.push(json!({ "device": id, "type": entry.model, "state": state }));
    }
    json!({ "devices": devices })
}
