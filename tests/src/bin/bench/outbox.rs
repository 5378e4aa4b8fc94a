//! How fast a box that was away gives the ERP what it kept, and what one durable event costs.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use cloud_link::outbox::{Options, Outbox};
use link_protocol::{
    down::Ack,
    ids::{DeviceId, PairingId},
    up::EventBody,
};
use tempfile::TempDir;

use crate::{Figure, count, percentile, report};

const EVENTS: usize = 50_000;

pub(crate) async fn run() -> Result<()> {
    append("tmpfs", Path::new("/dev/shm")).await?;
    append("disk", Path::new(".")).await?;
    replay().await
}

fn device() -> Result<DeviceId> {
    Ok("bench-scanner".parse()?)
}

async fn append(medium: &str, root: &Path) -> Result<()> {
    let dir = TempDir::new_in(root)?;
    let outbox = Outbox::open(dir.path(), Options::default())?;
    let mut samples = Vec::with_capacity(1000);
    for n in 0..1000 {
        let began = Instant::now();
        outbox.append(device()?, 0, EventBody::barcode(format!("{n:013}"))).await?;
        samples.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    for percent in [50, 99] {
        let name = format!("outbox_append_{medium}_p{percent}");
        report(&Figure { name: &name, value: percentile(&mut samples, percent), unit: "ms", goal: None, peer: None });
    }
    Ok(())
}

async fn replay() -> Result<()> {
    let dir = TempDir::new_in(".")?;
    let outbox = Outbox::open(dir.path(), Options::default())?;
    let pairing: PairingId = "bench-pairing".parse()?;
    outbox.set_pairing(Some(pairing)).await?;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..50 {
        let outbox = outbox.clone();
        writers.spawn(async move {
            for n in 0..EVENTS / 50 {
                outbox.append(device()?, 0, EventBody::barcode(format!("{writer:04}{n:09}"))).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    let began = Instant::now();
    let mut seen = 0;
    loop {
        let batch = outbox.batch(500).await?;
        let Some(last) = batch.last() else { break };
        seen += batch.len();
        outbox.ack(Ack { epoch: last.id.epoch.clone(), seq: last.id.seq }).await?;
    }
    anyhow::ensure!(seen == EVENTS, "{seen} of {EVENTS} events came back");
    let rate = count(seen) / began.elapsed().as_secs_f64();
    report(&Figure { name: "outbox_replay", value: rate, unit: "events/s", goal: Some((">=", 20_000.0)), peer: None });
    dir.close().context("removing the outbox")
}
