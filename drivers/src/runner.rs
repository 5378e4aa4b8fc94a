//! Protocols without I/O, and the loop that gives them a wire.

use std::time::Instant;

use crate::device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Outcome};

/// No I/O, no clock, no channel: transcripts, proptest and fuzzing drive it directly.
pub trait Protocol: Send + 'static {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError>;
}

#[derive(Debug)]
pub enum Input<'a> {
    /// The wire is there: once, first.
    Started,
    Bytes(&'a [u8]),
    /// A command whose deadline for the first byte is `before`.
    Command {
        id: CommandId,
        command: Command,
        before: Instant,
    },
    /// The time last asked for by [`Action::Deadline`] has come.
    Deadline,
    /// Every byte of the last [`Action::Write`] was taken by the kernel.
    Written,
    /// The wire broke or the device is being closed: answer what is open, write nothing.
    Closed,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Write(Vec<u8>),
    Emit(DeviceEvent),
    Reply(CommandId, Outcome),
    Condition(Condition),
    /// Wake me then; replaces the one before.
    Deadline(Option<Instant>),
}
