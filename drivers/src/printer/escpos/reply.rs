//! What printers say: automatic status (`GS a`), real-time status (`DLE EOT`) and process ids (`GS ( H`).
//!
//! The three tell themselves apart by fixed bits (reference, "Identification of transmission data"):
//!
//! | first byte | is |
//! |---|---|
//! | `0xx1xx00` | automatic status, four bytes; in the other three bits 4 and 7 are 0 |
//! | `0xx1xx10` | answer to `DLE EOT`, one byte |
//! | `37h 22h` | process id: four bytes, then NUL |

use crate::printer::status::Status;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Automatic([u8; 4]),
    RealTime(u8),
    ProcessId([u8; 4]),
}

/// Finds replies in bytes of any chunking. A byte that does not fit starts anew, so a torn reply costs only itself.
#[derive(Debug, Default)]
pub(super) struct Replies {
    partial: Vec<u8>,
    /// Bytes in a row that belong to no reply.
    pub(super) garbage: usize,
}

impl Replies {
    pub(super) fn push(&mut self, byte: u8) -> Option<Reply> {
        if !self.partial.is_empty() && !self.continues(byte) {
            self.garbage += self.partial.len();
            self.partial.clear();
        }
        if self.partial.is_empty() && !starts(byte) {
            self.garbage += 1;
            return None;
        }
        self.partial.push(byte);
        let reply = match self.partial[..] {
            [b] if is_real_time(b) => Reply::RealTime(b),
            [a, b, c, d] if is_automatic(a) => Reply::Automatic([a, b, c, d]),
            [PROCESS_ID, _, a, b, c, d, 0] => Reply::ProcessId([a, b, c, d]),
            _ => return None,
        };
        self.partial.clear();
        self.garbage = 0;
        Some(reply)
    }

    fn continues(&self, byte: u8) -> bool {
        if self.partial[0] == PROCESS_ID {
            match self.partial.len() {
                1 => byte == 0x22,
                2..=5 => (0x20..=0x7e).contains(&byte),
                _ => byte == 0,
            }
        } else {
            byte & 0b1001_0000 == 0
        }
    }
}

const PROCESS_ID: u8 = 0x37;

fn starts(byte: u8) -> bool {
    is_automatic(byte) || is_real_time(byte) || byte == PROCESS_ID
}

fn is_automatic(byte: u8) -> bool {
    byte & 0b1001_0011 == 0b0001_0000
}

fn is_real_time(byte: u8) -> bool {
    byte & 0b1001_0011 == 0b0001_0010
}

/// Reference, `GS a`, "Automatic status back". The paper sensors report with two bits each; one is enough here.
pub(super) fn from_automatic([first, second, third, _]: [u8; 4]) -> Status {
    Status {
        drawer_pin_high: first & 0x04 != 0,
        offline: first & 0x08 != 0,
        cover_open: first & 0x20 != 0,
        cutter_jam: second & 0x08 != 0,
        broken: second & 0x20 != 0,
        paper_low: third & 0x03 != 0,
        paper_out: third & 0x0c != 0,
        ..Status::default()
    }
}

/// Reference, `DLE EOT n`: takes in the answer to question `n`.
pub(super) fn take_real_time(status: &mut Status, question: u8, answer: u8) {
    match question {
        1 => {
            status.drawer_pin_high = answer & 0x04 != 0;
            status.offline = answer & 0x08 != 0;
        }
        2 => status.cover_open = answer & 0x04 != 0,
        3 => {
            status.cutter_jam = answer & 0x08 != 0;
            status.broken = answer & 0x20 != 0;
        }
        4 => {
            status.paper_low = answer & 0x0c != 0;
            status.paper_out = answer & 0x60 != 0;
        }
        _ => {}
    }
}
