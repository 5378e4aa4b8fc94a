//! CBOR (RFC 8949) as far as an external driver needs it: a sequence (RFC 8742) of maps with text keys.

use crate::payment::tree::{DEPTH, Tree};

/// Longer than any receipt.
const LONGEST: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// More bytes are needed.
    Short,
    /// It is no CBOR, or none that belongs here.
    Bad,
}

/// Cuts the stream into items.
#[derive(Debug, Default)]
pub(super) struct Items(Vec<u8>);

impl Items {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn next(&mut self) -> Result<Option<Tree>, Trouble> {
        let mut reader = Reader { rest: &self.0 };
        match reader.item(0) {
            Ok(tree) => {
                let read = self.0.len() - reader.rest.len();
                self.0.drain(..read);
                Ok(Some(tree))
            }
            Err(Trouble::Short) if self.0.len() <= LONGEST => Ok(None),
            Err(_) => Err(Trouble::Bad),
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Trouble> {
        if count > LONGEST {
            return Err(Trouble::Bad);
        }
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Trouble::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Major type and argument.
    fn head(&mut self) -> Result<(u8, u64), Trouble> {
        let first = self.take(1)?[0];
        let argument = match first & 0x1f {
            small @ 0..=23 => u64::from(small),
            size @ 24..=27 => self.take(1 << (size - 24))?.iter().fold(0, |value, b| value << 8 | u64::from(*b)),
            // Lengths that are said at the end are not used here.
            _ => return Err(Trouble::Bad),
        };
        Ok((first >> 5, argument))
    }

    fn item(&mut self, depth: usize) -> Result<Tree, Trouble> {
        if depth > DEPTH {
            return Err(Trouble::Bad);
        }
        let simple = self.rest.first().copied().unwrap_or(0);
        let (major, argument) = self.head()?;
        let count = usize::try_from(argument).unwrap_or(usize::MAX);
        Ok(match major {
            0 => Tree::number(argument),
            1 => Tree::number(-1 - i128::from(argument)),
            2 => Tree::Bytes(self.take(count)?.to_vec()),
            3 => Tree::Text(std::str::from_utf8(self.take(count)?).map_err(|_| Trouble::Bad)?.to_owned()),
            4 => {
                let mut items = Vec::new();
                for _ in 0..count.min(LONGEST) {
                    items.push(self.item(depth + 1)?);
                }
                Tree::List(items)
            }
            5 => {
                let mut rows = Vec::new();
                for _ in 0..count.min(LONGEST) {
                    let Tree::Text(key) = self.item(depth + 1)? else { return Err(Trouble::Bad) };
                    rows.push((key, self.item(depth + 1)?));
                }
                Tree::Map(rows)
            }
            // A tag says what its item means; ours are known by their keys.
            6 => self.item(depth + 1)?,
            _ => match simple {
                0xf4 => Tree::Bool(false),
                0xf5 => Tree::Bool(true),
                0xf6 | 0xf7 => Tree::Null,
                _ => return Err(Trouble::Bad),
            },
        })
    }
}

pub(super) fn write(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Null => out.push(0xf6),
        Tree::Bool(false) => out.push(0xf4),
        Tree::Bool(true) => out.push(0xf5),
        Tree::Number(number) => match number.parse::<i128>() {
            Ok(value) if value >= 0 => head(0, u64::try_from(value).unwrap_or(u64::MAX), out),
            Ok(value) => head(1, u64::try_from(-1 - value).unwrap_or(u64::MAX), out),
            Err(_) => out.push(0xf6),
        },
        Tree::Bytes(bytes) => {
            head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Tree::Text(text) => {
            head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Tree::List(items) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|item| write(item, out));
        }
        Tree::Map(rows) => {
            head(5, rows.len() as u64, out);
            for (key, value) in rows {
                write(&Tree::text(key.as_str()), out);
                write(value, out);
            }
        }
    }
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let bytes = argument.to_be_bytes();
    let (size, from) = match argument {
        0..=23 => return out.push(major << 5 | argument as u8),
        24..=0xff => (24, 7),
        0x100..=0xffff => (25, 6),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 0),
    };
    out.push(major << 5 | size);
    out.extend_from_slice(&bytes[from..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree() -> Tree {
        let text = "x".repeat(300);
        Tree::map([
            ("small", Tree::number(23)),
            ("large", Tree::number(u64::MAX)),
            ("negative", Tree::number(-1_000)),
            ("text", Tree::text(text)),
            ("bytes", Tree::Bytes(vec![0; 24])),
            ("list", Tree::List(vec![Tree::Null, Tree::Bool(true), Tree::map::<String>([])])),
        ])
    }

    #[test]
    fn items_come_out_as_they_went_in_byte_by_byte() {
        let mut bytes = Vec::new();
        write(&tree(), &mut bytes);
        write(&Tree::Bool(false), &mut bytes);
        let mut items = Items::default();
        let mut got = Vec::new();
        for byte in bytes {
            items.push(&[byte]);
            got.extend(items.next().unwrap());
        }
        assert_eq!(got, [tree(), Tree::Bool(false)]);
    }

    #[test]
    fn the_vectors_of_the_rfc_are_read() {
        // RFC 8949, appendix A.
        for (bytes, expected) in [
            (&[0x18, 0x64][..], Tree::number(100)),
            (&[0x39, 0x03, 0xe7], Tree::number(-1000)),
            (&[0x62, 0xc3, 0xbc], Tree::text("ü")),
            (&[0x83, 1, 2, 3], Tree::List((1..4).map(Tree::number).collect())),
            (&[0xa1, 0x61, 0x61, 1], Tree::map([("a", Tree::number(1))])),
        ] {
            let mut items = Items::default();
            items.push(bytes);
            assert_eq!(items.next(), Ok(Some(expected)));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut items = Items::default();
            items.push(&bytes);
            while let Ok(Some(_)) = items.next() {}
        }
    }
}
