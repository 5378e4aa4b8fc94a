use std::net::SocketAddr;

use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use erp_engine::{Uid, domain, values};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Class, keys};
use crate::{
    sessions::hash_password,
    testing::{PASSWORD, TestServer, on_both},
};

async fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: String) -> (StatusCode, String) {
    let peer: SocketAddr = "127.0.0.1:5".parse().unwrap();
    let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json").extension(ConnectInfo(peer));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = server.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn object(server: &TestServer, uid: Uid, secret: &str, model: &str, method: &str, args: Value) -> Value {
    let args = json!(["shop", uid, secret, model, method, args]);
    let body = json!({"id": 1, "params": {"service": "object", "method": "execute_kw", "args": args}}).to_string();
    let (status, body) = post(server, "/jsonrpc", &[], body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str(&body).unwrap()
}

async fn count(server: &TestServer, uid: Uid, secret: &str) -> Value {
    object(server, uid, secret, "product.product", "search_count", json!([[]])).await
}

fn is_denied(answer: &Value) -> bool {
    answer["error"]["data"]["name"] == "odoo.exceptions.AccessDenied"
}

async fn a_login_is_remembered_until_the_password_changes(server: TestServer) {
    assert!(count(&server, server.cashier, PASSWORD).await["result"].is_i64());
    // Remembered: as fast as no hashing of a password is.
    let start = std::time::Instant::now();
    for _ in 0..20 {
        assert!(count(&server, server.cashier, PASSWORD).await["result"].is_i64());
    }
    assert!(start.elapsed().as_millis() < 2_000, "{:?}", start.elapsed());
    let mut env = server.state.engine.superuser("test").await.unwrap();
    let mine = domain!(["login", "=", "cashier"]);
    env.write_where("res.users", &mine, values! { "password_hash" => hash_password("another").unwrap() })
        .await
        .unwrap();
    env.commit().await.unwrap();
    assert!(is_denied(&count(&server, server.cashier, PASSWORD).await));
    assert!(count(&server, server.cashier, "another").await["result"].is_i64());
    let mut env = server.state.engine.superuser("test").await.unwrap();
    env.write_where("res.users", &mine, values! { "active" => false }).await.unwrap();
    env.commit().await.unwrap();
    assert!(is_denied(&count(&server, server.cashier, "another").await));
}

async fn one_users_secret_opens_no_other_user(server: TestServer) {
    let mut env = server.state.engine.superuser("test").await.unwrap();
    let hash = hash_password("only the cashier's").unwrap();
    let mine = domain!(["login", "=", "cashier"]);
    env.write_where("res.users", &mine, values! { "password_hash" => hash }).await.unwrap();
    let key = keys::make(&mut env, server.cashier, "test", None).await.unwrap();
    env.commit().await.unwrap();
    for secret in ["only the cashier's", key.as_str()] {
        assert!(count(&server, server.cashier, secret).await["result"].is_i64());
        assert!(is_denied(&count(&server, server.admin, secret).await));
    }
}

async fn a_key_works_until_it_expires_or_is_deleted(server: TestServer) {
    let bearer = async |key: &str| {
        let header = format!("Bearer {key}");
        post(
            &server,
            "/json/2/product.product/search_count",
            &[("authorization", &header)],
            json!({"domain": []}).to_string(),
        )
        .await
        .0
    };
    let mut env = server.state.engine.superuser("test").await.unwrap();
    let soon = Timestamp::now() + SignedDuration::from_hours(1);
    let key = keys::make(&mut env, server.cashier, "lasting", Some(soon)).await.unwrap();
    let old = Timestamp::now() - SignedDuration::from_hours(1);
    let expired = keys::make(&mut env, server.cashier, "old", Some(old)).await.unwrap();
    env.commit().await.unwrap();
    assert_eq!(bearer(&key).await, StatusCode::OK);
    assert_eq!(bearer(&expired).await, StatusCode::UNAUTHORIZED);
    assert_eq!(bearer(&"0".repeat(40)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(bearer(PASSWORD).await, StatusCode::UNAUTHORIZED);
    let mut env = server.state.engine.superuser("test").await.unwrap();
    let mine =
        env.search(keys::MODEL, &domain!(["name", "=", "lasting"]), erp_engine::Search::default()).await.unwrap();
    env.unlink(keys::MODEL, &mine).await.unwrap();
    env.commit().await.unwrap();
    assert_eq!(bearer(&key).await, StatusCode::UNAUTHORIZED);
}

async fn people_choose_three_months_at_most_and_see_only_their_own_keys(server: TestServer) {
    let as_cashier = async |model: &str, method: &str, args: Value| {
        object(&server, server.cashier, PASSWORD, model, method, args).await
    };
    let asked = as_cashier("res.users.apikeys.description", "create", json!([{"name": "k", "duration": "365"}])).await;
    let answer = as_cashier("res.users.apikeys.description", "make_key", json!([asked["result"]])).await;
    assert!(answer["error"]["data"]["message"].as_str().unwrap().contains("3 months"), "{answer}");
    let mut env = server.state.engine.superuser("test").await.unwrap();
    keys::make(&mut env, server.admin, "the administrator's", None).await.unwrap();
    keys::make(&mut env, server.cashier, "the cashier's", None).await.unwrap();
    env.commit().await.unwrap();
    let seen = as_cashier(keys::MODEL, "search_read", json!([[], ["name"]])).await;
    let names: Vec<&str> = seen["result"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["the cashier's"]);
    let made = json!([{"name": "x", "user_id": server.admin}]);
    let refused = as_cashier(keys::MODEL, "create", made).await;
    assert_eq!(refused["error"]["data"]["name"], "odoo.exceptions.AccessError");
}

async fn guessing_makes_an_address_and_a_login_wait(server: TestServer) {
    let mut classes = Vec::new();
    for guess in 0..7 {
        let answer =
            server.state.rpc.logins.login("admin", &format!("guess {guess}"), "10.0.0.1".parse().unwrap()).await;
        classes.push(answer.map_err(|fault| fault.class));
    }
    assert_eq!(classes[0], Ok(None));
    assert_eq!(classes[6], Err(Class::TooMany));
    // From elsewhere as well: the login waits too.
    let elsewhere = server.state.rpc.logins.login("admin", "guess", "10.9.9.9".parse().unwrap()).await;
    assert_eq!(elsewhere.unwrap_err().class, Class::TooMany);
    let other = server.state.rpc.logins.login("cashier", PASSWORD, "10.9.9.9".parse().unwrap()).await;
    assert_eq!(other.unwrap(), Some(server.cashier));
}

async fn no_fault_tells_of_the_inside(server: TestServer) {
    let bodies = [
        json!({"service": "object", "method": "execute", "args": ["shop", server.admin, PASSWORD, "product.product", "create", {"name": {"a": 1}}]}),
        json!({"service": "object", "method": "execute", "args": ["shop", server.admin, PASSWORD, "product.product", "search", [["id", "=", "x'--"]]]}),
        json!({"service": "object", "method": "execute", "args": ["shop", server.admin, PASSWORD, "product.product", "search", [], 0, 1, "id; DROP"]}),
        json!({"service": "object", "method": "execute", "args": ["shop", server.admin, PASSWORD, "res.users", "read", [1], ["password_hash"]]}),
        json!({"service": "object", "method": "execute", "args": ["shop"]}),
        json!({"service": "object", "method": "execute", "args": "x"}),
        json!({"service": "nothing", "method": "x", "args": []}),
        json!([]),
    ];
    for body in bodies {
        let (_, answer) = post(&server, "/jsonrpc", &[], json!({"id": 1, "params": body}).to_string()).await;
        assert!(answer.contains("\"error\""), "{answer}");
        for word in [env!("CARGO_MANIFEST_DIR"), "/src/", ".rs", "sqlx", "SELECT", "INSERT", "panicked", "argon2"] {
            assert!(!answer.contains(word), "{word}: {answer}");
        }
    }
}

on_both!(
    a_login_is_remembered_until_the_password_changes,
    one_users_secret_opens_no_other_user,
    a_key_works_until_it_expires_or_is_deleted,
    people_choose_three_months_at_most_and_see_only_their_own_keys,
    guessing_makes_an_address_and_a_login_wait,
    no_fault_tells_of_the_inside,
);
