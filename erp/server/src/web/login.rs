//! Signing in and out, by form or JSON.

use axum::{
    Form, Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::guard::Peer;
use crate::{
    error::ServiceError,
    sessions::{self, Session, set_cookie},
    state::AppState,
};

#[derive(Deserialize)]
pub(super) struct Credentials {
    login: String,
    password: String,
    /// Where a form goes on to; a path of this server.
    #[serde(default)]
    next: Option<String>,
    /// "Log in as superuser".
    #[serde(default)]
    superuser: Option<String>,
}

pub(super) async fn sign_in(State(state): State<AppState>, peer: Peer, request: Request) -> Response {
    let is_json = is_json(request.headers());
    let read = if is_json {
        Json::<Credentials>::from_request(request, &state).await.map(|Json(c)| c).map_err(IntoResponse::into_response)
    } else {
        Form::<Credentials>::from_request(request, &state).await.map(|Form(c)| c).map_err(IntoResponse::into_response)
    };
    let credentials = match read {
        Ok(credentials) => credentials,
        Err(refused) => return refused,
    };
    let signed_in = async {
        let (cookie, mut session) =
            state.sessions.sign_in(&credentials.login, &credentials.password, peer.0.ip()).await?;
        if credentials.superuser.is_some() {
            if let Err(error) = state.sessions.become_superuser(&cookie, &session).await {
                state.sessions.sign_out(&cookie).await?;
                return Err(error);
            }
            session.superuser = true;
        }
        Ok((cookie, session))
    };
    match signed_in.await {
        Ok((cookie, session)) => {
            let cookie = [(header::SET_COOKIE, set_cookie(Some(&cookie)))];
            if is_json {
                (cookie, Json(described(&session))).into_response()
            } else {
                (cookie, Redirect::to(local_path(credentials.next.as_deref()))).into_response()
            }
        }
        Err(error) if is_json => error.into_response(),
        Err(error @ ServiceError::Internal(_)) => error.into_response(),
        Err(error) => {
            let (status, next) = (error.status(), credentials.next.unwrap_or_default());
            let page = crate::pages::login_failed(&state, error.to_string(), credentials.login, &next).await;
            (status, page).into_response()
        }
    }
}

/// Never to another server.
fn local_path(next: Option<&str>) -> &str {
    next.filter(|n| n.starts_with('/') && !n.starts_with("//") && !n.contains(['\\', '\r', '\n'])).unwrap_or("/")
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).is_some_and(|t| t.starts_with("application/json"))
}

pub(super) async fn sign_out(State(state): State<AppState>, parts: Parts) -> Result<Response, ServiceError> {
    if let Some(cookie) = sessions::cookie(&parts) {
        state.sessions.sign_out(cookie).await?;
    }
    let cookie = [(header::SET_COOKIE, set_cookie(None))];
    Ok(if is_json(&parts.headers) {
        (StatusCode::NO_CONTENT, cookie).into_response()
    } else {
        (cookie, Redirect::to("/web/login?out=1")).into_response()
    })
}

/// For who is signed in and may.
pub(super) async fn become_superuser(
    State(state): State<AppState>,
    session: Session,
    parts: Parts,
) -> Result<Response, ServiceError> {
    let cookie = sessions::cookie(&parts).ok_or(ServiceError::SignedOut)?;
    state.sessions.become_superuser(cookie, &session).await?;
    Ok(if is_json(&parts.headers) { StatusCode::NO_CONTENT.into_response() } else { Redirect::to("/").into_response() })
}

pub(super) async fn session(session: Session) -> Json<serde_json::Value> {
    Json(described(&session))
}

fn described(session: &Session) -> serde_json::Value {
    json!({
        "uid": session.uid,
        "login": session.login,
        "name": session.name,
        "admin": session.is_admin(),
        "superuser": session.superuser,
        "debug": session.debug,
        "csrf": session.csrf,
    })
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn signing_in_leads_only_to_pages_of_this_server() {
        assert_eq!(local_path(Some("/iot?x=1")), "/iot?x=1");
        for elsewhere in [None, Some("//evil.example"), Some("https://evil.example"), Some("/\\evil.example"), Some("")]
        {
            assert_eq!(local_path(elsewhere), "/");
        }
    }
}
