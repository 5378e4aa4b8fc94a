//! One exchange with the terminal: what is sent, what was heard, what came of it.

use std::time::Instant;

use super::{
    COMPLETION, Settings,
    apdu::{Apdu, apdu, bcd},
    fields::{self, Info, put_amount, put_tlv},
    words,
};
use crate::{
    device::{CommandId, Outcome, Reason, Value},
    payment::{Act, Amount, Certainty, Command, Currency, Done, Finding, Mark, Order, Question, Receipt, ReceiptFor},
    runner::Action,
};

/// Lines of one receipt; more than a roll of paper would be a fault.
pub(super) const LINES: usize = 1_000;

#[derive(Debug)]
pub(super) struct Task {
    pub(super) what: What,
    id: Option<CommandId>,
    before: Option<Instant>,
    pub(super) info: Option<Info>,
    pub(super) receipts: Vec<Receipt>,
    lines: Vec<String>,
}

#[derive(Debug)]
pub(super) enum What {
    Register,
    Pay(Order),
    Refund(Order),
    /// Takes back the transaction with this receipt number.
    Reverse(u64),
    Last,
    Ask(Question, Enquiry),
    Reconcile,
    Diagnose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enquiry {
    /// Until the terminal is idle: what it works on is not in its journal yet.
    State,
    Repeat,
}

impl Task {
    pub(super) fn register() -> Self {
        Self::new(What::Register, None, None)
    }

    fn new(what: What, id: Option<CommandId>, before: Option<Instant>) -> Self {
        Self { what, id, before, info: None, receipts: Vec::new(), lines: Vec::new() }
    }

    /// The task for a command, or its answer.
    pub(super) fn of(id: CommandId, command: Command, before: Instant) -> Result<Self, Box<Action>> {
        let what = match command {
            Command::Pay(order) => What::Pay(order),
            Command::Refund(order) => What::Refund(order),
            Command::Reverse(reversal) => match reversal.transaction.trim().parse::<u64>() {
                Ok(receipt) if receipt <= 9999 => What::Reverse(receipt),
                _ => {
                    let message = "name the transaction by the receipt number of up to four digits".to_owned();
                    return Err(Box::new(Action::Reply(id, Outcome::Rejected(Reason::Invalid, message))));
                }
            },
            Command::Last => What::Last,
            Command::Status(question) => What::Ask(question, Enquiry::State),
            Command::Reconcile => What::Reconcile,
            Command::Diagnose => What::Diagnose,
            Command::Abort => {
                let message = "no transaction runs that could be stopped now".to_owned();
                return Err(Box::new(Action::Reply(id, Outcome::Rejected(Reason::Busy, message))));
            }
        };
        if let What::Pay(order) | What::Refund(order) = &what
            && (order.amount.minor == 0 || order.amount.minor > 999_999_999_999)
        {
            let message = "the amount must be more than zero and have at most twelve digits".to_owned();
            return Err(Box::new(Action::Reply(id, Outcome::Rejected(Reason::Invalid, message))));
        }
        Ok(Self::new(what, Some(id), Some(before)))
    }

    /// A terminal that prints its receipts itself would print one for this question.
    pub(super) fn would_print(&self, settings: &Settings) -> bool {
        matches!(self.what, What::Last) && !settings.receipts_to_box
    }

    pub(super) fn apdu(&self, settings: &Settings) -> Vec<u8> {
        let password = bcd(u64::from(settings.password), 3);
        let amount = |order: &Order| put_amount(order.amount.minor, order.amount.currency.number());
        match &self.what {
            What::Register => {
                // Config byte: we print (02, 04), hear what the terminal does (08), give the amounts (10) and the
                // administration (20), and get receipts as text (80).
                let config = if settings.receipts_to_box { 0xbe } else { 0x38 };
                let currency = bcd(u64::from(settings.currency.number()), 2);
                // We take text blocks (06 D3), not only lines; 12: characters in a line.
                let commands = put_tlv(&[0x26], &[0x0a, 0x02, 0x06, 0xd3]);
                let container = put_tlv(&[0x06], &[commands, put_tlv(&[0x12], &[40])].concat());
                apdu(0x0600, &[password, vec![config], currency, container].concat())
            }
            What::Pay(order) => apdu(0x0601, &amount(order)),
            What::Refund(order) => apdu(0x0631, &[password, amount(order)].concat()),
            What::Reverse(receipt) => apdu(0x0630, &[password, vec![0x87], bcd(*receipt, 2)].concat()),
            What::Ask(_, Enquiry::State) => apdu(0x0501, &password),
            What::Last | What::Ask(_, Enquiry::Repeat) => apdu(0x0620, &password),
            What::Reconcile => apdu(0x0650, &password),
            What::Diagnose => apdu(0x0670, &[]),
        }
    }

    pub(super) fn moves_money(&self) -> bool {
        matches!(self.what, What::Pay(_) | What::Refund(_) | What::Reverse(_))
    }

    /// A busy terminal is asked again: questions only, and while there is time.
    pub(super) fn may_ask_again(&self, now: Instant) -> bool {
        match self.what {
            What::Register => true,
            What::Last | What::Ask(..) => self.before.is_some_and(|before| now < before),
            _ => false,
        }
    }

    pub(super) fn print_line(&mut self, data: &[u8]) {
        let (line, last) = fields::print_line(data);
        self.lines.push(line);
        if last || self.lines.len() >= LINES {
            self.close_receipt();
        }
    }

    pub(super) fn close_receipt(&mut self) {
        if !self.lines.is_empty() {
            self.receipts.push(receipt(std::mem::take(&mut self.lines)));
        }
    }

    fn reply(&self, outcome: Outcome) -> Option<Action> {
        self.id.clone().map(|id| Action::Reply(id, outcome))
    }

    /// 84 xx: nothing was begun.
    pub(super) fn refused(&self, code: u8) -> Option<Action> {
        let message = words::result(code).to_owned();
        self.reply(match (&self.what, code) {
            (What::Last, _) => Outcome::Done(Value::Mark(None)),
            (What::Ask(..), code) if words::is_busy(code) => Outcome::Done(Value::Finding(Finding::Running)),
            (What::Ask(..), _) => Outcome::Done(Value::Finding(cannot_tell(&message))),
            (_, code) if words::is_busy(code) => Outcome::Rejected(Reason::Busy, message),
            (_, 0x83) => Outcome::Rejected(Reason::Unsupported, message),
            _ => Outcome::Rejected(Reason::DeviceError, message),
        })
    }

    /// Completion or Abort.
    pub(super) fn outcome(self, end: &Apdu) -> Option<Action> {
        let id = self.id.clone()?;
        let completed = end.code == COMPLETION;
        let code = end.data.first().copied().filter(|_| !completed);
        let approved = self.info.as_ref().and_then(|info| info.result).map(|result| result == 0);
        let outcome = match (&self.what, approved, completed) {
            (What::Last, ..) => Outcome::Done(Value::Mark(self.info.as_ref().and_then(mark_of))),
            (What::Ask(question, _), ..) => Outcome::Done(Value::Finding(self.finding(question))),
            (What::Reconcile | What::Diagnose | What::Register, _, true) => {
                Outcome::Done(Value::Terminal(self.receipts))
            }
            (What::Pay(_) | What::Refund(_) | What::Reverse(_), Some(true), true) => {
                Outcome::Done(Value::Payment(Box::new(self.done(Certainty::Completed))))
            }
            // A result and an end that contradict each other.
            (What::Pay(_) | What::Refund(_) | What::Reverse(_), Some(true), false) => Outcome::Unknown(
                "the terminal approved the payment and then gave it up: it is asked what came of it".to_owned(),
            ),
            (What::Pay(_) | What::Refund(_) | What::Reverse(_), None, true) => {
                Outcome::Unknown("the terminal ended without a result: it is asked what came of it".to_owned())
            }
            (_, approved, _) => {
                let result = self.info.as_ref().and_then(|info| info.result).filter(|_| approved == Some(false));
                let code = result.or(code).unwrap_or(0xff);
                let said = self.info.as_ref().and_then(|info| info.text.clone());
                let message = match said {
                    Some(said) => format!("{} ({said})", words::result(code)),
                    None => words::result(code).to_owned(),
                };
                let reason = match code {
                    _ if !self.moves_money() => Reason::DeviceError,
                    code if words::is_cancel(code) => Reason::Cancelled,
                    code if words::is_busy(code) => Reason::Busy,
                    0x83 => Reason::Unsupported,
                    _ => Reason::Declined,
                };
                Outcome::Rejected(reason, message)
            }
        };
        Some(Action::Reply(id, outcome))
    }

    /// The connection is gone.
    pub(super) fn cut(self) -> Option<Action> {
        self.reply(if self.moves_money() {
            Outcome::Unknown(
                "the connection to the terminal broke in the middle of it: it is asked what came of it".into(),
            )
        } else {
            Outcome::Rejected(Reason::Offline, "the connection to the terminal broke".to_owned())
        })
    }

    fn finding(&self, question: &Question) -> Finding {
        let Some(info) = &self.info else {
            return cannot_tell("the terminal did not say what its last transaction was");
        };
        let Some(before) = &question.before else {
            return cannot_tell("it is not known what the terminal's last transaction was before this one");
        };
        match mark_of(info).map_or(Compared::Unclear, |now| compare(before, &now)) {
            Compared::Same => {
                return Finding::NotCharged("the terminal's journal holds nothing after the transaction before".into());
            }
            Compared::Unclear => return cannot_tell("the terminal does not number its transactions clearly"),
            Compared::Newer => {}
        }
        let fits = info.result.is_none_or(|result| result == 0)
            && question.amount.is_none_or(|asked| {
                info.amount == Some(asked.minor) && info.currency.is_none_or(|c| c == asked.currency.number())
            });
        if !fits {
            return cannot_tell("the terminal's last transaction is another one");
        }
        let mut done = self.done(Certainty::Asked);
        (done.act, done.amount) = (question.act, done.amount.or(question.amount));
        Finding::Charged(done)
    }

    fn done(&self, certainty: Certainty) -> Done {
        let info = self.info.clone().unwrap_or_default();
        let (act, asked) = match &self.what {
            What::Refund(order) => (Act::Refund, Some(order.amount)),
            What::Reverse(_) => (Act::Reversal, None),
            What::Pay(order) => (Act::Payment, Some(order.amount)),
            _ => (Act::Payment, None),
        };
        let currency = info.currency.and_then(Currency::of_number).or(asked.map(|a| a.currency));
        let minor = info.amount.or(asked.map(|a| a.minor));
        Done {
            act,
            amount: minor.zip(currency).map(|(minor, currency)| Amount { minor, currency }),
            certainty,
            mark: mark_of(&info),
            transaction: info.receipt,
            terminal_id: info.terminal_id,
            approval_code: info.approval,
            card_brand: info.card_name,
            card_last4: info.last4,
            receipts: self.receipts.clone(),
        }
    }
}

/// Receipt and trace number.
fn mark_of(info: &Info) -> Option<Mark> {
    match (&info.receipt, &info.trace) {
        (None, None) => None,
        (receipt, trace) => {
            let part = |number: &Option<String>| number.clone().unwrap_or_default();
            Some(Mark(format!("{}/{}", part(receipt), part(trace))))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Same,
    Newer,
    /// The two have no number in common, or their numbers contradict each other.
    Unclear,
}

fn compare(before: &Mark, now: &Mark) -> Compared {
    let parts = |mark: &Mark| mark.0.split_once('/').map(|(r, t)| (r.to_owned(), t.to_owned())).unwrap_or_default();
    let ((receipt, trace), (new_receipt, new_trace)) = (parts(before), parts(now));
    let both = |a: &str, b: &str| !a.is_empty() && !b.is_empty();
    match (both(&receipt, &new_receipt), both(&trace, &new_trace)) {
        (true, _) if receipt != new_receipt => Compared::Newer,
        (true, true) if trace != new_trace => Compared::Unclear,
        (true, _) => Compared::Same,
        (false, true) if trace != new_trace => Compared::Newer,
        (false, true) => Compared::Same,
        (false, false) => Compared::Unclear,
    }
}

fn cannot_tell(why: &str) -> Finding {
    Finding::CannotTell(format!("{why}: compare with the terminal's own journal"))
}

/// Lines come without a word on whom they are for; the receipts' headings say it, in the languages of ZVT's countries.
pub(super) fn receipt(lines: Vec<String>) -> Receipt {
    let text = lines.join("\n");
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let audience = if has(&["kundenbeleg", "customer receipt", "cardholder", "k-u-n-d-e-n-b-e-l-e-g"]) {
        ReceiptFor::Customer
    } else if has(&["händlerbeleg", "haendlerbeleg", "merchant", "h-ä-n-d-l-e-r-b-e-l-e-g"]) {
        ReceiptFor::Merchant
    } else {
        ReceiptFor::Office
    };
    Receipt { audience, text }
}
