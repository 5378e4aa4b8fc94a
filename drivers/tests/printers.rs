//! Printers as they describe themselves, and what they are taken for.

#![allow(clippy::unwrap_used)] // helpers of tests

use drivers::{
    Access, Bus, PortId, PortInfo, PortKind,
    printer::{Language, Raster, models},
    registry,
};

/// `MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;` over USB, or TXT records of mDNS in the same form, as the port that discovery
/// makes of it.
fn port(described: &str) -> PortInfo {
    let (place, fields) = described.split_once(' ').unwrap();
    let field = |keys: &[&str]| {
        let mut fields = fields.split(';').filter_map(|field| field.split_once(':'));
        fields.find(|(key, _)| keys.contains(&key.trim())).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let network = place == "net";
    let usb = (!network).then(|| {
        let (vendor, product) = place.split('/').next().unwrap().split_once(':').unwrap();
        (u16::from_str_radix(vendor, 16).unwrap(), u16::from_str_radix(product, 16).unwrap())
    });
    let interface = place.split_once('/').map_or("00", |(_, interface)| interface);
    let kind = if network {
        PortKind::Tcp { address: "192.0.2.9:9100".parse().unwrap() }
    } else {
        PortKind::UsbPrinter { path: "/dev/usb/lp0".into(), languages: field(&["CMD", "COMMAND SET"]) }
    };
    PortInfo {
        id: PortId(if network { "net-x".into() } else { format!("usb-{}-1-if{interface}", place) }),
        kind,
        bus: if network { Bus::Network } else { Bus::Usb },
        usb,
        manufacturer: field(&["MFG", "MANUFACTURER"]),
        product: field(&["MDL", "MODEL", "ty"]),
        serial_number: String::new(),
        access: Access::Ok,
        assigned: None,
        settings: Default::default(),
    }
}

/// What it says; the driver; the dots across; whether it takes pictures by `ESC *`. Sources: device ids in bug reports
/// of CUPS and of drivers, makers' manuals ("1284 device id"), and mDNS records (`usb_MFG`, `usb_MDL`, `ty`).
const PRINTERS: &[(&str, &str, u16, bool)] = &[
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;DES:EPSON TM-T88V;", "printer.escpos_usb", 512, false),
    (
        "04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V-JPN;CLS:PRINTER;DES:EPSON TM-T88V;",
        "printer.escpos_usb",
        512,
        false,
    ),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-T88IV;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-T88VI;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-T88VII;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-T70;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-T70II;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("04b8:0e03 MFG:EPSON;CMD:ESC/POS;MDL:TM-T20;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("04b8:0e15 MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;DES:EPSON TM-T20II;", "printer.escpos_usb", 576, false),
    (
        "04b8:0e28 MFG:EPSON;CMD:ESC/POS;MDL:TM-T20III;CLS:PRINTER;DES:EPSON TM-T20III;",
        "printer.escpos_usb",
        576,
        false,
    ),
    ("04b8:0e11 MFG:EPSON;CMD:ESC/POS;MDL:TM-T82II;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("04b8:0e27 MFG:EPSON;CMD:ESC/POS;MDL:TM-T82X;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("04b8:0e1f MFG:EPSON;CMD:ESC/POS;MDL:TM-m30;CLS:PRINTER;DES:EPSON TM-m30;", "printer.escpos_usb", 576, false),
    ("04b8:0e2a MFG:EPSON;CMD:ESC/POS;MDL:TM-m30II;CLS:PRINTER;DES:EPSON TM-m30II;", "printer.escpos_usb", 576, false),
    ("04b8:0e2e MFG:EPSON;CMD:ESC/POS;MDL:TM-m30III;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("04b8:0e20 MFG:EPSON;CMD:ESC/POS;MDL:TM-m10;CLS:PRINTER;", "printer.escpos_usb", 420, false),
    ("04b8:0e33 MFG:EPSON;CMD:ESC/POS;MDL:TM-m50;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-U220;CLS:PRINTER;DES:EPSON TM-U220;", "printer.escpos_usb", 400, true),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-U230;CLS:PRINTER;", "printer.escpos_usb", 400, true),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-L90;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("04b8:0202 MFG:EPSON;CMD:ESC/POS;MDL:TM-H6000IV;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("04b8:0e10 MFG:EPSON;CMD:ESC/POS;MDL:TM-P60II;CLS:PRINTER;", "printer.escpos_usb", 432, true),
    ("04b8:0e14 MFG:EPSON;CMD:ESC/POS;MDL:TM-P20;CLS:PRINTER;", "printer.escpos_usb", 384, false),
    ("04b8:0e1a MFG:EPSON;CMD:ESC/POS;MDL:TM-P80;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("net MFG:EPSON;MDL:TM-T88V;ty:EPSON TM-T88V;", "printer.escpos_tcp", 512, false),
    ("net MFG:EPSON;MDL:TM-m30II;ty:EPSON TM-m30II;", "printer.escpos_tcp", 576, false),
    ("net ty:EPSON TM-T20III;", "printer.escpos_tcp", 576, false),
    ("net ty:EPSON TM-U220;", "printer.escpos_tcp", 400, true),
    ("1504:0006 MFG:BIXOLON;CMD:ESC/POS;MDL:SRP-350III;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("1504:0011 MFG:BIXOLON;CMD:ESC;MDL:SRP-350plusIII;CLS:PRINTER;", "printer.escpos_usb", 512, false),
    ("1504:0025 MFG:BIXOLON;CMD:ESC/POS;MDL:SRP-330II;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("net MFG:BIXOLON;MDL:SRP-275III;", "printer.escpos_tcp", 400, true),
    ("1d90:2060 MFG:CITIZEN;CMD:ESC/POS;MDL:CT-S310II;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("1d90:2068 MFG:CITIZEN;CMD:;MDL:CT-E351;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("1d90:2015 MFG:CITIZEN;CMD:;MDL:CT-S281;CLS:PRINTER;", "printer.escpos_usb", 384, false),
    ("0dd4:015d MFG:CUSTOM;CMD:;MDL:VKP80II;CLS:PRINTER;", "printer.escpos_usb", 640, false),
    ("0dd4:023b MFG:CUSTOM SPA;CMD:;MDL:KUBE II;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("154f:154f MFG:SNBC;CMD:;MDL:BTP-R880NPIII;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("0fe6:811e MFG:Rongta;CMD:ESC;MDL:RP80;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("0483:5743 MFG:Xprinter;CMD:ESC/POS;MDL:XP-58;CLS:PRINTER;", "printer.escpos_usb", 384, false),
    ("0483:070b MFG:Xprinter;CMD:ESC;MDL:XP-80C;CLS:PRINTER;", "printer.escpos_usb", 576, false),
    ("0416:5011 MFG:STMicroelectronics;CMD:ESC;MDL:POS58 Printer USB;CLS:PRINTER;", "printer.escpos_usb", 384, false),
    ("0416:5011 MFG:;CMD:;MDL:USB Printing Support;", "printer.escpos_usb", 384, false),
    ("0416:5011 MFG:POSPrinter;CMD:EPSON;MDL:POS80;", "printer.escpos_usb", 576, false),
    ("0519:0003 MFG:Star;CMD:STAR;MDL:TSP143 (STR_T-001);CLS:PRINTER;", "printer.star", 576, false),
    ("0519:0001 MFG:Star;CMD:STAR;MDL:TSP600 (STR_T-U001);CLS:PRINTER;", "printer.star", 576, false),
    ("0519:0001 MFG:Star;CMD:STAR;MDL:TSP654 (STR_T-001);CLS:PRINTER;", "printer.star", 576, false),
    ("0519:0001 MFG:Star;CMD:STAR;MDL:TSP743II (STR_T-001);CLS:PRINTER;", "printer.star", 576, false),
    ("0519:0001 MFG:Star;CMD:STAR;MDL:TSP847II (STR_T-001);CLS:PRINTER;", "printer.star", 832, false),
    ("0519:0017 MFG:Star;CMD:STAR;MDL:POP10;CLS:PRINTER;", "printer.star", 384, false),
    ("0519:0047 MFG:Star;CMD:STAR;MDL:MCP31L (STR-001);CLS:PRINTER;", "printer.star", 576, false),
    ("0519:0001 MFG:Star;CMD:STAR;MDL:SP742 (STR-001);CLS:PRINTER;", "printer.star", 210, false),
    ("net MFG:Star;MDL:TSP143IV;ty:Star TSP143IV;", "printer.star", 576, false),
    ("net MFG:Star;MDL:MCP21;", "printer.star", 384, false),
    (
        "0a5f:0080 MANUFACTURER:Zebra Technologies ;COMMAND SET:ZPL;MODEL:ZTC GK420d;CLASS:PRINTER;OPTIONS:XML;",
        "printer.zpl",
        832,
        false,
    ),
    (
        "0a5f:0090 MANUFACTURER:Zebra Technologies ;COMMAND SET:ZPL;MODEL:ZTC GX430t;CLASS:PRINTER;",
        "printer.zpl",
        1248,
        false,
    ),
    (
        "0a5f:0166 MANUFACTURER:Zebra Technologies ;COMMAND SET:ZPL;MODEL:ZTC ZD220-203dpi ZPL;",
        "printer.zpl",
        832,
        false,
    ),
    (
        "0a5f:0120 MANUFACTURER:Zebra Technologies ;COMMAND SET:ZPL;MODEL:ZTC ZD420-300dpi ZPL;",
        "printer.zpl",
        1248,
        false,
    ),
    (
        "0a5f:0164 SERN:99J204300180;MANUFACTURER:Zebra Technologies ;COMMAND SET:ZPL;MODEL:ZTC ZT411-300dpi ZPL;",
        "printer.zpl",
        1248,
        false,
    ),
    (
        "0a5f:00d3 MANUFACTURER:Zebra Technologies ;COMMAND SET:ZPL;MODEL:ZTC ZT220-200dpi ZPL;OPTIONS:XML;",
        "printer.zpl",
        832,
        false,
    ),
    (
        "0a5f:0061 MANUFACTURER:Zebra Technologies;COMMAND SET:ZPL;MODEL:ZTC 140XiII-600dpi;CLASS:PRINTER;",
        "printer.zpl",
        3072,
        false,
    ),
    (
        "0a5f:0084 MANUFACTURER:Zebra Technologies ;COMMAND SET:EPL;MODEL:ZTC GC420d (EPL);CLASS:PRINTER;",
        "printer.epl",
        832,
        false,
    ),
    ("0a5f:0009 MANUFACTURER:Zebra ;COMMAND SET:EPL;MODEL:LP2844;CLASS:PRINTER;", "printer.epl", 832, false),
    ("0a5f:000a MANUFACTURER:Eltron;COMMAND SET:EPL;MODEL:TLP2844;CLASS:PRINTER;", "printer.epl", 832, false),
    ("0a5f:000b MANUFACTURER:Zebra;COMMAND SET:ZPL;MODEL:LP2844-Z;CLASS:PRINTER;", "printer.zpl", 832, false),
    ("net MFG:Zebra Technologies;MDL:ZTC ZD621-203dpi ZPL;", "printer.zpl", 832, false),
    ("net ty:Zebra ZT410-300dpi;", "printer.zpl", 1248, false),
    ("1203:0231 MFG:TSC;CMD:TSPL2;MDL:TTP-244 Pro;CLS:PRINTER;", "printer.tspl", 832, false),
    ("1203:0272 MFG:TSC;CMD:TSPL2;MDL:TE200;CLS:PRINTER;", "printer.tspl", 832, false),
    ("1203:0273 MFG:TSC;CMD:;MDL:TE300;CLS:PRINTER;", "printer.tspl", 1248, false),
    ("1203:0261 MFG:TSC;CMD:;MDL:TDP-225;CLS:PRINTER;", "printer.tspl", 448, false),
    ("2d37:83d7 MFG:Xprinter;CMD:TSPL;MDL:XP-420B;CLS:PRINTER;", "printer.tspl", 832, false),
    ("2d37:62de MFG:Xprinter;CMD:TSPL;MDL:XP-365B;CLS:PRINTER;", "printer.tspl", 576, false),
    (
        "0922:0020 MFG:DYMO;CMD: ;MDL:LabelWriter 450;CLASS:PRINTER;DESCRIPTION:DYMO LabelWriter 450;SERN:01010112345600;",
        "printer.dymo",
        672,
        false,
    ),
    (
        "0922:0021 MFG:DYMO;CMD: ;MDL:LabelWriter 450 Turbo;CLASS:PRINTER;DESCRIPTION:DYMO LabelWriter 450 Turbo;",
        "printer.dymo",
        672,
        false,
    ),
    ("0922:0022 MFG:DYMO;CMD: ;MDL:LabelWriter 450 Twin Turbo;CLASS:PRINTER;", "printer.dymo", 672, false),
    ("0922:0023/00 MFG:DYMO;CMD: ;MDL:LabelWriter 450 DUO Label;CLASS:PRINTER;", "printer.dymo", 672, false),
    ("0922:0023/01 MFG:DYMO;CMD: ;MDL:LabelWriter 450 DUO Tape;CLASS:PRINTER;", "printer.dymo_tape", 128, false),
    ("0922:0023/00 MFG:DYMO;CMD: ;MDL:;", "printer.dymo", 672, false),
    ("0922:0023/01 MFG:DYMO;CMD: ;MDL:;", "printer.dymo_tape", 128, false),
    ("0922:0017/01 MFG:DYMO;CMD: ;MDL:LabelWriter DUO Tape 128;CLASS:PRINTER;", "printer.dymo_tape", 128, false),
    ("0922:001f MFG:DYMO;CMD: ;MDL:LabelWriter 4XL;CLASS:PRINTER;", "printer.dymo", 1248, false),
    ("0922:0019 MFG:DYMO;CMD: ;MDL:LabelWriter 400;CLASS:PRINTER;", "printer.dymo", 672, false),
];

/// Of the same USB class and on the same port 9100, and nothing for receipts or labels.
const OTHERS: &[&str] = &[
    "03f0:2b17 MFG:Hewlett-Packard;CMD:ACL;MDL:HP LaserJet 1020;CLS:PRINTER;",
    "03f0:0912 MFG:Hewlett-Packard;CMD:PJL,PML,PCLXL,POSTSCRIPT,PCL;MDL:HP LaserJet Pro M404dn;",
    "04b8:1142 MFG:EPSON;CMD:ESCPL2,BDC,D4,D4PX,ESCPR1;MDL:XP-2200 Series;CLS:PRINTER;",
    "04b8:0883 MFG:EPSON;CMD:ESCPL2,BDC;MDL:WF-C5790 Series;",
    "04f9:0279 MFG:Brother;CMD:PJL,HBP;MDL:HL-L2350DW series;CLS:PRINTER;",
    "04f9:2042 MFG:Brother;CMD:PT-CBP;MDL:QL-700;CLS:PRINTER;",
    "04a9:1794 MFG:Canon;CMD:BJL,BJRaster3,BSCCe;MDL:TS5300 series;",
    "0482:06b8 MFG:Kyocera;CMD:PCLXL,PostScript Emulation,PCL5E,PJL;MDL:ECOSYS P2040dn;",
    "net MFG:HP;MDL:HP LaserJet Pro M404dn;",
    "net MFG:Brother;MDL:Brother HL-L2350DW series;",
    "net MFG:EPSON;MDL:EPSON WF-C5790 Series;",
    "net ty:Canon MF240 Series;",
];

#[test]
fn printers_are_known_by_what_they_say() {
    assert!(PRINTERS.len() >= 60, "{} printers", PRINTERS.len());
    let mut missed = Vec::new();
    for (described, driver, dots, column) in PRINTERS {
        let port = port(described);
        let best = registry::best(&port).map(|(driver, _)| driver.name());
        let profile = models::identify(&port).map(|found| found.profile());
        let found = profile.map(|profile| (profile.dots, matches!(profile.raster, Raster::Column(_))));
        // Nothing, or only the language, is a miss; another driver or another printer is a wrong pick.
        assert!(best.is_none() || best == Some(driver), "wrong pick: {described} goes to {best:?}");
        if best != Some(driver) || found != Some((*dots, *column)) {
            missed.push(format!("{described}: {best:?} {found:?}"));
        }
    }
    assert!(missed.len() * 100 <= PRINTERS.len(), "{missed:#?}");
    for described in OTHERS {
        let port = port(described);
        assert_eq!(registry::best(&port).map(|(driver, _)| driver.name()), None, "{described}");
    }
}

#[test]
fn the_table_is_whole() {
    let lines = include_str!("../src/printer/models.txt").lines();
    let rows = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty()).count();
    assert_eq!(models::models().len(), rows, "a line of models.txt cannot be read");
    for model in models::models() {
        let profile = model.profile;
        assert!((90..=4000).contains(&profile.dots) && (80..=600).contains(&profile.dpi), "{model:?}");
        assert!(usize::from(profile.columns) * 8 <= usize::from(profile.dots) + 160, "{model:?}");
    }
    assert!(models::choices(Language::EscPos).contains(&"Epson TM-U220".to_owned()));
    assert!(models::choices(Language::Dymo).contains(&"DYMO LabelWriter 450 DUO Label".to_owned()));
}
