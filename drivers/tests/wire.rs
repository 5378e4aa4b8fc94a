//! Drivers from `open` to `run` over pipes: what the loop promises to whoever asks.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::{collections::HashMap, sync::Mutex, time::Duration};

use drivers::{
    Access, BoxFuture, Bus, Channel, Command, CommandId, Condition, DeviceCtx, DeviceError, DeviceEvent, Fault, Io,
    OpenError, Outcome, PortId, PortInfo, PortKind, Reason, Request, Value,
    io::{Line, evdev::Record},
    printer::{self, Align, Block, Certainty, Document},
    registry, scale, scanner,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Gives each port a pipe.
#[derive(Default)]
struct Pipes(Mutex<HashMap<String, DuplexStream>>);

impl Io for Pipes {
    fn stream<'a>(&'a self, port: &'a PortInfo, _: Line) -> BoxFuture<'a, Result<Box<dyn Channel>, OpenError>> {
        let pipe = self.0.lock().unwrap().remove(&port.id.0);
        Box::pin(async move {
            pipe.map(|p| Box::new(p) as Box<dyn Channel>).ok_or(OpenError::Gone { path: port.id.0.clone() })
        })
    }
}

/// A device under test, its far end in the test's hands.
struct Rig {
    far: DuplexStream,
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<DeviceEvent>,
    condition: watch::Receiver<Condition>,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), DeviceError>>,
}

impl Rig {
    async fn new(driver: &str, pipe: usize) -> Self {
        let kind = match driver {
            "printer.escpos_tcp" => PortKind::Tcp { address: "192.0.2.7:9100".parse().unwrap() },
            "printer.ipp" => PortKind::Ipp { address: "192.0.2.8:631".parse().unwrap(), path: "/ipp/print".into() },
            "printer.escpos_usb" => PortKind::UsbPrinter { path: "/dev/usb/lp0".into(), languages: String::new() },
            "scanner.evdev" | "keyboard.evdev" => PortKind::Evdev { path: "/dev/input/event0".into() },
            _ => PortKind::Serial { path: "/dev/ttyX0".into() },
        };
        let port = PortInfo {
            id: PortId("port".into()),
            kind,
            bus: Bus::Usb,
            usb: None,
            manufacturer: String::new(),
            product: String::new(),
            serial_number: String::new(),
            access: Access::Ok,
            assigned: Some(driver.to_owned()),
            settings: Default::default(),
        };
        let (near, far) = tokio::io::duplex(pipe);
        let pipes = Pipes::default();
        pipes.0.lock().unwrap().insert("port".into(), near);
        let (driver, _) = registry::best(&port).unwrap();
        let device = driver.open(&port, &pipes).await.unwrap();
        let (requests, request_queue) = mpsc::channel(64);
        let (event_queue, events) = mpsc::channel(64);
        let (condition_in, condition) = watch::channel(Condition::default());
        let cancel = CancellationToken::new();
        let ctx =
            DeviceCtx { requests: request_queue, events: event_queue, condition: condition_in, cancel: cancel.clone() };
        let task = tokio::spawn(device.run(ctx));
        Self { far, requests, events, condition, cancel, task }
    }

    async fn ask(&self, id: &str, command: Command, within: Duration) -> oneshot::Receiver<Outcome> {
        let (reply, outcome) = oneshot::channel();
        let deadline = Instant::now() + within;
        let request = Request { id: CommandId(id.into()), command, deadline, reply };
        self.requests.send(request).await.unwrap();
        outcome
    }

    async fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        tokio::time::timeout(Duration::from_secs(60), self.far.read_exact(&mut got)).await.unwrap().unwrap();
        assert_eq!(got, bytes);
    }

    /// Reads up to and with `end`.
    async fn read_to(&mut self, end: &[u8]) -> Vec<u8> {
        let mut got = Vec::new();
        while !got.ends_with(end) {
            got.push(self.far.read_u8().await.unwrap());
        }
        got
    }

    async fn code(&mut self) -> String {
        match self.events.recv().await {
            Some(DeviceEvent::Scanner(scanner::Event::Code(code))) => code.text,
            other => panic!("{other:?}"),
        }
    }
}

fn print(line: &str) -> Command {
    let text = Block::Text { text: line.into(), align: Align::Left, bold: false, large: false };
    Command::Printer(printer::Command::Print(Document { blocks: vec![text], cut: true, open_drawer: false }))
}

const SECOND: Duration = Duration::from_secs(1);
const GREETING: &[u8] = b"\x1da\xff\x10\x04\x01\x10\x04\x02\x10\x04\x04";
const ONLINE: &[u8] = &[0x14, 0, 0, 0x0f, 0x16, 0x12, 0x12];

#[tokio::test(start_paused = true)]
async fn a_receipt_goes_out_and_comes_back_as_printed() {
    let mut rig = Rig::new("printer.escpos_tcp", 1 << 16).await;
    rig.expect(GREETING).await;
    rig.far.write_all(ONLINE).await.unwrap();
    rig.condition.wait_for(|c| *c == Condition::Ready).await.unwrap();
    let outcome = rig.ask("receipt", print("hello"), SECOND).await;
    let job = rig.read_to(b"\x10\x04\x01").await;
    let mark = &job[job.len() - 7..job.len() - 3];
    rig.far.write_all(&[0x16]).await.unwrap();
    rig.far.write_all(&[&[0x37, 0x22], mark, &[0]].concat()).await.unwrap();
    assert_eq!(outcome.await.unwrap(), Outcome::Done(Value::Print(Certainty::Printed)));
}

#[tokio::test(start_paused = true)]
async fn a_printer_that_takes_half_a_job_and_dies_leaves_it_unknown_and_the_next_one_offline() {
    let mut rig = Rig::new("printer.escpos_tcp", 1 << 16).await;
    rig.expect(GREETING).await;
    rig.far.write_all(ONLINE).await.unwrap();
    let first = rig.ask("first", print(&"x".repeat(200_000)), SECOND).await;
    let second = rig.ask("second", print("hello"), 60 * SECOND).await;
    rig.far.read_exact(&mut [0; 1000]).await.unwrap();
    drop(rig.far);
    assert!(matches!(first.await.unwrap(), Outcome::Unknown(_)));
    assert!(matches!(second.await.unwrap(), Outcome::Rejected(Reason::Offline, _)));
    assert!(matches!(rig.task.await.unwrap(), Err(DeviceError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_printer_that_stops_taking_bytes_runs_into_the_write_timeout() {
    let mut rig = Rig::new("printer.escpos_tcp", 1024).await;
    rig.expect(GREETING).await;
    rig.far.write_all(ONLINE).await.unwrap();
    let outcome = rig.ask("stuck", print(&"x".repeat(200_000)), SECOND).await;
    let waiting = rig.ask("waiting", print("hello"), SECOND).await;
    assert!(matches!(waiting.await.unwrap(), Outcome::Rejected(Reason::Expired, _)));
    assert!(matches!(outcome.await.unwrap(), Outcome::Unknown(_)));
    assert!(matches!(rig.task.await.unwrap(), Err(DeviceError::WriteTimeout(_))));
}

#[tokio::test(start_paused = true)]
async fn letting_go_of_a_device_answers_everything_once() {
    let mut rig = Rig::new("printer.escpos_tcp", 1 << 16).await;
    rig.expect(GREETING).await;
    rig.far.write_all(ONLINE).await.unwrap();
    let running = rig.ask("running", print("hello"), SECOND).await;
    rig.read_to(b"\x10\x04\x01").await;
    let waiting = rig.ask("waiting", print("hello"), SECOND).await;
    rig.cancel.cancel();
    assert!(matches!(running.await.unwrap(), Outcome::Unknown(_)));
    assert!(matches!(waiting.await.unwrap(), Outcome::Rejected(Reason::Offline, _)));
    rig.task.await.unwrap().unwrap();
    assert!(rig.requests.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_comes_too_late_is_not_sent() {
    let mut rig = Rig::new("printer.escpos_tcp", 1 << 16).await;
    rig.expect(GREETING).await;
    rig.far.write_all(ONLINE).await.unwrap();
    let late = rig.ask("late", print("hello"), Duration::ZERO).await;
    assert!(matches!(late.await.unwrap(), Outcome::Rejected(Reason::Expired, _)));
    let wrong = rig.ask("wrong", Command::Scale(scale::Command::Read), SECOND).await;
    assert!(matches!(wrong.await.unwrap(), Outcome::Rejected(Reason::Unsupported, _)));
    let empty = Document { blocks: vec![], cut: true, open_drawer: false };
    let empty = rig.ask("empty", Command::Printer(printer::Command::Print(empty)), SECOND).await;
    assert!(matches!(empty.await.unwrap(), Outcome::Rejected(Reason::Invalid, _)));
}

#[tokio::test(start_paused = true)]
async fn the_same_id_twice_at_once_is_refused() {
    let mut rig = Rig::new("printer.escpos_tcp", 1 << 16).await;
    rig.expect(GREETING).await;
    let _first = rig.ask("same", print("hello"), SECOND).await;
    let second = rig.ask("same", print("hello"), SECOND).await;
    assert!(matches!(second.await.unwrap(), Outcome::Rejected(Reason::Invalid, _)));
}

#[tokio::test(start_paused = true)]
async fn a_scale_is_asked_and_its_weight_read() {
    let mut rig = Rig::new("scale.toledo_8217", 64).await;
    rig.expect(b"W").await;
    let weight = rig.ask("weigh", Command::Scale(scale::Command::Read), SECOND).await;
    rig.far.write_all(b"\x02?A\r").await.unwrap();
    rig.expect(b"W").await;
    rig.far.write_all(b"\x0201.234\r").await.unwrap();
    let Outcome::Done(Value::Weight(weight)) = weight.await.unwrap() else { panic!() };
    assert_eq!((weight.digits.as_str(), weight.unit), ("1.234", scale::Unit::Kg));
    let states: Vec<_> = [rig.events.recv().await, rig.events.recv().await]
        .into_iter()
        .map(|event| match event {
            Some(DeviceEvent::Scale(scale::Event::Reading(reading))) => reading.state,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states, [scale::State::Motion, scale::State::Stable]);
}

#[tokio::test(start_paused = true)]
async fn a_scanned_code_ends_with_a_terminator_or_with_silence() {
    let mut rig = Rig::new("scanner.serial", 1 << 16).await;
    rig.far.write_all(b"no end").await.unwrap();
    let start = Instant::now();
    assert_eq!(rig.code().await, "no end");
    assert!((199..=202).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    rig.far.write_all(b"4006381333931\r\n12345\t").await.unwrap();
    assert_eq!(rig.code().await, "4006381333931");
    assert_eq!(rig.code().await, "12345");
}

#[tokio::test(start_paused = true)]
async fn half_a_code_is_dropped_once_the_scanner_has_shown_that_it_ends_its_codes() {
    let mut rig = Rig::new("scanner.serial", 1 << 16).await;
    rig.far.write_all(b"4006381333931\r40063").await.unwrap();
    assert_eq!(rig.code().await, "4006381333931");
    rig.condition.wait_for(|c| matches!(c, Condition::Error(Fault::Garbled, _))).await.unwrap();
    rig.far.write_all(b"76543210\r").await.unwrap();
    assert_eq!(rig.code().await, "76543210");
    assert_eq!(*rig.condition.borrow(), Condition::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_code_without_an_end_is_a_fault_that_says_what_to_do_and_the_next_code_is_fine() {
    let mut rig = Rig::new("scanner.serial", 1 << 16).await;
    rig.far.write_all(&[b'7'; 10_000]).await.unwrap();
    let fault = rig.condition.wait_for(|c| matches!(c, Condition::Error(Fault::Garbled, _))).await.unwrap().clone();
    let Condition::Error(_, message) = fault else { unreachable!() };
    assert!(message.contains("8192") && message.contains("set it to end each code with Enter"), "{message}");
    rig.far.write_all(b"\r4006381333931\r").await.unwrap();
    assert_eq!(rig.code().await, "4006381333931");
    assert_eq!(*rig.condition.borrow(), Condition::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_behind_loses_no_code_and_does_not_keep_the_device_from_ending() {
    let mut rig = Rig::new("scanner.serial", 1 << 16).await;
    for n in 0..200 {
        rig.far.write_all(format!("{n}\r").as_bytes()).await.unwrap();
    }
    tokio::time::sleep(SECOND).await;
    for n in 0..100 {
        assert_eq!(rig.code().await, n.to_string());
    }
    tokio::time::sleep(SECOND).await;
    rig.cancel.cancel();
    rig.task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unplugged_scanner_ends_as_closed() {
    let rig = Rig::new("scanner.serial", 64).await;
    drop(rig.far);
    assert!(matches!(rig.task.await.unwrap(), Err(DeviceError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_typing_scanner_gives_the_code_that_it_types() {
    let mut rig = Rig::new("scanner.evdev", 1 << 16).await;
    let key = |code, value| Record { kind: 1, code, value }.to_bytes();
    rig.far.write_all(&key(3, 1)).await.unwrap();
    assert_eq!(rig.code().await, "2", "ended by silence");
    // Shift and a, 1, keypad 2, Enter.
    for (code, value) in [(42, 1), (30, 1), (30, 0), (42, 0), (2, 1), (2, 0), (80, 1), (80, 0), (28, 1), (28, 0)] {
        rig.far.write_all(&key(code, value)).await.unwrap();
    }
    assert_eq!(rig.code().await, "A12");
    // The kernel says that it dropped events in the middle of a code.
    rig.far.write_all(&key(3, 1)).await.unwrap();
    rig.far.write_all(&Record { kind: 0, code: 3, value: 0 }.to_bytes()).await.unwrap();
    rig.far.write_all(&key(4, 1)).await.unwrap();
    let again = |c: &Condition| matches!(c, Condition::Warning(message) if message.contains("scan it again"));
    rig.condition.wait_for(again).await.unwrap();
    for code in [28, 5, 28] {
        rig.far.write_all(&key(code, 1)).await.unwrap();
    }
    assert_eq!(rig.code().await, "4", "the torn code is left out");
    rig.condition.wait_for(|c| *c == Condition::Ready).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_picture_is_made_ready_elsewhere_and_printed_or_refused_with_words() {
    let mut rig = Rig::new("printer.escpos_tcp", 1 << 16).await;
    rig.expect(GREETING).await;
    rig.far.write_all(ONLINE).await.unwrap();
    let picture = |bytes: &[u8]| {
        let blocks = vec![Block::Image(bytes.to_vec())];
        Command::Printer(printer::Command::Print(Document { blocks, cut: true, open_drawer: false }))
    };
    let bad = rig.ask("bad", picture(b"no picture"), SECOND).await;
    let Outcome::Rejected(Reason::Invalid, why) = bad.await.unwrap() else { panic!() };
    assert!(why.contains("send a PNG or JPEG"), "{why}");
    // One black dot, 1 by 1.
    let png = data(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6360000000\
         02000148afa4710000000049454e44ae426082",
    );
    let _good = rig.ask("good", picture(&png), SECOND).await;
    let job = rig.read_to(b"\x10\x04\x01").await;
    assert!(job.windows(9).any(|w| w == [0x1d, b'v', b'0', 0, 1, 0, 1, 0, 0x80]), "{job:x?}");
}

fn data(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}
