//! The session against a real MQTT 5 broker with mutual TLS, and against one that says no.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests and what they stand on")]

mod enrol;
mod support;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use cloud_link::{identity::Identity, session::SessionEnd};
use link_protocol::{
    down::{Command, CommandBody},
    outcome::{Outcome, Reason, Value},
    topic,
    up::{CommandResult, Goodbye, Live, LiveBody, LiveWeight, State, WeightCondition},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use self::support::{Authority, Broker, ERP_NOW_MS, Erp, TestBox, free_port};

struct Stage {
    dir: tempfile::TempDir,
    authority: Authority,
    identity: Identity,
    broker: Broker,
}

/// `None`: no broker on this machine; said so.
async fn stage() -> Option<Stage> {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let identity = Identity::load_or_create(dir.path()).unwrap();
    let broker = Broker::start(dir.path(), &authority).await?;
    Some(Stage { dir, authority, identity, broker })
}

impl Stage {
    fn erp(&self) -> Erp {
        Erp::connect(&self.authority, &self.identity, self.broker.port, vec![])
    }

    async fn box_(&self) -> TestBox {
        TestBox::start(self.dir.path(), &self.identity, self.authority.grant(&self.identity, self.broker.port)).await
    }
}

fn command(id: &str, ttl_ms: u32) -> Command {
    Command {
        v: 1,
        id: id.parse().unwrap(),
        device: "printer-1".parse().unwrap(),
        issued_ms: ERP_NOW_MS,
        ttl_ms,
        body: CommandBody::OpenDrawer,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_in_order_over_a_crash_of_the_broker_and_leave_the_outbox() {
    let Some(mut stage) = stage().await else { return };
    let mut erp = stage.erp();
    let mut tested = stage.box_().await;
    for n in 0..500 {
        tested.scan(n).await;
    }
    tested.connected().await;
    let mut seen = Vec::new();
    erp.events(300, &mut seen).await;
    stage.broker.crash().await;
    for n in 500..1_000 {
        tested.scan(n).await;
    }
    erp.events(1_000, &mut seen).await;
    assert_eq!(seen.iter().map(|e| e.id.seq).collect::<Vec<_>>(), (1..=1_000).collect::<Vec<_>>());
    let mut stats = tested.outbox.stats();
    tokio::time::timeout(Duration::from_secs(10), stats.wait_for(|s| s.unsent == 0)).await.unwrap().unwrap();
    tested.cancel.cancel();
    assert_eq!(tested.ended().await, SessionEnd::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_replayed_fast() {
    let Some(stage) = stage().await else { return };
    let mut erp = stage.erp();
    let mut tested = stage.box_().await;
    tested.connected().await;
    tested.cancel.cancel();
    let outbox = tested.outbox.clone();
    assert_eq!(tested.ended().await, SessionEnd::Cancelled);
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..20_000_u64 {
        let outbox = outbox.clone();
        waiting.spawn(async move {
            let body = link_protocol::up::EventBody::barcode(format!("{n:013}"));
            outbox.append("scanner-1".parse().unwrap(), 0, body).await.unwrap()
        });
    }
    waiting.join_all().await;
    outbox.close().await.unwrap();
    drop(outbox);
    let mut tested = stage.box_().await;
    tested.connected().await;
    let started = Instant::now();
    let mut seen = Vec::new();
    erp.events(20_000, &mut seen).await;
    let rate = 20_000.0 / started.elapsed().as_secs_f64();
    println!("replayed through the broker: {rate:.0} events/s");
    // A debug build on a shared machine; the figure that counts comes from the benchmark.
    assert!(rate > 1_000.0, "{rate:.0} events/s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_once_and_its_outcome_is_reported_each_time_it_is_asked_for() {
    let Some(stage) = stage().await else { return };
    let mut erp = stage.erp();
    let mut tested = stage.box_().await;
    tested.connected().await;
    erp.send(topic::COMMANDS, &command("command-1", 10_000));
    let incoming = tokio::time::timeout(Duration::from_secs(10), tested.commands.recv()).await.unwrap().unwrap();
    let left = incoming.deadline - tokio::time::Instant::now();
    assert!(left > Duration::from_secs(5) && left <= Duration::from_secs(10), "{left:?}");
    let done = Outcome::Done { value: Value::Nothing };
    tested.outbox.finish_command(&incoming.id, &done).await.unwrap();
    assert_eq!(erp.next::<CommandResult>(topic::RESULTS).await.outcome, done);

    erp.send(topic::COMMANDS, &command("command-1", 10_000));
    assert_eq!(erp.next::<CommandResult>(topic::RESULTS).await.outcome, done);
    assert!(tested.commands.try_recv().is_err(), "it was handed out twice");

    let other = Command { body: CommandBody::ReadWeight, ..command("command-1", 10_000) };
    erp.send(topic::COMMANDS, &other);
    let result = erp.next::<CommandResult>(topic::RESULTS).await;
    assert!(matches!(result.outcome, Outcome::Rejected { reason: Reason::Invalid, .. }), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_an_unknown_and_a_surplus_command_are_rejected_with_their_reason() {
    let Some(stage) = stage().await else { return };
    let mut erp = stage.erp();
    let mut tested = stage.box_().await;
    tested.connected().await;
    let reason = |result: CommandResult| match result.outcome {
        Outcome::Rejected { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    let late = Command { issued_ms: ERP_NOW_MS - 60_000, ..command("command-late", 1_000) };
    erp.send(topic::COMMANDS, &late);
    assert_eq!(reason(erp.next(topic::RESULTS).await), Reason::Expired);
    erp.send(topic::COMMANDS, &serde_json::json!({ "v": 2, "id": "command-new", "do": "dance" }));
    assert_eq!(reason(erp.next(topic::RESULTS).await), Reason::Unsupported);
    for n in 0..9 {
        erp.send(topic::COMMANDS, &command(&format!("command-many-{n}"), 10_000));
    }
    assert_eq!(reason(erp.next(topic::RESULTS).await), Reason::Busy);
    assert_eq!(tested.commands.recv().await.unwrap().id.as_str(), "command-many-0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_came_while_the_line_was_cut_is_reported_afterwards() {
    let Some(mut stage) = stage().await else { return };
    let mut erp = stage.erp();
    let mut tested = stage.box_().await;
    tested.connected().await;
    erp.send(topic::COMMANDS, &command("command-1", 60_000));
    let incoming = tested.commands.recv().await.unwrap();
    stage.broker.crash().await;
    let unknown = Outcome::Unknown { message: "the cable is out".into() };
    tested.outbox.finish_command(&incoming.id, &unknown).await.unwrap();
    assert_eq!(erp.next::<CommandResult>(topic::RESULTS).await.outcome, unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_retained_live_values_pass_and_a_dead_box_is_offline() {
    let Some(stage) = stage().await else { return };
    let mut erp = stage.erp();
    let mut tested = stage.box_().await;
    assert!(erp.next::<State>(topic::STATE).await.online);
    tested.connected().await;
    tested.state.send_modify(|s| s.name = "Renamed".into());
    assert_eq!(erp.next::<State>(topic::STATE).await.name, "Renamed");
    let live = LiveWeight { condition: WeightCondition::Motion, weight: None };
    let live = Live { device: "scale-1".parse().unwrap(), body: LiveBody::Weight(live) };
    tested.live.send(live.clone()).await.unwrap();
    assert_eq!(erp.next::<Live>(topic::LIVE).await, live);
    tested.session.abort();
    let state = erp.next::<State>(topic::STATE).await;
    assert!(!state.online);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_is_unpaired_at_the_box_says_goodbye() {
    let Some(stage) = stage().await else { return };
    let mut erp = stage.erp();
    let mut tested = stage.box_().await;
    tested.connected().await;
    tested.unpair.cancel();
    let goodbye = erp.next::<Goodbye>(topic::GOODBYE).await;
    assert_eq!(goodbye.pairing.as_str(), "pairing-1");
    assert_eq!(tested.ended().await, SessionEnd::SaidGoodbye { delivered: true });
}

/// A server on TLS that gives each connection to `serve`.
async fn server<F>(authority: &Authority, serve: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static) -> u16
where
    F: Future<Output = std::io::Result<()>> + Send,
{
    use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let (certificate, key) = authority.server();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let port = free_port();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(tls) = acceptor.accept(tcp).await else { continue };
            // The other side may leave whenever it likes.
            serve(tls).await.ok();
        }
    });
    port
}

/// A server that answers every CONNECT with these bytes.
async fn refusing_server(authority: &Authority, answer: Vec<u8>) -> u16 {
    server(authority, move |mut tls| {
        let answer = answer.clone();
        async move {
            if tls.read(&mut [0; 1024]).await? == 0 {
                return Ok(());
            }
            tls.write_all(&answer).await?;
            tls.flush().await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(())
        }
    })
    .await
}

/// An ERP that admits the box and answers each of its publishes with "payload format invalid" (153).
async fn serve_without_understanding(mut tls: TlsStream<TcpStream>) -> std::io::Result<()> {
    loop {
        let kind = tls.read_u8().await?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = tls.read_u8().await?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        tls.read_exact(&mut body).await?;
        let answer = match kind >> 4 {
            1 => vec![0x20, 3, 0, 0, 0],
            8 => vec![0x90, 4, body[0], body[1], 0, 1],
            3 => {
                let id = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                vec![0x40, 4, body[id], body[id + 1], 153, 0]
            }
            12 => vec![0xD0, 0],
            _ => continue,
        };
        tls.write_all(&answer).await?;
        tls.flush().await?;
    }
}

#[tokio::test]
async fn an_erp_that_cannot_read_the_boxs_state_does_not_make_it_connect_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let identity = Identity::load_or_create(dir.path()).unwrap();
    let connections = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&connections);
    let port = server(&authority, move |tls| {
        counted.fetch_add(1, Ordering::SeqCst);
        serve_without_understanding(tls)
    })
    .await;
    let tested = TestBox::start(dir.path(), &identity, authority.grant(&identity, port)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    tested.state.send_modify(|state| state.name = "Renamed".into());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    tested.cancel.cancel();
    assert_eq!(tested.ended().await, SessionEnd::Cancelled);
}

#[tokio::test]
async fn a_box_that_the_erp_does_not_know_any_more_stops_trying() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let identity = Identity::load_or_create(dir.path()).unwrap();
    let mut connack = vec![0x20, 14, 0, 0x87, 11, 0x1F, 0, 8];
    connack.extend_from_slice(b"unpaired");
    let port = refusing_server(&authority, connack).await;
    let tested = TestBox::start(dir.path(), &identity, authority.grant(&identity, port)).await;
    assert_eq!(tested.ended().await, SessionEnd::Unpaired { message: "unpaired".into() });
}

#[tokio::test]
async fn a_box_that_is_refused_for_another_reason_or_by_a_stranger_keeps_trying() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let identity = Identity::load_or_create(dir.path()).unwrap();
    let port = refusing_server(&Authority::new(), vec![0x20, 3, 0, 0x87, 0]).await;
    let mut tested = TestBox::start(dir.path(), &identity, authority.grant(&identity, port)).await;
    tested.status.changed().await.unwrap();
    let status = format!("{:?}", *tested.status.borrow());
    assert!(status.contains("UnknownIssuer") || status.contains("BadSignature"), "{status}");
    tested.cancel.cancel();
    assert_eq!(tested.ended().await, SessionEnd::Cancelled);
}
