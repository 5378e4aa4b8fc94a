//! A real process, a real file, a real SIGKILL.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use cloud_link::outbox::{Options, Outbox};
use link_protocol::up::Event;

use super::{barcode, check_promises, device, disk::Rng, number_from_env};

const DIRECTORY: &str = "OUTBOX_WRITER_DIRECTORY";

fn open(dir: &Path) -> Outbox {
    Outbox::open(dir, Options { reserve_bytes: 0, ..Options::default() }).unwrap()
}

/// Not a test but the process to be killed: this same program, started by the test below.
#[tokio::test]
#[ignore = "started by the test below"]
async fn writer_process() {
    let Ok(dir) = std::env::var(DIRECTORY) else { return };
    let outbox = open(Path::new(&dir));
    outbox.set_pairing(Some("pairing-1".parse().unwrap())).await.unwrap();
    for i in 0.. {
        let event = outbox.append(device(), i, barcode(i.to_string())).await.unwrap();
        println!("STORED {}", serde_json::to_string(&event).unwrap());
    }
}

#[tokio::test]
async fn a_killed_process_leaves_every_event_it_spoke_of() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng(u64::from(std::process::id()) | 1);
    let mut promised: Vec<Event> = Vec::new();
    for _ in 0..number_from_env("OUTBOX_KILLS", 3) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::writer_process", "--ignored", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = tokio::task::spawn_blocking(move || {
            let lines = stdout.lines().map_while(Result::ok);
            // The last line may be cut in the middle: what is not whole was not said.
            let stored = lines.filter_map(|l| l.split_once("STORED ").map(|(_, json)| json.to_owned()));
            stored.filter_map(|json| serde_json::from_str::<Event>(&json).ok()).collect::<Vec<_>>()
        });
        tokio::time::sleep(Duration::from_millis(100 + rng.below(300))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let spoken = reader.await.unwrap();
        assert!(!spoken.is_empty(), "the process was killed before it stored anything");
        promised.extend(spoken);
        let outbox = open(dir.path());
        let found = outbox.since(None, usize::MAX).await.unwrap();
        check_promises(&promised, &found).unwrap();
        outbox.close().await.unwrap();
    }
}
