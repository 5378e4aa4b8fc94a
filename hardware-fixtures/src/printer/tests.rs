//! The engine with transcripts: bytes and times in, answers and paper out.

use super::{Effect, Job, Level, Offline, PaperState, Printer, Settings, Sheet};

fn printer() -> Printer {
    Printer::new(Settings { speed_mm_s: 0, ..Settings::default() })
}

fn answers(effects: &[Effect]) -> Vec<u8> {
    effects
        .iter()
        .flat_map(|effect| if let Effect::Send(bytes) = effect { bytes.clone() } else { Vec::new() })
        .collect()
}

fn receipts(effects: Vec<Effect>) -> Vec<(Sheet, Job)> {
    effects
        .into_iter()
        .filter_map(|e| if let Effect::Cut(sheet, job) = e { Some((sheet, *job)) } else { None })
        .collect()
}

fn feed(printer: &mut Printer, bytes: &[u8]) -> Vec<Effect> {
    printer.receive(1_000, bytes);
    printer.run(1_000)
}

fn receipt(bytes: &[u8]) -> (Sheet, Job) {
    receipts(feed(&mut printer(), &[bytes, b"\x1DVB\0"].concat())).remove(0)
}

#[test]
fn real_time_status_is_answered_as_the_manual_says() {
    let mut printer = printer();
    assert_eq!(answers(&feed(&mut printer, b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04")), [0x12; 4]);
    printer.set_paper(PaperState::Low);
    assert_eq!(answers(&feed(&mut printer, b"\x10\x04\x04")), [0x1E]);
    printer.set_paper(PaperState::Out);
    assert_eq!(answers(&feed(&mut printer, b"\x10\x04\x01\x10\x04\x02\x10\x04\x04")), [0x1A, 0x32, 0x7E]);
    printer.set_paper(PaperState::Ok);
    printer.set_cover(true);
    assert_eq!(answers(&feed(&mut printer, b"\x10\x04\x01\x10\x04\x02")), [0x1A, 0x16]);
}

#[test]
fn automatic_status_comes_at_once_and_then_on_each_change() {
    let mut printer = printer();
    assert_eq!(answers(&feed(&mut printer, b"\x1Da\xFF")), [0x10, 0, 0, 0x0F]);
    assert_eq!(answers(&printer.run(1_001)), b"");
    printer.set_cover(true);
    assert_eq!(answers(&printer.run(1_002)), [0x38, 0, 0, 0x0F]);
    printer.set_cover(false);
    printer.set_paper(PaperState::Low);
    assert_eq!(answers(&printer.run(1_003)), [0x10, 0, 3, 0x0F]);
    printer.set_paper(PaperState::Out);
    assert_eq!(answers(&printer.run(1_004)), [0x18, 0, 0x0F, 0x0F]);
    printer.disconnected();
    printer.set_paper(PaperState::Ok);
    assert_eq!(answers(&printer.run(1_005)), b"", "a new host has not asked for it");
}

#[test]
fn a_kicked_drawer_moves_pin_3_and_falls_shut_after_its_time() {
    let mut printer = printer();
    feed(&mut printer, b"\x1Da\x01");
    assert_eq!(answers(&feed(&mut printer, b"\x1Bp\x00\x19\x19")), [0x14, 0, 0, 0x0F]);
    assert_eq!(printer.next_wake(), Some(1_501_000));
    assert_eq!(answers(&printer.run(1_501_000)), [0x10, 0, 0, 0x0F]);
    assert_eq!(printer.current().drawer_kicks_us, [1_000]);
    let mut low = Printer::new(Settings { drawer_open_level: Level::Low, ..Settings::default() });
    assert_eq!(answers(&feed(&mut low, b"\x10\x04\x01")), [0x16], "shut is high on this drawer");
}

#[test]
fn the_drawer_opens_by_real_time_pulse_even_when_offline() {
    let mut printer = printer();
    printer.set_cover(true);
    feed(&mut printer, b"\x10\x14\x01\x00\x01");
    assert!(printer.drawer_is_open());
}

#[test]
fn a_process_id_comes_back_when_the_paper_has_come_to_rest() {
    let mut printer = Printer::new(Settings { speed_mm_s: 100, ..Settings::default() });
    // A line feed of 30 dots is 3.75 mm: 37.5 ms.
    assert_eq!(answers(&feed(&mut printer, b"Hello\n\x1D(H\x06\x0000AB12")), b"");
    assert_eq!(printer.next_wake(), Some(38_500));
    assert_eq!(answers(&printer.run(38_499)), b"");
    assert_eq!(answers(&printer.run(38_500)), b"\x37\x22AB12\0");
}

#[test]
fn a_process_id_after_the_cut_belongs_to_the_receipt_before_it() {
    let mut printer = printer();
    feed(&mut printer, b"one\n\x1DVB\0\x1D(H\x06\x0000A001two\n\x1D(H\x06\x0000A002");
    assert_eq!(printer.late_process_ids(1).collect::<Vec<_>>(), ["A001"]);
    assert_eq!(printer.current().process_ids, ["A002"]);
}

#[test]
fn the_faults_of_answering_are_silent() {
    let mut printer = printer();
    printer.set_forget_process_ids(true);
    assert_eq!(answers(&feed(&mut printer, b"\x1D(H\x06\x0000AB12\x10\x04\x01")), [0x12]);
    printer.set_no_answer(true);
    assert_eq!(answers(&feed(&mut printer, b"\x10\x04\x01\x1Da\xFF")), b"");
}

#[test]
fn identification_is_answered() {
    let mut printer = printer();
    assert_eq!(answers(&feed(&mut printer, b"\x1DIB\x1DIC\x1DI\x01")), b"_EPSON\0_TM-T20III\0\x20");
    assert_eq!(answers(&feed(&mut printer, b"\x1Dr\x01\x1Dr\x02")), [0, 0]);
}

#[test]
fn without_paper_the_buffer_fills_and_prints_when_paper_is_back() {
    let mut printer = printer();
    printer.set_paper(PaperState::Out);
    let room = printer.room();
    assert!(receipts(feed(&mut printer, b"held\n\x1DVB\0")).is_empty());
    assert_eq!(printer.room(), room - 9);
    printer.set_paper(PaperState::Ok);
    assert_eq!(receipts(printer.run(2_000))[0].1.text, "held\n");
}

#[test]
fn a_printer_that_discards_when_offline_prints_nothing_later() {
    let mut printer = Printer::new(Settings { offline: Offline::Discard, ..Settings::default() });
    printer.set_cover(true);
    feed(&mut printer, b"gone\n");
    printer.set_cover(false);
    printer.run(2_000);
    assert_eq!(printer.current().text, "");
}

#[test]
fn text_is_kept_as_text_and_lines_wrap_at_48_columns() {
    let (_, job) = receipt(&[&[b'x'; 50][..], b"\nTotal\x1Bt\x13 \xD5\n"].concat());
    assert_eq!(job.text, format!("{}\nxx\nTotal €\n", "x".repeat(48)));
}

#[test]
fn what_is_not_fed_past_the_cutter_stays_inside() {
    let mut printer = printer();
    let first = receipts(feed(&mut printer, b"A\n\x1DV\0")).remove(0).0;
    assert!(!first.dots.contains(&1), "the head is 12 mm behind the cutter");
    let second = receipts(feed(&mut printer, b"\x1DVB\0")).remove(0).0;
    assert!(second.dots.contains(&1));
}

#[test]
fn a_command_that_is_not_known_is_noted_and_the_rest_printed() {
    let (_, job) = receipt(b"\x1B\x01a\x1DkA\x03abc\x1Bt\x0Db\n");
    assert_eq!(job.text, "ab\n");
    assert_eq!(job.problems.len(), 3, "{:?}", job.problems);
}

#[test]
fn a_raster_is_drawn_dot_by_dot_and_centred() {
    let (sheet, _) = receipt(b"\x1Ba\x01\x1Dv0\x00\x01\x00\x02\x00\x80\x01");
    let black: Vec<_> = (0..sheet.height())
        .flat_map(|y| (0..sheet.width).map(move |x| (x, y)))
        .filter(|(x, y)| sheet.is_black(*x, *y))
        .collect();
    assert_eq!(black, [(284, 96), (291, 97)]);
}

#[test]
fn a_column_image_equals_the_same_raster() {
    let columns: Vec<u8> = (0..24).flat_map(|x: u32| (1u32 << (23 - x)).to_be_bytes()[1..].to_vec()).collect();
    let by_columns = receipt(&[b"\x1B3\x30\x1B*\x21\x18\x00", &columns[..], b"\n"].concat()).0;
    let by_rows = receipt(&[b"\x1Dv0\x00\x03\x00\x18\x00", &columns[..]].concat()).0;
    assert_eq!(by_columns, by_rows, "a diagonal is its own transpose");
}

#[test]
fn a_qr_code_has_its_three_corners() {
    let (sheet, job) = receipt(b"\x1D(k\x03\x001C\x04\x1D(k\x06\x001P0abc\x1D(k\x03\x001Q0");
    assert_eq!(job.text, "[QR abc]\n");
    // Version 1: 21 modules of 4 dots; a finder is 7 modules wide.
    for (x, y) in [(0, 0), (14 * 4, 0), (0, 14 * 4)] {
        assert!((0..28).all(|i| sheet.is_black(x + i, 96 + y) && sheet.is_black(x, 96 + y + i)));
    }
}

#[test]
fn random_bytes_never_stop_the_printer() {
    let mut printer = printer();
    let mut seed = 42u64;
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..500)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let byte = (seed >> 56) as u8;
                // Commands are rare among random bytes; make them common, and their lengths short.
                if byte < 0x60 { [0x1B, 0x1D, 0x10, 0x00, 0x01, 0x02][usize::from(byte) % 6] } else { byte }
            })
            .collect();
        printer.receive(0, &bytes);
        printer.run(0);
        printer.tear();
        printer.run(0);
    }
}

#[test]
fn a_small_receipt_looks_like_this() {
    let mut printer = Printer::new(Settings { dots: 144, speed_mm_s: 0, cutter_mm: 0, ..Settings::default() });
    let bytes = b"\x1Ba\x01\x1B!\x08Caf\x82\x1B!\0\n\x1Ba\0Tea\x1B$\x48\0\x1Bt\x131,5 \xD5\n\x1DVA\0";
    let (sheet, _) = receipts(feed(&mut printer, bytes)).remove(0);
    let picture: String = (0..sheet.height())
        .map(|y| {
            let row: String = (0..sheet.width).map(|x| if sheet.is_black(x, y) { '#' } else { '.' }).collect();
            row.trim_end_matches('.').to_owned() + "\n"
        })
        .collect();
    insta::assert_snapshot!(picture);
}
