//! The external API over TLS with connections that stay: `/jsonrpc` with a password, as most clients call it.
//!
//! The peer is Odoo 19.0 with two workers and PostgreSQL 18 on the same kind of machine, taken by hand with `wrk`: its
//! demonstration contacts and those that it had made in an earlier round of the same calls, about 300.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use system_tests::{
    http::tls,
    shop::{Options, Shop},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Figure, percentile, report};

const WARM_UP: Duration = Duration::from_secs(1);
const SITTING: Duration = Duration::from_secs(5);
const CONTACTS: usize = 300;

pub(crate) async fn run() -> Result<()> {
    let dir = TempDir::new_in(".")?;
    let mut shop = Shop::prepare(Options::new(dir.path())).await?;
    shop.start_erp().await?;
    let measured = measure(&shop).await;
    shop.close().await?;
    measured
}

async fn measure(shop: &Shop) -> Result<()> {
    let api = Api::sign_in(shop).await?;
    api.fill().await?;
    let ten = api.call("search_read", json!([[], ["name", "email", "phone"]]), json!({"limit": 10}));
    rate(&api, "api_search_read_10", &ten, 4, Some(3_000.0), 209.0, Some((5.0, 33.0))).await?;
    let fields = json!([[], ["name", "email", "phone", "city", "country_id", "parent_id", "category_id"]]);
    let eighty = api.call("search_read", fields, json!({"limit": 80}));
    rate(&api, "api_search_read_80", &eighty, 4, Some(1_500.0), 97.0, None).await?;
    let count = api.call("search_count", json!([[["is_company", "=", true]]]), json!({}));
    rate(&api, "api_search_count", &count, 4, Some(3_000.0), 203.0, None).await?;
    let group = api.call("read_group", json!([[], ["color:sum"], ["country_id"]]), json!({"lazy": false}));
    rate(&api, "api_read_group", &group, 4, Some(2_000.0), 175.0, None).await?;
    let create = api.call("create", json!([{"name": "Bench", "email": "bench@example.com"}]), json!({}));
    rate(&api, "api_create_1_client", &create, 1, Some(1_000.0), 40.0, None).await?;
    rate(&api, "api_create_4_clients", &create, 4, Some(1_500.0), 52.0, None).await?;
    load(&api).await
}

/// New contacts with their country by name, and the same again.
async fn load(api: &Api) -> Result<()> {
    const ROWS: usize = 1_000;
    let rows: Vec<Value> = (0..ROWS)
        .map(|n| json!([format!("bench.contact_{n}"), format!("Loaded {n}"), format!("l{n}@example.com"), "Belgium"]))
        .collect();
    let body = api.call("load", json!([["id", "name", "email", "country_id"], rows]), json!({}));
    for (name, goal, peer) in [("api_load_new", 20_000.0, 449.0), ("api_load_update", 15_000.0, 110.0)] {
        let mut connection = api.connect().await?;
        let began = Instant::now();
        let answer = connection.ask(&body).await?;
        let taken = began.elapsed().as_secs_f64();
        ensure!(answer["result"]["ids"].is_array(), "load answered {answer}");
        report(&Figure {
            name,
            value: crate::count(ROWS) / taken,
            unit: "rows/s",
            goal: Some((">=", goal)),
            peer: Some(("odoo19", peer)),
        });
    }
    Ok(())
}

/// Calls of several clients, each waiting for its answer before it asks again.
async fn rate(
    api: &Api,
    name: &str,
    body: &[u8],
    clients: usize,
    goal: Option<f64>,
    peer: f64,
    p99: Option<(f64, f64)>,
) -> Result<()> {
    let answer = api.connect().await?.ask(body).await?;
    ensure!(answer.get("result").is_some(), "{name}: {answer}");
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let (mut connection, body) = (api.connect().await?, body.to_vec());
        tasks.push(tokio::spawn(async move {
            let mut samples = Vec::new();
            while began.elapsed() < WARM_UP + SITTING {
                let asked = Instant::now();
                connection.exchange(&body).await?;
                if began.elapsed() > WARM_UP {
                    samples.push(asked.elapsed().as_secs_f64() * 1_000.0);
                }
            }
            Ok::<_, anyhow::Error>(samples)
        }));
    }
    let mut samples = Vec::new();
    for task in tasks {
        samples.extend(task.await??);
    }
    let value = crate::count(samples.len()) / SITTING.as_secs_f64();
    let goal = goal.map(|goal| (">=", goal));
    report(&Figure { name, value, unit: "/s", goal, peer: Some(("odoo19", peer)) });
    let (goal, peer) = p99.map_or((None, None), |(goal, peer)| (Some(("<=", goal)), Some(("odoo19", peer))));
    let value = percentile(&mut samples, 99);
    report(&Figure { name: &format!("{name}_p99"), value, unit: "ms", goal, peer });
    Ok(())
}

pub(crate) struct Api {
    address: std::net::SocketAddr,
    tls: TlsConnector,
    database: String,
    uid: i64,
    password: String,
}

impl Api {
    pub(crate) async fn sign_in(shop: &Shop) -> Result<Api> {
        let ca = shop.erp_http(None)?.get("/iot/v1/ca.pem").await?.text();
        let tls = TlsConnector::from(tls(Some(&ca))?);
        let mut api =
            Api { address: shop.erp_address, tls, database: String::new(), uid: 0, password: shop.password.clone() };
        let mut connection = api.connect().await?;
        let list = envelope(&json!({"service": "db", "method": "list", "args": []}));
        let listed = connection.ask(&list).await?;
        api.database = listed["result"][0].as_str().context("the server lists no database")?.to_owned();
        let args = json!([api.database, "admin", api.password]);
        let login = envelope(&json!({"service": "common", "method": "login", "args": args}));
        api.uid = connection.ask(&login).await?["result"].as_i64().context("the login was refused")?;
        Ok(api)
    }

    pub(crate) fn call(&self, method: &str, args: Value, kwargs: Value) -> Vec<u8> {
        self.call_on("res.partner", method, args, kwargs)
    }

    pub(crate) fn call_on(&self, model: &str, method: &str, args: Value, kwargs: Value) -> Vec<u8> {
        let args = json!([self.database, self.uid, self.password, model, method, args, kwargs]);
        envelope(&json!({"service": "object", "method": "execute_kw", "args": args}))
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        Ok(Connection { tls: self.tls.connect(name, stream).await?, buffer: Vec::with_capacity(64 * 1024) })
    }

    async fn fill(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        let countries = self.call_on("res.country", "search", json!([[]]), json!({"limit": 20}));
        let countries = connection.ask(&countries).await?["result"].as_array().cloned().unwrap_or_default();
        for batch in 0..CONTACTS / 100 {
            let rows: Vec<Value> = (0..100)
                .map(|n| {
                    let number = batch * 100 + n;
                    let country = countries.get(number % countries.len().max(1)).cloned().unwrap_or(false.into());
                    json!({
                        "name": format!("Contact {number}"),
                        "email": format!("contact{number}@example.com"),
                        "phone": format!("+32 2 {number:06}"),
                        "street": format!("Long Street {number}"),
                        "city": "Ghent",
                        "is_company": number % 3 == 0,
                        "country_id": country,
                    })
                })
                .collect();
            let answer = connection.ask(&self.call("create", json!([rows]), json!({}))).await?;
            ensure!(answer["result"].is_array(), "creating contacts: {answer}");
        }
        Ok(())
    }
}

fn envelope(params: &Value) -> Vec<u8> {
    let body = json!({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}).to_string();
    let head = "POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) struct Connection {
    tls: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Value> {
        let body = self.exchange(request).await?;
        Ok(serde_json::from_slice(&self.buffer[body..])?)
    }

    /// Where the body begins in the buffer, which ends with it. No more is looked at: the load must cost little.
    async fn exchange(&mut self, request: &[u8]) -> Result<usize> {
        self.tls.write_all(request).await?;
        self.tls.flush().await?;
        self.buffer.clear();
        loop {
            ensure!(self.tls.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            let Some(head) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4) else { continue };
            let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
            ensure!(text.starts_with("http/1.1 200"), "{text}");
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).context("no length")?;
            let whole = head + length.trim().parse::<usize>()?;
            while self.buffer.len() < whole {
                ensure!(self.tls.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            }
            return Ok(head);
        }
    }
}
