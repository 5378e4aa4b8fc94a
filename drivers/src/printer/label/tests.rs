//! Labels as pictures, pictures as bytes, and transcripts of what label printers say.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::{
    device::{Command, CommandId, Condition, Fault, Outcome, Reason, Value},
    printer::{
        Align, Block, Certainty, Command as PrinterCommand, Document, Profile,
        bitmap::Bitmap,
        canvas,
        profile::Language,
        star::Star,
        stream::{Dialect, Protocol},
    },
    runner::{Action, Input, Protocol as _},
};

fn text(text: &str, align: Align, bold: bool, large: bool) -> Block {
    Block::Text { text: text.into(), align, bold, large }
}

fn label() -> Document {
    Document {
        blocks: vec![
            text("Café Größe", Align::Center, true, true),
            text("Left, and a line that is too long for the label, so that it wraps.", Align::Left, false, false),
            text("right", Align::Right, false, false),
            Block::Columns { left: "Net weight".into(), right: "1.234 kg".into(), bold: false },
            Block::Rule,
            Block::Barcode("4006381333931".into()),
            Block::Qr("https://example.com/42".into()),
            Block::Image(png(128, 24)),
        ],
        cut: true,
        open_drawer: false,
    }
}

/// From black to white.
fn png(width: u32, height: u32) -> Vec<u8> {
    use image::ImageEncoder;
    let pixels: Vec<u8> = (0..height).flat_map(|_| (0..width).map(move |x| (x * 255 / width) as u8)).collect();
    let mut out = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut out);
    encoder.write_image(&pixels, width, height, image::ExtendedColorType::L8).unwrap();
    out
}

/// Compares dot for dot with `tests/golden/<name>.png`; `UPDATE_GOLDEN=1` writes it.
fn assert_golden(name: &str, dots: &Bitmap) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let shown = image::GrayImage::from_fn(dots.width, dots.height, |x, y| {
            image::Luma([if dots.is_black(x, y) { 0 } else { 255 }])
        });
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        shown.save(&path).unwrap();
    }
    let golden = image::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).into_luma8();
    assert_eq!(golden.dimensions(), (dots.width, dots.height), "{name}");
    let differ = |(x, y): &(u32, u32)| (golden.get_pixel(*x, *y).0[0] < 128) != dots.is_black(*x, *y);
    let first = (0..dots.height).flat_map(|y| (0..dots.width).map(move |x| (x, y))).find(differ);
    assert_eq!(first, None, "{name} differs there");
}

#[test]
fn a_label_looks_like_its_golden_picture_at_either_density() {
    let narrow = Profile { dots: 400, ..Profile::generic(Language::Zpl) };
    assert_golden("label-203dpi", &canvas::draw(&label(), &narrow).unwrap());
    let fine = Profile { dots: 672, ..Profile::generic(Language::Dymo) };
    assert_golden("label-300dpi", &canvas::draw(&label(), &fine).unwrap());
    let tape = Document { blocks: vec![text("Shelf 7", Align::Left, true, true)], cut: true, open_drawer: false };
    assert_golden("tape", &canvas::draw_tape(&tape, &Profile::generic(Language::DymoTape)).unwrap());
}

#[test]
fn a_label_is_as_long_as_it_was_set() {
    let profile = Profile { label_dots: 240, ..Profile::generic(Language::Tspl) };
    assert_eq!(canvas::draw(&label(), &profile).unwrap().height, 240);
    let bytes = String::from_utf8_lossy(&Tspl::DOCUMENT(&label(), &profile).unwrap()).into_owned();
    assert!(bytes.contains("SIZE 832 dot,240 dot\r\nGAP 3 mm,0 mm\r\n"), "{}", &bytes[..80]);
}

/// The manual's compression, read by its definition.
fn decompress(text: &str, row_digits: usize) -> Vec<u8> {
    let mut digits: Vec<u8> = Vec::new();
    let mut count = 0;
    for c in text.chars() {
        match c {
            'G'..='Y' => count += c as usize - 'F' as usize,
            'g'..='z' => count += (c as usize - 'f' as usize) * 20,
            // At the beginning of a row all of it is white.
            ',' => digits.resize((digits.len() + 1).next_multiple_of(row_digits), 0),
            ':' => digits.extend_from_within(digits.len() - row_digits..),
            c => {
                let digit = c.to_digit(16).unwrap() as u8;
                digits.extend(std::iter::repeat_n(digit, count.max(1)));
                count = 0;
            }
        }
    }
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn every_language_carries_the_same_dots() {
    let profile = Profile { dots: 400, ..Profile::generic(Language::Zpl) };
    let dots = canvas::draw(&label(), &profile).unwrap();
    let zpl = String::from_utf8(Zpl::DOCUMENT(&label(), &profile).unwrap()).unwrap();
    let total = dots.rows.len();
    let graphic = zpl.strip_prefix(&format!("^XA^PW400^LH0,0^FO0,0^GFA,{total},{total},50,")).unwrap();
    assert_eq!(decompress(graphic.strip_suffix("^FS^PQ1^XZ\r\n").unwrap(), 100), dots.rows);
    let inverted: Vec<u8> = dots.rows.iter().map(|b| !b).collect();
    let holds = |bytes: &[u8], head: &str, tail: &str| {
        let at = bytes.windows(head.len()).position(|w| w == head.as_bytes()).unwrap() + head.len();
        assert_eq!(bytes[at..at + total], inverted);
        assert_eq!(&bytes[at + total..], tail.as_bytes());
    };
    let height = dots.height;
    holds(&Epl::DOCUMENT(&label(), &profile).unwrap(), &format!("GW0,0,50,{height},"), "\r\nP1\r\n");
    holds(&Tspl::DOCUMENT(&label(), &profile).unwrap(), &format!("BITMAP 0,0,50,{height},0,"), "\r\nPRINT 1,1\r\n");
}

proptest! {
    #[test]
    fn any_picture_survives_zpls_compression(rows in prop::collection::vec(any::<u8>(), 1..400), wide in 1usize..60, flat in any::<bool>()) {
        let mut rows = rows;
        if flat {
            // Long runs, which noise does not have.
            rows.iter_mut().for_each(|byte| *byte = if *byte < 200 { 0 } else { 0xff });
        }
        let height = rows.len().div_ceil(wide);
        rows.resize(height * wide, 0);
        let mut text = String::new();
        zpl::compress(&Bitmap { width: wide as u32 * 8, height: height as u32, rows: rows.clone() }, &mut text);
        prop_assert_eq!(decompress(&text, wide * 2), rows);
    }
}

#[test]
fn dymo_rows_are_dots_or_feeds() {
    let blocks = vec![text("A", Align::Left, false, false), Block::Feed(20), text("B", Align::Left, false, false)];
    let document = Document { blocks, cut: true, open_drawer: false };
    let profile = Profile { dots: 16, ..Profile::generic(Language::Dymo) };
    let bytes = Dymo::DOCUMENT(&document, &profile).unwrap();
    assert!(bytes.starts_with(b"\x1b@\x1bB\0\x1bD\x02\x1bh\x1be\x1bL\xff\xff\x1bf\x01"), "{bytes:02x?}");
    assert!(bytes.ends_with(b"\x1bE"));
    let (mut at, mut rows) = (16, 0);
    while at < bytes.len() - 2 {
        if bytes[at] == 0x16 {
            rows += 1;
            at += 3;
        } else {
            assert_eq!(&bytes[at..at + 3], b"\x1bf\x01", "at {at}");
            rows += u32::from(bytes[at + 3]);
            at += 4;
        }
    }
    assert_eq!(rows, 8 + 32 * 22, "the edge, 20 empty lines and two of text");
}

/// Drives a protocol with a clock of its own.
struct Bench<D> {
    protocol: Protocol<D>,
    now: Instant,
    wake: Option<Instant>,
    written: Vec<u8>,
    replies: Vec<Outcome>,
    events: Vec<crate::DeviceEvent>,
    condition: Condition,
}

impl<D: Dialect> Bench<D> {
    fn new(dialect: D, language: Language) -> Self {
        let profile = Profile { dots: 64, ..Profile::generic(language) };
        let mut bench = Self {
            protocol: Protocol::new(dialect, profile, profile, String::new()),
            now: Instant::now(),
            wake: None,
            written: Vec::new(),
            replies: Vec::new(),
            events: Vec::new(),
            condition: Condition::Connecting,
        };
        bench.step(Input::Started);
        bench
    }

    fn step(&mut self, input: Input<'_>) -> bool {
        let mut out = Vec::new();
        let ok = self.protocol.step(self.now, input, &mut out).is_ok();
        let mut wrote = false;
        for action in out {
            match action {
                Action::Write(bytes) => {
                    self.written.extend(bytes);
                    wrote = true;
                }
                Action::Reply(_, outcome) => self.replies.push(outcome),
                Action::Emit(event) => self.events.push(event),
                Action::Condition(condition) => self.condition = condition,
                Action::Deadline(at) => self.wake = at,
            }
        }
        if wrote {
            self.step(Input::Written);
        }
        ok
    }

    fn say(&mut self, bytes: &[u8]) {
        self.step(Input::Bytes(bytes));
    }

    fn print(&mut self, id: &str) {
        self.written.clear();
        let blocks = vec![text("x", Align::Left, false, false)];
        let command = PrinterCommand::Print(Document { blocks, cut: true, open_drawer: false });
        let before = self.now + Duration::from_secs(10);
        self.step(Input::Command { id: CommandId(id.into()), command: Command::Printer(command), before });
    }

    fn pass(&mut self, ms: u64) -> bool {
        let until = self.now + Duration::from_millis(ms);
        let mut ok = true;
        while let Some(at) = self.wake.take_if(|at| *at <= until) {
            self.now = self.now.max(at);
            ok &= self.step(Input::Deadline);
        }
        self.now = until;
        ok
    }

    fn wrote(&self, bytes: &[u8]) -> bool {
        self.written.windows(bytes.len()).any(|window| window == bytes)
    }
}

fn done(certainty: Certainty) -> Outcome {
    Outcome::Done(Value::Print(certainty))
}

fn host_status(paper_out: u8, head_open: u8, formats: u8, left: u8) -> Vec<u8> {
    format!(
        "\x02030,{paper_out},0,0245,{formats:03},0,0,0,000,0,0,0\x03\r\n\
         \x02000,0,{head_open},0,0,2,4,0,{left:08},1,000\x03\r\n\x021234,0\x03\r\n"
    )
    .into_bytes()
}

#[test]
fn a_zebra_prints_when_it_sends_the_jobs_mark_back() {
    let mut bench = Bench::new(Zpl::default(), Language::Zpl);
    assert!(bench.wrote(b"~HS"));
    bench.say(&host_status(0, 0, 0, 0));
    assert_eq!(bench.condition, Condition::Ready);
    bench.print("job-1");
    let mark = String::from_utf8(crate::printer::mark("job-1").to_vec()).unwrap();
    assert!(bench.wrote(format!("^FN900^FD{mark}^FS^FH_^HV900,4,IOT[,]_0D_0A,L^FS^XZ").as_bytes()));
    bench.say(&host_status(0, 0, 1, 1));
    bench.pass(1_000);
    assert!(bench.replies.is_empty(), "it is busy still");
    bench.say(format!("IOT[{mark}]\r\n").as_bytes());
    assert_eq!(bench.replies, [done(Certainty::Printed)]);
    bench.print("job-2");
    bench.say(&host_status(0, 0, 0, 0));
    assert_eq!(bench.replies.len(), 1, "it has shown that it signs, so it is waited for");
}

#[test]
fn a_zebra_without_labels_or_with_its_head_open_takes_no_job() {
    for (status, reason, fault) in [
        (host_status(1, 0, 0, 0), Reason::PaperOut, Fault::PaperOut),
        (host_status(0, 1, 0, 0), Reason::CoverOpen, Fault::CoverOpen),
    ] {
        let mut bench = Bench::new(Zpl::default(), Language::Zpl);
        bench.say(&status);
        assert!(matches!(&bench.condition, Condition::Error(f, _) if *f == fault));
        bench.print("job-1");
        assert!(matches!(&bench.replies[..], [Outcome::Rejected(r, _)] if *r == reason));
        assert!(bench.written.is_empty());
        bench.pass(1_000);
        assert!(bench.wrote(b"~HS"), "it is asked again within a second");
        bench.say(&host_status(0, 0, 0, 0));
        assert_eq!(bench.condition, Condition::Ready);
    }
}

#[test]
fn labels_that_run_out_in_the_middle_leave_doubt() {
    let mut bench = Bench::new(Zpl::default(), Language::Zpl);
    bench.say(&host_status(0, 0, 0, 0));
    bench.print("job-1");
    bench.say(&host_status(1, 0, 1, 1));
    assert!(matches!(&bench.replies[..], [Outcome::Unknown(_)]));
}

#[test]
fn an_epl_printer_acknowledges_its_label_or_says_what_is_wrong_with_it() {
    let mut bench = Bench::new(Epl::default(), Language::Epl);
    assert!(bench.wrote(b"US\r\n") && bench.wrote(b"^ee\r\n"));
    bench.say(b"\x0600\r\n");
    assert_eq!(bench.condition, Condition::Ready);
    bench.print("job-1");
    bench.say(b"00\r\n\x06");
    assert_eq!(bench.replies, [done(Certainty::Printed)]);
    bench.print("job-2");
    bench.say(b"\x1502");
    assert!(matches!(&bench.replies[1], Outcome::Rejected(Reason::DeviceError, m) if m.contains("error 2")));
    bench.print("job-3");
    bench.say(b"\x1507");
    assert!(matches!(&bench.replies[2], Outcome::Unknown(_)));
    assert!(matches!(&bench.condition, Condition::Error(Fault::PaperOut, _)));
    bench.say(b"07,11\r\n");
    assert!(matches!(&bench.condition, Condition::Error(Fault::CoverOpen | Fault::PaperOut, _)));
}

#[test]
fn a_tsc_is_done_when_it_prints_no_more() {
    let mut bench = Bench::new(Tspl, Language::Tspl);
    bench.say(&[0]);
    bench.print("job-1");
    bench.say(&[0x20]);
    bench.pass(500);
    assert!(bench.replies.is_empty() && bench.written.ends_with(b"\x1b!?"));
    bench.say(&[0x00]);
    assert_eq!(bench.replies, [done(Certainty::Accepted)]);
    for (byte, fault) in
        [(0x01, Fault::CoverOpen), (0x04, Fault::PaperOut), (0x10, Fault::Offline), (0x02, Fault::Other)]
    {
        bench.say(&[byte]);
        assert!(matches!(&bench.condition, Condition::Error(f, _) if *f == fault), "{byte}");
    }
}

#[test]
fn a_labelwriter_is_asked_and_a_mute_printer_is_not_waited_for() {
    let mut bench = Bench::new(Dymo, Language::Dymo);
    assert!(bench.wrote(b"\x1bA"));
    bench.say(&[0x03]);
    bench.print("job-1");
    bench.say(&[0x00]);
    bench.say(&[0x03]);
    assert_eq!(bench.replies, [done(Certainty::Accepted)]);
    bench.say(&[0x20]);
    assert!(matches!(&bench.condition, Condition::Error(Fault::PaperOut, _)));
    let mut mute = Bench::new(DymoTape, Language::DymoTape);
    mute.print("job-1");
    mute.pass(1_000);
    assert_eq!((mute.replies.as_slice(), &mute.condition), (&[done(Certainty::Sent)][..], &Condition::Ready));
}

/// Nine bytes: header, version, printer status 1 to 7.
fn asb(status: [u8; 4], count: u8) -> [u8; 9] {
    let counter = (count & 7) << 1 | (count >> 3) << 5;
    [0x23, 0x86 & 0x6e, status[0], status[1], status[2], status[3], 0, counter, 0]
}

#[test]
fn a_star_counts_the_jobs_it_has_printed_and_tells_its_state_by_itself() {
    let mut bench = Bench::new(Star::default(), Language::Star);
    assert!(bench.wrote(&[0x1b, 0x1e, b'E', 0]) && bench.wrote(&[0x1b, 0x1e, b'a', 1]));
    bench.say(&asb([0; 4], 0));
    assert_eq!(bench.condition, Condition::Ready);
    for count in 1..=40u8 {
        bench.print(&format!("job-{count}"));
        assert!(bench.wrote(&[0x17]));
        bench.say(&asb([0; 4], (count - 1) % 32));
        assert_eq!(bench.replies.len(), usize::from(count) - 1);
        bench.say(&asb([0; 4], count % 32));
        assert_eq!(bench.replies.last(), Some(&done(Certainty::Printed)), "job {count}");
    }
    for (status, fault) in [
        ([0x20, 0, 0, 0], Fault::CoverOpen),
        ([0x08, 0, 0, 0x08], Fault::PaperOut),
        ([0x08, 0, 0, 0], Fault::Offline),
        ([0, 0x08, 0, 0], Fault::Other),
    ] {
        bench.say(&asb(status, 8));
        assert!(matches!(&bench.condition, Condition::Error(f, _) if *f == fault), "{status:?}");
    }
    bench.say(&asb([0, 0, 0, 0x04], 8));
    assert!(matches!(&bench.condition, Condition::Warning(_)));
    bench.say(&asb([0x04, 0, 0, 0], 8));
    let open = crate::printer::Event::Drawer { open: true };
    assert_eq!(bench.events.last(), Some(&crate::DeviceEvent::Printer(open)));
}

#[test]
fn a_star_receipt_becomes_these_bytes() {
    let document = Document {
        blocks: vec![
            text("Title", Align::Center, true, true),
            Block::Columns { left: "Café".into(), right: "1 €".into(), bold: false },
            Block::Image(png(8, 2)),
        ],
        cut: true,
        open_drawer: true,
    };
    let profile = Profile { dots: 16, columns: 20, ..Profile::generic(Language::Star) };
    let bytes = Star::DOCUMENT(&document, &profile).unwrap();
    let readable: String = bytes.iter().flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect();
    assert!(
        readable.starts_with(
            r"\x1b@\x1b\x07\x14\x14\x07\x1b\x1da\x01\x1bE\x1bi\x01\x01Title\n\x1b\x1da\x00\x1bF\x1bi\x00\x00Caf\x1b\x1dt\x04\x82"
        ),
        "{readable}"
    );
    assert!(readable.contains(r"\x1b*rA\x1b*rP0\x00b\x02\x00"), "{readable}");
    assert!(readable.ends_with(r"\x1b*rB\x1bd\x03"), "{readable}");
}

fn any_talk<D: Dialect>(dialect: D, language: Language, pieces: &[Vec<u8>]) {
    let mut bench = Bench::new(dialect, language);
    bench.print("job-1");
    for piece in pieces {
        bench.say(piece);
        bench.pass(300);
    }
    bench.step(Input::Closed);
    assert_eq!(bench.replies.len(), 1, "answered exactly once");
}

proptest! {
    #[test]
    fn whatever_a_printer_says_its_job_is_answered_once(
        pieces in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            Just(host_status(0, 0, 0, 0)),
            Just(b"IOT[abcd]\r\n00\r\n\x06\x1507".to_vec()),
            Just(asb([0; 4], 1).to_vec()),
            Just(vec![0x03, 0x00, 0x20]),
        ], 0..12)
    ) {
        any_talk(Zpl::default(), Language::Zpl, &pieces);
        any_talk(Epl::default(), Language::Epl, &pieces);
        any_talk(Tspl, Language::Tspl, &pieces);
        any_talk(Dymo, Language::Dymo, &pieces);
        any_talk(DymoTape, Language::DymoTape, &pieces);
        any_talk(Star::default(), Language::Star, &pieces);
    }

    #[test]
    fn any_text_can_be_drawn(line in "\\PC{0,200}|[\\x00-\\x1f\\x7f]{0,20}", large in any::<bool>(), dots in 16u16..900) {
        let blocks = vec![text(&line, Align::Right, true, large), Block::Columns { left: line.clone(), right: "1.00".into(), bold: false }];
        let document = Document { blocks, cut: true, open_drawer: false };
        let profile = Profile { dots, ..Profile::generic(Language::Zpl) };
        canvas::draw(&document, &profile).unwrap();
        canvas::draw_tape(&document, &Profile::generic(Language::DymoTape)).unwrap();
    }
}
