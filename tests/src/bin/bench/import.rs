//! A file of contacts through the import as people use it: upload, preview, run. How fast, whether it slows down as it
//! grows, and what the server takes while it does it.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hyper::{Method, body::Bytes};
use serde_json::{Value, json};
use system_tests::{
    http::Client,
    shop::{ADMIN, Options, Shop},
};
use tempfile::TempDir;

use crate::{Figure, count, report, resources::pss_kib};

const SMALL: usize = 100_000;
const LARGE: usize = 1_000_000;

pub(crate) async fn run() -> Result<()> {
    let dir = TempDir::new_in(".")?;
    let mut shop = Shop::prepare(Options::new(dir.path())).await?;
    shop.start_erp().await?;
    let measured = measure(&shop).await;
    shop.close().await?;
    measured
}

async fn measure(shop: &Shop) -> Result<()> {
    let mut http = shop.erp_http(Some(&shop.ca().await?))?;
    log_in(&mut http, ADMIN, &shop.password).await?;
    let pid = shop.erp.as_ref().context("the ERP runs")?.pid()?;
    let small = import(&http, "small", SMALL).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(peak(pid, Arc::clone(&stop)));
    let large = import(&http, "large", LARGE).await?;
    stop.store(true, Ordering::Relaxed);
    let peak = watch.await??;
    let figure = |name, value, unit, goal| report(&Figure { name, value, unit, goal, peer: None });
    figure("import_100k_rows", small, "rows/s", None);
    figure("import_1m_rows", large, "rows/s", None);
    figure("import_1m_rate_to_100k_rate", large / small, "ratio", Some((">=", 0.8)));
    figure("import_1m_pss_peak", peak / 1024.0, "MiB", Some(("<=", 150.0)));
    Ok(())
}

pub(crate) async fn log_in(http: &mut Client, login: &str, password: &str) -> Result<()> {
    let list = rpc(http, "/web/database/list", json!({})).await?;
    let params = json!({ "db": list[0], "login": login, "password": password });
    let body = json!({ "jsonrpc": "2.0", "method": "call", "id": 1, "params": params });
    http.sign_in("/web/session/authenticate", &body).await
}

/// The largest proportional set size seen, KiB.
async fn peak(pid: i32, stop: Arc<AtomicBool>) -> Result<f64> {
    let mut largest = 0.0f64;
    while !stop.load(Ordering::Relaxed) {
        largest = largest.max(pss_kib(pid)?);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(largest)
}

/// Rows a second, from the first byte of the upload to the answer of the run.
pub(crate) async fn import(http: &Client, tag: &str, rows: usize) -> Result<f64> {
    let id = call(http, "create", json!([{ "res_model": "res.partner" }])).await?;
    let began = Instant::now();
    let body = form(&id, &file(tag, rows)?);
    let sent = http.send(Method::POST, "/base_import/set_file", Some(body), "multipart/form-data; boundary=b").await?;
    sent.ok().context("upload")?;
    let preview = call(http, "parse_preview", json!([[id], {}])).await?;
    let columns = ["External ID", "Name", "Email", "Phone", "Street", "City", "Country"];
    let fields = ["id", "name", "email", "phone", "street", "city", "country_id"];
    let done = call(http, "execute_import", json!([[id], fields, columns, preview["options"], false])).await?;
    let taken = began.elapsed().as_secs_f64();
    ensure!(done["ids"].as_array().map(Vec::len) == Some(rows), "{}", done["messages"]);
    Ok(count(rows) / taken)
}

fn file(tag: &str, rows: usize) -> Result<String> {
    const COUNTRIES: [&str; 5] = ["Belgium", "Germany", "France", "Netherlands", "Luxembourg"];
    let mut text = String::from("External ID,Name,Email,Phone,Street,City,Country\n");
    for n in 0..rows {
        let country = COUNTRIES[n % COUNTRIES.len()];
        writeln!(text, "{tag}_{n},Contact {n},c{n}@example.com,+32 2 {n:07},Long Street {n},Ghent,{country}")?;
    }
    Ok(text)
}

fn form(id: &Value, file: &str) -> Bytes {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"ufile\"; filename=\"contacts.csv\"\r\nContent-Type: text/csv\r\n\r\n"
    );
    [head.as_bytes(), file.as_bytes(), b"\r\n--b--\r\n"].concat().into()
}

async fn call(http: &Client, method: &str, args: Value) -> Result<Value> {
    let params = json!({ "model": "base_import.import", "method": method, "args": args, "kwargs": {} });
    rpc(http, "/web/dataset/call_kw", params).await
}

async fn rpc(http: &Client, path: &str, params: Value) -> Result<Value> {
    let body = json!({ "jsonrpc": "2.0", "method": "call", "id": 1, "params": params });
    let mut answer: Value = http.post_json(path, &body).await?;
    ensure!(answer.get("error").is_none(), "{path}: {}", answer["error"]["data"]["message"]);
    Ok(answer["result"].take())
}
