//! A till on the LAN: grant, token, WebSocket, scans with a cursor, over a power cut. On the shipped program.

#![allow(clippy::unwrap_used, reason = "a test may fail in its helpers as well")]

mod harness;

use std::{path::Path, time::Duration};

use futures_util::{SinkExt, StreamExt};
use harness::{Daemon, Erp, ORIGIN, Scanner, p256};
use link_protocol::{
    ids::EventId,
    local::{FromBox, ToBox, Verb},
    outcome::{Outcome, Reason},
    up::{DeviceStatus, EventBody},
};
use ring::signature::EcdsaKeyPair;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

struct Till {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Till {
    async fn open(daemon: &Daemon, origin: &str) -> Self {
        let mut request = format!("wss://{}/v1/ws", daemon.address).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, daemon.connect().await).await.unwrap();
        Self { socket }
    }

    async fn send(&mut self, frame: &ToBox) {
        self.socket.send(Message::text(serde_json::to_string(frame).unwrap())).await.unwrap();
    }

    async fn next(&mut self) -> FromBox {
        loop {
            let frame = timeout(Duration::from_secs(10), self.socket.next()).await.expect("a frame in time");
            match frame.expect("an open connection").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(_) => panic!("the box closed the connection"),
                _ => {}
            }
        }
    }

    async fn next_code(&mut self) -> (EventId, String) {
        loop {
            if let FromBox::Event(event) = self.next().await
                && let EventBody::Barcode { text, .. } = event.body
            {
                return (event.id, text);
            }
        }
    }

    async fn until_scanner_is_ready(&mut self, mut devices: Vec<link_protocol::up::Device>) {
        while !devices.iter().any(|d| d.id.as_str() == "till-scanner" && d.status == DeviceStatus::Ready) {
            if let FromBox::State { devices: now, .. } = self.next().await {
                devices = now;
            }
        }
    }
}

async fn token(daemon: &Daemon, erp: &Erp, key: &EcdsaKeyPair, dir: &Path, verbs: &[Verb]) -> String {
    let nonce = daemon.get("/v1/challenge", &[("origin", ORIGIN)]).await.json()["nonce"].as_str().unwrap().to_owned();
    let body = erp.token_request(key, &erp.grant(key, dir, verbs), &nonce);
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    let answer = daemon.request("POST", "/v1/token", &headers, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    answer.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn scans_reach_the_till_once_and_in_order_over_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let erp = Erp::pair(dir.path());
    let key = p256();
    let mut scanner = Scanner::new();
    let ports = scanner.ports_file(dir.path());
    let run = ["--sim", ports.to_str().unwrap()];

    let daemon = Daemon::start(dir.path(), &run);
    let token_1 = token(&daemon, &erp, &key, dir.path(), &[Verb::Listen]).await;
    let mut till = Till::open(&daemon, ORIGIN).await;
    till.send(&ToBox::Auth { token: token_1, cursor: None }).await;
    let FromBox::Ready { cursor: None, devices, .. } = till.next().await else { panic!("ready, and no event yet") };
    till.until_scanner_is_ready(devices).await;
    scanner.scan("4006381333931");
    let (first, code) = till.next_code().await;
    assert_eq!((first.seq, code.as_str()), (1, "4006381333931"));

    // Scanned while nobody listens, and then the power goes.
    drop(till);
    for code in ["2", "3", "4"] {
        scanner.scan(code);
    }
    let token_2 = token(&daemon, &erp, &key, dir.path(), &[Verb::Listen]).await;
    let mut other = Till::open(&daemon, ORIGIN).await;
    other.send(&ToBox::Auth { token: token_2, cursor: Some(first.clone()) }).await;
    for expected in ["2", "3", "4"] {
        assert_eq!(other.next_code().await.1, expected);
    }
    daemon.kill();

    let daemon = Daemon::start(dir.path(), &run);
    let token_3 = token(&daemon, &erp, &key, dir.path(), &[Verb::Listen]).await;
    let mut till = Till::open(&daemon, ORIGIN).await;
    till.send(&ToBox::Auth { token: token_3, cursor: Some(first) }).await;
    let FromBox::Ready { devices, .. } = till.next().await else { panic!("ready comes first") };
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(till.next_code().await);
    }
    till.until_scanner_is_ready(devices).await;
    scanner.scan("5");
    seen.push(till.next_code().await);
    let codes: Vec<_> = seen.iter().map(|(id, code)| (id.seq, code.as_str())).collect();
    assert_eq!(codes, [(2, "2"), (3, "3"), (4, "4"), (5, "5")]);
}

#[tokio::test]
async fn a_till_without_the_right_is_refused_each_in_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let erp = Erp::pair(dir.path());
    let key = p256();
    let daemon = Daemon::start(dir.path(), &[]);

    // A nonce works once.
    let nonce = daemon.get("/v1/challenge", &[]).await.json()["nonce"].as_str().unwrap().to_owned();
    let body = erp.token_request(&key, &erp.grant(&key, dir.path(), &[Verb::Listen]), &nonce);
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    assert_eq!(daemon.request("POST", "/v1/token", &headers, &body).await.status, 200);
    let again = daemon.request("POST", "/v1/token", &headers, &body).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (403, Some("stale_challenge")));

    // A page of another address, and a foreign ERP's grant.
    let foreign = daemon.get("/v1/challenge", &[("origin", "https://evil.example")]).await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (403, None));
    let other = tempfile::tempdir().unwrap();
    let nonce = daemon.get("/v1/challenge", &[]).await.json()["nonce"].as_str().unwrap().to_owned();
    let body = Erp::pair(other.path()).token_request(&key, &erp.grant(&key, dir.path(), &[Verb::Listen]), &nonce);
    let refused = daemon.request("POST", "/v1/token", &headers, &body).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (403, Some("grant_refused")));

    // The wrong first frame.
    let mut till = Till::open(&daemon, ORIGIN).await;
    till.send(&ToBox::Auth { token: "no".into(), cursor: None }).await;
    assert!(matches!(till.next().await, FromBox::Refused { .. }));

    // A command that the grant does not cover, one for no device, and one repeated under its id.
    let token = token(&daemon, &erp, &key, dir.path(), &[Verb::Listen, Verb::Weigh]).await;
    let mut till = Till::open(&daemon, ORIGIN).await;
    till.send(&ToBox::Auth { token, cursor: None }).await;
    assert!(matches!(till.next().await, FromBox::Ready { .. }));
    for (id, body, expected) in [
        ("command-1", link_protocol::down::CommandBody::OpenDrawer, Reason::Forbidden),
        ("command-2", link_protocol::down::CommandBody::ReadWeight, Reason::NoDevice),
        ("command-2", link_protocol::down::CommandBody::ReadWeight, Reason::NoDevice),
        ("command-2", link_protocol::down::CommandBody::ZeroScale, Reason::Invalid),
    ] {
        let device = "no-such-scale".parse().unwrap();
        till.send(&ToBox::Command { id: id.parse().unwrap(), device, ttl_ms: 1000, body }).await;
        let (answered, outcome) = loop {
            if let FromBox::Outcome { id, outcome } = till.next().await {
                break (id, outcome);
            }
        };
        assert_eq!(answered.as_str(), id);
        assert!(matches!(&outcome, Outcome::Rejected { reason, .. } if *reason == expected), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_browser_is_asked_and_told_who_may_come() {
    let dir = tempfile::tempdir().unwrap();
    let _erp = Erp::pair(dir.path());
    let daemon = Daemon::start(dir.path(), &[]);
    let headers = [
        ("origin", ORIGIN),
        ("access-control-request-method", "POST"),
        ("access-control-request-private-network", "true"),
    ];
    let preflight = daemon.request("OPTIONS", "/v1/token", &headers, "").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(preflight.header("access-control-allow-private-network"), Some("true"));
    let rebound = daemon.get("/v1/hello", &[("host", "evil.example")]).await;
    assert_eq!(rebound.status, 421);
}
