//! One job: its bytes, how far they are out, and its one answer.

use std::time::{Duration, Instant};

use super::{AUTOMATIC_STATUS, value};
use crate::{
    device::{CommandId, Outcome},
    printer::Certainty,
    runner::Action,
};

#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: CommandId,
    pub(super) before: Instant,
    pub(super) mark: [u8; 4],
    /// The mark came back before the kernel had said that it took the last byte.
    pub(super) printed: bool,
    bytes: Vec<u8>,
    out: usize,
    answered: bool,
    prints: bool,
}

impl Job {
    /// `document` begins with `ESC @`, which ends the automatic status: it is asked for again at once.
    pub(super) fn print(id: CommandId, before: Instant, mut document: Vec<u8>, mark: [u8; 4]) -> Self {
        let after_reset = 2.min(document.len());
        document.splice(after_reset..after_reset, AUTOMATIC_STATUS);
        Self { id, before, mark, printed: false, bytes: document, out: 0, answered: false, prints: true }
    }

    /// Bytes that somebody else made: nothing is put into them.
    pub(super) fn raw(id: CommandId, before: Instant, mut bytes: Vec<u8>, mark: [u8; 4]) -> Self {
        bytes.extend_from_slice(&AUTOMATIC_STATUS);
        Self { id, before, mark, printed: false, bytes, out: 0, answered: false, prints: true }
    }

    pub(super) fn drawer(id: CommandId, before: Instant, bytes: Vec<u8>, mark: [u8; 4]) -> Self {
        Self { id, before, mark, printed: false, bytes, out: 0, answered: false, prints: false }
    }

    /// GS ( H, function 48: return this id when everything before it is done.
    pub(super) fn append_process_id(&mut self) {
        self.bytes.extend_from_slice(&[0x1d, b'(', b'H', 6, 0, 48, 48]);
        self.bytes.extend_from_slice(&self.mark);
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next bytes to write.
    pub(super) fn chunk(&mut self, size: usize) -> Option<Vec<u8>> {
        let end = self.bytes.len().min(self.out + size);
        let chunk = self.bytes[self.out..end].to_vec();
        self.out = end;
        (!chunk.is_empty()).then_some(chunk)
    }

    pub(super) fn time_at(&self, bytes_per_second: u32) -> Duration {
        Duration::from_millis(self.bytes.len() as u64 * 1000 / u64::from(bytes_per_second))
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    pub(super) fn done(&mut self, certainty: Certainty) -> Option<Action> {
        self.answer(Outcome::Done(value(certainty, self.prints)))
    }

    pub(super) fn unknown(&mut self, message: &str) -> Option<Action> {
        self.answer(Outcome::Unknown(message.to_owned()))
    }

    fn answer(&mut self, outcome: Outcome) -> Option<Action> {
        let first = !std::mem::replace(&mut self.answered, true);
        first.then(|| Action::Reply(self.id.clone(), outcome))
    }
}
