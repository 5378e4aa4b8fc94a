//! ODS row by row. A repeated cell or row is one element with a count, so a small file may mean billions of cells; the
//! counts are followed only as far as the limits go.

use std::io::BufReader;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use zip::ZipArchive;

use super::{Format, Options, Row, Rows, Sender, Source, Table, choose, packed, xlsx};
use crate::{Cell, Error};

pub(super) fn open(source: Box<dyn Source>, options: &Options) -> Result<Table, Error> {
    let mut archive = ZipArchive::new(source).map_err(packed::damaged)?;
    let sheets = names(&mut archive)?;
    let sheet = choose(&sheets, options.sheet.as_deref())?;
    let name = sheet.clone();
    let limits = options.limits;
    let rows = Rows::thread(options, move |to| {
        let content = archive.by_name("content.xml").map_err(packed::damaged)?;
        let mut sheet =
            Sheet { xml: Reader::from_reader(BufReader::new(content)), buffer: Vec::new(), columns: limits.columns };
        sheet.read(&name, limits.rows, to)
    })?;
    Ok(Table { format: Format::Ods, encoding: None, separator: None, sheets, sheet: Some(sheet), rows })
}

fn names(archive: &mut ZipArchive<Box<dyn Source>>) -> Result<Vec<String>, Error> {
    let content = archive.by_name("content.xml").map_err(packed::damaged)?;
    let mut xml = Reader::from_reader(BufReader::new(content));
    let (mut names, mut buffer) = (Vec::new(), Vec::new());
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(damaged)? {
            Event::Start(e) | Event::Empty(e) if e.name().as_ref() == "table:table" => {
                names.push(attribute(&e, "table:name")?.unwrap_or_default());
                if names.len() > 1_000 {
                    return Err(Error::TooMany { what: "sheets", limit: 1_000 });
                }
            }
            Event::Eof => return Ok(names),
            _ => {}
        }
    }
}

fn damaged(error: quick_xml::Error) -> Error {
    Error::Damaged(error.to_string())
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, Error> {
    match element.try_get_attribute(name) {
        Ok(Some(found)) => {
            let value = found.normalized_value(quick_xml::XmlVersion::Implicit1_0);
            Ok(Some(value.map_err(damaged)?.into_owned()))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(Error::Damaged(error.to_string())),
    }
}

fn count(element: &BytesStart<'_>, name: &str) -> Result<u64, Error> {
    Ok(attribute(element, name)?.and_then(|n| n.trim().parse().ok()).unwrap_or(1))
}

struct Sheet<R: std::io::Read> {
    xml: Reader<BufReader<R>>,
    buffer: Vec<u8>,
    columns: u64,
}

enum Step {
    Sheet(Option<String>),
    SheetEnd,
    Row(u64),
    RowEnd,
    Cell { value: Value, repeat: u64, open: bool },
    CellEnd,
    Paragraph,
    Text(String),
    AnnotationStart,
    AnnotationEnd,
    Other,
    End,
}

enum Value {
    Is(Cell),
    /// The value is the text inside the cell.
    Inside,
}

impl<R: std::io::Read> Sheet<R> {
    fn read(&mut self, name: &str, rows: u64, to: &mut Sender) -> Result<(), Error> {
        let mut inside = false;
        let (mut line, mut sent) = (0u64, 0u64);
        let mut cells: Vec<Cell> = Vec::new();
        let mut blanks = 0u64;
        let mut repeat_row = 1u64;
        // The open cell: its value or text, and how often it stands.
        let mut cell: Option<(Value, u64, String)> = None;
        let mut annotation = 0u32;
        loop {
            match self.step()? {
                Step::Sheet(found) => inside = found.as_deref().unwrap_or_default() == name,
                Step::SheetEnd if inside => return Ok(()),
                Step::End => return Ok(()),
                _ if !inside => {}
                Step::AnnotationStart => annotation += 1,
                Step::AnnotationEnd => annotation = annotation.saturating_sub(1),
                _ if annotation > 0 => {}
                Step::Row(repeat) => {
                    repeat_row = repeat;
                    cells.clear();
                    blanks = 0;
                }
                Step::RowEnd => {
                    let first = line + 1;
                    line = line.saturating_add(repeat_row);
                    if cells.iter().all(Cell::is_blank) {
                        continue;
                    }
                    for n in 0..repeat_row {
                        sent += 1;
                        let more = to.row(Row { line: first.saturating_add(n), cells: cells.clone(), found: 0 });
                        // The row beyond the limit is sent, so that its reader says so.
                        if !more || sent > rows {
                            return Ok(());
                        }
                    }
                }
                Step::Cell { value, repeat, open: true } => cell = Some((value, repeat, String::new())),
                Step::Cell { value, repeat, open: false } => {
                    let value = if let Value::Is(cell) = value { cell } else { Cell::Empty };
                    self.put(&mut cells, &mut blanks, value, repeat)?;
                }
                Step::CellEnd => {
                    if let Some((value, repeat, text)) = cell.take() {
                        let value = match value {
                            Value::Is(cell) => cell,
                            Value::Inside => Cell::from(text),
                        };
                        self.put(&mut cells, &mut blanks, value, repeat)?;
                    }
                }
                Step::Paragraph => {
                    if let Some((_, _, text)) = cell.as_mut().filter(|(_, _, text)| !text.is_empty()) {
                        text.push('\n');
                    }
                }
                Step::Text(more) => {
                    if let Some((_, _, text)) = cell.as_mut() {
                        text.push_str(&more);
                    }
                }
                Step::SheetEnd | Step::Other => {}
            }
        }
    }

    fn put(&self, cells: &mut Vec<Cell>, blanks: &mut u64, value: Cell, repeat: u64) -> Result<(), Error> {
        if value == Cell::Empty {
            *blanks = blanks.saturating_add(repeat);
            return Ok(());
        }
        let width = (cells.len() as u64).saturating_add(*blanks).saturating_add(repeat);
        if width > self.columns {
            return Err(Error::TooMany { what: "columns", limit: self.columns });
        }
        cells.resize(cells.len() + *blanks as usize, Cell::Empty);
        *blanks = 0;
        cells.resize(width as usize, value);
        Ok(())
    }

    fn step(&mut self) -> Result<Step, Error> {
        self.buffer.clear();
        let event = self.xml.read_event_into(&mut self.buffer).map_err(damaged)?;
        let open = matches!(event, Event::Start(_));
        Ok(match event {
            Event::Start(e) | Event::Empty(e) => match e.name().as_ref() {
                "table:table" => Step::Sheet(attribute(&e, "table:name")?),
                "table:table-row" if open => Step::Row(count(&e, "table:number-rows-repeated")?),
                "table:table-cell" | "table:covered-table-cell" => {
                    Step::Cell { value: value(&e)?, repeat: count(&e, "table:number-columns-repeated")?, open }
                }
                "text:p" => Step::Paragraph,
                "text:s" => Step::Text(" ".repeat(count(&e, "text:c")?.min(1_000) as usize)),
                "text:tab" => Step::Text("\t".into()),
                "text:line-break" => Step::Text("\n".into()),
                "office:annotation" if open => Step::AnnotationStart,
                _ => Step::Other,
            },
            Event::End(e) => match e.name().as_ref() {
                "table:table" => Step::SheetEnd,
                "table:table-row" => Step::RowEnd,
                "table:table-cell" | "table:covered-table-cell" => Step::CellEnd,
                "office:annotation" => Step::AnnotationEnd,
                _ => Step::Other,
            },
            Event::Text(text) => Step::Text(text.xml10_content().into_owned()),
            Event::CData(text) => Step::Text(text.xml10_content().into_owned()),
            Event::GeneralRef(reference) => {
                let c = reference.resolve_char_ref().map_err(damaged)?;
                let text = c
                    .map(String::from)
                    .or_else(|| quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned));
                Step::Text(text.unwrap_or_default())
            }
            Event::Eof => Step::End,
            _ => Step::Other,
        })
    }
}

fn value(e: &BytesStart<'_>) -> Result<Value, Error> {
    let Some(kind) = attribute(e, "office:value-type")? else { return Ok(Value::Is(Cell::Empty)) };
    let of = |name: &str| attribute(e, name).map(Option::unwrap_or_default);
    Ok(match kind.as_str() {
        "float" | "currency" | "percentage" => match of("office:value")?.trim().parse() {
            Ok(number) => Value::Is(Cell::Number(number)),
            Err(_) => Value::Inside,
        },
        "boolean" => Value::Is(Cell::Bool(of("office:boolean-value")?.eq_ignore_ascii_case("true"))),
        "date" => Value::Is(xlsx::iso(&of("office:date-value")?)),
        "string" => match attribute(e, "office:string-value")? {
            Some(text) if !text.is_empty() => Value::Is(Cell::from(text)),
            _ => Value::Inside,
        },
        _ => Value::Inside,
    })
}
