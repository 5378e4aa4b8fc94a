//! What every driver in the registry keeps to.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::HashSet;

use drivers::{
    Access, Bus, Class, PortId, PortInfo, PortKind, Score,
    payment::{Currency, Link, Setup, Speaks, external, nexo, zvt},
    registry,
};

fn port(kind: PortKind, bus: Bus, manufacturer: &str, product: &str) -> PortInfo {
    PortInfo {
        id: PortId("fixture".to_owned()),
        kind,
        bus,
        usb: None,
        manufacturer: manufacturer.to_owned(),
        product: product.to_owned(),
        serial_number: String::new(),
        access: Access::Ok,
        assigned: None,
        settings: Default::default(),
    }
}

fn serial(bus: Bus, manufacturer: &str, product: &str) -> PortInfo {
    port(PortKind::Serial { path: "/dev/ttyX0".into() }, bus, manufacturer, product)
}

fn usb_serial(manufacturer: &str, product: &str) -> PortInfo {
    serial(Bus::Usb, manufacturer, product)
}

fn evdev(manufacturer: &str, product: &str) -> PortInfo {
    port(PortKind::Evdev { path: "/dev/input/event0".into() }, Bus::Usb, manufacturer, product)
}

fn tcp(manufacturer: &str, product: &str) -> PortInfo {
    let address = "192.0.2.7:9100".parse().unwrap();
    port(PortKind::Tcp { address }, Bus::Network, manufacturer, product)
}

fn ipp(product: &str) -> PortInfo {
    let kind = PortKind::Ipp { address: "192.0.2.8:631".parse().unwrap(), path: "/ipp/print".into() };
    port(kind, Bus::Network, "", product)
}

fn usb_printer(manufacturer: &str, product: &str, languages: &str) -> PortInfo {
    let kind = PortKind::UsbPrinter { path: "/dev/usb/lp0".into(), languages: languages.to_owned() };
    port(kind, Bus::Usb, manufacturer, product)
}

/// A HID device whose one top-level collection has this usage.
fn hid(manufacturer: &str, product: &str, page: u8, usage: u8) -> PortInfo {
    let descriptor = vec![0x05, page, 0x09, usage, 0xa1, 0x01, 0xc0];
    port(PortKind::Hid { path: "/dev/hidraw0".into(), descriptor }, Bus::Usb, manufacturer, product)
}

fn terminal(speaks: Speaks) -> PortInfo {
    let link = Link::Connect { host: "192.0.2.8".to_owned(), port: 20007 };
    port(PortKind::Terminal(Box::new(Setup { speaks, link })), Bus::Network, "", "")
}

fn nexo() -> Speaks {
    let (sale_id, poi_id) = ("till-1".to_owned(), "P400-1".to_owned());
    Speaks::Nexo(nexo::Settings { format: nexo::Format::Json, sale_id, poi_id })
}

fn external() -> Speaks {
    let program = "/usr/lib/iot-box/terminal".into();
    Speaks::External(external::Settings { program, currency: Currency::EUR, options: Vec::new() })
}

/// Ports as real devices describe themselves, and who should get them.
fn fixtures() -> Vec<(PortInfo, Option<&'static str>)> {
    let (scale, serial_scanner, scanner, keyboard, printer, usb) = (
        Some("scale.toledo_8217"),
        Some("scanner.serial"),
        Some("scanner.evdev"),
        Some("keyboard.evdev"),
        Some("printer.escpos_tcp"),
        Some("printer.escpos_usb"),
    );
    vec![
        (usb_serial("Mettler-Toledo", "Ariva-S"), scale),
        (usb_serial("METTLER TOLEDO", "USB Scale"), scale),
        (usb_serial("Mettler-Toledo", ""), scale),
        (usb_serial("Datalogic", "QuickScan QD2500"), serial_scanner),
        (usb_serial("Datalogic ADC, Inc.", "Handheld Barcode Scanner"), serial_scanner),
        (usb_serial("Honeywell Scanning & Mobility", "Xenon 1900"), serial_scanner),
        (usb_serial("Symbol Technologies, Inc, 2008", "Symbol Bar Code Scanner"), serial_scanner),
        (usb_serial("Newland", "NLS-HR22"), serial_scanner),
        (usb_serial("Zebra Technologies", "DS2208"), serial_scanner),
        (usb_serial("SM SM-2D PRODUCT USB UART", "Barcode Reader"), serial_scanner),
        // A bare adapter or a port of the machine may hold anything: a person has to say what.
        (usb_serial("Prolific Technology Inc.", "USB-Serial Controller"), None),
        (usb_serial("FTDI", "FT232R USB UART"), None),
        (usb_serial("", ""), None),
        (serial(Bus::Serial, "", ""), None),
        (serial(Bus::Bluetooth, "", ""), None),
        (evdev("Datalogic", "Datalogic ADC, Inc. Handheld Barcode Scanner"), scanner),
        (evdev("", "WCM HIDKeyBoard Barcode Reader"), scanner),
        (evdev("Honeywell Imaging & Mobility", "Honeywell Imaging & Mobility 1900"), scanner),
        (evdev("Logitech", "Logitech USB Keyboard"), keyboard),
        (evdev("PCsensor", "PCsensor FootSwitch Keyboard"), keyboard),
        (evdev("", ""), keyboard),
        (usb_serial("Sylvac SA", "USB PROXIMITY"), Some("gauge.sylvac")),
        (usb_serial("Mitutoyo", "USB-VCP"), Some("gauge.mitutoyo")),
        (evdev("Mitutoyo", "USB-ITN"), Some("gauge.keyboard")),
        (hid("DYMO", "DYMO M10 10 lb USB Postal Scale", 0x8d, 0x20), Some("scale.hid")),
        (hid("Mettler-Toledo", "PS60", 0x8d, 0x20), Some("scale.hid")),
        (hid("Honeywell", "Voyager 1450", 0x8c, 0x02), Some("scanner.hid_pos")),
        (tcp("", ""), printer),
        (tcp("EPSON", "TM-T88V"), printer),
        (tcp("EPSON", "EPSON TM-m30II"), printer),
        (tcp("BIXOLON", "SRP-350III"), printer),
        // Office printers answer on port 9100 too, and would print pages of control characters.
        (tcp("HP", "HP LaserJet Pro M404dn"), None),
        (tcp("EPSON", "EPSON WF-C5790 Series"), None),
        (tcp("Brother", "Brother HL-L2350DW series"), None),
        (usb_printer("EPSON", "TM-T20II", "ESC/POS"), usb),
        (usb_printer("EPSON", "TM-T88V", ""), usb),
        (usb_printer("POSPrinter", "POS80", "EPSON"), usb),
        (usb_printer("STMicroelectronics", "POS58 Printer USB", "ESC"), usb),
        (usb_printer("Acme", "Slip 1", "XPP, esc/pos"), usb),
        (usb_printer("Star", "TSP143 (STR_T-001)", "STAR"), Some("printer.star")),
        (tcp("Star Micronics", "mC-Print3 (MCP31L)"), Some("printer.star")),
        (usb_printer("Zebra Technologies", "ZTC GK420d", "ZPL"), Some("printer.zpl")),
        (tcp("Zebra Technologies", "ZTC ZD420-300dpi ZPL"), Some("printer.zpl")),
        (usb_printer("Zebra Technologies", "ZTC GC420d (EPL)", "EPL"), Some("printer.epl")),
        (usb_printer("TSC", "TE200", "TSPL2"), Some("printer.tspl")),
        (usb_printer("DYMO", "LabelWriter 450", " "), Some("printer.dymo")),
        (usb_printer("DYMO", "LabelWriter 450 DUO Label", " "), Some("printer.dymo")),
        (usb_printer("DYMO", "LabelWriter 450 DUO Tape", " "), Some("printer.dymo_tape")),
        // Office and label printers are of the same USB class.
        (usb_printer("EPSON", "XP-2200 Series", "ESCPL2,BDC,D4,D4PX,ESCPR1"), None),
        (usb_printer("Hewlett-Packard", "HP LaserJet 1020", "ACL"), None),
        (usb_printer("HP", "HP LaserJet Pro M404dn", "PCL,PJL,POSTSCRIPT"), None),
        (usb_printer("", "", ""), None),
        // Terminals are what a person says they are.
        (terminal(Speaks::Zvt(zvt::Settings::default())), Some("payment.zvt")),
        (terminal(nexo()), Some("payment.nexo")),
        (terminal(external()), Some("payment.external")),
        (ipp("HP LaserJet Pro M404dn"), Some("printer.ipp")),
        (ipp(""), Some("printer.ipp")),
    ]
}

#[test]
fn names_are_unique_and_say_class_and_protocol() {
    let mut seen = HashSet::new();
    for driver in registry::drivers() {
        let name = driver.name();
        assert!(seen.insert(name), "{name} is there twice");
        let (class, protocol) = name.split_once('.').expect("class, dot, protocol");
        let expected = match driver.class() {
            Class::Printer => "printer",
            Class::Scanner => "scanner",
            Class::Scale => "scale",
            Class::Keyboard => "keyboard",
            Class::Gauge => "gauge",
            Class::Payment => "payment",
        };
        assert_eq!(class, expected, "{name}");
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(!protocol.is_empty() && protocol.chars().all(plain), "{name}");
    }
}

#[test]
fn every_fixture_goes_to_its_driver() {
    for (port, expected) in fixtures() {
        let best = registry::best(&port).map(|(driver, _)| driver.name());
        assert_eq!(best, expected, "{} / {} on {:?}", port.manufacturer, port.product, port.kind);
    }
}

#[test]
fn no_two_drivers_claim_a_port_with_the_same_score() {
    let makers = ["", "Mettler-Toledo", "Datalogic", "EPSON", "Zebra barcode"];
    let products = ["", "scanner", "TM-T20 receipt", "Mettler scale with scanner"];
    let mixed = makers.iter().flat_map(|maker| {
        products.iter().flat_map(move |product| {
            [
                usb_serial(maker, product),
                serial(Bus::Serial, maker, product),
                evdev(maker, product),
                tcp(maker, product),
                usb_printer(maker, product, "ESC/POS"),
            ]
        })
    });
    for port in fixtures().into_iter().map(|(port, _)| port).chain(mixed) {
        let mut seen: Vec<(Score, &str)> = Vec::new();
        for driver in registry::drivers() {
            let Some(score) = driver.claims(&port) else { continue };
            if let Some((_, other)) = seen.iter().find(|(s, _)| *s == score) {
                panic!("{} and {other} both claim {port:?} with {score:?}", driver.name());
            }
            seen.push((score, driver.name()));
        }
    }
}

#[test]
fn claims_depend_on_nothing_but_the_port() {
    for (port, _) in fixtures() {
        for driver in registry::drivers() {
            let first = driver.claims(&port);
            assert_eq!(driver.claims(&port.clone()), first, "{}", driver.name());
        }
    }
}

#[test]
fn the_driver_that_a_person_chose_wins_where_it_can_work_and_is_ignored_where_it_cannot() {
    for (port, automatic) in fixtures() {
        for driver in registry::drivers() {
            let assigned = PortInfo { assigned: Some(driver.name().to_owned()), ..port.clone() };
            match driver.claims(&assigned) {
                Some(Score::Assigned) => {
                    assert_eq!(registry::best(&assigned).unwrap().0.name(), driver.name());
                }
                _ => assert_eq!(registry::best(&assigned).map(|(d, _)| d.name()), automatic),
            }
        }
        let unknown = PortInfo { assigned: Some("scale.gone".to_owned()), ..port.clone() };
        assert_eq!(registry::best(&unknown).map(|(d, _)| d.name()), automatic);
    }
}

#[test]
fn every_driver_can_be_assigned_to_some_port() {
    for driver in registry::drivers() {
        let found = fixtures().into_iter().any(|(port, _)| {
            let assigned = PortInfo { assigned: Some(driver.name().to_owned()), ..port };
            driver.claims(&assigned) == Some(Score::Assigned)
        });
        assert!(found, "{}", driver.name());
    }
}
