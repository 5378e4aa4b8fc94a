//! Transcripts: what goes over the wire, byte by byte, and what comes of it.

use proptest::prelude::*;

use super::*;
use crate::payment::{
    Act, Amount, Certainty, Command as Pay, Done, Finding, Mark, Order, Question, ReceiptFor, Reversal,
};

/// A test card that every terminal maker uses; it must not come out anywhere.
const PAN: &str = "4111111111111111";

struct Wire {
    protocol: Zvt,
    start: Instant,
    ms: u64,
    out: Vec<Action>,
}

impl Wire {
    fn new() -> Self {
        let mut wire = Self { protocol: Zvt::new(Settings::default()), start: Instant::now(), ms: 0, out: Vec::new() };
        wire.input(Input::Started).unwrap();
        wire
    }

    fn registered() -> Self {
        let mut wire = Self::new();
        assert_eq!(wire.written(), "060011000000be0978060926040a0206d3120128");
        wire.says("800000");
        wire.says("060f0a 1900 2952500041 490978");
        assert_eq!(wire.written(), "800000");
        assert_eq!(wire.protocol.condition, Condition::Ready);
        wire.out.clear();
        wire
    }

    fn input(&mut self, input: Input<'_>) -> Result<(), DeviceError> {
        self.protocol.step(self.start + Duration::from_millis(self.ms), input, &mut self.out)
    }

    fn says(&mut self, hex: &str) {
        self.input(Input::Bytes(&unhex(hex))).unwrap();
    }

    fn asks(&mut self, id: &str, command: Pay) {
        let before = self.start + Duration::from_millis(self.ms) + Duration::from_secs(30);
        let input = Input::Command { id: CommandId(id.into()), command: Command::Payment(command), before };
        self.input(input).unwrap();
    }

    /// What was written since, as hexadecimal digits.
    fn written(&mut self) -> String {
        let mut hex = String::new();
        self.out.retain(|action| match action {
            Action::Write(bytes) => {
                hex.extend(bytes.iter().map(|b| format!("{b:02x}")));
                false
            }
            _ => true,
        });
        hex
    }

    fn replies(&mut self) -> Vec<(String, Outcome)> {
        let mut replies = Vec::new();
        self.out.retain(|action| match action {
            Action::Reply(id, outcome) => {
                replies.push((id.0.to_string(), outcome.clone()));
                false
            }
            _ => true,
        });
        replies
    }

    fn reply(&mut self) -> Outcome {
        let mut replies = self.replies();
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.remove(0).1
    }

    fn payment(&mut self) -> Done {
        match self.reply() {
            Outcome::Done(Value::Payment(done)) => *done,
            other => panic!("{other:?}"),
        }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let hex: String = hex.split_whitespace().collect();
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn order(minor: u64) -> Order {
    let amount = Amount { minor, currency: Currency::EUR };
    Order { key: "K1".into(), amount, reference: "0042".into(), at_ms: 0 }
}

/// Status-Information of an approved payment: amount, trace, receipt, card number as given.
fn approved(minor: u64, receipt: u64, pan: &str) -> String {
    let digits =
        |value: u64, bytes: usize| apdu::bcd(value, bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let data = format!(
        "2700 04{} 0b{} 0c223953 0d1006 22f0f8{pan} 2952500041 3b3631313830340000 490978 87{} 8bf1f1{}00",
        digits(minor, 6),
        digits(receipt + 400, 3),
        digits(receipt, 2),
        "4d617374657263617264",
    );
    let bytes = unhex(&data);
    let hex: String = apdu(0x040f, &bytes).iter().map(|b| format!("{b:02x}")).collect();
    hex
}

#[test]
fn a_payment_goes_from_registration_to_completion() {
    let mut wire = Wire::registered();
    wire.asks("pay", Pay::Pay(order(1250)));
    assert_eq!(wire.written(), "06010a04000000001250490978");
    wire.says("800000");
    wire.says("04ff010a");
    assert_eq!(wire.written(), "800000");
    let shown = Event::Status { audience: StatusFor::Cashier, text: "Please present the card.".into() };
    assert!(wire.out.contains(&Action::Emit(DeviceEvent::Payment(shown))));
    wire.says(&approved(1250, 12, PAN));
    // Two receipts: a text block for the customer, lines for the merchant.
    wire.says("06d3 14 06 12 1f070102 250c 0705 64616e6b65 0703 3a2d29");
    wire.says("06d1 0d 00 48 8e 4e 44 4c 45 52 42 45 4c 45 47");
    wire.says(&format!("06d1 11 80 {}", PAN.bytes().map(|b| format!("{b:02x}")).collect::<String>()));
    assert_eq!(wire.replies(), []);
    wire.says("060f00");
    assert_eq!(wire.written(), "800000".repeat(5));
    let done = wire.payment();
    assert_eq!(done.amount, Some(Amount { minor: 1250, currency: Currency::EUR }));
    assert_eq!(done.certainty, Certainty::Completed);
    assert_eq!((done.transaction.as_deref(), done.card_last4.as_deref()), (Some("0012"), Some("1111")));
    assert_eq!((done.approval_code.as_deref(), done.card_brand.as_deref()), (Some("611804"), Some("Mastercard")));
    let receipts: Vec<_> = done.receipts.iter().map(|r| (r.audience, r.text.as_str())).collect();
    assert_eq!(
        receipts,
        [(ReceiptFor::Customer, "danke\n:-)"), (ReceiptFor::Merchant, "HÄNDLERBELEG\n************1111")]
    );
}

#[test]
fn a_declined_payment_is_declined_in_words() {
    let mut wire = Wire::registered();
    wire.asks("pay", Pay::Pay(order(1250)));
    wire.says("800000");
    wire.says("040f 0c 2778 3cf0f0f6 4b4152544521");
    wire.says("061e0178");
    let Outcome::Rejected(Reason::Declined, message) = wire.reply() else { panic!() };
    assert_eq!(message, "the card has expired (KARTE!)");
    wire.asks("pay", Pay::Pay(order(1)));
    wire.says("800000 061e016c");
    assert!(matches!(wire.reply(), Outcome::Rejected(Reason::Cancelled, _)));
}

#[test]
fn an_abort_is_sent_into_the_running_payment_and_its_end_is_the_payments() {
    let mut wire = Wire::registered();
    wire.asks("stop", Pay::Abort);
    assert!(matches!(wire.reply(), Outcome::Rejected(Reason::Busy, _)));
    wire.asks("pay", Pay::Pay(order(1250)));
    wire.says("800000");
    wire.written();
    wire.asks("stop", Pay::Abort);
    assert_eq!(wire.written(), "06b00100");
    wire.says("800000");
    assert_eq!(wire.replies(), [("stop".into(), Outcome::Done(Value::Nothing))]);
    wire.says("061e016c");
    assert!(matches!(wire.reply(), Outcome::Rejected(Reason::Cancelled, _)));
}

#[test]
fn an_approval_without_its_completion_is_not_believed() {
    for end in ["061e016c", ""] {
        let mut wire = Wire::registered();
        wire.asks("pay", Pay::Pay(order(1250)));
        wire.says("800000");
        wire.says(&approved(1250, 12, PAN));
        wire.says(end);
        wire.input(Input::Closed).unwrap();
        assert!(matches!(wire.reply(), Outcome::Unknown(_)), "{end}");
    }
    let mut wire = Wire::registered();
    wire.asks("pay", Pay::Pay(order(1250)));
    wire.says("800000 060f00");
    assert!(matches!(wire.reply(), Outcome::Unknown(_)), "a completion without a result");
}

#[test]
fn a_silent_terminal_ends_the_connection_and_leaves_the_payment_unknown() {
    for (acknowledged, ms) in [(false, 5_000), (true, 180_000)] {
        let mut wire = Wire::registered();
        wire.asks("pay", Pay::Pay(order(1250)));
        if acknowledged {
            wire.says("800000");
        }
        wire.ms = ms - 1;
        wire.input(Input::Deadline).unwrap();
        wire.ms = ms;
        wire.input(Input::Deadline).unwrap_err();
        wire.input(Input::Closed).unwrap();
        assert!(matches!(wire.reply(), Outcome::Unknown(_)));
    }
}

fn question(before: Option<&str>) -> Question {
    let amount = Some(Amount { minor: 1250, currency: Currency::EUR });
    Question { key: "K1".into(), act: Act::Payment, amount, before: before.map(|m| Mark(m.into())) }
}

/// What the terminal finds out when it repeats this transaction.
fn found(before: Option<&str>, minor: u64, receipt: u64) -> Finding {
    let mut wire = Wire::registered();
    wire.asks("ask", Pay::Status(question(before)));
    assert_eq!(wire.written(), "050103000000");
    wire.says("800000 060f0100");
    assert_eq!(wire.written(), "800000062003000000");
    wire.says("800000");
    wire.says(&approved(minor, receipt, PAN));
    wire.says("060f00");
    match wire.reply() {
        Outcome::Done(Value::Finding(finding)) => finding,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_cut_the_terminals_journal_tells_whether_it_charged() {
    let Finding::Charged(done) = found(Some("0012/000412"), 1250, 13) else { panic!() };
    assert_eq!((done.certainty, done.transaction.as_deref()), (Certainty::Asked, Some("0013")));
    assert!(matches!(found(Some("0012/000412"), 1250, 12), Finding::NotCharged(_)));
    // Another amount, no mark, or a mark that has nothing in common with the answer: a person has to look.
    assert!(matches!(found(Some("0012/000412"), 990, 13), Finding::CannotTell(_)));
    assert!(matches!(found(None, 1250, 13), Finding::CannotTell(_)));
    assert!(matches!(found(Some("/"), 1250, 13), Finding::CannotTell(_)));
    assert!(matches!(found(Some("0012/000499"), 1250, 12), Finding::CannotTell(_)));
}

#[test]
fn a_terminal_that_still_works_is_asked_again() {
    let mut wire = Wire::registered();
    wire.asks("ask", Pay::Status(question(Some("0012/"))));
    wire.says("849c00");
    wire.written();
    wire.ms += 1_000;
    wire.input(Input::Deadline).unwrap();
    assert_eq!(wire.written(), "050103000000");
    wire.says("800000 060f019c");
    wire.written();
    wire.ms += 1_000;
    wire.input(Input::Deadline).unwrap();
    assert_eq!(wire.written(), "050103000000");
    wire.ms += 30_000;
    wire.says("849c00");
    assert_eq!(wire.reply(), Outcome::Done(Value::Finding(Finding::Running)));
}

#[test]
fn the_last_transaction_is_a_mark_to_compare_with() {
    let mut wire = Wire::registered();
    wire.asks("last", Pay::Last);
    assert_eq!(wire.written(), "062003000000");
    wire.says("800000");
    wire.says(&approved(990, 12, PAN));
    wire.says("060f00");
    assert_eq!(wire.reply(), Outcome::Done(Value::Mark(Some(Mark("0012/000412".into())))));
    wire.asks("last", Pay::Last);
    wire.says("800000 061e01ff");
    assert_eq!(wire.reply(), Outcome::Done(Value::Mark(None)));
}

#[test]
fn refund_reversal_end_of_day_and_diagnosis_have_their_commands() {
    let mut wire = Wire::registered();
    wire.asks("refund", Pay::Refund(order(500)));
    assert_eq!(wire.written(), "06310d00000004000000000500490978");
    wire.says("800000");
    wire.says(&approved(500, 13, "eeeeeeeeeeee4771"));
    wire.says("060f00");
    let done = wire.payment();
    assert_eq!((done.act, done.card_last4.as_deref()), (Act::Refund, Some("4771")));
    wire.written();
    let reversal = |transaction: &str| Reversal {
        key: "K2".into(),
        transaction: transaction.into(),
        reference: String::new(),
        at_ms: 0,
    };
    wire.asks("reverse", Pay::Reverse(reversal("13")));
    assert_eq!(wire.written(), "063006000000870013");
    wire.says("84b500");
    assert!(matches!(wire.reply(), Outcome::Rejected(Reason::DeviceError, m) if m.contains("cannot be taken back")));
    wire.asks("reverse", Pay::Reverse(reversal("not a number")));
    assert!(matches!(wire.reply(), Outcome::Rejected(Reason::Invalid, _)));
    wire.asks("end", Pay::Reconcile);
    assert_eq!(wire.written(), "065003000000");
    wire.says("800000 06d106804b41535345 060f00");
    let Outcome::Done(Value::Terminal(receipts)) = wire.reply() else { panic!() };
    assert_eq!(receipts[0].text, "KASSE");
    wire.written();
    wire.asks("test", Pay::Diagnose);
    assert_eq!(wire.written(), "067000");
}

#[test]
fn a_second_command_is_busy_and_one_before_the_registration_waits() {
    let mut wire = Wire::new();
    wire.asks("early", Pay::Pay(order(100)));
    wire.written();
    wire.says("800000 060f00");
    assert_eq!(wire.written(), "80000006010a04000000000100490978");
    wire.asks("second", Pay::Pay(order(200)));
    assert!(matches!(wire.reply(), Outcome::Rejected(Reason::Busy, _)));
    assert_eq!(wire.written(), "");
}

#[test]
fn a_refused_registration_is_an_error_that_is_tried_again() {
    let mut wire = Wire::new();
    wire.says("846f00");
    assert!(matches!(&wire.protocol.condition, Condition::Error(_, why) if why.contains("currency")));
    wire.written();
    wire.ms = 10_000;
    wire.input(Input::Deadline).unwrap();
    assert!(wire.written().starts_with("0600"));
}

#[test]
fn the_card_number_comes_out_nowhere() {
    let spaced = "3431313120313131312031313131 2031313131";
    let mut wire = Wire::registered();
    wire.asks("pay", Pay::Pay(order(1250)));
    wire.says("800000");
    wire.says(&format!("04ff 1b 0a 06 18 24 16 07 13 {spaced} 4f"));
    wire.says(&approved(1250, 12, PAN));
    wire.says("06d1 11 00 34313131313131313131313131313131");
    wire.says(&format!("06d1 14 80 {spaced}"));
    wire.says("060f00");
    wire.says(&format!("06d3 1d 06 1b 1f070103 2515 0713 {spaced}"));
    wire.says(&format!("06d1 14 80 {spaced}"));
    let said = format!("{:?} {:?}", wire.out, wire.protocol).replace([' ', '-'], "");
    assert!(said.contains("1111") && !said.contains("41111111"), "{said}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_protocol_fall_over(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20), codes in proptest::collection::vec(0usize..8, 0..20)) {
        let mut wire = Wire::new();
        let known: [&[u8]; 8] = [&[0x80, 0, 0], &[6, 0xf, 0], &[6, 0x1e, 1, 0x6c], &[4, 0xff, 1, 0xa], &[4, 0xf, 2, 0x27, 0], &[0x84, 0x9c, 0], &[6, 0xd1, 2, 0, 0x41], &[6, 0xd3, 4, 6, 2, 0x25, 0]];
        let mut n = 0;
        for (chunk, code) in chunks.iter().zip(codes.iter().chain(std::iter::repeat(&0))) {
            wire.input(Input::Bytes(known[*code])).ok();
            wire.input(Input::Bytes(chunk)).ok();
            wire.asks(&n.to_string(), if n % 3 == 0 { Pay::Abort } else { Pay::Pay(order(1)) });
            wire.ms += 700;
            wire.input(Input::Deadline).ok();
            n += 1;
        }
        wire.input(Input::Closed).ok();
        let mut ids: Vec<_> = wire.replies().into_iter().map(|(id, _)| id).collect();
        prop_assert_eq!(ids.len(), n);
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), n, "every command is answered once");
    }
}
