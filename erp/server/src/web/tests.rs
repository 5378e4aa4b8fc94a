use std::net::SocketAddr;

use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Method, Request, Response, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::testing::{PASSWORD, TestServer};

struct Browser<'a> {
    server: &'a TestServer,
    cookie: Option<String>,
    csrf: String,
}

impl<'a> Browser<'a> {
    fn new(server: &'a TestServer) -> Self {
        Self { server, cookie: None, csrf: String::new() }
    }

    async fn signed_in(server: &'a TestServer, login: &str) -> Self {
        let mut it = Self::new(server);
        let body = json!({"login": login, "password": PASSWORD});
        let response = it.post("/web/login", &body).await;
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.contains("Secure; HttpOnly; SameSite=Lax"), "{cookie}");
        it.cookie = cookie.split(';').next().map(str::to_owned);
        it.csrf = read(response).await["csrf"].as_str().unwrap().to_owned();
        it
    }

    fn origin(&self) -> &str {
        &self.server.state.config.public_url
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let peer: SocketAddr = "127.0.0.1:5".parse().unwrap();
        let host = self.origin().trim_start_matches("https://").to_owned();
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, host).extension(ConnectInfo(peer));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.server.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Response<Body> {
        let request = self
            .request(Method::POST, path)
            .header(header::ORIGIN, self.origin())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()));
        self.send(request.unwrap()).await
    }
}

async fn read(response: Response<Body>) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap()
}

fn example(path: &str) -> String {
    let a_box = "a".repeat(26);
    let path = path.replace("{box}", &a_box).replace("{box_id}", &a_box).replace("{id}", "command-1");
    let path = path.replace("{service}", "object").replace("{model}", "res.users").replace("{method}", "read");
    path.replace("{format}", "csv").replace("{file}", "index.json").replace("{hash}", "0").replace("{*path}", "app.css")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_of_the_table_does_anything_without_what_its_row_asks_for() {
    let server = TestServer::start().await;
    let (nobody, cashier) = (Browser::new(&server), Browser::signed_in(&server, "cashier").await);
    for route in routes::all() {
        let path = example(route.path);
        let ask = async |browser: &Browser<'_>| match route.method {
            Method::GET => browser.get(&path).await.status(),
            _ => browser.post(&path, &json!({})).await.status(),
        };
        let status = ask(&nobody).await;
        match route.capability {
            Capability::User | Capability::Admin => assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}"),
            Capability::Public => assert_eq!(status, StatusCode::OK, "{path}"),
            Capability::Password | Capability::Enrolment => {
                assert!(status.is_client_error(), "{path}: {status}");
            }
            Capability::Bearer => assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}"),
            // Ending no session is no failure.
            Capability::Rpc if path.ends_with("/destroy") => assert_eq!(status, StatusCode::OK, "{path}"),
            // Refused in the words of their protocols.
            Capability::Rpc | Capability::Credentials => {
                let answer = match route.method {
                    Method::GET => nobody.get(&path).await,
                    _ => nobody.post(&path, &json!({})).await,
                };
                let refused = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
                let refused = String::from_utf8_lossy(&refused).into_owned();
                assert!(refused.contains("\"error\"") || refused.contains("<fault>"), "{path}: {refused}");
                let expired = route.capability == Capability::Rpc;
                assert_eq!(refused.contains("\"code\":100,"), expired, "{path}: {refused}");
            }
        }
        if route.capability == Capability::Admin {
            assert_eq!(ask(&cashier).await, StatusCode::FORBIDDEN, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_must_come_from_our_pages_or_carry_the_token() {
    let server = TestServer::start().await;
    let admin = Browser::signed_in(&server, "admin").await;
    let by_cookie = [Capability::User, Capability::Admin, Capability::Password, Capability::Rpc];
    for route in routes::all().filter(|r| r.method != Method::GET && by_cookie.contains(&r.capability)) {
        let path = example(route.path);
        let post = |headers: &[(&str, &str)]| {
            let mut request = admin.request(Method::POST, &path).header(header::CONTENT_TYPE, "application/json");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(Body::from("[]")).unwrap()
        };
        for bad in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://localhost")],
            &[("sec-fetch-site", "cross-site")],
            &[("x-csrf-token", "guessed")],
            &[],
        ] {
            // API clients are no browsers and send neither; a page elsewhere cannot send JSON unasked.
            if route.capability == Capability::Rpc && !bad.iter().any(|(name, _)| *name != "x-csrf-token") {
                continue;
            }
            let status = admin.send(post(bad)).await.status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {bad:?}");
        }
        if route.path != "/web/logout" {
            let status = admin.send(post(&[("x-csrf-token", &admin.csrf)])).await.status();
            assert_ne!(status, StatusCode::FORBIDDEN, "{path} with its token");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_refuses_as_a_page_and_leads_back_after_signing_in() {
    let server = TestServer::start().await;
    let html = async |browser: &Browser<'_>, method, path: &str| {
        let request = browser.request(method, path).header(header::ACCEPT, "text/html");
        let request = request.header(header::ORIGIN, browser.origin());
        browser.send(request.body(Body::empty()).unwrap()).await
    };
    let nobody = Browser::new(&server);
    for (path, login) in [("/", "/web/login"), ("/iot/events?device=a", "/web/login?next=/iot/events%3Fdevice%3Da")] {
        let response = html(&nobody, Method::GET, path).await;
        assert_eq!(
            (response.status(), &response.headers()[header::LOCATION]),
            (StatusCode::SEE_OTHER, &login.parse().unwrap())
        );
    }
    let cashier = Browser::signed_in(&server, "cashier").await;
    let refused = html(&cashier, Method::POST, &example("/iot/boxes/{box_id}/unpair")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_name_cannot_reach_us() {
    let server = TestServer::start().await;
    let admin = Browser::signed_in(&server, "admin").await;
    for host in ["evil.example", "localhost", "localhost:1", ""] {
        let request = admin.request(Method::GET, "/till/config").body(Body::empty()).unwrap();
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(header::HOST, host.parse().unwrap());
        let response = admin.send(Request::from_parts(parts, body)).await;
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{host:?}");
    }
    let response = admin.get("/till/config").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_passwords_gets_slower_and_slower() {
    let server = TestServer::start().await;
    let nobody = Browser::new(&server);
    let mut seen = vec![];
    for _ in 0..7 {
        let body = json!({"login": "admin", "password": "guess"});
        seen.push(nobody.post("/web/login", &body).await.status().as_u16());
    }
    assert_eq!(seen, [403, 403, 403, 403, 403, 429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session() {
    let server = TestServer::start().await;
    let it = Browser::signed_in(&server, "cashier").await;
    let told = read(it.get("/web/session").await).await;
    assert_eq!((told["login"].as_str(), told["admin"].as_bool()), (Some("cashier"), Some(false)));
    assert_eq!(it.post("/web/logout", &json!({})).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(it.get("/web/session").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_a_page_to_people_and_json_to_programs() {
    let server = TestServer::start().await;
    let it = Browser::signed_in(&server, "cashier").await;
    let response = it.get("/iot/events?after=0").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(read(response).await, json!([]));
    let request = it.request(Method::GET, "/iot/events").header(header::ACCEPT, "text/html").body(Body::empty());
    let response = it.send(request.unwrap()).await;
    assert!(response.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_printed_with_the_prices_of_the_database() {
    let server = TestServer::start().await;
    let it = server.paired_box("Shop").await;
    let browser = Browser::signed_in(&server, "cashier").await;
    let config = read(browser.get("/till/config").await).await;
    let product = |weighed: bool| {
        config["products"].as_array().unwrap().iter().find(|p| p["to_weight"] == weighed).unwrap().clone()
    };
    let (piece, loose) = (product(false), product(true));
    let sale = json!({
        "command_id": "command-1", "box": it.box_id, "device": "printer-1", "cash": true,
        "lines": [{"product_id": piece["id"], "qty": "2"}, {"product_id": loose["id"], "weight": "0.500"}],
    });
    let printed = browser.post("/till/print", &sale).await;
    assert_eq!(printed.status(), StatusCode::ACCEPTED);
    let price = |p: &Value| p["list_price"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
    let total = price(&piece) * rust_decimal::Decimal::TWO + price(&loose) / rust_decimal::Decimal::TWO;
    assert_eq!(read(printed).await["total"].as_str().unwrap().parse(), Ok(total.round_dp(2)));
    // The same sale again is the same command.
    assert_eq!(browser.post("/till/print", &sale).await.status(), StatusCode::ACCEPTED);
    assert_eq!(server.count("iot.command").await, 1);
    let wrong = json!({"command_id": "command-2", "box": it.box_id, "device": "printer-1",
                       "lines": [{"product_id": loose["id"], "qty": "1"}]});
    assert_eq!(browser.post("/till/print", &wrong).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let status = read(browser.get("/till/command/command-1").await).await;
    assert_eq!((status["state"].as_str(), status["do"].as_str()), (Some("waiting"), Some("print")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_grant_is_signed_for_the_pages_own_origin() {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    let server = TestServer::start().await;
    let it = server.paired_box("Shop").await;
    let browser = Browser::signed_in(&server, "cashier").await;
    let mut point = [1u8; 65];
    point[0] = 4;
    let key = data_encoding::BASE64.encode(&point);
    let signed: link_protocol::local::SignedGrant =
        serde_json::from_value(read(browser.post("/till/grant", &json!({"box": it.box_id, "key": key})).await).await)
            .unwrap();
    let grant: link_protocol::local::TillGrant = serde_json::from_str(&signed.grant).unwrap();
    assert_eq!((grant.origin.as_str(), &grant.key, &grant.box_id), (browser.origin(), &key, &it.box_id));
    let public = data_encoding::BASE64.decode(it.grant.unwrap().grant_key.as_bytes()).unwrap();
    let signature = data_encoding::BASE64.decode(signed.signature.as_bytes()).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(signed.grant.as_bytes(), &signature).unwrap();
    let bad = browser.post("/till/grant", &json!({"box": it.box_id, "key": "AAAA"})).await;
    assert_eq!(bad.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_hears_of_events_and_a_page_of_another_site_hears_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = TestServer::start().await;
    let it = server.paired_box("Shop").await;
    let browser = Browser::signed_in(&server, "cashier").await;
    let host = browser.origin().trim_start_matches("https://").to_owned();
    let open = async |origin: &str| {
        let mut tls = it.tls();
        tls.alpn_protocols.clear();
        let mut wire = crate::testing::TestWire::open(server.address, tls).await.unwrap();
        let request = format!(
            "GET /web/ws HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            browser.cookie.as_deref().unwrap()
        );
        wire.stream.write_all(request.as_bytes()).await.unwrap();
        (wire, String::new())
    };
    let read_until = async |(wire, heard): &mut (crate::testing::TestWire, String), what: &str| {
        let reading = async {
            let mut chunk = [0u8; 4096];
            while !heard.contains(what) {
                let n = wire.stream.read(&mut chunk).await.unwrap();
                assert!(n > 0, "closed after {heard}");
                heard.push_str(&String::from_utf8_lossy(&chunk[..n]));
            }
        };
        tokio::time::timeout(crate::testing::PATIENCE, reading).await.expect(what);
    };
    let mut refused = open("https://evil.example").await;
    read_until(&mut refused, "HTTP/1.1 403").await;
    let mut page = open(browser.origin()).await;
    read_until(&mut page, "HTTP/1.1 101").await;
    read_until(&mut page, "\"msg\":\"ready\"").await;
    let live = json!({"device": "scale-1", "type": "weight", "data": {"condition": "motion", "weight": null}});
    let (mut wire, _) = it.session(server.address).await;
    wire.send(crate::hub::tests::publish(&it.topic("up/live"), 0, live.to_string())).await;
    read_until(&mut page, "\"msg\":\"live\"").await;
}

fn rpc(model: &str, method: &str, args: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": "call", "id": 1,
        "params": {"model": model, "method": method, "args": args, "kwargs": {}}})
}

impl Browser<'_> {
    async fn call(&self, model: &str, method: &str, args: Value) -> Value {
        read(self.post("/web/dataset/call_kw", &rpc(model, method, &args)).await).await
    }

    async fn form(&self, path: &str, body: String) -> Response<Body> {
        let request = self
            .request(Method::POST, path)
            .header(header::ORIGIN, self.origin())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body));
        self.send(request.unwrap()).await
    }
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_chooses_a_password_by_his_link_once() {
    let server = TestServer::start().await;
    let (admin, cashier) = (Browser::signed_in(&server, "admin").await, Browser::signed_in(&server, "cashier").await);
    let made = admin.call("res.users", "create", json!([{"login": "nora", "name": "Nora"}])).await;
    let nora = made["result"].as_i64().unwrap();
    let refused = cashier.call("res.users", "action_reset_password", json!([[nora]])).await;
    assert!(refused["error"]["data"]["message"].as_str().unwrap().contains("Access Rights"), "{refused}");
    let link = admin.call("res.users", "action_reset_password", json!([[nora]])).await;
    let url = link["result"]["params"]["links"][0]["url"].as_str().unwrap().to_owned();
    let path = &url[url.find("/web/").unwrap()..];
    assert!(path.starts_with("/web/signup?token="), "{url}");
    let token = path.split('=').nth(1).unwrap();

    let nobody = Browser::new(&server);
    let page = text(nobody.get(path).await).await;
    assert!(page.contains("nora") && page.contains("At least 8 characters."), "{page}");
    let choose = async |password: &str, again: &str| {
        nobody.form("/web/signup", format!("token={token}&password={password}&again={again}")).await
    };
    assert_eq!(choose("long-enough", "long-enougj").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(choose("short", "short").await).await.contains("at least 8 characters"));
    let done = choose("long-enough", "long-enough").await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert!(done.headers().contains_key(header::SET_COOKIE));
    assert_eq!(choose("another-one", "another-one").await.status(), StatusCode::GONE);
    assert!(text(nobody.get(path).await).await.contains("This link was used or has expired"));
    let body = json!({"login": "nora", "password": "long-enough"});
    assert_eq!(nobody.post("/web/login", &body).await.status(), StatusCode::OK);
    let rows = admin.call("res.users", "read", json!([[nora], ["password", "state", "share"]])).await;
    assert_eq!(rows["result"][0], json!({"id": nora, "password": false, "state": "active", "share": false}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_or_an_archived_user_ends_every_session() {
    let server = TestServer::start().await;
    let (one, two) = (Browser::signed_in(&server, "cashier").await, Browser::signed_in(&server, "cashier").await);
    let wrong = one.call("res.users", "change_password", json!(["guessed", "long-enough"])).await;
    assert!(wrong["error"]["data"]["message"].as_str().unwrap().contains("old password is wrong"), "{wrong}");
    let short = one.call("res.users", "change_password", json!([PASSWORD, "short"])).await;
    assert!(short["error"]["data"]["message"].as_str().unwrap().contains("at least 8"), "{short}");
    assert_eq!(two.get("/web/session").await.status(), StatusCode::OK);
    let done = one.call("res.users", "change_password", json!([PASSWORD, "long-enough"])).await;
    assert_eq!(done["result"], json!(true), "{done}");
    for browser in [&one, &two] {
        assert_eq!(browser.get("/web/session").await.status(), StatusCode::UNAUTHORIZED);
    }

    let admin = Browser::signed_in(&server, "admin").await;
    let found = admin.call("res.users", "search", json!([[["login", "=", "cashier"]]])).await;
    let id = found["result"][0].clone();
    let set = admin.call("res.users", "write", json!([[id], {"password": PASSWORD}])).await;
    assert_eq!(set["result"], json!(true), "{set}");
    let again = Browser::signed_in(&server, "cashier").await;
    let own = again.call("res.users", "write", json!([[id], {"password": "long-enough"}])).await;
    assert!(own.get("error").is_some(), "his own he changes with the old one: {own}");
    admin.call("res.users", "write", json!([[id], {"active": false}])).await;
    assert_eq!(again.get("/web/session").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn superuser_mode_is_for_administrators_and_is_noted() {
    let server = TestServer::start().await;
    let cashier = Browser::new(&server);
    let body = json!({"login": "cashier", "password": PASSWORD, "superuser": "1"});
    assert_eq!(cashier.post("/web/login", &body).await.status(), StatusCode::FORBIDDEN);
    assert!(!text(cashier.get("/web/login").await).await.contains("Log in as superuser"));
    assert!(text(cashier.get("/web/login?debug=1").await).await.contains("Log in as superuser"));

    let admin = Browser::signed_in(&server, "admin").await;
    let rule = json!([{"name": "nobody", "model_id": 0, "domain_force": "[(0, '=', 1)]"}]);
    let model = admin.call("ir.model", "search", json!([[["model", "=", "iot.box"]]])).await["result"][0].clone();
    let mut rule = rule;
    rule[0]["model_id"] = model;
    admin.call("ir.rule", "create", rule).await;
    let mut system = server.state.engine.superuser("test").await.unwrap();
    system.create("iot.box", erp_engine::values! { "box_id" => "b1", "name" => "Shop" }).await.unwrap();
    system.commit().await.unwrap();
    let count = async || admin.call("iot.box", "search_count", json!([[]])).await["result"].clone();
    assert_eq!(count().await, json!(0), "a rule may lock everybody out");
    assert_eq!(admin.post("/web/become_superuser", &json!({})).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(count().await, json!(1), "but not the superuser");
    assert_eq!(read(admin.get("/web/session").await).await["superuser"], json!(true));
    assert!(text(admin.get("/").await).await.contains("Superuser"));
    let noted = admin.call("iot.audit", "search_count", json!([[["action", "=", "became_superuser"]]])).await;
    assert_eq!(noted["result"], json!(1), "{noted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_turns_developer_mode_on_for_one_session() {
    let server = TestServer::start().await;
    let (admin, other) = (Browser::signed_in(&server, "admin").await, Browser::signed_in(&server, "admin").await);
    let technical = async |who: &Browser<'_>| {
        text(who.get("/web/webclient/load_menus").await).await.contains("\"base.menu_technical\"")
    };
    let mode = async |who: &Browser<'_>| {
        read(who.post("/web/session/get_session_info", &json!({"params": {}})).await).await["result"]["debug"].clone()
    };
    assert_eq!((technical(&admin).await, mode(&admin).await), (false, json!("")));
    for (wish, kept) in [("1", "1"), ("assets", "assets"), ("assets%2Ctests", "assets,tests"), ("yes", "1"), ("0", "")]
    {
        assert_eq!(admin.get(&format!("/web?debug={wish}")).await.status(), StatusCode::OK);
        assert_eq!(mode(&admin).await, json!(kept), "{wish}");
        assert_eq!(technical(&admin).await, !kept.is_empty(), "{wish}");
        assert!(!technical(&other).await, "another session is not meant");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_learns_its_users_language_and_how_it_is_written() {
    let server = TestServer::start().await;
    let admin = Browser::signed_in(&server, "admin").await;
    let found = admin.call("res.lang", "search", json!([[["code", "=", "de_DE"], ["active", "=", false]]])).await;
    let added = admin.call("res.lang", "write", json!([found["result"], {"active": true}])).await;
    assert_eq!(added["result"], json!(true), "{added}");
    let info = async || {
        read(admin.post("/web/session/get_session_info", &json!({"params": {}})).await).await["result"].clone()
    };
    let english = info().await;
    assert_eq!(english["lang_parameters"]["date_format"], "%m/%d/%Y");
    assert!(text(admin.get("/web/webclient/load_menus").await).await.contains("\"Settings\""));
    let uid = english["uid"].clone();
    let chosen = admin.call("res.users", "write", json!([[uid], {"lang": "de_DE"}])).await;
    assert_eq!(chosen["result"], json!(true), "{chosen}");
    let german = info().await;
    assert_eq!(german["user_context"]["lang"], "de_DE");
    assert_eq!(german["bundle_params"]["lang"], "de_DE");
    assert_eq!(
        (&german["lang_parameters"]["decimal_point"], &german["lang_parameters"]["week_start"]),
        (&json!(","), &json!(1))
    );
    assert_ne!(german["cache_hashes"], english["cache_hashes"], "what a browser kept is of the other language");
    assert!(text(admin.get("/web/webclient/load_menus").await).await.contains("\"Einstellungen\""));

    let nobody = Browser::new(&server);
    let words = read(nobody.get("/web/webclient/translations?lang=de_DE&mods=base,web").await).await;
    assert_eq!((&words["lang"], &words["multi_lang"]), (&json!("de_DE"), &json!(true)));
    assert_eq!(words["lang_parameters"]["thousands_sep"], ".");
    assert_eq!(words["hash"].as_str().unwrap().len(), 40);
    let unknown = read(nobody.get("/web/webclient/translations/0?lang=xx_XX").await).await;
    assert_eq!((&unknown["modules"], &unknown["lang_parameters"]), (&json!({}), &Value::Null));
}
