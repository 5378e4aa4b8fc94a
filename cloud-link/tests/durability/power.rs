//! Power cuts at random moments of random work.

use std::collections::BTreeMap;

use cloud_link::outbox::{Begun, Digest, Options, Origin, Outbox, Synchronous};
use link_protocol::{
    down::{Ack, CommandBody},
    ids::CommandId,
    outcome::{Outcome, Value},
    up::Event,
};

use super::{barcode, check_promises, device, disk::Rng, number_from_env, sys::FaultVfs, work_dir};

/// What the outbox promised so far.
#[derive(Default)]
struct Model {
    appended: Vec<Event>,
    acked: Option<Ack>,
    /// True: finished.
    commands: BTreeMap<CommandId, bool>,
}

fn done() -> Outcome {
    Outcome::Done { value: Value::Nothing }
}

fn digest() -> Digest {
    Digest::of(&device(), &CommandBody::OpenDrawer)
}

async fn open(vfs: &FaultVfs, dir: &std::path::Path, synchronous: Synchronous) -> Result<Outbox, String> {
    let options = Options { reserve_bytes: 0, vfs: Some(vfs.name.clone()), synchronous, ..Options::default() };
    let outbox = Outbox::open(dir, options).map_err(|e| format!("cannot open: {e}"))?;
    let pairing = "pairing-1".parse().unwrap();
    outbox.set_pairing(Some(pairing)).await.map_err(|e| format!("cannot set the pairing: {e}"))?;
    Ok(outbox)
}

/// Works until the power goes. Groups of appends are in the queue together, as scanners would do it.
async fn work(outbox: &Outbox, model: &mut Model, rng: &mut Rng) {
    for step in 0..200 {
        match rng.below(10) {
            0..6 => {
                let group = 1 + rng.below(5);
                let mut waiting = Vec::new();
                for i in 0..group {
                    let text = format!("{step}-{i}-{}", "x".repeat(rng.below(300) as usize));
                    let outbox = outbox.clone();
                    waiting.push(tokio::spawn(async move { outbox.append(device(), 0, barcode(text)).await }));
                }
                let mut events = Vec::new();
                let mut failed = false;
                for append in waiting {
                    match append.await.unwrap() {
                        Ok(event) => events.push(event),
                        Err(_) => failed = true,
                    }
                }
                events.sort_by_key(|e| e.id.seq);
                model.appended.extend(events);
                if failed {
                    return;
                }
            }
            6 => {
                let Some(last) = model.appended.last() else { continue };
                let ack = Ack { epoch: last.id.epoch.clone(), seq: last.id.seq - rng.below(3).min(last.id.seq) };
                if outbox.ack(ack.clone()).await.is_err() {
                    return;
                }
                let old = model.acked.as_ref().filter(|old| old.epoch == ack.epoch).map_or(0, |old| old.seq);
                model.acked = Some(Ack { seq: ack.seq.max(old), ..ack });
            }
            7 | 8 => {
                let id: CommandId = format!("command-{step}-{}", rng.next()).parse().unwrap();
                match outbox.begin_command(&id, digest(), Origin::Link).await {
                    Ok(begun) => assert_eq!(begun, Begun::Fresh),
                    Err(_) => return,
                }
                model.commands.insert(id.clone(), false);
                if rng.below(3) > 0 {
                    if outbox.finish_command(&id, &done()).await.is_err() {
                        // Whether the outcome was stored nobody knows; the id has to be known in any case.
                        model.commands.remove(&id);
                        return;
                    }
                    model.commands.insert(id, true);
                }
            }
            _ => {
                if outbox.batch(50).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn check(outbox: &Outbox, model: &Model) -> Result<(), String> {
    let found = outbox.since(None, usize::MAX).await.map_err(|e| format!("cannot read: {e}"))?;
    check_promises(&model.appended, &found)?;
    let unsent = outbox.batch(usize::MAX).await.map_err(|e| format!("cannot read: {e}"))?;
    if let Some(acked) = &model.acked
        && unsent.iter().any(|e| e.id.epoch == acked.epoch && e.id.seq <= acked.seq)
    {
        return Err("an acknowledged event became unsent".into());
    }
    for (id, finished) in &model.commands {
        match outbox.begin_command(id, digest(), Origin::Link).await.map_err(|e| e.to_string())? {
            Begun::Finished(Outcome::Unknown { .. }) if !finished => {}
            Begun::Finished(outcome) if *finished && outcome == done() => {}
            other => return Err(format!("{id} (finished: {finished}) came back as {other:?}")),
        }
    }
    let next = outbox.append(device(), 0, barcode("next".into())).await.map_err(|e| e.to_string())?;
    if model.appended.iter().any(|e| e.id == next.id) {
        return Err(format!("{} is given a second time", next.id));
    }
    Ok(())
}

/// One life of a disk with several cuts; the first broken promise.
async fn life(seed: u64, cuts: u64, synchronous: Synchronous) -> Result<(), String> {
    let dir = work_dir();
    let vfs = FaultVfs::new(seed);
    let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut model = Model::default();
    for _ in 0..cuts {
        let operations = vfs.disk().operations;
        vfs.disk().cut_at = operations + 1 + rng.below(150);
        if let Ok(outbox) = open(&vfs, dir.path(), synchronous).await {
            work(&outbox, &mut model, &mut rng).await;
            // The thread has to be gone before the disk comes back, as a dead process is.
            vfs.disk().cut_at = 0;
            let _gone = outbox.append(device(), 0, barcode("nobody was promised this".into())).await;
            let _gone = outbox.close().await;
        }
        vfs.disk().restart();
        let outbox = open(&vfs, dir.path(), synchronous).await?;
        check(&outbox, &model).await?;
        // What this check appended and asked for was not promised to anybody; the next life starts from here.
        model.appended = outbox.since(None, usize::MAX).await.map_err(|e| e.to_string())?;
        outbox.close().await.map_err(|e| e.to_string())?;
        for finished in model.commands.values_mut() {
            if !*finished {
                *finished = true;
            }
        }
        model.commands.clear();
    }
    Ok(())
}

const CUTS_PER_LIFE: u64 = 4;

#[tokio::test]
async fn a_power_cut_takes_nothing_that_was_promised() {
    let cuts = number_from_env("OUTBOX_CUTS", 200);
    for seed in 1..=cuts / CUTS_PER_LIFE {
        if let Err(broken) = life(seed, CUTS_PER_LIFE, Synchronous::Full).await {
            panic!("seed {seed}: {broken}");
        }
    }
}

/// The test above can fail: without syncs it does.
#[tokio::test]
async fn without_syncs_the_same_test_finds_losses() {
    for seed in 1..=50 {
        if life(seed, CUTS_PER_LIFE, Synchronous::Off).await.is_err() {
            return;
        }
    }
    panic!("200 power cuts without a single sync lost nothing: the test is blind");
}
