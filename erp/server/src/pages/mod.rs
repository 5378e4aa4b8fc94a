//! Server-rendered pages. [`view`] makes the HTML and knows nothing else; the files beside it read what a view needs,
//! in the name of the person who asks.

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
    Router,
    middleware::from_fn,
    routing::{get, post},
};

use crate::state::AppState;

pub fn router() -> Router<AppState> {
    view::layout::set_asset_base(assets::base().to_owned());
    let pages = Router::new()
        .route("/", get(home::page))
        .route("/web/login", get(login::page))
        .route("/iot/boxes", get(boxes::list))
        .route("/iot/boxes/{box_id}", get(boxes::one))
        .route("/iot/boxes/{box_id}/rename", post(boxes::rename))
        .route("/iot/boxes/{box_id}/unpair", post(boxes::unpair))
        .route("/iot/connect", get(connect::page))
        .route("/iot/devices", get(devices::page))
        .route("/iot/events", get(events::page))
        .route("/till", get(till::page))
        .layer(from_fn(frame::send_to_login));
    pages.route("/assets/{hash}/{*path}", get(assets::get)).route("/favicon.ico", get(assets::favicon))
}

pub use frame::not_found;
pub use login::failed as login_failed;
