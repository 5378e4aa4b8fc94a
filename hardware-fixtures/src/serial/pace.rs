//! The time bytes take on a wire, without I/O: bytes go in all at once (a pty carries them so) and come due one
//! character time after another, in both directions at once.

use std::collections::VecDeque;

use serde::Deserialize;

use crate::clock::Micros;

/// Speed and frame of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Format {
    pub baud: u32,
    /// Bits of one character on the wire: start, data, parity and stop. 10 for 8N1 and for 7E1.
    pub bits: u32,
}

impl Format {
    pub const fn new(baud: u32, bits: u32) -> Self {
        Self { baud, bits }
    }

    /// How long `characters` take, in nanoseconds (rounding to microseconds each would add up).
    fn nanos(self, characters: u64) -> u64 {
        characters * u64::from(self.bits) * 1_000_000_000 / u64::from(self.baud.max(1))
    }
}

/// One direction: a run of characters sent back to back, counted from when the line was last idle.
#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<u8>,
    run_start: Micros,
    /// Characters of the run that have left the queue.
    run_done: u64,
}

impl Lane {
    fn push(&mut self, format: Format, now: Micros, bytes: &[u8]) {
        if self.queue.is_empty() && now >= self.end(format, self.run_done) {
            self.run_start = now;
            self.run_done = 0;
        }
        self.queue.extend(bytes);
    }

    fn end(&self, format: Format, characters: u64) -> Micros {
        self.run_start + format.nanos(characters) / 1_000
    }

    fn due(&self, format: Format) -> Option<Micros> {
        (!self.queue.is_empty()).then(|| self.end(format, self.run_done + 1))
    }

    fn pop(&mut self, format: Format, now: Micros) -> Option<(Micros, u8)> {
        let due = self.due(format).filter(|due| *due <= now)?;
        let byte = self.queue.pop_front()?;
        self.run_done += 1;
        Some((due, byte))
    }
}

/// Both directions of a line.
#[derive(Debug)]
pub struct Pace {
    format: Format,
    inward: Lane,
    outward: Lane,
}

impl Pace {
    pub fn new(format: Format) -> Self {
        Self { format, inward: Lane::default(), outward: Lane::default() }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// The peer handed these bytes to its port at `now`.
    pub fn peer_sends(&mut self, now: Micros, bytes: &[u8]) {
        self.inward.push(self.format, now, bytes);
    }

    /// The device begins to send these bytes at `now`, after what it is sending already.
    pub fn device_sends(&mut self, now: Micros, bytes: &[u8]) {
        self.outward.push(self.format, now, bytes);
    }

    /// The next byte that has reached the device, with the time its last bit did.
    pub fn arrived(&mut self, now: Micros) -> Option<(Micros, u8)> {
        self.inward.pop(self.format, now)
    }

    /// The next byte that has left the device.
    pub fn sent(&mut self, now: Micros) -> Option<u8> {
        self.outward.pop(self.format, now).map(|(_, byte)| byte)
    }

    /// When to look again.
    pub fn next(&self) -> Option<Micros> {
        [self.inward.due(self.format), self.outward.due(self.format)].into_iter().flatten().min()
    }

    pub fn sending(&self) -> bool {
        !self.outward.queue.is_empty()
    }

    /// The cable was pulled: what is on its way is lost.
    pub fn clear(&mut self) {
        self.inward = Lane::default();
        self.outward = Lane::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Format = Format::new(9600, 10);

    #[test]
    fn a_character_at_9600_baud_takes_1042_microseconds_and_errors_do_not_add_up() {
        let mut pace = Pace::new(LINE);
        pace.device_sends(1_000_000, &[b'x'; 960]);
        assert_eq!(pace.next(), Some(1_001_041));
        let mut count = 0;
        while pace.sent(2_000_000).is_some() {
            count += 1;
        }
        assert_eq!(count, 960, "960 characters are one second");
    }

    #[test]
    fn the_last_of_960_characters_leaves_after_exactly_one_second() {
        let mut pace = Pace::new(LINE);
        pace.device_sends(0, &[b'x'; 960]);
        while pace.sent(999_999).is_some() {}
        assert!(pace.sending());
        assert_eq!(pace.next(), Some(1_000_000));
    }

    #[test]
    fn bytes_handed_over_at_once_arrive_one_after_another() {
        let mut pace = Pace::new(LINE);
        pace.peer_sends(0, b"WW");
        assert_eq!(pace.arrived(1_000), None);
        assert_eq!(pace.arrived(1_041), Some((1_041, b'W')));
        assert_eq!(pace.arrived(1_041), None);
        pace.peer_sends(1_500, b"Z");
        assert_eq!(pace.arrived(5_000), Some((2_083, b'W')));
        assert_eq!(pace.arrived(5_000), Some((3_125, b'Z')), "queued behind the second W");
    }

    #[test]
    fn a_line_that_was_idle_starts_a_new_run() {
        let mut pace = Pace::new(LINE);
        pace.device_sends(0, b"a");
        assert_eq!(pace.sent(1_041), Some(b'a'));
        pace.device_sends(50_000, b"b");
        assert_eq!(pace.next(), Some(51_041));
    }
}
