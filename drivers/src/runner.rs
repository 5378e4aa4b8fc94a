//! Protocols without I/O, and the loop that gives them a wire.
//!
//! ```text
//!  requests --Command-->  +----------+  --Write-->  channel
//!  channel  --Bytes---->  | Protocol |  --Emit--->  events
//!  timer    --Deadline->  |  (step)  |  --Reply-->  whoever asked
//!                         +----------+
//! ```
//!
//! [`drive`] is one task with no hop between the wire and the protocol: bytes are handed over in the poll that read
//! them, and what the protocol writes is offered to the kernel before the loop waits again. It keeps reading while it
//! writes, since a printer says that it ran out of paper while its input is stuck.

mod drive;

pub use drive::{Limits, drive};

use std::time::Instant;

use crate::device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Outcome};

/// No I/O, no clock, no channel: transcripts, proptest and fuzzing drive it directly.
pub trait Protocol: Send + 'static {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError>;

    /// Work that a command needs before [`step`](Self::step) sees it and that would hold up other devices, such as
    /// decoding a picture. It runs on a thread for such work; its result goes into `step` in place of the command.
    fn prepare(&self, command: &Command) -> Option<Preparation> {
        let _ = command;
        None
    }
}

/// See [`Protocol::prepare`].
pub type Preparation = Box<dyn FnOnce(Command) -> Command + Send>;

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
