//! Calls within a session: `/web/session/*`, `/web/dataset/*` and what clients ask before they sign in.

use axum::{
    Json,
    extract::{FromRequestParts, Query, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use erp_engine::translate::SOURCE_LANG;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Class, Fault,
    execute::execute,
    info,
    json::Request,
    logins::refused,
    routes::{answer, json_only},
    services::{dict, list},
    wire::Whole,
};
use crate::{
    sessions::{self, Session},
    state::AppState,
    web::Peer,
};

/// The session of the request, if there is one: its absence has an answer of its own here.
pub(super) struct Caller(Option<Session>);

impl FromRequestParts<AppState> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Response> {
        // The guard has looked it up.
        Ok(Caller(parts.extensions.get::<Session>().cloned()))
    }
}

impl Caller {
    pub(super) fn signed_in(self) -> Result<Session, Fault> {
        self.0.ok_or_else(|| Fault::new(Class::SessionExpired, "Session expired"))
    }
}

/// Runs a JSON-RPC route.
pub(super) async fn within(
    state: &AppState,
    headers: &HeaderMap,
    body: &Whole,
    work: impl AsyncFnOnce(Map<String, Value>) -> Result<Value, Fault>,
) -> Response {
    let Request { id, params } = match json_only(headers, body) {
        Ok(request) => request,
        Err(refused) => return *refused,
    };
    let outcome = match Request::named(params) {
        Ok(params) => work(params).await,
        Err(fault) => Err(fault),
    };
    answer(state, &id, outcome).await
}

fn text(params: &mut Map<String, Value>, name: &str) -> Result<String, Fault> {
    match params.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Fault::new(Class::TypeError, format!("argument {name} must be a text"))),
    }
}

pub(super) async fn authenticate(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    body: Whole,
) -> Response {
    let mut cookie = None;
    let mut response = within(&state, &headers, &body, async |mut params| {
        let (db, login, password) =
            (text(&mut params, "db")?, text(&mut params, "login")?, text(&mut params, "password")?);
        if db != state.config.db.as_str() {
            return Err(Fault::new(Class::NoDatabase, "this database does not exist"));
        }
        let uid = state.rpc.logins.login(&login, &password, peer.0.ip()).await?.ok_or_else(Fault::access_denied)?;
        let (value, session) = state.sessions.open_for(uid, peer.0.ip()).await.map_err(refused)?;
        cookie = Some(sessions::set_rpc_cookie(Some(&value)));
        info::session_info(&state, session.uid, "").await
    })
    .await;
    if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) async fn session_info(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Whole,
) -> Response {
    within(&state, &headers, &body, async |_| {
        let session = caller.signed_in()?;
        info::session_info(&state, session.uid, &session.debug).await
    })
    .await
}

pub(super) async fn check(State(state): State<AppState>, caller: Caller, headers: HeaderMap, body: Whole) -> Response {
    within(&state, &headers, &body, async |_| caller.signed_in().map(|_| Value::Null)).await
}

pub(super) async fn destroy(State(state): State<AppState>, headers: HeaderMap, body: Whole) -> Response {
    let mut response = within(&state, &headers, &body, async |_| {
        if let Some(value) = sessions::rpc_cookie(&headers) {
            state.sessions.sign_out(value).await.map_err(refused)?;
        }
        Ok(Value::Null)
    })
    .await;
    if let Ok(cookie) = sessions::set_rpc_cookie(None).parse() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

async fn run(state: &AppState, caller: Caller, mut params: Map<String, Value>) -> Result<Value, Fault> {
    let session = caller.signed_in()?;
    let (model, method) = (text(&mut params, "model")?, text(&mut params, "method")?);
    let (args, kwargs) = (list(params.remove("args"))?, dict(params.remove("kwargs"))?);
    execute(&state.engine, session.behalf(), &model, &method, args, kwargs).await
}

/// What stands behind `call_kw/` in the path is for people who read logs.
pub(super) async fn call_kw(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Whole,
) -> Response {
    within(&state, &headers, &body, async |params| run(&state, caller, params).await).await
}

/// An action, or false when the method answers none.
pub(super) async fn call_button(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Whole,
) -> Response {
    within(&state, &headers, &body, async |params| {
        let answered = run(&state, caller, params).await?;
        Ok(if answered.as_object().is_some_and(|action| !action.is_empty()) { answered } else { false.into() })
    })
    .await
}

/// Arguments by position alone.
pub(super) async fn call(State(state): State<AppState>, caller: Caller, headers: HeaderMap, body: Whole) -> Response {
    within(&state, &headers, &body, async |mut params| {
        params.remove("kwargs");
        run(&state, caller, params).await
    })
    .await
}

pub(super) async fn load_menus(State(state): State<AppState>, session: Session) -> Response {
    let menus = async {
        let mut env = session.behalf().begin(&state.engine).await?;
        // An address has no context: menus are in the language of who asks.
        env.prefer_own().await?;
        env.call("ir.ui.menu", "load_menus", Vec::new(), Map::new()).await
    };
    match menus.await.map_err(Fault::from) {
        Ok(menus) => Json(menus).into_response(),
        Err(fault) => refused_page(&fault),
    }
}

#[derive(Deserialize)]
pub(super) struct Words {
    #[serde(default)]
    lang: String,
    /// Names of apps with commas; all without.
    #[serde(default)]
    mods: String,
}

/// Texts of the client, and how dates and numbers are written. For the page where people sign in too.
pub(super) async fn translations(State(state): State<AppState>, Query(asked): Query<Words>) -> Response {
    let lang = if asked.lang.is_empty() { SOURCE_LANG } else { &asked.lang };
    let apps: Vec<&str> = asked.mods.split(',').filter(|app| !app.is_empty()).collect();
    let found = async {
        let mut env = state.engine.superuser("words of a client").await?;
        info::translations(&mut env, lang, &apps).await
    };
    match found.await {
        Ok(words) => Json(words).into_response(),
        Err(fault) => refused_page(&fault),
    }
}

fn refused_page(fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(fault.data())).into_response()
}

pub(super) async fn version_info(State(state): State<AppState>, headers: HeaderMap, body: Whole) -> Response {
    within(&state, &headers, &body, async |_| Ok(super::version(&state.engine).await.described())).await
}

pub(super) async fn version(State(state): State<AppState>) -> Json<Value> {
    let version = super::version(&state.engine).await;
    Json(json!({"version_info": version.info(), "version": version.text()}))
}

pub(super) async fn databases(State(state): State<AppState>, headers: HeaderMap, body: Whole) -> Response {
    within(&state, &headers, &body, async |_| Ok(json!([state.config.db.as_str()]))).await
}

pub(super) async fn company_logo(State(state): State<AppState>) -> Response {
    info::company_logo(&state).await.into_response()
}
