//! Encoding of a text receipt; `tests/bench/python_escpos.py` does the same receipt with python-escpos.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use drivers::printer::{
    Align, Block, Document,
    escpos::{Profile, encode},
};

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

fn escpos(c: &mut Criterion) {
    let receipt = receipt();
    let mut group = c.benchmark_group("escpos");
    group.throughput(Throughput::Elements(1));
    group.bench_function("text_receipt", |b| b.iter(|| encode(&receipt, &Profile::TM_T88).unwrap()));
    group.finish();
}

criterion_group!(benches, escpos);
criterion_main!(benches);
