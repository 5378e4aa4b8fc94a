//! What all scales on a serial line have in common: asking, waiting, commands, and what is said when they are silent.
//! The bytes are a [`Dialect`]'s.
//!
//! ```text
//!           question                answer                breath over
//!  Closed ----------> Asked ------------------> Breath ------------------> Asked
//!                       |  ^                       |
//!                       |  | nothing in time       | zero, tare
//!                       v  |                       v
//!               Listening (it streams)          Acting ---> done, refused, or verified by the next reading
//! ```

use std::{
    collections::VecDeque,
    fmt::Debug,
    time::{Duration, Instant},
};

use super::{Command as ScaleCommand, Event, Reading, State, Weight, legal};
use crate::{
    device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Fault, Outcome, Reason, Value},
    runner::{Action, Input, Protocol},
};

/// Commands that wait; a till has one under way.
const QUEUE: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Zero,
    Tare,
}

/// What a dialect makes of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// What the display shows.
    Shows(State, Option<Weight>),
    /// A good answer that says nothing new: what was shown last is still true.
    Unchanged,
    /// The command under way was carried out.
    Done,
    Refused(Reason, &'static str),
    /// The handshake goes on with these bytes.
    Reply(Vec<u8>),
    /// A good answer; the scale cannot weigh, and this says why and what to do.
    Trouble(&'static str),
    /// Bytes that make no sense.
    Garbage,
}

/// What is known of how an act went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirms {
    /// The scale answers it.
    ByAnswer,
    /// It says nothing; the display shows zero afterwards if it went well.
    ByReading,
}

#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Between an answer and the next question.
    pub breath: Duration,
    /// The longest time for an answer, or between two readings of a scale that streams.
    pub answer: Duration,
    pub act: Duration,
    /// Without a good answer for so long the scale counts as silent or garbled.
    pub patience: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            breath: Duration::from_millis(2),
            answer: Duration::from_millis(400),
            act: Duration::from_secs(2),
            patience: Duration::from_millis(1500),
        }
    }
}

pub trait Dialect: Debug + Send + 'static {
    /// What to set the scale to, for messages: `MT-SICS, 9600 baud, 8 data bits, no parity`.
    fn name(&self) -> String;
    /// Asks for a weight; empty for a scale that speaks by itself.
    fn question(&mut self) -> Vec<u8>;
    /// Readings go on coming without being asked for.
    fn streams(&self) -> bool {
        false
    }
    /// `None`: this scale cannot be told to.
    fn act(&mut self, act: Act) -> Option<(Vec<u8>, Confirms)>;
    fn push(&mut self, byte: u8, acting: Option<Act>, heard: &mut Vec<Heard>);
    /// No answer came: what was begun is forgotten.
    fn give_up(&mut self) {}
    fn times(&self) -> Times {
        Times::default()
    }
}

/// A [`Dialect`] as a protocol.
#[derive(Debug)]
pub struct Desk<D> {
    dialect: D,
    times: Times,
    phase: Phase,
    shown: Option<Reading>,
    last_good: Option<Instant>,
    /// Bytes that were no answer since the last good one.
    garbage: bool,
    condition: Condition,
    reads: VecDeque<(CommandId, Instant)>,
    acts: VecDeque<(CommandId, Act, Instant)>,
    heard: Vec<Heard>,
}

#[derive(Debug)]
enum Phase {
    Closed,
    /// The question is out; ask again at this time.
    Asked(Instant),
    /// Readings come by themselves; ask again if none came until then.
    Listening(Instant),
    Breath(Instant),
    /// Give up at this time.
    Acting(CommandId, Act, Instant),
    /// The act is out and the scale says nothing of it: a reading at rest tells.
    Verifying {
        id: CommandId,
        /// Readings before this time may be older than the act.
        from: Instant,
        ask: Instant,
        end: Instant,
    },
}

impl<D: Dialect> Desk<D> {
    pub fn new(dialect: D) -> Self {
        Self {
            times: dialect.times(),
            dialect,
            phase: Phase::Closed,
            shown: None,
            last_good: None,
            garbage: false,
            condition: Condition::Connecting,
            reads: VecDeque::new(),
            acts: VecDeque::new(),
            heard: Vec::new(),
        }
    }

    fn byte(&mut self, now: Instant, byte: u8, out: &mut Vec<Action>) {
        let acting = match &self.phase {
            Phase::Acting(_, act, _) => Some(*act),
            _ => None,
        };
        let mut heard = std::mem::take(&mut self.heard);
        self.dialect.push(byte, acting, &mut heard);
        for heard in heard.drain(..) {
            self.hear(now, heard, out);
        }
        self.heard = heard;
    }

    fn hear(&mut self, now: Instant, heard: Heard, out: &mut Vec<Action>) {
        match heard {
            Heard::Garbage => {
                self.garbage = true;
                return;
            }
            Heard::Reply(bytes) => {
                out.push(Action::Write(bytes));
                return;
            }
            _ => {}
        }
        self.last_good = Some(now);
        self.garbage = false;
        self.condition(
            match &heard {
                Heard::Trouble(why) => Condition::Error(Fault::Other, (*why).to_owned()),
                _ => Condition::Ready,
            },
            out,
        );
        match heard {
            Heard::Shows(state, weight) => {
                self.show(Reading { state, weight }, out);
                self.release(out);
                self.verified(now, out);
                self.answered(now, out);
            }
            Heard::Unchanged => {
                self.release(out);
                if matches!(self.phase, Phase::Asked(_) | Phase::Listening(_)) {
                    self.phase = Phase::Breath(now + self.times.breath);
                }
            }
            Heard::Done => self.acted(now, Outcome::Done(Value::Nothing), out),
            Heard::Refused(reason, why) => self.acted(now, Outcome::Rejected(reason, why.to_owned()), out),
            Heard::Trouble(_) => {
                self.show(Reading { state: State::Silent, weight: None }, out);
                self.answered(now, out);
            }
            Heard::Garbage | Heard::Reply(_) => {}
        }
    }

    /// Answers who waits for a weight, if one may be sold by.
    fn release(&mut self, out: &mut Vec<Action>) {
        let Some(shown) = &self.shown else { return };
        let Some(weight) = legal::released(shown.state, shown.weight.as_ref()) else { return };
        for (id, _) in self.reads.drain(..) {
            out.push(Action::Reply(id, Outcome::Done(Value::Weight(weight.clone()))));
        }
    }

    /// A reading came while an act waits for its proof.
    fn verified(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Phase::Verifying { from, .. } = &self.phase else { return };
        let Some(Reading { state, weight: Some(weight) }) = &self.shown else { return };
        if *state == State::Motion || now < *from {
            return;
        }
        let outcome = if legal::is_zero(&weight.digits) {
            Outcome::Done(Value::Nothing)
        } else {
            let why = "the scale did not do it: keep it still, see that the load is in its range, and try again";
            Outcome::Rejected(Reason::DeviceError, why.to_owned())
        };
        self.acted(now, outcome, out);
    }

    fn acted(&mut self, now: Instant, outcome: Outcome, out: &mut Vec<Action>) {
        match std::mem::replace(&mut self.phase, Phase::Breath(now + self.times.breath)) {
            Phase::Acting(id, ..) | Phase::Verifying { id, .. } => out.push(Action::Reply(id, outcome)),
            // Nobody asked: a key on the scale.
            phase => self.phase = phase,
        }
    }

    fn answered(&mut self, now: Instant, out: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Asked(_) | Phase::Listening(_) if self.dialect.streams() => {
                self.phase = Phase::Listening(now + self.times.answer);
                if !self.acts.is_empty() {
                    self.ask(now, out);
                }
            }
            Phase::Asked(_) | Phase::Listening(_) => self.phase = Phase::Breath(now + self.times.breath),
            Phase::Verifying { ask, .. } => *ask = now + self.times.breath,
            Phase::Closed | Phase::Breath(_) | Phase::Acting(..) => {}
        }
    }

    fn condition(&mut self, condition: Condition, out: &mut Vec<Action>) {
        if self.condition != condition {
            self.condition = condition.clone();
            out.push(Action::Condition(condition));
        }
    }

    fn show(&mut self, reading: Reading, out: &mut Vec<Action>) {
        if self.shown.as_ref() != Some(&reading) {
            self.shown = Some(reading.clone());
            out.push(Action::Emit(DeviceEvent::Scale(Event::Reading(reading))));
        }
    }

    /// Writes what comes next: a command first, else the question.
    fn ask(&mut self, now: Instant, out: &mut Vec<Action>) {
        while let Some((id, act, before)) = self.acts.pop_front() {
            if before <= now {
                out.push(expired(id));
                continue;
            }
            self.dialect.give_up();
            match self.dialect.act(act) {
                None => out.push(Action::Reply(id, Outcome::Rejected(Reason::Unsupported, unsupported(act)))),
                Some((bytes, confirms)) => {
                    out.push(Action::Write(bytes));
                    let end = now + self.times.act;
                    self.phase = match confirms {
                        Confirms::ByAnswer => Phase::Acting(id, act, end),
                        Confirms::ByReading => {
                            let from = now + self.times.act / 4;
                            Phase::Verifying { id, from, ask: from, end }
                        }
                    };
                    return;
                }
            }
        }
        self.question(out);
        self.phase = Phase::Asked(now + self.times.answer);
    }

    fn question(&mut self, out: &mut Vec<Action>) {
        self.dialect.give_up();
        let question = self.dialect.question();
        if !question.is_empty() {
            out.push(Action::Write(question));
        }
    }

    fn time(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.last_good.is_some_and(|at| now >= at + self.times.patience) {
            self.lost(out);
        }
        let silent = self.condition != Condition::Ready;
        while let Some(at) = self.reads.iter().position(|(_, before)| *before <= now) {
            if let Some((id, _)) = self.reads.remove(at) {
                let (reason, why) = if silent {
                    (Reason::Offline, "the scale does not answer: check its power and cable")
                } else {
                    (Reason::Unstable, "the weight did not come to rest in time: keep the scale still and try again")
                };
                out.push(Action::Reply(id, Outcome::Rejected(reason, why.to_owned())));
            }
        }
        match &mut self.phase {
            Phase::Breath(at) | Phase::Asked(at) | Phase::Listening(at) if *at <= now => self.ask(now, out),
            Phase::Acting(id, _, end) | Phase::Verifying { id, end, .. } if *end <= now => {
                let why = "the scale did not say whether it did: look at its display";
                out.push(Action::Reply(id.clone(), Outcome::Unknown(why.to_owned())));
                self.ask(now, out);
            }
            Phase::Verifying { ask, .. } if *ask <= now => {
                *ask = now + self.times.answer;
                self.question(out);
            }
            _ => {}
        }
    }

    fn lost(&mut self, out: &mut Vec<Action>) {
        let name = self.dialect.name();
        let condition = if self.garbage {
            let text = format!("the scale sends something else: set its interface to {name}");
            Condition::Error(Fault::Garbled, text)
        } else {
            let text = format!(
                "the scale does not answer: check its power and cable, and that its interface is set to {name}"
            );
            Condition::Error(Fault::Silent, text)
        };
        self.condition(condition, out);
        self.show(Reading { state: State::Silent, weight: None }, out);
    }

    fn command(&mut self, now: Instant, id: CommandId, command: Command, before: Instant, out: &mut Vec<Action>) {
        let refuse = |id, reason, why: &str| Action::Reply(id, Outcome::Rejected(reason, why.to_owned()));
        let Command::Scale(command) = command else {
            return out.push(refuse(id, Reason::Unsupported, "a scale understands read, zero and tare"));
        };
        if self.reads.len() + self.acts.len() >= QUEUE {
            let why = "too many commands wait for the scale: try again when they are done";
            return out.push(refuse(id, Reason::Busy, why));
        }
        let act = match command {
            ScaleCommand::Read => return self.reads.push_back((id, before)),
            ScaleCommand::Zero => Act::Zero,
            ScaleCommand::Tare => Act::Tare,
        };
        self.acts.push_back((id, act, before));
        if matches!(self.phase, Phase::Breath(_) | Phase::Listening(_)) {
            self.ask(now, out);
        }
    }

    fn close(&mut self, out: &mut Vec<Action>) {
        if let Phase::Acting(id, ..) | Phase::Verifying { id, .. } = std::mem::replace(&mut self.phase, Phase::Closed) {
            let why = "the connection broke before the scale said whether it did: look at its display";
            out.push(Action::Reply(id, Outcome::Unknown(why.to_owned())));
        }
        let waiting = self.reads.drain(..).map(|(id, _)| id).chain(self.acts.drain(..).map(|(id, ..)| id));
        for id in waiting {
            out.push(Action::Reply(id, Outcome::Rejected(Reason::Offline, "the scale is not connected".to_owned())));
        }
    }

    pub(super) fn wake(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Closed => None,
            Phase::Asked(at) | Phase::Listening(at) | Phase::Breath(at) | Phase::Acting(_, _, at) => Some(*at),
            Phase::Verifying { ask, end, .. } => Some(*ask.min(end)),
        };
        let patience = match self.condition {
            Condition::Error(Fault::Silent | Fault::Garbled, _) => None,
            _ => self.last_good.map(|at| at + self.times.patience),
        };
        self.reads.iter().map(|(_, before)| *before).chain(phase).chain(patience).min()
    }
}

impl<D: Dialect> Protocol for Desk<D> {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => {
                // Patience starts with the connection.
                self.last_good = Some(now);
                self.ask(now, out);
            }
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    self.byte(now, byte, out);
                }
            }
            Input::Command { id, command, before } => self.command(now, id, command, before, out),
            Input::Deadline => self.time(now, out),
            Input::Written => return Ok(()),
            Input::Closed => {
                self.close(out);
                return Ok(());
            }
        }
        out.push(Action::Deadline(self.wake()));
        Ok(())
    }
}

fn expired(id: CommandId) -> Action {
    Action::Reply(id, Outcome::Rejected(Reason::Expired, "it came too late for the scale".to_owned()))
}

fn unsupported(act: Act) -> String {
    let key = match act {
        Act::Zero => "zero",
        Act::Tare => "tare",
    };
    format!("this scale takes no {key} over its cable: press the {key} key on it")
}
