//! Printers of every language through the shipped programs, and cuts of link, power and box in the middle of jobs.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use iot_sim::control;
use link_protocol::{
    document::{Align, Block, Document, File, FileFormat, PrinterLanguage},
    down::CommandBody,
    ids::DeviceId,
    local::{FromBox, ToBox},
    outcome::{Outcome, PrintCertainty, Reason, Value},
    up::{Device, DeviceStatus},
};
use serde_json::json;
use system_tests::{
    erp::Erp,
    programs::until,
    shop::{Options, Shop, scenario},
    till::BoxSocket,
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

struct Printers {
    shop: Shop,
    sim: control::Client,
    erp: Erp,
    till: BoxSocket,
    devices: BTreeMap<String, Device>,
}

impl Printers {
    /// A paired box with the scenario's printers, all of them ready.
    async fn open(dir: &Path, scenario: &Path, first: &str, count: usize) -> Result<Self> {
        let mut options = Options::new(dir);
        options.scenario = scenario.to_owned();
        let mut shop = Shop::open(options).await?;
        let mut sim = shop.control().await?;
        let erp = shop.administrator().await?;
        let code = shop.code_on_ticket(&mut sim, first).await?;
        erp.pair_by_code(&code).await?;
        // Its tickets would only be in the way from here on.
        shop.iot_box.take().context("no box")?.stop().await?;
        std::fs::write(shop.box_dir().join("settings.toml"), "status_ticket = false\n")?;
        shop.start_box().await?;
        let till = until("a till", PATIENCE, || async { Ok(shop.till(&erp, None).await.ok()) }).await?;
        let mut printers = Self { shop, sim, erp, till, devices: BTreeMap::new() };
        printers.all_ready(count).await?;
        Ok(printers)
    }

    async fn all_ready(&mut self, count: usize) -> Result<()> {
        let ready = |devices: &[Device]| devices.iter().filter(|d| d.status == DeviceStatus::Ready).count() == count;
        let FromBox::Ready { devices, .. } = &self.till.ready else { anyhow::bail!("no greeting") };
        let mut devices = devices.clone();
        let end = Instant::now() + PATIENCE;
        while !ready(&devices) {
            let left = end.saturating_duration_since(Instant::now());
            let arrived = self.till.any(left).await?.with_context(|| format!("not all ready: {devices:#?}"))?;
            if let FromBox::State { devices: now, .. } = arrived.frame {
                devices = now;
            }
        }
        self.devices = devices.into_iter().map(|d| (d.id.to_string(), d)).collect();
        Ok(())
    }

    async fn send(&mut self, id: &str, device: &DeviceId, ttl_ms: u32, body: CommandBody) -> Result<()> {
        let command = ToBox::Command { id: id.parse()?, device: device.clone(), ttl_ms, body };
        self.till.send(&command).await
    }

    async fn outcome(&mut self, id: &str, device: &DeviceId, body: CommandBody) -> Outcome {
        self.send(id, device, 10_000, body).await.unwrap();
        let mine = |f: &FromBox| matches!(f, FromBox::Outcome { id: of, .. } if of.as_str() == id);
        match self.till.next(&format!("the outcome of {id}"), PATIENCE, mine).await.unwrap().frame {
            FromBox::Outcome { outcome, .. } => outcome,
            _ => unreachable!(),
        }
    }

    async fn papers(&mut self, printer: &str) -> Vec<serde_json::Value> {
        let answer = self.sim.send(printer, "jobs", json!({})).await.unwrap();
        answer["jobs"].as_array().unwrap().clone()
    }

    fn id(&self, name: &str) -> DeviceId {
        self.devices[name].id.clone()
    }
}

fn line(text: &str) -> Block {
    Block::Text { text: text.into(), align: Align::Left, bold: false, large: false }
}

fn receipt(blocks: Vec<Block>) -> CommandBody {
    CommandBody::Print {
        document: Document { title: "test".into(), blocks, cut: true, open_drawer: false, hold: false },
    }
}

fn file(format: FileFormat, data: &[u8]) -> CommandBody {
    let data = data_encoding::BASE64.encode(data);
    CommandBody::PrintFile { file: File { title: "file".into(), format, data, copies: 1, hold: false } }
}

fn done(certainty: PrintCertainty) -> Outcome {
    Outcome::Done { value: Value::Print { certainty } }
}

const LANGUAGES: [(&str, PrintCertainty); 6] = [
    ("escpos", PrintCertainty::Printed),
    ("star", PrintCertainty::Printed),
    ("zpl", PrintCertainty::Printed),
    ("epl", PrintCertainty::Printed),
    ("tspl", PrintCertainty::Accepted),
    ("dymo", PrintCertainty::Accepted),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_language_prints_says_how_sure_it_is_and_tells_its_state_within_a_second() {
    let dir = TempDir::new().unwrap();
    let mut printers = Printers::open(dir.path(), &scenario("printers.toml"), "escpos", 6).await.unwrap();
    for (name, certainty) in LANGUAGES {
        let device = printers.id(name);
        let before = printers.papers(name).await.len();
        let blocks = vec![
            line("Hello from the box"),
            Block::Barcode { data: "4006381333931".into() },
            Block::Qr { data: "42".into() },
        ];
        let outcome = printers.outcome(&format!("print-on-{name}"), &device, receipt(blocks)).await;
        assert_eq!(outcome, done(certainty), "{name}");
        let papers = printers.papers(name).await;
        assert_eq!(papers.len(), before + 1, "{name}");
        if let Some(black) = papers.last().unwrap()["black_dots"].as_u64() {
            assert!(black > 2_000, "{name} printed {black} dots");
        }
        // The same id again is the same print.
        let outcome = printers
            .outcome(
                &format!("print-on-{name}"),
                &device,
                receipt(vec![
                    line("Hello from the box"),
                    Block::Barcode { data: "4006381333931".into() },
                    Block::Qr { data: "42".into() },
                ]),
            )
            .await;
        assert_eq!(outcome, done(certainty));
        assert_eq!(printers.papers(name).await.len(), before + 1, "{name}");

        let is = |status: DeviceStatus| {
            let device = device.clone();
            move |f: &FromBox| matches!(f, FromBox::State { devices, .. } if devices.iter().any(|d| d.id == device && d.status == status))
        };
        printers.sim.send(name, "paper", json!({ "state": "out" })).await.unwrap();
        let start = Instant::now();
        printers.till.next(&format!("{name} without paper"), PATIENCE, is(DeviceStatus::Error)).await.unwrap();
        let took = start.elapsed();
        assert!(took < Duration::from_millis(1_400), "{name} told it after {took:?}");
        let refused = printers.outcome(&format!("no-paper-on-{name}"), &device, receipt(vec![line("x")])).await;
        assert!(matches!(refused, Outcome::Rejected { reason: Reason::PaperOut, .. }), "{name}: {refused:?}");
        printers.sim.send(name, "paper", json!({ "state": "ok" })).await.unwrap();
        printers.till.next(&format!("{name} with paper"), PATIENCE, is(DeviceStatus::Ready)).await.unwrap();
    }
    printers.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_pass_to_the_printers_that_understand_them_and_no_others() {
    let dir = TempDir::new().unwrap();
    let mut printers = Printers::open(dir.path(), &scenario("printers.toml"), "escpos", 6).await.unwrap();
    let (zpl, escpos) = (printers.id("zpl"), printers.id("escpos"));
    let raw = |language| FileFormat::Raw { language };
    let label = b"^XA^FO20,20^A0N,40,40^FDShelf 7^FS^PQ2^XZ";
    let outcome = printers.outcome("raw-zpl-1", &zpl, file(raw(PrinterLanguage::Zpl), label)).await;
    assert_eq!(outcome, done(PrintCertainty::Accepted));
    let texts: Vec<_> = printers.papers("zpl").await.iter().map(|p| p["text"].as_str().unwrap().to_owned()).collect();
    assert!(texts.ends_with(&["Shelf 7".to_owned(), "Shelf 7".to_owned()]), "{texts:?}");
    for (id, device, body) in [
        ("raw-zpl-2", &escpos, file(raw(PrinterLanguage::Zpl), label)),
        ("raw-zpl-3", &zpl, file(raw(PrinterLanguage::Escpos), b"\x1b@x\n")),
        ("bad-pdf-1", &zpl, file(FileFormat::Pdf, label)),
    ] {
        let outcome = printers.outcome(id, device, body).await;
        let fits = matches!(outcome, Outcome::Rejected { reason: Reason::Unsupported | Reason::Invalid, .. });
        assert!(fits, "{id}: {outcome:?}");
    }
    printers.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_survives_a_restart_and_can_be_withdrawn() {
    let dir = TempDir::new().unwrap();
    let mut printers = Printers::open(dir.path(), &scenario("printers.toml"), "escpos", 6).await.unwrap();
    let device = printers.id("escpos");
    let held = |text: &str| {
        let blocks = vec![line(text)];
        CommandBody::Print {
            document: Document { title: text.into(), blocks, cut: true, open_drawer: false, hold: true },
        }
    };
    let before = printers.papers("escpos").await.len();
    printers.sim.send("escpos", "paper", json!({ "state": "out" })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for text in ["waits-job-1", "waits-job-2", "waits-job-3"] {
        printers.send(text, &device, 120_000, held(text)).await.unwrap();
        // Each command runs as a task of its own: who wants an order asks in it.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let cancel = CommandBody::CancelPrint { job: "waits-job-2".parse().unwrap() };
    assert_eq!(printers.outcome("cancel-2", &device, cancel.clone()).await, Outcome::Done { value: Value::Nothing });
    let again = printers.outcome("cancel-3", &device, cancel).await;
    assert!(matches!(again, Outcome::Rejected { reason: Reason::Invalid, .. }), "{again:?}");
    printers.shop.iot_box.take().unwrap().kill().await.unwrap();
    printers.shop.start_box().await.unwrap();
    printers.sim.send("escpos", "paper", json!({ "state": "ok" })).await.unwrap();
    printers.till = printers.shop.till(&printers.erp, None).await.unwrap();
    for text in ["waits-job-1", "waits-job-3"] {
        assert_eq!(printers.outcome(text, &device, held(text)).await, done(PrintCertainty::Printed), "{text}");
    }
    let withdrawn = printers.outcome("waits-job-2", &device, held("waits-job-2")).await;
    assert!(matches!(withdrawn, Outcome::Rejected { reason: Reason::Cancelled, .. }), "{withdrawn:?}");
    let papers = printers.papers("escpos").await;
    let texts: Vec<_> = papers[before..].iter().map(|p| p["text"].as_str().unwrap().trim().to_owned()).collect();
    assert_eq!(texts, ["waits-job-1", "waits-job-3"], "in their order, once each");
    printers.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neighbour_prints_when_a_printer_is_down_and_a_second_printer_prints_its_own_way() {
    let dir = TempDir::new().unwrap();
    let mut printers = Printers::open(dir.path(), &scenario("printers.toml"), "escpos", 6).await.unwrap();
    printers.shop.iot_box.take().unwrap().stop().await.unwrap();
    let settings = "status_ticket = false\n[devices.zpl.options]\nneighbour = \"epl\"\n\
                    [more_printers.\"escpos~2\"]\non = \"escpos\"\nname = \"Kitchen__IMC_XDV__\"\n";
    std::fs::write(printers.shop.box_dir().join("settings.toml"), settings).unwrap();
    printers.shop.start_box().await.unwrap();
    printers.till = printers.shop.till(&printers.erp, None).await.unwrap();
    printers.all_ready(7).await.unwrap();
    let (zpl, kitchen) = (printers.id("zpl"), printers.id("escpos~2"));
    printers.sim.send("zpl", "cover", json!({ "open": true })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = printers.papers("epl").await.len();
    let outcome = printers.outcome("to-the-neighbour", &zpl, receipt(vec![line("x")])).await;
    assert_eq!(outcome, done(PrintCertainty::Printed));
    assert_eq!(printers.papers("epl").await.len(), before + 1);
    let before = printers.papers("escpos").await.len();
    assert_eq!(
        printers.outcome("in-the-kitchen", &kitchen, receipt(vec![line("soup")])).await,
        done(PrintCertainty::Printed)
    );
    assert_eq!(printers.papers("escpos").await.len(), before + 1);
    printers.shop.close().await.unwrap();
}

/// Numbers without a library: the test says its seed, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

const CUT_PRINTERS: usize = 16;

/// `PRINT_CUTS` cuts (200 in the usual run): of the link to the printer, of its power in the middle of its bytes, of the
/// box. Every job must end in an outcome that fits the papers: `Done` is on exactly one, `Rejected` on none, `Unknown`
/// on one at most; and nothing is ever on two.
#[tokio::test(flavor = "multi_thread")]
async fn random_cuts_double_no_print_lose_none_and_show_every_doubt() {
    let cuts: usize = std::env::var("PRINT_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let seed = std::env::var("PRINT_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0x9e37_79b9_7f4a_7c15);
    let mut dice = Dice(seed);
    let dir = TempDir::new().unwrap();
    let mut text = "out = \"receipts\"\n".to_owned();
    for n in 0..CUT_PRINTERS {
        writeln!(
            text,
            "[[device]]\nid = \"p{n}\"\ntype = \"printer_escpos\"\nmanufacturer = \"EPSON\"\nproduct = \"TM-T88V\""
        )
        .unwrap();
        writeln!(text, "dots = 512\nspeed_mm_s = 400\nreceive_buffer = 1024").unwrap();
    }
    let scenario = dir.path().join("cuts.toml");
    std::fs::write(&scenario, text).unwrap();
    let mut printers = Printers::open(dir.path(), &scenario, "p0", CUT_PRINTERS).await.unwrap();
    let mut outcomes: HashMap<String, (usize, Outcome)> = HashMap::new();
    let (mut done_cuts, mut round) = (0, 0);
    while done_cuts < cuts {
        round += 1;
        let jobs: Vec<(String, DeviceId, CommandBody)> = (0..CUT_PRINTERS)
            .map(|n| {
                let id = format!("job-{round}-{n}-x");
                let mut blocks = vec![line(&format!("begin {id}"))];
                blocks.extend((0..12).map(|i| line(&format!("{i} of a receipt of some length"))));
                blocks.push(line(&format!("end {id}")));
                let hold = n % 2 == 1;
                let document = Document { title: id.clone(), blocks, cut: true, open_drawer: false, hold };
                (id, printers.id(&format!("p{n}")), CommandBody::Print { document })
            })
            .collect();
        let kills = dice.roll(4) == 0;
        let mut powerless = Vec::new();
        if !kills {
            for n in 0..CUT_PRINTERS {
                if dice.roll(2) == 0 {
                    let bytes = 1 + dice.roll(700);
                    printers.sim.send(&format!("p{n}"), "die_after", json!({ "bytes": bytes })).await.unwrap();
                    powerless.push(n);
                }
            }
        }
        for (id, device, body) in &jobs {
            printers.send(id, device, 60_000, body.clone()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(60))).await;
        if kills {
            printers.shop.iot_box.take().unwrap().kill().await.unwrap();
        } else {
            for n in (0..CUT_PRINTERS).filter(|n| !powerless.contains(n)) {
                printers.sim.send(&format!("p{n}"), "drop", json!({})).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            for n in powerless {
                // Whatever is left of its count shall not cut the next job.
                printers.sim.send(&format!("p{n}"), "die_after", json!({ "bytes": 0 })).await.unwrap();
                printers.sim.send(&format!("p{n}"), "plug", json!({})).await.unwrap();
            }
        }
        done_cuts += CUT_PRINTERS;
        if kills {
            printers.shop.start_box().await.unwrap();
            printers.till = printers.shop.till(&printers.erp, None).await.unwrap();
        }
        // Whoever did not hear asks again with the same id.
        for (n, (id, device, body)) in jobs.into_iter().enumerate() {
            let outcome = printers.outcome(&id, &device, body).await;
            outcomes.insert(id, (n, outcome));
        }
        printers.till = printers.shop.till(&printers.erp, None).await.unwrap();
        printers.all_ready(CUT_PRINTERS).await.unwrap();
    }
    let mut paper = vec![String::new(); CUT_PRINTERS];
    for (n, paper) in paper.iter_mut().enumerate() {
        let answer = printers.sim.send(&format!("p{n}"), "tear", json!({})).await.unwrap();
        drop(answer);
        for job in printers.papers(&format!("p{n}")).await {
            paper.push_str(job["text"].as_str().unwrap());
            paper.push('\n');
        }
    }
    let count = |n: usize, line: &str| paper[n].lines().filter(|l| l.trim() == line).count();
    let (mut printed, mut doubted, mut refused) = (0, 0, 0);
    for (id, (n, outcome)) in &outcomes {
        let (begun, ended) = (count(*n, &format!("begin {id}")), count(*n, &format!("end {id}")));
        assert!(begun <= 1 && ended <= 1, "seed {seed}: {id} is printed {begun} times: {outcome:?}");
        match outcome {
            Outcome::Done { .. } => {
                assert_eq!(ended, 1, "seed {seed}: {id} is lost: {outcome:?}");
                printed += 1;
            }
            Outcome::Rejected { .. } => {
                assert_eq!(begun, 0, "seed {seed}: {id} was refused and is on paper: {outcome:?}");
                refused += 1;
            }
            Outcome::Unknown { .. } => doubted += 1,
        }
    }
    assert_eq!(outcomes.len(), printed + doubted + refused);
    assert!(printed > 0 && doubted > 0, "cuts that do nothing prove nothing: {printed} printed, {doubted} in doubt");
    eprintln!(
        "CUTS cuts={done_cuts} jobs={} printed={printed} doubted={doubted} refused={refused} doubled=0 lost=0",
        outcomes.len()
    );
    printers.shop.close().await.unwrap();
}
