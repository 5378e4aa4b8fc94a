//! Signing in with the technician password, and out.

use std::time::Instant;

use axum::{
    Form,
    extract::{ConnectInfo, State},
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    overview,
    session::{Technician, clear_cookie, set_cookie},
};
use crate::{
    api::listener::Connection,
    app::{App, random},
};

#[derive(Deserialize)]
pub(crate) struct SignIn {
    password: String,
}

pub(crate) async fn sign_in(
    State(app): State<App>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Form(form): Form<SignIn>,
) -> Response {
    let from = connection.peer.ip().to_canonical();
    let now = Instant::now();
    if let Some(wait) = app.doors().attempts.wait(now, from) {
        let text = format!("Too many wrong passwords from here. Try again in {} s.", wait.as_secs() + 1);
        return (StatusCode::TOO_MANY_REQUESTS, overview::sign_in(&app, Some(&text))).into_response();
    }
    if !app.password.is(&form.password) {
        app.doors().attempts.wrong(now, from);
        tracing::warn!(peer = %from, "wrong technician password");
        let text = "That is not this box's technician password.";
        return (StatusCode::FORBIDDEN, overview::sign_in(&app, Some(text))).into_response();
    }
    let random = match random() {
        Ok(random) => random,
        Err(error) => {
            return (StatusCode::SERVICE_UNAVAILABLE, overview::sign_in(&app, Some(&error.to_string())))
                .into_response();
        }
    };
    let mut doors = app.doors();
    doors.attempts.right(from);
    let token = doors.sessions.begin(now, random);
    tracing::info!(peer = %from, "technician signed in");
    (AppendHeaders([(header::SET_COOKIE, set_cookie(&token))]), Redirect::to("/")).into_response()
}

pub(crate) async fn sign_out(State(app): State<App>, technician: Technician) -> Response {
    app.doors().sessions.end(&technician.token);
    (AppendHeaders([(header::SET_COOKIE, clear_cookie())]), Redirect::to("/")).into_response()
}
