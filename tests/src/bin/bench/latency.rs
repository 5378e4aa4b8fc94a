//! From the last byte on the line to the till's screen, and from the till's wish to the printer's first byte; once with
//! the box's data on tmpfs (our own overhead) and once on disk, beside what the disk itself needs for a commit.

use std::{fs::OpenOptions, io::Write, path::Path, time::Duration};

use anyhow::{Context, Result};
use link_protocol::{
    document::{Align, Block, Document},
    down::CommandBody,
    local::{FromBox, ToBox},
    up::{DeviceClass, EventBody},
};
use system_tests::{
    clock::{monotonic_us, ms_between},
    shop::{Options, Shop, printed, scenario},
};
use tempfile::TempDir;

use crate::{Figure, percentile, report};

const SCANS: usize = 300;
const PRINTS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run() -> Result<()> {
    let disk = TempDir::new_in(".")?;
    disk_commit(disk.path())?;
    measure("tmpfs", Path::new("/dev/shm"), true).await?;
    measure("disk", disk.path(), false).await
}

fn disk_commit(dir: &Path) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("commit"))?;
    let mut samples = Vec::with_capacity(SCANS);
    for _ in 0..SCANS {
        let began = monotonic_us();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        samples.push(ms_between(began, monotonic_us()));
    }
    for percent in [50, 99] {
        let name = format!("disk_commit_4k_p{percent}");
        report(&Figure { name: &name, value: percentile(&mut samples, percent), unit: "ms", goal: None, peer: None });
    }
    Ok(())
}

async fn measure(medium: &str, box_root: &Path, goals: bool) -> Result<()> {
    let dir = TempDir::new()?;
    let box_dir = TempDir::new_in(box_root)?;
    let mut options = Options::new(dir.path());
    options.box_dir = Some(box_dir.path().join("box"));
    options.scenario = scenario("bench.toml");
    let shop = Shop::open(options).await?;
    let mut sim = shop.control().await?;
    let erp = shop.administrator().await?;
    let code = shop.code_on_ticket(&mut sim, "bench-printer").await?;
    erp.pair_by_code(&code).await?;
    let mut till = shop.till(&erp, None).await?;
    let devices = shop.ready_devices(&mut till, &[DeviceClass::Scanner, DeviceClass::Printer]).await?;

    let mut samples = Vec::with_capacity(SCANS);
    for n in 0..SCANS {
        let code = format!("{n:012}");
        let last_byte = sim.scan("bench-scanner", &code).await?;
        let is_it = |f: &FromBox| matches!(f, FromBox::Event(e) if matches!(&e.body, EventBody::Barcode { text, .. } if *text == code));
        let arrived = till.next("the scan", PATIENCE, is_it).await?;
        samples.push(ms_between(last_byte, arrived.at_us));
    }
    for (percent, goal) in [(50, 0.5), (99, 1.0)] {
        let name = format!("scan_to_websocket_{medium}_p{percent}");
        let goal = goals.then_some(("<=", goal));
        report(&Figure { name: &name, value: percentile(&mut samples, percent), unit: "ms", goal, peer: None });
    }

    let printer = devices.iter().find(|d| d.class == DeviceClass::Printer).context("no printer")?.id.clone();
    let mut samples = Vec::with_capacity(PRINTS);
    for n in 0..PRINTS {
        let text = Block::Text { text: format!("line {n}"), align: Align::Left, bold: false, large: false };
        let document =
            Document { title: format!("job {n}"), blocks: vec![text], cut: true, open_drawer: false, hold: false };
        let id: link_protocol::ids::CommandId = format!("bench-print-{medium}-{n}").parse()?;
        let body = CommandBody::Print { document };
        let asked = monotonic_us();
        till.send(&ToBox::Command { id: id.clone(), device: printer.clone(), ttl_ms: 10_000, body }).await?;
        till.next("the outcome", PATIENCE, |f| matches!(f, FromBox::Outcome { id: i, .. } if *i == id)).await?;
        let jobs = printed(&mut sim, "bench-printer").await?;
        let first = jobs.last().and_then(|job| job.first_byte_us).context("nothing was printed")?;
        samples.push(ms_between(asked, first));
    }
    for percent in [50, 99] {
        let name = format!("command_to_printer_first_byte_{medium}_p{percent}");
        let goal = (goals && percent == 99).then_some(("<=", 1.0));
        report(&Figure { name: &name, value: percentile(&mut samples, percent), unit: "ms", goal, peer: None });
    }
    drop(till);
    shop.close().await
}
