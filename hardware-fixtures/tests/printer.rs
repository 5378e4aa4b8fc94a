//! The receipt printer as a program meets it: through TCP.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use iot_sim::{Client, Scenario, Sim};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(5);

struct World {
    _directory: tempfile::TempDir,
    ports: PathBuf,
    _sim: Sim,
    client: Client,
}

async fn world(settings: &str) -> World {
    let directory = tempfile::tempdir().unwrap();
    let ports = directory.path().join("ports.toml");
    let scenario = format!("[[device]]\nid = \"printer\"\ntype = \"printer_escpos\"\n{settings}\n");
    let sim = Sim::start(&Scenario::parse(&scenario).unwrap(), &ports).await.unwrap();
    let client = Client::from_ports_file(&ports).await.unwrap();
    World { _directory: directory, ports, _sim: sim, client }
}

impl World {
    fn address(&self) -> SocketAddr {
        let file: toml::Table = toml::from_str(&std::fs::read_to_string(&self.ports).unwrap()).unwrap();
        file["port"].as_array().unwrap()[0]["address"].as_str().unwrap().parse().unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    async fn tell(&mut self, verb: &str, arguments: Value) -> Value {
        self.client.send("printer", verb, arguments).await.unwrap()
    }
}

async fn answer(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(SOON, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

#[tokio::test]
async fn a_receipt_becomes_a_picture_and_its_process_id_comes_after_the_printing_time() {
    let mut world = world("speed_mm_s = 100").await;
    let mut stream = world.connect().await;
    let start = Instant::now();
    stream.write_all(b"\x1B@Total 1,00\n\x1Bp\0\x19\x19\x1DVB\0\x1D(H\x06\x0000J001").await.unwrap();
    assert_eq!(answer(&mut stream, 7).await, b"\x37\x22J001\0");
    assert!(start.elapsed() >= Duration::from_millis(37), "a line takes 37.5 ms at 100 mm/s");
    let jobs = world.client.jobs("printer").await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!((&jobs[0].text[..], &jobs[0].cut[..]), ("Total 1,00\n", "partial"));
    assert_eq!((jobs[0].drawer_kicks_us.len(), &jobs[0].process_ids[..]), (1, &["J001".to_owned()][..]));
    assert!(jobs[0].first_byte_us.is_some());
    let picture = std::fs::read(&jobs[0].png).unwrap();
    assert_eq!(&picture[1..4], b"PNG");
    assert!(jobs[0].png.ends_with("receipts/printer/receipt-0001.png"), "{}", jobs[0].png);
}

#[tokio::test]
async fn status_is_pushed_when_a_person_opens_the_cover() {
    let mut world = world("").await;
    let mut stream = world.connect().await;
    stream.write_all(b"\x1Da\xFF").await.unwrap();
    assert_eq!(answer(&mut stream, 4).await, [0x10, 0, 0, 0x0F]);
    world.tell("cover", json!({ "open": true })).await;
    assert_eq!(answer(&mut stream, 4).await, [0x38, 0, 0, 0x0F]);
    world.tell("cover", json!({ "open": false })).await;
    assert_eq!(answer(&mut stream, 4).await, [0x10, 0, 0, 0x0F]);
}

#[tokio::test]
async fn a_second_till_is_heard_when_the_first_has_gone() {
    let mut world = world("speed_mm_s = 0").await;
    let mut first = world.connect().await;
    first.write_all(b"first\n\x1DVB\0\x10\x04\x01").await.unwrap();
    answer(&mut first, 1).await;
    let mut second = world.connect().await;
    second.write_all(b"second\n\x1DVB\0\x10\x04\x01").await.unwrap();
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(100), second.read(&mut byte)).await.is_err(), "it has to wait");
    drop(first);
    answer(&mut second, 1).await;
    let jobs = world.client.wait_for_jobs("printer", 2, SOON).await.unwrap();
    assert_eq!(jobs.iter().map(|job| &job.text[..]).collect::<Vec<_>>(), ["first\n", "second\n"]);
}

#[tokio::test]
async fn a_second_till_is_refused_where_so_set() {
    let world = world("second_client = \"refuse\"").await;
    let mut first = world.connect().await;
    first.write_all(b"\x10\x04\x01").await.unwrap();
    answer(&mut first, 1).await;
    let mut second = world.connect().await;
    let mut byte = [0];
    let read = timeout(SOON, second.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Err(_) | Ok(0)));
}

#[tokio::test]
async fn a_printer_that_dies_in_the_middle_comes_back_when_plugged_in_and_the_half_can_be_torn_off() {
    let mut world = world("speed_mm_s = 0").await;
    world.tell("die_after", json!({ "bytes": 10 })).await;
    let mut stream = world.connect().await;
    stream.write_all(b"line one\nline two\n\x1DVB\0").await.unwrap();
    let mut byte = [0];
    assert!(matches!(timeout(SOON, stream.read(&mut byte)).await.unwrap(), Err(_) | Ok(0)));
    assert!(TcpStream::connect(world.address()).await.is_err());
    world.tell("plug", Value::Null).await;
    let torn = world.tell("tear", Value::Null).await;
    assert_eq!(torn["jobs"][0]["text"], "line one\n");
    assert_eq!(torn["jobs"][0]["cut"], "torn");
    let mut stream = world.connect().await;
    stream.write_all(b"again\n\x1DVB\0").await.unwrap();
    assert_eq!(world.client.wait_for_jobs("printer", 2, SOON).await.unwrap()[1].text, "again\n");
}

#[tokio::test]
async fn an_unplugged_printer_leaves_the_ports_file_and_returns_at_the_same_address() {
    let mut world = world("").await;
    let address = world.address();
    world.tell("unplug", Value::Null).await;
    assert!(!std::fs::read_to_string(&world.ports).unwrap().contains("[[port]]"));
    assert!(TcpStream::connect(address).await.is_err());
    world.tell("plug", Value::Null).await;
    assert_eq!(world.address(), address);
    TcpStream::connect(address).await.unwrap();
}

#[tokio::test]
async fn a_slow_printer_takes_its_time() {
    let mut world = world("speed_mm_s = 0").await;
    world.tell("slow", json!({ "bytes_per_s": 1000 })).await;
    let mut stream = world.connect().await;
    let start = Instant::now();
    stream.write_all(&[&[b'x'; 200][..], b"\n\x1DVB\0\x10\x04\x01"].concat()).await.unwrap();
    answer(&mut stream, 1).await;
    assert!(start.elapsed() >= Duration::from_millis(195), "{:?}", start.elapsed());
}

#[tokio::test]
async fn without_paper_the_printer_stops_reading_when_its_buffer_is_full_and_loses_nothing() {
    let mut world = world("speed_mm_s = 0\nreceive_buffer = 1000").await;
    world.tell("paper", json!({ "state": "out" })).await;
    let mut stream = world.connect().await;
    stream.write_all(&[&[b'x'; 4800][..], b"\n\x1DVB\0"].concat()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.tell("state", Value::Null).await["buffer_free"], 0);
    world.tell("paper", json!({ "state": "ok" })).await;
    let jobs = world.client.wait_for_jobs("printer", 1, SOON).await.unwrap();
    assert_eq!(jobs[0].text.lines().count(), 100);
}

#[tokio::test]
async fn an_idle_connection_is_ended_where_so_set() {
    let world = world("idle_s = 1").await;
    let mut stream = world.connect().await;
    let start = Instant::now();
    let mut byte = [0];
    assert_eq!(timeout(SOON, stream.read(&mut byte)).await.unwrap().unwrap(), 0);
    assert!(start.elapsed() >= Duration::from_millis(900));
}
