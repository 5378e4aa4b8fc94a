//! The boundary's words: commands out, events and outcomes in. Every text of a child is masked like a terminal's.

use crate::{
    device::{Condition, Fault, Outcome, Reason, Value},
    payment::{
        Act, Amount, Certainty, Command, Currency, Done, Event, Finding, Mark, Receipt, ReceiptFor, StatusFor,
        mask::last4, masked, tree::Tree,
    },
};

pub(super) fn command(command: &Command) -> Tree {
    let money = |word: &str, order: &crate::payment::Order| {
        Tree::map([
            ("do", Tree::text(word)),
            ("key", Tree::text(order.key.as_str())),
            ("amount", Tree::number(order.amount.minor)),
            ("currency", Tree::text(order.amount.currency.code())),
            ("reference", Tree::text(order.reference.as_str())),
            ("at_ms", Tree::number(order.at_ms)),
        ])
    };
    let plain = |word: &str| Tree::map([("do", Tree::text(word))]);
    match command {
        Command::Pay(order) => money("pay", order),
        Command::Refund(order) => money("refund", order),
        Command::Reverse(reversal) => Tree::map([
            ("do", Tree::text("reverse")),
            ("key", Tree::text(reversal.key.as_str())),
            ("transaction", Tree::text(reversal.transaction.as_str())),
            ("reference", Tree::text(reversal.reference.as_str())),
            ("at_ms", Tree::number(reversal.at_ms)),
        ]),
        Command::Status(question) => Tree::map([
            ("do", Tree::text("status")),
            ("key", Tree::text(question.key.as_str())),
            ("act", Tree::text(act_word(question.act))),
            ("amount", question.amount.map_or(Tree::Null, |a| Tree::number(a.minor))),
            ("currency", question.amount.map_or(Tree::Null, |a| Tree::text(a.currency.code()))),
            ("before", question.before.as_ref().map_or(Tree::Null, |mark| Tree::text(mark.0.as_str()))),
        ]),
        Command::Abort => plain("abort"),
        Command::Last => plain("last"),
        Command::Reconcile => plain("reconcile"),
        Command::Diagnose => plain("diagnose"),
    }
}

fn act_word(act: Act) -> &'static str {
    match act {
        Act::Payment => "payment",
        Act::Refund => "refund",
        Act::Reversal => "reversal",
    }
}

fn act(word: &str) -> Option<Act> {
    [Act::Payment, Act::Refund, Act::Reversal].into_iter().find(|act| act_word(*act) == word)
}

fn text(tree: &Tree, key: &str) -> Option<String> {
    tree.str_at(key).map(masked)
}

fn message(tree: &Tree) -> String {
    text(tree, "message").unwrap_or_default()
}

pub(super) fn event(tree: &Tree) -> Option<Event> {
    match tree.str_at("event")? {
        "status" => {
            let audience = match tree.str_at("for") {
                Some("customer") => StatusFor::Customer,
                _ => StatusFor::Cashier,
            };
            Some(Event::Status { audience, text: text(tree, "text")? })
        }
        "receipt" => Some(Event::Receipt(receipt(tree)?)),
        _ => None,
    }
}

fn receipt(tree: &Tree) -> Option<Receipt> {
    let audience = match tree.str_at("for")? {
        "customer" => ReceiptFor::Customer,
        "merchant" => ReceiptFor::Merchant,
        _ => ReceiptFor::Office,
    };
    Some(Receipt { audience, text: text(tree, "text")? })
}

fn receipts(tree: &Tree) -> Vec<Receipt> {
    tree.all("receipts").iter().filter_map(receipt).collect()
}

pub(super) fn condition(tree: &Tree) -> Option<Condition> {
    Some(match tree.str_at("condition")? {
        "ready" => Condition::Ready,
        "connecting" => Condition::Connecting,
        "warning" => Condition::Warning(message(tree)),
        "offline" => Condition::Error(Fault::Offline, message(tree)),
        "error" => Condition::Error(Fault::Other, message(tree)),
        _ => return None,
    })
}

pub(super) fn outcome(tree: &Tree) -> Option<Outcome> {
    Some(match tree.str_at("outcome")? {
        "done" => Outcome::Done(value(tree.get("value")?)?),
        "rejected" => Outcome::Rejected(reason(tree.str_at("reason")?), message(tree)),
        "unknown" => Outcome::Unknown(message(tree)),
        _ => return None,
    })
}

fn reason(word: &str) -> Reason {
    match word {
        "declined" => Reason::Declined,
        "cancelled" => Reason::Cancelled,
        "busy" => Reason::Busy,
        "offline" => Reason::Offline,
        "expired" => Reason::Expired,
        "unsupported" => Reason::Unsupported,
        "invalid" => Reason::Invalid,
        _ => Reason::DeviceError,
    }
}

fn value(tree: &Tree) -> Option<Value> {
    Some(match tree.str_at("kind")? {
        "nothing" => Value::Nothing,
        "payment" => Value::Payment(Box::new(done(tree, Certainty::Completed)?)),
        "mark" => Value::Mark(tree.str_at("mark").map(|mark| Mark(mark.to_owned()))),
        "terminal" => Value::Terminal(receipts(tree)),
        "finding" => Value::Finding(match tree.str_at("finding")? {
            "charged" => Finding::Charged(done(tree.get("payment")?, Certainty::Asked)?),
            "not_charged" => Finding::NotCharged(message(tree)),
            "running" => Finding::Running,
            "cannot_tell" => Finding::CannotTell(message(tree)),
            _ => return None,
        }),
        _ => return None,
    })
}

fn done(tree: &Tree, certainty: Certainty) -> Option<Done> {
    let currency = tree.str_at("currency").and_then(Currency::of_code);
    let amount = tree.u64_at("amount").zip(currency).map(|(minor, currency)| Amount { minor, currency });
    Some(Done {
        act: act(tree.str_at("act")?)?,
        amount,
        certainty,
        transaction: tree.str_at("transaction").map(str::to_owned),
        mark: tree.str_at("mark").map(|mark| Mark(mark.to_owned())),
        terminal_id: text(tree, "terminal_id"),
        approval_code: text(tree, "approval_code"),
        card_brand: text(tree, "card_brand"),
        card_last4: tree.str_at("card_last4").and_then(last4),
        receipts: receipts(tree),
    })
}
