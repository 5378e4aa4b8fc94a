//! ZVT over TCP, the protocol of German, Austrian and Swiss terminals.
//!
//! Source: "ECR-Interface ZVT-Protocol", PA00P015 (commands, bitmaps, error messages) and PA00P016 (transport),
//! published by terminalhersteller.de; chapters are named where they matter.
//!
//! The box begins as master. After the terminal has acknowledged a command (80 00) the word is the terminal's: it sends
//! what it has, each acknowledged by us, until Completion (06 0F) or Abort (06 1E) gives the word back.
//!
//! ```text
//!  Started: Registration (06 00)
//!     │              NACK (84 xx)
//!     ▼         ┌──────────────────┐
//!  Sent ── T3 ──┼─► no answer: end │
//!     │ 80 00   ▼                  │
//!     ▼       Idle ── command ─► Sent (the next task)
//!  Running ──────┘ 06 0F, 06 1E
//!     │ T4: no word for three minutes: end
//!     └─ 04 FF status, 04 0F result, 06 D1 / 06 D3 receipts: acknowledged, noted
//! ```
//!
//! A payment took place only when a Status-Information with result 0 *and* the Completion came: a terminal that misses
//! our acknowledgement takes the payment back (chapter "Authorization"). Everything in between ends as `Unknown`, and
//! [`payment::Command::Status`](super::Command::Status) finds out: Status-Enquiry (05 01) until the terminal is idle,
//! then Repeat Receipt (06 20), whose receipt and trace number are compared with those from before the payment.

mod apdu;
mod fields;
mod task;
mod words;

use std::time::{Duration, Instant};

use apdu::{Apdu, Apdus, apdu};
use task::{Enquiry, Task, What};

use super::{Command as Payment, Currency, Event, StatusFor};
use crate::{
    device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Fault, Outcome, Reason, Value},
    runner::{Action, Input, Protocol},
};

/// T3: within it an APDU is acknowledged.
const T3: Duration = Duration::from_secs(5);
/// T4: the longest silence of a terminal that has the word.
const T4: Duration = Duration::from_secs(180);
/// Between two looks at a terminal that is busy.
const AGAIN: Duration = Duration::from_secs(1);
/// A registration that was refused is tried again after this.
const REGISTER_AGAIN: Duration = Duration::from_secs(10);

const ACK: u16 = 0x8000;
const COMPLETION: u16 = 0x060f;
const ABORTED: u16 = 0x061e;
const ABORT: u16 = 0x06b0;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Six digits; most terminals leave the factory with 000000.
    pub password: u32,
    pub currency: Currency,
    /// The box takes the receipts, else the terminal prints them.
    pub receipts_to_box: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { password: 0, currency: Currency::EUR, receipts_to_box: true }
    }
}

/// The protocol's state; see the module's documentation.
#[derive(Debug)]
pub struct Zvt {
    settings: Settings,
    apdus: Apdus,
    phase: Phase,
    /// A command that came while the terminal was being registered.
    waiting: Option<(CommandId, Payment, Instant)>,
    aborting: Option<CommandId>,
    /// A line of a receipt that the terminal prints of itself.
    stray: Vec<String>,
    condition: Condition,
}

#[derive(Debug)]
enum Phase {
    Closed,
    /// A command is out, acknowledged until then or never.
    Sent(Task, Instant),
    /// The terminal has the word; silent for so long it counts as lost.
    Running(Task, Instant),
    /// Asks again at this time.
    Pause(Task, Instant),
    Idle,
}

impl Zvt {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            apdus: Apdus::default(),
            phase: Phase::Closed,
            waiting: None,
            aborting: None,
            stray: Vec::new(),
            condition: Condition::Connecting,
        }
    }

    fn send(&mut self, now: Instant, task: Task, out: &mut Vec<Action>) {
        out.push(Action::Write(task.apdu(&self.settings)));
        self.phase = Phase::Sent(task, now + T3);
    }

    fn condition(&mut self, condition: Condition, out: &mut Vec<Action>) {
        if self.condition != condition {
            self.condition = condition.clone();
            out.push(Action::Condition(condition));
        }
    }

    fn apdu(&mut self, now: Instant, got: &Apdu, out: &mut Vec<Action>) {
        match (got.code, std::mem::replace(&mut self.phase, Phase::Idle)) {
            (ACK, Phase::Sent(task, _)) => self.phase = Phase::Running(task, now + T4),
            (code, Phase::Sent(task, _)) if code >> 8 == 0x84 => self.refused(now, task, code as u8, out),
            // The acknowledgement of our Abort: the transaction goes on or ends with 06 1E.
            (code, phase) if code == ACK || code >> 8 == 0x84 => {
                self.phase = phase;
                if let Some(id) = self.aborting.take() {
                    out.push(Action::Reply(
                        id,
                        match code {
                            ACK => Outcome::Done(Value::Nothing),
                            _ => Outcome::Rejected(Reason::Busy, "the terminal cannot stop it any more".to_owned()),
                        },
                    ));
                }
            }
            // Terminals that give no acknowledgement of their own answer with what they have to say.
            (_, Phase::Sent(task, _) | Phase::Running(task, _)) => {
                self.phase = Phase::Running(task, now + T4);
                self.said(now, got, out);
            }
            (_, phase) => {
                self.phase = phase;
                self.of_itself(got, out);
            }
        }
    }

    /// The terminal has the word.
    fn said(&mut self, now: Instant, got: &Apdu, out: &mut Vec<Action>) {
        out.push(Action::Write(apdu(ACK, &[])));
        let Phase::Running(task, _) = &mut self.phase else { return };
        match got.code {
            0x04ff => {
                let (code, text) = fields::intermediate(&got.data);
                let words = code.and_then(words::intermediate).map(str::to_owned);
                if let Some(text) = text.or(words) {
                    let event = Event::Status { audience: StatusFor::Cashier, text };
                    out.push(Action::Emit(DeviceEvent::Payment(event)));
                }
            }
            0x040f => task.info = Some(fields::info(&got.data)),
            0x06d1 => task.print_line(&got.data),
            0x06d3 => task.receipts.extend(fields::text_block(&got.data)),
            COMPLETION | ABORTED => {
                if let Phase::Running(task, _) = std::mem::replace(&mut self.phase, Phase::Idle) {
                    self.ended(now, task, got, out);
                }
            }
            // Date and time, menus, displays: acknowledged, and no part of what we do.
            _ => {}
        }
    }

    /// Nobody asked: an automatic end of day, a receipt printed by hand.
    fn of_itself(&mut self, got: &Apdu, out: &mut Vec<Action>) {
        out.push(Action::Write(apdu(ACK, &[])));
        let receipt = match got.code {
            0x06d1 => {
                let (line, last) = fields::print_line(&got.data);
                self.stray.push(line);
                let full = last || self.stray.len() >= task::LINES;
                full.then(|| task::receipt(std::mem::take(&mut self.stray)))
            }
            0x06d3 => fields::text_block(&got.data),
            _ => None,
        };
        if let Some(receipt) = receipt {
            out.push(Action::Emit(DeviceEvent::Payment(Event::Receipt(receipt))));
        }
    }

    /// 84 xx: the command is not carried out.
    fn refused(&mut self, now: Instant, task: Task, code: u8, out: &mut Vec<Action>) {
        if words::is_busy(code) && task.may_ask_again(now) {
            self.phase = Phase::Pause(task, now + AGAIN);
            return;
        }
        if matches!(task.what, What::Register) {
            return self.not_registered(now, task, code, out);
        }
        out.extend(task.refused(code));
        self.next(now, out);
    }

    fn ended(&mut self, now: Instant, mut task: Task, got: &Apdu, out: &mut Vec<Action>) {
        task.close_receipt();
        if let Some(id) = self.aborting.take() {
            // The terminal was faster than its answer to our Abort.
            out.push(Action::Reply(id, Outcome::Done(Value::Nothing)));
        }
        match (&mut task.what, got.code) {
            (What::Register, COMPLETION) => self.registered(&got.data, out),
            (What::Register, _) => {
                let code = got.data.first().copied().unwrap_or(0xff);
                return self.not_registered(now, task, code, out);
            }
            (What::Ask(_, step @ Enquiry::State), COMPLETION) => {
                if fields::enquiry_state(&got.data).is_some_and(words::is_busy) {
                    self.phase = Phase::Pause(task, now + AGAIN);
                    return;
                }
                *step = Enquiry::Repeat;
                task.info = None;
                return self.send(now, task, out);
            }
            // A terminal without the enquiry has another way to say that it is not ready: the next question.
            (What::Ask(_, step @ Enquiry::State), _) => {
                *step = Enquiry::Repeat;
                return self.send(now, task, out);
            }
            _ => out.extend(task.outcome(got)),
        }
        self.next(now, out);
    }

    fn registered(&mut self, data: &[u8], out: &mut Vec<Action>) {
        let status = fields::info(data).status.unwrap_or(0);
        let condition = match status {
            status if status & 1 != 0 => {
                Condition::Warning("the terminal needs an initialisation: start it on the terminal".to_owned())
            }
            status if status & 2 != 0 => Condition::Warning("the terminal needs a diagnosis: start one".to_owned()),
            _ => Condition::Ready,
        };
        self.condition(condition, out);
    }

    fn not_registered(&mut self, now: Instant, task: Task, code: u8, out: &mut Vec<Action>) {
        let message = format!(
            "the terminal does not let the box in ({}): check password and currency of its ZVT interface",
            words::result(code)
        );
        if let Some((id, ..)) = self.waiting.take() {
            out.push(Action::Reply(id, Outcome::Rejected(Reason::Offline, message.clone())));
        }
        self.condition(Condition::Error(Fault::Other, message), out);
        self.phase = Phase::Pause(task, now + REGISTER_AGAIN);
    }

    /// The word is ours again.
    fn next(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.phase = Phase::Idle;
        if let Some((id, command, before)) = self.waiting.take() {
            self.begin(now, id, command, before, out);
        }
    }

    fn begin(&mut self, now: Instant, id: CommandId, command: Payment, before: Instant, out: &mut Vec<Action>) {
        if before <= now {
            let message = "it came too late for the terminal".to_owned();
            return out.push(Action::Reply(id, Outcome::Rejected(Reason::Expired, message)));
        }
        match Task::of(id.clone(), command, before) {
            Ok(task) if task.would_print(&self.settings) => {
                out.push(Action::Reply(id, Outcome::Done(Value::Mark(None))));
            }
            Ok(task) => self.send(now, task, out),
            Err(reply) => out.push(*reply),
        }
    }

    fn command(&mut self, now: Instant, id: CommandId, command: Command, before: Instant, out: &mut Vec<Action>) {
        let Command::Payment(command) = command else {
            let message = "a payment terminal takes payments, refunds, reversals and questions after them";
            return out.push(Action::Reply(id, Outcome::Rejected(Reason::Unsupported, message.to_owned())));
        };
        let busy = |id, message: &str| Action::Reply(id, Outcome::Rejected(Reason::Busy, message.to_owned()));
        match (&self.phase, &command) {
            (Phase::Running(task, _), Payment::Abort) if task.moves_money() => {
                // The terminal may still answer by finishing: then it was too late.
                out.push(Action::Write(apdu(ABORT, &[0])));
                if let Some(earlier) = self.aborting.replace(id) {
                    out.push(Action::Reply(earlier, Outcome::Done(Value::Nothing)));
                }
            }
            (_, Payment::Abort) => {
                out.push(busy(id, "no transaction runs that could be stopped now"));
            }
            (Phase::Idle, _) => self.begin(now, id, command, before, out),
            (Phase::Sent(task, _) | Phase::Running(task, _) | Phase::Pause(task, _), _)
                if matches!(task.what, What::Register) && self.waiting.is_none() =>
            {
                self.waiting = Some((id, command, before));
            }
            _ => out.push(busy(id, "the terminal is busy with another transaction")),
        }
    }

    fn time(&mut self, now: Instant, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        if self.waiting.as_ref().is_some_and(|(.., before)| *before <= now)
            && let Some((id, ..)) = self.waiting.take()
        {
            let message = "the terminal was not ready in time".to_owned();
            out.push(Action::Reply(id, Outcome::Rejected(Reason::Expired, message)));
        }
        match &self.phase {
            Phase::Sent(_, at) if *at <= now => {
                // Half an APDU, or something that is none: only a new connection puts that right.
                Err(DeviceError::Protocol("it does not answer; check that its ZVT interface is switched on".to_owned()))
            }
            Phase::Running(_, at) if *at <= now => {
                Err(DeviceError::Protocol("it said nothing for three minutes in the middle of its work".to_owned()))
            }
            Phase::Pause(_, at) if *at <= now => {
                if let Phase::Pause(task, _) = std::mem::replace(&mut self.phase, Phase::Idle) {
                    self.send(now, task, out);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, out: &mut Vec<Action>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        if let Phase::Sent(task, _) | Phase::Running(task, _) | Phase::Pause(task, _) = phase {
            out.extend(task.cut());
        }
        let offline =
            |id| Action::Reply(id, Outcome::Rejected(Reason::Offline, "the terminal is not connected".into()));
        out.extend(self.waiting.take().map(|(id, ..)| offline(id)));
        out.extend(self.aborting.take().map(offline));
        self.apdus.clear();
    }

    fn wake(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Sent(_, at) | Phase::Running(_, at) | Phase::Pause(_, at) => Some(*at),
            Phase::Closed | Phase::Idle => None,
        };
        phase.into_iter().chain(self.waiting.as_ref().map(|(.., before)| *before)).min()
    }
}

impl Protocol for Zvt {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => self.send(now, Task::register(), out),
            Input::Bytes(bytes) => {
                self.apdus.push(bytes);
                while let Some(got) = self.apdus.next() {
                    self.apdu(now, &got, out);
                }
            }
            Input::Command { id, command, before } => self.command(now, id, command, before, out),
            Input::Deadline => self.time(now, out)?,
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

#[cfg(test)]
mod tests;
