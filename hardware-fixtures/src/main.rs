//! `iot-sim SCENARIO.toml --ports FILE`: simulated shop devices for tests, benchmarks and the demo.

use std::{io::IsTerminal, path::PathBuf};

use anyhow::{Context, bail};
use clap::Parser;
use iot_sim::{Scenario, Sim};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Simulated shop devices that speak the real bytes over real channels.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Which devices there are (see hardware-fixtures/scenarios).
    scenario: PathBuf,
    /// Written when every device is ready, kept current, removed at exit; the control socket lies beside it.
    #[arg(long, value_name = "FILE")]
    ports: PathBuf,
    /// Where printers leave their receipts, instead of the scenario's `out`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let mut scenario = Scenario::read(&arguments.scenario)?;
    if let Some(out) = arguments.out {
        scenario.out = std::path::absolute(out)?;
    }
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut sim = Sim::start(&scenario, &arguments.ports).await?;
    tracing::info!(
        devices = scenario.devices.len(),
        ports.path = %arguments.ports.display(),
        control.path = %sim.control_socket().display(),
        "the simulated devices are ready"
    );
    let failed = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        failed = sim.failed() => Some(failed),
    };
    sim.stop().await;
    if let Some((id, error)) = failed {
        bail!("{id} failed: {error}");
    }
    Ok(())
}
