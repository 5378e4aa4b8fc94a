//! The nexo Retailer protocol ("Sale to POI protocol"), version 3, over TCP.
//!
//! Source: "nexo Sale to POI Protocol Specifications" 3.1 (nexo standards), as Adyen's Terminal API reference (JSON) and
//! Swedbank Pay's and Market Pay's integration guides (XML and JSON over TCP) publish its messages. Each message has
//! four bytes of length in front ("Sale to POI Transport Protocols", TCP).
//!
//! ```text
//!  Started ─ LoginRequest ─► LoggingIn ─ LoginResponse: Success ─► Idle ◄────────────┐
//!                                │ Failure, no answer: again                         │
//!                                ▼                     command ─ request ─► Running ─┤ response
//!                              Pause                                           │     │
//!                                  nothing for three minutes: TransactionStatus│     │
//!                                                                              ▼     │
//!                                                                           Asking ──┘
//! ```
//!
//! Every transaction has a `ServiceID` that is never used twice, so after a cut the terminal is asked by it:
//! `TransactionStatusRequest` gives back the lost response, or says that it runs still or that there is none.
//! Meanwhile the terminal sends requests of its own, answered at once: Display, Print, Input, EventNotification.

mod exchange;
mod message;
mod reply;

use std::time::{Duration, Instant};

use exchange::{Exchange, Found, What};
pub use message::Format;
use message::{El, Frames, el, frame, parse};

use super::{Command as Payment, Event, StatusFor, tree::Tree};
use crate::{
    device::{Command, CommandId, Condition, DeviceError, DeviceEvent, Fault, Outcome, Reason, Value},
    runner::{Action, Input, Protocol},
};

/// The longest silence in a transaction: cardholders are slow, and a terminal gives up itself before this.
const PATIENCE: Duration = Duration::from_secs(180);
/// For what needs no cardholder.
const ANSWER: Duration = Duration::from_secs(15);
/// End of day: the terminal sends every booking to its host.
const RECONCILE: Duration = Duration::from_secs(300);
/// Between two questions after a transaction that runs still.
const AGAIN: Duration = Duration::from_secs(2);
const LOGIN_AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub format: Format,
    /// How the till side calls itself.
    pub sale_id: String,
    /// How the terminal is called, usually model and serial number.
    pub poi_id: String,
}

/// The protocol's state; see the module's documentation.
#[derive(Debug)]
pub struct Nexo {
    settings: Settings,
    /// Unix milliseconds: messages carry the time of day.
    clock: fn() -> i64,
    frames: Frames,
    phase: Phase,
    waiting: Option<(CommandId, Payment, Instant)>,
    counter: u8,
    condition: Condition,
}

#[derive(Debug)]
enum Phase {
    Closed,
    LoggingIn {
        service: String,
        until: Instant,
    },
    LoginAgain(Instant),
    Idle,
    Running(Box<Exchange>, Instant),
    /// Asks again at this time.
    Pause(Box<Exchange>, Instant),
}

impl Nexo {
    pub fn new(settings: Settings, clock: fn() -> i64) -> Self {
        Self {
            settings,
            clock,
            frames: Frames::default(),
            phase: Phase::Closed,
            waiting: None,
            counter: 0,
            condition: Condition::Connecting,
        }
    }

    /// For messages that move no money: time and a counter, in ten characters.
    fn service(&mut self) -> String {
        self.counter = (self.counter + 1) % 36;
        let mut left = (self.clock)().unsigned_abs();
        let mut text = vec![b'Q', base36(u64::from(self.counter))];
        for _ in 0..8 {
            text.insert(2, base36(left % 36));
            left /= 36;
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn header(&self, category: &str, service: &str) -> El {
        el("MessageHeader")
            .attr("ProtocolVersion", "3.1")
            .attr("MessageClass", "Service")
            .attr("MessageCategory", category)
            .attr("MessageType", "Request")
            .attr("ServiceID", service)
            .attr("SaleID", self.settings.sale_id.as_str())
            .attr("POIID", self.settings.poi_id.as_str())
    }

    fn request(&self, category: &str, service: &str, body: El) -> Action {
        let message = el("SaleToPOIRequest").child(self.header(category, service)).child(body);
        Action::Write(frame(self.settings.format, &message))
    }

    fn login(&mut self, now: Instant, out: &mut Vec<Action>) {
        let service = self.service();
        let body = el("LoginRequest")
            .attr("OperatorLanguage", "en")
            .child(el("DateTime").content(super::time::iso8601((self.clock)())))
            .child(
                el("SaleSoftware")
                    .attr("ManufacturerID", "iot-box")
                    .attr("ApplicationName", "iot-box")
                    .attr("SoftwareVersion", env!("CARGO_PKG_VERSION"))
                    .attr("CertificationCode", "none"),
            )
            .child(el("SaleTerminalData").attr("TerminalEnvironment", "Attended").child(
                el("SaleCapabilities").content("CashierStatus CashierError CashierDisplay PrinterReceipt").words(),
            ));
        out.push(self.request("Login", &service, body));
        self.phase = Phase::LoggingIn { service, until: now + ANSWER };
    }

    fn condition(&mut self, condition: Condition, out: &mut Vec<Action>) {
        if self.condition != condition {
            self.condition = condition.clone();
            out.push(Action::Condition(condition));
        }
    }

    fn send(&mut self, now: Instant, exchange: Box<Exchange>, out: &mut Vec<Action>) {
        let body = exchange.body(&self.settings);
        out.push(self.request(exchange.category(), &exchange.service, body));
        let patience = match exchange.what {
            What::Pay(_) | What::Refund(_) | What::Reverse(_) => PATIENCE,
            What::Reconcile => RECONCILE,
            What::Ask(_) | What::Diagnose => ANSWER,
        };
        self.phase = Phase::Running(exchange, now + patience);
    }

    fn message(&mut self, now: Instant, tree: &Tree, out: &mut Vec<Action>) {
        if let Some(request) = tree.get("SaleToPOIRequest") {
            if let Phase::Running(exchange, until) = &mut self.phase
                && exchange.moves_money()
            {
                *until = now + PATIENCE;
            }
            self.asked(now, request, out);
        } else if let Some(response) = tree.get("SaleToPOIResponse") {
            self.answered(now, response, out);
        }
    }

    /// A response of the terminal.
    fn answered(&mut self, now: Instant, response: &Tree, out: &mut Vec<Action>) {
        let service = response.str_at("MessageHeader.ServiceID").unwrap_or_default();
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::LoggingIn { service: own, .. } if own == service => self.logged_in(now, response, out),
            Phase::Running(exchange, _) if exchange.service == service => self.ended(now, exchange, response, out),
            // Late, of a connection before, or nonsense: what it told of is asked for.
            phase => self.phase = phase,
        }
    }

    fn logged_in(&mut self, now: Instant, response: &Tree, out: &mut Vec<Action>) {
        let body = response.get("LoginResponse").unwrap_or(&Tree::Null);
        if body.str_at("Response.Result") != Some("Success") {
            let why = reply::words(body);
            let message = format!("the terminal does not let the box in ({why}): check the names of till and terminal");
            self.offline(&message, out);
            self.condition(Condition::Error(Fault::Other, message), out);
            self.phase = Phase::LoginAgain(now + LOGIN_AGAIN);
            return;
        }
        let condition = match body.str_at("POISystemData.POIStatus.GlobalStatus") {
            None | Some("OK") => Condition::Ready,
            Some(status) => Condition::Warning(format!("the terminal reports: {status}")),
        };
        self.condition(condition, out);
        self.next(now, out);
    }

    fn ended(&mut self, now: Instant, mut exchange: Box<Exchange>, response: &Tree, out: &mut Vec<Action>) {
        match exchange.answered(response) {
            Found::End(action) => {
                out.push(*action);
                self.next(now, out);
            }
            Found::Again => self.phase = Phase::Pause(exchange, now + AGAIN),
        }
    }

    /// A request of the terminal.
    fn asked(&mut self, now: Instant, request: &Tree, out: &mut Vec<Action>) {
        let category = request.str_at("MessageHeader.MessageCategory").unwrap_or_default();
        let respond = |body: El| {
            let header = reply::header(request.get("MessageHeader").unwrap_or(&Tree::Null));
            let message = el("SaleToPOIResponse").child(header).child(body);
            Action::Write(frame(self.settings.format, &message))
        };
        match category {
            "Display" => {
                let outputs = request.get("DisplayRequest").map_or(&[][..], |d| d.all("DisplayOutput"));
                for output in outputs {
                    let audience = match output.str_at("Device") {
                        Some("CustomerDisplay") => StatusFor::Customer,
                        _ => StatusFor::Cashier,
                    };
                    let text = reply::content(output);
                    if !text.is_empty() {
                        out.push(Action::Emit(DeviceEvent::Payment(Event::Status { audience, text })));
                    }
                }
                if outputs.iter().any(|o| o.str_at("ResponseRequiredFlag") != Some("false")) {
                    out.push(respond(reply::displayed(outputs)));
                }
            }
            "Print" => {
                let output = request.at("PrintRequest.PrintOutput").unwrap_or(&Tree::Null);
                let receipt = reply::receipt(output);
                match &mut self.phase {
                    Phase::Running(exchange, _) => exchange.receipts.push(receipt),
                    _ => out.push(Action::Emit(DeviceEvent::Payment(Event::Receipt(receipt)))),
                }
                out.push(respond(reply::printed(output)));
            }
            "Input" => out.push(respond(reply::no_input(request))),
            // The terminal has started anew and forgotten the login.
            "Event" if request.str_at("EventNotification.EventToNotify") == Some("Initialised") => {
                if matches!(self.phase, Phase::Idle | Phase::LoginAgain(_)) {
                    self.login(now, out);
                }
            }
            _ => {}
        }
    }

    fn next(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.phase = Phase::Idle;
        if let Some((id, command, before)) = self.waiting.take() {
            self.begin(now, id, command, before, out);
        }
    }

    fn offline(&mut self, why: &str, out: &mut Vec<Action>) {
        if let Some((id, ..)) = self.waiting.take() {
            out.push(Action::Reply(id, Outcome::Rejected(Reason::Offline, why.to_owned())));
        }
    }

    fn begin(&mut self, now: Instant, id: CommandId, command: Payment, before: Instant, out: &mut Vec<Action>) {
        if before <= now {
            let message = "it came too late for the terminal".to_owned();
            return out.push(Action::Reply(id, Outcome::Rejected(Reason::Expired, message)));
        }
        let service = self.service();
        match Exchange::of(id, command, before, service) {
            Ok(exchange) => self.send(now, Box::new(exchange), out),
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
            (Phase::Running(exchange, _), Payment::Abort) if exchange.moves_money() => {
                let body = el("AbortRequest")
                    .child(reply::reference(exchange.category(), &exchange.service, &self.settings))
                    .child(el("AbortReason").content("MerchantAbort"));
                let service = self.service();
                out.push(self.request("Abort", &service, body));
                // An abort has no response: the transaction's own says whether it came in time.
                out.push(Action::Reply(id, Outcome::Done(Value::Nothing)));
            }
            (_, Payment::Abort) => out.push(busy(id, "no transaction runs that could be stopped now")),
            // Every transaction can be asked for by its own name.
            (_, Payment::Last) => {
                out.push(Action::Reply(id, Outcome::Done(Value::Mark(Some(super::Mark(String::new()))))))
            }
            (Phase::Idle, _) => self.begin(now, id, command, before, out),
            (Phase::LoggingIn { .. } | Phase::LoginAgain(_), _) if self.waiting.is_none() => {
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
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::LoggingIn { until, .. } if until <= now => {
                return Err(DeviceError::Protocol(
                    "it does not answer the login; check port and message format of its nexo interface".to_owned(),
                ));
            }
            Phase::LoginAgain(at) if at <= now => self.login(now, out),
            Phase::Running(exchange, until) if until <= now => {
                let service = self.service();
                match exchange.silent(service) {
                    Some(question) => self.send(now, Box::new(question), out),
                    None => {
                        self.phase = Phase::Running(exchange, until);
                        return Err(DeviceError::Protocol("it does not answer any more".to_owned()));
                    }
                }
            }
            Phase::Pause(mut exchange, at) if at <= now => {
                exchange.service = self.service();
                if exchange.may_ask_again(now) {
                    self.send(now, exchange, out);
                } else {
                    out.extend(exchange.still_running());
                    self.next(now, out);
                }
            }
            phase => self.phase = phase,
        }
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<Action>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        if let Phase::Running(exchange, _) | Phase::Pause(exchange, _) = phase {
            out.extend(exchange.cut());
        }
        self.offline("the terminal is not connected", out);
        self.frames.clear();
    }

    fn wake(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::LoggingIn { until, .. } | Phase::LoginAgain(until) => Some(*until),
            Phase::Running(_, until) | Phase::Pause(_, until) => Some(*until),
            Phase::Closed | Phase::Idle => None,
        };
        phase.into_iter().chain(self.waiting.as_ref().map(|(.., before)| *before)).min()
    }
}

fn base36(digit: u64) -> u8 {
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(digit % 36) as usize]
}

impl Protocol for Nexo {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => self.login(now, out),
            Input::Bytes(bytes) => {
                self.frames.push(bytes);
                loop {
                    let body = self.frames.next().map_err(|_| {
                        DeviceError::Protocol(
                            "it sends something else than nexo messages: check its settings".to_owned(),
                        )
                    })?;
                    let Some(body) = body else { break };
                    match parse(&body) {
                        Some(tree) => self.message(now, &tree, out),
                        // Its words are not repeated: they could hold a card number.
                        None => tracing::warn!(bytes = body.len(), "a message of a payment terminal is not understood"),
                    }
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
