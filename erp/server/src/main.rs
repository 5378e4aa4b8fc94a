use std::{process::ExitCode, time::Duration};

use clap::{Parser, error::ErrorKind};
use erp_server::{
    apps, backup,
    cli::{Cli, Command},
    init, serve,
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// As `sysexits.h` has it.
const WRONG_USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(WRONG_USAGE) };
        }
    };
    // The database and what SQLite puts beside it are this user's alone, whatever folder they lie in.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    start_logs();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error).context("the system gives no threads")),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Init(args) => init::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Apps(args) => apps::run(args).await,
            Command::Backup(args) => backup::backup(args).await,
            Command::Restore(args) => backup::restore(args).await,
            Command::Duplicate(args) => backup::duplicate(args).await,
        }
    });
    // A thread that reads a hanging standard input must not hold the end up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<init::Usage>() {
            Some(_) => {
                failed(&error);
                ExitCode::from(WRONG_USAGE)
            }
            None => failed(&error),
        },
    }
}

#[expect(clippy::print_stderr, reason = "what a person reads who typed the command")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("erp: {error:#}");
    ExitCode::FAILURE
}

/// To standard error: text for people, JSON with `ERP_LOG_FORMAT=json`; `ERP_LOG` chooses what.
fn start_logs() {
    let filter = EnvFilter::try_from_env("ERP_LOG").unwrap_or_else(|_| EnvFilter::new("info,mdns_sd=warn,sqlx=warn"));
    let registry = tracing_subscriber::registry().with(filter);
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if std::env::var("ERP_LOG_FORMAT").is_ok_and(|f| f == "json") {
        registry.with(format.json()).init();
    } else {
        use std::io::IsTerminal;
        registry.with(format.with_ansi(std::io::stderr().is_terminal())).init();
    }
}
