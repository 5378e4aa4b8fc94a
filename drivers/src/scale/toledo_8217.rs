//! Mettler-Toledo 8217, the "Toledo" host interface that most checkout scales speak.
//!
//! Source: "8217 host interface" in the service manuals of scales and scanner-scales that emulate it (Datalogic/PSC
//! Magellan 8500, pages 45 to 51). 9600 baud, 7 data bits, even parity, 1 stop bit; the host asks, the scale answers:
//!
//! | host | scale |
//! |---|---|
//! | `W` | STX `WW.WW` (lb) or `WW.WWW` (kg), `N` after it if net, CR; or STX `?` status CR while there is no weight |
//! | `Z` | zeroes if stable and in range; STX `?` status CR |
//! | `T` | tares; STX `?` status CR after 150 ms |
//! | `C` | clears the tare; STX `?` status CR after 150 ms |
//!
//! A scale with a tare refuses `Z`, and nobody who zeroes a scale wants to keep a tare: zero clears it first.
//!
//! ```text
//!            Started            answer: next W after a breath
//!  (closed) ---------> Weighing ------------------------------> Weighing
//!                        |  ^                                      |
//!            Zero, Tare  |  | status, or none within its time      | nothing for a second
//!                        v  |                                      v
//!                      Acting                     Silent or garbled, asks on, back at the first good answer
//! ```
//!
//! Only a scale at rest and in range sends digits, so digits are a stable weight.

mod driver;
mod frame;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use driver::Toledo8217;
pub use frame::Status;
use frame::{Frame, Frames};

use super::{Command as ScaleCommand, Event, Reading, State, Unit, Weight, legal};
use crate::{
    device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Fault, Outcome, Reason, Value},
    runner::{Action, Input, Protocol},
};

/// Between an answer and the next question: lets a half-duplex line turn round.
const BREATH: Duration = Duration::from_millis(1);
/// The longest answer takes 9 ms on the wire; a scale that filters takes some 100 ms to think.
const ANSWER: Duration = Duration::from_millis(300);
/// `T` answers after 150 ms (manual), and no scale was seen to need more than half a second.
const ACTION_ANSWER: Duration = Duration::from_millis(1000);
/// No good answer for so long: the scale counts as silent or garbled.
const PATIENCE: Duration = Duration::from_millis(1000);
/// Commands that wait; a till has one under way.
const QUEUE: usize = 32;

/// What differs between installations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// The unit on the scale's display. Without it the number of decimals tells (manual: `WW.WW` is lb, `WW.WWW` is kg).
    pub unit: Option<Unit>,
}

/// The protocol's state; see the module's documentation.
#[derive(Debug)]
pub struct Protocol8217 {
    settings: Settings,
    frames: Frames,
    phase: Phase,
    shown: Option<Reading>,
    /// The scale subtracts a tare.
    net: bool,
    last_good: Option<Instant>,
    /// Bytes that were no answer since the last good one.
    garbage: bool,
    condition: Condition,
    reads: VecDeque<(CommandId, Instant)>,
    actions: VecDeque<(CommandId, ScaleCommand, Instant)>,
}

#[derive(Debug)]
enum Phase {
    Closed,
    /// `W` is out; ask again at this time.
    Asked(Instant),
    /// Ask at this time.
    Breath(Instant),
    /// `Z`, `T` or `C` is out; give up at this time.
    Acting(CommandId, Act, Instant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// On the way to `Zero`.
    ClearTare,
    Zero,
    Tare,
}

impl Act {
    fn byte(self) -> u8 {
        match self {
            Self::ClearTare => b'C',
            Self::Zero => b'Z',
            Self::Tare => b'T',
        }
    }
}

impl Protocol8217 {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            frames: Frames::default(),
            phase: Phase::Closed,
            shown: None,
            net: false,
            last_good: None,
            garbage: false,
            condition: Condition::Connecting,
            reads: VecDeque::new(),
            actions: VecDeque::new(),
        }
    }

    fn frame(&mut self, now: Instant, frame: Frame, out: &mut Vec<Action>) {
        match frame {
            Frame::Weight { digits, net } => {
                let Some(unit) = self.settings.unit.or_else(|| legal::unit_by_decimals(&digits)) else {
                    self.garbage = true;
                    return;
                };
                self.good(now, out);
                self.net = net;
                let weight = Weight { digits, unit, net };
                for (id, _) in self.reads.drain(..) {
                    out.push(Action::Reply(id, Outcome::Done(Value::Weight(weight.clone()))));
                }
                let state = legal::state(true, &weight);
                self.show(Reading { state, weight: Some(weight) }, out);
                self.answered(now, None, out);
            }
            Frame::Status(status) => {
                self.good(now, out);
                self.net = status.is_net();
                // After a command it tells how that went; what the scale shows comes with the next answer.
                if let Some(state) = status.state().filter(|_| !matches!(self.phase, Phase::Acting(..))) {
                    self.show(Reading { state, weight: None }, out);
                }
                self.answered(now, Some(status), out);
            }
            // The echo of a self test, or a keyed message: an answer, but not one to us.
            Frame::Garbage => self.garbage = true,
        }
    }

    fn good(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.last_good = Some(now);
        self.garbage = false;
        self.condition(Condition::Ready, out);
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

    /// An answer of any kind came: it ends the question or the action that is under way.
    fn answered(&mut self, now: Instant, status: Option<Status>, out: &mut Vec<Action>) {
        if let Phase::Acting(id, act, _) = &self.phase {
            let refusal = match act {
                Act::ClearTare => return self.act(now, id.clone(), Act::Zero, out),
                Act::Zero => Status::zero_refusal,
                Act::Tare => Status::tare_refusal,
            };
            let outcome = match status.and_then(refusal) {
                Some((reason, message)) => Outcome::Rejected(reason, message.to_owned()),
                None => Outcome::Done(Value::Nothing),
            };
            out.push(Action::Reply(id.clone(), outcome));
        }
        self.phase = Phase::Breath(now + BREATH);
    }

    /// Writes what comes next on the wire: a command first, else the question.
    fn ask(&mut self, now: Instant, out: &mut Vec<Action>) {
        while let Some((id, command, before)) = self.actions.pop_front() {
            if before <= now {
                out.push(expired(id));
                continue;
            }
            let act = match command {
                ScaleCommand::Tare => Act::Tare,
                _ if self.net => Act::ClearTare,
                _ => Act::Zero,
            };
            self.act(now, id, act, out);
            return;
        }
        out.push(Action::Write(vec![b'W']));
        self.phase = Phase::Asked(now + ANSWER);
    }

    fn act(&mut self, now: Instant, id: CommandId, act: Act, out: &mut Vec<Action>) {
        out.push(Action::Write(vec![act.byte()]));
        self.phase = Phase::Acting(id, act, now + ACTION_ANSWER);
    }

    fn time(&mut self, now: Instant, out: &mut Vec<Action>) {
        let late = self.last_good.is_some_and(|at| now >= at + PATIENCE);
        if late {
            self.lost(out);
        }
        let silent = self.condition != Condition::Ready;
        while let Some(at) = self.reads.iter().position(|(_, before)| *before <= now) {
            if let Some((id, _)) = self.reads.remove(at) {
                let (reason, message) = if silent {
                    (Reason::Offline, "the scale does not answer: check its power and cable")
                } else {
                    (Reason::Unstable, "the weight did not come to rest in time: keep the scale still and try again")
                };
                out.push(Action::Reply(id, Outcome::Rejected(reason, message.to_owned())));
            }
        }
        match &self.phase {
            Phase::Breath(at) | Phase::Asked(at) if *at <= now => self.ask(now, out),
            Phase::Acting(id, _, at) if *at <= now => {
                let message = "the scale did not say whether it did: look at its display";
                out.push(Action::Reply(id.clone(), Outcome::Unknown(message.to_owned())));
                self.ask(now, out);
            }
            _ => {}
        }
    }

    fn lost(&mut self, out: &mut Vec<Action>) {
        let condition = if self.garbage {
            Condition::Error(
                Fault::Garbled,
                "the scale sends something else than the 8217 protocol: set its interface to Toledo 8217, 9600 baud, 7 \
                 data bits, even parity"
                    .to_owned(),
            )
        } else {
            Condition::Error(
                Fault::Silent,
                "the scale does not answer: check its power and cable, and that its interface is set to Toledo 8217, \
                 9600 baud, 7 data bits, even parity"
                    .to_owned(),
            )
        };
        self.condition(condition, out);
        self.show(Reading { state: State::Silent, weight: None }, out);
    }

    fn command(&mut self, now: Instant, id: CommandId, command: Command, before: Instant, out: &mut Vec<Action>) {
        let Command::Scale(command) = command else {
            let message = "a scale understands read, zero and tare";
            out.push(Action::Reply(id, Outcome::Rejected(Reason::Unsupported, message.to_owned())));
            return;
        };
        if self.reads.len() + self.actions.len() >= QUEUE {
            let message = "too many commands wait for the scale: try again when they are done";
            out.push(Action::Reply(id, Outcome::Rejected(Reason::Busy, message.to_owned())));
            return;
        }
        match command {
            ScaleCommand::Read => self.reads.push_back((id, before)),
            ScaleCommand::Zero | ScaleCommand::Tare => {
                self.actions.push_back((id, command, before));
                if matches!(self.phase, Phase::Breath(_)) {
                    self.ask(now, out);
                }
            }
        }
    }

    fn close(&mut self, out: &mut Vec<Action>) {
        if let Phase::Acting(id, _, _) = std::mem::replace(&mut self.phase, Phase::Closed) {
            let message = "the connection broke before the scale said whether it did: look at its display";
            out.push(Action::Reply(id, Outcome::Unknown(message.to_owned())));
        }
        let waiting = self.reads.drain(..).map(|(id, _)| id).chain(self.actions.drain(..).map(|(id, _, _)| id));
        for id in waiting {
            out.push(Action::Reply(id, Outcome::Rejected(Reason::Offline, "the scale is not connected".to_owned())));
        }
    }

    fn wake(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Closed => None,
            Phase::Asked(at) | Phase::Breath(at) | Phase::Acting(_, _, at) => Some(*at),
        };
        let patience = match self.condition {
            Condition::Error(..) => None,
            _ => self.last_good.map(|at| at + PATIENCE),
        };
        self.reads.iter().map(|(_, before)| *before).chain(phase).chain(patience).min()
    }
}

impl Protocol for Protocol8217 {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => {
                // Patience starts with the connection.
                self.last_good = Some(now);
                self.ask(now, out);
            }
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    if let Some(frame) = self.frames.push(byte) {
                        self.frame(now, frame, out);
                    }
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

#[cfg(test)]
mod tests;
