//! Jobs through a byte stream in any [`Dialect`]: Star and the languages of labels.
//!
//! ```text
//!  (closed) --Started--> Greeting --status, or 1 s of nothing--> Idle <---------------------------+
//!                                                                | | ^                            |
//!                                        every second: question  | | +-- status -- Asking         |
//!                                                                | +-------------->  | nothing    |
//!                                     a job, no trouble known    |                   v            |
//!                                                                v                (error)         |
//!                                       Writing --last byte taken--> Confirming -- outcome -------+
//! ```
//!
//! An outcome is `Printed` when the printer gave the job's sign back, `Accepted` when it answered a question after the
//! last byte and has nothing left to print, `Sent` when it never says anything. Once the first byte is out only these
//! and `Unknown` are left.

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use super::{
    Certainty, Document, Event,
    encoder::{self, Encoded, Encoder},
    error::EncodeError,
    mark,
    profile::Profile,
    status::Status,
};
use crate::{
    device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Fault, Outcome, Reason, Value},
    runner::{Action, Input, Preparation},
};

/// What a printer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Status(Status),
    /// The job with this mark is on paper.
    Printed([u8; 4]),
    /// The oldest job that was signed is on paper.
    PrintedNext,
    /// The printer refuses the job, with its own number for why.
    Refused(u8),
    /// Nothing that makes sense.
    Garbage,
}

/// One language. No clock, no queue: bytes out, meanings in.
pub(super) trait Dialect: Send + 'static {
    /// Turns a document into a job.
    const DOCUMENT: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError>;
    const DRAWER: Option<fn(&Profile, &mut Vec<u8>)>;
    /// Between two questions while nothing is printed; trouble is told within it.
    const ASK_EVERY: Duration;
    /// Sent once when the wire is there.
    fn greeting(&mut self) -> Vec<u8>;
    /// Asks for the status; empty where it cannot be asked.
    fn question(&self) -> &'static [u8];
    /// Makes the printer say when this job is on paper; `false` where it cannot.
    fn sign(&mut self, job: &mut Vec<u8>, mark: [u8; 4]) -> bool;
    fn hear(&mut self, byte: u8) -> Option<Heard>;
    /// What the last byte said besides.
    fn more(&mut self) -> Option<Heard> {
        None
    }
}

const GREETING: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(2);
/// While a job is being printed.
const ASK_SOON: Duration = Duration::from_millis(400);
/// So many questions without an answer: the connection is worth nothing, a new one is made.
const MISSES: u32 = 7;
const QUEUE: usize = 32;
const CHUNK: usize = 4096;
const TOO_MUCH_GARBAGE: u32 = 256;
const MUST_LOOK: &str = "look at the printer before you print again";
const SILENT: &str = "the printer does not answer: check its power and cable";

pub(super) struct Protocol<D> {
    dialect: D,
    encoder: Encoder,
    warning: String,
    status: Status,
    /// It has said something that makes sense since the connection began.
    talks: bool,
    signs: Support,
    misses: u32,
    garbage: u32,
    drawer_open: Option<bool>,
    shown: Condition,
    phase: Phase,
    queue: VecDeque<Job>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    Untried,
    Yes,
    No,
}

enum Phase {
    Closed,
    Greeting { until: Instant },
    Idle { ask_at: Instant },
    Asking { until: Instant },
    Writing(Job),
    Confirming { job: Job, reached: Certainty, until: Instant, ask_at: Instant },
}

struct Job {
    id: CommandId,
    before: Instant,
    mark: [u8; 4],
    bytes: Vec<u8>,
    out: usize,
    signed: bool,
    printed: bool,
    answered: bool,
    prints: bool,
    /// May be given a sign: bytes that somebody else made may not.
    own: bool,
}

impl Job {
    fn chunk(&mut self) -> Option<Action> {
        let end = self.bytes.len().min(self.out + CHUNK);
        let chunk = self.bytes[self.out..end].to_vec();
        self.out = end;
        (!chunk.is_empty()).then_some(Action::Write(chunk))
    }

    fn answer(&mut self, outcome: Outcome, out: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.answered, true) {
            out.push(Action::Reply(self.id.clone(), outcome));
        }
    }

    fn done(&mut self, certainty: Certainty, out: &mut Vec<Action>) {
        let value = if self.prints { Value::Print(certainty) } else { Value::Nothing };
        self.answer(Outcome::Done(value), out);
    }

    /// Labels leave at 50 mm a second or more; a serial line behind a print server takes 960 bytes a second.
    fn patience(&self) -> Duration {
        Duration::from_secs(5) + Duration::from_millis(self.bytes.len() as u64 * 1000 / 4096)
    }
}

impl<D: Dialect> Protocol<D> {
    pub(super) fn new(dialect: D, found: Profile, profile: Profile, warning: String) -> Self {
        let encoder = Encoder { found, profile, document: D::DOCUMENT, drawer: D::DRAWER };
        Self {
            dialect,
            encoder,
            warning,
            status: Status::default(),
            talks: false,
            signs: if profile.process_ids { Support::Untried } else { Support::No },
            misses: 0,
            garbage: 0,
            drawer_open: None,
            shown: Condition::Connecting,
            phase: Phase::Closed,
            queue: VecDeque::new(),
        }
    }

    fn command(&mut self, now: Instant, id: CommandId, command: Command, before: Instant, out: &mut Vec<Action>) {
        let Command::Printer(command) = command else {
            let message = "a printer prints and opens the drawer, no more";
            return out.push(rejected(id, Reason::Unsupported, message));
        };
        if self.queue.len() >= QUEUE {
            let message = "too many jobs wait for the printer: try again when they are done";
            return out.push(rejected(id, Reason::Busy, message));
        }
        let (bytes, prints, own) = match self.encoder.encode(&command) {
            Ok(Encoded::Print(bytes)) => (bytes, true, true),
            Ok(Encoded::Raw(bytes)) => (bytes, true, false),
            Ok(Encoded::Drawer(bytes)) => (bytes, false, true),
            Err(error) => return out.push(rejected(id, encoder::reason(&error), &error.to_string())),
        };
        let mark = mark(&id.0);
        let (signed, printed, answered) = (false, false, false);
        self.queue.push_back(Job { id, before, mark, bytes, out: 0, signed, printed, answered, prints, own });
        if matches!(self.phase, Phase::Idle { .. }) {
            self.next(now, out);
        } else if self.misses > 0 {
            self.refuse_queue(Reason::Offline, SILENT, out);
        }
    }

    /// Starts the next job that may still run, or rests.
    fn next(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.phase = Phase::Idle { ask_at: now + D::ASK_EVERY };
        while let Some(mut job) = self.queue.pop_front() {
            if job.before <= now {
                job.answer(Outcome::Rejected(Reason::Expired, "it came too late for the printer".to_owned()), out);
            } else if let Some((reason, _, message)) = self.status.trouble() {
                job.answer(Outcome::Rejected(reason, message.to_owned()), out);
            } else {
                if self.talks && job.own && self.signs != Support::No {
                    job.signed = self.dialect.sign(&mut job.bytes, job.mark);
                }
                if self.talks {
                    job.bytes.extend_from_slice(self.dialect.question());
                }
                out.extend(job.chunk());
                self.phase = Phase::Writing(job);
                return;
            }
        }
    }

    fn written(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Phase::Writing(job) = &mut self.phase else { return };
        if let Some(chunk) = job.chunk() {
            return out.push(chunk);
        }
        let Phase::Writing(mut job) = std::mem::replace(&mut self.phase, Phase::Closed) else { return };
        if job.printed {
            job.done(Certainty::Printed, out);
            self.next(now, out);
        } else if job.answered {
            self.next(now, out);
        } else if self.talks {
            let until = now + job.patience();
            self.phase = Phase::Confirming { job, reached: Certainty::Sent, until, ask_at: now + ASK_SOON };
        } else {
            job.done(Certainty::Sent, out);
            self.next(now, out);
        }
    }

    fn heard(&mut self, now: Instant, heard: Heard, out: &mut Vec<Action>) {
        if heard == Heard::Garbage {
            self.garbage += 1;
            if self.garbage == TOO_MUCH_GARBAGE {
                let message = "the printer answers in another language than its driver's: choose another driver for it";
                self.show(Condition::Error(Fault::Garbled, message.to_owned()), out);
            }
            return;
        }
        (self.talks, self.misses, self.garbage) = (true, 0, 0);
        match heard {
            Heard::Status(status) => self.state(now, status, out),
            Heard::Printed(mark) => self.printed(now, Some(mark), out),
            Heard::PrintedNext => self.printed(now, None, out),
            Heard::Refused(number) => {
                let message = format!("the printer refuses the job (its error {number}): check the label's size");
                if let Phase::Writing(job) | Phase::Confirming { job, .. } = &mut self.phase {
                    job.answer(Outcome::Rejected(Reason::DeviceError, message), out);
                }
                if matches!(self.phase, Phase::Confirming { .. }) {
                    self.next(now, out);
                }
            }
            Heard::Garbage => {}
        }
    }

    fn printed(&mut self, now: Instant, mark: Option<[u8; 4]>, out: &mut Vec<Action>) {
        let mine = |job: &Job| job.signed && mark.is_none_or(|mark| mark == job.mark);
        match &mut self.phase {
            Phase::Confirming { job, .. } if mine(job) => {
                self.signs = Support::Yes;
                job.done(Certainty::Printed, out);
                self.next(now, out);
            }
            Phase::Writing(job) if mine(job) => job.printed = true,
            _ => {
                if let Some(mark) = mark {
                    out.push(Action::Emit(DeviceEvent::Printer(Event::Printed { mark })));
                }
            }
        }
    }

    fn state(&mut self, now: Instant, status: Status, out: &mut Vec<Action>) {
        self.status = status;
        if D::DRAWER.is_some() {
            let open = status.drawer_pin_high == self.encoder.profile.drawer_open_high;
            // The first status is how things are, not something that happened.
            if self.drawer_open.replace(open).is_some_and(|before| before != open) {
                out.push(Action::Emit(DeviceEvent::Printer(Event::Drawer { open })));
            }
        }
        self.show(status.condition(&self.warning), out);
        if let Some((_, _, message)) = status.trouble() {
            self.interrupted(now, message, out);
        }
        match &mut self.phase {
            Phase::Greeting { .. } | Phase::Asking { .. } => self.next(now, out),
            Phase::Confirming { job, reached, until, .. } if !status.busy => {
                let waits = job.signed && self.signs != Support::No;
                if !waits {
                    job.done(Certainty::Accepted, out);
                    self.next(now, out);
                } else if *reached == Certainty::Sent {
                    *reached = Certainty::Accepted;
                    *until =
                        now + if self.signs == Support::Yes { Duration::from_secs(30) } else { Duration::from_secs(4) };
                }
            }
            Phase::Confirming { job, until, .. } => *until = now + job.patience(),
            _ => {}
        }
    }

    /// Trouble while a job is out. Its bytes are still written: the printer goes on when it has paper again.
    fn interrupted(&mut self, now: Instant, message: &str, out: &mut Vec<Action>) {
        let outcome = Outcome::Unknown(format!("{message}; part of the job may be printed: {MUST_LOOK}"));
        match &mut self.phase {
            Phase::Writing(job) => job.answer(outcome, out),
            Phase::Confirming { job, .. } => {
                job.answer(outcome, out);
                self.next(now, out);
            }
            _ => {}
        }
    }

    fn show(&mut self, condition: Condition, out: &mut Vec<Action>) {
        if self.shown != condition {
            self.shown = condition.clone();
            out.push(Action::Condition(condition));
        }
    }

    fn time(&mut self, now: Instant, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        for mut job in std::mem::take(&mut self.queue) {
            if job.before <= now {
                job.answer(Outcome::Rejected(Reason::Expired, "the printer was busy for too long".to_owned()), out);
            } else {
                self.queue.push_back(job);
            }
        }
        match &mut self.phase {
            Phase::Greeting { until } if *until <= now => {
                // Plenty of printers and print servers only listen.
                self.show(self.status.condition(&self.warning), out);
                self.next(now, out);
            }
            Phase::Idle { ask_at } if *ask_at <= now => self.ask(now, out),
            Phase::Asking { until } if *until <= now => return self.missed(now, out),
            Phase::Confirming { job, reached, until, .. } if *until <= now => {
                if *reached == Certainty::Sent {
                    let message = format!("the printer took the job and then stopped answering: {MUST_LOOK}");
                    job.answer(Outcome::Unknown(message), out);
                    self.ask(now, out);
                } else {
                    let reached = *reached;
                    if self.signs == Support::Untried {
                        self.signs = Support::No;
                    }
                    job.done(reached, out);
                    self.next(now, out);
                }
            }
            Phase::Confirming { ask_at, .. } if *ask_at <= now => {
                *ask_at = now + ASK_SOON;
                let question = self.dialect.question();
                if !question.is_empty() {
                    out.push(Action::Write(question.to_vec()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn ask(&mut self, now: Instant, out: &mut Vec<Action>) {
        let question = self.dialect.question();
        if question.is_empty() {
            return self.next(now, out);
        }
        out.push(Action::Write(question.to_vec()));
        self.phase = Phase::Asking { until: now + ANSWER };
    }

    fn missed(&mut self, now: Instant, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        if !self.talks {
            self.next(now, out);
            return Ok(());
        }
        self.misses += 1;
        self.show(Condition::Error(Fault::Offline, SILENT.to_owned()), out);
        self.refuse_queue(Reason::Offline, SILENT, out);
        if self.misses >= MISSES {
            return Err(DeviceError::Io(io::Error::new(io::ErrorKind::TimedOut, "the printer stopped answering")));
        }
        self.ask(now, out);
        Ok(())
    }

    fn refuse_queue(&mut self, reason: Reason, message: &str, out: &mut Vec<Action>) {
        for mut job in self.queue.drain(..) {
            job.answer(Outcome::Rejected(reason, message.to_owned()), out);
        }
    }

    fn close(&mut self, out: &mut Vec<Action>) {
        if let Phase::Writing(mut job) | Phase::Confirming { mut job, .. } =
            std::mem::replace(&mut self.phase, Phase::Closed)
        {
            let message = format!("the connection to the printer broke in the middle of the job: {MUST_LOOK}");
            job.answer(Outcome::Unknown(message), out);
        }
        self.refuse_queue(Reason::Offline, "the printer is not connected: check its power and cable", out);
    }

    fn wake(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Closed | Phase::Writing(_) => None,
            Phase::Idle { ask_at: at } | Phase::Greeting { until: at } | Phase::Asking { until: at } => Some(*at),
            Phase::Confirming { until, ask_at, .. } => Some((*until).min(*ask_at)),
        };
        self.queue.iter().map(|job| job.before).chain(phase).min()
    }
}

impl<D: Dialect> crate::runner::Protocol for Protocol<D> {
    fn prepare(&self, command: &Command) -> Option<Preparation> {
        self.encoder.prepare(command)
    }

    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => {
                self.phase = Phase::Greeting { until: now + GREETING };
                let mut bytes = self.dialect.greeting();
                bytes.extend_from_slice(self.dialect.question());
                out.push(Action::Write(bytes));
            }
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    if let Some(heard) = self.dialect.hear(byte) {
                        self.heard(now, heard, out);
                    }
                    if let Some(heard) = self.dialect.more() {
                        self.heard(now, heard, out);
                    }
                }
            }
            Input::Command { id, command, before } => self.command(now, id, command, before, out),
            Input::Deadline => self.time(now, out)?,
            Input::Written => self.written(now, out),
            Input::Closed => {
                self.close(out);
                return Ok(());
            }
        }
        out.push(Action::Deadline(self.wake()));
        Ok(())
    }
}

fn rejected(id: CommandId, reason: Reason, message: &str) -> Action {
    Action::Reply(id, Outcome::Rejected(reason, message.to_owned()))
}
