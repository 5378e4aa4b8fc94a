//! The daemon between a shop's devices and its ERP.
//!
//! [`run`] puts it together; [`cli`] is the command line.

mod api;
mod app;
mod certificate;
mod check;
mod cli;
mod clock;
mod control;
mod data_dir;
mod doctor;
mod doubt;
mod fleet;
mod homepage;
mod hub;
mod link;
mod log;
mod names;
mod payments;
mod queue;
mod router;
mod run;
mod settings;
mod state;
mod supervisor;
mod technician;
mod ticket;
mod wire;

fn main() -> std::process::ExitCode {
    cli::main()
}
