//! Documents to bytes, and jobs through a printer made of transcripts.

use std::time::{Duration, Instant};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use proptest::prelude::*;

use super::{reply::Replies, *};
use crate::{
    device::{Command, CommandId, Condition, DeviceEvent, Fault, Outcome, Reason, Value},
    printer::{Align, Block, Certainty, Command as PrinterCommand, Document, Event, File, FileType, Language},
    runner::{Action, Input, Protocol as _},
};

fn text(text: &str) -> Block {
    Block::Text { text: text.into(), align: Align::Left, bold: false, large: false }
}

fn document(blocks: Vec<Block>) -> Document {
    Document { blocks, cut: false, open_drawer: false }
}

fn encoded(blocks: Vec<Block>) -> Vec<u8> {
    encode(&document(blocks), &Profile::TM_T88).unwrap().split_off(2)
}

fn readable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&b| match b {
            b'\n' => "\n".to_owned(),
            0x1b => "<ESC>".to_owned(),
            0x1d => "<GS>".to_owned(),
            0x20..=0x7e => char::from(b).to_string(),
            _ => format!("<{b:02x}>"),
        })
        .collect()
}

#[test]
fn a_receipt_becomes_these_bytes() {
    let bytes = encode(
        &Document {
            blocks: vec![
                Block::Text { text: "The Corner Shop".into(), align: Align::Center, bold: true, large: true },
                text("21 Nov 2026  Till 2\nYou were served by Zoë"),
                Block::Rule,
                Block::Columns { left: "Espresso beans 1 kg".into(), right: "12.90 €".into(), bold: false },
                Block::Columns {
                    left: "A name that is far too long for one line of a receipt".into(),
                    right: "1,234.56".into(),
                    bold: false,
                },
                Block::Columns { left: "TOTAL".into(), right: "1,247.46".into(), bold: true },
                Block::Feed(2),
                Block::Barcode("4006381333931".into()),
                Block::Qr("https://example.com/r/42".into()),
            ],
            cut: true,
            open_drawer: true,
        },
        &Profile::TM_T88,
    )
    .unwrap();
    insta::assert_snapshot!(readable(&bytes));
}

#[test]
fn code_pages_change_only_where_they_must() {
    assert_eq!(readable(&encoded(vec![text("café 1€ ok é")])), "caf<ESC>t<13><82> 1<d5> ok <82>\n");
    assert_eq!(readable(&encoded(vec![text("é Ж é")])), "<ESC>t<13><82> <ESC>t<11><86> <ESC>t<13><82>\n");
    assert_eq!(readable(&encoded(vec![text("茶 \u{2032}x\u{2032} 1\u{202f}000")])), "? 'x' 1 000\n");
}

#[test]
fn control_characters_in_a_name_do_nothing() {
    let bytes = encoded(vec![text("a\u{1b}p0\u{19}\u{19}b\tc\u{10}\u{4}\u{1}\u{7f}")]);
    assert_eq!(readable(&bytes), "a p0  b c    \n");
}

fn png(width: u32, height: u32, rgba: impl Fn(u32, u32) -> [u8; 4]) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| rgba(x, y)).collect();
    let mut out = Vec::new();
    PngEncoder::new(&mut out).write_image(&pixels, width, height, ExtendedColorType::Rgba8).unwrap();
    out
}

#[test]
fn a_picture_is_flattened_on_white_and_sent_in_slices() {
    // Left half black, right half fully transparent black.
    let picture = png(16, 300, |x, _| [0, 0, 0, if x < 8 { 255 } else { 0 }]);
    let bytes = encoded(vec![Block::Image(picture)]);
    let mut expected = vec![0x1b, b'a', 1, 0x1d, b'v', b'0', 0, 2, 0, 255, 0];
    expected.extend([0xff, 0].repeat(255));
    expected.extend([0x1d, b'v', b'0', 0, 2, 0, 45, 0]);
    expected.extend([0xff, 0].repeat(45));
    expected.extend([0x1b, b'a', 0]);
    assert_eq!(bytes, expected);
}

#[test]
fn a_jpeg_prints_as_the_same_picture_in_png() {
    use image::{codecs::jpeg::JpegEncoder, codecs::png::PngEncoder as Png};
    // Large areas, which JPEG keeps as they are.
    let pixels: Vec<u8> =
        (0..96u32).flat_map(|y| (0..64u32).map(move |x| if (x < 32) == (y < 48) { 0 } else { 255 })).collect();
    let colours: Vec<u8> = pixels.iter().flat_map(|p| [*p; 3]).collect();
    let (mut gray, mut colour, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    JpegEncoder::new_with_quality(&mut gray, 95).write_image(&pixels, 64, 96, ExtendedColorType::L8).unwrap();
    JpegEncoder::new_with_quality(&mut colour, 95).write_image(&colours, 64, 96, ExtendedColorType::Rgb8).unwrap();
    Png::new(&mut plain).write_image(&pixels, 64, 96, ExtendedColorType::L8).unwrap();
    let expected = encoded(vec![Block::Image(plain)]);
    assert_eq!(encoded(vec![Block::Image(gray)]), expected);
    assert_eq!(encoded(vec![Block::Image(colour)]), expected);
    assert!(encode(&document(vec![Block::Image(b"\xff\xd8\xff\xe0nothing".to_vec())]), &Profile::TM_T88).is_err());
}

#[test]
fn a_wide_picture_is_scaled_to_the_paper_and_grey_is_dithered() {
    let bytes = encoded(vec![Block::Image(png(1024, 64, |_, _| [128, 128, 128, 255]))]);
    assert_eq!(bytes[..11], [0x1b, b'a', 1, 0x1d, b'v', b'0', 0, 64, 0, 32, 0]);
    let black: u32 = bytes[11..11 + 64 * 32].iter().map(|b| b.count_ones()).sum();
    let share = f64::from(black) / f64::from(512 * 32);
    assert!((0.45..0.55).contains(&share), "half of the dots are black, not {share}");
}

#[test]
fn a_picture_prepared_on_another_thread_prints_the_same() {
    for (width, height) in [(13, 5), (16, 300), (700, 40)] {
        let picture = document(vec![Block::Image(png(width, height, |x, y| [(x * 7 + y * 3) as u8, 90, 10, 255]))]);
        let command = Command::Printer(PrinterCommand::Print(picture.clone()));
        let prepare = Protocol::new(Profile::TM_T88).prepare(&command).unwrap();
        let bytes = encode(&picture, &Profile::TM_T88).unwrap();
        assert_eq!(prepare(command), Command::Printer(PrinterCommand::Encoded(bytes)));
    }
    let lie = Block::Image(b"P4\n512 16000\nshort".to_vec());
    assert!(matches!(encode(&document(vec![lie]), &Profile::TM_T88), Err(EncodeError::Image(_))));
}

/// Black where `x + y` is a multiple of 3, so that every strip and column differs.
fn stripes(width: u32, height: u32) -> Vec<u8> {
    png(width, height, |x, y| if (x + y) % 3 == 0 { [0, 0, 0, 255] } else { [255, 255, 255, 255] })
}

#[test]
fn column_mode_sends_strips_of_columns_at_the_density_asked_for() {
    let column = |high_vertical, high_horizontal, scale| {
        let raster =
            crate::printer::Raster::Column(crate::printer::setup::Column { high_vertical, high_horizontal, scale });
        let profile = Profile { raster, ..Profile::TM_T88 };
        let bytes = encode(&document(vec![Block::Image(stripes(6, 24))]), &profile).unwrap();
        readable(&bytes[5..bytes.len() - 3])
    };
    assert_eq!(
        column(true, true, 100),
        "<ESC>30<ESC>*!<06><00><92>I$$<92>II$<92><92>I$$<92>II$<92>\n<ESC>2",
        "one strip of 24 dots, three bytes a column, the topmost dot first"
    );
    assert!(column(false, true, 100).starts_with("<ESC>30<ESC>*<01><06><00>"), "eight dots, all of them across");
    assert!(column(false, false, 100).starts_with("<ESC>30<ESC>*<00><03><00>"), "half of the dots across");
    assert!(column(true, true, 50).starts_with("<ESC>30<ESC>*!<03><00>"), "half of the size");
    let wide = column(true, true, 1000);
    assert!(wide.starts_with("<ESC>30<ESC>*!<<00>"), "{wide}");
    // A dot-matrix printer: 160 dots an inch across, 72 down, a strip is 16/144 inch high.
    let model = crate::printer::models::models().iter().find(|m| m.name == "TM-U220").unwrap();
    let bytes = encode(&document(vec![Block::Image(stripes(400, 160))]), &model.profile).unwrap();
    let text = readable(&bytes);
    assert!(text.contains("<ESC>3<10><ESC>*<01><90><01>"), "{text}");
    assert_eq!(text.matches("<ESC>*<01><90><01>").count(), 9, "160 dots at 160 dpi are 72 rows: nine strips");
}

#[test]
fn a_printer_without_a_cutter_feeds_past_its_edge() {
    let document = Document { blocks: vec![text("x")], cut: true, open_drawer: false };
    let bytes = encode(&document, &Profile { cutter: false, ..Profile::TM_T88 }).unwrap();
    assert_eq!(readable(&bytes), "<ESC>@x\n<ESC>d<04>");
}

#[test]
fn a_file_is_what_it_says_or_is_refused() {
    let print = |kind, data: &[u8]| {
        let mut bench = Bench::online();
        let file = File { kind, data: data.to_vec(), copies: 1 };
        bench.command("f", PrinterCommand::PrintFile(file), 10_000);
        (bench.replies.first().cloned(), readable(&bench.written))
    };
    let refused = |kind, data: &[u8], reason, words: &str| match print(kind, data) {
        (Some((_, Outcome::Rejected(got, message))), _) => {
            assert!(got == reason && message.contains(words), "{got:?} {message}");
        }
        other => panic!("{other:?}"),
    };
    refused(FileType::Pdf, b"\xff\xd8\xff\xe0", Reason::Invalid, "no PDF: it begins as JPEG picture does");
    refused(FileType::Png, b"<html>", Reason::Invalid, "no PNG picture: it begins as HTML or XML does");
    refused(FileType::Pdf, b"%PDF-1.4 and nonsense", Reason::Invalid, "the PDF cannot be read");
    refused(FileType::Raw(Language::EscPos), b"%PDF-1.4", Reason::Invalid, "no escpos: it begins as PDF does");
    refused(FileType::Raw(Language::Zpl), b"^XA^XZ", Reason::Unsupported, "printers that speak zpl");
    refused(FileType::Jpeg, b"", Reason::Invalid, "nothing to print");
    let (reply, written) = print(FileType::Raw(Language::EscPos), b"\x1b@raw\n");
    assert_eq!(reply, None, "it waits for its process id");
    assert!(written.starts_with("<ESC>@raw\n<GS>a<ff><GS>(H"), "{written}");
    let (_, written) = print(FileType::Png, &png(16, 8, |_, _| [0, 0, 0, 255]));
    assert!(written.contains("<GS>v0<00><02><00><08><00>"), "{written}");
}

/// A page of one black square, made by hand.
fn pdf() -> Vec<u8> {
    let content = "0 0 0 rg 0 0 36 36 re f";
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Contents 4 0 R>>".to_owned(),
        format!("<</Length {}>>\nstream\n{content}\nendstream", content.len()),
    ];
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.push_str(&format!("{} 0 obj\n{object}\nendobj\n", number + 1));
    }
    let xref = out.len();
    out.push_str("xref\n0 5\n0000000000 65535 f \n");
    places.iter().for_each(|place| out.push_str(&format!("{place:010} 00000 n \n")));
    out.push_str(&format!("trailer<</Size 5/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF"));
    out.into_bytes()
}

#[test]
fn a_pdf_prints_as_wide_as_the_paper() {
    let encoder = File { kind: FileType::Pdf, data: pdf(), copies: 2 };
    let documents = crate::printer::file::documents(&encoder, &Profile::TM_T88).unwrap();
    assert_eq!(documents.len(), 2, "two copies of one page");
    let Block::Image(picture) = &documents[0].blocks[0] else { panic!("a page is a picture") };
    let page = crate::printer::bitmap::Bitmap::from_pbm(picture).unwrap();
    assert_eq!((page.width, page.height), (512, 512));
    // The lower left quarter is black.
    for (x, y, black) in [(100, 400, true), (400, 400, false), (100, 100, false), (250, 262, true), (262, 250, false)] {
        assert_eq!(page.is_black(x, y), black, "{x} {y}");
    }
}

#[test]
fn a_second_logical_printer_prints_under_its_own_settings() {
    let mut bench = Bench::online();
    let settings = [("pictures".to_owned(), "column".to_owned())].into();
    let document = document(vec![Block::Image(stripes(6, 24))]);
    bench.command("s", PrinterCommand::With(settings, Box::new(PrinterCommand::Print(document))), 10_000);
    assert!(readable(&bench.written).contains("<ESC>*!<06><00>"), "{}", readable(&bench.written));
}

#[test]
fn a_process_id_that_comes_after_a_new_connection_is_told() {
    let mut bench = Bench::online();
    let mark = crate::printer::mark("a");
    bench.step(Input::Bytes(&[&[0x37, 0x22][..], &mark, &[0]].concat()));
    assert_eq!(bench.events, [Event::Printed { mark }]);
}

#[test]
fn what_is_no_picture_is_refused_with_words() {
    let error = encode(&document(vec![Block::Image(b"GIF89a".to_vec())]), &Profile::TM_T88).unwrap_err();
    assert!(error.to_string().starts_with("the picture cannot be read: send a PNG or JPEG"), "{error}");
    assert!(matches!(encode(&document(vec![]), &Profile::TM_T88), Err(EncodeError::Empty)));
}

/// Drives the protocol with a clock of its own.
struct Bench {
    protocol: Protocol,
    now: Instant,
    wake: Option<Instant>,
    written: Vec<u8>,
    replies: Vec<(String, Outcome)>,
    events: Vec<Event>,
    condition: Condition,
}

const ONLINE: [u8; 4] = [0x14, 0, 0, 0x0f];
const COVER_OPEN: [u8; 4] = [0x3c, 0, 0, 0x0f];
const PAPER_OUT: [u8; 4] = [0x1c, 0, 0x0f, 0x0f];
const PAPER_LOW: [u8; 4] = [0x14, 0, 0x03, 0x0f];
const DRAWER_LOW: [u8; 4] = [0x10, 0, 0, 0x0f];

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            protocol: Protocol::new(Profile::TM_T88),
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

    /// A printer that has told its status and answered the greeting.
    fn online() -> Self {
        let mut bench = Self::new();
        bench.step(Input::Bytes(&ONLINE));
        bench.step(Input::Bytes(&[0x16, 0x12, 0x12]));
        bench.written.clear();
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
                Action::Reply(id, outcome) => self.replies.push((id.0.to_string(), outcome)),
                Action::Emit(DeviceEvent::Printer(event)) => self.events.push(event),
                Action::Condition(condition) => self.condition = condition,
                Action::Deadline(at) => self.wake = at,
                Action::Emit(_) => unreachable!(),
            }
        }
        if wrote {
            self.step(Input::Written);
        }
        ok
    }

    fn print(&mut self, id: &str, line: &str) {
        self.command(id, PrinterCommand::Print(document(vec![text(line)])), 10_000);
    }

    fn command(&mut self, id: &str, command: PrinterCommand, ms: u64) {
        let before = self.now + Duration::from_millis(ms);
        self.step(Input::Command { id: CommandId(id.into()), command: Command::Printer(command), before });
    }

    /// Lets time pass, waking the protocol when it asked for it; `false` when it gave up.
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

    fn mark(&self) -> Vec<u8> {
        let at = self.written.windows(3).rposition(|w| w == [0x1d, b'(', b'H']).expect("a process id was asked for");
        [&[0x37, 0x22][..], &self.written[at + 7..at + 11], &[0]].concat()
    }

    fn done(certainty: Certainty) -> Outcome {
        Outcome::Done(Value::Print(certainty))
    }
}

#[test]
fn a_print_that_returns_its_process_id_is_printed() {
    let mut bench = Bench::online();
    bench.print("a", "hello");
    let text = readable(&bench.written);
    assert!(text.starts_with("<ESC>@<GS>a<ff>hello\n<GS>(H<06><00>00"), "{text}");
    assert!(text.ends_with("<10><04><01>"), "{text}");
    bench.step(Input::Bytes(&[0x16]));
    assert!(bench.replies.is_empty());
    bench.step(Input::Bytes(&bench.mark()));
    assert_eq!(bench.replies, [("a".to_owned(), Bench::done(Certainty::Printed))]);
}

#[test]
fn a_printer_without_process_ids_accepts_and_is_not_waited_for_again() {
    let mut bench = Bench::online();
    bench.print("a", "hello");
    bench.step(Input::Bytes(&[0x16]));
    bench.pass(3_200);
    assert_eq!(bench.replies, [("a".to_owned(), Bench::done(Certainty::Accepted))]);
    bench.print("b", "hello");
    bench.step(Input::Bytes(&[0x16]));
    assert_eq!(bench.replies[1], ("b".to_owned(), Bench::done(Certainty::Accepted)));
}

#[test]
fn a_mute_printer_gets_its_job_after_a_second_without_anything_it_could_print_by_mistake() {
    let mut bench = Bench::new();
    bench.print("a", "hello");
    assert!(bench.replies.is_empty());
    bench.written.clear();
    bench.pass(1_000);
    assert_eq!(readable(&bench.written), "<ESC>@<GS>a<ff>hello\n");
    assert_eq!(bench.replies, [("a".to_owned(), Bench::done(Certainty::Sent))]);
    assert_eq!(bench.condition, Condition::Ready);
}

#[test]
fn nothing_is_sent_to_a_printer_without_paper_or_with_its_cover_open() {
    for (status, reason, fault) in
        [(PAPER_OUT, Reason::PaperOut, Fault::PaperOut), (COVER_OPEN, Reason::CoverOpen, Fault::CoverOpen)]
    {
        let mut bench = Bench::online();
        bench.step(Input::Bytes(&status));
        assert!(matches!(&bench.condition, Condition::Error(f, _) if *f == fault));
        bench.print("a", "hello");
        assert!(matches!(&bench.replies[..], [(_, Outcome::Rejected(r, _))] if *r == reason));
        assert!(bench.written.is_empty());
        bench.step(Input::Bytes(&ONLINE));
        bench.print("b", "hello");
        assert!(!bench.written.is_empty());
    }
}

#[test]
fn the_greetings_answers_tell_of_missing_paper_too() {
    let mut bench = Bench::new();
    bench.step(Input::Bytes(&[0x1e, 0x32, 0x72]));
    bench.print("a", "hello");
    assert!(matches!(&bench.replies[..], [(_, Outcome::Rejected(Reason::PaperOut, _))]), "{:?}", bench.replies);
}

#[test]
fn low_paper_is_a_warning_and_printing_goes_on() {
    let mut bench = Bench::online();
    bench.step(Input::Bytes(&PAPER_LOW));
    assert!(matches!(bench.condition, Condition::Warning(_)));
    bench.print("a", "hello");
    assert!(bench.replies.is_empty() && !bench.written.is_empty());
}

#[test]
fn paper_that_ends_in_the_middle_leaves_the_job_unknown() {
    let mut bench = Bench::online();
    bench.print("a", "hello");
    bench.step(Input::Bytes(&PAPER_OUT));
    assert!(matches!(&bench.replies[..], [(_, Outcome::Unknown(_))]));
    bench.step(Input::Bytes(&ONLINE));
    bench.step(Input::Bytes(&bench.mark()));
    assert_eq!(bench.replies.len(), 1, "one answer only");
}

#[test]
fn a_cut_connection_leaves_the_running_job_unknown_and_rejects_the_waiting_ones() {
    let mut bench = Bench::online();
    bench.print("a", "hello");
    bench.print("b", "hello");
    bench.step(Input::Closed);
    assert!(matches!(&bench.replies[0], (id, Outcome::Unknown(_)) if id == "a"));
    assert!(matches!(&bench.replies[1], (id, Outcome::Rejected(Reason::Offline, _)) if id == "b"));
}

#[test]
fn a_printer_that_dies_with_the_job_leaves_it_unknown_and_is_given_up() {
    let mut bench = Bench::online();
    bench.print("a", "hello");
    bench.pass(5_500);
    assert!(matches!(&bench.replies[..], [(_, Outcome::Unknown(_))]));
    bench.pass(2_500);
    bench.print("b", "hello");
    assert!(matches!(&bench.replies[1], (_, Outcome::Rejected(Reason::Offline, _))));
    assert!(!bench.pass(20_000), "it asks for a new connection");
}

#[test]
fn a_job_is_not_started_after_its_deadline() {
    let mut bench = Bench::online();
    bench.print("a", "hello");
    bench.command("b", PrinterCommand::OpenDrawer, 100);
    bench.pass(100);
    assert!(matches!(&bench.replies[..], [(id, Outcome::Rejected(Reason::Expired, _))] if id == "b"));
}

#[test]
fn the_queue_is_bounded() {
    let mut bench = Bench::online();
    for n in 0..34 {
        bench.print(&n.to_string(), "hello");
    }
    assert!(matches!(&bench.replies[..], [(id, Outcome::Rejected(Reason::Busy, _))] if id == "33"));
}

#[test]
fn the_drawer_opens_and_its_contact_is_reported() {
    let mut bench = Bench::online();
    bench.command("d", PrinterCommand::OpenDrawer, 1_000);
    assert!(bench.written.starts_with(&[0x1b, b'p', 0, 25, 250]));
    bench.step(Input::Bytes(&bench.mark()));
    assert_eq!(bench.replies, [("d".to_owned(), Outcome::Done(Value::Nothing))]);
    bench.step(Input::Bytes(&DRAWER_LOW));
    bench.step(Input::Bytes(&ONLINE));
    assert_eq!(bench.events, [Event::Drawer { open: false }, Event::Drawer { open: true }]);
}

#[test]
fn a_long_job_goes_out_in_chunks_and_whole() {
    let mut bench = Bench::online();
    let line = "x".repeat(40_000);
    bench.print("a", &line);
    assert_eq!(bench.written.iter().filter(|&&b| b == b'x').count(), 40_000);
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|b| vec![b]),
        Just(ONLINE.to_vec()),
        Just(PAPER_OUT.to_vec()),
        Just(vec![0x37, 0x22, b'a', b'b']),
        Just(vec![0x12]),
        Just(vec![0x14, 0]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_answer_in_any_chunks_gives_the_same_outcome(
        soup in soup(),
        cuts in prop::collection::vec(1usize..9, 1..200),
    ) {
        let mut whole = Bench::online();
        whole.print("a", "hello");
        whole.step(Input::Bytes(&soup));
        let mut parts = Bench::online();
        parts.print("a", "hello");
        let (mut rest, mut cuts) = (&soup[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            parts.step(Input::Bytes(head));
            rest = tail;
        }
        prop_assert_eq!(&whole.replies, &parts.replies);
        prop_assert_eq!(&whole.events, &parts.events);
        prop_assert_eq!(&whole.written, &parts.written);
        whole.step(Input::Closed);
        prop_assert_eq!(whole.replies.len(), 1, "answered exactly once");
    }

    #[test]
    fn after_any_bytes_a_status_that_repeats_is_understood(soup in soup()) {
        let mut replies = Replies::default();
        for byte in soup {
            replies.push(byte);
        }
        // The first one may finish a torn reply; the second stands by itself.
        let found: Vec<_> = [PAPER_LOW, PAPER_LOW].concat().into_iter().filter_map(|b| replies.push(b)).collect();
        prop_assert!(found.contains(&reply::Reply::Automatic(PAPER_LOW)), "{found:?}");
    }

    #[test]
    fn any_text_encodes_without_escape_sequences_of_its_own(line in "\\PC{0,100}|[\\x00-\\x1f\\x7f]{0,20}") {
        let bytes = encoded(vec![text(&line)]);
        let mut rest = &bytes[..];
        while let Some(at) = rest.iter().position(|&b| b < 0x20 && b != b'\n') {
            prop_assert_eq!(&rest[at..at + 2], &[0x1b, b't'], "only code pages are switched");
            rest = &rest[at + 3..];
        }
    }
}
