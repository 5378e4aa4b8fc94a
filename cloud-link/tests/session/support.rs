//! A broker, a CA, and an ERP of a few lines.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use cloud_link::{
    identity::Identity,
    outbox::{Options, Outbox},
    pairing::Pairing,
    session::{self, IncomingCommand, LinkStatus, SessionConfig, SessionEnd, SessionHandles},
};
use link_protocol::{
    down::{self, Ack},
    enrol::Grant,
    ids::PairingId,
    topic,
    up::{self, Event, EventBatch, EventBody, Live, State},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rumqttc::{AsyncClient, MqttOptions, Packet, PublishOptions, QoS, Transport};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate whose subject equals its issuer for a self-signed one.
        params.distinguished_name.push(rcgen::DnType::CommonName, "test CA");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Certificate and key of a server on this machine, PEM.
    pub(crate) fn server(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn sign(&self, csr: &str) -> String {
        let request = rcgen::CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.signed_by(&self.issuer).unwrap().pem()
    }

    pub(crate) fn grant(&self, identity: &Identity, port: u16) -> Grant {
        self.grant_for(&identity.client_csr().unwrap(), &identity.https_csr(&[]).unwrap(), port)
    }

    pub(crate) fn grant_for(&self, client_csr: &str, https_csr: &str, port: u16) -> Grant {
        Grant {
            v: link_protocol::VERSION,
            pairing: "pairing-1".parse().unwrap(),
            db: "shop".parse().unwrap(),
            erp_name: "Corner Shop".into(),
            box_name: "Counter".into(),
            erp_url: format!("https://localhost:{port}"),
            origins: vec![],
            mqtt: format!("localhost:{port}"),
            server_ca: self.pem(),
            client_certificate: self.sign(client_csr),
            server_certificate: self.sign(https_csr),
            grant_key: String::new(),
            now_ms: 1_767_225_600_000,
        }
    }
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Mosquitto with mutual TLS on a loopback port.
pub(crate) struct Broker {
    child: Child,
    conf: std::path::PathBuf,
    pub(crate) port: u16,
}

impl Broker {
    /// `None`, with a word, when mosquitto is not installed.
    pub(crate) async fn start(dir: &Path, authority: &Authority) -> Option<Self> {
        if !["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].iter().any(|p| Path::new(p).exists()) {
            println!("SKIPPED: mosquitto is not installed (apt-get install mosquitto)");
            return None;
        }
        let port = free_port();
        let (certificate, key) = authority.server();
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (ca, certificate, key) =
            (file("ca.pem", &authority.pem()), file("cert.pem", &certificate), file("key.pem", &key));
        // Without a line for the user a broker started by root becomes `mosquitto`, who may not read these files.
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\ncafile {ca}\ncertfile {certificate}\nkeyfile {key}\n\
             require_certificate true\nallow_anonymous true\nmax_inflight_messages 100\nmax_queued_messages 10000\n"
        );
        file("mosquitto.conf", &text);
        let conf = dir.join("mosquitto.conf");
        let child = spawn(&conf);
        let broker = Self { child, conf, port };
        broker.ready().await;
        Some(broker)
    }

    async fn ready(&self) {
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("mosquitto does not listen");
    }

    /// Killed and started anew: it remembers nothing.
    pub(crate) async fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.conf);
        self.ready().await;
    }
}

fn spawn(conf: &Path) -> Child {
    let program = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "/usr/bin/mosquitto" };
    Command::new(program).arg("-c").arg(conf).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Says hello to a box that comes online, commits events in memory, acknowledges them.
pub(crate) struct Erp {
    pub(crate) client: AsyncClient,
    /// What came, acknowledgements included; topics without their prefix.
    pub(crate) heard: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    task: JoinHandle<()>,
    prefix: String,
}

impl Erp {
    pub(crate) fn connect(authority: &Authority, identity: &Identity, port: u16, committed: Vec<Ack>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "erp");
        let certificate = params.signed_by(&key, &authority.issuer).unwrap();
        let mut options = MqttOptions::new("erp", ("localhost", port));
        options.set_max_packet_size(Some(link_protocol::MAX_PACKET as u32));
        options.set_keep_alive(5).set_transport(Transport::tls_with_config(rumqttc::TlsConfiguration::Simple {
            ca: authority.pem().into_bytes(),
            alpn: None,
            client_auth: Some((certificate.pem().into_bytes(), key.serialize_pem().into_bytes())),
        }));
        let (client, mut events) = AsyncClient::builder(options).capacity(10_000).build();
        let (tell, heard) = mpsc::unbounded_channel();
        let prefix = topic::prefix(&"shop".parse().unwrap(), identity.box_id());
        let task = tokio::spawn({
            let (client, prefix) = (client.clone(), prefix.clone());
            let mut committed = committed;
            async move {
                loop {
                    match events.poll().await {
                        Ok(rumqttc::Event::Incoming(Packet::ConnAck(_))) => {
                            client.try_subscribe("iot/v1/+/+/up/#", QoS::AtLeastOnce).unwrap();
                        }
                        Ok(rumqttc::Event::Incoming(Packet::Publish(publish))) => {
                            let name = String::from_utf8(publish.topic.to_vec()).unwrap();
                            let leaf = name.strip_prefix(&prefix).unwrap().to_owned();
                            answer(&client, &prefix, &leaf, &publish.payload, &mut committed);
                            if tell.send((leaf, publish.payload.to_vec())).is_err() {
                                return;
                            }
                        }
                        Ok(_) => {}
                        Err(error) => {
                            println!("the ERP's connection: {error}");
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
            }
        });
        Self { client, heard, task, prefix }
    }

    pub(crate) fn send(&self, leaf: &str, message: &impl serde::Serialize) {
        say(&self.client, &self.prefix, leaf, message);
    }

    /// The next message on this leaf.
    pub(crate) async fn next<T: serde::de::DeserializeOwned>(&mut self, leaf: &str) -> T {
        let wait = async {
            loop {
                let (heard, payload) = self.heard.recv().await.unwrap();
                if heard == leaf {
                    return serde_json::from_slice(&payload).unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect(leaf)
    }

    /// Collects events until there are `n` different ones; each new one has to follow the one before.
    pub(crate) async fn events(&mut self, n: u64, seen: &mut Vec<Event>) {
        while (seen.len() as u64) < n {
            for event in self.next::<EventBatch>(topic::EVENTS).await.events {
                let last = seen.last().map_or(0, |e: &Event| e.id.seq);
                assert!(event.id.seq <= last + 1, "{} came after {last}", event.id.seq);
                if event.id.seq > last {
                    seen.push(event);
                }
            }
        }
    }
}

impl Drop for Erp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) const ERP_NOW_MS: i64 = 1_800_000_000_000;

fn answer(client: &AsyncClient, prefix: &str, leaf: &str, payload: &[u8], committed: &mut Vec<Ack>) {
    match leaf {
        topic::STATE => {
            let state: State = serde_json::from_slice(payload).unwrap();
            if state.online {
                let pairing: PairingId = "pairing-1".parse().unwrap();
                let committed = committed.clone();
                let hello = down::Hello { v: 1, pairing, now_ms: ERP_NOW_MS, committed };
                say(client, prefix, topic::HELLO, &hello);
            }
        }
        topic::EVENTS => {
            let batch: EventBatch = serde_json::from_slice(payload).unwrap();
            let last = batch.events.last().unwrap();
            let ack = Ack { epoch: last.id.epoch.clone(), seq: last.id.seq };
            committed.retain(|a| a.epoch != ack.epoch);
            committed.push(ack.clone());
            say(client, prefix, topic::ACK, &ack);
        }
        _ => {}
    }
}

fn say(client: &AsyncClient, prefix: &str, leaf: &str, message: &impl serde::Serialize) {
    let payload = serde_json::to_vec(message).unwrap();
    client.try_publish(format!("{prefix}{leaf}"), payload, PublishOptions::at_least_once()).unwrap();
}

/// A box without devices.
pub(crate) struct TestBox {
    pub(crate) outbox: Outbox,
    pub(crate) state: watch::Sender<State>,
    pub(crate) live: mpsc::Sender<Live>,
    pub(crate) commands: mpsc::Receiver<IncomingCommand>,
    pub(crate) status: watch::Receiver<LinkStatus>,
    pub(crate) unpair: CancellationToken,
    pub(crate) cancel: CancellationToken,
    pub(crate) session: JoinHandle<SessionEnd>,
}

impl TestBox {
    pub(crate) async fn start(dir: &Path, identity: &Identity, grant: Grant) -> Self {
        let outbox = Outbox::open(dir, Options { reserve_bytes: 0, ..Options::default() }).unwrap();
        // As the box does before it opens a device: a scan belongs to the pairing at its time.
        outbox.set_pairing(Some(grant.pairing.clone())).await.unwrap();
        let (state, state_seen) = watch::channel(State {
            v: link_protocol::VERSION,
            online: true,
            name: "Counter".into(),
            version: "0".into(),
            urls: vec![],
            devices: vec![],
            outbox: up::Outbox::default(),
            certificate_not_after_ms: None,
        });
        let (live, live_out) = mpsc::channel(64);
        let (commands_in, commands) = mpsc::channel(8);
        let never = LinkStatus::Disconnected { why: "not started".into(), next_try: None };
        let (status_in, status) = watch::channel(never);
        let (unpair, cancel) = (CancellationToken::new(), CancellationToken::new());
        let mut handles = SessionHandles {
            outbox: outbox.clone(),
            state: state_seen,
            live: live_out,
            commands: commands_in,
            status: status_in,
            unpair: unpair.clone(),
        };
        let config = SessionConfig::new(identity.clone(), Arc::new(Pairing { grant }));
        let stop = cancel.clone();
        let session = tokio::spawn(async move { session::run(config, &mut handles, stop).await });
        Self { outbox, state, live, commands, status, unpair, cancel, session }
    }

    pub(crate) async fn scan(&self, n: u64) -> Event {
        let body = EventBody::barcode(format!("{n:013}"));
        self.outbox.append("scanner-1".parse().unwrap(), 0, body).await.unwrap()
    }

    pub(crate) async fn connected(&mut self) {
        let connected = self.status.wait_for(|s| matches!(s, LinkStatus::Connected { .. }));
        let connected = tokio::time::timeout(Duration::from_secs(20), connected).await.is_ok();
        assert!(connected, "no connection: {:?}", *self.status.borrow());
    }

    pub(crate) async fn ended(self) -> SessionEnd {
        tokio::time::timeout(Duration::from_secs(20), self.session).await.expect("the session goes on").unwrap()
    }
}
