//! Bytes to text: a byte order mark decides, then validity as UTF-8 over the whole file, then the look of the other bytes.

use std::io::{self, Read, SeekFrom};

use encoding_rs::{BIG5, DecoderResult, EUC_KR, Encoding, GB18030, KOI8_R, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs::{WINDOWS_1251, WINDOWS_1252};

use super::Source;
use crate::Error;

/// Bytes that a guess about an old encoding looks at.
const SAMPLE: usize = 64 << 10;

/// An encoding by the name that people and other programs give it.
pub(super) fn named(name: &str) -> Result<&'static Encoding, Error> {
    let label = name.trim().to_ascii_lowercase().replace('_', "-");
    let label = match label.as_str() {
        "utf8" | "utf-8-sig" => "utf-8",
        "utf16" => "utf-16",
        "latin-1" => "latin1",
        "latin-2" => "latin2",
        "cp1250" | "cp1251" | "cp1252" | "cp1253" | "cp1254" | "cp1257" => {
            return named(&label.replace("cp", "windows-"));
        }
        "shift-jis" => "shift_jis",
        "gb2312" => "gb18030",
        other => other,
    };
    Encoding::for_label(label.as_bytes()).ok_or_else(|| Error::UnknownEncoding(name.to_owned()))
}

/// The encoding of a whole file.
pub(super) fn guess(source: &mut dyn Source) -> Result<&'static Encoding, Error> {
    source.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; SAMPLE];
    let first = fill(source, &mut buffer)?;
    let head = &buffer[..first];
    if head.starts_with(&[0xFF, 0xFE, 0, 0]) || head.starts_with(&[0, 0, 0xFE, 0xFF]) {
        return Err(Error::UnknownEncoding("utf-32".into()));
    }
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return Ok(encoding);
    }
    if let Some(encoding) = without_mark(head) {
        return Ok(encoding);
    }
    if head.contains(&0) {
        return Err(Error::UnknownFormat);
    }
    let mut sample = buffer[..first].to_vec();
    let mut read = first;
    loop {
        // A character may lie across the border of two pieces: what is left of it goes before the next.
        let keep = match std::str::from_utf8(&sample) {
            Ok(_) => 0,
            Err(bad) if bad.error_len().is_none() && read > 0 => sample.len() - bad.valid_up_to(),
            Err(bad) => {
                let mut tail = sample.split_off(bad.valid_up_to().saturating_sub(64));
                let read = fill(source, &mut buffer)?;
                tail.extend_from_slice(&buffer[..read]);
                return Ok(old(&tail));
            }
        };
        if read == 0 {
            return Ok(UTF_8);
        }
        sample.drain(..sample.len() - keep);
        read = fill(source, &mut buffer)?;
        sample.extend_from_slice(&buffer[..read]);
    }
}

fn fill(source: &mut dyn Source, buffer: &mut [u8]) -> Result<usize, Error> {
    let mut read = 0;
    while read < buffer.len() {
        match source.read(&mut buffer[read..])? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

/// UTF-16 of mostly Latin text has a zero in every other byte.
fn without_mark(head: &[u8]) -> Option<&'static Encoding> {
    if head.len() < 4 {
        return None;
    }
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count() * 10;
    let half = head.len() / 2;
    match (zeros(0) > half * 4, zeros(1) > half * 4) {
        (true, false) => Some(UTF_16BE),
        (false, true) => Some(UTF_16LE),
        _ => None,
    }
}

/// An encoding, the characters that its texts are full of, and how full in percent.
type East<'a> = (&'static Encoding, &'a dyn Fn(char) -> bool, usize);

/// Encodings from before UTF-8. Accents of western languages stand alone among ASCII letters; Cyrillic and East Asian texts
/// are runs of high bytes.
fn old(sample: &[u8]) -> &'static Encoding {
    let high = sample.iter().filter(|b| **b >= 0x80).count();
    let pairs = sample.windows(2).filter(|w| w[0] >= 0x80 && w[1] >= 0x80).count();
    if pairs * 2 < high {
        return WINDOWS_1252;
    }
    let decoded = |encoding: &'static Encoding| encoding.decode_without_bom_handling_and_without_replacement(sample);
    let share = |text: &str, is: &dyn Fn(char) -> bool| {
        let all = text.chars().filter(|c| !c.is_ascii()).count().max(1);
        text.chars().filter(|c| is(*c)).count() * 100 / all
    };
    let east: [East<'_>; 4] = [
        (SHIFT_JIS, &|c| ('\u{3040}'..='\u{30FF}').contains(&c), 25),
        (EUC_KR, &|c| ('\u{AC00}'..='\u{D7A3}').contains(&c), 80),
        (GB18030, &|c| common_gb(c), 60),
        (BIG5, &|c| ('\u{4E00}'..='\u{9FFF}').contains(&c), 80),
    ];
    for (encoding, is, least) in east {
        if decoded(encoding).is_some_and(|text| share(&text, is) >= least) {
            return encoding;
        }
    }
    // Inside a word a capital does not follow a small letter.
    let jumps = |encoding: &'static Encoding| {
        decoded(encoding).map_or(usize::MAX, |text| {
            let letters: Vec<char> = text.chars().collect();
            letters.windows(2).filter(|w| w[0].is_lowercase() && w[1].is_uppercase()).count()
        })
    };
    let cyrillic = |c: char| ('\u{0400}'..='\u{04FF}').contains(&c);
    let best = if jumps(KOI8_R) < jumps(WINDOWS_1251) { KOI8_R } else { WINDOWS_1251 };
    match decoded(best) {
        Some(text) if share(&text, &cyrillic) >= 90 => best,
        _ => WINDOWS_1252,
    }
}

/// The first level of GB 2312: the characters in daily use, whose first byte is B0 to D7.
fn common_gb(c: char) -> bool {
    let mut text = [0; 4];
    let (bytes, _, unmappable) = GB18030.encode(c.encode_utf8(&mut text));
    !unmappable && bytes.len() == 2 && (0xB0..=0xD7).contains(&bytes[0]) && bytes[1] >= 0xA1
}

/// Text as UTF-8 from a file in `encoding`. What is no text of it is an error that names row and byte.
pub(super) struct Decoded {
    inner: Box<dyn Source>,
    decoder: encoding_rs::Decoder,
    encoding: &'static Encoding,
    raw: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    finished: bool,
    byte: u64,
    row: u64,
    /// Bytes given out since [`Decoded::row_begins`]: a row without an end is stopped here.
    since: u64,
    limit: u64,
    carriage: Option<bool>,
}

impl Decoded {
    /// `inner` stands at the byte to begin with; a byte order mark there is passed over.
    pub(super) fn new(inner: Box<dyn Source>, encoding: &'static Encoding, byte: u64, row: u64, limit: u64) -> Self {
        let decoder = if byte == 0 {
            encoding.new_decoder_with_bom_removal()
        } else {
            encoding.new_decoder_without_bom_handling()
        };
        Self {
            inner,
            decoder,
            encoding,
            raw: vec![0; SAMPLE],
            start: 0,
            end: 0,
            ended: false,
            finished: false,
            byte,
            row,
            since: 0,
            limit,
            carriage: None,
        }
    }

    pub(super) fn row_begins(&mut self) {
        self.since = 0;
    }
}

impl Read for Decoded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.finished || out.is_empty() {
                return Ok(0);
            }
            // What the reader of rows holds in its own buffer counts too.
            if self.since > self.limit + SAMPLE as u64 {
                return Err(Error::OpenQuote { row: self.row, limit: self.limit }.into());
            }
            if self.start == self.end && !self.ended {
                self.end = self.inner.read(&mut self.raw)?;
                self.start = 0;
                self.ended = self.end == 0;
            }
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(&self.raw[self.start..self.end], out, self.ended);
            self.start += read;
            self.byte += read as u64;
            self.since += written as u64;
            match result {
                DecoderResult::Malformed(length, after) => {
                    let row = self.row + out[..written].iter().filter(|b| **b == b'\n').count() as u64;
                    let byte = (self.byte).saturating_sub(u64::from(length) + u64::from(after));
                    return Err(Error::Encoding { encoding: self.encoding.name().to_owned(), row, byte }.into());
                }
                DecoderResult::InputEmpty if self.ended => self.finished = true,
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            }
            self.line_ends(&mut out[..written]);
            self.row += out[..written].iter().filter(|b| **b == b'\n').count() as u64;
            if written > 0 || self.finished {
                return Ok(written);
            }
        }
    }
}

impl Decoded {
    /// Old programs end lines with a carriage return alone. A file without a line feed in its first piece is one of theirs.
    fn line_ends(&mut self, text: &mut [u8]) {
        let old = *self.carriage.get_or_insert_with(|| text.contains(&b'\r') && !text.contains(&b'\n'));
        if old {
            text.iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        }
    }

    pub(super) fn into_source(self) -> Box<dyn Source> {
        self.inner
    }
}
