//! What is written is read back, by our reader and (XLS) by somebody else's.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Cursor;

use erp_exchange::{
    Cell, Error, Options, Row, open,
    write::{Writer, XlsWriter, writer},
};
use jiff::civil::date;
use proptest::prelude::*;

fn write(format: &str, safe: bool, labels: &[&str], rows: &[Vec<Cell>]) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    let mut writer = writer(format, "Contacts: [all]/*?", safe, Box::new(&mut file)).unwrap()?;
    writer.header(&labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>())?;
    for row in rows {
        writer.row(row)?;
    }
    writer.finish()?;
    Ok(file)
}

fn read(file: Vec<u8>) -> Vec<Row> {
    open(Box::new(Cursor::new(file)), &Options::default()).unwrap().rows.map(Result::unwrap).collect()
}

fn sample() -> Vec<Vec<Cell>> {
    vec![
        vec![
            "Zoë \"the\" Müller, & <Söhne>".into(),
            Cell::Number(32_000.5),
            Cell::Date(date(2026, 2, 28)),
            Cell::DateTime(date(2026, 2, 28).at(13, 45, 59, 0)),
            Cell::Bool(true),
        ],
        vec!["日本語 🎈".into(), Cell::Number(-7.0), Cell::Empty, Cell::Empty, Cell::Bool(false)],
        vec!["line\nbreak".into(), Cell::Number(0.1), Cell::Date(date(1970, 1, 1)), Cell::Empty, Cell::Empty],
    ]
}

const LABELS: [&str; 5] = ["Name", "Amount", "Day", "At", "Active"];

#[test]
fn spreadsheets_keep_texts_numbers_dates_and_truths() {
    for format in ["xlsx", "xls"] {
        let rows = read(write(format, false, &LABELS, &sample()).unwrap());
        assert_eq!(rows.len(), 4, "{format}");
        assert_eq!(rows[0].cells, LABELS.map(Cell::from), "{format}");
        for (row, cells) in rows[1..].iter().zip(sample()) {
            assert_eq!(row.cells, cells, "{format}");
        }
    }
}

#[test]
fn csv_keeps_what_its_texts_say() {
    let rows = read(write("csv", false, &LABELS, &sample()).unwrap());
    for (row, cells) in rows[1..].iter().zip(sample()) {
        let texts: Vec<Cell> = cells.iter().map(|c| Cell::from(c.text().as_ref())).collect();
        assert_eq!(row.cells, texts);
    }
}

#[test]
fn a_text_that_would_run_as_a_formula_is_defused_when_asked() {
    let evil = vec![vec![Cell::from("=HYPERLINK(\"http://x\")"), Cell::from("@SUM(A1)"), Cell::Number(-5.0)]];
    let safe = String::from_utf8(write("csv", true, &["+a", "b", "c"], &evil).unwrap()).unwrap();
    assert_eq!(safe, "'+a,b,c\n\"'=HYPERLINK(\"\"http://x\"\")\",'@SUM(A1),-5\n");
    let plain = String::from_utf8(write("csv", false, &["a"], &[vec![Cell::from("+32 1")]]).unwrap()).unwrap();
    assert_eq!(plain, "a\n+32 1\n");
    // In a spreadsheet a text stays a text.
    let rows = read(write("xlsx", true, &["a", "b", "c"], &evil).unwrap());
    assert_eq!(rows[1].cells, evil[0]);
}

#[test]
fn xls_ends_at_65536_rows_and_says_so() {
    let mut file = Vec::new();
    let mut writer = XlsWriter::new(&mut file, "big");
    writer.header(&["n".into(), "text".into()]).unwrap();
    for n in 0..65_535 {
        writer
            .row(&[
                Cell::Number(f64::from(n)),
                Cell::Text(format!("text number {n} with some length é{}", "-".repeat(60))),
            ])
            .unwrap();
    }
    let error = writer.row(&[Cell::Number(1.0)]).unwrap_err();
    assert!(error.to_string().contains("65536") && error.to_string().contains("XLSX or CSV"), "{error}");
    Box::new(writer).finish().unwrap();
    // More than 109 tables of sectors.
    assert!(file.len() > 7_200_000, "{}", file.len());
    let rows = read(file);
    assert_eq!(rows.len(), 65_536);
    assert_eq!(rows[65_535].cells[1], Cell::Text(format!("text number 65534 with some length é{}", "-".repeat(60))));
}

#[test]
fn a_text_too_long_for_a_cell_is_refused_with_its_place() {
    for format in ["xlsx", "xls"] {
        let long = vec![vec![Cell::Empty, Cell::Text("x".repeat(32_768))]];
        let error = write(format, false, &["a", "b"], &long).unwrap_err();
        assert!(matches!(error, Error::LongCell { row: 2, column: 2, length: 32_768 }), "{error}");
    }
}

#[test]
fn a_surrogate_pair_is_not_cut_between_two_records() {
    for shift in 0..4 {
        let rows = vec![vec![Cell::Text(format!("{}日{}", "a".repeat(shift), "🎈".repeat(6_000)))]];
        let back = read(write("xls", false, &["a"], &rows).unwrap());
        assert!(back[1].cells == rows[0], "shifted by {shift}");
    }
}

#[test]
#[ignore = "needs a Python with xlrd, named by ERP_TEST_XLRD"]
fn somebody_elses_program_reads_our_xls() {
    let python = std::env::var("ERP_TEST_XLRD").unwrap();
    let path = std::env::temp_dir().join(format!("erp-exchange-{}.xls", std::process::id()));
    std::fs::write(&path, write("xls", false, &LABELS, &sample()).unwrap()).unwrap();
    let script = "import sys, xlrd; b = xlrd.open_workbook(sys.argv[1]); s = b.sheet_by_index(0); \
                  print(s.name, s.nrows, s.ncols, [s.cell(1, c).ctype for c in range(5)], s.cell_value(1, 0), s.cell_value(2, 0), \
                  xlrd.xldate_as_tuple(s.cell_value(1, 3), b.datemode))";
    let out = std::process::Command::new(python).args(["-c", script]).arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!(
        said.trim(),
        "Contacts all 4 5 [1, 2, 3, 3, 4] Zoë \"the\" Müller, & <Söhne> 日本語 🎈 (2026, 2, 28, 13, 45, 59)",
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        Just(Cell::Empty),
        "[^\u{0}-\u{8}\u{b}-\u{1f}\u{7f}-\u{9f}\u{feff}\u{fffe}\u{ffff}_\r]{1,40}".prop_map(Cell::Text),
        ("[a-zé日]{1,4}", 2_000..6_000usize).prop_map(|(text, times)| Cell::Text(text.repeat(times))),
        (-1e12..1e12f64).prop_map(Cell::Number),
        any::<bool>().prop_map(Cell::Bool),
        (0..50_000i64).prop_map(|n| Cell::Date(date(1901, 1, 1).checked_add(jiff::Span::new().days(n)).unwrap())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_table_comes_back_as_it_went(rows in prop::collection::vec(prop::collection::vec(cell(), 3), 1..20)) {
        let full: Vec<Vec<Cell>> = rows.into_iter().filter(|r| !r.iter().all(Cell::is_blank)).collect();
        for format in ["xlsx", "xls"] {
            let back = read(write(format, false, &["a", "b", "c"], &full).unwrap());
            let cells: Vec<Vec<Cell>> = back[1..].iter().map(|r| r.cells.clone()).collect();
            prop_assert!(cells == full, "{} differs in row {:?}", format, cells.iter().zip(&full).position(|(a, b)| a != b));
        }
    }

    #[test]
    fn any_csv_comes_back_as_it_went(rows in prop::collection::vec(prop::collection::vec("[^\u{0}\u{feff}\r]{0,12}", 3), 1..20)) {
        let full: Vec<Vec<Cell>> = rows.iter().map(|r| r.iter().map(|t| Cell::from(t.as_str())).collect::<Vec<_>>())
            .filter(|r| !r.iter().all(Cell::is_blank)).collect();
        let file = write("csv", false, &["a", "b", "c"], &full).unwrap();
        let options = Options { separator: Some(','), encoding: Some("utf-8".into()), ..Options::default() };
        let back: Vec<Vec<Cell>> = open(Box::new(Cursor::new(file)), &options).unwrap().rows.map(|r| r.unwrap().cells).collect();
        prop_assert_eq!(&back[1..], &full[..]);
    }
}
