//! Scales, gauges and HID devices on the shipped program, against the simulated tools.

#![allow(clippy::unwrap_used, reason = "a test may fail in its helpers as well")]

mod harness;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use drivers::{
    Bus, PortId, PortInfo, PortKind,
    io::System,
    scale::probe::{Found, probe},
};
use futures_util::{SinkExt, StreamExt, future::join_all};
use harness::{Daemon, Erp, ORIGIN, iot_box, p256};
use iot_sim::{Client, Scenario, Sim};
use link_protocol::{
    down::CommandBody,
    local::{FromBox, ToBox, Verb},
    outcome::{MeasureUnit, Measurement, Outcome, Value},
    up::{EventBody, LiveBody, WeightCondition},
};
use serde_json::json;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

const PATIENCE: Duration = Duration::from_secs(60);

async fn tools(dir: &Path) -> (Sim, PathBuf, BTreeMap<String, PathBuf>) {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hardware-fixtures/scenarios/measuring.toml");
    let ports = dir.join("sim/ports.toml");
    let sim = Sim::start(&Scenario::read(&scenario).unwrap(), &ports).await.unwrap();
    let file: toml::Table = toml::from_str(&std::fs::read_to_string(&ports).unwrap()).unwrap();
    let paths = file["port"].as_array().unwrap().iter().map(|port| {
        let text = |key: &str| port[key].as_str().unwrap().to_owned();
        (text("id"), PathBuf::from(text("path")))
    });
    let paths = paths.collect();
    (sim, ports, paths)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scale_is_found_out_and_what_is_no_scale_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (sim, ports, paths) = tools(dir.path()).await;
    let mut client = Client::from_ports_file(&ports).await.unwrap();
    for scale in ["toledo", "sics", "dialog", "cas", "stream", "and", "nci", "adam"] {
        client.send(scale, "put", json!({ "weight": "1.234", "settle_ms": 0 })).await.unwrap();
    }
    let expected = [
        ("toledo", Some("scale.toledo_8217")),
        ("sics", Some("scale.mt_sics")),
        ("sics-basic", Some("scale.mt_sics")),
        ("dialog", Some("scale.dialog_06")),
        ("cas", Some("scale.cas_pd")),
        ("stream", Some("scale.cas_stream")),
        ("and", Some("scale.cas_stream")),
        ("nci", Some("scale.nci")),
        ("adam", Some("scale.adam")),
        ("scanner", None),
        ("caliper", None),
        ("height", None),
    ];
    assert_eq!(expected.len(), paths.len());
    let asked = expected.map(|(id, driver)| {
        let kind = PortKind::Serial { path: paths[id].clone() };
        async move { (id, driver, probe(&PortInfo::new(PortId(id.into()), kind, Bus::Usb), &System).await.unwrap()) }
    });
    let mut wrong = Vec::new();
    for (id, driver, found) in join_all(asked).await {
        match (&found, driver) {
            (Found::Scale(found, _), Some(driver)) if *found == driver => {}
            (Found::Nothing, None) => {}
            _ => wrong.push(format!("{id}: {found:?} instead of {driver:?}")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    sim.stop().await;
}

struct Till(WebSocketStream<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>);

impl Till {
    async fn open(daemon: &Daemon, erp: &Erp, dir: &Path) -> Self {
        let key = p256();
        let nonce = daemon.get("/v1/challenge", &[("origin", ORIGIN)]).await.json();
        let verbs = [Verb::Listen, Verb::Weigh, Verb::Measure];
        let body = erp.token_request(&key, &erp.grant(&key, dir, &verbs), nonce["nonce"].as_str().unwrap());
        let headers = [("origin", ORIGIN), ("content-type", "application/json")];
        let token = daemon.request("POST", "/v1/token", &headers, &body).await.json();
        let mut request = format!("wss://{}/v1/ws", daemon.address).into_client_request().unwrap();
        request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, daemon.connect().await).await.unwrap();
        let mut till = Self(socket);
        till.send(&ToBox::Auth { token: token["token"].as_str().unwrap().into(), cursor: None }).await;
        till
    }

    async fn send(&mut self, frame: &ToBox) {
        self.0.send(Message::text(serde_json::to_string(frame).unwrap())).await.unwrap();
    }

    async fn command(&mut self, id: &str, device: &str, body: CommandBody) {
        let (id, device) = (id.parse().unwrap(), device.parse().unwrap());
        self.send(&ToBox::Command { id, device, ttl_ms: 10_000, body }).await;
    }

    async fn until<T>(&mut self, what: &str, found: impl Fn(&FromBox) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Message::Text(text) = self.0.next().await.expect("an open connection").unwrap()
                    && let Some(found) = found(&serde_json::from_str(&text).unwrap())
                {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    async fn outcome(&mut self, wanted: &str) -> Outcome {
        let is_it = |frame: &FromBox| match frame {
            FromBox::Outcome { id, outcome } if id.as_str() == wanted => Some(outcome.clone()),
            _ => None,
        };
        self.until(wanted, is_it).await
    }
}

fn wait_for(dir: &Path, id: &str, fits: impl Fn(&serde_json::Value) -> bool) {
    let since = Instant::now();
    loop {
        let output = iot_box(dir, &["devices", "--json"]);
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let device = all["devices"].as_array().and_then(|all| all.iter().find(|d| d["id"] == id)).cloned();
        if device.as_ref().is_some_and(&fits) {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "{id} is {device:#?}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

async fn signed_in(daemon: &Daemon, dir: &Path) -> String {
    let password = String::from_utf8(iot_box(dir, &["password"]).stdout).unwrap();
    let entered = daemon.form("/sign-in", "", &format!("password={}", password.trim())).await;
    entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_technician_finds_a_scale_and_sets_a_gauge_and_a_till_weighs_and_measures() {
    let dir = tempfile::tempdir().unwrap();
    let (sim, ports, _) = tools(dir.path()).await;
    let mut client = Client::from_ports_file(&ports).await.unwrap();
    let erp = Erp::pair(dir.path());
    let daemon = Daemon::start(dir.path(), &["--sim", ports.to_str().unwrap()]);
    wait_for(dir.path(), "sics", |d| d["status"] == "unclaimed");
    let cookie = signed_in(&daemon, dir.path()).await;

    assert_eq!(daemon.form("/devices/sics/find-scale", &cookie, "").await.status, 303);
    wait_for(dir.path(), "sics", |d| d["driver"] == "scale.mt_sics" && d["status"] == "ready");
    assert_eq!(daemon.form("/devices/caliper/driver", &cookie, "driver=gauge.sylvac").await.status, 303);
    wait_for(dir.path(), "caliper", |d| d["status"] == "ready");

    let mut till = Till::open(&daemon, &erp, dir.path()).await;
    client.send("sics", "put", json!({ "weight": "1.234", "settle_ms": 300 })).await.unwrap();
    let at_rest = |frame: &FromBox| match frame {
        FromBox::Live(live) if live.device.as_str() == "sics" => match &live.body {
            LiveBody::Weight(live) if live.condition == WeightCondition::Stable => live.weight.clone(),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(till.until("weight at rest", at_rest).await.weight, "1.234");
    till.command("command-tare-1", "sics", CommandBody::TareScale).await;
    let outcome = till.outcome("command-tare-1").await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    client.send("sics", "put", json!({ "weight": "1.500", "settle_ms": 300 })).await.unwrap();
    till.command("command-read-1", "sics", CommandBody::ReadWeight).await;
    let Outcome::Done { value: Value::Weight(weight) } = till.outcome("command-read-1").await else {
        panic!("a weight")
    };
    assert!(weight.net && matches!(weight.weight.as_str(), "0.266" | "0.000"), "{weight:?}");

    client.send("caliper", "measure", json!({ "counts": 1234 })).await.unwrap();
    client.send("caliper", "key", json!({})).await.unwrap();
    let taken = |frame: &FromBox| match frame {
        FromBox::Event(event) => match &event.body {
            EventBody::Measurement(value) => Some(value.clone()),
            _ => None,
        },
        _ => None,
    };
    let value = Measurement { value: "12.34".into(), unit: MeasureUnit::Mm, resolution: Some("0.01".into()) };
    assert_eq!(till.until("measurement", taken).await, value);
    till.command("command-measure-1", "caliper", CommandBody::Measure).await;
    assert_eq!(till.outcome("command-measure-1").await, Outcome::Done { value: Value::Measurement(value) });

    // The calibration has run out: everybody sees it, and it works on.
    let page = daemon.get("/devices/caliper/settings", &[("cookie", &cookie)]).await;
    assert!(page.body.contains("Calibration due"), "{}", page.body);
    let set = "calibration_due=2020-01-31&unit=&resolution=&baud=";
    assert_eq!(daemon.form("/devices/caliper/settings", &cookie, set).await.status, 303);
    let due = |d: &serde_json::Value| d["status"] == "warning" && d["message"].as_str().unwrap().contains("2020-01-31");
    wait_for(dir.path(), "caliper", due);
    drop(daemon);
    sim.stop().await;
}

/// Report descriptor of a HID scale: report 3 with status, unit, scaling and weight.
const SCALE: &str = "058d0920a10185030970a10215012508750895011971297881 00c0150 1250c1951295c8100 1581257f09418102 \
                     150027ffff0000751009408102c0";

#[tokio::test(flavor = "multi_thread")]
async fn hid_scales_and_hid_scanners_are_driven_by_their_reports_and_the_doctor_knows_the_scanner() {
    let dir = tempfile::tempdir().unwrap();
    // A pipe in packet mode gives one report per read, as hidraw does.
    let pipe = |name: &str| {
        let path = dir.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let file = rustix::fs::open(&path, rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty()).unwrap();
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::DIRECT).unwrap();
        (path, std::fs::File::from(file))
    };
    let ((scale_path, mut scale), (scanner_path, mut scanner)) = (pipe("scale"), pipe("scanner"));
    let descriptor: String = SCALE.split_whitespace().collect();
    let ports = dir.path().join("ports.toml");
    let text = format!(
        "[[port]]\nkind = \"hid\"\nid = \"postal\"\npath = {scale_path:?}\nproduct = \"Postal scale\"\n\
         descriptor = \"{descriptor}\"\n\
         [[port]]\nkind = \"hid\"\nid = \"scanner\"\npath = {scanner_path:?}\nproduct = \"Voyager\"\n\
         descriptor = \"058c0902a101c0\"\n"
    );
    std::fs::write(&ports, text).unwrap();
    let erp = Erp::pair(dir.path());
    let daemon = Daemon::start(dir.path(), &["--sim", ports.to_str().unwrap()]);
    for id in ["postal", "scanner"] {
        wait_for(dir.path(), id, |d| d["status"] == "ready");
    }
    let mut till = Till::open(&daemon, &erp, dir.path()).await;

    // 40 lb 5.2 oz, as a postal scale says it.
    scale.write_all(&[3, 4, 0x0b, 0xff, 0x34, 0x19]).unwrap();
    till.command("command-read-1", "postal", CommandBody::ReadWeight).await;
    let Outcome::Done { value: Value::Weight(weight) } = till.outcome("command-read-1").await else {
        panic!("a weight")
    };
    assert_eq!(weight.weight, "645.2");

    let mut report = [0_u8; 64];
    let data = b"010952123454321317270300";
    report[..2].copy_from_slice(&[2, data.len() as u8]);
    report[2..5].copy_from_slice(b"]C1");
    report[5..5 + data.len()].copy_from_slice(data);
    scanner.write_all(&report).unwrap();
    let scanned = |frame: &FromBox| match frame {
        FromBox::Event(event) => match &event.body {
            EventBody::Barcode { symbology, gs1: Some(gs1), .. } => Some((symbology.clone(), gs1.clone())),
            _ => None,
        },
        _ => None,
    };
    let (symbology, gs1) = till.until("GS1 code", scanned).await;
    assert_eq!(symbology.as_deref(), Some("]C1"));
    let told: Vec<_> = gs1.elements.iter().map(|e| (e.ai.as_str(), e.date.as_deref())).collect();
    assert_eq!((told, gs1.problems.len()), (vec![("01", None), ("17", Some("2027-03-31"))], 0));

    let doctor = iot_box(dir.path(), &["scanner-doctor", "--json"]);
    let doctor: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(doctor["scanners"][0]["mode"], "HID-POS");
    assert_eq!(doctor["scanners"][0]["codes"][0]["steps"], 1, "{doctor}");
    let cookie = signed_in(&daemon, dir.path()).await;
    let page = daemon.get("/scanner-doctor", &[("cookie", &cookie)]).await;
    assert!(page.body.contains("HID-POS") && page.body.contains("ms per code"), "{}", page.body);
}
