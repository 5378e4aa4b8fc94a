//! Office printers: the driver against CUPS' own IPP printer (`ippeveprinter`).

#![allow(clippy::unwrap_used)] // helpers of tests

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command as Program, Stdio},
    time::Duration,
};

use drivers::{
    Access, Bus, Command, CommandId, Condition, DeviceCtx, Driver, Outcome, PortId, PortInfo, PortKind, Reason,
    Request, Value, io,
    printer::{Align, Block, Certainty, Document, File, FileType, Ipp, Language},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A message bus and Avahi of the test's own: ippeveprinter does not start without them.
struct Announcer {
    programs: Vec<Child>,
    bus: String,
    _dir: tempfile::TempDir,
}

impl Announcer {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bus = format!("unix:path={}", dir.path().join("bus").display());
        let config = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig><type>system</type>\
             <listen>{bus}</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\" \
             eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>"
        );
        let (bus_file, avahi_file) = (dir.path().join("bus.conf"), dir.path().join("avahi.conf"));
        std::fs::write(&bus_file, config).unwrap();
        std::fs::write(&avahi_file, "[server]\nuse-ipv6=no\nallow-interfaces=lo\n").unwrap();
        let mut announcer = Self { programs: Vec::new(), bus, _dir: dir };
        let bus_option = format!("--config-file={}", bus_file.display());
        announcer.run("dbus-daemon", &[&bus_option, "--nofork"]);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let avahi_file = avahi_file.display().to_string();
        announcer.run("avahi-daemon", &["-f", &avahi_file, "--no-drop-root", "--no-chroot", "--no-rlimits"]);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        announcer
    }

    fn run(&mut self, name: &str, args: &[&str]) {
        let program = Program::new(tool(name))
            .args(args)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.bus)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.programs.push(program.unwrap());
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        for program in self.programs.iter_mut().rev() {
            program.kill().ok();
            program.wait().ok();
        }
    }
}

fn tool(name: &str) -> std::path::PathBuf {
    let found = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(|dir| Path::new(dir).join(name));
    let path = found.into_iter().find(|path| path.exists());
    path.unwrap_or_else(|| panic!("{name} is not there: install cups-ipp-utils, avahi-daemon and dbus"))
}

struct Everywhere {
    program: Child,
    address: SocketAddr,
    spool: tempfile::TempDir,
}

impl Drop for Everywhere {
    fn drop(&mut self) {
        self.program.kill().ok();
        self.program.wait().ok();
    }
}

impl Everywhere {
    /// `formats`: what it takes.
    async fn start(announcer: &Announcer, formats: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let spool = tempfile::tempdir().unwrap();
        let port = address.port().to_string();
        let args = ["-p", &port, "-r", "off", "-k", "-f", formats, "-M", "Acme", "-m", "Office 1", "-d"];
        let program = Program::new(tool("ippeveprinter"))
            .args(args)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &announcer.bus)
            .arg(spool.path())
            .arg("Office")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let printer = Self { program, address, spool };
        for _ in 0..200 {
            if std::net::TcpStream::connect(address).is_ok() {
                return printer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("ippeveprinter does not listen on {address}");
    }

    fn port(&self) -> PortInfo {
        PortInfo {
            id: PortId("ipp".into()),
            kind: PortKind::Ipp { address: self.address, path: "/ipp/print".into() },
            bus: Bus::Network,
            usb: None,
            manufacturer: String::new(),
            product: String::new(),
            serial_number: String::new(),
            access: Access::Ok,
            assigned: None,
            settings: Default::default(),
        }
    }

    /// Names and first bytes of the documents it received.
    fn received(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.spool.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| {
                let head = std::fs::read(&path).unwrap();
                (path.file_name().unwrap().to_string_lossy().into_owned(), head)
            })
            .collect();
        files.sort();
        files
    }
}

struct Running {
    requests: mpsc::Sender<Request>,
    condition: watch::Receiver<Condition>,
    cancel: CancellationToken,
}

impl Running {
    async fn open(port: &PortInfo) -> Self {
        let device = Ipp.open(port, &io::System).await.unwrap();
        assert!(device.identity().model.contains("Office 1"), "{:?}", device.identity());
        let (requests, request_queue) = mpsc::channel(8);
        let (events, _) = mpsc::channel(8);
        let (condition_sender, condition) = watch::channel(Condition::Connecting);
        let cancel = CancellationToken::new();
        let ctx = DeviceCtx { requests: request_queue, events, condition: condition_sender, cancel: cancel.clone() };
        tokio::spawn(device.run(ctx));
        Self { requests, condition, cancel }
    }

    async fn print(&self, id: &str, command: drivers::printer::Command) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + Duration::from_secs(20);
        let request = Request { id: CommandId(id.into()), command: Command::Printer(command), deadline, reply };
        self.requests.send(request).await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap().unwrap()
    }
}

fn document() -> drivers::printer::Command {
    let text = Block::Text { text: "Delivery slip".into(), align: Align::Center, bold: true, large: true };
    drivers::printer::Command::Print(Document {
        blocks: vec![text, Block::Qr("42".into())],
        cut: true,
        open_drawer: false,
    })
}

const PRINTED: Outcome = Outcome::Done(Value::Print(Certainty::Printed));

#[tokio::test(flavor = "multi_thread")]
async fn an_office_printer_prints_pages_and_confirms_them_and_one_that_is_off_gets_nothing() {
    // One at a time on a machine.
    let announcer = Announcer::start().await;
    let printer = Everywhere::start(&announcer, "application/pdf,image/jpeg,image/pwg-raster").await;
    let mut running = Running::open(&printer.port()).await;
    let ready = running.condition.wait_for(|c| *c != Condition::Connecting);
    assert_eq!(*tokio::time::timeout(Duration::from_secs(5), ready).await.unwrap().unwrap(), Condition::Ready);
    assert_eq!(running.print("slip-1", document()).await, PRINTED);
    let pdf = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF\n".to_vec();
    let file = File { kind: FileType::Pdf, data: pdf.clone(), copies: 1 };
    assert_eq!(running.print("report-1", drivers::printer::Command::PrintFile(file)).await, PRINTED);
    let received = printer.received();
    assert!(received.iter().any(|(_, bytes)| *bytes == pdf), "a PDF arrives as it is: {:?}", received.len());
    assert!(received.iter().all(|(_, bytes)| bytes.starts_with(b"%PDF-")), "{received:?}");
    let raw = File { kind: FileType::Raw(Language::Zpl), data: b"^XA^XZ".to_vec(), copies: 1 };
    let outcome = running.print("raw-1", drivers::printer::Command::PrintFile(raw)).await;
    assert!(matches!(outcome, Outcome::Rejected(Reason::Unsupported, _)), "{outcome:?}");
    running.cancel.cancel();
    drop(printer);

    let printer = Everywhere::start(&announcer, "image/jpeg,image/pwg-raster").await;
    let port = printer.port();
    let running = Running::open(&port).await;
    assert_eq!(running.print("slip-1", document()).await, PRINTED);
    assert!(printer.received().iter().any(|(_, bytes)| bytes.starts_with(b"\xff\xd8\xff")));
    drop(printer);
    let outcome = running.print("slip-2", document()).await;
    assert!(matches!(outcome, Outcome::Rejected(Reason::Offline, _)), "{outcome:?}");
    assert!(Ipp.open(&port, &io::System).await.is_err());
}
