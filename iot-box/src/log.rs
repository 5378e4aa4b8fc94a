//! Structured logs on standard error, for people (text) or for collectors (JSON).

use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// `filter` is a list such as `info,cloud_link=debug`.
pub(crate) fn init(format: Format, filter: &str) -> Result<(), String> {
    let filter: Targets = filter.parse().map_err(|error| format!("the log filter is wrong: {error}"))?;
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match format {
        Format::Text => output.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        Format::Json => output.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().map_err(|error| error.to_string())
}
