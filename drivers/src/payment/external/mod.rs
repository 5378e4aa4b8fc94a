//! A driver outside of this program: a child process that speaks CBOR on its standard input and output.
//!
//! For terminals whose protocol is only to be had as a maker's closed library. `docs/external-drivers.md` is the
//! reference for who writes one; the messages are those of [`Protocol`], without the bytes, since the connection to the
//! terminal is the child's own.
//!
//! ```text
//!  Started, Command, Deadline ──► stdin  ┌───────┐
//!                                        │ child │ ◄──► maker's library, terminal
//!  Emit, Reply, Condition, Deadline ◄── stdout └─┘
//! ```

mod cbor;
mod words;

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use cbor::Items;

use super::{Command as Payment, Currency, tree::Tree};
use crate::{
    device::{Command, CommandId, DeviceError, DeviceEvent, Outcome, Reason},
    runner::{Action, Input, Protocol},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Absolute; run as it is, without a shell and without arguments.
    pub program: PathBuf,
    pub currency: Currency,
    /// Told to the child at its start: address, terminal id, whatever its library wants.
    pub options: Vec<(String, String)>,
}

/// Commands that may be open at once.
const OPEN: usize = 8;

/// The protocol's state.
#[derive(Debug)]
pub struct External {
    settings: Settings,
    items: Items,
    /// Commands that the child has, and whether each moves money.
    open: HashMap<CommandId, bool>,
}

impl External {
    pub fn new(settings: Settings) -> Self {
        Self { settings, items: Items::default(), open: HashMap::new() }
    }

    fn item(&mut self, now: Instant, item: &Tree, out: &mut Vec<Action>) -> Option<()> {
        match item.str_at("action")? {
            "emit" => out.push(Action::Emit(DeviceEvent::Payment(words::event(item.get("event")?)?))),
            "condition" => out.push(Action::Condition(words::condition(item)?)),
            "deadline" => {
                let within = item.u64_at("in_ms").map(|ms| now + Duration::from_millis(ms.min(86_400_000)));
                out.push(Action::Deadline(within));
            }
            "reply" => {
                let id = CommandId(item.str_at("id")?.into());
                let outcome = words::outcome(item.get("outcome")?)?;
                // An answer to nothing is a fault of the child's, not a reason to stop.
                if self.open.remove(&id).is_some() {
                    out.push(Action::Reply(id, outcome));
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn tell(tree: &Tree) -> Action {
        let mut bytes = Vec::new();
        cbor::write(tree, &mut bytes);
        Action::Write(bytes)
    }

    fn command(&mut self, now: Instant, id: CommandId, command: Command, before: Instant, out: &mut Vec<Action>) {
        let rejected = |id, reason, message: &str| Action::Reply(id, Outcome::Rejected(reason, message.to_owned()));
        let Command::Payment(command) = command else {
            let message = "a payment terminal takes payments, refunds, reversals and questions after them";
            return out.push(rejected(id, Reason::Unsupported, message));
        };
        if self.open.len() >= OPEN {
            return out.push(rejected(id, Reason::Busy, "the terminal is busy with other commands"));
        }
        let within = before.saturating_duration_since(now).as_millis();
        out.push(Self::tell(&Tree::map([
            ("input", Tree::text("command")),
            ("id", Tree::text(&*id.0)),
            ("within_ms", Tree::number(within)),
            ("command", words::command(&command)),
        ])));
        self.open.insert(id, matches!(command, Payment::Pay(_) | Payment::Refund(_) | Payment::Reverse(_)));
    }
}

impl Protocol for External {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => {
                let options =
                    self.settings.options.iter().map(|(key, value)| (key.as_str(), Tree::text(value.as_str())));
                out.push(Self::tell(&Tree::map([
                    ("input", Tree::text("started")),
                    ("version", Tree::number(1)),
                    ("currency", Tree::text(self.settings.currency.code())),
                    ("options", Tree::map(options)),
                ])));
            }
            Input::Bytes(bytes) => {
                self.items.push(bytes);
                let wrong = || {
                    DeviceError::Protocol(
                        "the external driver sends something that its boundary does not know".to_owned(),
                    )
                };
                while let Some(item) = self.items.next().map_err(|_| wrong())? {
                    self.item(now, &item, out).ok_or_else(wrong)?;
                }
            }
            Input::Command { id, command, before } => self.command(now, id, command, before, out),
            Input::Deadline => out.push(Self::tell(&Tree::map([("input", Tree::text("deadline"))]))),
            Input::Written => {}
            Input::Closed => {
                for (id, money) in self.open.drain() {
                    let message = "the external driver ended in the middle of it";
                    out.push(Action::Reply(
                        id,
                        match money {
                            true => Outcome::Unknown(format!("{message}: the terminal is asked what came of it")),
                            false => Outcome::Rejected(Reason::Offline, message.to_owned()),
                        },
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
