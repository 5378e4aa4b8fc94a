//! The byte stream cut into commands.

/// Graphics beyond this are dropped; no paper is that long.
const DATA_LIMIT: usize = 8 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Character(u8),
    LineFeed,
    Tab,
    /// ESC, GS, FS or DLE, the letter, and the fixed bytes behind it.
    Fixed {
        lead: u8,
        letter: u8,
        bytes: Vec<u8>,
    },
    /// ESC *, with its mode and its columns.
    Columns {
        mode: u8,
        data: Vec<u8>,
    },
    /// GS v 0: mode, bytes in a row, rows.
    Raster {
        mode: u8,
        row_bytes: usize,
        rows: usize,
        data: Vec<u8>,
    },
    /// GS k.
    Barcode {
        system: u8,
        data: Vec<u8>,
    },
    /// GS ( x, and GS 8 L as `L`: function data without the length.
    Function {
        lead: u8,
        letter: u8,
        data: Vec<u8>,
    },
    /// Understood as far as its length.
    Skipped {
        lead: u8,
        letter: u8,
    },
}

const DLE: u8 = 0x10;
pub(crate) const ESC: u8 = 0x1B;
pub(crate) const FS: u8 = 0x1C;
pub(crate) const GS: u8 = 0x1D;

/// Collects bytes until they are a command.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    bytes: Vec<u8>,
    /// Bytes of an oversized command still to swallow.
    swallow: usize,
}

/// How a command that begins with the bytes at hand goes on.
enum Shape {
    /// More bytes are needed to tell.
    More,
    /// This many bytes in all.
    Length(usize),
    /// Up to and with a NUL, counted from this place.
    UntilNul(usize),
    Unknown,
}

impl Parser {
    /// Feeds one byte; a command when that was its last.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Command> {
        if self.swallow > 0 {
            self.swallow -= 1;
            return None;
        }
        if self.bytes.is_empty() {
            match byte {
                0x09 => return Some(Command::Tab),
                0x0A => return Some(Command::LineFeed),
                ESC | FS | GS | DLE => self.bytes.push(byte),
                0x20.. => return Some(Command::Character(byte)),
                // CR is ignored as delivered; the others do nothing in standard mode.
                _ => {}
            }
            return None;
        }
        self.bytes.push(byte);
        let done = match shape(&self.bytes) {
            Shape::More => false,
            Shape::Unknown => {
                let skipped = Command::Skipped { lead: self.bytes[0], letter: self.bytes[1] };
                self.bytes.clear();
                return Some(skipped);
            }
            Shape::Length(length) if length > DATA_LIMIT => {
                self.swallow = length - self.bytes.len();
                let skipped = Command::Skipped { lead: self.bytes[0], letter: self.bytes[1] };
                self.bytes.clear();
                return Some(skipped);
            }
            Shape::Length(length) => self.bytes.len() >= length,
            Shape::UntilNul(from) => self.bytes.len() > from && (byte == 0 || self.bytes.len() > from + 255),
        };
        done.then(|| command(std::mem::take(&mut self.bytes)))
    }

    /// True between two commands.
    pub(crate) fn idle(&self) -> bool {
        self.bytes.is_empty() && self.swallow == 0
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(*bytes.get(at)?) | usize::from(*bytes.get(at + 1)?) << 8)
}

fn shape(bytes: &[u8]) -> Shape {
    let known = |length: Option<usize>| length.map_or(Shape::More, Shape::Length);
    match (bytes[0], bytes[1]) {
        (DLE, 0x04) => match bytes.get(2) {
            None => Shape::More,
            Some(7 | 8) => Shape::Length(4),
            Some(_) => Shape::Length(3),
        },
        (DLE, 0x05) => Shape::Length(3),
        (DLE, 0x14) => match bytes.get(2) {
            None => Shape::More,
            Some(8) => Shape::Length(10),
            Some(7) => Shape::Length(4),
            Some(_) => Shape::Length(5),
        },
        (ESC, b'*') => known(word(bytes, 3).zip(bytes.get(2)).map(|(n, m)| 5 + n * if *m >= 32 { 3 } else { 1 })),
        (ESC, b'&') => user_characters(bytes),
        (ESC, b'D') => Shape::UntilNul(2),
        (ESC, b'(') | (GS | FS, b'(') => known(word(bytes, 3).map(|n| 5 + n)),
        (ESC, b'2' | b'@' | b'<' | b'L' | b'S' | b'i' | b'm' | b'v' | 0x0C) => Shape::Length(2),
        (ESC, b'c' | b'$' | b'\\') => Shape::Length(4),
        (ESC, b'p') => Shape::Length(5),
        (ESC, b'W') => Shape::Length(10),
        (ESC, b' '..=b'~') => Shape::Length(3),
        (GS, b'$' | b'L' | b'W' | b'P' | b'\\') => Shape::Length(4),
        (GS, b':') => Shape::Length(2),
        (GS, b'^') => Shape::Length(5),
        (GS, b'g' | b'z') => Shape::Length(5),
        (GS, b'*') => known(bytes.get(3).map(|y| 4 + usize::from(bytes[2]) * usize::from(*y) * 8)),
        (GS, b'8') => known(word(bytes, 3).zip(word(bytes, 5)).map(|(low, high)| 7 + (low | high << 16))),
        (GS, b'V') => match bytes.get(2) {
            None => Shape::More,
            Some(65 | 66 | 97 | 98 | 103 | 104) => Shape::Length(4),
            Some(_) => Shape::Length(3),
        },
        (GS, b'k') => match bytes.get(2) {
            None => Shape::More,
            Some(0..=6) => Shape::UntilNul(3),
            Some(_) => known(bytes.get(3).map(|n| 4 + usize::from(*n))),
        },
        (GS, b'v') => known(word(bytes, 4).zip(word(bytes, 6)).map(|(x, y)| 8 + x * y)),
        (GS, b'Q') => known(word(bytes, 4).zip(word(bytes, 6)).map(|(x, y)| 8 + x * y)),
        (GS, b'C') => match bytes.get(2) {
            None => Shape::More,
            Some(b'0') => Shape::Length(5),
            Some(b'1') => Shape::Length(9),
            Some(b'2') => Shape::Length(5),
            Some(_) => Shape::Unknown,
        },
        (GS, b'!'..=b'~') => Shape::Length(3),
        (FS, b'&' | b'.') => Shape::Length(2),
        (FS, b'S' | b'p') => Shape::Length(4),
        (FS, b'!' | b'-' | b'C' | b'W') => Shape::Length(3),
        _ => Shape::Unknown,
    }
}

/// ESC & y c1 c2, then for each character its width and y bytes for each of its columns.
fn user_characters(bytes: &[u8]) -> Shape {
    let (Some(y), Some(first), Some(last)) = (bytes.get(2), bytes.get(3), bytes.get(4)) else { return Shape::More };
    let mut length = 5;
    for _ in *first..=*last {
        let Some(width) = bytes.get(length) else { return Shape::More };
        length += 1 + usize::from(*width) * usize::from(*y);
    }
    Shape::Length(length)
}

fn command(mut bytes: Vec<u8>) -> Command {
    let (lead, letter) = (bytes[0], bytes[1]);
    match (lead, letter) {
        (ESC, b'*') => Command::Columns { mode: bytes[2], data: bytes.split_off(5) },
        (GS, b'v') => Command::Raster {
            mode: bytes[3],
            row_bytes: word(&bytes, 4).unwrap_or(0),
            rows: word(&bytes, 6).unwrap_or(0),
            data: bytes.split_off(8),
        },
        (GS, b'k') if bytes[2] <= 6 => {
            bytes.pop();
            Command::Barcode { system: bytes[2], data: bytes.split_off(3) }
        }
        (GS, b'k') => Command::Barcode { system: bytes[2], data: bytes.split_off(4) },
        (_, b'(') => Command::Function { lead, letter: bytes[2], data: bytes.split_off(5) },
        (GS, b'8') => Command::Function { lead, letter: bytes[2], data: bytes.split_off(7) },
        (GS, b'Q') => Command::Skipped { lead, letter },
        _ => Command::Fixed { lead, letter, bytes: bytes.split_off(2) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Vec<Command> {
        let mut parser = Parser::default();
        bytes.iter().filter_map(|byte| parser.push(*byte)).collect()
    }

    #[test]
    fn text_and_commands_are_told_apart() {
        let commands = parse(b"\x1B@A\n\x1Ba\x01\x1DVB\x00B");
        let fixed = |lead, letter, bytes: &[u8]| Command::Fixed { lead, letter, bytes: bytes.to_vec() };
        let expected = [
            fixed(ESC, b'@', b""),
            Command::Character(b'A'),
            Command::LineFeed,
            fixed(ESC, b'a', b"\x01"),
            fixed(GS, b'V', b"B\x00"),
            Command::Character(b'B'),
        ];
        assert_eq!(commands, expected);
    }

    #[test]
    fn unknown_functions_are_skipped_by_their_length() {
        let commands = parse(b"\x1D(Z\x03\x00\x1B@x!");
        let function = Command::Function { lead: GS, letter: b'Z', data: b"\x1B@x".to_vec() };
        assert_eq!(commands, [function, Command::Character(b'!')]);
    }

    #[test]
    fn raster_and_column_graphics_carry_their_data() {
        let commands = parse(b"\x1Dv0\x00\x02\x00\x01\x00\xAA\x55\x1B*\x21\x01\x00abc");
        let raster = Command::Raster { mode: 0, row_bytes: 2, rows: 1, data: vec![0xAA, 0x55] };
        assert_eq!(commands, [raster, Command::Columns { mode: 33, data: b"abc".to_vec() }]);
    }

    #[test]
    fn both_forms_of_a_barcode_are_read() {
        let commands = parse(b"\x1Dk\x02123\x00\x1DkI\x04{B12");
        let expected = [
            Command::Barcode { system: 2, data: b"123".to_vec() },
            Command::Barcode { system: 73, data: b"{B12".to_vec() },
        ];
        assert_eq!(commands, expected);
    }

    #[test]
    fn an_empty_graphic_ends_at_once() {
        let commands = parse(b"\x1Dv0\x00\x00\x00\x00\x00A\x1D(k\x00\x00B");
        assert_eq!(commands.len(), 4);
        assert_eq!(commands[3], Command::Character(b'B'));
    }
}
