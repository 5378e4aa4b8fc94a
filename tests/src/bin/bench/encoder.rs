//! Encoding of a text receipt, beside python-escpos 3.1 on the same receipt (`tests/bench/python_escpos.py`).

use std::{
    ffi::OsStr,
    hint::black_box,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use drivers::printer::{
    Align, Block, Document,
    escpos::{Profile, encode},
};

use crate::{Figure, count, report};

fn text(text: &str, align: Align, strong: bool) -> Block {
    Block::Text { text: text.to_owned(), align, bold: strong, large: strong }
}

/// 30 lines, a barcode, a QR code, a cut.
fn receipt() -> Document {
    let mut blocks = vec![
        text("The Corner Shop", Align::Center, true),
        text("12 Market Street, Springfield", Align::Center, false),
        Block::Rule,
    ];
    for n in 0..24 {
        let price = format!("{:.2}", 1.25 * f64::from(n + 1));
        blocks.push(Block::Columns { left: format!("Article number {n}"), right: price, bold: false });
    }
    blocks.extend([
        Block::Rule,
        Block::Columns { left: "TOTAL".to_owned(), right: "375.00".to_owned(), bold: true },
        text("You were served by Ren\u{e9}e", Align::Center, false),
        Block::Barcode("4006381333931".to_owned()),
        Block::Qr("https://example.com/receipt/0042".to_owned()),
    ]);
    Document { blocks, cut: true, open_drawer: false }
}

pub(crate) fn run() -> Result<()> {
    let receipt = receipt();
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < Duration::from_secs(2) {
        for _ in 0..100 {
            black_box(encode(black_box(&receipt), &Profile::TM_T88)?);
        }
        done += 100;
    }
    let value = count(done) / began.elapsed().as_secs_f64();
    let peer = python()?;
    let goal = Some((">=", 30.0 * peer));
    let peer = Some(("python-escpos-3.1", peer));
    report(&Figure { name: "escpos_text_receipt", value, unit: "receipts/s", goal, peer });
    raster()
}

/// A picture as tills send their receipts: 512 x 1600 dots, JPEG, decoded, dithered and made `GS v 0`.
fn raster() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("receipt.jpg");
    let peer = python_script("python_escpos_raster.py", &[path.as_os_str()])?;
    let document = Document { blocks: vec![Block::Image(std::fs::read(&path)?)], cut: true, open_drawer: false };
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        black_box(encode(black_box(&document), &Profile::TM_T88)?);
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let value = crate::percentile(&mut times, 50);
    let goal = Some(("<=", (peer / 8.0).min(3.0)));
    report(&Figure {
        name: "escpos_raster_512x1600",
        value,
        unit: "ms",
        goal,
        peer: Some(("python-escpos-3.1", peer)),
    });
    Ok(())
}

/// Receipts a second of the peer.
fn python() -> Result<f64> {
    python_script("python_escpos.py", &[])
}

/// What a script in `tests/bench` prints, in the environment that `tests/install-tools.sh bench` makes.
fn python_script(name: &str, args: &[&OsStr]) -> Result<f64> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("no home folder")?;
    let script = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/bench")).join(name);
    let python = cache.join("iot-erp/python/bin/python");
    let out = Command::new(&python)
        .arg(script)
        .args(args)
        .output()
        .with_context(|| format!("running {}", python.display()))?;
    anyhow::ensure!(out.status.success(), "the peer failed: {}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8_lossy(&out.stdout).trim().parse()?)
}
