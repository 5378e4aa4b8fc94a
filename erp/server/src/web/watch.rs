//! `/websocket`: tells an open page which of the records that it looks at were changed.
//!
//! A page names channels: a model (`res.partner`) or one record (`res.partner_7`). Only ids are told, and only of records
//! that the person may read at that moment; what they hold now he reads as always.
//!
//! ```text
//! -> {"event_name": "subscribe", "data": {"channels": ["res.partner", "mail.notification"], "last": 0}}
//! <- [{"id": 1, "message": {"type": "record", "payload": {"model": "res.partner", "kind": "written", "ids": [7]}}}]
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use erp_engine::{Change, ChangeKind, Engine, Error, Id, Search, Uid, domain};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior, timeout},
};

use crate::{error::ServiceError, sessions, state::AppState};

const PING: Duration = Duration::from_secs(25);
const WRITE_TIME: Duration = Duration::from_secs(10);
const MAX_INCOMING: usize = 64 * 1024;
const MAX_CHANNELS: usize = 200;
/// Changes that follow each other are told together.
const GATHERED: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
struct Asked {
    event_name: String,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    channels: Vec<String>,
}

/// What a page looks at.
#[derive(Default)]
struct Channels {
    models: BTreeSet<String>,
    records: BTreeMap<String, BTreeSet<Id>>,
}

impl Channels {
    fn parse(names: &[String]) -> Channels {
        let mut channels = Channels::default();
        for name in names.iter().take(MAX_CHANNELS) {
            match name.rsplit_once('_').and_then(|(model, id)| Some((model, id.parse::<i64>().ok()?))) {
                Some((model, id)) => drop(channels.records.entry(model.to_owned()).or_default().insert(Id(id))),
                None => drop(channels.models.insert(name.clone())),
            }
        }
        channels
    }

    fn wanted(&self, change: &Change) -> Vec<Id> {
        if self.models.contains(&*change.model) {
            return change.ids.to_vec();
        }
        let Some(records) = self.records.get(&*change.model) else { return Vec::new() };
        change.ids.iter().copied().filter(|id| records.contains(id)).collect()
    }
}

/// Browsers do not hold sockets to the rules for requests, so the origin is checked here.
pub(super) async fn open(State(state): State<AppState>, parts: Parts, upgrade: WebSocketUpgrade) -> Response {
    let origin = parts.headers.get(header::ORIGIN).and_then(|o| o.to_str().ok());
    if !origin.is_some_and(|o| state.config.is_our_origin(o)) {
        let text = "this request comes from a page of another site".to_owned();
        return ServiceError::Forbidden(text).into_response();
    }
    let Some(cookie) = sessions::cookie(&parts).map(str::to_owned) else {
        return ServiceError::SignedOut.into_response();
    };
    let session = match state.sessions.find(&cookie).await {
        Ok(Some(session)) => session,
        Ok(None) => return ServiceError::SignedOut.into_response(),
        Err(error) => return error.into_response(),
    };
    upgrade.max_message_size(MAX_INCOMING).on_upgrade(move |socket| run(socket, state, cookie, session.uid))
}

type Gathered = BTreeMap<(String, &'static str), BTreeSet<Id>>;

async fn run(mut socket: WebSocket, state: AppState, cookie: String, uid: Uid) {
    let mut changes = state.engine.changes();
    let mut channels = Channels::default();
    let mut gathered = Gathered::new();
    let mut due: Option<Instant> = None;
    let mut number = 0u64;
    let mut tick = tokio::time::interval(PING);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let messages = tokio::select! {
            heard = changes.recv() => match heard {
                Ok(change) => {
                    let ids = channels.wanted(&change);
                    if !ids.is_empty() {
                        gathered.entry((change.model.to_string(), word(change.kind))).or_default().extend(ids);
                        due.get_or_insert_with(|| Instant::now() + GATHERED);
                    }
                    continue;
                }
                Err(RecvError::Lagged(_)) => vec![json!({ "type": "reload", "payload": {} })],
                Err(RecvError::Closed) => return,
            },
            () = wait => {
                due = None;
                match visible(&state.engine, uid, std::mem::take(&mut gathered)).await {
                    Ok(messages) => messages,
                    // Whoever was signed out or lost the right is told nothing.
                    Err(Error::NoSuchUser(_)) => return,
                    Err(error) => {
                        tracing::error!(%error, "An open page could not be told of changes.");
                        vec![json!({ "type": "reload", "payload": {} })]
                    }
                }
            }
            _ = tick.tick() => {
                if !matches!(state.sessions.find(&cookie).await, Ok(Some(session)) if session.uid == uid) {
                    return;
                }
                if send(&mut socket, Message::Ping(bytes::Bytes::new())).await.is_err() {
                    return;
                }
                continue;
            }
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    match serde_json::from_str::<Asked>(&text) {
                        Ok(asked) if asked.event_name == "subscribe" => channels = Channels::parse(&asked.data.channels),
                        _ => {}
                    }
                    continue;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if messages.is_empty() {
            continue;
        }
        let numbered: Vec<_> = messages
            .into_iter()
            .map(|message| {
                number += 1;
                json!({ "id": number, "message": message })
            })
            .collect();
        if send(&mut socket, Message::Text(json!(numbered).to_string().into())).await.is_err() {
            return;
        }
    }
}

fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Written => "written",
        ChangeKind::Deleted => "deleted",
    }
}

/// What of it the person may know. A deleted record can no longer be asked for: who may read the model learns its number.
async fn visible(engine: &Engine, uid: Uid, gathered: Gathered) -> Result<Vec<serde_json::Value>, Error> {
    let mut env = engine.begin(uid).await?;
    env.set_context(env.context().clone().with("active_test", false));
    let mut messages = Vec::new();
    for ((model, kind), ids) in gathered {
        let asked: Vec<Id> = if kind == "deleted" { Vec::new() } else { ids.iter().copied().collect() };
        let found = match env.search(&model, &domain!(["id", "in", &asked]), Search::order("id")).await {
            Ok(found) => found,
            Err(Error::AccessDenied { .. } | Error::NoSuchModel(_)) => continue,
            Err(error) => return Err(error),
        };
        let told: Vec<Id> = if kind == "deleted" { ids.into_iter().collect() } else { found };
        if !told.is_empty() {
            messages.push(json!({ "type": "record", "payload": { "model": model, "kind": kind, "ids": told } }));
        }
    }
    Ok(messages)
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    timeout(WRITE_TIME, socket.send(message)).await.map_err(|_| ())?.map_err(|_| ())
}
