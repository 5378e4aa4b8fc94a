//! The ERP as its users reach it.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use link_protocol::{ids::BoxId, local::SignedGrant, outcome::Outcome};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    http::Client,
    programs::until,
    till::{Socket, connect_socket},
};

#[derive(Clone)]
pub struct Erp {
    pub http: Client,
}

#[derive(Debug, Clone, Deserialize)]
pub struct PendingBox {
    pub session: String,
    pub serial: String,
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct TillConfig {
    pub products: Vec<Product>,
    pub boxes: Vec<BoxRow>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Product {
    pub id: i64,
    pub name: String,
    pub barcode: Option<String>,
    #[serde(default)]
    pub to_weight: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct BoxRow {
    pub box_id: BoxId,
    pub name: String,
    #[serde(default)]
    pub online: bool,
    #[serde(default)]
    pub devices: Vec<Value>,
}

impl Erp {
    pub async fn sign_in(&mut self, login: &str, password: &str) -> Result<()> {
        self.http.origin = Some(self.http.url());
        self.http.sign_in("/web/login", &json!({ "login": login, "password": password })).await
    }

    pub async fn pending(&self) -> Result<Vec<PendingBox>> {
        self.http.get_json("/iot/pending").await
    }

    /// Waits for the box to ask, then types the code.
    pub async fn pair_by_code(&self, code: &str) -> Result<Value> {
        let pending = until("a box that asks to be paired", Duration::from_secs(20), || async {
            Ok(self.pending().await?.into_iter().next())
        })
        .await?;
        self.connect(&pending.session, code).await
    }

    pub async fn connect(&self, session: &str, code: &str) -> Result<Value> {
        self.http.post_json("/iot/connect", &json!({ "session": session, "code": code })).await
    }

    pub async fn token(&self) -> Result<String> {
        let answer: Value = self.http.post_json("/iot/token", &json!({})).await?;
        Ok(answer["token"].as_str().context("the answer has no token")?.to_owned())
    }

    pub async fn till_config(&self) -> Result<TillConfig> {
        self.http.get_json("/till/config").await
    }

    pub async fn grant(&self, box_id: &BoxId, key: &str) -> Result<SignedGrant> {
        self.http.post_json("/till/grant", &json!({ "box": box_id, "key": key })).await
    }

    pub async fn command(&self, body: &Value) -> Result<()> {
        self.http.post("/till/command", body).await?.ok()?;
        Ok(())
    }

    pub async fn print(&self, body: &Value) -> Result<()> {
        self.http.post("/till/print", body).await?.ok()?;
        Ok(())
    }

    /// The outcome, once there is one.
    pub async fn outcome(&self, command_id: &str, limit: Duration) -> Result<Outcome> {
        let path = format!("/till/command/{command_id}?wait=5");
        until(&format!("the outcome of {command_id}"), limit, || async {
            let answer: Value = self.http.get_json(&path).await?;
            match &answer["outcome"] {
                Value::Null => Ok(None),
                outcome => Ok(Some(serde_json::from_value(outcome.clone())?)),
            }
        })
        .await
    }

    /// Events after the row `after`, oldest first, as the Events page gets them.
    pub async fn events(&self, after: i64) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut after = after;
        loop {
            let rows: Vec<Value> = self.http.get_json(&format!("/iot/events.json?after={after}&limit=500")).await?;
            let Some(last) = rows.last() else { return Ok(all) };
            after = last["id"].as_i64().context("an event without id")?;
            all.extend(rows);
        }
    }

    /// A page as a browser gets it.
    pub async fn page(&self, path: &str) -> Result<String> {
        let mut browser = self.http.clone();
        browser.accept = "text/html";
        let page = browser.get(path).await?.ok().with_context(|| format!("GET {path}"))?.text();
        anyhow::ensure!(page.contains("<html"), "{path} is no page: {page}");
        Ok(page)
    }

    pub async fn unpair(&self, box_id: &BoxId) -> Result<()> {
        self.http.post(&format!("/iot/box/{box_id}/unpair"), &json!({})).await?.ok()?;
        Ok(())
    }

    /// The socket that keeps pages up to date.
    pub async fn listen(&self) -> Result<Bus> {
        let origin = self.http.url();
        let socket = connect_socket(&self.http, "/web/ws", &origin).await?;
        Ok(Bus { socket, early: VecDeque::new() })
    }
}

pub struct Bus {
    socket: Socket,
    early: VecDeque<Value>,
}

impl Bus {
    /// The next message that `wanted` picks; others are kept for later calls.
    pub async fn next(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        if let Some(at) = self.early.iter().position(&wanted) {
            return self.early.remove(at).context("it was there");
        }
        tokio::time::timeout(limit, async {
            loop {
                match self.socket.next().await.context("the ERP closed the socket")?? {
                    Message::Text(text) => {
                        let value: Value = serde_json::from_str(&text)?;
                        if wanted(&value) {
                            return Ok(value);
                        }
                        self.early.push_back(value);
                    }
                    Message::Ping(data) => self.socket.send(Message::Pong(data)).await?,
                    Message::Close(frame) => bail!("the ERP closed the socket: {frame:?}"),
                    _ => {}
                }
            }
        })
        .await
        .with_context(|| format!("waited {limit:?} for {what} on the ERP's socket"))?
    }
}
