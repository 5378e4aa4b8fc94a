use std::time::{Duration, Instant};

use link_protocol::enrol::{CODE_TRIES, TokenOffer};

use super::{desk::Desk, *};
use crate::testing::{TestBox, TestServer};

const CODE: &str = "ABCD1234";

/// A desk and a box that asks at it.
struct Table {
    desk: Desk,
    now: Instant,
    it: TestBox,
    spake: Option<spake2::Spake2<spake2::Ed25519Group>>,
    offer: Offer,
}

const CA_SHA256: [u8; 32] = [7; 32];
const CA: CaView<'static> = CaView { pem: "pem", sha256: &CA_SHA256 };

impl Table {
    fn new() -> Self {
        let it = TestBox::new("Shop");
        let mut table = Self {
            desk: Desk::default(),
            now: Instant::now(),
            offer: Offer { applicant: it.applicant(), pake: String::new() },
            it,
            spake: None,
        };
        table.offer("session").unwrap();
        table
    }

    fn offer(&mut self, session: &str) -> Result<(), Refused> {
        let (spake, message) = spake2::Spake2::start_a(
            &spake2::Password::new(CODE.as_bytes()),
            &spake2::Identity::new(link_protocol::enrol::PAKE_IDENTITY_BOX),
            &spake2::Identity::new(link_protocol::enrol::PAKE_IDENTITY_ERP),
        );
        self.spake = Some(spake);
        self.offer = Offer { applicant: self.it.applicant(), pake: data_encoding::BASE64.encode(&message) };
        self.desk.offer(
            self.now,
            [10, 0, 0, 1].into(),
            self.offer.clone(),
            session.into(),
            format!("handle of {session}"),
        )
    }

    fn handle(&mut self) -> String {
        self.desk.list(self.now)[0].handle.clone()
    }

    /// What the box answers to the challenge it finds: `None` if the code was not its own.
    fn answer(&mut self, session: &str) -> Option<String> {
        let Polled::Challenge { pake, confirm, .. } = self.desk.poll(self.now, session) else { panic!() };
        let secret =
            self.spake.take().unwrap().finish(&data_encoding::BASE64.decode(pake.as_bytes()).unwrap()).unwrap();
        let transcript = Transcript {
            applicant: &self.offer.applicant,
            pake_a: &self.offer.pake,
            pake_b: &pake,
            token_id: "",
            ca_sha256: &CA_SHA256,
        };
        let keys = Keys::derive(&secret, &transcript).unwrap();
        (keys.erp_confirmation() == confirm).then(|| keys.box_side().0)
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

#[test]
fn the_right_code_ends_in_a_sealed_grant_that_may_be_asked_for_again() {
    let mut t = Table::new();
    let handle = t.handle();
    t.desk.type_code(t.now, &handle, "abcd-1234", CA).unwrap();
    let busy = t.desk.type_code(t.now, &handle, CODE, CA).unwrap_err();
    assert!(matches!(busy, PairError::Busy));
    let confirm = t.answer("session").unwrap();
    let Ok(Proof::Right { applicant, .. }) = t.desk.prove(t.now, "session", Some(&confirm)) else { panic!() };
    assert_eq!(*applicant, t.offer.applicant);
    assert!(matches!(t.desk.prove(t.now, "session", Some(&confirm)), Err(Refused::Gone)), "one signature at a time");
    let sealed = t.desk.conclude(t.now, "session", "{}".into()).unwrap();
    assert!(t.desk.list(t.now).is_empty(), "no longer asking");
    let Ok(Proof::Again(again)) = t.desk.prove(t.now, "session", Some(&confirm)) else { panic!() };
    assert_eq!(again, sealed);
    assert!(matches!(t.desk.prove(t.now, "session", Some("AAAA")), Err(Refused::WrongProof)));
    t.later(61);
    assert!(matches!(t.desk.prove(t.now, "session", Some(&confirm)), Err(Refused::Gone)));
}

#[test]
fn five_wrong_codes_void_the_offer_and_a_box_that_asks_anew_does_not_start_from_zero() {
    let mut t = Table::new();
    let first = t.handle();
    for wrong in 1..=CODE_TRIES {
        let session = format!("session {wrong}");
        if wrong > 1 {
            t.offer(&session).unwrap();
        }
        let session = if wrong > 1 { session.as_str() } else { "session" };
        assert_eq!(t.handle(), first, "the page goes on with what it has");
        t.desk.type_code(t.now, &first, "00000000", CA).unwrap();
        assert_eq!(t.answer(session), None);
        let Ok(Proof::Wrong { left, .. }) = t.desk.prove(t.now, session, None) else { panic!() };
        assert_eq!(left, CODE_TRIES - wrong);
    }
    assert!(t.desk.list(t.now).is_empty());
    assert!(matches!(t.desk.type_code(t.now, &first, CODE, CA), Err(PairError::Gone)));
    t.offer("with a new code").unwrap();
    assert_eq!(t.desk.list(t.now)[0].tries, 0);
}

#[test]
fn offers_end_with_their_code_and_with_the_boxs_silence() {
    let mut t = Table::new();
    t.later(59);
    assert_eq!(t.desk.poll(t.now, "session"), Polled::Waiting);
    t.later(61);
    assert_eq!(t.desk.poll(t.now, "session"), Polled::Gone, "silent for a minute");
    let mut t = Table::new();
    for _ in 0..8 {
        t.later(45);
        t.desk.poll(t.now, "session");
    }
    assert_eq!(t.desk.poll(t.now, "session"), Polled::Gone, "older than its code");
    assert!(matches!(t.desk.type_code(t.now, "handle of session", CODE, CA), Err(PairError::Gone)));
    assert!(matches!(t.desk.type_code(t.now, "x", "what?", CA), Err(PairError::NotACode)));
}

#[test]
fn no_more_than_a_hundred_boxes_ask_at_once_and_ten_from_one_address() {
    let (mut desk, now) = (Desk::default(), Instant::now());
    let mut ask = |n: u32, address: [u8; 4]| {
        let it = TestBox::new("x");
        let offer = Offer { applicant: it.applicant(), pake: data_encoding::BASE64.encode(&[b'A'; 33]) };
        desk.offer(now, address.into(), offer, format!("s{n}"), format!("h{n}"))
    };
    for n in 0..10 {
        ask(n, [10, 0, 0, 1]).unwrap();
    }
    assert_eq!(ask(10, [10, 0, 0, 1]), Err(Refused::Full));
    for n in 10..100 {
        ask(n, [10, 0, 1, u8::try_from(n).unwrap()]).unwrap();
    }
    assert_eq!(ask(100, [10, 0, 2, 1]), Err(Refused::Full));
}

#[test]
fn an_offer_that_is_not_as_the_protocol_has_it_is_refused() {
    let (mut desk, now) = (Desk::default(), Instant::now());
    let other = TestBox::new("other");
    let good = Offer { applicant: TestBox::new("x").applicant(), pake: data_encoding::BASE64.encode(&[b'A'; 33]) };
    let mut refused = |change: &dyn Fn(&mut Offer)| {
        let mut offer = good.clone();
        change(&mut offer);
        desk.offer(now, [10, 0, 0, 1].into(), offer, "s".into(), "h".into()).unwrap_err()
    };
    assert_eq!(refused(&|o| o.applicant.v = 2), Refused::Version);
    assert!(matches!(refused(&|o| o.applicant.box_id = other.box_id.clone()), Refused::Request(_)));
    assert_eq!(refused(&|o| o.applicant.name = "x".repeat(5000)), Refused::Malformed);
    assert_eq!(refused(&|o| o.pake = "AAAA".into()), Refused::Malformed);
    assert!(matches!(refused(&|o| o.applicant.client_csr = "?".into()), Refused::Request(_)));
    // By now this address has failed often enough to wait.
    assert!(matches!(refused(&|_| ()), Refused::TooMany { .. }));
}

async fn a_code_pairs_a_box_and_a_wrong_one_does_not(server: TestServer) {
    let it = TestBox::new("Shop\u{202e}");
    let refused = it.pair(&server, CODE, "0000-0000").await.unwrap_err();
    assert!(refused.contains("4 attempts left"), "{refused}");
    assert_eq!(server.count("iot.box").await, 0);
    let grant = it.pair(&server, CODE, "abcd-l234").await.unwrap();
    assert_eq!((grant.box_name.as_str(), grant.db.as_str()), ("Shop", "shop"));
    assert_eq!(grant.mqtt, format!("localhost:{}", server.address.port()));
    assert!(grant.server_certificate.matches("BEGIN CERTIFICATE").count() == 2);
    assert_eq!(grant.grant_key, server.state.ca.grant_key());
    let second = TestBox::new("Shop").pair(&server, CODE, CODE).await.unwrap();
    assert_eq!(second.box_name, "Shop (2)");
    // The same box again keeps its name and its record, and gets a new pairing.
    let again = it.pair(&server, CODE, CODE).await.unwrap();
    assert_eq!((again.box_name.as_str(), server.count("iot.box").await), ("Shop", 2));
    assert_ne!(again.pairing, grant.pairing);
}

async fn after_pairing_again_the_older_certificate_opens_nothing(server: TestServer) {
    let mut it = server.paired_box("Shop").await;
    let older = it.grant.clone();
    let newer = it.pair(&server, CODE, CODE).await.unwrap();
    it.grant = older;
    let mut wire = it.wire(server.address).await;
    wire.send(it.connect().into()).await;
    let Some(rmqtt_codec::v5::Packet::ConnectAck(refused)) = wire.next().await else { panic!() };
    assert_eq!(refused.reason_string.as_deref(), Some("unpaired"));
    it.grant = Some(newer);
    it.session(server.address).await;
}

/// What a box makes of a token.
fn token_offer(it: &TestBox, token: &str) -> (TokenOffer, Token) {
    let token: Token = token.parse().unwrap();
    let applicant = it.applicant();
    let ca = data_encoding::HEXLOWER.decode(token.ca_sha256.as_bytes()).unwrap();
    let transcript = Transcript { applicant: &applicant, pake_a: "", pake_b: "", token_id: &token.id, ca_sha256: &ca };
    let keys = Keys::derive(token.secret.as_bytes(), &transcript).unwrap();
    (TokenOffer { token_id: token.id.clone(), confirm: keys.box_side().0, applicant }, token)
}

async fn a_token_pairs_one_box_once(server: TestServer) {
    let (enrol, from) = (&server.state.enrol, [10, 0, 0, 9].into());
    let token = enrol.make_token(server.admin).await.unwrap();
    assert!(matches!(enrol.make_token(server.cashier).await, Err(ServiceError::Forbidden(_))));
    let mut it = TestBox::new("By token");
    let (offer, parsed) = token_offer(&it, &token);
    assert_eq!(parsed.ca_sha256, data_encoding::HEXLOWER.encode(&server.state.ca.server_ca_sha256()));

    let wrong = TokenOffer { confirm: "AAAA".into(), ..offer.clone() };
    assert_eq!(enrol.token(from, "localhost", wrong).await, Err(Refused::Token));
    let sealed = enrol.token(from, &format!("localhost:{}", server.address.port()), offer.clone()).await.unwrap();
    it.grant = Some(serde_json::from_str(&sealed.grant).unwrap());
    it.session(server.address).await;
    assert_eq!(enrol.token(from, "localhost", offer).await, Err(Refused::Token), "single use");
    let (unknown, _) = token_offer(&it, &token.replace("token=", "token=x"));
    assert_eq!(enrol.token(from, "localhost", unknown).await, Err(Refused::Token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_after_an_hour_and_its_secret_is_not_in_the_database() {
    let server = TestServer::start().await;
    let token = server.state.enrol.make_token(server.admin).await.unwrap();
    let (offer, parsed) = token_offer(&TestBox::new("x"), &token);
    let file = std::fs::read(server.dir.path().join("erp.db")).unwrap();
    assert!(!file.windows(parsed.secret.len()).any(|w| w == parsed.secret.as_bytes()));
    let mut env = server.state.engine.superuser("test").await.unwrap();
    let past = values! { "expires_at" => Timestamp::now() - SignedDuration::from_secs(1) };
    env.write_where("iot.token", &domain!(), past).await.unwrap();
    env.commit().await.unwrap();
    let late = server.state.enrol.token([10, 0, 0, 9].into(), "localhost", offer).await;
    assert_eq!(late, Err(Refused::Token));
}

/// DNS names in the certificate that a box shows to browsers.
fn certificate_names(it: &TestBox) -> Vec<String> {
    let pem = &it.grant.as_ref().unwrap().server_certificate;
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let dns = |name: &x509_parser::extensions::GeneralName<'_>| match name {
        x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(dns).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_cannot_call_itself_what_the_erp_or_another_box_is_called() {
    let server = TestServer::start().await;
    let names = |it: &TestBox| -> Vec<String> {
        certificate_names(it).into_iter().filter(|n| !n.contains(it.box_id.as_str())).collect()
    };
    assert_eq!(names(&server.paired_box("Shop").await), ["shop.local"]);
    assert_eq!(names(&server.paired_box("Shop!").await), [""; 0], "the first box's name");
    let posing = server.paired_box("Counter").await;
    assert_eq!(names(&posing), [""; 0], "the ERP's own name");
    assert!(certificate_names(&posing).contains(&format!("{}.local", posing.box_id)));
}

async fn unpairing_here_cuts_the_live_session(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    assert!(matches!(server.state.boxes.unpair(server.cashier, &it.box_id).await, Err(ServiceError::Forbidden(_))));
    server.state.boxes.unpair(server.admin, &it.box_id).await.unwrap();
    let Some(rmqtt_codec::v5::Packet::Disconnect(last)) = wire.next().await else { panic!() };
    assert_eq!(last.reason_string.as_deref(), Some("unpaired"));
    assert!(server.audits().await.contains(&"unpaired".to_owned()));
}

crate::testing::on_both!(
    a_code_pairs_a_box_and_a_wrong_one_does_not,
    after_pairing_again_the_older_certificate_opens_nothing,
    a_token_pairs_one_box_once,
    unpairing_here_cuts_the_live_session,
);
