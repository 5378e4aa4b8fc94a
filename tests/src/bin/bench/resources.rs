//! What the box costs: memory at rest, time to the first answer, size of the program.

use std::time::Duration;

use anyhow::{Context, Result};
use link_protocol::up::DeviceClass;
use system_tests::{
    clock::{monotonic_us, ms_since},
    programs::{Program, bin_dir, free_port},
    shop::{Options, Shop},
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{Figure, percentile, report};

pub(crate) async fn run() -> Result<()> {
    start().await?;
    memory().await?;
    let program =
        std::env::var_os("IOT_BOX").map_or_else(|| bin_dir().map(|dir| dir.join("iot-box")), |p| Ok(p.into()))?;
    let bytes = u32::try_from(std::fs::metadata(program)?.len())?;
    let mib = f64::from(bytes) / 1_048_576.0;
    report(&Figure { name: "box_binary", value: mib, unit: "MiB", goal: None, peer: None });
    Ok(())
}

/// From exec to the first answered request, on a data folder that exists.
async fn start() -> Result<()> {
    let dir = TempDir::new()?;
    let mut samples = Vec::new();
    for _ in 0..7 {
        let address = free_port(0)?;
        let data = dir.path().join("box");
        let args = ["run", "--data", data.to_str().context("UTF-8")?, "--listen", &address.to_string()];
        let http = system_tests::http::Client::new(address, "127.0.0.1", None)?;
        let began = monotonic_us();
        let program = Program::start("iot-box", &args, &[], &dir.path().join("log"))?;
        let end = Instant::now() + Duration::from_secs(10);
        while http.get("/v1/hello").await.is_err() {
            anyhow::ensure!(Instant::now() < end, "the box did not start");
            sleep(Duration::from_millis(1)).await;
        }
        samples.push(ms_since(began));
        program.stop().await?;
    }
    // The first start makes keys and password; it counts as well.
    let first = samples.first().copied().unwrap_or(f64::NAN);
    let goal = Some(("<=", 100.0));
    report(&Figure { name: "box_first_start_ever", value: first, unit: "ms", goal: None, peer: None });
    let median = percentile(&mut samples, 50);
    report(&Figure { name: "box_start_to_first_answer", value: median, unit: "ms", goal, peer: None });
    Ok(())
}

async fn memory() -> Result<()> {
    let dir = TempDir::new()?;
    let shop = Shop::open(Options::new(dir.path())).await?;
    let mut sim = shop.control().await?;
    let erp = shop.administrator().await?;
    let code = shop.code_on_ticket(&mut sim, "till-printer").await?;
    erp.pair_by_code(&code).await?;
    let mut till = shop.till(&erp, None).await?;
    let classes = [DeviceClass::Scanner, DeviceClass::Scale, DeviceClass::Printer];
    shop.ready_devices(&mut till, &classes).await?;
    drop(till);
    sleep(Duration::from_secs(60)).await;
    let pid = shop.iot_box.as_ref().context("the box runs")?.pid()?;
    let pss = pss_kib(pid)?;
    let goal = Some(("<=", 10.0));
    report(&Figure { name: "box_pss_idle_60s", value: pss / 1024.0, unit: "MiB", goal, peer: None });
    let pid = shop.erp.as_ref().context("the ERP runs")?.pid()?;
    report(&Figure { name: "erp_pss_idle_60s", value: pss_kib(pid)? / 1024.0, unit: "MiB", goal: None, peer: None });
    shop.close().await
}

/// Proportional set size, KiB: `/proc/<pid>/smaps_rollup`.
pub(crate) fn pss_kib(pid: i32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find(|l| l.starts_with("Pss:")).context("no Pss line")?;
    let value: u32 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(f64::from(value))
}
