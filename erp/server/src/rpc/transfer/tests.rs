use std::net::SocketAddr;

use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::testing::{PASSWORD, TestServer, on_both};

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }
}

async fn send(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let peer: SocketAddr = "127.0.0.1:5".parse().unwrap();
    let host = server.state.config.public_url.trim_start_matches("https://").to_owned();
    let mut request =
        Request::builder().method(method).uri(path).header(header::HOST, host).extension(ConnectInfo(peer));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = server.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: to_bytes(response.into_body(), 1 << 24).await.unwrap().to_vec() }
}

async fn sign_in(server: &TestServer) -> String {
    let params = json!({ "params": { "db": server.state.config.db.as_str(), "login": "admin", "password": PASSWORD } });
    let json = [("content-type", "application/json")];
    let answer = send(server, "POST", "/web/session/authenticate", &json, params.to_string().into_bytes()).await;
    let cookie = answer.headers.get(header::SET_COOKIE).expect("a session").to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn call(server: &TestServer, cookie: &str, path: &str, params: Value) -> Value {
    let headers = [("content-type", "application/json"), ("cookie", cookie)];
    let answer = send(server, "POST", path, &headers, json!({ "params": params }).to_string().into_bytes()).await;
    let mut answer = answer.json();
    assert!(answer["error"].is_null(), "{answer:#}");
    answer["result"].take()
}

async fn call_kw(server: &TestServer, cookie: &str, model: &str, method: &str, args: Value) -> Value {
    let params = json!({ "model": model, "method": method, "args": args, "kwargs": {} });
    call(server, cookie, "/web/dataset/call_kw", params).await
}

fn form(import: &Value, file: &[u8]) -> Vec<u8> {
    let mut form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{import}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"ufile\"; filename=\"products.csv\"\r\nContent-Type: text/csv\r\n\r\n"
    )
    .into_bytes();
    form.extend_from_slice(file);
    form.extend_from_slice(b"\r\n--b--\r\n");
    form
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=b");

async fn a_file_goes_in_by_upload_preview_and_run_and_comes_out_again(server: TestServer) {
    let cookie = sign_in(&server).await;
    let create = json!([{ "res_model": "res.partner" }]);
    let import = call_kw(&server, &cookie, "base_import.import", "create", create).await;
    // More than one piece.
    let mut file = b"External ID;Name;City;Zzyx\n".to_vec();
    for n in 0..6_000 {
        file.extend_from_slice(format!("c{n};Company {n};Li\u{e8}ge;{}\n", "-".repeat(60)).as_bytes());
    }
    let headers = [FORM, ("cookie", cookie.as_str())];
    let answer = send(&server, "POST", "/base_import/set_file", &headers, form(&import, &file)).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "result": true })));
    let preview = call_kw(&server, &cookie, "base_import.import", "parse_preview", json!([[import], {}])).await;
    assert_eq!(preview["num_rows"], 6_000, "{preview:#}");
    assert_eq!(preview["matches"], json!({ "0": ["id"], "1": ["name"], "2": ["city"] }));
    let args = json!([
        [import],
        ["id", "name", "city", false],
        ["External ID", "Name", "City", "Zzyx"],
        preview["options"],
        false
    ]);
    let done = call_kw(&server, &cookie, "base_import.import", "execute_import", args).await;
    assert_eq!(done["ids"].as_array().map(Vec::len), Some(6_000), "{:#}", done["messages"]);

    let wish = json!({
        "model": "res.partner", "ids": false, "domain": [["name", "=", "Company 4711"]], "import_compat": true,
        "fields": [{ "name": "id", "label": "External ID" }, { "name": "name", "label": "Name" }, { "name": "city", "label": "City" }],
    });
    let coded: String = wish.to_string().bytes().map(|b| format!("%{b:02X}")).collect();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie.as_str())];
    let answer = send(&server, "POST", "/web/export/csv", &headers, format!("data={coded}").into_bytes()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(String::from_utf8(answer.body).unwrap(), "id,name,city\n__import__.c4711,Company 4711,Liège\n");
    assert!(answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment; filename="));
    let answer = send(&server, "POST", "/web/export/xlsx", &headers, format!("data={coded}").into_bytes()).await;
    assert!(answer.body.starts_with(b"PK"));
}

async fn choices_of_an_export_and_templates_are_served(server: TestServer) {
    let cookie = sign_in(&server).await;
    let formats = call(&server, &cookie, "/web/export/formats", json!({})).await;
    assert_eq!(formats[1], json!({ "tag": "csv", "label": "CSV", "error": null }));
    let params = json!({ "model": "res.partner", "import_compat": true, "domain": [] });
    let fields = call(&server, &cookie, "/web/export/get_fields", params).await;
    assert!(fields.as_array().unwrap().iter().any(|field| field["id"] == "city"), "{fields:#}");
    let create = json!([{ "name": "t", "resource": "res.partner", "export_fields": [[0, 0, { "name": "city" }]] }]);
    let export = call_kw(&server, &cookie, "ir.exports", "create", create).await;
    let params = json!({ "model": "res.partner", "export_id": export });
    let names = call(&server, &cookie, "/web/export/namelist", params).await;
    assert_eq!(names[0]["name"], "city");
    let answer =
        send(&server, "GET", "/base_import/template/res.partner", &[("cookie", cookie.as_str())], Vec::new()).await;
    assert!(answer.status == StatusCode::OK && answer.body.starts_with(b"PK"));
}

async fn strangers_and_broken_forms_are_refused(server: TestServer) {
    let file = form(&json!(1), b"name\nx\n");
    let answer = send(&server, "POST", "/base_import/set_file", &[FORM], file.clone()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let cookie = sign_in(&server).await;
    let elsewhere = [FORM, ("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(send(&server, "POST", "/base_import/set_file", &elsewhere, file).await.status, StatusCode::FORBIDDEN);
    let headers = [FORM, ("cookie", cookie.as_str())];
    let cut = form(&json!(1), b"name\nx\n");
    let answer = send(&server, "POST", "/base_import/set_file", &headers, cut[..cut.len() - 9].to_vec()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let gone = send(&server, "POST", "/base_import/set_file", &headers, form(&json!(999_999), b"name\nx\n")).await;
    assert!(gone.status.is_client_error(), "{}", gone.status);
}

on_both!(
    a_file_goes_in_by_upload_preview_and_run_and_comes_out_again,
    choices_of_an_export_and_templates_are_served,
    strangers_and_broken_forms_are_refused,
);
