//! Card payments on the shipped program, with simulated terminals of each protocol: from the till to the outbox, and
//! cuts at every step.

#![allow(clippy::unwrap_used, reason = "a test may fail in its helpers as well")]

mod harness;

use std::{collections::BTreeMap, path::Path, time::Duration};

use futures_util::{SinkExt, StreamExt};
use harness::{Daemon, Erp, ORIGIN, p256};
use iot_sim::{
    Client, Scenario, Sim,
    terminal::{Booking, TEST_PAN},
};
use link_protocol::{
    down::CommandBody,
    ids::{CommandId, DeviceId},
    local::{FromBox, ToBox, Verb},
    outcome::{Outcome, Reason, Value},
    payment::{Amount, Payment, PaymentCertainty, PaymentState},
    up::{DeviceClass, DeviceStatus, EventBody, LiveBody},
};
use ring::signature::EcdsaKeyPair;
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

const PATIENCE: Duration = Duration::from_secs(40);
const TERMINALS: [&str; 3] = ["terminal-zvt", "terminal-nexo", "terminal-xml"];

type Socket = WebSocketStream<TlsStream<TcpStream>>;

struct Counter {
    dir: std::path::PathBuf,
    simulators: Sim,
    sim: Client,
    erp: Erp,
    key: EcdsaKeyPair,
    daemon: Option<Daemon>,
    socket: Socket,
    /// Frames that nobody asked for yet.
    early: Vec<FromBox>,
    asked: u64,
}

async fn open(daemon: &Daemon, erp: &Erp, key: &EcdsaKeyPair, dir: &Path) -> Socket {
    let nonce = daemon.get("/v1/challenge", &[("origin", ORIGIN)]).await.json()["nonce"].as_str().unwrap().to_owned();
    let verbs = [Verb::Listen, Verb::Pay, Verb::Refund, Verb::ManageTerminal];
    let body = erp.token_request(key, &erp.grant(key, dir, &verbs), &nonce);
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    let token = daemon.request("POST", "/v1/token", &headers, &body).await.json()["token"].as_str().unwrap().to_owned();
    let mut request = format!("wss://{}/v1/ws", daemon.address).into_client_request().unwrap();
    request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::client_async(request, daemon.connect().await).await.unwrap();
    let auth = ToBox::Auth { token, cursor: None };
    socket.send(Message::text(serde_json::to_string(&auth).unwrap())).await.unwrap();
    socket
}

impl Counter {
    async fn open(dir: &Path) -> Self {
        let scenario = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../hardware-fixtures/scenarios/terminals.toml"));
        Self::with(dir, &Scenario::read(scenario).unwrap(), TERMINALS.len()).await
    }

    async fn with(dir: &Path, scenario: &Scenario, terminals: usize) -> Self {
        let ports = dir.join("sim/ports.toml");
        let simulators = Sim::start(scenario, &ports).await.unwrap();
        let sim = Client::when_ready(&ports, PATIENCE).await.unwrap();
        let data = dir.join("box");
        std::fs::create_dir_all(&data).unwrap();
        let (erp, key) = (Erp::pair(&data), p256());
        let daemon = Daemon::start(&data, &["--sim", ports.to_str().unwrap()]);
        let socket = open(&daemon, &erp, &key, &data).await;
        let mut counter = Self {
            dir: dir.to_owned(),
            simulators,
            sim,
            erp,
            key,
            daemon: Some(daemon),
            socket,
            early: Vec::new(),
            asked: 0,
        };
        counter.terminals_ready(terminals).await;
        counter
    }

    async fn restart_box(&mut self) {
        self.daemon.take().unwrap().kill();
        let ports = self.dir.join("sim/ports.toml");
        let daemon = Daemon::start(&self.dir.join("box"), &["--sim", ports.to_str().unwrap()]);
        self.socket = open(&daemon, &self.erp, &self.key, &self.dir.join("box")).await;
        self.early.clear();
        self.daemon = Some(daemon);
    }

    async fn next(&mut self, what: &str, wanted: impl Fn(&FromBox) -> bool) -> FromBox {
        if let Some(at) = self.early.iter().position(&wanted) {
            return self.early.remove(at);
        }
        let found = timeout(PATIENCE, async {
            loop {
                let Message::Text(text) = self.socket.next().await.expect("an open connection").unwrap() else {
                    continue;
                };
                let frame: FromBox = serde_json::from_str(&text).unwrap();
                if wanted(&frame) {
                    return frame;
                }
                self.early.push(frame);
            }
        });
        found.await.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
    }

    /// The box can reach this terminal, or has its answer in the ledger already.
    async fn terminal_ready(&mut self, terminal: &str) {
        let (mut n, id) = (0, terminal.to_owned());
        loop {
            n += 1;
            let ask = format!("test-{id}-{n}-{}", self.asked);
            self.asked += 1;
            match self.run(&ask, terminal, CommandBody::DiagnoseTerminal).await {
                Outcome::Done { .. } => return,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn terminals_ready(&mut self, count: usize) {
        let complete = |devices: &[link_protocol::up::Device]| {
            let ready =
                |d: &&link_protocol::up::Device| d.class == DeviceClass::Payment && d.status == DeviceStatus::Ready;
            devices.iter().filter(ready).count() == count
        };
        self.next("terminals that are ready", |f| match f {
            FromBox::Ready { devices, .. } | FromBox::State { devices, .. } => complete(devices),
            _ => false,
        })
        .await;
    }

    async fn send(&mut self, id: &str, device: &str, body: CommandBody) {
        let device: DeviceId = device.parse().unwrap();
        let frame = ToBox::Command { id: id.parse().unwrap(), device, ttl_ms: 10_000, body };
        self.socket.send(Message::text(serde_json::to_string(&frame).unwrap())).await.unwrap();
    }

    async fn outcome(&mut self, id: &str) -> Outcome {
        let wanted: CommandId = id.parse().unwrap();
        let is_it = |f: &FromBox| matches!(f, FromBox::Outcome { id, .. } if *id == wanted);
        match self.next(&format!("outcome of {id}"), is_it).await {
            FromBox::Outcome { outcome, .. } => outcome,
            _ => unreachable!(),
        }
    }

    async fn run(&mut self, id: &str, device: &str, body: CommandBody) -> Outcome {
        // A later outcome of an earlier asking under this id.
        self.early.retain(|f| !matches!(f, FromBox::Outcome { id: other, .. } if other.as_str() == id));
        self.send(id, device, body).await;
        self.outcome(id).await
    }

    async fn journal(&mut self, terminal: &str) -> Vec<Booking> {
        let answer = self.sim.send(terminal, "journal", json!({})).await.unwrap();
        serde_json::from_value(answer["journal"].clone()).unwrap()
    }

    async fn close(mut self) {
        self.daemon.take().unwrap().terminate();
        self.simulators.stop().await;
    }
}

fn pay(minor: u64, reference: &str) -> CommandBody {
    CommandBody::Pay { amount: Amount { minor, currency: "EUR".into() }, reference: reference.into() }
}

fn paid(outcome: &Outcome) -> &Payment {
    match outcome {
        Outcome::Done { value: Value::Payment(payment) } => payment,
        other => panic!("{other:?}"),
    }
}

/// Every file below the folder in which the text stands.
fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(text.len()).any(|w| w == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_protocol_charges_declines_stops_refunds_reverses_and_closes_the_day() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await;
    for (n, terminal) in TERMINALS.into_iter().enumerate() {
        let id = |what: &str| format!("{what}-{n}-000");
        let outcome = counter.run(&id("pay"), terminal, pay(1250, "sale-1")).await;
        let payment = paid(&outcome).clone();
        assert_eq!((payment.amount.minor, payment.certainty), (1250, PaymentCertainty::Completed), "{terminal}");
        assert_eq!((payment.card_last4.as_deref(), payment.card_brand.as_deref()), (Some("1111"), Some("Visa")));
        assert_eq!(payment.receipts.len(), 2, "{payment:?}");
        // The same id again is the same outcome and charges nothing.
        assert_eq!(counter.run(&id("pay"), terminal, pay(1250, "sale-1")).await, outcome);
        let shown = |f: &FromBox| matches!(f, FromBox::Live(l) if matches!(&l.body, LiveBody::Terminal(_)));
        counter.next("what the terminal shows", shown).await;
        let told = |f: &FromBox| matches!(f, FromBox::Event(e) if matches!(&e.body, EventBody::Payment(r) if r.state == PaymentState::Approved && r.command.as_str() == id("pay")));
        counter.next("the payment as an event", told).await;

        counter.sim.send(terminal, "cardholder", json!({ "does": "decline" })).await.unwrap();
        let declined = counter.run(&id("declined"), terminal, pay(500, "sale-2")).await;
        assert!(matches!(declined, Outcome::Rejected { reason: Reason::Declined, .. }), "{declined:?}");
        counter.sim.send(terminal, "cardholder", json!({ "does": "abort" })).await.unwrap();
        let red_key = counter.run(&id("red-key"), terminal, pay(500, "sale-2")).await;
        assert!(matches!(red_key, Outcome::Rejected { reason: Reason::Cancelled, .. }), "{red_key:?}");
        counter.sim.send(terminal, "cardholder", json!({ "does": "never" })).await.unwrap();
        counter.send(&id("stopped"), terminal, pay(500, "sale-2")).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let second = counter.run(&id("second"), terminal, pay(600, "sale-3")).await;
        assert!(matches!(second, Outcome::Rejected { reason: Reason::Busy, .. }), "{second:?}");
        let stop = counter.run(&id("stop"), terminal, CommandBody::AbortPayment).await;
        assert_eq!(stop, Outcome::Done { value: Value::Nothing });
        let stopped = counter.outcome(&id("stopped")).await;
        assert!(matches!(stopped, Outcome::Rejected { reason: Reason::Cancelled, .. }), "{stopped:?}");
        counter.sim.send(terminal, "cardholder", json!({ "does": "approve" })).await.unwrap();

        let amount = Amount { minor: 300, currency: "EUR".into() };
        let refund = CommandBody::RefundPayment { amount, reference: "back-1".into() };
        assert_eq!(paid(&counter.run(&id("refund"), terminal, refund).await).amount.minor, 300);
        let transaction = payment.transaction.unwrap();
        let reverse = CommandBody::ReversePayment { transaction, reference: "back-2".into() };
        let reversed = counter.run(&id("reverse"), terminal, reverse).await;
        assert!(matches!(reversed, Outcome::Done { value: Value::Payment(_) }), "{reversed:?}");
        let of = id("pay").parse().unwrap();
        let status = counter.run(&id("status"), terminal, CommandBody::PaymentStatus { of }).await;
        let Outcome::Done { value: Value::PaymentStatus { state, .. } } = status else { panic!("{status:?}") };
        assert_eq!(state, PaymentState::Approved);
        let day = counter.run(&id("day"), terminal, CommandBody::ReconcilePayments).await;
        let Outcome::Done { value: Value::Terminal { receipts } } = day else { panic!("{day:?}") };
        assert!(!receipts[0].text.is_empty());
        let journal = counter.journal(terminal).await;
        assert_eq!(journal.iter().map(|b| b.minor).collect::<Vec<_>>(), [1250, 300, 1250], "{terminal}");
        assert!(journal[0].reversed);
    }
    let log = counter.daemon.as_ref().unwrap().log.lock().unwrap().clone();
    assert!(!log.contains(TEST_PAN) && log.contains("command ended"), "{log}");
    let said = format!("{:?}", counter.early);
    assert!(!said.contains(TEST_PAN) && !said.contains("411111111111"), "{said}");
    counter.close().await;
    let found = files_with(dir.path(), TEST_PAN);
    assert!(found.is_empty(), "the card number stands in {found:?}");
    assert!(!files_with(&dir.path().join("box"), "1111").is_empty(), "the search would find what is there");
}

/// A small generator, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Terminals of each protocol in turn.
fn many(count: usize) -> (String, Vec<String>) {
    let kinds = ["terminal_zvt", "terminal_nexo_json", "terminal_nexo_xml"];
    let names: Vec<String> = (0..count).map(|n| format!("terminal-{n:02}")).collect();
    let row = |(n, name): (usize, &String)| {
        format!("[[device]]\nid = {name:?}\ntype = {:?}\nstep_ms = 5\n", kinds[n % kinds.len()])
    };
    (names.iter().enumerate().map(row).collect(), names)
}

/// How a payment was disturbed.
struct Cut {
    terminal: String,
    id: String,
    minor: u64,
    what: String,
    state: Option<PaymentState>,
}

impl Counter {
    /// Asks until it is known, or known that the terminal cannot tell.
    async fn decide(&mut self, cuts: &mut [Cut], round: u64) -> usize {
        let mut doubts = 0;
        for n in 0..600 {
            for cut in cuts.iter_mut().filter(|c| c.state.is_none()) {
                let (ask, of) = (format!("ask-{round}-{n}-{}", cut.id), cut.id.parse().unwrap());
                match self.run(&ask, &cut.terminal, CommandBody::PaymentStatus { of }).await {
                    Outcome::Done { value: Value::PaymentStatus { state, .. } } => match state {
                        PaymentState::InDoubt | PaymentState::Running => doubts += usize::from(n == 0),
                        state => cut.state = Some(state),
                    },
                    Outcome::Rejected { reason: Reason::Busy, .. } => {}
                    // The box was cut before it wrote anything down.
                    Outcome::Rejected { reason: Reason::Invalid, .. } => cut.state = Some(PaymentState::NotCharged),
                    other => panic!("{}: {other:?}", cut.what),
                }
            }
            if cuts.iter().all(|c| c.state.is_some()) {
                return doubts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let open: Vec<_> = cuts.iter().filter(|c| c.state.is_none()).map(|c| &c.what).collect();
        panic!("these stay in doubt: {open:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cuts_of_line_terminal_and_box_charge_nothing_twice_and_hide_no_doubt() {
    // As many commands as one connection may have under way.
    const TERMINALS: usize = 16;
    let dir = TempDir::new().unwrap();
    let (scenario, names) = many(TERMINALS);
    let mut counter = Counter::with(dir.path(), &Scenario::parse(&scenario).unwrap(), TERMINALS).await;
    let mut dice = Dice(0x5eed_2026_1122_0516);
    let steps = ["request", "card", "bank", "booked", "told", "done"];
    let (mut doubts, mut flagged, mut total) = (0, 0, 0);
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..13 {
        let mut cuts = Vec::new();
        // Every other round the box itself is killed, at another moment each time.
        let kills = round % 2 == 1;
        for terminal in &names {
            let (at, power) = (steps[dice.roll(6) as usize], dice.roll(2) == 0);
            if !kills || dice.roll(3) == 0 {
                let cut = json!({ "at": at, "power": power, "down_ms": 50 + dice.roll(200) });
                counter.sim.send(terminal, "cut", cut).await.unwrap();
            }
            let (id, minor) = (format!("cut-{round}-{terminal}"), 100 + dice.roll(3));
            counter.send(&id, terminal, pay(minor, &id)).await;
            let what = format!("{id} at {at}, power {power}, box killed {kills}");
            cuts.push(Cut { terminal: terminal.clone(), id, minor, what, state: None });
        }
        if kills {
            tokio::time::sleep(Duration::from_millis(20 + dice.roll(120))).await;
            counter.restart_box().await;
        } else {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        doubts += counter.decide(&mut cuts, round).await;
        for cut in &cuts {
            let before = counter.journal(&cut.terminal).await.len();
            // The same id again charges nothing that it has not told.
            counter.sim.send(&cut.terminal, "cut", json!({ "at": null })).await.unwrap();
            counter.terminal_ready(&cut.terminal).await;
            let again = counter.run(&cut.id, &cut.terminal, pay(cut.minor, &cut.id)).await;
            let booked = counter.journal(&cut.terminal).await.len();
            let seen = counted.insert(cut.terminal.clone(), booked).unwrap_or(0);
            let what = format!("{}: {:?}, {again:?}", cut.what, cut.state);
            total += 1;
            match (cut.state, &again) {
                (Some(PaymentState::Approved), Outcome::Done { .. }) => {
                    assert_eq!((before, booked), (seen + 1, seen + 1), "{what}")
                }
                // Not one byte had gone to the terminal: the repeat is the first and only one.
                (Some(PaymentState::NotCharged), Outcome::Done { .. }) => {
                    assert_eq!((before, booked), (seen, seen + 1), "{what}")
                }
                (Some(PaymentState::NotCharged), _) => assert_eq!(booked, seen, "{what}"),
                (Some(PaymentState::Undecided), Outcome::Unknown { .. }) => {
                    flagged += 1;
                    assert!(before <= seen + 1 && booked == before, "{what}");
                }
                _ => panic!("{what}"),
            }
        }
    }
    assert_eq!(total, 208);
    assert!(doubts > 30, "the cuts hit nothing: {doubts} doubts, {flagged} for a person");
    counter.close().await;
}
