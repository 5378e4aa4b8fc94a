//! HTTP: routes, what each needs, and the guard before all of them.

mod enrol;
mod guard;
mod iot;
mod login;
mod routes;
mod socket;
mod till;

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state};

use crate::state::AppState;

pub use routes::{Capability, ROUTES, Route};

/// Largest request body; receipts with pictures come as commands of 200 kB at most.
const BODY_LIMIT: usize = 512 * 1024;

/// Everything the server answers.
pub fn router(state: AppState) -> Router {
    let own = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.handler)()));
    own.merge(crate::pages::router())
        .fallback(guard::not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .with_state(state)
}

#[cfg(test)]
mod tests;
