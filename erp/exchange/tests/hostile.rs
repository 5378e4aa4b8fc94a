//! Files made to harm, and files that are damaged.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Cursor, Write};

use erp_exchange::{
    Cell, Error, Limits, Options,
    guess::{CURRENCIES, Hints, Separators, column, number},
    open,
    write::writer,
};
use proptest::prelude::*;
use zip::{ZipWriter, write::SimpleFileOptions};

fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn workbook(sheet: &str, strings: &str) -> Vec<u8> {
    packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        (
            "_rels/.rels",
            br#"<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
        ),
        (
            "xl/workbook.xml",
            br#"<workbook xmlns:r="r"><sheets><sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            br#"<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
    ])
}

fn ods(table: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:body><office:spreadsheet>{table}</office:spreadsheet></office:body></office:document-content>"
    );
    packed(&[("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", content.as_bytes())])
}

fn all(file: Vec<u8>, limits: Limits) -> Result<Vec<Vec<Cell>>, Error> {
    let options = Options { limits, ..Options::default() };
    open(Box::new(Cursor::new(file)), &options)?.rows.map(|row| row.map(|r| r.cells)).collect()
}

#[test]
fn a_workbook_that_unpacks_without_end_is_refused_before_it_is_parsed() {
    let limits = Limits { unpacked: 1 << 20, ..Limits::default() };
    let row = "<row><c><v>1</v></c></row>";
    let bomb = workbook(&format!("<worksheet><sheetData>{}</sheetData></worksheet>", row.repeat(60_000)), "<sst/>");
    assert!(bomb.len() < 20_000, "{}", bomb.len());
    assert!(matches!(all(bomb, limits), Err(Error::Bomb { what: "sheets", .. })));
}

#[test]
fn shared_texts_without_end_are_refused() {
    let limits = Limits { shared_strings: 1 << 20, ..Limits::default() };
    let strings = format!("<sst>{}</sst>", "<si><t>aaaaaaaaaaaaaaaaaaaa</t></si>".repeat(40_000));
    let bomb = workbook("<worksheet><sheetData/></worksheet>", &strings);
    assert!(matches!(all(bomb, limits), Err(Error::Bomb { what: "shared texts", .. })));
}

#[test]
fn one_cell_or_comment_without_end_is_refused() {
    for cell in [
        format!("<row><c t=\"str\"><v>{}</v></c></row>", "a".repeat(2 << 20)),
        format!("<!--{}-->", "<a>".repeat(1 << 20)),
    ] {
        let bomb = workbook(&format!("<worksheet><sheetData>{cell}</sheetData></worksheet>"), "<sst/>");
        assert!(matches!(all(bomb, Limits::default()), Err(Error::Bomb { what: "one cell", .. })));
    }
}

#[test]
fn a_far_cell_takes_no_memory_for_the_rows_between() {
    let sheet = r#"<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="B1048576"><v>2</v></c></row></sheetData></worksheet>"#;
    assert_eq!(
        all(workbook(sheet, "<sst/>"), Limits::default()).unwrap(),
        [vec![Cell::Number(1.0)], vec![Cell::Empty, Cell::Number(2.0)],]
    );
    let far = r#"<worksheet><sheetData><row r="1"><c r="XFD1"><v>1</v></c></row></sheetData></worksheet>"#;
    let error = all(workbook(far, "<sst/>"), Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "the file has more than 2000 columns; divide it");
}

#[test]
fn a_sheet_of_repeated_cells_is_followed_only_to_the_limits() {
    let wide = r#"<table:table table:name="a"><table:table-row><table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="999999999999"/></table:table-row></table:table>"#;
    assert!(matches!(all(ods(wide), Limits::default()), Err(Error::TooMany { what: "columns", .. })));
    let high = r#"<table:table table:name="a"><table:table-row table:number-rows-repeated="18446744073709551615"><table:table-cell office:value-type="float" office:value="1"/></table:table-row></table:table>"#;
    let limits = Limits { rows: 1_000, ..Limits::default() };
    assert!(matches!(all(ods(high), limits), Err(Error::TooMany { what: "rows", .. })));
    let blank = high.replace("office:value-type=\"float\"", "");
    assert_eq!(all(ods(&blank), Limits::default()).unwrap(), Vec::<Vec<Cell>>::new());
}

#[test]
fn an_ods_sheet_is_read_with_its_types() {
    let table = r#"<table:table table:name="Notes"><table:table-row><table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell></table:table-row></table:table>
        <table:table table:name="People"><table:table-row>
        <table:table-cell office:value-type="string"><office:annotation><text:p>no</text:p></office:annotation><text:p>A &amp; B<text:s text:c="2"/>C</text:p><text:p>two</text:p></table:table-cell>
        <table:table-cell/><table:table-cell office:value-type="date" office:date-value="2026-02-28"/>
        <table:table-cell office:value-type="boolean" office:boolean-value="true" table:number-columns-repeated="2"/>
        <table:table-cell table:number-columns-repeated="1000"/></table:table-row>
        <table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="1024"/></table:table-row></table:table>"#;
    let options = Options { sheet: Some("People".into()), ..Options::default() };
    let table = open(Box::new(Cursor::new(ods(table))), &options).unwrap();
    assert_eq!(table.sheets, ["Notes", "People"]);
    let rows: Vec<_> = table.rows.map(|r| r.unwrap().cells).collect();
    let day = Cell::Date(jiff::civil::date(2026, 2, 28));
    assert_eq!(rows, [vec![Cell::from("A & B  C\ntwo"), Cell::Empty, day, Cell::Bool(true), Cell::Bool(true)]]);
}

#[test]
fn a_missing_sheet_is_named() {
    let options = Options { sheet: Some("Two".into()), ..Options::default() };
    let file = workbook("<worksheet><sheetData/></worksheet>", "<sst/>");
    assert!(matches!(open(Box::new(Cursor::new(file)), &options), Err(Error::NoSheet(name)) if name == "Two"));
}

fn good(format: &str) -> Vec<u8> {
    let mut file = Vec::new();
    let mut out = writer(format, "s", false, Box::new(&mut file)).unwrap().unwrap();
    out.header(&["a".into(), "b".into()]).unwrap();
    out.row(&["text é".into(), Cell::Number(5.0)]).unwrap();
    out.row(&["日本".into(), Cell::Date(jiff::civil::date(2026, 1, 1))]).unwrap();
    out.finish().unwrap();
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn arbitrary_bytes_are_rows_or_an_error(head in 0usize..4, bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let heads: [&[u8]; 4] = [b"", b"PK\x03\x04", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", b"\xFF\xFE"];
        drop(all([heads[head], &bytes[..]].concat(), Limits::default()));
    }

    #[test]
    fn damaged_spreadsheets_are_rows_or_an_error(
        format in prop_oneof![Just("xls"), Just("xlsx")], cut in 0.0..1.0f64, flips in prop::collection::vec((0.0..1.0f64, any::<u8>()), 0..12)
    ) {
        let mut file = good(format);
        for (at, byte) in flips {
            let at = (at * file.len() as f64) as usize;
            file[at] = byte;
        }
        if cut < 0.3 {
            let length = (cut / 0.3 * file.len() as f64) as usize;
            file.truncate(length);
        }
        drop(all(file, Limits::default()));
    }

    #[test]
    fn any_text_is_a_number_or_none(text in "[-+()0-9., '$€eE]{0,14}|\\PC{0,14}") {
        assert!(number(&text, Separators::default(), CURRENCIES).is_none_or(|n| text.bytes().any(|b| b.is_ascii_digit()) || n.is_zero()));
        drop(column(&[Cell::from(text)], &Hints { currencies: CURRENCIES, ..Hints::default() }));
    }
}
