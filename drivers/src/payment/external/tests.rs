//! The boundary's messages, both ways.

use proptest::prelude::*;

use super::*;
use crate::{
    device::{Condition, Value},
    payment::{Act, Amount, Event, Finding, Mark, Order, Question, StatusFor},
};

fn external() -> (External, Vec<Action>, Instant) {
    let settings = Settings {
        program: "/opt/vendor/driver".into(),
        currency: Currency::EUR,
        options: vec![("address".to_owned(), "192.0.2.8".to_owned())],
    };
    let (mut external, mut out, now) = (External::new(settings), Vec::new(), Instant::now());
    external.step(now, Input::Started, &mut out).unwrap();
    (external, out, now)
}

fn written(out: &mut Vec<Action>) -> Vec<Tree> {
    let mut items = Items::default();
    out.retain(|action| match action {
        Action::Write(bytes) => {
            items.push(bytes);
            false
        }
        _ => true,
    });
    std::iter::from_fn(|| items.next().unwrap()).collect()
}

fn says(external: &mut External, now: Instant, tree: &Tree, out: &mut Vec<Action>) -> Result<(), DeviceError> {
    let mut bytes = Vec::new();
    cbor::write(tree, &mut bytes);
    external.step(now, Input::Bytes(&bytes), out)
}

fn order() -> Order {
    let amount = Amount { minor: 1250, currency: Currency::EUR };
    Order { key: "K1".into(), amount, reference: "0042".into(), at_ms: 7 }
}

fn ask(external: &mut External, now: Instant, id: &str, command: Payment, out: &mut Vec<Action>) {
    let before = now + Duration::from_secs(30);
    let input = Input::Command { id: CommandId(id.into()), command: Command::Payment(command), before };
    external.step(now, input, out).unwrap();
}

fn t(text: &str) -> Tree {
    Tree::text(text)
}

#[test]
fn a_payment_goes_out_and_its_outcome_comes_in_masked() {
    let (mut external, mut out, now) = external();
    let started = written(&mut out).remove(0);
    assert_eq!((started.str_at("input"), started.str_at("options.address")), (Some("started"), Some("192.0.2.8")));
    ask(&mut external, now, "command-1", Payment::Pay(order()), &mut out);
    let command = written(&mut out).remove(0);
    assert_eq!((command.str_at("command.do"), command.u64_at("command.amount")), (Some("pay"), Some(1250)));
    assert_eq!(command.u64_at("within_ms"), Some(30_000));
    let event = Tree::map([("event", t("status")), ("for", t("customer")), ("text", t("4111111111111111"))]);
    says(&mut external, now, &Tree::map([("action", t("emit")), ("event", event)]), &mut out).unwrap();
    let shown = Event::Status { audience: StatusFor::Customer, text: "************1111".into() };
    assert_eq!(out.remove(0), Action::Emit(DeviceEvent::Payment(shown)));
    let ready = Tree::map([("action", t("condition")), ("condition", t("ready"))]);
    says(&mut external, now, &ready, &mut out).unwrap();
    assert_eq!(out.remove(0), Action::Condition(Condition::Ready));
    let receipt = Tree::map([("for", t("merchant")), ("text", t("4111 1111 1111 1111"))]);
    let value = Tree::map([
        ("kind", t("payment")),
        ("act", t("payment")),
        ("amount", Tree::number(1250)),
        ("currency", t("EUR")),
        ("card_last4", t("4111111111111111")),
        ("receipts", Tree::List(vec![receipt])),
    ]);
    let outcome = Tree::map([("outcome", t("done")), ("value", value)]);
    let reply = Tree::map([("action", t("reply")), ("id", t("command-1")), ("outcome", outcome)]);
    says(&mut external, now, &reply, &mut out).unwrap();
    let Action::Reply(_, Outcome::Done(Value::Payment(done))) = out.remove(0) else { panic!() };
    assert_eq!((done.card_last4.as_deref(), done.receipts[0].text.as_str()), (Some("1111"), "**** **** **** 1111"));
    says(&mut external, now, &reply, &mut out).unwrap();
    assert_eq!(out, [], "a second answer is left out");
}

#[test]
fn a_question_carries_what_is_known_and_its_finding_comes_back() {
    let (mut external, mut out, now) = external();
    written(&mut out);
    let question = Question { key: "K1".into(), act: Act::Refund, amount: None, before: Some(Mark("7".into())) };
    ask(&mut external, now, "command-2", Payment::Status(question), &mut out);
    let command = written(&mut out).remove(0);
    assert_eq!((command.str_at("command.act"), command.str_at("command.before")), (Some("refund"), Some("7")));
    let value = Tree::map([("kind", t("finding")), ("finding", t("not_charged")), ("message", t("no such thing"))]);
    let outcome = Tree::map([("outcome", t("done")), ("value", value)]);
    let reply = Tree::map([("action", t("reply")), ("id", t("command-2")), ("outcome", outcome)]);
    says(&mut external, now, &reply, &mut out).unwrap();
    let found = Outcome::Done(Value::Finding(Finding::NotCharged("no such thing".into())));
    assert_eq!(out, [Action::Reply(CommandId("command-2".into()), found)]);
}

#[test]
fn a_child_that_ends_leaves_a_payment_unknown_and_a_question_offline() {
    let (mut external, mut out, now) = external();
    ask(&mut external, now, "pay", Payment::Pay(order()), &mut out);
    ask(&mut external, now, "last", Payment::Last, &mut out);
    written(&mut out);
    external.step(now, Input::Closed, &mut out).unwrap();
    let of = |id: &str| {
        out.iter().find_map(|a| match a {
            Action::Reply(got, outcome) if &*got.0 == id => Some(outcome.clone()),
            _ => None,
        })
    };
    assert!(matches!(of("pay"), Some(Outcome::Unknown(_))));
    assert!(matches!(of("last"), Some(Outcome::Rejected(Reason::Offline, _))));
}

#[test]
fn what_the_boundary_does_not_know_ends_the_child() {
    for bad in [Tree::Null, Tree::map([("action", t("dance"))]), Tree::map([("action", t("emit"))])] {
        let (mut external, mut out, now) = external();
        assert!(says(&mut external, now, &bad, &mut out).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_protocol_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (mut external, mut out, now) = external();
        ask(&mut external, now, "pay", Payment::Pay(order()), &mut out);
        external.step(now, Input::Bytes(&bytes), &mut out).ok();
        external.step(now, Input::Closed, &mut out).ok();
        prop_assert_eq!(out.iter().filter(|a| matches!(a, Action::Reply(..))).count(), 1);
    }
}
