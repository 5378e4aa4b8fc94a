//! A till at the box's own API, with a browser's means: a P-256 key, a grant from the ERP, a token, a WebSocket.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, Result, bail};
use data_encoding::BASE64;
use futures_util::{SinkExt, StreamExt};
use hyper::header::{COOKIE, ORIGIN};
use link_protocol::{
    ids::EventId,
    local::{Challenge, FromBox, Hello, SignedGrant, ToBox, Token, TokenRequest, proof_text},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{clock::monotonic_us, http::Client};

pub type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Opens a WebSocket with the client's TLS, cookie and this Origin.
pub async fn connect_socket(http: &Client, path: &str, origin: &str) -> Result<Socket> {
    let url = http.url();
    let host = url.strip_prefix("https://").context("not https")?;
    let tcp = TcpStream::connect(http.address).await?;
    tcp.set_nodelay(true)?;
    let name = host.rsplit_once(':').map_or(host, |(h, _)| h).to_owned();
    let tls = TlsConnector::from(http.tls_config.clone()).connect(ServerName::try_from(name)?, tcp).await?;
    let mut request = format!("wss://{host}{path}").into_client_request()?;
    request.headers_mut().insert(ORIGIN, origin.parse()?);
    if let Some(cookie) = http.cookie() {
        request.headers_mut().insert(COOKIE, cookie.parse()?);
    }
    let (socket, _) = tokio_tungstenite::client_async(request, tls).await.with_context(|| format!("wss {path}"))?;
    Ok(socket)
}

/// The key a browser would keep.
pub struct TillKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl TillKey {
    pub fn new() -> Result<Self> {
        let random = SystemRandom::new();
        let made = || {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).ok()
        };
        let pair = made().context("no key could be made")?;
        Ok(Self { pair, random })
    }

    pub fn public(&self) -> String {
        BASE64.encode(self.pair.public_key().as_ref())
    }

    pub fn sign(&self, text: &str) -> Result<String> {
        let signature = self.pair.sign(&self.random, text.as_bytes()).ok().context("signing failed")?;
        Ok(BASE64.encode(signature.as_ref()))
    }
}

/// One frame from the box and when it arrived (CLOCK_MONOTONIC, microseconds).
#[derive(Debug, Clone)]
pub struct Arrived {
    pub at_us: u64,
    pub frame: FromBox,
}

pub struct BoxSocket {
    socket: Socket,
    early: VecDeque<Arrived>,
    pub ready: FromBox,
}

/// Trades the grant for a token at the box.
pub async fn token(box_http: &Client, key: &TillKey, grant: &SignedGrant, origin: &str) -> Result<Token> {
    let hello: Hello = box_http.get_json("/v1/hello").await?;
    let challenge: Challenge = box_http.get_json("/v1/challenge").await?;
    let proof = key.sign(&proof_text(&hello.box_id, origin, &challenge.nonce))?;
    let request = TokenRequest { signed: grant.clone(), nonce: challenge.nonce, proof };
    box_http.post_json("/v1/token", &request).await
}

impl BoxSocket {
    pub async fn open(box_http: &Client, origin: &str, token: &str, cursor: Option<EventId>) -> Result<Self> {
        let mut socket = connect_socket(box_http, "/v1/ws", origin).await?;
        let auth = ToBox::Auth { token: token.to_owned(), cursor };
        socket.send(Message::text(serde_json::to_string(&auth)?)).await?;
        let first = receive(&mut socket).await?;
        if !matches!(first.frame, FromBox::Ready { .. }) {
            bail!("the box did not let the till in: {:?}", first.frame);
        }
        Ok(Self { socket, early: VecDeque::new(), ready: first.frame })
    }

    pub async fn send(&mut self, frame: &ToBox) -> Result<()> {
        Ok(self.socket.send(Message::text(serde_json::to_string(frame)?)).await?)
    }

    /// The next frame, whatever it is.
    pub async fn any(&mut self, limit: Duration) -> Result<Option<Arrived>> {
        if let Some(first) = self.early.pop_front() {
            return Ok(Some(first));
        }
        match tokio::time::timeout(limit, receive(&mut self.socket)).await {
            Ok(frame) => Ok(Some(frame?)),
            Err(_) => Ok(None),
        }
    }

    /// The next frame that `wanted` picks; others are kept for later calls.
    pub async fn next(&mut self, what: &str, limit: Duration, wanted: impl Fn(&FromBox) -> bool) -> Result<Arrived> {
        if let Some(at) = self.early.iter().position(|a| wanted(&a.frame)) {
            return self.early.remove(at).context("it was there");
        }
        tokio::time::timeout(limit, async {
            loop {
                let arrived = receive(&mut self.socket).await?;
                if wanted(&arrived.frame) {
                    return Ok(arrived);
                }
                self.early.push_back(arrived);
            }
        })
        .await
        .with_context(|| format!("waited {limit:?} for {what} on the box's socket"))?
    }
}

async fn receive(socket: &mut Socket) -> Result<Arrived> {
    loop {
        let message = socket.next().await.context("the box closed the socket")??;
        let at_us = monotonic_us();
        match message {
            Message::Text(text) => {
                let frame = serde_json::from_str(&text).with_context(|| format!("frame {text}"))?;
                return Ok(Arrived { at_us, frame });
            }
            Message::Ping(data) => socket.send(Message::Pong(data)).await?,
            Message::Close(frame) => bail!("the box closed the socket: {frame:?}"),
            _ => {}
        }
    }
}
