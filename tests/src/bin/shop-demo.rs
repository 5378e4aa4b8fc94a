//! `make demo`: a shop that opens, sells for a minute and stays open.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use iot_sim::control;
use link_protocol::{
    ids::{BoxId, DeviceId},
    local::FromBox,
    outcome::{Outcome, PrintCertainty, Value as OutcomeValue},
    up::{Device, DeviceClass, EventBody},
};
use serde_json::{Value, json};
use system_tests::{
    clock::{monotonic_us, ms_between, ms_since},
    erp::{Bus, Erp, Product},
    shop::{ADMIN, Options, Shop, printed, write_secret},
    till::BoxSocket,
};

const SCANNER: &str = "till-scanner";
const SCALE: &str = "till-scale";
const PRINTER: &str = "till-printer";

/// Opens a shop of simulated devices, sells, prints, and stays up.
#[derive(Parser)]
struct Args {
    /// Stop after the shop minute; exit status 0 only if everything in it went right.
    #[arg(long)]
    once: bool,
    /// Where the shop's data lies; emptied first.
    #[arg(long, default_value = "var/demo")]
    dir: PathBuf,
    /// Once the shop is open, write here where it is and how to sign in (shell variables; readable by the owner only).
    #[arg(long, value_name = "FILE")]
    addresses: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let _claimed = claim(&args.dir)?;
    let mut stop = std::pin::pin!(stop_signal());
    let mut shop = None;
    let result = tokio::select! {
        result = minute(&args, &mut shop) => result.map(|()| true),
        () = &mut stop => Ok(false),
    };
    match (result, shop) {
        (Ok(true), Some(shop)) if !args.once => {
            stay(&shop);
            if let Some(file) = &args.addresses {
                let text = format!("ERP_URL={}\nERP_LOGIN={ADMIN}\nERP_PASSWORD={}\n", shop.erp_url(), shop.password);
                write_secret(file, &text)?;
            }
            stop.await;
            line("Closing the shop.");
            shop.close().await
        }
        (Ok(_), Some(shop)) => shop.close().await,
        (Ok(_), None) => Ok(()),
        (Err(error), shop) => {
            if let Some(shop) = shop {
                line(&format!("The logs lie in {}.", shop.dir().display()));
                if let Err(error) = shop.close().await {
                    line(&format!("{error:#}"));
                }
            }
            Err(error)
        }
    }
}

/// Empties the folder and keeps it ours: a second demo would take the data away from under the first.
fn claim(dir: &Path) -> Result<File> {
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let lock = dir.join("lock");
    let ours = lock.exists() || dir.join("erp-init.log").exists();
    ensure!(
        ours || std::fs::read_dir(dir)?.next().is_none(),
        "{} holds other things than a demo: name an empty folder",
        dir.display()
    );
    let file = File::create(&lock).with_context(|| format!("{}", lock.display()))?;
    ensure!(
        file.try_lock().is_ok(),
        "a demo runs in {} already: close it with Ctrl-C, or name another folder with --dir",
        dir.display()
    );
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path != lock {
            let gone = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            gone.with_context(|| format!("emptying {}", dir.display()))?;
        }
    }
    Ok(file)
}

async fn stop_signal() {
    let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(term) => term,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

#[expect(clippy::print_stdout, reason = "the demo talks to the person who started it")]
fn line(text: &str) {
    println!("{text}");
}

/// The story so far, one line a step, with the milliseconds it took.
struct Story {
    began_us: u64,
}

impl Story {
    fn step(&self, what: &str, ms: f64) {
        line(&format!("{:>8.1} s  {what:<62} {ms:>9.1} ms", ms_since(self.began_us) / 1000.0));
    }
}

/// Everybody who takes part in the minute.
struct Cast {
    erp: Erp,
    bus: Bus,
    till: BoxSocket,
    sim: control::Client,
    box_id: BoxId,
    devices: Vec<Device>,
    products: Vec<Product>,
}

async fn minute(args: &Args, slot: &mut Option<Shop>) -> Result<()> {
    let dir = args.dir.canonicalize()?;
    let story = Story { began_us: monotonic_us() };
    line("Opening a shop: an ERP, a box, a scale, a scanner and a receipt printer.\n");

    let mut options = Options::new(&dir);
    (options.erp_port, options.box_port) = (8069, 8443);
    let began = monotonic_us();
    let shop = slot.insert(Shop::prepare(options).await?);
    story.step("the ERP's database with a small shop in it", ms_since(began));
    let began = monotonic_us();
    shop.start_sim().await?;
    story.step("iot-sim: scale and scanner on serial lines, printer on TCP", ms_since(began));
    let began = monotonic_us();
    shop.start_erp().await?;
    story.step(&format!("erp serves {}", shop.erp_url()), ms_since(began));
    let began = monotonic_us();
    shop.start_box().await?;
    story.step(&format!("iot-box serves {}", shop.box_url()), ms_since(began));

    let mut cast = pair(shop, &story).await?;
    sell(shop, &story, &mut cast).await?;
    line("\nEverything in the shop minute went right.");
    Ok(())
}

async fn pair(shop: &Shop, story: &Story) -> Result<Cast> {
    let mut sim = shop.control().await?;
    let erp = shop.administrator().await?;
    let began = monotonic_us();
    let code = shop.code_on_ticket(&mut sim, PRINTER).await?;
    story.step(
        &format!("the box prints a ticket with the code {}", link_protocol::enrol::display_code(&code)),
        ms_since(began),
    );
    let began = monotonic_us();
    erp.pair_by_code(&code).await?;
    story.step("the code is typed at IoT boxes > Connect, box and ERP trust each other", ms_since(began));

    let began = monotonic_us();
    let (config, box_id) = online_box(&erp).await?;
    let bus = erp.listen().await?;
    let mut till = shop.till(&erp, None).await?;
    let classes = [DeviceClass::Scanner, DeviceClass::Scale, DeviceClass::Printer];
    let devices = shop.ready_devices(&mut till, &classes).await?;
    story.step(&format!("a till opens; {} devices are ready", devices.len()), ms_since(began));
    Ok(Cast { erp, bus, till, sim, box_id, devices, products: config.products })
}

async fn online_box(erp: &Erp) -> Result<(system_tests::erp::TillConfig, BoxId)> {
    let limit = Duration::from_secs(10);
    system_tests::programs::until("the box online in the ERP", limit, || async {
        let config = erp.till_config().await?;
        let row = config.boxes.iter().find(|b| b.online).map(|b| b.box_id.clone());
        Ok(row.map(|id| (config, id)))
    })
    .await
}

impl Cast {
    fn device(&self, class: DeviceClass) -> Result<DeviceId> {
        let found = self.devices.iter().find(|d| d.class == class);
        Ok(found.with_context(|| format!("no {class:?} is ready"))?.id.clone())
    }
}

async fn sell(shop: &Shop, story: &Story, cast: &mut Cast) -> Result<()> {
    let mut lines = Vec::new();
    let scanned: Vec<Product> =
        cast.products.iter().filter(|p| !p.to_weight && p.barcode.is_some()).take(3).cloned().collect();
    ensure!(scanned.len() == 3, "the demo shop has fewer than three products with a barcode");
    for product in &scanned {
        scan(story, cast, product).await?;
        lines.push(json!({ "product_id": product.id, "qty": 1 }));
    }
    let loose = cast.products.iter().find(|p| p.to_weight).cloned().context("nothing is sold by weight")?;
    let weight = weigh(story, cast, &loose).await?;
    lines.push(json!({ "product_id": loose.id, "weight": weight }));
    print(shop, story, cast, &lines).await
}

async fn scan(story: &Story, cast: &mut Cast, product: &Product) -> Result<()> {
    let code = product.barcode.clone().context("picked for its barcode")?;
    let last_byte = cast.sim.scan(SCANNER, &code).await?;
    let wanted = |body: &EventBody| matches!(body, EventBody::Barcode { text, .. } if *text == code);
    let arrived = cast
        .till
        .next("the scan", Duration::from_secs(5), |f| matches!(f, FromBox::Event(e) if wanted(&e.body)))
        .await?;
    let at_till = ms_between(last_byte, arrived.at_us);
    cast.bus.next("the scan", Duration::from_secs(5), |m| m.to_string().contains(&code)).await?;
    story.step(&format!("scan {code} {}: on the till's screen", product.name), at_till);
    story.step("    the same, committed in the ERP and pushed to its pages", ms_since(last_byte));
    Ok(())
}

async fn weigh(story: &Story, cast: &mut Cast, product: &Product) -> Result<String> {
    let put = monotonic_us();
    cast.sim.put(SCALE, "0.734").await?;
    let scale = cast.device(DeviceClass::Scale)?;
    let id = format!("demo-weigh-{put}");
    let command =
        json!({ "command_id": id, "box": cast.box_id, "device": scale, "do": "read_weight", "ttl_ms": 10_000 });
    cast.erp.command(&command).await?;
    let outcome = cast.erp.outcome(&id, Duration::from_secs(15)).await?;
    let Outcome::Done { value: OutcomeValue::Weight(weight) } = outcome else {
        anyhow::bail!("the weight was not taken: {outcome:?}");
    };
    ensure!(weight.weight == "0.734", "the scale shows 0.734 kg, the ERP got {}", weight.weight);
    story.step(&format!("{}: {} kg, settled on the scale and taken", product.name, weight.weight), ms_since(put));
    Ok(weight.weight)
}

async fn print(shop: &Shop, story: &Story, cast: &mut Cast, lines: &[Value]) -> Result<()> {
    let before = printed(&mut cast.sim, PRINTER).await?.len();
    let began = monotonic_us();
    let id = format!("demo-sale-{began}");
    let printer = cast.device(DeviceClass::Printer)?;
    let sale = json!({ "command_id": id, "box": cast.box_id, "device": printer, "lines": lines, "cash": true });
    cast.erp.print(&sale).await?;
    // The same sale again, as an impatient finger sends it: nothing more may be printed.
    cast.erp.print(&sale).await?;
    let outcome = cast.erp.outcome(&id, Duration::from_secs(30)).await?;
    let Outcome::Done { value: OutcomeValue::Print { certainty } } = outcome else {
        anyhow::bail!("the receipt was not printed: {outcome:?}");
    };
    let word = match certainty {
        PrintCertainty::Sent => "sent",
        PrintCertainty::Accepted => "accepted",
        PrintCertainty::Printed => "printed",
    };
    story.step(&format!("receipt: done, {word}"), ms_since(began));
    let receipts = printed(&mut cast.sim, PRINTER).await?;
    ensure!(receipts.len() == before + 1, "one receipt was asked for, the printer made {}", receipts.len() - before);
    let receipt = receipts.last().context("the printer printed nothing")?;
    let [drawer] = receipt.drawer_kicks_us[..] else {
        anyhow::bail!("the drawer was told to open {} times", receipt.drawer_kicks_us.len());
    };
    let first_byte = receipt.first_byte_us.context("the printer stamped no first byte")?;
    story.step("    first byte at the printer", ms_between(began, first_byte));
    story.step("    cash drawer opened", ms_between(began, drawer));
    line(&format!("\nThe receipt: {}", shop.dir().join(&receipt.png).display()));
    Ok(())
}

fn stay(shop: &Shop) {
    let technician = std::fs::read_to_string(shop.box_dir().join("technician-password")).unwrap_or_default();
    line("\nThe shop stays open. The certificates come from the shop's own CA: the browser asks once for each.\n");
    line(&format!("  ERP, sign in as {ADMIN} / {}", shop.password));
    line(&format!("    {}/till         sell: scan, weigh, print", shop.erp_url()));
    line(&format!("    {}/iot/boxes    boxes, devices, events", shop.erp_url()));
    line(&format!("  The box's homepage, technician password {}", technician.trim()));
    line(&format!("    {}/", shop.box_url()));
    line(&format!(
        "  Make things happen: README of hardware-fixtures, socket named in {}",
        shop.dir().join("ports.toml").display()
    ));
    line("\nCtrl-C closes the shop.");
}
