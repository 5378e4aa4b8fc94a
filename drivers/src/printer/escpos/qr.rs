//! QR codes (`GS ( k`, functions 165, 167, 169, 180 and 181).

use crate::printer::{error::EncodeError, profile::Profile};

/// Bytes that versions 1 to 40 hold at level M (ISO/IEC 18004, table 7).
const CAPACITY: [u16; 40] = [
    14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666, 711, 779, 857, 911,
    997, 1059, 1125, 1190, 1264, 1370, 1452, 1538, 1628, 1722, 1809, 1911, 1989, 2099, 2213, 2331,
];

pub(super) fn write(data: &str, profile: &Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if data.is_empty() {
        return Err(EncodeError::QrEmpty);
    }
    let version = 1 + CAPACITY
        .iter()
        .position(|&bytes| data.len() <= usize::from(bytes))
        .ok_or(EncodeError::QrTooLong { bytes: data.len() })?;
    // Side and quiet zone in modules.
    let side = 17 + 4 * version + 8;
    let module = u8::try_from((usize::from(profile.dots) / side).clamp(1, 6)).unwrap_or(1);
    let stored = u16::try_from(data.len() + 3).unwrap_or(u16::MAX).to_le_bytes();
    out.extend_from_slice(&[
        0x1d, b'(', b'k', 4, 0, 49, 65, 50, 0, // function 165: model 2
        0x1d, b'(', b'k', 3, 0, 49, 67, module, // function 167: module size
        0x1d, b'(', b'k', 3, 0, 49, 69, 49, // function 169: error correction M
        0x1d, b'(', b'k', stored[0], stored[1], 49, 80, 48, // function 180: store the data
    ]);
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(&[0x1d, b'(', b'k', 3, 0, 49, 81, 48]); // function 181: print
    Ok(())
}
