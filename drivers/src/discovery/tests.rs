use std::{fs, os::unix::fs::symlink};

use super::*;

/// A sysfs and /dev of a test's own.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for folder in ["sys/class/tty", "sys/class/input", "dev/input"] {
            fs::create_dir_all(tree.0.path().join(folder)).unwrap();
        }
        tree
    }

    fn roots(&self) -> Roots {
        let path = fs::canonicalize(self.0.path()).unwrap();
        Roots { sys: path.join("sys"), dev: path.join("dev") }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn usb(&self, place: &str, maker: &str, product: &str, serial: Option<&str>) {
        let device = format!("sys/devices/usb1/{place}");
        self.write(&format!("{device}/idVendor"), "0eb8\n");
        self.write(&format!("{device}/idProduct"), "2303\n");
        self.write(&format!("{device}/manufacturer"), maker);
        self.write(&format!("{device}/product"), product);
        if let Some(serial) = serial {
            self.write(&format!("{device}/serial"), serial);
        }
        self.write(&format!("{device}/{place}:1.0/bInterfaceNumber"), "00\n");
    }

    fn tty(&self, name: &str, place: &str) {
        let device = format!("sys/devices/usb1/{place}/{place}:1.0/{name}");
        self.write(&format!("{device}/port_number"), "0\n");
        let class = self.0.path().join("sys/class/tty").join(name);
        fs::create_dir_all(&class).unwrap();
        symlink(self.roots().sys.join(device.strip_prefix("sys/").unwrap()), class.join("device")).unwrap();
        self.write(&format!("dev/{name}"), "");
    }

    fn unplug(&self, name: &str) {
        fs::remove_dir_all(self.0.path().join("sys/class/tty").join(name)).unwrap();
    }

    fn ids(&self) -> Vec<String> {
        sysfs::scan(&self.roots()).into_iter().map(|port| port.id.0).collect()
    }
}

#[test]
fn a_usb_adapter_is_found_with_its_descriptors_and_named_by_its_serial_number() {
    let tree = Tree::new();
    tree.usb("1-1.4", "Mettler-Toledo\n", "Ariva\u{7}-S", Some("B123 45\n"));
    tree.tty("ttyUSB0", "1-1.4");
    let ports = sysfs::scan(&tree.roots());
    let [port] = &ports[..] else { panic!("{ports:?}") };
    assert_eq!(port.id.0, "usb-0eb8:2303-B123_45-if00");
    assert_eq!(port.usb, Some((0x0eb8, 0x2303)));
    assert_eq!((port.manufacturer.as_str(), port.product.as_str()), ("Mettler-Toledo", "Ariva-S"));
    assert_eq!(port.bus, Bus::Usb);
    assert_eq!(port.access, Access::Ok);
}

#[test]
fn an_adapter_without_a_serial_number_is_named_by_its_socket() {
    let tree = Tree::new();
    tree.usb("1-1.4", "Prolific", "USB-Serial", None);
    tree.tty("ttyUSB0", "1-1.4");
    assert_eq!(tree.ids(), ["usb-0eb8:2303-1-1.4-if00"]);
}

#[test]
fn two_adapters_with_one_serial_number_are_two_ports() {
    let tree = Tree::new();
    for (place, tty) in [("1-1", "ttyUSB0"), ("1-2", "ttyUSB1")] {
        tree.usb(place, "Cheap", "Adapter", Some("0001"));
        tree.tty(tty, place);
    }
    assert_eq!(tree.ids(), ["usb-0eb8:2303-0001-if00", "usb-0eb8:2303-0001-if00-2"]);
}

#[test]
fn consoles_virtual_terminals_and_uarts_without_hardware_are_no_ports() {
    let tree = Tree::new();
    for name in ["ttyS0", "ttyS1", "ttyAMA0"] {
        let class = tree.0.path().join("sys/class/tty").join(name);
        tree.write(&format!("sys/devices/platform/{name}/x"), "");
        fs::create_dir_all(&class).unwrap();
        symlink(tree.roots().sys.join("devices/platform").join(name), class.join("device")).unwrap();
        tree.write(&format!("dev/{name}"), "");
    }
    tree.write("sys/class/tty/ttyS0/type", "0\n");
    tree.write("sys/class/tty/ttyS1/type", "4\n");
    tree.write("sys/class/tty/tty1/dev", "4:1\n");
    tree.write("sys/class/tty/console/active", "tty0 ttyAMA0\n");
    assert_eq!(tree.ids(), ["serial-ttyS1"]);
}

#[test]
fn keyboards_and_scanners_are_found_and_mice_and_power_buttons_are_not() {
    let tree = Tree::new();
    let full = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe";
    let mouse = "1f0000 0 0 0 0";
    let power = "10000000000000 0";
    for (name, keys) in [("event0", full), ("event1", mouse), ("event2", power)] {
        let device = format!("sys/devices/virtual/{name}");
        tree.write(&format!("{device}/capabilities/key"), keys);
        tree.write(&format!("{device}/name"), "USBScn Barcode Scanner\n");
        tree.write(&format!("{device}/phys"), "usb-0000:00:14.0-1/input0\n");
        tree.write(&format!("{device}/id/bustype"), "0003\n");
        tree.write(&format!("{device}/id/vendor"), "05e0\n");
        tree.write(&format!("{device}/id/product"), "1200\n");
        let class = tree.0.path().join("sys/class/input").join(name);
        fs::create_dir_all(&class).unwrap();
        symlink(tree.roots().sys.join("devices/virtual").join(name), class.join("device")).unwrap();
        tree.write(&format!("dev/input/{name}"), "");
    }
    let ports = sysfs::scan(&tree.roots());
    let [port] = &ports[..] else { panic!("{ports:?}") };
    assert_eq!(port.id.0, "input-05e0:1200-usb-0000:00:14.0-1/input0");
    assert_eq!(port.product, "USBScn Barcode Scanner");
}

#[test]
fn a_machine_without_sysfs_has_no_ports() {
    assert!(sysfs::scan(&Roots { sys: "/nonexistent".into(), dev: "/nonexistent".into() }).is_empty());
}

async fn next(changes: &mut mpsc::Receiver<PortChange>) -> String {
    match tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.expect("a change in time").unwrap() {
        PortChange::Appeared(port) => format!("+{}", port.id.0),
        PortChange::Vanished(id) => format!("-{}", id.0),
    }
}

#[tokio::test]
async fn ports_are_reported_as_they_come_and_go_and_come_back() {
    let tree = Tree::new();
    tree.usb("1-1", "Maker", "Thing", Some("A"));
    tree.tty("ttyUSB0", "1-1");
    let (extra_in, extra) = watch::channel(Vec::new());
    let rescan = Duration::from_millis(20);
    let options = Options { rescan, network_printers: Vec::new(), ipp_printers: Vec::new(), mdns: false, extra };
    let (sender, mut changes) = mpsc::channel(4);
    let roots = tree.roots();
    let task = tokio::spawn(async move { watch_ports(options, &roots, &sender).await });
    assert_eq!(next(&mut changes).await, "+usb-0eb8:2303-A-if00");
    let simulated = network_printer("127.0.0.1:9100".parse().unwrap());
    extra_in.send_replace(vec![simulated.clone()]);
    assert_eq!(next(&mut changes).await, "+tcp-127.0.0.1:9100");
    extra_in.send_replace(Vec::new());
    assert_eq!(next(&mut changes).await, "-tcp-127.0.0.1:9100");
    tree.unplug("ttyUSB0");
    assert_eq!(next(&mut changes).await, "-usb-0eb8:2303-A-if00");
    tree.tty("ttyUSB1", "1-1");
    assert_eq!(next(&mut changes).await, "+usb-0eb8:2303-A-if00");
    task.abort();
}

#[tokio::test]
async fn discovery_runs_on_this_machine_whatever_it_lacks() {
    let (sender, mut changes) = mpsc::channel(64);
    let cancel = CancellationToken::new();
    let printer = "192.0.2.1:9100".parse().unwrap();
    let options = Options { network_printers: vec![printer], ..Options::default() };
    let task = tokio::spawn(run(options, sender, cancel.clone()));
    loop {
        if next(&mut changes).await == "+tcp-192.0.2.1:9100" {
            break;
        }
    }
    cancel.cancel();
    tokio::time::timeout(Duration::from_secs(5), task).await.expect("discovery ends").unwrap();
}

#[test]
fn a_port_that_changes_its_path_or_access_vanishes_and_appears() {
    let mut table = Table::default();
    let port = |path: &str| PortInfo {
        kind: PortKind::Serial { path: path.into() },
        ..network_printer("127.0.0.1:1".parse().unwrap())
    };
    assert_eq!(table.update(vec![port("/dev/ttyUSB0")]).len(), 1);
    assert!(table.update(vec![port("/dev/ttyUSB0")]).is_empty());
    let id = port("x").id;
    assert_eq!(
        table.update(vec![port("/dev/ttyUSB1")]),
        [PortChange::Vanished(id.clone()), PortChange::Appeared(port("/dev/ttyUSB1"))]
    );
    assert_eq!(table.remove_path(Path::new("/dev/ttyUSB1")), [PortChange::Vanished(id)]);
    assert_eq!(table.update(vec![port("/dev/ttyUSB1")]), [PortChange::Appeared(port("/dev/ttyUSB1"))]);
}

#[test]
fn a_usb_printer_is_found_by_what_it_says_of_itself_and_named_by_its_serial_number() {
    let tree = Tree::new();
    for (place, name, id1284) in [
        ("1-1", "lp0", "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"),
        ("1-2", "lp1", "COMMAND SET: ESCPL2,BDC ;MODEL:XP-2200\u{7} Series;"),
        ("1-3", "lp2", ""),
    ] {
        tree.usb(place, "Maker", "Product", (name == "lp0").then_some("J5AA01"));
        let device = format!("sys/devices/usb1/{place}/{place}:1.0");
        tree.write(&format!("{device}/ieee1284_id"), id1284);
        fs::create_dir_all(tree.0.path().join("sys/class/usbmisc").join(name)).unwrap();
        let class = tree.roots().sys.join("class/usbmisc").join(name).join("device");
        symlink(tree.roots().sys.join(device.strip_prefix("sys/").unwrap()), class).unwrap();
        tree.write(&format!("dev/usb/{name}"), "");
    }
    tree.write("sys/class/usbmisc/hiddev0/dev", "180:0\n");
    let ports = sysfs::scan(&tree.roots());
    let told: Vec<_> = ports.iter().map(|p| (p.id.0.as_str(), p.manufacturer.as_str(), p.product.as_str())).collect();
    assert_eq!(
        told,
        [
            ("usb-0eb8:2303-J5AA01-if00", "EPSON", "TM-T88V"),
            ("usb-0eb8:2303-1-2-if00", "Maker", "XP-2200 Series"),
            ("usb-0eb8:2303-1-3-if00", "Maker", "Product"),
        ]
    );
    let languages: Vec<_> = ports
        .iter()
        .map(|port| match &port.kind {
            PortKind::UsbPrinter { languages, .. } => languages.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(languages, ["ESC/POS", "ESCPL2,BDC", ""]);
    assert_eq!(ports[0].path(), Some(tree.roots().dev.join("usb/lp0").as_path()));
}

#[test]
fn a_point_of_sale_device_is_found_by_its_usage_page_and_a_scanner_tells_how_often_it_is_asked() {
    let tree = Tree::new();
    for (place, name, page) in [("1-1", "hidraw0", 0x8d_u8), ("1-2", "hidraw1", 0x8c), ("1-3", "hidraw2", 0x01)] {
        tree.usb(place, "Maker", "Product", None);
        let device = format!("sys/devices/usb1/{place}/{place}:1.0/0003:0EB8:2303.0001");
        tree.write(&format!("{device}/uevent"), "HID_ID=0003:00000EB8:00002303\nHID_NAME=Maker Product\n");
        let path = tree.0.path().join(format!("{device}/report_descriptor"));
        fs::write(path, [0x05, page, 0x09, 0x02, 0xa1, 0x01, 0xc0]).unwrap();
        tree.write(&format!("sys/devices/usb1/{place}/{place}:1.0/ep_81/interval"), "10ms\n");
        fs::create_dir_all(tree.0.path().join("sys/class/hidraw").join(name)).unwrap();
        let link = tree.roots().sys.join("class/hidraw").join(name).join("device");
        symlink(tree.roots().sys.join(device.strip_prefix("sys/").unwrap()), link).unwrap();
        tree.write(&format!("dev/{name}"), "");
    }
    assert_eq!(tree.ids(), ["hid-0eb8:2303-1-1-if00", "hid-0eb8:2303-1-2-if00"]);
    let device = tree.roots().sys.join("devices/usb1/1-2/1-2:1.0/0003:0EB8:2303.0001");
    assert_eq!(sysfs::interval_above(&device, &tree.roots().sys), Some(Duration::from_millis(10)));
}
