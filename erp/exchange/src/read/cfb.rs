//! The container of XLS (MS-CFB): sectors chained by a table, with a directory of streams. Read only as far as the
//! workbook's stream; every chain is bounded by the file's size.

use crate::Error;

const FREE: u32 = 0xFFFF_FFFA;

fn damaged() -> Error {
    Error::Damaged("its container is broken".into())
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Error> {
    bytes.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or_else(damaged)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Error> {
    bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).ok_or_else(damaged)
}

struct Container<'a> {
    file: &'a [u8],
    size: usize,
    fat: Vec<u32>,
}

impl<'a> Container<'a> {
    fn open(file: &'a [u8]) -> Result<Self, Error> {
        let shift = u16_at(file, 30)?;
        if shift != 9 && shift != 12 {
            return Err(damaged());
        }
        let mut container = Self { file, size: 1 << shift, fat: Vec::new() };
        let sectors = file.len() / container.size + 1;
        let mut tables: Vec<u32> = Vec::new();
        for n in 0..109 {
            tables.push(u32_at(file, 76 + n * 4)?);
        }
        let mut next = u32_at(file, 68)?;
        let mut steps = 0;
        while next < FREE && steps < sectors {
            let sector = container.sector(next)?;
            let words = container.size / 4;
            for n in 0..words - 1 {
                tables.push(u32_at(sector, n * 4)?);
            }
            next = u32_at(sector, (words - 1) * 4)?;
            steps += 1;
        }
        for table in tables.into_iter().filter(|t| *t < FREE).take(sectors) {
            let sector = container.sector(table)?;
            for word in sector.chunks_exact(4) {
                container.fat.push(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            }
        }
        Ok(container)
    }

    fn sector(&self, number: u32) -> Result<&'a [u8], Error> {
        let start = (number as usize).checked_add(1).and_then(|n| n.checked_mul(self.size)).ok_or_else(damaged)?;
        // The last sector may be cut short.
        let end = (start + self.size).min(self.file.len());
        self.file.get(start..end).ok_or_else(damaged)
    }

    fn chain(&self, first: u32) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let (mut next, mut steps) = (first, 0);
        while next < FREE {
            out.extend_from_slice(self.sector(next)?);
            next = *self.fat.get(next as usize).ok_or_else(damaged)?;
            steps += 1;
            if steps > self.fat.len() {
                return Err(damaged());
            }
        }
        Ok(out)
    }
}

/// The stream `Workbook` (BIFF8), else `Book` (BIFF5).
pub(super) fn workbook(file: &[u8]) -> Result<Vec<u8>, Error> {
    let container = Container::open(file)?;
    let directory = container.chain(u32_at(file, 48)?)?;
    let mut root = None;
    let mut found = None;
    for entry in directory.chunks_exact(128) {
        let length = usize::from(u16_at(entry, 64)?).saturating_sub(2).min(62);
        let name: String =
            char::decode_utf16(entry[..length].chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])))
                .map(|c| c.unwrap_or('?'))
                .collect();
        let stream = (u32_at(entry, 116)?, u32_at(entry, 120)? as usize);
        match name.to_ascii_lowercase().as_str() {
            "workbook" => found = Some(stream),
            "book" if found.is_none() => found = Some(stream),
            "encryptedpackage" => return Err(Error::Password),
            _ if entry[66] == 5 => root = Some(stream),
            _ => {}
        }
    }
    let (first, size) = found.ok_or(Error::UnknownFormat)?;
    if size >= u32_at(file, 56)? as usize {
        let mut stream = container.chain(first)?;
        stream.truncate(size);
        return Ok(stream);
    }
    // Small streams lie in a stream of their own, in sectors of 64 bytes.
    let mini = container.chain(root.ok_or_else(damaged)?.0)?;
    let table = container.chain(u32_at(file, 60)?)?;
    let (mut out, mut next, mut steps) = (Vec::new(), first, 0);
    while next < FREE && steps <= table.len() / 4 {
        let start = next as usize * 64;
        out.extend_from_slice(mini.get(start..(start + 64).min(mini.len())).ok_or_else(damaged)?);
        next = u32_at(&table, next as usize * 4)?;
        steps += 1;
    }
    out.truncate(size);
    Ok(out)
}
