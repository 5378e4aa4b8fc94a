//! The container of XLS (MS-CFB, version 3): one stream, its table of sectors and its directory.

use std::io::{self, Write};

const SECTOR: usize = 512;
const END: u32 = 0xFFFF_FFFE;
const FREE: u32 = 0xFFFF_FFFF;
const TABLE: u32 = 0xFFFF_FFFD;
const TABLE_OF_TABLES: u32 = 0xFFFF_FFFC;
/// Streams below this size would go elsewhere; ours is filled up.
const SMALLEST: usize = 4096;
/// Tables of sectors that the header itself names.
const IN_HEADER: usize = 109;

/// Writes a file with the one stream `Workbook`.
pub(super) fn write(mut stream: Vec<u8>, to: &mut dyn Write) -> io::Result<()> {
    let filled = stream.len().max(SMALLEST).div_ceil(SECTOR) * SECTOR;
    stream.resize(filled, 0);
    let data = filled / SECTOR;
    // The tables count themselves.
    let (mut tables, mut extra) = (1, 0);
    loop {
        let sectors = data + 1 + tables + extra;
        let need = sectors.div_ceil(SECTOR / 4);
        let need_extra = need.saturating_sub(IN_HEADER).div_ceil(SECTOR / 4 - 1);
        if need <= tables && need_extra <= extra {
            break;
        }
        (tables, extra) = (need.max(tables), need_extra.max(extra));
    }
    // Layout: data, directory, tables of sectors, tables of tables.
    let directory = data;
    let first_table = directory + 1;
    let first_extra = first_table + tables;

    let mut header = Vec::with_capacity(SECTOR);
    header.extend_from_slice(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]);
    header.extend_from_slice(&[0; 16]);
    for word in [0x003Eu16, 3, 0xFFFE, 9, 6] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    header.extend_from_slice(&[0; 6]);
    let first_of_extra = if extra > 0 { first_extra as u32 } else { END };
    for word in [0, tables as u32, directory as u32, 0, SMALLEST as u32, END, 0, first_of_extra, extra as u32] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    let table = |n: usize| if n < tables { (first_table + n) as u32 } else { FREE };
    for n in 0..IN_HEADER {
        header.extend_from_slice(&table(n).to_le_bytes());
    }
    to.write_all(&header)?;
    to.write_all(&stream)?;

    let mut entries = Vec::with_capacity(SECTOR);
    entry(&mut entries, "Root Entry", 5, 1, END, 0);
    entry(&mut entries, "Workbook", 2, FREE, 0, filled as u32);
    entry(&mut entries, "", 0, FREE, 0, 0);
    entry(&mut entries, "", 0, FREE, 0, 0);
    to.write_all(&entries)?;

    let mut fat = Vec::with_capacity(tables * SECTOR);
    for n in 0..data {
        let next = if n + 1 == data { END } else { n as u32 + 1 };
        fat.extend_from_slice(&next.to_le_bytes());
    }
    fat.extend_from_slice(&END.to_le_bytes());
    fat.extend(std::iter::repeat_n(TABLE.to_le_bytes(), tables).flatten());
    fat.extend(std::iter::repeat_n(TABLE_OF_TABLES.to_le_bytes(), extra).flatten());
    while fat.len() < tables * SECTOR {
        fat.extend_from_slice(&FREE.to_le_bytes());
    }
    to.write_all(&fat)?;

    let words = SECTOR / 4 - 1;
    for sector in 0..extra {
        for n in 0..words {
            to.write_all(&table(IN_HEADER + sector * words + n).to_le_bytes())?;
        }
        let next = if sector + 1 == extra { END } else { (first_extra + sector + 1) as u32 };
        to.write_all(&next.to_le_bytes())?;
    }
    to.flush()
}

fn entry(out: &mut Vec<u8>, name: &str, kind: u8, child: u32, start: u32, size: u32) {
    let mut units: Vec<u16> = name.encode_utf16().collect();
    if !name.is_empty() {
        units.push(0);
    }
    let length = units.len() as u16 * 2;
    units.resize(32, 0);
    out.extend(units.into_iter().flat_map(u16::to_le_bytes));
    out.extend_from_slice(&length.to_le_bytes());
    // Black, so that one entry is a valid tree.
    out.extend_from_slice(&[kind, 1]);
    for word in [FREE, FREE, child] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&[0; 36]);
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&u64::from(size).to_le_bytes());
}
