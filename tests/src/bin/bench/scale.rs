//! A scale at 9600 baud whose weight changes ten times a second: does the till see every change, and how soon?
//!
//! The peer is a loop of the shape that market leaders use: ask, read byte by byte until a time-out of one second, pause
//! for 0.2 seconds.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use link_protocol::{
    local::FromBox,
    up::{DeviceClass, LiveBody},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Mode, OFlags},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};
use serde::Deserialize;
use serde_json::json;
use system_tests::{
    clock::{monotonic_us, ms_between},
    shop::{Options, Shop, scenario},
};
use tempfile::TempDir;

use crate::{Figure, count, percentile, report};

const SCALE: &str = "bench-scale";
const SECONDS: u64 = 20;

/// Nine characters of ten bits at 9600 baud: the question and the answer.
const WIRE_MS: f64 = 9.375;

#[derive(Debug, Deserialize)]
struct Change {
    weight: String,
    /// When the scale first began to answer with it; absent when it changed again before it was asked.
    answered_us: Option<u64>,
}

pub(crate) async fn run() -> Result<()> {
    let dir = TempDir::new()?;
    let mut options = Options::new(dir.path());
    options.scenario = scenario("bench.toml");
    let mut shop = Shop::open(options).await?;
    let mut sim = shop.control().await?;
    let erp = shop.administrator().await?;
    let code = shop.code_on_ticket(&mut sim, "bench-printer").await?;
    erp.pair_by_code(&code).await?;
    let mut till = shop.till(&erp, None).await?;
    shop.ready_devices(&mut till, &[DeviceClass::Scale]).await?;

    sim.send(SCALE, "wobble", json!({ "per_second": 10.0 })).await?;
    let end = monotonic_us() + SECONDS * 1_000_000;
    let mut seen: Vec<(u64, String)> = Vec::new();
    while monotonic_us() < end {
        let Some(arrived) = till.any(Duration::from_millis(500)).await? else { continue };
        if let FromBox::Live(live) = arrived.frame
            && let LiveBody::Weight(reading) = live.body
            && let Some(weight) = reading.weight
        {
            seen.push((arrived.at_us, weight.weight));
        }
    }
    sim.send(SCALE, "wobble", json!({ "per_second": 0.0 })).await?;
    let answer = sim.send(SCALE, "changes", json!({})).await?;
    let changes: Vec<Change> = serde_json::from_value(answer["changes"].clone())?;

    let mut made = 0;
    let mut delays = Vec::new();
    for change in &changes {
        // The last changes may still be on the wire when the time is up.
        let Some(answered) = change.answered_us.filter(|us| us + 200_000 < end) else {
            made += usize::from(change.answered_us.is_none());
            continue;
        };
        made += 1;
        // The scale sends leading zeros (`01.507`), the box shows them as people write them.
        let same = |weight: &str| weight.trim_start_matches('0') == change.weight.trim_start_matches('0');
        let found = seen.iter().find(|(at, weight)| *at >= answered && same(weight));
        if let Some((at, _)) = found.filter(|(at, _)| *at < answered + 100_000) {
            delays.push(ms_between(answered, *at));
        }
    }
    let delivered = count(delays.len()) * 100.0 / count(made.max(1));
    report(&Figure {
        name: "scale_changes_delivered",
        value: delivered,
        unit: "%",
        goal: Some((">=", 100.0)),
        peer: None,
    });
    let p50 = percentile(&mut delays, 50);
    report(&Figure { name: "scale_answer_to_websocket_p50", value: p50, unit: "ms", goal: None, peer: None });
    let p99 = percentile(&mut delays, 99);
    let goal = Some(("<=", WIRE_MS + 2.0));
    report(&Figure { name: "scale_answer_to_websocket_p99", value: p99, unit: "ms", goal, peer: None });

    drop(till);
    if let Some(program) = shop.iot_box.take() {
        program.stop().await?;
    }
    let state = sim.send(SCALE, "state", json!({})).await?;
    let path = state["path"].as_str().context("the scale has no port")?.to_owned();
    let peer = tokio::task::spawn_blocking(move || timeout_loop(Path::new(&path))).await??;
    let rate = count(seen.len()) / Duration::from_secs(SECONDS).as_secs_f64();
    let peer = Some(("timeout_loop", peer));
    report(&Figure { name: "scale_readings_shown", value: rate, unit: "1/s", goal: None, peer });
    shop.close().await
}

/// Readings a second of the peer's loop on the same line.
fn timeout_loop(path: &Path) -> Result<f64> {
    let fd = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    let mut settings = tcgetattr(&fd)?;
    settings.make_raw();
    tcsetattr(&fd, OptionalActions::Now, &settings)?;
    let mut line = File::from(fd);
    let began = Instant::now();
    let mut readings = 0;
    while began.elapsed() < Duration::from_secs(12) {
        line.write_all(b"W")?;
        let mut answer = Vec::new();
        loop {
            let timeout = rustix::time::Timespec { tv_sec: 1, tv_nsec: 0 };
            if poll(&mut [PollFd::new(&line, PollFlags::IN)], Some(&timeout))? == 0 {
                break;
            }
            let mut byte = [0];
            line.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        readings += usize::from(answer.len() > 2);
        #[expect(clippy::disallowed_methods, reason = "the peer's pause, on a thread of its own")]
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(count(readings) / began.elapsed().as_secs_f64())
}
