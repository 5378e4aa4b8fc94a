use std::{num::NonZeroU16, sync::Arc, time::Duration};

use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{LastWill, Packet, RetainHandling, Subscribe, SubscriptionOptions},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    ca::{Authority, Constraints, Request, chain},
    port::{self, Kind, Port, Services},
    testing::{PATIENCE, TestBox, TestWire, client_tls},
};

pub(crate) fn subscribe(filters: &[&str]) -> Packet {
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::AtSubscribe,
    };
    Packet::Subscribe(Subscribe {
        packet_id: NonZeroU16::MIN,
        id: None,
        user_properties: vec![],
        topic_filters: filters.iter().map(|f| ((*f).into(), options)).collect(),
    })
}

pub(crate) fn publish(topic: &str, packet_id: u16, payload: impl Into<Bytes>) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos: if packet_id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce },
        topic: topic.into(),
        packet_id: NonZeroU16::new(packet_id),
        payload: payload.into(),
        properties: None,
    }))
}

#[derive(Debug, Default)]
struct Gate(std::sync::Mutex<Vec<BoxId>>);

impl Authorize for Gate {
    fn authorize<'a>(&'a self, identity: &'a Identity) -> BoxFuture<'a, Result<DbName, Denied>> {
        let closed = self.0.lock().unwrap().contains(&identity.box_id);
        Box::pin(async move { if closed { Err(Denied::Unpaired) } else { Ok("shop".parse().unwrap()) } })
    }
}

/// The hub behind its real port, without a database.
struct Hub {
    star: Star,
    inbound: mpsc::Receiver<Inbound>,
    address: SocketAddr,
    ca: Authority,
    gate: Arc<Gate>,
    stop: CancellationToken,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Hub {
    async fn start(inbound_size: usize) -> Self {
        let ca = Authority::create("Test", Constraints::new("iot.internal", "counter", "localhost")).unwrap();
        let own = ca.issue_own(&["localhost".to_owned()], &[]).unwrap();
        // As with --tls-cert: browsers see the certificate of another CA.
        let other = Authority::create("Other", Constraints::new("iot.internal", "counter", "localhost")).unwrap();
        let elsewhere = other.issue_own(&["localhost".to_owned()], &[]).unwrap();
        let (tx, inbound) = mpsc::channel(inbound_size);
        let gate = Arc::new(Gate::default());
        let limits = Limits { connect: Duration::from_millis(500), ..Limits::default() };
        let star = Star::new(limits, Arc::clone(&gate) as Arc<dyn Authorize>, tx);
        let services = Services {
            router: axum::Router::new(),
            star: star.clone(),
            web: port::web_tls(chain(&elsewhere).unwrap()).unwrap(),
            enrol: port::enrol_tls(chain(&own).unwrap()).unwrap(),
            mqtt: port::mqtt_tls(chain(&own).unwrap(), ca.client_ca_der()).unwrap(),
            public_url: "https://localhost".into(),
        };
        let listener = port::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(Port::new(listener, Kind::Both, services).run(stop.clone()));
        Self { star, inbound, address, ca, gate, stop }
    }

    /// A box's identity with its certificate and key, PEM.
    fn member(&self) -> (TestBox, String) {
        let it = TestBox::new("box");
        let request = Request::parse_for(&it.applicant().client_csr, &it.box_id).unwrap();
        let pem = self.ca.issue_client(&it.box_id, &request).unwrap().pem;
        (it, pem)
    }

    async fn wire(&self, it: &TestBox, pem: &str) -> TestWire {
        TestWire::open(self.address, client_tls(self.ca.server_ca_pem(), Some((pem, &it.key)))).await.unwrap()
    }

    async fn open(&mut self, it: &TestBox, pem: &str) -> TestWire {
        let mut wire = self.wire(it, pem).await;
        wire.send(it.connect().into()).await;
        assert_eq!(connack(wire.next().await), (0, None));
        wire.send(subscribe(&[&topic(it, "down/#")])).await;
        assert!(matches!(wire.next().await, Some(Packet::SubscribeAck(_))));
        assert!(matches!(self.said().await, Inbound::Connected { .. }));
        assert_eq!(
            self.star.publish(&it.box_id, "down/ack", Bytes::new(), None),
            Err(PublishError::Offline),
            "no hello yet"
        );
        self.star.publish(&it.box_id, "down/hello", Bytes::from_static(b"hello"), None).unwrap();
        assert!(matches!(wire.next().await, Some(Packet::Publish(_))));
        wire
    }

    async fn said(&mut self) -> Inbound {
        tokio::time::timeout(PATIENCE, self.inbound.recv()).await.expect("nothing was said").unwrap()
    }
}

fn topic(it: &TestBox, leaf: &str) -> String {
    link_protocol::topic::topic(&"shop".parse().unwrap(), &it.box_id, leaf)
}

fn connack(packet: Option<Packet>) -> (u8, Option<String>) {
    match packet {
        Some(Packet::ConnectAck(a)) => (a.reason_code.into(), a.reason_string.map(|s| s.to_string())),
        other => panic!("{other:?}"),
    }
}

fn goodbye(packet: Option<Packet>) -> u8 {
    match packet {
        Some(Packet::Disconnect(d)) => d.reason_code.into(),
        other => panic!("{other:?}"),
    }
}

fn puback(packet: Option<Packet>) -> (u16, u8) {
    match packet {
        Some(Packet::PublishAck(a)) => (a.packet_id.get(), a.reason_code.into()),
        other => panic!("{other:?}"),
    }
}

fn with_will(it: &TestBox, topic: &str) -> Packet {
    let last_will = LastWill {
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: topic.into(),
        message: Bytes::from_static(b"gone"),
        will_delay_interval_sec: None,
        correlation_data: None,
        message_expiry_interval: None,
        content_type: None,
        user_properties: vec![],
        is_utf8_payload: None,
        response_topic: None,
    };
    rmqtt_codec::v5::Connect { last_will: Some(last_will), ..it.connect() }.into()
}

#[tokio::test]
async fn a_box_that_enrols_sees_our_own_ca_whatever_browsers_see() {
    let hub = Hub::start(16).await;
    let open = async |alpn: &[&[u8]]| {
        let mut tls = client_tls(hub.ca.server_ca_pem(), None);
        tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TestWire::open(hub.address, tls).await
    };
    let wire = open(&[link_protocol::enrol::ALPN, b"http/1.1"]).await.unwrap();
    assert_eq!(wire.stream.get_ref().1.peer_certificates().unwrap()[1], *hub.ca.server_ca_der());
    assert!(open(&[b"http/1.1"]).await.is_err());
}

#[tokio::test]
async fn a_box_speaks_only_under_its_own_certificates_name() {
    let mut hub = Hub::start(64).await;
    let ((it, pem), (other, _)) = (hub.member(), hub.member());
    let mut wire = hub.wire(&it, &pem).await;
    wire.send(other.connect().into()).await;
    assert_eq!(connack(wire.next().await).0, 133);
    let mut wire = hub.wire(&it, &pem).await;
    wire.send(with_will(&it, &topic(&other, "up/state"))).await;
    assert_eq!(connack(wire.next().await).0, 135);
    let mut wire = hub.open(&it, &pem).await;
    wire.send(publish(&topic(&other, "up/events"), 1, "{}")).await;
    assert_eq!(puback(wire.next().await), (1, 135));
    wire.send(subscribe(&[&topic(&other, "down/#"), "#"])).await;
    let Some(Packet::SubscribeAck(ack)) = wire.next().await else { panic!() };
    assert_eq!(ack.status.iter().map(|s| u8::from(*s)).collect::<Vec<_>>(), [135, 135]);
    wire.send(publish(&topic(&other, "up/live"), 0, "{}")).await;
    assert_eq!(goodbye(wire.next().await), 135);
}

#[tokio::test]
async fn nobody_comes_in_without_a_certificate_of_the_box_ca() {
    let mut hub = Hub::start(64).await;
    let nobody = TestWire::open(hub.address, client_tls(hub.ca.server_ca_pem(), None)).await;
    // TLS 1.3: the client learns of the refusal with its first read.
    if let Ok(mut wire) = nobody {
        wire.stream.write_all(b"\x10\x10").await.ok();
        assert!(wire.stream.read_u8().await.is_err());
    }
    let strangers = Authority::create("Other", Constraints::new("iot.internal", "x", "localhost")).unwrap();
    let it = TestBox::new("box");
    let request = Request::parse(&it.applicant().client_csr).unwrap();
    let pem = strangers.issue_client(&it.box_id, &request).unwrap().pem;
    let config = client_tls(hub.ca.server_ca_pem(), Some((&pem, &it.key)));
    if let Ok(mut wire) = TestWire::open(hub.address, config).await {
        wire.stream.write_all(b"\x10\x10").await.ok();
        assert!(wire.stream.read_u8().await.is_err());
    }
    assert!(hub.inbound.try_recv().is_err());
}

#[tokio::test]
async fn an_unpaired_box_is_told_so_at_the_door_and_in_the_middle() {
    let mut hub = Hub::start(64).await;
    let (it, pem) = hub.member();
    let mut wire = hub.open(&it, &pem).await;
    hub.gate.0.lock().unwrap().push(it.box_id.clone());
    hub.star.kick(&it.box_id, Kick::Unpaired);
    let Some(Packet::Disconnect(last)) = wire.next().await else { panic!() };
    assert_eq!((u8::from(last.reason_code), last.reason_string.as_deref()), (135, Some("unpaired")));
    assert!(wire.next().await.is_none());
    let mut wire = hub.wire(&it, &pem).await;
    wire.send(it.connect().into()).await;
    assert_eq!(connack(wire.next().await), (135, Some("unpaired".into())));
    assert!(!hub.star.is_connected(&it.box_id));
}

#[tokio::test]
async fn a_puback_waits_for_the_commit_and_keeps_the_order() {
    let mut hub = Hub::start(64).await;
    let (it, pem) = hub.member();
    let mut wire = hub.open(&it, &pem).await;
    let mut acks = vec![];
    for id in 1..=3 {
        wire.send(publish(&topic(&it, "up/events"), id, format!("{id}"))).await;
        let Inbound::Message { ack, payload, leaf, .. } = hub.said().await else { panic!() };
        assert_eq!((leaf.as_str(), payload), ("up/events", Bytes::from(format!("{id}"))));
        acks.push(ack.unwrap());
    }
    let quiet = tokio::time::timeout(Duration::from_millis(200), wire.next()).await;
    assert!(quiet.is_err(), "no PUBACK before the commit: {quiet:?}");
    let (first, second, third) = (acks.remove(0), acks.remove(0), acks.remove(0));
    third.finish(AckResult::Committed);
    drop(second);
    first.finish(AckResult::Committed);
    for expected in [(1, 0), (2, 131), (3, 0)] {
        assert_eq!(puback(wire.next().await), expected);
    }
}

#[tokio::test]
async fn the_will_speaks_when_a_box_drops_dead_and_not_when_it_leaves() {
    let mut hub = Hub::start(64).await;
    let (it, pem) = hub.member();
    let mut wire = hub.wire(&it, &pem).await;
    wire.send(with_will(&it, &topic(&it, "up/state"))).await;
    assert_eq!(connack(wire.next().await).0, 0);
    drop(wire);
    let Inbound::Message { leaf, payload, ack: None, .. } = hub.said().await else { panic!() };
    assert_eq!((leaf.as_str(), &payload[..]), ("up/state", &b"gone"[..]));
    assert!(matches!(hub.said().await, Inbound::Disconnected { .. }));
}

#[tokio::test]
async fn the_newer_session_takes_over_and_live_quarrels_are_reported_as_a_clone() {
    let mut hub = Hub::start(64).await;
    let (it, pem) = hub.member();
    let mut wire = hub.open(&it, &pem).await;
    let mut cloned = None;
    for _ in 0..3 {
        let newer = hub.wire(&it, &pem).await;
        let mut older = std::mem::replace(&mut wire, newer);
        wire.send(it.connect().into()).await;
        assert_eq!(connack(wire.next().await).0, 0);
        assert_eq!(goodbye(older.next().await), 142);
        drop(older);
        assert!(matches!(hub.said().await, Inbound::Disconnected { .. }));
    }
    if let Inbound::Cloned { box_id, addresses } = hub.said().await {
        assert_eq!(box_id, it.box_id);
        cloned = Some(addresses.len());
    }
    assert_eq!(cloned, Some(1), "all from one computer");
    hub.star.publish(&it.box_id, "down/hello", Bytes::new(), None).unwrap();
    assert!(hub.star.is_connected(&it.box_id), "the newest one stays");
}

#[tokio::test]
async fn a_slow_erp_makes_the_hub_stop_reading_and_nothing_is_lost() {
    const MESSAGES: u16 = 200;
    let mut hub = Hub::start(4).await;
    let (it, pem) = hub.member();
    let mut wire = hub.open(&it, &pem).await;
    let up = topic(&it, "up/events");
    let sender = tokio::spawn(async move {
        for id in 1..=MESSAGES {
            wire.send(publish(&up, id, vec![b'x'; 4000])).await;
        }
        for id in 1..=MESSAGES {
            assert_eq!(puback(wire.next().await), (id, 0));
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(hub.inbound.len() <= 4);
    for _ in 0..MESSAGES {
        let Inbound::Message { ack, .. } = hub.said().await else { panic!() };
        ack.unwrap().finish(AckResult::Committed);
    }
    sender.await.unwrap();
}

#[tokio::test]
async fn messages_for_a_box_that_does_not_read_them_are_bounded() {
    let mut hub = Hub::start(64).await;
    let (it, pem) = hub.member();
    assert_eq!(hub.star.publish(&it.box_id, "down/ack", Bytes::new(), None), Err(PublishError::Offline));
    let mut wire = hub.open(&it, &pem).await;
    let big = Bytes::from(vec![0u8; 260 * 1024]);
    assert_eq!(hub.star.publish(&it.box_id, "down/ack", big, None), Err(PublishError::TooLarge));
    let mut queued = 0;
    let full = loop {
        match hub.star.publish(&it.box_id, "down/ack", Bytes::from(vec![b'y'; 1000]), None) {
            Ok(()) => queued += 1,
            Err(error) => break error,
        }
        assert!(queued < 2000, "the queue has no end");
        tokio::task::yield_now().await;
    };
    assert_eq!(full, PublishError::Full);
    let Some(Packet::Publish(first)) = wire.next().await else { panic!() };
    assert_eq!(*first.topic, *topic(&it, "down/ack"));
}

#[tokio::test]
async fn garbage_old_versions_silence_and_large_packets_end_the_connection() {
    let mut hub = Hub::start(64).await;
    let (it, pem) = hub.member();
    let mut v3 = hub.wire(&it, &pem).await;
    v3.stream.write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04box1").await.unwrap();
    let mut answer = [0u8; 4];
    v3.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x20, 0x02, 0x00, 0x01]);
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xff\xff\xff\xff\xff\xff", b"\x10\xff\xff\xff\x7f\x00\x04MQTT\x05", b""]
    {
        let mut wire = hub.wire(&it, &pem).await;
        wire.stream.write_all(bytes).await.unwrap();
        wire.stream.flush().await.unwrap();
        assert!(wire.next().await.is_none(), "{bytes:?}");
    }
    let mut wire = hub.open(&it, &pem).await;
    wire.send(publish(&topic(&it, "up/events"), 1, vec![0u8; 300 * 1024])).await;
    assert_eq!(goodbye(wire.next().await), 149);
    let mut wire = hub.wire(&it, &pem).await;
    wire.send(it.connect().into()).await;
    assert_eq!(connack(wire.next().await).0, 0);
    wire.stream.write_all(&[0xf7; 64]).await.unwrap();
    assert_eq!(goodbye(wire.next().await), 129);
}

/// A client that other people wrote.
#[tokio::test]
async fn rumqttc_connects_publishes_and_hears() {
    use rumqttc::{
        AsyncClient, Event, MqttOptions, Packet as P, PublishOptions, QoS as Q, TlsConfiguration, Transport,
    };
    let mut hub = Hub::start(64).await;
    let (it, pem) = hub.member();
    let mut options = MqttOptions::new(it.box_id.as_str(), ("localhost", hub.address.port()));
    let tls = client_tls(hub.ca.server_ca_pem(), Some((&pem, &it.key)));
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))));
    let (client, mut events) = AsyncClient::builder(options).capacity(10).build();
    client.subscribe(topic(&it, "down/#"), Q::AtLeastOnce).await.unwrap();
    let notice =
        client.publish_tracked(topic(&it, "up/events"), "hello", PublishOptions::at_least_once()).await.unwrap();
    let polling = tokio::spawn(async move {
        loop {
            if let Event::Incoming(P::Publish(p)) = events.poll().await.unwrap()
                && p.payload != "hello"
            {
                return p.payload;
            }
        }
    });
    let (mut heard, mut greeted) = (false, false);
    while !heard || !greeted {
        match hub.said().await {
            Inbound::Connected { .. } => {
                hub.star.publish(&it.box_id, "down/hello", Bytes::from_static(b"hello"), None).unwrap();
                greeted = true;
            }
            Inbound::Message { ack, payload, .. } => {
                assert_eq!(&payload[..], b"hello");
                ack.unwrap().finish(AckResult::Committed);
                heard = true;
            }
            other => panic!("{other:?}"),
        }
    }
    notice.wait_async().await.unwrap();
    let soon = Some(Duration::from_secs(9));
    hub.star.publish(&it.box_id, "down/commands", Bytes::from_static(b"do it"), soon).unwrap();
    assert_eq!(&tokio::time::timeout(PATIENCE, polling).await.unwrap().unwrap()[..], b"do it");
}

/// And one that everybody has, where it is installed.
#[tokio::test]
async fn mosquitto_pub_is_refused_what_it_may_not_say() {
    let mut hub = Hub::start(64).await;
    let ((it, pem), (other, _)) = (hub.member(), hub.member());
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (ca, cert) = (write("ca.pem", hub.ca.server_ca_pem()), write("cert.pem", &pem));
    let key = write("key.pem", &it.key.serialize_pem());
    let (port, id) = (hub.address.port().to_string(), it.box_id.to_string());
    let run = |topic: String| {
        let mut command = tokio::process::Command::new("mosquitto_pub");
        command.args(["-h", "localhost", "-p", &port, "-V", "mqttv5", "-q", "1", "-d", "-m", "{}"]);
        command.args(["--cafile", &ca, "--cert", &cert, "--key", &key, "--tls-alpn", "mqtt", "-i", &id, "-t", &topic]);
        command.kill_on_drop(true).output()
    };
    let Ok(refused) = run(topic(&other, "up/events")).await else { return };
    let said = String::from_utf8_lossy(&refused.stdout).into_owned() + &String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("RC:135") || said.contains("Not authorized"), "{said}");
    let allowed = run(topic(&it, "up/events"));
    let commit = async {
        loop {
            if let Inbound::Message { ack: Some(ack), .. } = hub.said().await {
                ack.finish(AckResult::Committed);
                return;
            }
        }
    };
    let (allowed, ()) = tokio::join!(allowed, commit);
    assert!(allowed.unwrap().status.success());
}
