//! Enrolment against an ERP of a few lines, over TLS.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloud_link::{
    enrol::{About, EnrolConfig, EnrolError, EnrolStatus, Enroller, Gone},
    identity::Identity,
    pairing::PairingStore,
};
use data_encoding::{BASE64, HEXLOWER};
use link_protocol::enrol::{
    Applicant, Offer, PAKE_IDENTITY_BOX, PAKE_IDENTITY_ERP, Polled, Prove, Sealed, TokenOffer, Transcript, label,
    normalize_code,
};
use ring::{hkdf, hmac};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Password, Spake2};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::support::{Authority, free_port};

struct Keys {
    hash: [u8; 32],
    prk: hkdf::Prk,
}

impl Keys {
    fn new(secret: &[u8], transcript: &Transcript<'_>) -> Self {
        let hash: [u8; 32] = Sha256::digest(transcript.bytes()).into();
        Self { hash, prk: hkdf::Salt::new(hkdf::HKDF_SHA256, &hash).extract(secret) }
    }

    fn mac(&self, label: &str, text: Option<&str>) -> String {
        let info = [label.as_bytes()];
        let key: hmac::Key = self.prk.expand(&info, hmac::HMAC_SHA256).unwrap().into();
        BASE64.encode(hmac::sign(&key, text.map_or(&self.hash[..], str::as_bytes)).as_ref())
    }
}

#[derive(Default)]
struct Desk {
    offer: Option<Offer>,
    offers: u32,
    /// What a person types for the next poll.
    typed: Option<String>,
    keys: Option<Keys>,
    token: Option<(String, String)>,
    break_the_seal: bool,
    /// Polls are answered at once, with nothing.
    hasty: Option<&'static str>,
    polls: u32,
}

struct FakeErp {
    authority: Authority,
    desk: Mutex<Desk>,
    port: u16,
}

impl FakeErp {
    async fn start() -> Arc<Self> {
        let authority = Authority::new();
        let (certificate, key) = authority.server();
        let chain = [certificate, authority.pem()].map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.to_vec(), PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let port = free_port();
        let erp = Arc::new(Self { authority, desk: Mutex::default(), port });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let serving = erp.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, erp) = (acceptor.clone(), serving.clone());
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let mut stream = BufReader::new(tls);
                    let (mut path, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if stream.read_line(&mut line).await.unwrap_or(0) == 0 || line.trim().is_empty() {
                            break;
                        }
                        let lower = line.to_ascii_lowercase();
                        if let Some(n) = lower.strip_prefix("content-length:") {
                            length = n.trim().parse().unwrap();
                        } else if line.starts_with("POST ") {
                            path = line.split(' ').nth(1).unwrap().to_owned();
                        }
                    }
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).await.unwrap();
                    let (status, answer) = erp.answer(&path, &body).await;
                    let text = answer.to_string();
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{text}", text.len());
                    // A box that has its answer may be gone already.
                    let _sent = stream.get_mut().write_all(head.as_bytes()).await;
                    let _flushed = stream.get_mut().flush().await;
                });
            }
        });
        erp
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn ca_sha256(&self) -> [u8; 32] {
        Sha256::digest(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap()).into()
    }

    fn token(&self, ca_sha256: &[u8]) -> String {
        self.desk.lock().unwrap().token = Some(("token-1".into(), "c2VjcmV0".into()));
        format!("{}?token=token-1.c2VjcmV0&db=shop&ca={}", self.url(), HEXLOWER.encode(ca_sha256))
    }

    async fn answer(&self, path: &str, body: &[u8]) -> (u16, Value) {
        match path {
            "/iot/v1/enrol/offer" => {
                let mut desk = self.desk.lock().unwrap();
                desk.offer = Some(serde_json::from_slice(body).unwrap());
                desk.offers += 1;
                (200, json!({ "session": format!("session-{}", desk.offers) }))
            }
            "/iot/v1/enrol/poll" => {
                let hasty = {
                    let mut desk = self.desk.lock().unwrap();
                    desk.polls += 1;
                    desk.hasty
                };
                if let Some(state) = hasty {
                    return (200, json!({ "state": state }));
                }
                for _ in 0..20 {
                    if let Some(challenge) = self.challenge() {
                        return (200, serde_json::to_value(challenge).unwrap());
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                (200, json!({ "state": "waiting" }))
            }
            "/iot/v1/enrol/prove" => {
                let prove: Prove = serde_json::from_slice(body).unwrap();
                let mut desk = self.desk.lock().unwrap();
                let keys = desk.keys.take().unwrap();
                let right = Some(keys.mac(label::BOX_CONFIRMS, None));
                if prove.confirm != right {
                    return (403, json!({ "error": "wrong", "message": "wrong code" }));
                }
                let applicant = desk.offer.as_ref().unwrap().applicant.clone();
                (200, serde_json::to_value(self.seal(&keys, &applicant, desk.break_the_seal)).unwrap())
            }
            "/iot/v1/enrol/token" => {
                let offer: TokenOffer = serde_json::from_slice(body).unwrap();
                let Some((id, secret)) = self.desk.lock().unwrap().token.take() else {
                    let message = "this token was used already: make a new one under IoT boxes > Connect";
                    return (403, json!({ "error": "used", "message": message }));
                };
                assert_eq!(offer.token_id, id);
                let transcript = Transcript {
                    applicant: &offer.applicant,
                    pake_a: "",
                    pake_b: "",
                    token_id: &id,
                    ca_sha256: &self.ca_sha256(),
                };
                let keys = Keys::new(secret.as_bytes(), &transcript);
                assert_eq!(offer.confirm, keys.mac(label::BOX_CONFIRMS, None));
                (200, serde_json::to_value(self.seal(&keys, &offer.applicant, false)).unwrap())
            }
            other => panic!("{other}"),
        }
    }

    fn challenge(&self) -> Option<Polled> {
        let mut desk = self.desk.lock().unwrap();
        let code = desk.typed.take()?;
        let offer = desk.offer.clone().unwrap();
        let (spake, message) = Spake2::<Ed25519Group>::start_b(
            &Password::new(code.as_bytes()),
            &spake2::Identity::new(PAKE_IDENTITY_BOX),
            &spake2::Identity::new(PAKE_IDENTITY_ERP),
        );
        let secret = spake.finish(&BASE64.decode(offer.pake.as_bytes()).unwrap()).unwrap();
        let pake_b = BASE64.encode(&message);
        let transcript = Transcript {
            applicant: &offer.applicant,
            pake_a: &offer.pake,
            pake_b: &pake_b,
            token_id: "",
            ca_sha256: &self.ca_sha256(),
        };
        let keys = Keys::new(&secret, &transcript);
        let confirm = keys.mac(label::ERP_CONFIRMS, None);
        desk.keys = Some(keys);
        Some(Polled::Challenge { pake: pake_b, ca: self.authority.pem(), confirm })
    }

    fn seal(&self, keys: &Keys, applicant: &Applicant, broken: bool) -> Sealed {
        let mut grant = self.authority.grant_for(&applicant.client_csr, &applicant.server_csr, self.port);
        grant.box_name = applicant.name.clone();
        let text = serde_json::to_string(&grant).unwrap();
        let mac = keys.mac(label::GRANT, Some(&text));
        Sealed { grant: if broken { text.replace("Corner Shop", "Corner Shap") } else { text }, mac }
    }
}

struct Applying {
    _dir: tempfile::TempDir,
    store: PairingStore,
    enroller: Enroller,
    cancel: CancellationToken,
}

impl Drop for Applying {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn apply(url: Option<String>) -> Applying {
    let dir = tempfile::tempdir().unwrap();
    let store = PairingStore::open(dir.path()).unwrap();
    let about = About {
        name: "Counter".into(),
        version: "0.1.0".into(),
        addresses: vec!["counter.local".into(), "192.168.1.20".into()],
        https_port: 8443,
    };
    let (enroller, asked) = Enroller::new(EnrolConfig {
        identity: Identity::load_or_create(dir.path()).unwrap(),
        store: store.clone(),
        about: Arc::new(move || about.clone()),
        erp_url: url,
        mdns: false,
    });
    let cancel = CancellationToken::new();
    tokio::spawn(enroller.clone().run(asked, cancel.clone()));
    Applying { _dir: dir, store, enroller, cancel }
}

impl Applying {
    async fn until(&self, wanted: impl FnMut(&EnrolStatus) -> bool) -> EnrolStatus {
        let mut status = self.enroller.status();
        let reached = tokio::time::timeout(Duration::from_secs(20), status.wait_for(wanted)).await;
        match reached {
            Ok(status) => status.unwrap().clone(),
            Err(_) => panic!("it stays {:?}", *self.enroller.status().borrow()),
        }
    }

    async fn code(&self) -> String {
        match self.until(|s| matches!(s, EnrolStatus::ShowingCode { .. })).await {
            EnrolStatus::ShowingCode { code, .. } => normalize_code(&code).unwrap(),
            _ => unreachable!(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_that_the_box_shows_pairs_it() {
    let erp = FakeErp::start().await;
    let applying = apply(Some(erp.url()));
    let code = applying.code().await;
    erp.desk.lock().unwrap().typed = Some(code);
    applying.until(|s| matches!(s, EnrolStatus::Paired { .. })).await;
    assert_eq!(applying.store.current().unwrap().grant.box_name, "Counter");
    applying.store.clear().unwrap();
    applying.until(|s| *s == EnrolStatus::CodeGone { why: Gone::Unpaired }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_codes_end_the_code_until_a_new_one_is_asked_for() {
    let erp = FakeErp::start().await;
    let applying = apply(Some(erp.url()));
    let code = applying.code().await;
    for attempt in 1..=5 {
        while erp.desk.lock().unwrap().offers < attempt {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        erp.desk.lock().unwrap().typed = Some("00000000".into());
    }
    applying.until(|s| *s == EnrolStatus::CodeGone { why: Gone::TooManyTries }).await;
    assert!(applying.store.current().is_none());
    applying.enroller.ask_again();
    assert_ne!(applying.code().await, code);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erp_that_answers_polls_at_once_does_not_keep_the_box_busy() {
    for hasty in ["waiting", "gone"] {
        let erp = FakeErp::start().await;
        erp.desk.lock().unwrap().hasty = Some(hasty);
        let applying = apply(Some(erp.url()));
        applying.code().await;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let polls = erp.desk.lock().unwrap().polls;
        assert!((1..=4).contains(&polls), "{polls} polls answered {hasty:?} in 2.5 s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_changed_on_its_way_is_not_taken() {
    let erp = FakeErp::start().await;
    let applying = apply(Some(erp.url()));
    let code = applying.code().await;
    {
        let mut desk = erp.desk.lock().unwrap();
        (desk.break_the_seal, desk.typed) = (true, Some(code));
    }
    while erp.desk.lock().unwrap().offers < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(applying.store.current().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_pairs_once_and_only_with_the_erp_that_made_it() {
    let erp = FakeErp::start().await;
    let applying = apply(None);
    let wrong = applying.enroller.with_token(&erp.token(&[7; 32])).await.unwrap_err();
    assert!(matches!(wrong, EnrolError::WrongErp { .. }), "{wrong}");
    let token = erp.token(&erp.ca_sha256());
    applying.enroller.with_token(&token).await.unwrap();
    applying.until(|s| matches!(s, EnrolStatus::Paired { .. })).await;
    let again = applying.enroller.with_token(&token).await.unwrap_err();
    assert!(matches!(again, EnrolError::AlreadyPaired { .. }), "{again}");
    let other = apply(None);
    let used = other.enroller.with_token(&token).await.unwrap_err().to_string();
    assert!(used.contains("make a new one"), "{used}");
    let garbage = other.enroller.with_token("hello").await.unwrap_err().to_string();
    assert!(garbage.contains("copy the whole line"), "{garbage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_erp_the_box_says_what_to_do() {
    let nowhere = apply(Some(format!("https://localhost:{}", free_port())));
    let status = nowhere.until(|s| matches!(s, EnrolStatus::Unreachable { .. })).await;
    assert!(format!("{status:?}").contains("check the address"), "{status:?}");
    let lonely = apply(None);
    let said = |s: &EnrolStatus| matches!(s, EnrolStatus::NoErp { message } if message.contains("paste a token"));
    lonely.until(said).await;
}
