//! The terminal's side of the nexo Retailer protocol: "Sale to POI Protocol Specifications" 3.1, messages Login, Payment,
//! Reversal, Abort, TransactionStatus, Reconciliation, Diagnosis, Display.

use serde_json::{Map, Value, json};

use super::{
    Act, Booking, Settings,
    till::{Decision, Running, Stage, Till},
    zvt::{Out, Part},
};

/// What stands as text in an element of its own where JSON has a plain value.
const ELEMENTS: [&str; 5] = ["OutputText", "ApprovalCode", "DateTime", "AdditionalResponse", "POICapabilities"];

#[derive(Debug)]
pub(super) struct Nexo {
    xml: bool,
    input: Vec<u8>,
    /// Header of the request that runs.
    header: Value,
    displays: u32,
}

impl Nexo {
    pub(super) fn new(xml: bool) -> Self {
        Self { xml, input: Vec::new(), header: Value::Null, displays: 0 }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8], till: &mut Till, settings: &Settings) -> Vec<Out> {
        self.input.extend_from_slice(bytes);
        let mut out = Vec::new();
        while self.input.len() >= 4 {
            let length = self.input[..4].iter().fold(0usize, |sum, b| sum * 256 + usize::from(*b));
            if self.input.len() < 4 + length {
                break;
            }
            let body: Vec<u8> = self.input.drain(..4 + length).skip(4).collect();
            let message = if self.xml {
                read_xml(&String::from_utf8_lossy(&body))
            } else {
                serde_json::from_slice(&body).unwrap_or_default()
            };
            if let Some(request) = message.get("SaleToPOIRequest") {
                self.request(request, till, settings, &mut out);
            }
        }
        out
    }

    fn request(&mut self, request: &Value, till: &mut Till, settings: &Settings, out: &mut Vec<Out>) {
        let header = &request["MessageHeader"];
        let service = header["ServiceID"].as_str().unwrap_or_default().to_owned();
        let failure = |word: &str| json!({ "Response": { "Result": "Failure", "ErrorCondition": word } });
        match header["MessageCategory"].as_str().unwrap_or_default() {
            "Login" => {
                let body = json!({ "Response": { "Result": "Success" }, "POISystemData": {
                    "DateTime": "2026-11-22T05:16:46Z", "POIStatus": { "GlobalStatus": "OK" } } });
                out.push(self.respond(header, "LoginResponse", body));
            }
            "Abort" => {
                let named = request.pointer("/AbortRequest/MessageReference/ServiceID").and_then(Value::as_str);
                if let Some(running) = till.running.as_mut().filter(|r| Some(r.service.as_str()) == named) {
                    running.aborted = true;
                }
            }
            "Payment" => {
                let data = &request["PaymentRequest"];
                let amounts = &data["PaymentTransaction"]["AmountsReq"];
                let act = match data["PaymentData"]["PaymentType"].as_str() {
                    Some("Refund") => Act::Refund,
                    _ => Act::Payment,
                };
                let minor = cents(&amounts["RequestedAmount"]).filter(|_| amounts["Currency"] == "EUR");
                match minor {
                    _ if till.running.is_some() => {
                        out.push(self.respond(header, "PaymentResponse", failure("Busy")));
                    }
                    Some(minor) if minor > 0 && !till.results.iter().any(|(s, _)| *s == service) => {
                        let reference = data.pointer("/SaleData/SaleTransactionID/TransactionID");
                        let reference = reference.and_then(Value::as_str).unwrap_or_default().to_owned();
                        self.begin(act, minor, reference, service, None, header, till);
                        out.push(Out::Begun);
                    }
                    _ => out.push(self.respond(header, "PaymentResponse", failure("MessageFormat"))),
                }
            }
            "Reversal" => {
                let original =
                    request.pointer("/ReversalRequest/OriginalPOITransaction/POITransactionID/TransactionID");
                let receipt = original.and_then(Value::as_str).and_then(|id| id.parse().ok());
                match receipt.filter(|r| till.booking(*r).is_some_and(|b| !b.reversed)) {
                    Some(receipt) if till.running.is_none() => {
                        self.begin(Act::Reversal, 0, String::new(), service, Some(receipt), header, till);
                        out.push(Out::Begun);
                    }
                    _ => out.push(self.respond(header, "ReversalResponse", failure("NotFound"))),
                }
            }
            "TransactionStatus" => {
                let wanted = request.pointer("/TransactionStatusRequest/MessageReference/ServiceID");
                let wanted = wanted.and_then(Value::as_str).unwrap_or_default();
                let body = match till.results.iter().find(|(s, _)| s == wanted) {
                    _ if till.running.as_ref().is_some_and(|r| r.service == wanted) => failure("InProgress"),
                    None => failure("NotFound"),
                    Some((service, decision)) => {
                        let (name, body) = outcome(*decision, till, settings);
                        json!({ "Response": { "Result": "Success" }, "RepeatedMessageResponse": {
                            "MessageHeader": { "ServiceID": service, "MessageType": "Response" },
                            "RepeatedResponseMessageBody": { name: body } } })
                    }
                };
                out.push(self.respond(header, "TransactionStatusResponse", body));
            }
            "Reconciliation" => {
                let total: u64 = till.journal.iter().filter(|b| b.act == Act::Payment).map(|b| b.minor).sum();
                let row = json!({ "TransactionType": "Debit", "TransactionCount": till.journal.len(),
                    "TransactionAmount": decimal(total) });
                let totals =
                    json!([{ "PaymentInstrumentType": "Card", "PaymentCurrency": "EUR", "PaymentTotals": [row] }]);
                let body = json!({ "Response": { "Result": "Success" }, "TransactionTotals": totals });
                out.push(self.respond(header, "ReconciliationResponse", body));
            }
            "Diagnosis" => {
                let body = json!({ "Response": { "Result": "Success" } });
                out.push(self.respond(header, "DiagnosisResponse", body));
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a request's fields")]
    fn begin(
        &mut self,
        act: Act,
        minor: u64,
        reference: String,
        service: String,
        original: Option<u32>,
        header: &Value,
        till: &mut Till,
    ) {
        self.header = header.clone();
        till.running = Some(Running { act, minor, reference, service, original, stage: Stage::Card, aborted: false });
    }

    pub(super) fn stage(&mut self, till: &Till, settings: &Settings, part: Part) -> (Vec<Out>, bool) {
        let Some(running) = &till.running else { return (Vec::new(), true) };
        let text = match (running.stage, part) {
            (Stage::Card, _) => "Present card",
            (Stage::Bank, _) => "Please wait",
            (Stage::Decided(Decision::Booked(_)), Part::Result) => "Approved",
            (Stage::Decided(_), Part::Result) => "Declined",
            (Stage::Decided(decision), Part::End) => {
                let (name, body) = outcome(decision, till, settings);
                let header = self.header.clone();
                return (vec![self.respond(&header, name, body)], true);
            }
        };
        self.displays += 1;
        let header = json!({ "ProtocolVersion": "3.1", "MessageClass": "Device", "MessageCategory": "Display",
            "MessageType": "Request", "ServiceID": self.header["ServiceID"], "DeviceID": self.displays.to_string(),
            "SaleID": self.header["SaleID"], "POIID": self.header["POIID"] });
        let content = json!({ "OutputFormat": "Text", "OutputText": [{ "Text": text }] });
        let output = json!([{ "Device": "CashierDisplay", "InfoQualify": "Status", "OutputContent": content }]);
        let request = json!({ "MessageHeader": header, "DisplayRequest": { "DisplayOutput": output } });
        (vec![self.write("SaleToPOIRequest", request)], false)
    }

    fn respond(&self, request: &Value, name: &str, body: Value) -> Out {
        let mut header = request.clone();
        header["MessageType"] = json!("Response");
        let mut response = Map::new();
        response.insert("MessageHeader".into(), header);
        response.insert(name.into(), body);
        self.write("SaleToPOIResponse", Value::Object(response))
    }

    fn write(&self, name: &str, message: Value) -> Out {
        let body = if self.xml {
            let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
            write_xml(name, &message, &mut text);
            text
        } else {
            json!({ name: message }).to_string()
        };
        let length = body.len() as u32;
        Out::Send([&length.to_be_bytes()[..], body.as_bytes()].concat())
    }
}

/// The response of a transaction: its name and its body, with the whole card number where a careless terminal has it.
fn outcome(decision: Decision, till: &Till, settings: &Settings) -> (&'static str, Value) {
    let booking = match decision {
        Decision::Booked(receipt) => till.booking(receipt),
        Decision::Declined | Decision::Cancelled => None,
    };
    let reversal = match (booking, &till.running) {
        (Some(booking), _) => booking.act == Act::Reversal,
        (None, Some(running)) => running.act == Act::Reversal,
        (None, None) => false,
    };
    let name = if reversal { "ReversalResponse" } else { "PaymentResponse" };
    let body = match booking {
        Some(booking) => approved(booking, settings),
        None => {
            let word = if decision == Decision::Declined { "Refusal" } else { "Cancel" };
            json!({ "Response": { "Result": "Failure", "ErrorCondition": word } })
        }
    };
    (name, body)
}

fn approved(booking: &Booking, settings: &Settings) -> Value {
    let tail = &settings.pan[settings.pan.len() - 4..];
    let shown = if settings.full_pan_on_receipt { settings.pan.clone() } else { format!("************{tail}") };
    let receipt = |qualifier: &str, card: &str| {
        let lines =
            [format!("Receipt {}", booking.receipt), format!("Total EUR {}", decimal(booking.minor)), card.to_owned()];
        let texts: Vec<Value> = lines.iter().map(|line| json!({ "Text": line })).collect();
        json!({ "DocumentQualifier": qualifier, "OutputContent": { "OutputFormat": "Text", "OutputText": texts } })
    };
    json!({
        "Response": { "Result": "Success" },
        "POIData": { "POITransactionID": { "TransactionID": booking.receipt.to_string(), "TimeStamp": "2026-11-22T05:17:00.000Z" } },
        "PaymentResult": {
            "PaymentInstrumentData": { "PaymentInstrumentType": "Card", "CardData": { "PaymentBrand": "Visa", "MaskedPAN": shown } },
            "AmountsResp": { "Currency": "EUR", "AuthorizedAmount": decimal(booking.minor) },
            "PaymentAcquirerData": { "AcquirerPOIID": "52500041", "ApprovalCode": "611804" },
        },
        "PaymentReceipt": [receipt("CustomerReceipt", &format!("Card ************{tail}")), receipt("CashierReceipt", &format!("Card {shown}"))],
    })
}

fn cents(value: &Value) -> Option<u64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let part: u64 = format!("{part:0<2}").get(..2)?.parse().ok()?;
    Some(whole.parse::<u64>().ok()? * 100 + part)
}

fn decimal(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

fn write_xml(name: &str, value: &Value, out: &mut String) {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let plain = |value: &Value| match value {
        Value::String(text) => escaped(text),
        other => other.to_string(),
    };
    match value {
        Value::Array(items) => items.iter().for_each(|item| write_xml(name, item, out)),
        // A text of an element: {"Text": ..} in JSON.
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("Text") => {
            out.push_str(&format!("<{name}>{}</{name}>", plain(&fields["Text"])));
        }
        Value::Object(fields) => {
            out.push_str(&format!("<{name}"));
            let is_attribute =
                |key: &str, value: &Value| !value.is_object() && !value.is_array() && !ELEMENTS.contains(&key);
            for (key, value) in fields.iter().filter(|(k, v)| is_attribute(k, v)) {
                out.push_str(&format!(" {key}=\"{}\"", plain(value)));
            }
            out.push('>');
            for (key, value) in fields.iter().filter(|(k, v)| !is_attribute(k, v)) {
                write_xml(key, value, out);
            }
            out.push_str(&format!("</{name}>"));
        }
        other => out.push_str(&format!("<{name}>{}</{name}>", plain(other))),
    }
}

/// Elements and attributes as an object; enough for a till's requests.
fn read_xml(text: &str) -> Value {
    let mut rest = text.trim_start();
    if let Some(after) = rest.strip_prefix("<?xml") {
        rest = after.split_once("?>").map_or("", |(_, rest)| rest);
    }
    let mut root = Map::new();
    while let Some((name, value, after)) = element(rest.trim_start()) {
        root.insert(name, value);
        rest = after;
    }
    Value::Object(root)
}

/// Where the tag is closed; a value in quotes may hold the same sign.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, sign)| {
        match (quote, sign) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(sign),
            (Some(open), _) if open == sign => quote = None,
            _ => {}
        }
        None
    })
}

fn element(text: &str) -> Option<(String, Value, &str)> {
    let inner = text.strip_prefix('<').filter(|t| !t.starts_with('/'))?;
    let (tag, mut rest) = inner.split_at(tag_end(inner)?);
    rest = &rest[1..];
    let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
    let (name, mut attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let plain = |text: &str| {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&")
    };
    let mut fields = Map::new();
    while let Some((key, after)) = attributes.split_once('=') {
        let mark = after.trim_start().chars().next()?;
        let (value, after) = after.trim_start()[1..].split_once(mark)?;
        fields.insert(key.trim().to_owned(), Value::String(plain(value)));
        attributes = after;
    }
    if closed {
        return Some((name.to_owned(), Value::Object(fields), rest));
    }
    let mut words = String::new();
    let end = format!("</{name}>");
    loop {
        if let Some(after) = rest.strip_prefix(end.as_str()) {
            let value = match (fields.is_empty(), words.trim()) {
                (true, words) => Value::String(plain(words)),
                _ => Value::Object(fields),
            };
            return Some((name.to_owned(), value, after));
        }
        match element(rest) {
            Some((child, value, after)) => {
                fields.insert(child, value);
                rest = after;
            }
            None => {
                let next = rest.char_indices().skip(1).find(|(_, c)| *c == '<')?.0;
                words.push_str(&rest[..next]);
                rest = &rest[next..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_read_as_the_same_object_as_json() {
        let message = json!({ "A": { "B": "x & <y>", "C": { "D": "1" }, "ApprovalCode": "7" } });
        let mut text = "<?xml version=\"1.0\"?>\n".to_owned();
        write_xml("A", &message["A"], &mut text);
        assert_eq!(read_xml(&text), message, "{text}");
        assert_eq!(read_xml("<A/>"), json!({ "A": {} }));
        assert_eq!(read_xml("<A"), json!({}));
    }
}
