//! The shipped program on a directory of its own, and a client that speaks to it as a browser would.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may fail here as well as in its own file")]

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use link_protocol::{
    VERSION,
    enrol::Grant,
    local::{SignedGrant, TillGrant, TokenRequest, Verb, proof_text},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring as provider},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) const ORIGIN: &str = "https://erp.example:8069";

pub(crate) fn iot_box(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_iot-box")).arg("--data").arg(dir).args(args).output().unwrap()
}

pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Mutex<String>>,
}

impl Daemon {
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_iot-box"))
            .arg("--data")
            .arg(dir)
            .args(["run", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let line = lines.next().expect("the daemon ended before it was ready").unwrap();
            log.lock().unwrap().push_str(&line);
            let Ok(entry) = serde_json::from_str::<serde_json::Value>(&line) else { panic!("{line}") };
            if entry["message"] == "box is ready" {
                break entry["address"].as_str().unwrap().parse().unwrap();
            }
        };
        let rest = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                rest.lock().unwrap().push_str(&line);
            }
        });
        Self { child, address, log }
    }

    /// As a power cut.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < Duration::from_secs(15), "the daemon does not end: {}", self.log.lock().unwrap());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider::default_provider())))
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }

    /// One request on a connection of its own; own host and given headers.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            text.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes without close_notify is good enough with a content length.
        drop(stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.request("GET", path, headers, "").await
    }

    /// A form sent from the box's own page.
    pub(crate) async fn form(&self, path: &str, cookie: &str, body: &str) -> Response {
        let origin = format!("https://{}", self.address);
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.request("POST", path, &[("origin", &origin), ("cookie", cookie), kind], body).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The ERP as far as the box's LAN side knows it: a CA, and a key that signs till grants.
pub(crate) struct Erp {
    key: EcdsaKeyPair,
}

pub(crate) fn p256() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap()
}

pub(crate) fn public(key: &EcdsaKeyPair) -> String {
    BASE64.encode(key.public_key().as_ref())
}

pub(crate) fn sign(key: &EcdsaKeyPair, text: &str) -> String {
    BASE64.encode(key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref())
}

impl Erp {
    /// Pairs the box whose data directory this is; its MQTT port answers to nobody.
    pub(crate) fn pair(dir: &Path) -> Self {
        let key = p256();
        let identity = cloud_link::identity::Identity::load_or_create(dir).unwrap();
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let issue = |csr: String| {
            let request = rcgen::CertificateSigningRequestParams::from_pem(&csr).unwrap();
            request.signed_by(&issuer).unwrap().pem()
        };
        let grant = Grant {
            v: VERSION,
            pairing: "pairing-of-the-test".parse().unwrap(),
            db: "shop".parse().unwrap(),
            erp_name: "Corner Shop".into(),
            box_name: "Counter".into(),
            erp_url: ORIGIN.into(),
            origins: vec![ORIGIN.into()],
            mqtt: "127.0.0.1:1".into(),
            server_ca: ca_pem,
            client_certificate: issue(identity.client_csr().unwrap()),
            server_certificate: issue(identity.https_csr(&["127.0.0.1".into()]).unwrap()),
            grant_key: public(&key),
            now_ms: 0,
        };
        let store = cloud_link::pairing::PairingStore::open(dir).unwrap();
        store.save(cloud_link::pairing::Pairing { grant }).unwrap();
        Self { key }
    }

    pub(crate) fn grant(&self, till: &EcdsaKeyPair, dir: &Path, verbs: &[Verb]) -> TillGrant {
        let identity = cloud_link::identity::Identity::load_or_create(dir).unwrap();
        TillGrant {
            v: VERSION,
            box_id: identity.box_id().clone(),
            grant_id: "grant-1".into(),
            origin: ORIGIN.into(),
            key: public(till),
            devices: Vec::new(),
            verbs: verbs.to_vec(),
            not_after_ms: i64::MAX,
        }
    }

    pub(crate) fn token_request(&self, till: &EcdsaKeyPair, grant: &TillGrant, nonce: &str) -> String {
        let text = serde_json::to_string(grant).unwrap();
        let signature = sign(&self.key, &text);
        let proof = sign(till, &proof_text(&grant.box_id, &grant.origin, nonce));
        let request = TokenRequest { signed: SignedGrant { grant: text, signature }, nonce: nonce.to_owned(), proof };
        serde_json::to_string(&request).unwrap()
    }
}

/// A serial scanner: what is written here the box reads.
pub(crate) struct Scanner {
    master: std::fs::File,
    _slave: std::fs::File,
    pub(crate) path: PathBuf,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
        // Held open, so that the line does not hang up while the box is away; raw, so that nothing is echoed.
        let slave = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut line = rustix::termios::tcgetattr(&slave).unwrap();
        line.make_raw();
        rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &line).unwrap();
        Self { master: master.into(), _slave: slave, path }
    }

    /// As `--sim` takes it.
    pub(crate) fn ports_file(&self, dir: &Path) -> PathBuf {
        let file = dir.join("ports.toml");
        let text = format!(
            "[[port]]\nkind = \"serial\"\nid = \"till-scanner\"\npath = {:?}\nmanufacturer = \"Honeywell\"\n\
             product = \"Voyager 1450g (CDC)\"\nserial_number = \"7\"\nusb = \"0c2e:0caa\"\n",
            self.path
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    pub(crate) fn scan(&mut self, code: &str) {
        self.master.write_all(format!("{code}\r").as_bytes()).unwrap();
    }
}
