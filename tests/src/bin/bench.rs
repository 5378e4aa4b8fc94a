//! `make bench`: one line a figure, against peers in the same run.
//!
//! `BENCH <name> <value> <unit> [goal=<=|>=<value>] [peer=<name>:<value>] [ratio=<value>]`

#[path = "bench/api.rs"]
mod api;
#[path = "bench/encoder.rs"]
mod encoder;
#[path = "bench/import.rs"]
mod import;
#[path = "bench/latency.rs"]
mod latency;
#[path = "bench/outbox.rs"]
mod outbox;
#[path = "bench/resources.rs"]
mod resources;
#[path = "bench/scale.rs"]
mod scale;
#[path = "bench/scaling.rs"]
mod scaling;
#[path = "bench/start.rs"]
mod start;

use anyhow::Result;
use clap::Parser;

/// Measures; exits 0 whatever the figures.
#[derive(Parser)]
struct Args {
    /// Only the groups whose name contains this: api, import, scaling, scale, latency, encoder, resources, start, outbox.
    #[arg(long)]
    only: Option<String>,
}

/// One figure.
pub(crate) struct Figure<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: f64,
    pub(crate) unit: &'a str,
    /// `<=` or `>=`, and the number.
    pub(crate) goal: Option<(&'static str, f64)>,
    pub(crate) peer: Option<(&'static str, f64)>,
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
pub(crate) fn report(figure: &Figure<'_>) {
    let mut line = format!("BENCH {} {} {}", figure.name, short(figure.value), figure.unit);
    if let Some((sign, goal)) = figure.goal {
        line.push_str(&format!(" goal={sign}{}", short(goal)));
    }
    if let Some((peer, value)) = figure.peer {
        let ratio = if value == 0.0 { 0.0 } else { figure.value / value };
        line.push_str(&format!(" peer={peer}:{} ratio={}", short(value), short(ratio)));
    }
    println!("{line}");
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(crate) fn count(n: usize) -> f64 {
    n as f64
}

/// The value below which `percent` of the sorted samples lie.
pub(crate) fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples.get(at).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::print_stdout, reason = "a figure that could not be taken is said, not hidden")]
fn failed(group: &str, error: &anyhow::Error) {
    println!("BENCH {group} failed: {error:#}");
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let wanted = |group: &str| args.only.as_deref().is_none_or(|only| group.contains(only));
    if wanted("api")
        && let Err(error) = api::run().await
    {
        failed("api", &error);
    }
    if wanted("import")
        && let Err(error) = import::run().await
    {
        failed("import", &error);
    }
    if wanted("scaling")
        && let Err(error) = scaling::run().await
    {
        failed("scaling", &error);
    }
    if wanted("encoder")
        && let Err(error) = encoder::run()
    {
        failed("encoder", &error);
    }
    if wanted("outbox")
        && let Err(error) = outbox::run().await
    {
        failed("outbox", &error);
    }
    if wanted("latency")
        && let Err(error) = latency::run().await
    {
        failed("latency", &error);
    }
    if wanted("scale")
        && let Err(error) = scale::run().await
    {
        failed("scale", &error);
    }
    if wanted("start")
        && let Err(error) = start::run().await
    {
        failed("start", &error);
    }
    if wanted("resources")
        && let Err(error) = resources::run().await
    {
        failed("resources", &error);
    }
    Ok(())
}
