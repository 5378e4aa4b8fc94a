//! The serial devices as a program meets them: through a tty.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::{
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use iot_sim::{Client, Scenario, Sim, clock::now_us};
use rustix::termios::{OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use serde_json::{Value, json};

const SCENARIO: &str = r#"
[[device]]
id = "scale"
type = "scale_8217"
usb = "067b:2303"
settle_ms = 100

[[device]]
id = "scanner"
type = "scanner_serial"

[[device]]
id = "fast-scanner"
type = "scanner_serial"
baud = 115200
"#;

struct World {
    _directory: tempfile::TempDir,
    ports: PathBuf,
    sim: Sim,
    client: Client,
}

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let ports = directory.path().join("ports.toml");
    let sim = Sim::start(&Scenario::parse(SCENARIO).unwrap(), &ports).await.unwrap();
    let client = Client::from_ports_file(&ports).await.unwrap();
    World { _directory: directory, ports, sim, client }
}

fn tty_of(ports: &Path, id: &str) -> Option<PathBuf> {
    let file: toml::Table = toml::from_str(&std::fs::read_to_string(ports).unwrap()).unwrap();
    let row = file["port"].as_array()?.iter().find(|row| row["id"].as_str() == Some(id))?;
    Some(row["path"].as_str()?.into())
}

/// Opens the tty at 9600 baud; reads time out after a second.
fn open(path: &Path, baud: u32) -> std::fs::File {
    let file = std::fs::OpenOptions::new().read(true).write(true).custom_flags(0x100).open(path).unwrap();
    let mut settings = tcgetattr(&file).unwrap();
    settings.make_raw();
    settings.set_speed(baud).unwrap();
    settings.special_codes[SpecialCodeIndex::VMIN] = 0;
    settings.special_codes[SpecialCodeIndex::VTIME] = 10;
    tcsetattr(&file, OptionalActions::Now, &settings).unwrap();
    file
}

fn read(file: &mut std::fs::File, count: usize) -> Vec<u8> {
    let mut out = vec![0; count];
    let mut have = 0;
    while have < count {
        match file.read(&mut out[have..]).unwrap() {
            0 => break,
            n => have += n,
        }
    }
    out.truncate(have);
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weight_takes_the_time_of_its_nine_characters() {
    let mut world = world().await;
    world.client.put("scale", "1.234").await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let mut tty = open(&tty_of(&world.ports, "scale").unwrap(), 9600);
    let mut fastest = Duration::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        tty.write_all(b"W").unwrap();
        assert_eq!(read(&mut tty, 8), b"\x0201.234\r");
        fastest = fastest.min(start.elapsed());
        assert!(start.elapsed() >= Duration::from_micros(9_370), "faster than the wire: {:?}", start.elapsed());
    }
    assert!(fastest < Duration::from_millis(60), "far slower than the wire: {fastest:?}");
    world.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wrong_speed_gives_no_answer() {
    let world = world().await;
    let mut tty = open(&tty_of(&world.ports, "scale").unwrap(), 4800);
    tty.write_all(b"W").unwrap();
    assert_eq!(read(&mut tty, 8), b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_arrives_whole_and_its_time_is_known() {
    let mut world = world().await;
    let mut tty = open(&tty_of(&world.ports, "scanner").unwrap(), 9600);
    let reader = tokio::task::spawn_blocking(move || (read(&mut tty, 14), now_us()));
    let before = now_us();
    let last_byte_us = world.client.scan("scanner", "4006381333931").await.unwrap();
    let (code, got_us) = reader.await.unwrap();
    assert_eq!(code, b"4006381333931\r");
    assert!(last_byte_us <= got_us && last_byte_us >= before + 14_000, "{before} {last_byte_us} {got_us}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_nobody_hears_is_lost_and_said_so() {
    let mut world = world().await;
    let answer = world.client.send("scanner", "scan", json!({ "code": "1234" })).await.unwrap();
    assert_eq!(answer["heard"], false);
    let mut tty = open(&tty_of(&world.ports, "scanner").unwrap(), 9600);
    let reader = tokio::task::spawn_blocking(move || read(&mut tty, 5));
    let answer = world.client.send("scanner", "scan", json!({ "code": "5678" })).await.unwrap();
    assert_eq!(answer["heard"], true);
    assert_eq!(reader.await.unwrap(), b"5678\r");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_of_ten_thousand_bytes_comes_through() {
    let mut world = world().await;
    let mut tty = open(&tty_of(&world.ports, "fast-scanner").unwrap(), 115_200);
    let reader = tokio::task::spawn_blocking(move || read(&mut tty, 10_001));
    let start = Instant::now();
    let answer = world.client.send("fast-scanner", "long", json!({ "bytes": 10_000 })).await.unwrap();
    assert_eq!(answer["bytes"], 10_001);
    assert!(start.elapsed() >= Duration::from_millis(868), "10001 characters at 115200 baud");
    assert_eq!(reader.await.unwrap().len(), 10_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unplugging_removes_the_row_and_hangs_up_and_plugging_brings_a_new_tty() {
    let mut world = world().await;
    let path = tty_of(&world.ports, "scale").unwrap();
    let mut tty = open(&path, 9600);
    world.client.unplug("scale").await.unwrap();
    assert_eq!(tty_of(&world.ports, "scale"), None);
    let mut byte = [0];
    assert!(!matches!(tty.read(&mut byte), Ok(1..)), "a pulled cable carries nothing");
    assert!(tty.write_all(b"W").is_err());
    world.client.plug("scale").await.unwrap();
    let mut tty = open(&tty_of(&world.ports, "scale").unwrap(), 9600);
    tty.write_all(b"W").unwrap();
    assert_eq!(read(&mut tty, 8), b"\x0200.000\r");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_answered_with_words() {
    let mut world = world().await;
    for (device, verb, arguments, says) in [
        ("toaster", "put", Value::Null, "there is no device toaster"),
        ("scale", "fly", Value::Null, "unknown variant"),
        ("scale", "put", json!({ "weight": "heavy" }), "is not a weight"),
        ("scanner", "garbage", json!({ "hex": "0" }), "pairs of hexadecimal digits"),
    ] {
        let error = world.client.send(device, verb, arguments).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let list = world.client.send("*", "list", Value::Null).await.unwrap();
    assert_eq!(list["devices"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_the_ports_file_and_the_socket_are_gone() {
    let world = world().await;
    let control = world.sim.control_socket().to_owned();
    assert!(world.ports.exists() && control.exists());
    drop(world.client);
    world.sim.stop().await;
    assert!(!world.ports.exists() && !control.exists());
}
