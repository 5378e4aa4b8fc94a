//! Server-rendered pages. [`view`] makes the HTML and knows nothing else; the files beside it read what a view needs,
//! in the name of the person who asks.

mod account;
mod assets;
mod boxes;
mod connect;
mod devices;
mod events;
mod frame;
mod home;
mod login;
mod till;
pub(crate) mod view;

use axum::{
    http::Method,
    routing::{get, post},
};

use crate::web::{
    Capability::{Admin, Password, Public, User},
    Route, route,
};

/// The pages' part of the table.
pub const ROUTES: &[Route] = &[
    route(Method::GET, "/", User, || get(home::page)),
    // Where people add `?debug=1`.
    route(Method::GET, "/web", User, || get(home::page)),
    route(Method::GET, "/web/login", Public, || get(login::page)),
    route(Method::GET, "/web/signup", Public, || get(account::page)),
    route(Method::POST, "/web/signup", Password, || post(account::choose)),
    route(Method::GET, "/web/reset_password", Public, || get(account::page)),
    route(Method::POST, "/web/reset_password", Password, || post(account::choose)),
    route(Method::GET, "/iot/boxes", User, || get(boxes::list)),
    route(Method::GET, "/iot/boxes/{box_id}", User, || get(boxes::one)),
    route(Method::POST, "/iot/boxes/{box_id}/rename", Admin, || post(boxes::rename)),
    route(Method::POST, "/iot/boxes/{box_id}/unpair", Admin, || post(boxes::unpair)),
    route(Method::GET, "/iot/connect", User, || get(connect::page)),
    route(Method::GET, "/iot/devices", User, || get(devices::page)),
    route(Method::GET, "/iot/events", User, || get(events::page)),
    route(Method::GET, "/till", User, || get(till::page)),
    route(Method::GET, "/assets/{hash}/{*path}", Public, || get(assets::get)),
    route(Method::GET, "/favicon.ico", Public, || get(assets::favicon)),
];

/// Tells the views where style sheets and scripts are.
pub fn prepare() {
    view::layout::set_asset_base(assets::base().to_owned());
}

pub use frame::{not_found, refused};
pub use login::failed as login_failed;
