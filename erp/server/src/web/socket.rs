//! `/web/ws`: the bus, for open pages.

use std::time::Duration;

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, Utf8Bytes, WebSocket},
    },
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, timeout},
};

use crate::{error::ServiceError, sessions, state::AppState};

const PING: Duration = Duration::from_secs(25);
const WRITE_TIME: Duration = Duration::from_secs(10);
/// Browsers have nothing to say here.
const MAX_INCOMING: usize = 4096;
/// Something was missed: the page should read its records again.
const RELOAD: &str = r#"{"msg":"reload"}"#;
const READY: &str = r#"{"msg":"ready"}"#;

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
    upgrade.max_message_size(MAX_INCOMING).on_upgrade(|socket| run(socket, state, cookie))
}

async fn run(mut socket: WebSocket, state: AppState, cookie: String) {
    let mut bus = state.bus.subscribe();
    let mut tick = tokio::time::interval(PING);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if send(&mut socket, Message::Text(Utf8Bytes::from_static(READY))).await.is_err() {
        return;
    }
    loop {
        let message = tokio::select! {
            heard = bus.recv() => match heard {
                Ok(message) => match serde_json::to_string(&message) {
                    Ok(text) => Message::Text(text.into()),
                    Err(error) => {
                        tracing::error!(%error, "A bus message could not be written.");
                        continue;
                    }
                },
                Err(RecvError::Lagged(_)) => Message::Text(Utf8Bytes::from_static(RELOAD)),
                Err(RecvError::Closed) => return,
            },
            _ = tick.tick() => {
                // Signed out elsewhere, or no longer active.
                if !matches!(state.sessions.find(&cookie).await, Ok(Some(_))) {
                    return;
                }
                Message::Ping(bytes::Bytes::new())
            }
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if send(&mut socket, message).await.is_err() {
            return;
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    timeout(WRITE_TIME, socket.send(message)).await.map_err(|_| ())?.map_err(|_| ())
}
