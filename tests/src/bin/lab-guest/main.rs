//! Runs inside the lab's virtual machine: plugs USB devices into the kernel and looks at what `iot-box` makes of them.
//! `tests/lab/run.sh` builds and boots that machine; by itself this program is of no use.

mod gadget;
mod relay;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use cloud_link::outbox::{self, Outbox};
use gadget::{About, Gadget};
use iot_sim::{Client, Scenario, Sim};
use link_protocol::up::{Device, DeviceStatus, EventBody};
use relay::Relay;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::json;
use system_tests::programs::{Program, bin_dir, until};

const DATA: &str = "/tmp/box";
const LOG: &str = "/tmp/box.log";
const SIM: &str = "/tmp/sim.toml";
/// An emulated machine on a busy one is ten times slower than a box.
const PATIENCE: Duration = Duration::from_secs(20);
/// The rescan comes every five seconds: alone it takes three on average, enumeration included, and does not notice a
/// device that went and came back between two of them.
const BY_UEVENT: Duration = Duration::from_millis(2500);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let mut lab = Lab::default();
    if let Err(error) = lab.run().await {
        lab.fail(&error).await;
    }
    say(&format!("LAB passed={} failed={}", lab.passed, lab.failed));
    if lab.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Lab {
    passed: u32,
    failed: u32,
    /// From plugging in to the box's finding it.
    found: Vec<Duration>,
    /// What was scanned, in order.
    codes: Vec<&'static str>,
}

#[derive(Deserialize)]
struct Devices {
    devices: Vec<Device>,
}

impl Lab {
    async fn run(&mut self) -> Result<()> {
        let mut daemon = self.start().await?;
        let sim = simulators().await.context("the simulators")?;
        // One that fails says so, and the others are looked at all the same.
        let result = self.typing_scanner(daemon.pid()?).await.context("scanner that types");
        self.note(result).await;
        let result = self.serial_scanner().await.context("serial scanner");
        self.note(result).await;
        let result = self.printer().await.context("receipt printer");
        let printer = self.note(result).await;
        let result = self.office_printer().await.context("office printer");
        self.note(result).await;
        let result = self.scale().await.context("scale");
        self.note(result).await;
        if let Some((printer, relay)) = printer {
            let result = self.printed_once(printer, relay).await.context("receipt printer");
            self.note(result).await;
        }
        let result = self.only_what_was_plugged().await;
        self.note(result).await;
        daemon.check_alive()?;
        daemon.stop().await.context("iot-box at SIGTERM")?;
        self.outbox().await.context("outbox")?;
        sim.stop().await;
        Ok(())
    }

    fn pass(&mut self, what: &str) {
        self.passed += 1;
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        say(&format!("PASS {what} [{} s]", uptime.split(' ').next().unwrap_or_default()));
    }

    async fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(&error).await;
                None
            }
        }
    }

    async fn fail(&mut self, error: &anyhow::Error) {
        self.failed += 1;
        say(&format!("FAIL {error:#}"));
        say(&format!("the devices:\n{}", self.devices_text().await));
        say(&format!("the box's log:\n{}", fs::read_to_string(LOG).unwrap_or_default()));
    }

    async fn start(&mut self) -> Result<Program> {
        let args = ["--data", DATA, "run", "--listen", "127.0.0.1:8443", "--log-format", "json"];
        let mut daemon = Program::start("iot-box", &args, &[], Path::new(LOG))?;
        until("iot-box to be ready", PATIENCE, async || Ok(logged("box is ready").then_some(()))).await?;
        daemon.check_alive()?;
        ensure!(!Path::new("/run/udev").exists(), "udevd runs");
        ensure!(self.devices().await?.is_empty(), "there are devices before one is plugged in");
        self.pass("iot-box runs on this kernel without udevd, and sees no device yet");
        Ok(daemon)
    }

    async fn typing_scanner(&mut self, daemon: i32) -> Result<()> {
        let about = About {
            vendor: 0x05e0,
            product_id: 0x1200,
            manufacturer: "Symbol Technologies",
            product: "Bar Code Scanner",
            serial: "S-TYPES",
        };
        let scanner = Gadget::new(0, &about, "hid", &gadget::KEYBOARD)?;
        let device = self.plug(&scanner, &about, DeviceStatus::Ready).await?;
        ensure!(device.driver == "scanner.evdev", "its driver is {}", device.driver);
        self.pass(&format!("a USB keyboard that calls itself a scanner is {} as {}", device.driver, device.id));

        let mut eavesdropper = open(&event_node(about.product)?)?;
        self.type_code("40063812").await?;
        self.pass("what it types arrives as one scan");
        let mut buffer = [0; 512];
        match eavesdropper.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => bail!("another program read its keys: {other:?}"),
        }
        self.pass("no other program gets its keys");

        // The kernel keeps 64 events for a reader, about ten characters; the other codes are shorter than that, so that
        // how busy the emulated machine is does not decide whether they come through.
        let daemon = Pid::from_raw(daemon).context("pid 0")?;
        kill_process(daemon, Signal::STOP)?;
        let typed = type_text("LOST-00001111222233334444").await;
        kill_process(daemon, Signal::CONT)?;
        typed?;
        let device = self.status(&about, DeviceStatus::Warning).await?;
        ensure!(device.message.contains("scan it again"), "{}", device.message);
        self.type_code("96385074").await?;
        self.status(&about, DeviceStatus::Ready).await?;
        self.pass("a code typed while the box was too busy to read is asked for again, never passed on in part");

        self.unplug(&scanner, &about).await?;
        let again = self.plug(&scanner, &about, DeviceStatus::Ready).await?;
        ensure!(again.id == device.id, "it came back as {}", again.id);
        self.type_code("A-40063").await?;
        self.pass("unplugged it is offline; plugged in again it is the same device and scans");
        Ok(())
    }

    async fn serial_scanner(&mut self) -> Result<()> {
        let about = About {
            vendor: 0x0c2e,
            product_id: 0x0caa,
            manufacturer: "Honeywell",
            product: "Voyager 1450g",
            serial: "S-SERIAL",
        };
        let scanner = Gadget::new(1, &about, "acm", &[])?;
        for (round, code) in ["4012345678901", "9501101530003"].into_iter().enumerate() {
            let device = self.plug(&scanner, &about, DeviceStatus::Ready).await?;
            ensure!(device.driver == "scanner.serial", "its driver is {}", device.driver);
            let mut tty = raw("/dev/ttyGS0")?;
            tty.write_all(format!("{code}\r").as_bytes())?;
            self.scanned(code).await?;
            drop(tty);
            if round == 0 {
                self.pass(&format!("a USB CDC ACM scanner is {}, and its code arrives", device.driver));
                self.unplug(&scanner, &about).await?;
            }
        }
        self.pass("unplugged it is offline; plugged in again it scans");
        Ok(())
    }

    async fn printer(&mut self) -> Result<(Gadget, Relay)> {
        let printer =
            Gadget::new(2, &PRINTER, "printer", &[("pnp_string", b"MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;")])?;
        // The first answer has to come within a second, so the simulator is behind it as soon as it exists.
        let relay = tokio::spawn(printer_behind_usb());
        let device = self.plug(&printer, &PRINTER, DeviceStatus::Ready).await?;
        let relay = relay.await??;
        ensure!(device.driver == "printer.escpos_usb", "its driver is {}", device.driver);
        ensure!(device.manufacturer == "EPSON" && device.model == "TM-T88V", "it is {device:?}");
        self.pass(&format!("a USB printer is {} by its IEEE 1284 id, as {}", device.driver, device.id));

        let mut control = Client::from_ports_file(Path::new(SIM)).await?;
        let jobs = control.wait_for_jobs("printer", 1, PATIENCE).await?;
        let ticket = jobs.first().context("no status ticket was printed")?;
        ensure!(ticket.problems.is_empty(), "{:?}", ticket.problems);
        let password = fs::read_to_string(Path::new(DATA).join("technician-password"))?;
        for part in ["IoT Box", "https://", "Technician password", password.trim()] {
            ensure!(ticket.text.contains(part), "the ticket lacks {part:?}:\n{}", ticket.text);
        }
        say(&ticket.text);
        self.pass("it prints the box's status ticket, with the address and the technician's password");

        until("the job's end", PATIENCE, async || Ok(logged(r#""outcome":"done""#).then_some(()))).await?;
        self.ticket_bytes(&relay.heard())?;

        for (paper, status, word) in [
            ("out", DeviceStatus::Error, "paper"),
            ("low", DeviceStatus::Warning, "paper"),
            ("ok", DeviceStatus::Ready, ""),
        ] {
            control.send("printer", "paper", json!({ "state": paper })).await?;
            let device = self.status(&PRINTER, status).await?;
            ensure!(device.message.contains(word), "paper {paper}: {}", device.message);
        }
        self.pass("its automatic status reports paper out, low and back");
        drop(relay);
        self.unplug(&printer, &PRINTER).await?;
        let relay = tokio::spawn(printer_behind_usb());
        self.plug(&printer, &PRINTER, DeviceStatus::Ready).await?;
        self.pass("unplugged it is offline; plugged in again it is ready");
        Ok((printer, relay.await??))
    }

    /// Every byte that is not text of the ticket, as the ESC/POS reference has them.
    fn ticket_bytes(&mut self, heard: &[u8]) -> Result<()> {
        // GS a 255, DLE EOT 1, 2, 4; then ESC @, GS a 255, ESC a 1, ESC E 1, GS ! 11h.
        let greeting = b"\x1da\xff\x10\x04\x01\x10\x04\x02\x10\x04\x04";
        let start = b"\x1b@\x1da\xff\x1ba\x01\x1bE\x01\x1d!\x11";
        let rest = heard.strip_prefix(greeting).context("it did not begin with the greeting")?;
        // DLE EOT 1 alone: it was idle for five seconds before the ticket came.
        let mut rest = rest;
        while let Some(after) = rest.strip_prefix(b"\x10\x04\x01") {
            rest = after;
        }
        ensure!(rest.starts_with(start), "the ticket begins with {:02x?}", &rest[..rest.len().min(24)]);
        // GS V 66 30 (cut), GS ( H with four characters of its own, DLE EOT 1.
        let cut = rest.windows(4).position(|w| w == b"\x1dVB\x1e").context("no cut came")?;
        let end = &rest[cut + 4..];
        ensure!(end.starts_with(b"\x1d(H\x06\x0000"), "after the cut comes {end:02x?}");
        let mark = end.get(7..11).context("the process id is cut off")?;
        ensure!(mark.iter().all(|b| (0x20..=0x7e).contains(b)), "process id {mark:02x?}");
        ensure!(end[11..].starts_with(b"\x10\x04\x01"), "after the process id comes {:02x?}", &end[11..]);
        say(&format!("the ticket has {} bytes up to its cut", cut + 4));
        self.pass("greeting, ticket, process id and status questions arrive byte for byte");
        Ok(())
    }

    async fn office_printer(&mut self) -> Result<()> {
        let about = About {
            vendor: 0x03f0,
            product_id: 0x2b17,
            manufacturer: "Hewlett-Packard",
            product: "HP LaserJet 1020",
            serial: "S-OFFICE",
        };
        let printer = Gadget::new(
            3,
            &about,
            "printer",
            &[("pnp_string", b"MFG:Hewlett-Packard;MDL:HP LaserJet 1020;CMD:ACL;CLS:PRINTER;")],
        )?;
        let device = self.plug(&printer, &about, DeviceStatus::Unclaimed).await?;
        ensure!(device.driver.is_empty() && !device.message.is_empty(), "{device:?}");
        let mut far = open("/dev/g_printer1")?;
        let mut buffer = [0; 64];
        match far.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => bail!("it was sent something: {other:?} {buffer:02x?}"),
        }
        drop(far);
        printer.unplug()?;
        until("it to be gone", PATIENCE, async || Ok(self.find(&about).await?.is_none().then_some(()))).await?;
        self.pass("an office printer is shown, left alone, and forgotten when it goes");
        Ok(())
    }

    async fn scale(&mut self) -> Result<()> {
        let about = About {
            vendor: 0x0eb8,
            product_id: 0xf000,
            manufacturer: "Mettler-Toledo",
            product: "Ariva-S",
            serial: "S-SCALE",
        };
        let scale = Gadget::new(4, &about, "acm", &[])?;
        scale.plug()?;
        until("/dev/ttyGS1", PATIENCE, async || Ok(Path::new("/dev/ttyGS1").exists().then_some(()))).await?;
        let mut control = Client::from_ports_file(Path::new(SIM)).await?;
        let state = control.send("scale", "state", serde_json::Value::Null).await?;
        let path = state["path"].as_str().context("the simulated scale has no tty")?;
        let simulator = rawly(OpenOptions::new().read(true).write(true).open(path)?)?;
        let relay = Relay::start(raw("/dev/ttyGS1")?, simulator);
        let device = self.status(&about, DeviceStatus::Ready).await?;
        ensure!(device.driver == "scale.toledo_8217", "its driver is {}", device.driver);
        ensure!(relay.heard().contains(&b'W'), "it was never asked for its weight");
        self.pass(&format!("a scale behind USB CDC ACM is {} and answers", device.driver));
        drop(relay);
        self.unplug(&scale, &about).await
    }

    /// The ticket of a printer that came back was on paper already.
    async fn printed_once(&mut self, printer: Gadget, relay: Relay) -> Result<()> {
        let mut control = Client::from_ports_file(Path::new(SIM)).await?;
        let jobs = control.jobs("printer").await?;
        ensure!(jobs.len() == 1, "{} tickets were printed", jobs.len());
        self.pass("the status ticket was printed once, not again at every plug");
        drop(relay);
        self.unplug(&printer, &PRINTER).await
    }

    async fn only_what_was_plugged(&mut self) -> Result<()> {
        let devices = self.devices().await?;
        ensure!(devices.len() == 4, "four devices were known, but there are:\n{}", self.devices_text().await);
        let slowest = self.found.iter().max().copied().unwrap_or_default();
        let average = self.found.iter().sum::<Duration>() / u32::try_from(self.found.len().max(1))?;
        let times = format!("{} ms on average, {} ms at most", average.as_millis(), slowest.as_millis());
        ensure!(average < BY_UEVENT, "devices are found by the rescan alone: {times}");
        self.pass(&format!(
            "{} times plugged in, found after {times}: by uevents, not by the rescan",
            self.found.len()
        ));
        Ok(())
    }

    async fn outbox(&mut self) -> Result<()> {
        let outbox = Outbox::open(Path::new(DATA), outbox::Options::default())?;
        let events = outbox.since(None, 100).await?;
        let told: Vec<&str> = events
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::Barcode { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        ensure!(told == self.codes, "the outbox has {told:?}, scanned was {:?}", self.codes);
        ensure!(events.windows(2).all(|pair| pair[0].id.seq < pair[1].id.seq), "out of order: {events:?}");
        self.pass(&format!("after SIGTERM the outbox holds the {} scans, once each and in order", told.len()));
        Ok(())
    }

    /// Plugs in, and waits for the box to find it and to have brought it to `status`.
    async fn plug(&mut self, gadget: &Gadget, about: &About, status: DeviceStatus) -> Result<Device> {
        let before = sightings();
        let start = Instant::now();
        gadget.plug()?;
        if status == DeviceStatus::Ready {
            until("the box to find it", PATIENCE, async || Ok((sightings() > before).then_some(()))).await?;
            self.found.push(start.elapsed());
        }
        self.status(about, status).await
    }

    async fn unplug(&mut self, gadget: &Gadget, about: &About) -> Result<()> {
        gadget.unplug()?;
        let device = self.status(about, DeviceStatus::Offline).await?;
        ensure!(!device.message.is_empty(), "it is offline without a word why");
        Ok(())
    }

    async fn status(&self, about: &About, wanted: DeviceStatus) -> Result<Device> {
        until(&format!("{} to be {wanted:?}", about.serial), PATIENCE, async || {
            Ok(self.find(about).await?.filter(|device| device.status == wanted))
        })
        .await
    }

    async fn find(&self, about: &About) -> Result<Option<Device>> {
        let mut found: Vec<Device> =
            self.devices().await?.into_iter().filter(|d| d.id.as_str().contains(about.serial)).collect();
        ensure!(found.len() < 2, "it is there twice: {found:?}");
        Ok(found.pop())
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        let text = iot_box(&["--data", DATA, "devices", "--json"]).await?;
        Ok(serde_json::from_str::<Devices>(&text).with_context(|| format!("iot-box devices said {text}"))?.devices)
    }

    async fn devices_text(&self) -> String {
        iot_box(&["--data", DATA, "devices"]).await.unwrap_or_else(|error| format!("{error:#}"))
    }

    async fn type_code(&mut self, code: &'static str) -> Result<()> {
        type_text(code).await?;
        self.scanned(code).await
    }

    /// Waits for a scan in the file of the outbox; what is in it in the end, the last check reads properly.
    async fn scanned(&mut self, code: &'static str) -> Result<()> {
        self.codes.push(code);
        until(&format!("{code} in the outbox"), PATIENCE, async || {
            let wal = fs::read(Path::new(DATA).join("outbox.db-wal")).unwrap_or_default();
            let quoted = format!("\"{code}\"");
            Ok(wal.windows(quoted.len()).any(|w| w == quoted.as_bytes()).then_some(()))
        })
        .await
    }
}

const PRINTER: About =
    About { vendor: 0x04b8, product_id: 0x0202, manufacturer: "EPSON", product: "UB-U03II", serial: "S-RECEIPT" };

/// Devices that need somebody behind them who answers.
async fn simulators() -> Result<Sim> {
    let scenario = r#"
        out = "/tmp/receipts"
        [[device]]
        id = "printer"
        type = "printer_escpos"
        dots = 512
        speed_mm_s = 0
        [[device]]
        id = "scale"
        type = "scale_8217"
        check_baud = false
    "#;
    Ok(Sim::start(&Scenario::parse(scenario)?, Path::new(SIM)).await?)
}

async fn printer_behind_usb() -> Result<Relay> {
    let mut control = Client::from_ports_file(Path::new(SIM)).await?;
    let state = control.send("printer", "state", serde_json::Value::Null).await?;
    let address = state["address"].as_str().context("the simulated printer has no address")?;
    let simulator = TcpStream::connect(address)?;
    let gadget = until("/dev/g_printer0", PATIENCE, async || Ok(open("/dev/g_printer0").ok())).await?;
    Ok(Relay::start(gadget, simulator))
}

async fn iot_box(args: &[&str]) -> Result<String> {
    let run = tokio::process::Command::new(bin_dir()?.join("iot-box")).args(args).output();
    let output = tokio::time::timeout(PATIENCE, run).await.context("iot-box does not answer")??;
    ensure!(output.status.success(), "iot-box {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// On the USB keyboard, a report as soon as the one before was taken: every millisecond or two.
async fn type_text(text: &'static str) -> Result<()> {
    let typing = tokio::task::spawn_blocking(move || {
        // A report is taken when the host reads the endpoint, which it does while somebody has the device open.
        let mut keyboard = OpenOptions::new().write(true).open("/dev/hidg0")?;
        gadget::typed(text).iter().try_for_each(|report| keyboard.write_all(report))
    });
    Ok(tokio::time::timeout(PATIENCE, typing).await.context("nobody reads the keyboard")???)
}

/// The node of the input device with this in its name.
fn event_node(name: &str) -> Result<String> {
    for entry in fs::read_dir("/sys/class/input")? {
        let entry = entry?;
        let said = fs::read_to_string(entry.path().join("device/name")).unwrap_or_default();
        let node = entry.file_name().to_string_lossy().into_owned();
        if node.starts_with("event") && said.contains(name) {
            return Ok(format!("/dev/input/{node}"));
        }
    }
    bail!("the kernel has no input device {name}")
}

fn open(path: &str) -> Result<File> {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits())?;
    OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(path).with_context(|| path.to_owned())
}

/// A tty without echo and line editing.
fn raw(path: &str) -> Result<File> {
    rawly(open(path)?)
}

fn rawly(tty: File) -> Result<File> {
    let mut settings = rustix::termios::tcgetattr(&tty)?;
    settings.make_raw();
    rustix::termios::tcsetattr(&tty, rustix::termios::OptionalActions::Now, &settings)?;
    Ok(tty)
}

fn logged(what: &str) -> bool {
    fs::read_to_string(LOG).unwrap_or_default().contains(what)
}

fn sightings() -> usize {
    fs::read_to_string(LOG).unwrap_or_default().matches("device found").count()
}

fn say(text: &str) {
    // The console is gone only with the machine.
    drop(writeln!(io::stdout(), "{text}"));
}
