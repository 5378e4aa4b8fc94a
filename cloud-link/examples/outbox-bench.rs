//! `cargo run --release -p cloud-link --example outbox-bench`: how long an append takes until it is on disk (p50, p99),
//! beside the disk's own sync in the same run, and how fast a backlog can be read.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    error::Error,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use cloud_link::outbox::{Options, Outbox};
use link_protocol::{down::Ack, ids::DeviceId, up::EventBody};

const APPENDS: usize = 2_000;
const BACKLOG: usize = 40_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let places = [("tmpfs", PathBuf::from("/dev/shm")), ("disk", std::env::current_dir()?)];
    for (name, base) in places {
        if base.is_dir() {
            let dir = base.join(format!("outbox-bench-{}", std::process::id()));
            let result = measure(name, &dir).await;
            std::fs::remove_dir_all(&dir)?;
            result?;
        }
    }
    Ok(())
}

async fn measure(place: &str, dir: &Path) -> Result<(), Box<dyn Error>> {
    let outbox = Outbox::open(dir, Options { reserve_bytes: 0, ..Options::default() })?;
    outbox.set_pairing(Some("pairing-1".parse()?)).await?;
    let device: DeviceId = "scanner-1".parse()?;
    let body = EventBody::Barcode { text: "4006381333931".into() };

    let mut appends = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let started = Instant::now();
        outbox.append(device.clone(), 0, body.clone()).await?;
        appends.push(started.elapsed());
    }
    report(&format!("outbox_append_{place}"), appends);
    report(&format!("raw_sync_{place}"), raw_syncs(dir)?);

    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..BACKLOG {
        let (outbox, device, body) = (outbox.clone(), device.clone(), body.clone());
        waiting.spawn(async move { outbox.append(device, 0, body).await });
    }
    waiting.join_all().await;
    let started = Instant::now();
    let mut read = 0_u32;
    while let [.., last] = outbox.batch(500).await?.as_slice() {
        read += 500;
        outbox.ack(Ack { epoch: last.id.epoch.clone(), seq: last.id.seq }).await?;
    }
    let rate = f64::from(read) / started.elapsed().as_secs_f64();
    println!("BENCH outbox_replay_{place} {rate:.0} events/s goal=>=20000");
    outbox.close().await?;
    Ok(())
}

/// What the disk itself takes for 4 kB and a sync, in a file that has its size already.
fn raw_syncs(dir: &Path) -> Result<Vec<Duration>, Box<dyn Error>> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::create(dir.join("raw"))?;
    file.write_all(&vec![0; 4096 * 256])?;
    file.sync_all()?;
    let mut syncs = Vec::with_capacity(500);
    for i in 0..500_u64 {
        let started = Instant::now();
        file.seek(SeekFrom::Start(i % 256 * 4096))?;
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        syncs.push(started.elapsed());
    }
    Ok(syncs)
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
    println!("BENCH {name}_p50 {} us", at(50));
    println!("BENCH {name}_p99 {} us", at(99));
}
