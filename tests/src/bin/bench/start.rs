//! The ERP's start with many apps, and what it takes at rest.

use std::{fmt::Write, path::Path, time::Duration};

use anyhow::{Context, Result};
use system_tests::{
    clock::{monotonic_us, ms_since},
    programs::{Program, free_port},
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{Figure, percentile, report, resources::pss_kib};

const APPS: usize = 30;
const MODELS: usize = 10;

/// From exec to the first answered request with 30 apps of 10 models installed, and memory a minute later.
pub(crate) async fn run() -> Result<()> {
    let dir = TempDir::new()?;
    let data = dir.path().join("erp");
    std::fs::create_dir_all(data.join("apps"))?;
    for app in 0..APPS {
        std::fs::write(data.join(format!("apps/bench_{app:02}.toml")), generated(app)?)?;
    }
    let log = dir.path().join("log");
    let path = data.to_str().context("UTF-8")?;
    let init =
        Program::start("erp", &["init", "--data", path], &[("ERP_ADMIN_PASSWORD", "a long bench password")], &log)?;
    init.wait(Duration::from_secs(300)).await?;
    let mut samples = Vec::new();
    for round in 0..5 {
        let began = monotonic_us();
        let (program, address) = serve(path, &log)?;
        answer(address).await?;
        samples.push(ms_since(began));
        if round == 4 {
            sleep(Duration::from_secs(60)).await;
            let pss = pss_kib(program.pid()?)? / 1024.0;
            let goal = Some(("<=", 40.0));
            let peer = Some(("odoo19_three_processes", 460.0));
            report(&Figure { name: "erp_30_apps_pss_idle", value: pss, unit: "MiB", goal, peer });
        }
        program.stop().await?;
    }
    let goal = Some(("<=", 300.0));
    let median = percentile(&mut samples, 50);
    report(&Figure { name: "erp_30_apps_start_to_first_answer", value: median, unit: "ms", goal, peer: None });
    Ok(())
}

fn serve(data: &str, log: &Path) -> Result<(Program, std::net::SocketAddr)> {
    let address = free_port(0)?;
    let program = Program::start("erp", &["serve", "--data", data, "--listen", &address.to_string()], &[], log)?;
    Ok((program, address))
}

/// The port opens when the program is ready to serve.
async fn answer(address: std::net::SocketAddr) -> Result<()> {
    let http = system_tests::http::Client::new(address, "localhost", None)?;
    let end = Instant::now() + Duration::from_secs(20);
    while http.get("/web/login").await.is_err() {
        anyhow::ensure!(Instant::now() < end, "the ERP did not start");
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Ten models of ten fields each, some of them pointing at each other.
fn generated(app: usize) -> Result<String> {
    let mut text =
        format!("name = \"bench_{app:02}\"\nlabel = \"Bench {app}\"\nversion = \"1\"\ndepends = [\"base\"]\n");
    for model in 0..MODELS {
        writeln!(text, "\n[[models]]\nname = \"bench{app:02}.m{model}\"\nlabel = \"Model {model}\"\nfields = [")?;
        text.push_str("  { name = \"name\", type = \"char\", required = true },\n");
        for field in 0..7 {
            let kind = ["char", "integer", "float", "boolean", "date", "datetime", "text"][field];
            writeln!(text, "  {{ name = \"f{field}\", type = \"{kind}\" }},")?;
        }
        text.push_str("  { name = \"partner_id\", type = \"many2one\", comodel = \"res.partner\" },\n");
        writeln!(
            text,
            "  {{ name = \"next_id\", type = \"many2one\", comodel = \"bench{app:02}.m{}\" }},",
            (model + 1) % MODELS
        )?;
        text.push_str("]\n");
        writeln!(
            text,
            "\n[[access]]\ngroup = \"base.group_user\"\nmodel = \"bench{app:02}.m{model}\"\nrights = \"crud\""
        )?;
    }
    Ok(text)
}
