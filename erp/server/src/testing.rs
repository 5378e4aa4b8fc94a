//! A whole server in a test: its own directory, database, CAs and TLS port. And a box to talk to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use erp_engine::{Db, Engine, Search, Uid, domain, values};
use link_protocol::{
    VERSION,
    enrol::{
        Applicant, Grant, Offer, Offered, PAKE_IDENTITY_BOX, PAKE_IDENTITY_ERP, Poll, Polled, Prove, Sealed, Transcript,
    },
    ids::{BoxId, DbName},
};
use rcgen::{CertificateParams, KeyPair};
use rmqtt_codec::v5::{Codec, Connect, Packet};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::{
    codec::{Decoder, Encoder},
    sync::CancellationToken,
};

use crate::{
    ca::{Authority, Constraints, chain},
    config::Config,
    place,
    port::{self, Kind, Port, Services},
    serve::Server,
    sessions::hash_password,
    state::AppState,
    vault::Vault,
    web,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct TestServer {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) state: AppState,
    pub(crate) router: axum::Router,
    pub(crate) address: SocketAddr,
    pub(crate) admin: Uid,
    pub(crate) cashier: Uid,
    stop: CancellationToken,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The named tests, each `async fn(TestServer)`, on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::testing::TestServer::start().await).await;
            }
        )* }
        mod on_postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(server) = $crate::testing::TestServer::on_postgres().await {
                    super::$name(server).await;
                }
            }
        )* }
    };
}
pub(crate) use on_both;

/// A schema of its own in the engine's PostgreSQL for tests; `None` where its programs are not installed, unless
/// `ERP_TEST_POSTGRES=required`.
async fn postgres_url() -> Option<String> {
    let wish = std::env::var("ERP_TEST_POSTGRES").unwrap_or_default();
    let server = match wish.as_str() {
        "off" => return None,
        "" | "required" => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/postgres.sh");
            let run = std::process::Command::new("sh").arg(script).output().unwrap();
            if !run.status.success() {
                assert!(run.status.code() == Some(2) && wish != "required", "{}", String::from_utf8_lossy(&run.stderr));
                return None;
            }
            String::from_utf8_lossy(&run.stdout).trim().to_owned()
        }
        url => url.to_owned(),
    };
    let schema = format!("s{}", crate::enrol::random_id::<8>().unwrap());
    let pool = sqlx::postgres::PgPool::connect(&server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&pool).await.unwrap();
    pool.close().await;
    let join = if server.contains('?') { '&' } else { '?' };
    Some(format!("{server}{join}options=-c%20search_path%3D{schema}"))
}

pub(crate) async fn user(engine: &Engine, login: &str) -> Uid {
    let mut env = engine.superuser("test").await.unwrap();
    let found = env.search("res.users", &domain!(["login", "=", login]), Search::default()).await.unwrap();
    Uid(found[0].0)
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("erp.db").display());
        Self::start_on(dir, &url).await
    }

    pub(crate) async fn on_postgres() -> Option<Self> {
        let url = postgres_url().await?;
        Some(Self::start_on(tempfile::tempdir().unwrap(), &url).await)
    }

    async fn start_on(dir: tempfile::TempDir, url: &str) -> Self {
        let engine = Engine::open(Db::connect(url).await.unwrap(), &place::apps()).await.unwrap();
        engine.load_demo().await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        let hash = hash_password(PASSWORD).unwrap();
        env.write_where(
            "res.users",
            &domain!(["login", "in", vec!["admin", "cashier"]]),
            values! { "password_hash" => hash },
        )
        .await
        .unwrap();
        env.commit().await.unwrap();
        let vault = Vault::load_or_create(dir.path()).unwrap();
        let listener = port::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = format!("https://localhost:{}", address.port());
        let config = Arc::new(Config {
            data: dir.path().to_owned(),
            db: "shop".parse().unwrap(),
            erp_name: "Demo shop".into(),
            listen: address,
            mqtt_listen: None,
            origins: vec![origin.clone(), format!("https://127.0.0.1:{}", address.port())],
            public_url: origin,
            zone: "iot.internal".into(),
            own_names: vec!["localhost".into(), "counter.local".into()],
            own_addresses: vec!["127.0.0.1".parse().unwrap()],
        });
        let ca =
            Arc::new(Authority::create("Demo shop", Constraints::new("iot.internal", "counter", "localhost")).unwrap());
        let (server, ingest, inbound) = Server::build(&engine, &config, &ca, &vault).unwrap();
        let own = ca.issue_own(&config.own_names, &config.own_addresses).unwrap();
        let router = web::router(server.state.clone());
        let services = Services {
            router: router.clone(),
            star: server.star.clone(),
            web: port::web_tls(chain(&own).unwrap()).unwrap(),
            enrol: port::enrol_tls(chain(&own).unwrap()).unwrap(),
            mqtt: port::mqtt_tls(chain(&own).unwrap(), ca.client_ca_der()).unwrap(),
            public_url: config.public_url.clone(),
        };
        let stop = CancellationToken::new();
        tokio::spawn(ingest.run(inbound, stop.clone()));
        tokio::spawn(server.state.commands.clone().run(stop.clone()));
        tokio::spawn(Port::new(listener, Kind::Both, services).run(stop.clone()));
        let (admin, cashier) = (user(&engine, "admin").await, user(&engine, "cashier").await);
        Self { dir, state: server.state, router, address, admin, cashier, stop }
    }

    pub(crate) async fn count(&self, model: &str) -> u64 {
        let mut env = self.state.engine.superuser("test").await.unwrap();
        env.count(model, &domain!()).await.unwrap()
    }

    pub(crate) async fn audits(&self) -> Vec<String> {
        let mut env = self.state.engine.superuser("test").await.unwrap();
        let rows = env.search_read("iot.audit", &domain!(), &["action"], Search::order("id")).await.unwrap();
        rows.iter().map(|r| r.get_str("action").to_owned()).collect()
    }

    /// A box, paired with a code by an administrator.
    pub(crate) async fn paired_box(&self, name: &str) -> TestBox {
        let mut it = TestBox::new(name);
        let grant = it.pair(self, "ABCD1234", "abcd-1234").await.unwrap();
        it.grant = Some(grant);
        it
    }
}

/// Waits until `f` holds.
pub(crate) async fn eventually<F: AsyncFnMut() -> bool>(mut f: F) {
    let waited = timeout(PATIENCE, async {
        while !f().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.expect("it never came to pass");
}

pub(crate) struct TestBox {
    pub(crate) key: KeyPair,
    server_key: KeyPair,
    pub(crate) box_id: BoxId,
    pub(crate) name: String,
    pub(crate) grant: Option<Grant>,
}

impl TestBox {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = key.public_key_pem();
        let spki = rustls_pki_types::SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap();
        let box_id = BoxId::from_key_hash(&Sha256::digest(spki.as_ref()).into());
        Self { key, server_key: KeyPair::generate().unwrap(), box_id, name: name.into(), grant: None }
    }

    pub(crate) fn applicant(&self) -> Applicant {
        let csr = |key: &KeyPair| CertificateParams::default().serialize_request(key).unwrap().pem().unwrap();
        Applicant {
            v: VERSION,
            box_id: self.box_id.clone(),
            serial: "10000000abcdef".into(),
            name: self.name.clone(),
            version: "0.1.0".into(),
            addresses: vec!["127.0.0.1".into(), "8.8.8.8".into()],
            https_port: 8443,
            client_csr: csr(&self.key),
            server_csr: csr(&self.server_key),
        }
    }

    /// The whole way by code, as a box goes it; `shown` is the box's code and `typed` what somebody types.
    pub(crate) async fn pair(&self, server: &TestServer, shown: &str, typed: &str) -> Result<Grant, String> {
        let enrol = &server.state.enrol;
        let (spake, message) = Spake2::<Ed25519Group>::start_a(
            &Password::new(shown.as_bytes()),
            &Identity::new(PAKE_IDENTITY_BOX),
            &Identity::new(PAKE_IDENTITY_ERP),
        );
        let offer = Offer { applicant: self.applicant(), pake: data_encoding::BASE64.encode(&message) };
        let Offered { session } =
            enrol.offer("127.0.0.1".parse().unwrap(), offer.clone()).map_err(|e| e.to_string())?;
        let pending = enrol.pending(server.admin).await.unwrap();
        let handle = pending.iter().find(|p| p.serial == offer.applicant.serial).unwrap().session.clone();
        let person = tokio::spawn({
            let (enrol, admin, typed) = (enrol.clone(), server.admin, typed.to_owned());
            async move { enrol.pair(admin, &handle, &typed).await }
        });
        let polled = loop {
            match enrol.poll(&Poll { session: session.clone() }.session).await {
                Polled::Waiting => {}
                other => break other,
            }
        };
        let Polled::Challenge { pake, ca, confirm } = polled else { return Err(format!("{polled:?}")) };
        let ca_sha256: [u8; 32] = Sha256::digest(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).into();
        let secret = spake.finish(&data_encoding::BASE64.decode(pake.as_bytes()).unwrap()).unwrap();
        let transcript = Transcript {
            applicant: &offer.applicant,
            pake_a: &offer.pake,
            pake_b: &pake,
            token_id: "",
            ca_sha256: &ca_sha256,
        };
        let keys = crate::enrol::Keys::derive(&secret, &transcript).unwrap();
        let known = keys.erp_confirmation() == confirm;
        let (mine, opens) = keys.box_side();
        let prove = Prove { session, confirm: known.then_some(mine) };
        let host = format!("localhost:{}", server.address.port());
        let sealed = enrol.prove(&host, prove).await;
        let told = person.await.unwrap();
        match sealed {
            Ok(Sealed { grant, mac }) => {
                assert!(opens(&grant, &mac));
                told.map_err(|e| e.to_string())?;
                Ok(serde_json::from_str(&grant).unwrap())
            }
            Err(refused) => Err(format!("{refused} / {}", told.unwrap_err())),
        }
    }

    pub(crate) fn db(&self) -> DbName {
        self.grant.as_ref().unwrap().db.clone()
    }

    pub(crate) fn topic(&self, leaf: &str) -> String {
        link_protocol::topic::topic(&self.db(), &self.box_id, leaf)
    }

    pub(crate) fn tls(&self) -> ClientConfig {
        let grant = self.grant.as_ref().unwrap();
        client_tls(&grant.server_ca, Some((&grant.client_certificate, &self.key)))
    }

    /// TLS is done; MQTT is up to the test.
    pub(crate) async fn wire(&self, address: SocketAddr) -> TestWire {
        TestWire::open(address, self.tls()).await.unwrap()
    }

    pub(crate) fn connect(&self) -> Connect {
        Connect { clean_start: true, keep_alive: 30, client_id: self.box_id.as_str().into(), ..Connect::default() }
    }

    /// Connected and subscribed; the hello has been read.
    pub(crate) async fn session(&self, address: SocketAddr) -> (TestWire, link_protocol::down::Hello) {
        let mut wire = self.wire(address).await;
        wire.send(self.connect().into()).await;
        let Packet::ConnectAck(ack) = wire.next().await.unwrap() else { panic!() };
        assert_eq!(u8::from(ack.reason_code), 0, "{ack:?}");
        wire.send(crate::hub::tests::subscribe(&[&self.topic("down/#")])).await;
        let mut hello = None;
        let mut subscribed = false;
        while hello.is_none() || !subscribed {
            match wire.next().await.unwrap() {
                Packet::SubscribeAck(_) => subscribed = true,
                Packet::Publish(p) if *p.topic == *self.topic("down/hello") => {
                    hello = Some(serde_json::from_slice(&p.payload).unwrap());
                }
                other => panic!("{other:?}"),
            }
        }
        (wire, hello.unwrap())
    }
}

pub(crate) fn client_tls(ca_pem: &str, identity: Option<(&str, &KeyPair)>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((pem, key)) => {
            let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    config
}

/// MQTT packets over TLS, nothing done by itself.
pub(crate) struct TestWire {
    pub(crate) stream: tokio_rustls::client::TlsStream<TcpStream>,
    codec: Codec,
    input: BytesMut,
}

impl TestWire {
    pub(crate) async fn open(address: SocketAddr, tls: ClientConfig) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(tls)).connect(name, tcp).await?;
        Ok(Self { stream, codec: Codec::new(0, 0), input: BytesMut::new() })
    }

    pub(crate) async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        self.codec.encode(packet, &mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        let read = async {
            loop {
                if let Some((packet, _)) = self.codec.decode(&mut self.input).unwrap() {
                    return Some(packet);
                }
                match self.stream.read_buf(&mut self.input).await {
                    Ok(n) if n > 0 => {}
                    _ => return None,
                }
            }
        };
        timeout(PATIENCE, read).await.expect("nothing came")
    }
}
