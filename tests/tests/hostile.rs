//! Bad input of the kind nobody means well with, and bad luck: names that lie, a cloned card, a clock years off, a full
//! disk, wrong tokens, garbage on the wires. Each gets a clear message at the right place, and nothing is lost or stuck.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use cloud_link::identity::Identity;
use data_encoding::BASE64;
use link_protocol::{
    down::CommandBody,
    enrol::{Applicant, Offer},
    local::FromBox,
    outcome::Outcome,
    up::{DeviceClass, EventBody, LiveBody},
};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde_json::json;
use system_tests::{
    counter::{Counter, Faults, PRINTER, SCALE, SCANNER, faults},
    erp::Erp,
    programs::until,
    shop::{Options, Shop, printed, scenario},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes the name into the box's settings as somebody with the card in his hand would.
fn name_box(shop: &Shop, name: &str) {
    std::fs::create_dir_all(shop.box_dir()).unwrap();
    let quoted = serde_json::to_string(name).unwrap();
    std::fs::write(shop.box_dir().join("settings.toml"), format!("name = {quoted}\n")).unwrap();
}

async fn pair(shop: &Shop, erp: &Erp) {
    let (code, said) = shop.iot_box_command(&["pair"], &erp.token().await.unwrap()).await.unwrap();
    assert_eq!(code, Some(0), "{said}");
}

/// Waits until `iot-box check` says `words`; all it said then.
async fn check_says(shop: &Shop, words: &str) -> String {
    let what = format!("iot-box check to say {words:?}");
    let told = until(&what, PATIENCE, || async {
        let (_, said) = shop.iot_box_command(&["check"], "").await?;
        if said.contains(words) { Ok(Some(said)) } else { anyhow::bail!("it said:\n{said}") }
    });
    told.await.unwrap_or_else(|e| panic!("{e:#}"))
}

/// Waits until the box has working devices of these classes.
async fn ready(shop: &Shop, classes: &[&str]) {
    let ready = until("the devices to be ready", PATIENCE, || async {
        let (_, said) = shop.iot_box_command(&["devices", "--json"], "").await?;
        let devices = serde_json::from_str::<serde_json::Value>(&said)?["devices"].take();
        let devices = devices.as_array().map(Vec::as_slice).unwrap_or_default();
        let all = classes.iter().all(|c| devices.iter().any(|d| d["class"] == **c && d["status"] == "ready"));
        if all { Ok(Some(())) } else { anyhow::bail!("{said}") }
    });
    ready.await.unwrap_or_else(|e| panic!("{e:#}"));
}

/// What no page may hold as it is.
fn assert_harmless(page: &str) {
    assert!(!page.contains("<script>alert"), "a name became a script: {page}");
    for hidden in ['\u{202e}', '\u{200b}', '\u{7}', '\u{1b}'] {
        assert!(!page.contains(hidden), "{hidden:?} reached a page: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boxes_of_one_name_get_two_and_hostile_names_do_no_harm() {
    const NAME: &str = "<script>alert(1)</script>";
    let dir = TempDir::new().unwrap();
    let mut options = Options::new(dir.path());
    let devices = std::fs::read_to_string(scenario("shop.toml")).unwrap();
    options.scenario = dir.path().join("hostile.toml");
    let lie = "<script>alert(2)</script>\\u202e\\u0007";
    std::fs::write(&options.scenario, devices.replace("Voyager 1450g (CDC)", lie)).unwrap();
    let mut first = Shop::prepare(options).await.unwrap();
    name_box(&first, NAME);
    first.start_sim().await.unwrap();
    first.start_erp().await.unwrap();
    first.start_box().await.unwrap();
    let erp = first.administrator().await.unwrap();
    pair(&first, &erp).await;

    let mut second = first.neighbour(&dir.path().join("second")).unwrap();
    name_box(&second, NAME);
    second.start_sim().await.unwrap();
    second.start_box().await.unwrap();
    pair(&second, &erp).await;
    let names = until("two boxes with devices", PATIENCE, || async {
        let boxes = erp.till_config().await?.boxes;
        Ok((boxes.len() == 2 && boxes.iter().all(|b| b.devices.len() == 3)).then(|| boxes.into_iter().map(|b| b.name)))
    });
    let mut names: Vec<String> = names.await.unwrap().collect();
    names.sort();
    assert_eq!(names, [NAME.to_owned(), format!("{NAME} (2)")]);

    // A name that hides or turns text does not leave the box.
    second.iot_box_command(&["unpair"], "").await.unwrap();
    second.iot_box.take().unwrap().stop().await.unwrap();
    for (bad, why) in
        [("Shop\u{202e}pohS", "U+202E"), ("Shop\n\u{1b}[31m", "U+000A"), (&"x".repeat(10_000), "63 characters")]
    {
        name_box(&second, bad);
        second.start_box().await.unwrap();
        let (code, said) = second.iot_box_command(&["pair"], &erp.token().await.unwrap()).await.unwrap();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("name cannot be used") && said.contains(why), "{said}");
        second.iot_box.take().unwrap().stop().await.unwrap();
    }

    // A box that does not check its name itself.
    for bad in ["Shop\u{202e}\u{200b}\u{7}\u{1b}[31m<script>alert(3)</script>", &"x".repeat(10_000)] {
        let identity = Identity::load_or_create(TempDir::new().unwrap().path()).unwrap();
        let applicant = Applicant {
            v: link_protocol::VERSION,
            box_id: identity.box_id().clone(),
            serial: "<script>alert(4)</script>\u{202e}".to_owned(),
            name: bad.to_owned(),
            version: "<script>alert(5)</script>".to_owned(),
            client_csr: identity.client_csr().unwrap(),
            server_csr: identity.https_csr(&[]).unwrap(),
            addresses: Vec::new(),
            https_port: 8443,
        };
        let offer = Offer { applicant, pake: BASE64.encode(&[0x53; 33]) };
        let answer = erp.http.post("/iot/v1/enrol/offer", &offer).await.unwrap();
        assert_eq!(answer.status.is_success(), bad.len() < 1000, "{}", answer.text());
        if !answer.status.is_success() {
            assert!(answer.status.is_client_error() && answer.text().contains("message"), "{}", answer.text());
        }
    }
    let asks = erp.pending().await.unwrap();
    assert!(asks.iter().any(|p| p.name.contains("alert(3)")), "the hostile offer is listed: {asks:?}");
    for path in ["/iot/boxes", "/iot/connect", "/iot/devices", "/iot/events", "/till"] {
        assert_harmless(&erp.page(path).await.unwrap());
    }
    // Shown, as the text that it is.
    assert!(erp.page("/iot/boxes").await.unwrap().contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(erp.page("/iot/devices").await.unwrap().contains("&lt;script&gt;alert(2)&lt;/script&gt;"));
    second.close().await.unwrap();
    first.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloned_card_loses_no_scan_and_the_erp_says_that_two_boxes_use_one_identity() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    let before = counter.scan("1000000000001").await.unwrap();
    counter.scans_in_erp(1, PATIENCE).await.unwrap();
    counter.shop.iot_box.take().unwrap().stop().await.unwrap();
    let mut shop = counter.shop.neighbour(&dir.path().join("copy")).unwrap();
    let (from, to) = (counter.shop.box_dir(), shop.box_dir());
    let copied = Command::new("cp").arg("-a").args([&from, &to]).status().unwrap();
    assert!(copied.success());

    counter.shop.start_box().await.unwrap();
    counter.reopen_till(None).await.unwrap();
    shop.start_sim().await.unwrap();
    shop.start_box().await.unwrap();
    let (sim, erp) = (shop.control().await.unwrap(), counter.erp.clone());
    let mut till = shop.till(&erp, None).await.unwrap();
    let devices = shop.ready_devices(&mut till, &[DeviceClass::Scanner]).await.unwrap();
    let mut copy = Counter { shop, sim, erp, till, devices, box_id: counter.box_id.clone() };

    let mut heard = vec!["1000000000001".to_owned()];
    for n in 2..6 {
        let (at_first, at_copy) = (format!("100000000000{n}"), format!("200000000000{n}"));
        let first = counter.scan(&at_first).await.unwrap();
        let second = copy.scan(&at_copy).await.unwrap();
        assert_eq!(first.epoch, before.epoch, "the box that was not copied goes on");
        assert_ne!(second.epoch, before.epoch, "the copy begins an epoch of its own");
        heard.extend([at_first, at_copy]);
    }
    let held = counter.scans_in_erp(heard.len(), PATIENCE).await.unwrap();
    assert_eq!(held.len(), heard.len(), "{held:?}");
    for code in &heard {
        assert_eq!(held.iter().filter(|s| s.text == *code).count(), 1, "{code}: {held:?}");
    }
    let path = format!("/iot/boxes/{}", counter.box_id);
    until("the ERP to say that the card was cloned", PATIENCE, || async {
        let page = counter.erp.page(&path).await?;
        if page.contains("boxes use the same identity") { Ok(Some(())) } else { anyhow::bail!("{page}") }
    })
    .await
    .unwrap();
    copy.shop.close().await.unwrap();
    counter.shop.close().await.unwrap();
}

/// Environment under which a program's wall clock is off by so much; the monotonic one is not.
fn clock_off_by(offset: &str) -> Vec<(String, String)> {
    let library = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let library = library.map(|d| d.path().join("faketime/libfaketimeMT.so.1")).find(|p| p.exists());
    let library = library.expect("libfaketime, which tests/install-tools.sh installs");
    [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME", offset),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}

async fn restart_box(counter: &mut Counter, env: Vec<(String, String)>) {
    counter.shop.iot_box.take().unwrap().stop().await.unwrap();
    counter.shop.box_env = env;
    counter.shop.start_box().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_clock_ten_years_behind_the_box_says_so_and_works() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    counter.scan("1000000000001").await.unwrap();
    counter.scans_in_erp(1, PATIENCE).await.unwrap();

    restart_box(&mut counter, clock_off_by("-10y")).await;
    counter.reopen_till(None).await.unwrap();
    counter.scan("1000000000002").await.unwrap();
    counter.scans_in_erp(2, PATIENCE).await.unwrap();
    let said = check_says(&counter.shop, "The clock is wrong: it stands before").await;
    assert!(!said.contains("no session with the ERP"), "{said}");

    restart_box(&mut counter, Vec::new()).await;
    counter.reopen_till(None).await.unwrap();
    counter.scan("1000000000003").await.unwrap();
    let held = counter.scans_in_erp(3, PATIENCE).await.unwrap();
    let texts: Vec<&str> = held.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(texts, ["1000000000001", "1000000000002", "1000000000003"]);
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_clock_ten_years_ahead_the_box_says_what_to_do_and_keeps_every_scan() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    counter.scan("1000000000001").await.unwrap();
    counter.scans_in_erp(1, PATIENCE).await.unwrap();

    // The box holds the ERP's certificate for one that ended long ago.
    restart_box(&mut counter, clock_off_by("+10y")).await;
    let said = check_says(&counter.shop, "The box has no session with the ERP: ").await;
    assert!(said.contains("The clock is wrong, or") && said.contains("Set it"), "{said}");
    assert!(said.contains("by this box's clock its certificate has ended"), "{said}");
    assert!(!said.contains("Another machine answers"), "the ERP is not under suspicion: {said}");
    // By the box's clock no till has a grant any more, so the scan is only stored.
    ready(&counter.shop, &["scanner"]).await;
    counter.sim.scan(SCANNER, "1000000000002").await.unwrap();
    check_says(&counter.shop, "Events that wait for the ERP: 1.").await;

    restart_box(&mut counter, Vec::new()).await;
    counter.scans_in_erp(2, PATIENCE).await.unwrap();
    counter.reopen_till(None).await.unwrap();
    counter.scan("1000000000003").await.unwrap();
    let held = counter.scans_in_erp(3, PATIENCE).await.unwrap();
    let texts: Vec<&str> = held.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(texts, ["1000000000001", "1000000000002", "1000000000003"]);
    counter.shop.close().await.unwrap();
}

/// A disk of its own, gone with this.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, bytes: u64) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={bytes},mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(at).status().unwrap();
        assert!(mounted.success());
        Self(at.to_owned())
    }

    /// Takes every byte that is left; true if there was one.
    fn fill(&self, name: &str) -> bool {
        let stat = statvfs(&self.0).unwrap();
        let free = stat.f_bavail * stat.f_frsize;
        let file = File::create(self.0.join(name)).unwrap();
        free > 0 && fallocate(&file, FallocateFlags::empty(), 0, free).is_ok()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that failed leaves programs behind that still have files open.
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

/// What the till hears of a scan.
#[derive(Debug, PartialEq)]
enum Fate {
    Stored,
    NotStored,
}

async fn fate_of(counter: &mut Counter, code: &str) -> Fate {
    counter.sim.scan(SCANNER, code).await.unwrap();
    let is_code = |body: &EventBody| matches!(body, EventBody::Barcode { text, .. } if text == code);
    let what = format!("news of {code}");
    let frame = counter.till.next(&what, PATIENCE, |f| match f {
        FromBox::Event(event) => is_code(&event.body),
        FromBox::Live(live) => matches!(&live.body, LiveBody::NotStored { event, .. } if is_code(event)),
        _ => false,
    });
    match frame.await.unwrap().frame {
        FromBox::Event(_) => Fate::Stored,
        _ => Fate::NotStored,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_uses_the_reserve_then_says_that_scans_are_not_stored_and_recovers() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can mount the small disk that this test fills");
        return;
    }
    let dir = TempDir::new().unwrap();
    let mut options = Options::new(dir.path());
    let box_dir = dir.path().join("card");
    options.box_dir = Some(box_dir.clone());
    // The reserve is 64 MB, taken when twice that is free.
    let disk = Disk::mount(&box_dir, 160 << 20);
    let mut counter = Counter::open_with(options).await.unwrap();
    let reserve = box_dir.join("outbox.reserve");
    assert!(reserve.exists(), "the reserve is taken at the start");
    counter.scan("1000000000000").await.unwrap();
    counter.scans_in_erp(1, PATIENCE).await.unwrap();
    // With the ERP away only the disk can keep a scan.
    counter.shop.erp.take().unwrap().stop().await.unwrap();

    assert!(disk.fill("filler-1"));
    let mut stored = vec!["1000000000000".to_owned()];
    let mut code = (1..).map(|n| format!("{:013}", 1_000_000_000_000_u64 + n));
    // A page of the log may have room for some scans more.
    while reserve.exists() {
        let code = code.next().unwrap();
        assert_eq!(fate_of(&mut counter, &code).await, Fate::Stored, "the reserve is for scans");
        stored.push(code);
        assert!(stored.len() < 200, "the reserve is not used on a full disk");
    }
    check_says(&counter.shop, "The disk has only 63 MB left.").await;

    assert!(disk.fill("filler-2"));
    let mut live = Vec::new();
    while live.len() < 3 {
        let code = code.next().unwrap();
        match fate_of(&mut counter, &code).await {
            Fate::Stored => stored.push(code),
            Fate::NotStored => live.push(code),
        }
        assert!(stored.len() < 400, "a full disk still takes scans");
    }
    check_says(&counter.shop, "scans pass on live and are not stored").await;

    // A power cut, and the box comes up on the full disk.
    counter.shop.iot_box.take().unwrap().kill().await.unwrap();
    counter.shop.start_box().await.unwrap();

    std::fs::remove_file(box_dir.join("filler-1")).unwrap();
    std::fs::remove_file(box_dir.join("filler-2")).unwrap();
    counter.shop.start_erp().await.unwrap();
    counter.sign_in_again().await.unwrap();
    counter.reopen_till(None).await.unwrap();
    for _ in 0..3 {
        let code = code.next().unwrap();
        assert_eq!(fate_of(&mut counter, &code).await, Fate::Stored, "there is room again");
        stored.push(code);
    }
    let (_, said) = counter.shop.iot_box_command(&["check"], "").await.unwrap();
    assert!(!said.contains("not stored"), "{said}");
    let held = counter.scans_in_erp(stored.len(), PATIENCE).await.unwrap();
    assert_eq!(faults(&stored, &held), Faults::default());
    assert!(held.iter().all(|s| !live.contains(&s.text)), "what was said not to be stored was not: {held:?}");
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_expired_malformed_or_of_another_erp_says_which() {
    let dir = TempDir::new().unwrap();
    let mut shop = Shop::prepare(Options::new(dir.path())).await.unwrap();
    shop.erp_env = clock_off_by("-2h");
    shop.start_sim().await.unwrap();
    shop.start_erp().await.unwrap();
    shop.start_box().await.unwrap();
    let expired = shop.administrator().await.unwrap().token().await.unwrap();
    shop.erp.take().unwrap().stop().await.unwrap();
    shop.erp_env.clear();
    shop.start_erp().await.unwrap();
    let erp = shop.administrator().await.unwrap();
    let token = erp.token().await.unwrap();

    let (rest, fingerprint) = token.rsplit_once("ca=").unwrap();
    let turned: String = fingerprint.chars().rev().collect();
    let other_erp = format!("{rest}ca={turned}");
    let (head, query) = token.split_once("?token=").unwrap();
    let (secret, rest) = query.split_once('&').unwrap();
    let last = if secret.ends_with('A') { "B" } else { "A" };
    let mistyped = format!("{head}?token={}{last}&{rest}", &secret[..secret.len() - 1]);
    // The ERP cannot see that the box refuses its answer, so this one is spent.
    let other_db = erp.token().await.unwrap().replace("&db=", "&db=other");
    let cases = [
        (expired, "older than an hour"),
        (token.rsplit_once('&').unwrap().0.to_owned(), "lacks"),
        (token.replace("https://", "http://"), "https://"),
        ("paste me".to_owned(), "not a token"),
        (other_erp, "is not the ERP that made this token"),
        (mistyped, "token"),
        (other_db, "database"),
        ("x".repeat(100_000), "not a token"),
    ];
    for (bad, why) in cases {
        let (code, said) = shop.iot_box_command(&["pair"], &bad).await.unwrap();
        assert_eq!(code, Some(1), "{bad}: {said}");
        assert!(said.contains(why), "{bad} should be refused for {why:?}: {said}");
        assert!(said.len() < 1000 && !said.contains(&secret[secret.len() - 8..]), "the secret is not repeated: {said}");
    }
    // None of it used up the right one, nor locked the box out.
    let (code, said) = shop.iot_box_command(&["pair"], &token).await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_printer_scale_and_scanner_stops_nothing() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    let [printer, scale] = [DeviceClass::Printer, DeviceClass::Scale].map(|c| counter.device(c).unwrap());
    let product = counter.erp.till_config().await.unwrap().products.into_iter().find(|p| !p.to_weight).unwrap().id;
    let lines = json!([{ "product_id": product, "qty": 1 }]);
    let sale =
        |id: &str| json!({ "command_id": id, "box": counter.box_id, "device": printer, "lines": lines, "cash": false });
    // Every byte there is, in an order that never repeats; the first three look like the devices' own answers begun.
    let starts = ["10", "0200", "1b1d", "", "ff"];
    for (round, start) in starts.iter().enumerate() {
        let step = 2 * round + 1;
        let noise: String = (0..512).map(|i| format!("{:02x}", (i * step + round) % 256)).collect();
        for device in [PRINTER, SCALE, SCANNER] {
            counter.sim.send(device, "garbage", json!({ "hex": format!("{start}{noise}") })).await.unwrap();
        }
        // Noise may look like a printer without paper, so any outcome will do; but there is one, in time.
        let id = format!("in-the-noise-{round}");
        counter.erp.print(&sale(&id)).await.unwrap();
        counter.erp.outcome(&id, PATIENCE).await.unwrap();
    }
    // The noise is over: everything works.
    counter.sim.send(SCALE, "put", json!({ "weight": "1.234" })).await.unwrap();
    ready(&counter.shop, &["printer", "scale"]).await;
    let before = printed(&mut counter.sim, PRINTER).await.unwrap().len();
    counter.erp.print(&sale("after-the-noise")).await.unwrap();
    let outcome = counter.erp.outcome("after-the-noise", PATIENCE).await.unwrap();
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(printed(&mut counter.sim, PRINTER).await.unwrap().len(), before + 1);
    for (id, device, body) in
        [("open-the-drawer", &printer, CommandBody::OpenDrawer), ("read-the-weight", &scale, CommandBody::ReadWeight)]
    {
        let mut order = json!({ "command_id": id, "box": counter.box_id, "device": device, "ttl_ms": 10_000 });
        order.as_object_mut().unwrap().extend(serde_json::to_value(&body).unwrap().as_object().unwrap().clone());
        counter.erp.command(&order).await.unwrap();
        let outcome = counter.erp.outcome(id, PATIENCE).await.unwrap();
        assert!(matches!(outcome, Outcome::Done { .. }), "{id}: {outcome:?}");
    }
    counter.scan("4006381333931").await.unwrap();
    counter.shop.close().await.unwrap();
}
