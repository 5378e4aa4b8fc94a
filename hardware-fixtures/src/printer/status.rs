//! Status bytes, as the command reference gives them for GS a, DLE EOT and GS r.

use super::{Level, PaperState};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) drawer_open: bool,
    pub(crate) drawer_open_level: Level,
    pub(crate) cover_open: bool,
    pub(crate) paper: PaperState,
}

impl Status {
    pub(crate) fn offline(self) -> bool {
        self.cover_open || self.paper == PaperState::Out
    }

    /// Level of pin 3.
    pub(crate) fn drawer_pin(self) -> bool {
        self.drawer_open == (self.drawer_open_level == Level::High)
    }

    /// The four bytes of automatic status back.
    pub(crate) fn asb(self) -> [u8; 4] {
        let first = 0x10 | bit(self.drawer_pin(), 2) | bit(self.offline(), 3) | bit(self.cover_open, 5);
        [first, 0, self.near_end() | self.end() << 2, 0x0F]
    }

    pub(crate) fn dle_eot(self, n: u8) -> Option<u8> {
        let bits = match n {
            1 => bit(self.drawer_pin(), 2) | bit(self.offline(), 3),
            2 => bit(self.cover_open, 2) | bit(self.paper == PaperState::Out, 5),
            3 => 0,
            4 => self.near_end() << 2 | self.end() << 5,
            _ => return None,
        };
        Some(0x12 | bits)
    }

    pub(crate) fn gs_r(self, n: u8) -> Option<u8> {
        match n {
            1 | b'1' => Some(self.near_end() | self.end() << 2),
            2 | b'2' => Some(u8::from(self.drawer_pin())),
            4 | b'4' => Some(0),
            _ => None,
        }
    }

    /// Two bits, as the sensor has them. A roll that has ended is near its end too.
    fn near_end(self) -> u8 {
        if self.paper == PaperState::Ok { 0 } else { 3 }
    }

    fn end(self) -> u8 {
        if self.paper == PaperState::Out { 3 } else { 0 }
    }
}

fn bit(set: bool, place: u8) -> u8 {
    u8::from(set) << place
}
