//! The command line: a contract that packages, tests and other people's scripts rely on.

use std::{
    io::{IsTerminal, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use link_protocol::up::{Connection, DeviceStatus};
use serde::Serialize;

use crate::{
    check,
    control::{self, Answer, Request, Status},
    data_dir::DataDir,
    doctor, log, run,
};

const OTHER_VERSION: &str = "the daemon is of another version: restart it";
/// Wrong usage, as sysexits.h has it.
const USAGE: u8 = 64;

/// Makes the devices of a shop or a factory useful to its ERP.
#[derive(Debug, Parser)]
#[command(name = "iot-box", version, about, after_help = "Exit status: 0 done, 1 failed, 64 wrong usage.")]
struct Cli {
    /// Where the box keeps its keys, settings and unsent events
    #[arg(long, global = true, value_name = "DIR", env = "IOT_BOX_DATA", default_value = "./var/box")]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Run {
        /// Address of the local API and the box's own pages
        #[arg(long, value_name = "ADDR", env = "IOT_BOX_LISTEN", default_value = "0.0.0.0:8443")]
        listen: SocketAddr,
        /// Simulated ports beside the real ones, as written by iot-sim --ports FILE
        #[arg(long, value_name = "FILE", env = "IOT_BOX_SIM")]
        sim: Option<PathBuf>,
        /// Where the ERP is, when it is not found by itself
        #[arg(long, value_name = "URL", env = "IOT_BOX_ERP", value_parser = erp_url)]
        erp: Option<String>,
        /// How logs are written
        #[arg(long, value_enum, env = "IOT_BOX_LOG_FORMAT", default_value = "text")]
        log_format: log::Format,
        /// What is logged, such as info,cloud_link=debug
        #[arg(long, value_name = "FILTER", env = "IOT_BOX_LOG", default_value = "info")]
        log: String,
    },
    /// Say in plain words what is wrong and what to do
    Check {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// List the devices
    Devices {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Show how fast the barcode scanners are, and what would make them faster
    ScannerDoctor {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Pair with an ERP by the token of IoT boxes > Connect, read from standard input
    Pair,
    /// End the pairing; events that were not sent stay on the box
    Unpair,
    /// Show the technician password of the box's own pages
    Password,
}

fn erp_url(text: &str) -> Result<String, String> {
    match crate::homepage::settings::clean_url(text) {
        Ok(Some(url)) => Ok(url),
        Ok(None) => Err("it is empty".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
            drop(error.print());
            return code;
        }
    };
    let dir = DataDir::new(cli.data);
    match cli.command {
        Command::Run { listen, sim, erp, log_format, log } => {
            if let Err(error) = log::init(log_format, &log) {
                say_error(&error);
                return ExitCode::from(USAGE);
            }
            done(runtime(2).and_then(|rt| rt.block_on(run::run(dir, run::Options { listen, sim, erp }))))
        }
        Command::Check { json } => match small_runtime().map(|rt| rt.block_on(check::run(&dir))) {
            Ok(report) => {
                say(&if json { report.json() } else { report.text(std::io::stdout().is_terminal()) });
                if report.all_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => done(Err(error)),
        },
        Command::Devices { json } => done(status(&dir).map(|status| {
            say(&if json { devices_json(&status) } else { devices_text(&status) });
        })),
        Command::ScannerDoctor { json } => done(scanners(&dir).map(|scanners| {
            say(&if json { doctor::json(&scanners) } else { doctor::text(&scanners) });
        })),
        Command::Pair => done(token().and_then(|token| ask(&dir, &Request::Pair { token }))),
        Command::Unpair => done(ask(&dir, &Request::Unpair)),
        Command::Password => done(password(&dir)),
    }
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Two threads: a picture that is being encoded for a printer keeps no scan waiting.
fn runtime(workers: usize) -> Result<tokio::runtime::Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(workers).max_blocking_threads(8).thread_stack_size(1024 * 1024).enable_all();
    builder.build().map_err(|e| format!("cannot start: {e}"))
}

fn small_runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| format!("cannot start: {e}"))
}

fn send(dir: &DataDir, request: &Request) -> Result<Answer, String> {
    let socket = dir.control_socket();
    small_runtime()?.block_on(control::ask(dir.path(), &socket, request)).map_err(|e| e.to_string())
}

fn ask(dir: &DataDir, request: &Request) -> Result<(), String> {
    match send(dir, request)? {
        Answer::Done(text) => {
            say(&text);
            Ok(())
        }
        Answer::Failed(text) => Err(text),
        Answer::Status(_) | Answer::Scanners(_) => Err(OTHER_VERSION.to_owned()),
    }
}

fn scanners(dir: &DataDir) -> Result<Vec<doctor::Scanner>, String> {
    match send(dir, &Request::Doctor)? {
        Answer::Scanners(scanners) => Ok(scanners),
        Answer::Failed(text) => Err(text),
        Answer::Done(_) | Answer::Status(_) => Err(OTHER_VERSION.to_owned()),
    }
}

fn status(dir: &DataDir) -> Result<Status, String> {
    match send(dir, &Request::Status)? {
        Answer::Status(status) => Ok(*status),
        Answer::Failed(text) => Err(text),
        Answer::Done(_) | Answer::Scanners(_) => Err(OTHER_VERSION.to_owned()),
    }
}

fn token() -> Result<String, String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        say_error("Paste the token of IoT boxes > Connect, then press Enter and Ctrl-D.");
    }
    let mut token = String::new();
    stdin.take(16 * 1024).read_to_string(&mut token).map_err(|e| format!("cannot read the token: {e}"))?;
    match token.trim() {
        "" => Err("no token came on standard input: copy it from IoT boxes > Connect".to_owned()),
        token => Ok(token.to_owned()),
    }
}

fn password(dir: &DataDir) -> Result<(), String> {
    let path = dir.technician_password();
    match std::fs::read_to_string(&path) {
        Ok(password) => {
            say(password.trim());
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("{} has no password yet: start the box once with iot-box run", dir.path().display()))
        }
        Err(error) => Err(format!("cannot read {}: {error}; run this as the user of iot-box", path.display())),
    }
}

#[derive(Serialize)]
struct Devices<'a> {
    devices: &'a [link_protocol::up::Device],
}

fn devices_json(status: &Status) -> String {
    serde_json::to_string_pretty(&Devices { devices: &status.devices }).unwrap_or_default()
}

fn devices_text(status: &Status) -> String {
    if status.devices.is_empty() {
        return "No devices. Plug one in, or see iot-box check.".to_owned();
    }
    let header = ["NAME", "CLASS", "CONNECTION", "STATE", "DRIVER", "ID"].map(str::to_owned);
    let mut rows = vec![header];
    for d in &status.devices {
        let driver = if d.driver.is_empty() { "-" } else { &d.driver };
        rows.push([
            d.name.clone(),
            word(&d.class),
            word::<Connection>(&d.connection),
            word::<DeviceStatus>(&d.status),
            driver.to_owned(),
            d.id.to_string(),
        ]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        let message = i.checked_sub(1).and_then(|i| status.devices.get(i)).map_or("", |d| d.message.as_str());
        if !message.is_empty() {
            text.push_str("  ");
            text.push_str(message);
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// The word that travels on the wire.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn say(text: &str) {
    // A closed pipe is the reader's choice.
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn say_error(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
        assert_eq!(word(&link_protocol::up::DeviceClass::Printer), "printer");
    }
}
