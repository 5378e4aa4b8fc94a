//! Gets jobs to the printer and finds out what became of them.
//!
//! ```text
//!  (closed) --Started--> Greeting --status, or 1 s of nothing--> Idle <------------------------------+
//!                                                                | | ^                               |
//!                                         every 5 s: DLE EOT     | | +-- answer -- Asking            |
//!                                                                | +-------------->   | 15 s without |
//!                                    a job, and no trouble known |                    v              |
//!                                                                v                 (error)           |
//!                                                             Writing --last byte taken--> Confirming
//!                                                                                    outcome --------+
//! ```
//!
//! A job ends with a process id (`GS ( H`, function 48), which the printer returns when everything before it is on
//! paper, and with `DLE EOT`, which it answers as soon as it has received it. So an outcome is `Printed`, `Accepted`,
//! or, from printers that never say anything, `Sent`. Once the first byte of a job is out, only these and `Unknown`
//! are left: nothing can tell how much of it is on paper.

mod job;

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use job::Job;

use super::{
    encode::{encode, pulse},
    reply::{Replies, Reply, from_automatic, take_real_time},
};
use crate::{
    device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Fault, Outcome, Reason, Value},
    printer::{
        Certainty, Event,
        encoder::{self, Encoded, Encoder},
        mark,
        profile::Profile,
        status::Status,
    },
    runner::{Action, Input, Preparation},
};

/// `GS a`: send the status by itself whenever it changes. `ESC @` ends that, so every job says it again.
pub(super) const AUTOMATIC_STATUS: [u8; 3] = [0x1d, b'a', 0xff];

/// A printer on the same network answers in milliseconds; a mute one costs its first job this much.
const GREETING: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Then the printer is reported as not answering, and asked again.
const ANSWER: Duration = Duration::from_secs(2);
/// So many questions without an answer: the connection is worth nothing, a new one is made.
const MISSES: u32 = 7;
const QUEUE: usize = 32;
/// Bytes per write: enough to fill a printer's buffer, little enough to notice trouble between two.
const CHUNK: usize = 4096;
/// Garbage that an honest printer does not send.
const TOO_MUCH_GARBAGE: usize = 64;

const MUST_LOOK: &str = "look at the paper before you print again";

/// See the module's documentation.
#[derive(Debug)]
pub struct Protocol {
    encoder: Encoder,
    /// What is wrong with its settings; shown while nothing worse is.
    warning: String,
    replies: Replies,
    status: Status,
    /// The printer sends its status by itself.
    automatic: bool,
    /// It has said something that makes sense since the connection began.
    talks: bool,
    /// It answers `DLE EOT`.
    answers: bool,
    process_ids: Support,
    /// Questions of `DLE EOT` without an answer yet, oldest first.
    questions: VecDeque<u8>,
    misses: u32,
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

#[derive(Debug)]
enum Phase {
    Closed,
    Greeting { until: Instant },
    Idle { ask_at: Instant },
    Asking { until: Instant },
    Writing(Job),
    Confirming { job: Job, reached: Certainty, until: Instant },
}

impl Protocol {
    pub fn new(profile: Profile) -> Self {
        Self::with(profile, profile, String::new())
    }

    /// `found` is the printer without what a person set; `warning`, what is wrong with that.
    pub fn with(found: Profile, profile: Profile, warning: String) -> Self {
        Self {
            encoder: Encoder { found, profile, document: encode, drawer: Some(pulse) },
            warning,
            replies: Replies::default(),
            status: Status::default(),
            automatic: false,
            talks: false,
            answers: false,
            process_ids: if profile.process_ids { Support::Untried } else { Support::No },
            questions: VecDeque::new(),
            misses: 0,
            drawer_open: None,
            shown: Condition::Connecting,
            phase: Phase::Closed,
            queue: VecDeque::new(),
        }
    }

    /// DLE EOT: printer status (1), and what the automatic status would say of cover (2), errors (3) and paper (4).
    /// That comes only at a change: trouble it told of once, or that was noise on the line, is asked about again.
    fn ask(&mut self, out: &mut Vec<u8>) {
        let questions: &[u8] = match self.automatic {
            true if self.status.trouble().is_some() => &[1, 2, 3, 4],
            true => &[1],
            false => &[1, 2, 4],
        };
        self.questions.clear();
        for &question in questions {
            out.extend_from_slice(&[0x10, 0x04, question]);
            self.questions.push_back(question);
        }
    }

    fn command(&mut self, now: Instant, id: CommandId, command: Command, before: Instant, out: &mut Vec<Action>) {
        let Command::Printer(command) = command else {
            let message = "a printer prints and opens the drawer, no more";
            out.push(rejected(id, Reason::Unsupported, message));
            return;
        };
        if self.queue.len() >= QUEUE {
            out.push(rejected(id, Reason::Busy, "too many jobs wait for the printer: try again when they are done"));
            return;
        }
        let mark = mark(&id.0);
        match self.encoder.encode(&command) {
            Ok(Encoded::Print(bytes)) => self.queue.push_back(Job::print(id, before, bytes, mark)),
            Ok(Encoded::Raw(bytes)) => self.queue.push_back(Job::raw(id, before, bytes, mark)),
            Ok(Encoded::Drawer(bytes)) => self.queue.push_back(Job::drawer(id, before, bytes, mark)),
            Err(error) => {
                out.push(rejected(id, encoder::reason(&error), &error.to_string()));
                return;
            }
        }
        if matches!(self.phase, Phase::Idle { .. }) {
            self.next(now, out);
        } else if self.misses > 0 {
            self.refuse_queue(Reason::Offline, "the printer does not answer: check its power and cable", out);
        }
    }

    /// Starts the next job that may still run, or rests.
    fn next(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.phase = Phase::Idle { ask_at: now + ASK_EVERY };
        while let Some(mut job) = self.queue.pop_front() {
            if job.before <= now {
                out.push(rejected_job(&mut job, Reason::Expired, "it came too late for the printer"));
            } else if let Some((reason, _, message)) = self.status.trouble() {
                out.push(rejected_job(&mut job, reason, message));
            } else {
                // A printer that has never answered may print a process id as text, so it gets none.
                if self.talks && self.process_ids != Support::No {
                    job.append_process_id();
                }
                if self.answers {
                    let mut questions = Vec::new();
                    self.ask(&mut questions);
                    job.append(&questions);
                }
                out.extend(job.chunk(CHUNK).map(Action::Write));
                self.phase = Phase::Writing(job);
                return;
            }
        }
    }

    fn written(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Phase::Writing(job) = &mut self.phase else { return };
        if let Some(chunk) = job.chunk(CHUNK) {
            out.push(Action::Write(chunk));
            return;
        }
        let Phase::Writing(mut job) = std::mem::replace(&mut self.phase, Phase::Closed) else { return };
        if job.is_answered() {
            self.next(now, out);
        } else if self.talks {
            // Its answer stands behind the job in buffers that empty at the speed of paper, or of the serial line
            // behind a print server (9600 baud).
            let until = now + Duration::from_secs(5) + job.time_at(960);
            let accepted = self.answers && self.questions.is_empty();
            let printed = job.printed;
            self.phase = Phase::Confirming { job, reached: Certainty::Sent, until };
            if printed {
                self.finish(now, Certainty::Printed, out);
            } else if accepted {
                self.accepted(now, out);
            }
        } else {
            out.extend(job.done(Certainty::Sent));
            self.next(now, out);
        }
    }

    /// The printer has answered a question that stood behind the job.
    fn accepted(&mut self, now: Instant, out: &mut Vec<Action>) {
        let patience = match self.process_ids {
            Support::No => return self.finish(now, Certainty::Accepted, out),
            Support::Untried => Duration::from_secs(3),
            Support::Yes => Duration::from_secs(30),
        };
        if let Phase::Confirming { job, reached, until } = &mut self.phase {
            *reached = Certainty::Accepted;
            *until = now + patience + job.time_at(8192);
        }
    }

    fn finish(&mut self, now: Instant, certainty: Certainty, out: &mut Vec<Action>) {
        if let Phase::Confirming { job, .. } = &mut self.phase {
            out.extend(job.done(certainty));
        }
        self.next(now, out);
    }

    fn reply(&mut self, now: Instant, reply: Reply, out: &mut Vec<Action>) {
        self.talks = true;
        self.misses = 0;
        match reply {
            Reply::Automatic(bytes) => {
                self.automatic = true;
                self.status = from_automatic(bytes);
            }
            Reply::RealTime(answer) => {
                self.answers = true;
                if let Some(question) = self.questions.pop_front() {
                    take_real_time(&mut self.status, question, answer);
                }
            }
            Reply::ProcessId(mark) => {
                self.process_ids = Support::Yes;
                match &mut self.phase {
                    Phase::Confirming { job, .. } if job.mark == mark => self.finish(now, Certainty::Printed, out),
                    Phase::Writing(job) if job.mark == mark => job.printed = true,
                    // Of a job that was given up on, or of an earlier connection: whoever is in doubt hears of it.
                    _ => out.push(Action::Emit(DeviceEvent::Printer(Event::Printed { mark }))),
                }
            }
        }
        self.drawer(out);
        self.show(self.status.condition(&self.warning), out);
        if let Some((_, _, message)) = self.status.trouble() {
            self.interrupted(now, message, out);
        }
        let all_answered = self.questions.is_empty();
        match self.phase {
            Phase::Greeting { .. } if all_answered => self.next(now, out),
            Phase::Asking { .. } if all_answered => self.next(now, out),
            Phase::Confirming { reached: Certainty::Sent, .. } if self.answers && all_answered => {
                self.accepted(now, out)
            }
            _ => {}
        }
    }

    /// Trouble while a job is out. Its bytes are still written: the printer goes on when it has paper again.
    fn interrupted(&mut self, now: Instant, message: &str, out: &mut Vec<Action>) {
        let message = format!("{message}; part of the job may be on paper: {MUST_LOOK}");
        match &mut self.phase {
            Phase::Writing(job) => out.extend(job.unknown(&message)),
            Phase::Confirming { job, .. } => {
                out.extend(job.unknown(&message));
                self.next(now, out);
            }
            _ => {}
        }
    }

    fn drawer(&mut self, out: &mut Vec<Action>) {
        let open = self.status.drawer_pin_high == self.encoder.profile.drawer_open_high;
        // The first status is how things are, not something that happened.
        if self.drawer_open.replace(open).is_some_and(|before| before != open) {
            out.push(Action::Emit(DeviceEvent::Printer(Event::Drawer { open })));
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
                out.push(rejected_job(&mut job, Reason::Expired, "the printer was busy for too long"));
            } else {
                self.queue.push_back(job);
            }
        }
        match &mut self.phase {
            Phase::Greeting { until } if *until <= now => {
                // Plenty of printers and print servers only listen.
                self.questions.clear();
                self.show(self.status.condition(&self.warning), out);
                self.next(now, out);
            }
            Phase::Idle { ask_at } if *ask_at <= now => {
                self.phase = Phase::Asking { until: now + ANSWER };
                self.send_questions(out);
            }
            Phase::Asking { until } if *until <= now => return self.missed(now, out),
            Phase::Confirming { reached, until, job } if *until <= now => {
                if *reached == Certainty::Sent && self.answers {
                    let message = format!("the printer took the job and then stopped answering: {MUST_LOOK}");
                    out.extend(job.unknown(&message));
                    self.phase = Phase::Asking { until: now + ANSWER };
                    self.send_questions(out);
                } else {
                    let reached = *reached;
                    if self.process_ids == Support::Untried {
                        self.process_ids = Support::No;
                    }
                    self.finish(now, reached, out);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn missed(&mut self, now: Instant, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        if !self.answers {
            self.next(now, out);
            return Ok(());
        }
        self.misses += 1;
        let message = "the printer does not answer: check its power and cable";
        self.show(Condition::Error(Fault::Offline, message.to_owned()), out);
        self.refuse_queue(Reason::Offline, message, out);
        if self.misses >= MISSES {
            return Err(DeviceError::Io(io::Error::new(io::ErrorKind::TimedOut, "the printer stopped answering")));
        }
        self.phase = Phase::Asking { until: now + ANSWER };
        self.send_questions(out);
        Ok(())
    }

    fn send_questions(&mut self, out: &mut Vec<Action>) {
        let mut bytes = Vec::new();
        self.ask(&mut bytes);
        out.push(Action::Write(bytes));
    }

    fn refuse_queue(&mut self, reason: Reason, message: &str, out: &mut Vec<Action>) {
        out.extend(self.queue.drain(..).map(|mut job| rejected_job(&mut job, reason, message)));
    }

    fn close(&mut self, out: &mut Vec<Action>) {
        if let Phase::Writing(mut job) | Phase::Confirming { mut job, .. } =
            std::mem::replace(&mut self.phase, Phase::Closed)
        {
            let message = format!("the connection to the printer broke in the middle of the job: {MUST_LOOK}");
            out.extend(job.unknown(&message));
        }
        self.refuse_queue(Reason::Offline, "the printer is not connected: check its power and cable", out);
    }

    fn wake(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Closed | Phase::Writing(_) => None,
            Phase::Idle { ask_at: at }
            | Phase::Greeting { until: at }
            | Phase::Asking { until: at }
            | Phase::Confirming { until: at, .. } => Some(*at),
        };
        self.queue.iter().map(|job| job.before).chain(phase).min()
    }
}

impl crate::runner::Protocol for Protocol {
    fn prepare(&self, command: &Command) -> Option<Preparation> {
        self.encoder.prepare(command)
    }

    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => {
                self.phase = Phase::Greeting { until: now + GREETING };
                let mut bytes = AUTOMATIC_STATUS.to_vec();
                self.ask(&mut bytes);
                out.push(Action::Write(bytes));
            }
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    if let Some(reply) = self.replies.push(byte) {
                        self.reply(now, reply, out);
                    }
                }
                if self.replies.garbage > TOO_MUCH_GARBAGE {
                    let message = "the printer answers in something else than ESC/POS: if it is a label or office \
                                   printer, choose another driver for it";
                    self.show(Condition::Error(Fault::Garbled, message.to_owned()), out);
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

fn rejected_job(job: &mut Job, reason: Reason, message: &str) -> Action {
    Action::Reply(job.id.clone(), Outcome::Rejected(reason, message.to_owned()))
}

/// What a finished job gives back.
fn value(certainty: Certainty, prints: bool) -> Value {
    if prints { Value::Print(certainty) } else { Value::Nothing }
}
