//! Files of people's programs, as rows.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Cursor, Read, Seek, SeekFrom};

use erp_exchange::{Cell, Error, Format, Limits, Options, Row, Table, open};

fn read(bytes: &[u8], options: &Options) -> Result<(Table, Vec<Row>), Error> {
    let mut table = open(Box::new(Cursor::new(bytes.to_vec())), options)?;
    let rows = table.rows.by_ref().collect::<Result<Vec<_>, _>>()?;
    Ok((table, rows))
}

fn texts(rows: &[Row]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.cells.iter().map(|c| c.text().into_owned()).collect()).collect()
}

fn plain(bytes: &[u8]) -> (Table, Vec<Vec<String>>) {
    let (table, rows) = read(bytes, &Options::default()).unwrap();
    let texts = texts(&rows);
    (table, texts)
}

#[test]
fn the_separator_is_found_in_the_order_comma_semicolon_tab_space_pipe() {
    for (text, separator) in [
        ("a,b\n1,2\n", ','),
        ("a;b\n1;2,5\n", ';'),
        ("a\tb\n1\t2\n", '\t'),
        ("a b\n1 2\n", ' '),
        ("a|b\n1 0|2\n", '|'),
        ("a\u{1f}b\n1\u{1f}2\n", '\u{1f}'),
        ("name\nfoo bar\nbaz\n", ','),
        ("a,b;c\n1,2;3\n", ','),
    ] {
        assert_eq!(plain(text.as_bytes()).0.separator, Some(separator), "{text:?}");
    }
}

#[test]
fn one_row_that_is_off_does_not_hide_the_separator() {
    let mut text = String::from("name;street;city\n");
    for n in 0..20 {
        text.push_str(&format!("n{n};s, {n};c\n"));
    }
    text.push_str("short\n");
    assert_eq!(plain(text.as_bytes()).0.separator, Some(';'));
}

#[test]
fn encodings_are_known_by_mark_by_validity_and_by_look() {
    let text = "name,city\nMüller,Zürich\nDupré,Orléans\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let latin: Vec<u8> = text.chars().map(|c| c as u32 as u8).collect();
    let files = [
        (text.as_bytes().to_vec(), "utf-8"),
        ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), "utf-8"),
        ([b"\xFF\xFE", &utf16[..]].concat(), "utf-16le"),
        ([b"\xFE\xFF", &utf16be[..]].concat(), "utf-16be"),
        (utf16, "utf-16le"),
        (utf16be, "utf-16be"),
        (latin, "windows-1252"),
    ];
    for (bytes, name) in files {
        let (table, rows) = plain(&bytes);
        assert_eq!(table.encoding.as_deref(), Some(name));
        assert_eq!(rows[0][0], "name", "{name}");
        assert_eq!(rows[1], ["Müller", "Zürich"], "{name}");
    }
}

#[test]
fn texts_of_other_scripts_in_old_encodings_are_read() {
    for (label, text) in [
        ("windows-1251", "имя,город\nИван Петров,Москва\nАнна Сидорова,Санкт-Петербург\n"),
        ("koi8-r", "имя,город\nИван Петров,Москва\nАнна Сидорова,Санкт-Петербург\n"),
        ("shift_jis", "名前,市\nたなか はなこ,ひろしま\nすずき タロウ,とうきょう\n"),
        ("gb18030", "姓名,城市\n王小明,北京\n李大平,上海\n"),
        ("euc-kr", "이름,도시\n김철수,서울\n이영희,부산\n"),
    ] {
        let (bytes, _, _) = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(text);
        let (table, rows) = plain(&bytes);
        assert_eq!(table.encoding.as_deref(), Some(label));
        assert_eq!(rows[1][0], text.lines().nth(1).unwrap().split(',').next().unwrap());
    }
}

#[test]
fn a_file_in_another_encoding_than_chosen_is_refused_with_row_and_byte() {
    let options = Options { encoding: Some("utf-8".into()), ..Options::default() };
    let Err(Error::Encoding { encoding, row, byte }) = read(b"name\nok\nM\xFCller\n", &options) else { panic!() };
    assert_eq!((encoding.as_str(), row, byte), ("UTF-8", 3, 9));
    let options = Options { encoding: Some("klingon".into()), ..Options::default() };
    assert!(matches!(read(b"a", &options), Err(Error::UnknownEncoding(_))));
}

#[test]
fn a_wrong_byte_far_in_the_file_is_found_too() {
    let mut file = b"name,city\n".to_vec();
    for _ in 0..50_000 {
        file.extend_from_slice("Zoë,Köln\n".as_bytes());
    }
    let at = file.len() as u64;
    file.extend_from_slice(b"\xE9,x\n");
    let (table, rows) = plain(&file);
    assert_eq!(table.encoding.as_deref(), Some("windows-1252"));
    assert_eq!(rows.len(), 50_002);
    let options = Options { encoding: Some("utf-8".into()), ..Options::default() };
    let Err(Error::Encoding { row, byte, .. }) = read(&file, &options) else { panic!() };
    assert_eq!((row, byte), (50_002, at));
}

#[test]
fn blank_rows_are_dropped_and_rows_keep_their_line() {
    let (_, rows) = read(b"a,b\r\n\r\n , \r\n\"x\ny\",2\r\n,\r\n3,4\r\n", &Options::default()).unwrap();
    assert_eq!(texts(&rows), [["a", "b"], ["x\ny", "2"], ["3", "4"]]);
    assert_eq!(rows.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 4, 7]);
}

#[test]
fn lines_may_end_as_on_any_machine() {
    for file in ["a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\r1,2\r", "a,b\n1,2", "a,\"b\"\r\n1,\"2\"\r\n"] {
        assert_eq!(plain(file.as_bytes()).1, [["a", "b"], ["1", "2"]], "{file:?}");
    }
}

#[test]
fn rows_of_another_width_say_so() {
    let options = Options { separator: Some(','), ..Options::default() };
    let (_, rows) = read(b"a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n", &options).unwrap();
    assert_eq!(rows.iter().map(|r| (r.found, r.cells.len())).collect::<Vec<_>>(), [(3, 3), (2, 3), (4, 4), (3, 3)]);
}

#[test]
fn the_text_delimiter_may_be_another_and_an_open_one_is_an_error() {
    let options = Options { quoting: Some('\''), ..Options::default() };
    let (_, rows) = read(b"a,b\n'1,5',\"2\"\n", &options).unwrap();
    assert_eq!(texts(&rows)[1], ["1,5", "\"2\""]);
    let mut open = b"a,b\n1,\"".to_vec();
    open.resize(400_000, b'x');
    let limits = Limits { row_bytes: 10_000, ..Limits::default() };
    let options = Options { separator: Some(','), limits, ..Options::default() };
    assert!(matches!(read(&open, &options), Err(Error::OpenQuote { row: 2, limit: 10_000 })));
}

#[test]
fn reading_goes_on_where_it_stopped() {
    let file = "\u{feff}name,note\na,1\n\"b\nb\",2\nc,3\nd,4\n";
    let mut table = open(Box::new(Cursor::new(file.as_bytes().to_vec())), &Options::default()).unwrap();
    for _ in 0..3 {
        table.rows.next().unwrap().unwrap();
    }
    let resume = table.rows.resume().unwrap();
    let options =
        Options { resume: Some(resume), separator: table.separator, encoding: table.encoding, ..Options::default() };
    let (_, rest) = read(file.as_bytes(), &options).unwrap();
    assert_eq!(texts(&rest), [["c", "3"], ["d", "4"]]);
    assert_eq!(rest[0].line, 5);
}

#[test]
fn pictures_are_no_tables() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";
    assert!(matches!(read(png, &Options::default()), Err(Error::UnknownFormat)));
}

/// A CSV file that is never in memory.
struct Generated {
    at: u64,
    row: u64,
    rest: Vec<u8>,
    rows: u64,
}

impl Read for Generated {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.is_empty() && self.row < self.rows {
            for _ in 0..100 {
                let row = format!("contact_{},Name {},street {} é,City\n", self.row, self.row, self.row);
                self.rest.extend_from_slice(row.as_bytes());
                self.row += 1;
            }
        }
        let n = self.rest.len().min(out.len());
        out[..n].copy_from_slice(&self.rest[..n]);
        self.rest.drain(..n);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Generated {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        assert_eq!(to, SeekFrom::Start(0));
        (self.at, self.row) = (0, 0);
        self.rest.clear();
        Ok(0)
    }
}

fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let count = |rows| {
        let source = Generated { at: 0, row: 0, rest: Vec::new(), rows };
        open(Box::new(source), &Options::default()).unwrap().rows.map(Result::unwrap).count() as u64
    };
    assert_eq!(count(2_000), 2_000);
    let before = peak();
    assert_eq!(count(200_000), 200_000);
    assert!(peak() - before < 4_096, "{} KiB more", peak() - before);
}

#[test]
fn formats_are_told_by_their_bytes() {
    assert_eq!(plain(b"a,b\n1,2\n").0.format, Format::Csv);
    assert_eq!(plain(b"").1, Vec::<Vec<String>>::new());
    assert_eq!(Cell::from(""), Cell::Empty);
}
