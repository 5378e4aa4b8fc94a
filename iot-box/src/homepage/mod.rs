//! The box's own pages: server-rendered, one stylesheet, complete without JavaScript.

pub(crate) mod assets;
pub(crate) mod devices;
mod devices_view;
pub(crate) mod doctor;
mod layout;
mod overview;
pub(crate) mod pairing;
pub(crate) mod printers;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod terminals;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};

use crate::app::App;
use session::{Flash, Technician};

/// The overview for who signed in, the sign-in form for everybody else.
pub(crate) async fn home(State(app): State<App>, headers: HeaderMap) -> Response {
    let token = session::cookie(&headers).map(str::to_owned);
    let (known, flash) = {
        let mut doors = app.doors();
        match &token {
            Some(token) if doors.sessions.touch(std::time::Instant::now(), token) => {
                (true, doors.sessions.take_flash(token))
            }
            _ => (false, None),
        }
    };
    match known {
        true => {
            let payments = app.router.payments().records().await;
            overview::overview(&app, flash.as_ref(), &payments).into_response()
        }
        false => overview::sign_in(&app, None).into_response(),
    }
}

/// The parts of the overview that change by themselves.
pub(crate) async fn live(State(app): State<App>, _technician: Technician) -> Markup {
    overview::live_parts(&app)
}

/// What anybody may know.
pub(crate) async fn status(State(app): State<App>) -> Markup {
    overview::status(&app)
}

pub(crate) async fn display(State(app): State<App>) -> Markup {
    overview::display(&app)
}

pub(crate) async fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "There is no such page", "Go to the box's first page.")
}

pub(crate) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    let body = html! {
        section .card .narrow {
            h1 { (title) }
            p { (text) }
            p { a .button href="/" { "To the first page" } }
        }
    };
    (status, layout::page(title, None, &body)).into_response()
}

pub(crate) fn session_over() -> Markup {
    let body = html! {
        section .card .narrow {
            h1 { "Sign in again" }
            p { "You were signed out, because nothing was done here for half an hour or the box was restarted." }
            p { a .button .primary href="/" { "Sign in" } }
        }
    };
    layout::page("Sign in again", None, &body)
}

/// Back to the overview, which says what came of it.
fn tell(app: &App, technician: &Technician, flash: Flash) -> Redirect {
    app.doors().sessions.say(&technician.token, flash);
    Redirect::to("/")
}
