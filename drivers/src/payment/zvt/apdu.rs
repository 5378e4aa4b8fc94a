//! APDUs: class, instruction, length, data ("ZVT transport protocol", PA00P016, TCP/IP).
//!
//! ```text
//!  +-------+-------+--------+----------+      +-------+-------+------+------+------+----------+
//!  | CLASS | INSTR | LENGTH | data ... |  or  | CLASS | INSTR | 0xff | low  | high | data ... |
//!  +-------+-------+--------+----------+      +-------+-------+------+------+------+----------+
//! ```

/// A command or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Apdu {
    /// Class and instruction, `0x0601` for an authorisation.
    pub(super) code: u16,
    pub(super) data: Vec<u8>,
}

/// Cuts the stream into APDUs.
#[derive(Debug, Default)]
pub(super) struct Apdus(Vec<u8>);

impl Apdus {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn next(&mut self) -> Option<Apdu> {
        let (length, start) = match *self.0.get(2)? {
            0xff => (usize::from(u16::from_le_bytes([*self.0.get(3)?, *self.0.get(4)?])), 5),
            length => (usize::from(length), 3),
        };
        if self.0.len() < start + length {
            return None;
        }
        let rest = self.0.split_off(start + length);
        let whole = std::mem::replace(&mut self.0, rest);
        Some(Apdu { code: u16::from_be_bytes([whole[0], whole[1]]), data: whole[start..].to_vec() })
    }
}

/// One APDU on the wire. Data longer than 65,535 bytes does not occur in this direction and is cut.
pub(super) fn apdu(code: u16, data: &[u8]) -> Vec<u8> {
    let data = &data[..data.len().min(usize::from(u16::MAX))];
    let mut out = code.to_be_bytes().to_vec();
    match u8::try_from(data.len()) {
        Ok(length) if length < 0xff => out.push(length),
        _ => {
            out.push(0xff);
            out.extend_from_slice(&(data.len() as u16).to_le_bytes());
        }
    }
    out.extend_from_slice(data);
    out
}

/// `value` as `bytes` bytes of packed decimal digits; the highest digits fall away when it is longer.
pub(super) fn bcd(value: u64, bytes: usize) -> Vec<u8> {
    let mut rest = value;
    let mut out = vec![0; bytes];
    for byte in out.iter_mut().rev() {
        let pair = (rest % 100) as u8;
        *byte = (pair / 10) << 4 | (pair % 10);
        rest /= 100;
    }
    out
}

/// Packed decimal digits as a number; `None` if something else than digits stands there.
pub(super) fn from_bcd(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0u64, |value, byte| {
        let (high, low) = (byte >> 4, byte & 0x0f);
        (high < 10 && low < 10).then_some(())?;
        value.checked_mul(100)?.checked_add(u64::from(high * 10 + low))
    })
}

/// Packed digits as text.
pub(super) fn digits(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 0x0f]).map(|n| if n < 10 { char::from(b'0' + n) } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_apdus_are_cut_from_the_stream() {
        let mut stream = Apdus::default();
        let long = apdu(0x06d3, &[7; 300]);
        assert_eq!(long[2..5], [0xff, 0x2c, 0x01]);
        let all = [apdu(0x8000, &[]), long.clone(), apdu(0x06d1, &[1; 255])].concat();
        let mut got = Vec::new();
        for byte in all {
            stream.push(&[byte]);
            got.extend(std::iter::from_fn(|| stream.next()));
        }
        assert_eq!(
            got.iter().map(|a| (a.code, a.data.len())).collect::<Vec<_>>(),
            [(0x8000, 0), (0x06d3, 300), (0x06d1, 255)]
        );
    }

    #[test]
    fn packed_digits_go_both_ways() {
        assert_eq!(bcd(1250, 6), [0, 0, 0, 0, 0x12, 0x50]);
        assert_eq!(from_bcd(&bcd(999_999_999_999, 6)), Some(999_999_999_999));
        assert_eq!(from_bcd(&[0x1a]), None);
        assert_eq!(digits(&[0x52, 0x5e]), "525*");
    }
}
