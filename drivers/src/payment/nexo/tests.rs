//! Conversations in JSON and in XML.

use proptest::prelude::*;

use super::*;
use crate::payment::{
    Act, Amount, Certainty, Command as Pay, Currency, Done, Finding, Order, Question, ReceiptFor, Reversal,
};

const PAN: &str = "4111111111111111";

struct Wire {
    protocol: Nexo,
    start: Instant,
    ms: u64,
    out: Vec<Action>,
}

impl Wire {
    fn new(format: Format) -> Self {
        let settings = Settings { format, sale_id: "till-1".into(), poi_id: "P400-1".into() };
        let protocol = Nexo::new(settings, || 1_795_324_606_000);
        let mut wire = Self { protocol, start: Instant::now(), ms: 0, out: Vec::new() };
        wire.input(Input::Started).unwrap();
        wire
    }

    fn ready(format: Format) -> Self {
        let mut wire = Self::new(format);
        let login = wire.written();
        assert_eq!(login.str_at("SaleToPOIRequest.LoginRequest.DateTime"), Some("2026-11-22T05:16:46.000Z"));
        let status = r#"{"Response":{"Result":"Success"},"POISystemData":{"POIStatus":{"GlobalStatus":"OK"}}}"#;
        wire.answers(&login, "LoginResponse", status);
        assert_eq!(wire.protocol.condition, Condition::Ready);
        wire
    }

    fn input(&mut self, input: Input<'_>) -> Result<(), DeviceError> {
        self.protocol.step(self.start + Duration::from_millis(self.ms), input, &mut self.out)
    }

    fn says(&mut self, body: &str) {
        let bytes = [&(body.len() as u32).to_be_bytes(), body.as_bytes()].concat();
        self.input(Input::Bytes(&bytes)).unwrap();
    }

    /// The response to a request of ours.
    fn answers(&mut self, request: &Tree, name: &str, body: &str) {
        let service = request.str_at("SaleToPOIRequest.MessageHeader.ServiceID").unwrap();
        let header = format!(r#"{{"MessageType":"Response","ServiceID":"{service}"}}"#);
        self.says(&format!(r#"{{"SaleToPOIResponse":{{"MessageHeader":{header},"{name}":{body}}}}}"#));
    }

    fn asks(&mut self, id: &str, command: Pay) {
        let before = self.start + Duration::from_millis(self.ms) + Duration::from_secs(10);
        let input = Input::Command { id: CommandId(id.into()), command: Command::Payment(command), before };
        self.input(input).unwrap();
    }

    /// The only message written since.
    fn written(&mut self) -> Tree {
        let all = self.all_written();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    fn all_written(&mut self) -> Vec<Tree> {
        let mut frames = Frames::default();
        self.out.retain(|action| match action {
            Action::Write(bytes) => {
                frames.push(bytes);
                false
            }
            _ => true,
        });
        std::iter::from_fn(|| frames.next().unwrap()).map(|body| parse(&body).unwrap()).collect()
    }

    fn reply(&mut self) -> Outcome {
        let mut replies = Vec::new();
        self.out.retain(|action| match action {
            Action::Reply(_, outcome) => {
                replies.push(outcome.clone());
                false
            }
            _ => true,
        });
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.remove(0)
    }

    fn payment(&mut self) -> Done {
        match self.reply() {
            Outcome::Done(Value::Payment(done)) => *done,
            other => panic!("{other:?}"),
        }
    }
}

fn order(minor: u64) -> Order {
    let amount = Amount { minor, currency: Currency::EUR };
    Order { key: "K000000001".into(), amount, reference: "0042".into(), at_ms: 0 }
}

fn approved() -> String {
    format!(
        r#"{{"Response":{{"Result":"Success"}},
        "POIData":{{"POITransactionID":{{"TransactionID":"8778880185","TimeStamp":"2026-11-22T05:17:00.498Z"}}}},
        "PaymentResult":{{"PaymentInstrumentData":{{"CardData":{{"PaymentBrand":"mc","MaskedPAN":"{PAN}"}}}},
            "AmountsResp":{{"Currency":"EUR","AuthorizedAmount":12.5}},
            "PaymentAcquirerData":{{"AcquirerPOIID":"877888","ApprovalCode":"611506"}}}},
        "PaymentReceipt":[{{"DocumentQualifier":"CustomerReceipt","OutputContent":{{"OutputFormat":"Text","OutputText":[
            {{"Text":"key=pan&name=Card%20number&value={PAN}"}},{{"Text":"name=Total&value=12.50"}},{{"Text":"Thanks"}}]}}}}]}}"#
    )
}

#[test]
fn a_payment_is_asked_for_and_answered_with_receipts() {
    let mut wire = Wire::ready(Format::Json);
    wire.asks("pay", Pay::Pay(order(1250)));
    let request = wire.written();
    let at = |path: &str| request.str_at(&format!("SaleToPOIRequest.{path}")).unwrap_or_default().to_owned();
    assert_eq!(at("MessageHeader.ServiceID"), "K000000001");
    assert_eq!(at("MessageHeader.POIID"), "P400-1");
    assert_eq!(at("PaymentRequest.SaleData.SaleTransactionID.TransactionID"), "0042");
    let amounts = request.at("SaleToPOIRequest.PaymentRequest.PaymentTransaction.AmountsReq").unwrap();
    assert_eq!(amounts.get("RequestedAmount"), Some(&Tree::Number("12.50".into())));
    wire.answers(&request, "PaymentResponse", &approved());
    let done = wire.payment();
    assert_eq!(done.amount, Some(Amount { minor: 1250, currency: Currency::EUR }));
    assert_eq!((done.certainty, done.card_last4.as_deref()), (Certainty::Completed, Some("1111")));
    assert_eq!(done.transaction.as_deref(), Some("8778880185|2026-11-22T05:17:00.498Z"));
    assert_eq!(done.receipts[0].audience, ReceiptFor::Customer);
    assert_eq!(done.receipts[0].text, "Card number  ************1111\nTotal  12.50\nThanks");
    // What it says of it names the original.
    let (reference, transaction) = (String::new(), done.transaction.unwrap());
    wire.asks("back", Pay::Reverse(Reversal { key: "K000000002".into(), transaction, reference, at_ms: 0 }));
    let request = wire.written();
    let original = "SaleToPOIRequest.ReversalRequest.OriginalPOITransaction.POITransactionID";
    assert_eq!(request.str_at(&format!("{original}.TransactionID")), Some("8778880185"));
    assert_eq!(request.str_at(&format!("{original}.TimeStamp")), Some("2026-11-22T05:17:00.498Z"));
}

#[test]
fn a_payment_in_xml_has_attributes_in_the_schemas_order() {
    let mut wire = Wire::ready(Format::Xml);
    wire.asks("pay", Pay::Refund(order(5600)));
    let text = wire.out.iter().find_map(|action| match action {
        Action::Write(bytes) => Some(String::from_utf8(bytes[4..].to_vec()).unwrap()),
        _ => None,
    });
    assert_eq!(
        text.unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SaleToPOIRequest><MessageHeader ProtocolVersion=\"3.1\" \
         MessageClass=\"Service\" MessageCategory=\"Payment\" MessageType=\"Request\" ServiceID=\"K000000001\" \
         SaleID=\"till-1\" POIID=\"P400-1\"></MessageHeader><PaymentRequest><SaleData><SaleTransactionID \
         TransactionID=\"0042\" TimeStamp=\"1970-01-01T00:00:00.000Z\"></SaleTransactionID></SaleData>\
         <PaymentTransaction><AmountsReq Currency=\"EUR\" RequestedAmount=\"56.00\"></AmountsReq>\
         </PaymentTransaction><PaymentData PaymentType=\"Refund\"></PaymentData></PaymentRequest></SaleToPOIRequest>"
    );
    wire.says(
        "<?xml version='1.0'?><SaleToPOIResponse><MessageHeader MessageType=\"Response\" ServiceID=\"K000000001\"/>\
         <PaymentResponse><Response Result=\"Success\"/><PaymentResult><PaymentInstrumentData><CardData \
         PaymentBrand=\"01,Mastercard\" MaskedPAN=\"516815******9659\"/></PaymentInstrumentData>\
         <AmountsResp Currency=\"EUR\" AuthorizedAmount=\"56\"/></PaymentResult>\
         <PaymentReceipt DocumentQualifier=\"CashierReceipt\"><OutputContent OutputFormat=\"Text\"><OutputText>\
         eyJhIjp7IlJlY2VpcHRTdHJpbmciOlsiU2hvcCIsIkvDllAiXX19</OutputText></OutputContent></PaymentReceipt>\
         </PaymentResponse></SaleToPOIResponse>",
    );
    let done = wire.payment();
    assert_eq!((done.act, done.amount.map(|a| a.minor)), (Act::Refund, Some(5600)));
    assert_eq!((done.card_last4.as_deref(), done.receipts[0].text.as_str()), (Some("9659"), "Shop\nKÖP"));
}

#[test]
fn failures_keep_their_reasons() {
    for (condition, reason) in [
        ("Refusal", Reason::Declined),
        ("WrongPIN", Reason::Declined),
        ("Cancel", Reason::Cancelled),
        ("Aborted", Reason::Cancelled),
        ("Busy", Reason::Busy),
        ("UnreachableHost", Reason::DeviceError),
    ] {
        let mut wire = Wire::ready(Format::Json);
        wire.asks("pay", Pay::Pay(order(1250)));
        let request = wire.written();
        let body = format!(r#"{{"Response":{{"Result":"Failure","ErrorCondition":"{condition}"}}}}"#);
        wire.answers(&request, "PaymentResponse", &body);
        assert!(matches!(wire.reply(), Outcome::Rejected(got, _) if got == reason), "{condition}");
    }
    let mut wire = Wire::ready(Format::Json);
    wire.asks("pay", Pay::Pay(order(1250)));
    let request = wire.written();
    wire.answers(&request, "PaymentResponse", "{}");
    assert!(matches!(wire.reply(), Outcome::Unknown(_)));
}

#[test]
fn while_it_pays_the_terminal_shows_prints_and_asks_and_can_be_stopped() {
    let mut wire = Wire::ready(Format::Json);
    wire.asks("pay", Pay::Pay(order(1250)));
    let request = wire.written();
    let ask = |category: &str, body: &str| {
        format!(
            r#"{{"SaleToPOIRequest":{{"MessageHeader":{{"MessageClass":"Device","MessageCategory":"{category}",
            "MessageType":"Request","ServiceID":"s","DeviceID":"7","SaleID":"till-1","POIID":"P400-1"}},{body}}}}}"#
        )
    };
    wire.says(&ask("Display", &format!(r#""DisplayRequest":{{"DisplayOutput":[{{"Device":"CustomerDisplay","InfoQualify":"Display","OutputContent":{{"OutputFormat":"Text","OutputText":[{{"Text":"Card {PAN}"}}]}}}}]}}"#)));
    let answer = wire.written();
    assert_eq!(answer.str_at("SaleToPOIResponse.MessageHeader.DeviceID"), Some("7"));
    assert_eq!(answer.str_at("SaleToPOIResponse.DisplayResponse.OutputResult.Response.Result"), Some("Success"));
    let shown = Event::Status { audience: StatusFor::Customer, text: "Card ************1111".into() };
    assert!(wire.out.contains(&Action::Emit(DeviceEvent::Payment(shown))));
    wire.says(&ask("Print", r#""PrintRequest":{"PrintOutput":{"DocumentQualifier":"CashierReceipt","OutputContent":{"OutputText":[{"Text":"sign here"}]}}}"#));
    assert_eq!(wire.written().str_at("SaleToPOIResponse.PrintResponse.Response.Result"), Some("Success"));
    wire.says(&ask("Input", r#""InputRequest":{"InputData":{"Device":"CashierInput"}}"#));
    let refused = wire.written();
    assert_eq!(refused.str_at("SaleToPOIResponse.InputResponse.InputResult.Response.Result"), Some("Failure"));
    wire.asks("stop", Pay::Abort);
    assert_eq!(wire.reply(), Outcome::Done(Value::Nothing));
    let abort = wire.written();
    assert_eq!(abort.str_at("SaleToPOIRequest.AbortRequest.MessageReference.ServiceID"), Some("K000000001"));
    wire.answers(&request, "PaymentResponse", &approved());
    assert_eq!(wire.payment().receipts[0].text, "sign here", "too late: it charged");
}

#[test]
fn after_a_cut_the_terminal_is_asked_by_the_transactions_own_name() {
    let ask = |body: &str| {
        let mut wire = Wire::ready(Format::Json);
        let amount = Some(Amount { minor: 1250, currency: Currency::EUR });
        let question = Question { key: "K000000001".into(), act: Act::Payment, amount, before: None };
        wire.asks("ask", Pay::Status(question));
        let request = wire.written();
        let name = "SaleToPOIRequest.TransactionStatusRequest.MessageReference.ServiceID";
        assert_eq!(request.str_at(name), Some("K000000001"));
        wire.answers(&request, "TransactionStatusResponse", body);
        wire
    };
    let finding = |body: &str| match ask(body).reply() {
        Outcome::Done(Value::Finding(finding)) => finding,
        other => panic!("{other:?}"),
    };
    let repeated = |service: &str, response: &str| {
        format!(
            r#"{{"Response":{{"Result":"Success"}},"RepeatedMessageResponse":{{"MessageHeader":{{"ServiceID":"{service}"}},
            "RepeatedResponseMessageBody":{{"PaymentResponse":{response}}}}}}}"#
        )
    };
    let Finding::Charged(done) = finding(&repeated("K000000001", &approved())) else { panic!() };
    assert_eq!(done.certainty, Certainty::Asked);
    let refused = r#"{"Response":{"Result":"Failure","ErrorCondition":"Refusal"}}"#;
    assert!(matches!(finding(&repeated("K000000001", refused)), Finding::NotCharged(_)));
    assert!(matches!(finding(&repeated("K000000002", &approved())), Finding::CannotTell(_)));
    let failure = |word: &str| format!(r#"{{"Response":{{"Result":"Failure","ErrorCondition":"{word}"}}}}"#);
    assert!(matches!(finding(&failure("NotFound")), Finding::NotCharged(_)));
    assert!(matches!(finding(&failure("NotAllowed")), Finding::CannotTell(_)));
    let mut wire = ask(&failure("InProgress"));
    wire.ms += 2_000;
    wire.input(Input::Deadline).unwrap();
    let again = wire.written();
    wire.answers(&again, "TransactionStatusResponse", &failure("InProgress"));
    wire.ms += 20_000;
    wire.input(Input::Deadline).unwrap();
    assert_eq!(wire.reply(), Outcome::Done(Value::Finding(Finding::Running)));
}

#[test]
fn a_payment_that_falls_silent_is_asked_for_and_a_cut_leaves_it_unknown() {
    let mut wire = Wire::ready(Format::Json);
    wire.asks("pay", Pay::Pay(order(1250)));
    wire.written();
    wire.ms = 180_000;
    wire.input(Input::Deadline).unwrap();
    let question = wire.written();
    let body = format!(
        r#"{{"Response":{{"Result":"Success"}},"RepeatedMessageResponse":{{"PaymentResponse":{}}}}}"#,
        approved()
    );
    wire.answers(&question, "TransactionStatusResponse", &body);
    assert_eq!(wire.payment().certainty, Certainty::Asked);
    wire.asks("pay", Pay::Pay(order(1)));
    wire.input(Input::Closed).unwrap();
    assert!(matches!(wire.reply(), Outcome::Unknown(_)));
}

#[test]
fn a_login_that_fails_is_said_and_tried_again() {
    let mut wire = Wire::new(Format::Json);
    let login = wire.written();
    wire.asks("early", Pay::Pay(order(1)));
    wire.answers(&login, "LoginResponse", r#"{"Response":{"Result":"Failure","ErrorCondition":"NotAllowed"}}"#);
    assert!(matches!(wire.reply(), Outcome::Rejected(Reason::Offline, _)));
    assert!(matches!(&wire.protocol.condition, Condition::Error(..)));
    wire.ms = 10_000;
    wire.input(Input::Deadline).unwrap();
    assert!(wire.written().at("SaleToPOIRequest.LoginRequest").is_some());
}

#[test]
fn end_of_day_gives_its_totals_as_text() {
    let mut wire = Wire::ready(Format::Json);
    wire.asks("end", Pay::Reconcile);
    let request = wire.written();
    wire.answers(&request, "ReconciliationResponse", r#"{"Response":{"Result":"Success"},"TransactionTotals":[{"PaymentInstrumentType":"Card","PaymentCurrency":"EUR","PaymentTotals":[{"TransactionType":"Debit","TransactionCount":3,"TransactionAmount":37.5}]}]}"#);
    let Outcome::Done(Value::Terminal(receipts)) = wire.reply() else { panic!() };
    assert_eq!(receipts[0].text, "Card  Debit  3  37.5 EUR");
}

#[test]
fn the_card_number_comes_out_nowhere() {
    let mut wire = Wire::ready(Format::Json);
    wire.asks("pay", Pay::Pay(order(1250)));
    let request = wire.written();
    wire.answers(&request, "PaymentResponse", &approved());
    wire.says(&format!("not a message {PAN}"));
    let said = format!("{:?} {:?}", wire.out, wire.protocol);
    assert!(said.contains("1111") && !said.contains("41111111"), "{said}");
}

proptest! {
    #[test]
    fn no_messages_make_the_protocol_fall_over(
        bodies in proptest::collection::vec("(\\{\"SaleToPOI(Request|Response)\":\\{\"MessageHeader\":\\{\"MessageCategory\":\"(Display|Print|Input|Event|Login)\",\"ServiceID\":\"K000000001\"\\},\"(Payment|Login|Reversal)Response\":\\{.{0,20}\\}\\}\\}|.{0,40})", 0..20),
        garbage in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut wire = Wire::ready(Format::Json);
        for (n, body) in bodies.iter().enumerate() {
            wire.says(body);
            wire.asks(&n.to_string(), if n % 3 == 0 { Pay::Abort } else { Pay::Pay(order(1)) });
            wire.ms += 20_000;
            wire.input(Input::Deadline).ok();
        }
        wire.input(Input::Bytes(&garbage)).ok();
        wire.input(Input::Closed).ok();
        let replies = wire.out.iter().filter(|a| matches!(a, Action::Reply(..))).count();
        prop_assert_eq!(replies, bodies.len(), "every command is answered once");
    }
}
