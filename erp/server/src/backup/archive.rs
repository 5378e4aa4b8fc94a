//! The backup file: a ZIP that people can look into.
//!
//! | entry | what |
//! |---|---|
//! | `backup.json` | format, name and uuid of the database, installed apps, when it was made; first |
//! | `tables/<name>.jsonl` | a line with the columns and the highest id given, then a line a row |
//! | `files/<sha256>` | pictures and attachments |
//! | `end.json` | how many rows and files there are; last, so that a file cut short is known |

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

pub(super) const FORMAT: u32 = 1;
const META: &str = "backup.json";
const END: &str = "end.json";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) format: u32,
    pub(super) database: String,
    pub(super) uuid: String,
    pub(super) made: String,
    pub(super) program: String,
    /// Installed apps in loading order.
    pub(super) apps: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) files: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) columns: Vec<String>,
    pub(super) highest: i64,
}

/// Written beside its place and moved there when it is whole and on the disk.
pub(super) struct Writer {
    zip: ZipWriter<BufWriter<File>>,
    part: PathBuf,
    place: PathBuf,
    counts: Counts,
}

impl Writer {
    pub(super) fn create(place: &Path, meta: &Meta) -> anyhow::Result<Writer> {
        let mut part = place.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let zip = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
        let mut writer = Writer { zip, part, place: place.to_owned(), counts: Counts::default() };
        writer.begin(META)?;
        serde_json::to_writer_pretty(&mut writer.zip, meta)?;
        Ok(writer)
    }

    fn begin(&mut self, name: &str) -> anyhow::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(3))
            .large_file(true);
        Ok(self.zip.start_file(name, options)?)
    }

    pub(super) fn table(&mut self, name: &str, head: &Head) -> anyhow::Result<()> {
        self.begin(&format!("tables/{name}.jsonl"))?;
        self.line(head)
    }

    pub(super) fn row(&mut self, row: &[Json]) -> anyhow::Result<()> {
        self.counts.rows += 1;
        self.line(row)
    }

    fn line(&mut self, what: &(impl Serialize + ?Sized)) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.zip, what)?;
        Ok(self.zip.write_all(b"\n")?)
    }

    /// Stored as they are: most are pictures and PDFs, which do not get smaller.
    pub(super) fn file(&mut self, name: &str, mut content: impl Read) -> anyhow::Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        self.zip.start_file(format!("files/{name}"), options)?;
        std::io::copy(&mut content, &mut self.zip)?;
        self.counts.files += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<Counts> {
        let counts = self.counts;
        self.begin(END)?;
        serde_json::to_writer(&mut self.zip, &counts)?;
        let file = self.zip.finish()?.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?;
        file.sync_all()?;
        fs::rename(&self.part, &self.place).with_context(|| format!("cannot write {}", self.place.display()))?;
        if let Some(folder) = self.place.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(counts)
    }
}

pub(super) struct Reader {
    zip: ZipArchive<BufReader<File>>,
    pub(super) meta: Meta,
    pub(super) counts: Counts,
}

impl Reader {
    pub(super) fn open(place: &Path) -> anyhow::Result<Reader> {
        let file = File::open(place).with_context(|| format!("cannot read {}", place.display()))?;
        let not = || {
            format!("{} is no whole backup of this program: it was cut short, or is something else", place.display())
        };
        let mut zip = ZipArchive::new(BufReader::with_capacity(1 << 20, file)).with_context(not)?;
        let meta: Meta = serde_json::from_reader(zip.by_name(META).with_context(not)?).with_context(not)?;
        if meta.format != FORMAT {
            bail!(
                "the backup has format {}, this program reads {FORMAT}: use the version that made it, {}",
                meta.format,
                meta.program
            );
        }
        let counts = serde_json::from_reader(zip.by_name(END).with_context(not)?).with_context(not)?;
        Ok(Reader { zip, meta, counts })
    }

    pub(super) fn tables(&self) -> Vec<String> {
        let name = |entry: &str| Some(entry.strip_prefix("tables/")?.strip_suffix(".jsonl")?.to_owned());
        self.zip.file_names().flatten().filter_map(|entry| name(&entry)).collect()
    }

    /// The rows of a table, piece by piece.
    pub(super) fn table(&mut self, name: &str) -> anyhow::Result<Rows<impl BufRead + use<'_>>> {
        let entry = self.zip.by_name(&format!("tables/{name}.jsonl"))?;
        let mut lines = BufReader::with_capacity(1 << 18, entry);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let head = serde_json::from_str(&first).with_context(|| format!("the backup's table {name} is damaged"))?;
        Ok(Rows { head, lines, text: String::new() })
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.zip.file_names().flatten().filter_map(|entry| Some(entry.strip_prefix("files/")?.to_owned())).collect()
    }

    pub(super) fn file(&mut self, name: &str) -> anyhow::Result<impl Read + use<'_>> {
        Ok(self.zip.by_name(&format!("files/{name}"))?)
    }
}

pub(super) struct Rows<R> {
    pub(super) head: Head,
    lines: R,
    text: String,
}

impl<R: BufRead> Rows<R> {
    /// Up to `most` rows; none at the end.
    pub(super) fn next(&mut self, most: usize) -> anyhow::Result<Vec<Vec<Json>>> {
        let mut rows = Vec::new();
        while rows.len() < most {
            self.text.clear();
            if self.lines.read_line(&mut self.text)? == 0 {
                break;
            }
            rows.push(serde_json::from_str(&self.text).context("a row of the backup is damaged")?);
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meta() -> Meta {
        Meta {
            format: FORMAT,
            database: "shop".to_owned(),
            uuid: "u".to_owned(),
            made: "now".to_owned(),
            program: "1".to_owned(),
            apps: vec!["base".to_owned()],
        }
    }

    #[test]
    fn what_was_written_is_read_and_a_file_cut_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("shop.zip");
        let mut writer = Writer::create(&place, &meta()).unwrap();
        writer.table("a", &Head { columns: vec!["id".to_owned()], highest: 9 }).unwrap();
        for id in 1..=5 {
            writer.row(&[json!(id)]).unwrap();
        }
        writer.file("cafe", &b"bytes"[..]).unwrap();
        assert_eq!(writer.finish().unwrap(), Counts { rows: 5, files: 1 });
        assert!(!dir.path().join("shop.zip.part").exists());

        let mut reader = Reader::open(&place).unwrap();
        assert_eq!((reader.tables(), reader.files()), (vec!["a".to_owned()], vec!["cafe".to_owned()]));
        let mut rows = reader.table("a").unwrap();
        assert_eq!((rows.head.highest, rows.next(3).unwrap().len(), rows.next(3).unwrap().len()), (9, 3, 2));
        assert!(rows.next(3).unwrap().is_empty());

        let whole = fs::read(&place).unwrap();
        fs::write(&place, &whole[..whole.len() - 40]).unwrap();
        let error = Reader::open(&place).err().unwrap().to_string();
        assert!(error.contains("no whole backup"), "{error}");
    }
}
