//! The local API and the homepage: one table of routes, each with what a request must bring.
//!
//! The router is built from the table, so a route without a row does not exist, and a row cannot leave its capability
//! open. A test calls every route that changes something with nothing in its hands.

pub(crate) mod grant;
pub(crate) mod guard;
pub(crate) mod listener;
pub(crate) mod quota;
mod socket;
pub(crate) mod tokens;
mod v1;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodRouter, get, post},
};

use crate::{app::App, homepage};

/// What a request must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it changes nothing and tells nothing but what stands on the box's label.
    Nothing,
    /// To come from a screen attached to the box.
    Screen,
    /// The technician's password, in its body.
    Password,
    /// A grant of the ERP with the browser's proof, in its body.
    Grant,
    /// A token, in its first frame.
    Token,
    /// A technician who signed in; when it changes something, also our own page as origin.
    Technician,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    /// Changes something.
    Post,
}

pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) needs: Needs,
    handler: fn() -> MethodRouter<App>,
}

const fn read(path: &'static str, needs: Needs, handler: fn() -> MethodRouter<App>) -> Route {
    Route { method: Method::Get, path, needs, handler }
}

const fn change(path: &'static str, needs: Needs, handler: fn() -> MethodRouter<App>) -> Route {
    Route { method: Method::Post, path, needs, handler }
}

pub(crate) const ROUTES: &[Route] = &[
    // For tills and programs.
    read("/v1/hello", Needs::Nothing, || get(v1::hello)),
    read("/v1/challenge", Needs::Nothing, || get(v1::challenge)),
    change("/v1/token", Needs::Grant, || post(v1::token)),
    read("/v1/ws", Needs::Token, || get(socket::open)),
    // For people.
    read("/", Needs::Nothing, || get(homepage::home)),
    read("/status", Needs::Nothing, || get(homepage::status)),
    read("/style.css", Needs::Nothing, || get(homepage::assets::style)),
    read("/live.js", Needs::Nothing, || get(homepage::assets::script)),
    read("/favicon.svg", Needs::Nothing, || get(homepage::assets::icon)),
    read("/display", Needs::Screen, || get(homepage::display)),
    change("/sign-in", Needs::Password, || post(homepage::sign_in::sign_in)),
    change("/sign-out", Needs::Technician, || post(homepage::sign_in::sign_out)),
    read("/live", Needs::Technician, || get(homepage::live)),
    change("/name", Needs::Technician, || post(homepage::settings::rename)),
    change("/server", Needs::Technician, || post(homepage::settings::server)),
    change("/ticket", Needs::Technician, || post(homepage::settings::status_ticket)),
    change("/pairing/code", Needs::Technician, || post(homepage::pairing::new_code)),
    change("/pairing/token", Needs::Technician, || post(homepage::pairing::with_token)),
    read("/pairing/unpair", Needs::Technician, || get(homepage::pairing::ask_unpair)),
    change("/pairing/unpair", Needs::Technician, || post(homepage::pairing::unpair)),
    change("/devices/{id}/driver", Needs::Technician, || post(homepage::devices::choose_driver)),
    change("/devices/{id}/name", Needs::Technician, || post(homepage::devices::rename)),
    read("/devices/{id}/settings", Needs::Technician, || get(homepage::devices::settings)),
    change("/devices/{id}/settings", Needs::Technician, || post(homepage::devices::set)),
    change("/devices/{id}/find-scale", Needs::Technician, || post(homepage::devices::find_scale)),
    read("/scanner-doctor", Needs::Technician, || get(homepage::doctor::page)),
    change("/devices/{id}/test", Needs::Technician, || post(homepage::devices::test)),
    change("/devices/{id}/status-ticket", Needs::Technician, || post(homepage::devices::status_ticket)),
    change("/devices/{id}/printer", Needs::Technician, || post(homepage::printers::options)),
    change("/devices/{id}/more", Needs::Technician, || post(homepage::printers::more)),
    change("/devices/{id}/remove-more", Needs::Technician, || post(homepage::printers::remove_more)),
    change("/devices/{id}/cancel-waiting", Needs::Technician, || post(homepage::printers::cancel_waiting)),
    change("/printers/add", Needs::Technician, || post(homepage::devices::add_printer)),
    change("/printers/remove", Needs::Technician, || post(homepage::devices::remove_printer)),
    change("/terminals/add", Needs::Technician, || post(homepage::terminals::add)),
    change("/terminals/remove", Needs::Technician, || post(homepage::terminals::remove)),
    change("/payments/settle", Needs::Technician, || post(homepage::terminals::settle)),
];

pub(crate) fn router(app: App) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let state = (app.clone(), route.needs, route.method);
        let guarded = (route.handler)().route_layer(middleware::from_fn_with_state(state, guard::capability));
        router = router.route(route.path, guarded);
    }
    router
        .fallback(homepage::not_found)
        .layer(DefaultBodyLimit::max(16 * 1024))
        .layer(middleware::from_fn_with_state(app.clone(), guard::entrance))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        extract::ConnectInfo,
        http::{Request, StatusCode},
    };
    use tower::ServiceExt;

    use super::*;
    use crate::{api::listener::Connection, app::tests::app};

    const OWN: &str = "https://127.0.0.1:8443";

    async fn call(app: &App, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> StatusCode {
        let local = "127.0.0.1:8443".parse().unwrap();
        let connection = Connection { peer: "10.0.0.9:40000".parse().unwrap(), local };
        let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(connection));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        router(app.clone()).oneshot(request).await.unwrap().status()
    }

    fn concrete(path: &str) -> String {
        path.replace("{id}", "till-printer")
    }

    #[tokio::test]
    async fn nothing_changes_for_somebody_with_empty_hands() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let form = ("content-type", "application/x-www-form-urlencoded");
        let json = ("content-type", "application/json");
        let bodies = [
            (form, "password=&name=x&driver=&address=10.0.0.1&erp_url=&token=x"),
            (json, "{\"grant\":\"{}\",\"signature\":\"\",\"nonce\":\"\",\"proof\":\"\"}"),
        ];
        let changing: Vec<_> = ROUTES.iter().filter(|r| r.method == Method::Post).collect();
        assert!(changing.len() >= 12);
        for route in changing {
            assert!(!matches!(route.needs, Needs::Nothing | Needs::Token | Needs::Screen), "{} is open", route.path);
            for (kind, body) in bodies {
                let headers = [("host", "127.0.0.1:8443"), ("origin", OWN), kind];
                let status = call(&app, "POST", &concrete(route.path), &headers, body).await;
                assert!(status.is_client_error(), "POST {} with {body:?} gave {status}", route.path);
            }
        }
        assert_eq!(*app.settings.current(), crate::settings::Settings::default());
    }

    #[tokio::test]
    async fn what_is_for_technicians_and_screens_is_not_shown_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        for route in ROUTES.iter().filter(|r| r.method == Method::Get) {
            let status = call(&app, "GET", &concrete(route.path), &[("host", "127.0.0.1:8443")], "").await;
            let expected = match route.needs {
                Needs::Nothing => StatusCode::OK,
                Needs::Technician => StatusCode::UNAUTHORIZED,
                _ => StatusCode::FORBIDDEN,
            };
            assert_eq!(status, expected, "GET {}", route.path);
        }
    }

    #[tokio::test]
    async fn a_technician_changes_things_from_the_boxs_own_page_only() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let token = app.doors().sessions.begin(std::time::Instant::now(), [7; 32]);
        let cookie = format!("__Host-technician={token}");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let host = ("host", "127.0.0.1:8443");
        let cookie = ("cookie", cookie.as_str());
        for (origin, expected) in [
            (Some(OWN), StatusCode::SEE_OTHER),
            (Some("https://127.0.0.1:8444"), StatusCode::FORBIDDEN),
            (Some("null"), StatusCode::FORBIDDEN),
            (None, StatusCode::FORBIDDEN),
        ] {
            let mut headers = vec![host, form, cookie];
            headers.extend(origin.map(|o| ("origin", o)));
            assert_eq!(call(&app, "POST", "/name", &headers, "name=Counter").await, expected, "{origin:?}");
        }
        assert_eq!(app.settings.current().name, "Counter");
    }

    #[tokio::test]
    async fn a_foreign_name_for_the_box_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        for host in ["evil.example:8443", "evil.example", ""] {
            let status = call(&app, "GET", "/v1/hello", &[("host", host)], "").await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{host:?}");
        }
        let headers = [("host", "127.0.0.1:8443"), ("origin", "https://evil.example")];
        assert_eq!(call(&app, "GET", "/v1/hello", &headers, "").await, StatusCode::FORBIDDEN);
        assert_eq!(call(&app, "OPTIONS", "/v1/token", &headers, "").await, StatusCode::FORBIDDEN);
    }
}
