//! Files that pages ask for.

use axum::{http::header, response::IntoResponse};

const KEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "max-age=300");

pub(crate) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), KEPT], include_str!("style.css"))
}

pub(crate) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), KEPT], include_str!("live.js"))
}

pub(crate) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml"), KEPT], include_str!("favicon.svg"))
}
