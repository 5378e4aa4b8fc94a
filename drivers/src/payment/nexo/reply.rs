//! Parts of messages: texts, receipts, and the answers to what the terminal asks of the till.

use data_encoding::BASE64;

use super::{
    Settings,
    message::{El, el},
};
use crate::payment::{
    Receipt, ReceiptFor, masked,
    tree::{Tree, parse_json},
};

/// Why a request failed, for people.
pub(super) fn words(body: &Tree) -> String {
    let condition = match body.str_at("Response.ErrorCondition") {
        Some("Aborted") => "it was stopped",
        Some("Busy" | "InProgress") => "the terminal is busy: wait a moment",
        Some("Cancel") => "it was cancelled at the terminal",
        Some("DeviceOut") => "the terminal is out of order",
        Some("InsertedCard") => "a card is still in the terminal: remove it",
        Some("InvalidCard") => "the card is not valid here",
        Some("LoggedOut") => "the terminal is logged out",
        Some("MessageFormat") => "the terminal did not understand the box",
        Some("NotAllowed") => "the terminal does not allow it",
        Some("NotFound") => "the terminal does not know this transaction",
        Some("PaymentRestriction") => "this card may not pay for this",
        Some("Refusal") => "the payment was refused",
        Some("UnavailableDevice") => "a part of the terminal is missing",
        Some("UnavailableService") => "the terminal cannot do this",
        Some("UnreachableHost") => "the terminal cannot reach its host: check its network",
        Some("WrongPIN") => "the PIN was wrong",
        _ => "the terminal refused it",
    };
    // Query-encoded details of some makers are not for people.
    match body.str_at("Response.AdditionalResponse").filter(|text| !text.contains('=')) {
        Some(text) if !text.is_empty() => format!("{condition} ({})", masked(text)),
        _ => condition.to_owned(),
    }
}

pub(super) fn reference(category: &str, service: &str, settings: &Settings) -> El {
    el("MessageReference")
        .attr("MessageCategory", category)
        .attr("ServiceID", service)
        .attr("SaleID", settings.sale_id.as_str())
        .attr("POIID", settings.poi_id.as_str())
}

/// The header of our response to a request with this one.
pub(super) fn header(request: &Tree) -> El {
    let mut header = el("MessageHeader");
    for name in ["ProtocolVersion", "MessageClass", "MessageCategory"] {
        if let Some(value) = request.str_at(name) {
            header = header.attr(name, value);
        }
    }
    header = header.attr("MessageType", "Response");
    for name in ["ServiceID", "DeviceID", "SaleID", "POIID"] {
        if let Some(value) = request.str_at(name) {
            header = header.attr(name, value);
        }
    }
    header
}

fn result(ok: bool) -> El {
    let response = el("Response").attr("Result", if ok { "Success" } else { "Failure" });
    if ok { response } else { response.attr("ErrorCondition", "UnavailableDevice") }
}

fn echo(mut to: El, from: &Tree, names: &[&'static str]) -> El {
    for name in names {
        if let Some(value) = from.str_at(name) {
            to = to.attr(name, value);
        }
    }
    to
}

pub(super) fn displayed(outputs: &[Tree]) -> El {
    outputs.iter().fold(el("DisplayResponse"), |response, output| {
        let row = echo(el("OutputResult").many(), output, &["Device", "InfoQualify"]);
        response.child(row.child(result(true)))
    })
}

pub(super) fn printed(output: &Tree) -> El {
    echo(el("PrintResponse"), output, &["DocumentQualifier"]).child(result(true))
}

/// The till has no keys for the terminal's questions.
pub(super) fn no_input(request: &Tree) -> El {
    let data = request.at("InputRequest.InputData").unwrap_or(&Tree::Null);
    let row = echo(el("InputResult"), data, &["Device", "InfoQualify"]);
    el("InputResponse").child(row.child(result(false)))
}

/// The text of an `OutputContent`.
pub(super) fn content(output: &Tree) -> String {
    let Some(content) = output.get("OutputContent") else { return String::new() };
    let mut lines = Vec::new();
    for text in content.all("OutputText") {
        let raw = match text {
            Tree::Text(text) => text.as_str(),
            text => text.str_at("Text").or(text.str_at("OutputText")).or(text.str_at("")).unwrap_or_default(),
        };
        lines.extend(line(raw));
    }
    if lines.is_empty()
        && let Some(message) = content.str_at("PredefinedContent.ReferenceID")
    {
        lines.push(message.to_owned());
    }
    let lines: Vec<String> = lines.iter().map(|line| masked(line)).collect();
    lines.join("\n")
}

/// A line as it is, as fields of a query (`name=Total&value=12.50`), or as a base64 JSON with its lines.
fn line(raw: &str) -> Vec<String> {
    if let Some(lines) = encoded(raw) {
        return lines;
    }
    if raw.contains("name=") || raw.contains("value=") || raw.starts_with("key=") {
        let field = |name: &str| {
            raw.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(percent_decoded)
        };
        let texts: Vec<String> = [field("name"), field("value")].into_iter().flatten().collect();
        return vec![texts.join("  ")];
    }
    raw.lines().map(str::to_owned).collect()
}

fn encoded(raw: &str) -> Option<Vec<String>> {
    if raw.len() < 16 {
        return None;
    }
    let bytes = BASE64.decode(raw.as_bytes()).ok()?;
    let tree = parse_json(std::str::from_utf8(&bytes).ok()?)?;
    let found = lines_of(&tree)?;
    let texts = found.iter().map(|line| match line {
        Tree::Text(text) => text.clone(),
        _ => String::new(),
    });
    Some(texts.collect())
}

/// The list `ReceiptString`, wherever it stands.
fn lines_of(tree: &Tree) -> Option<&[Tree]> {
    match tree {
        Tree::Map(rows) => rows.iter().find_map(|(name, value)| match value {
            Tree::List(items) if name == "ReceiptString" => Some(items.as_slice()),
            value => lines_of(value),
        }),
        _ => None,
    }
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                out.push(value);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A printed document.
pub(super) fn receipt(document: &Tree) -> Receipt {
    let audience = match document.str_at("DocumentQualifier") {
        Some("CustomerReceipt") => ReceiptFor::Customer,
        Some("CashierReceipt" | "SaleReceipt") => ReceiptFor::Merchant,
        _ => ReceiptFor::Office,
    };
    Receipt { audience, text: content(document) }
}

pub(super) fn receipts(body: &Tree) -> Vec<Receipt> {
    body.all("PaymentReceipt").iter().map(receipt).filter(|receipt| !receipt.text.is_empty()).collect()
}

/// A reconciliation's totals as a receipt for the office.
pub(super) fn totals(body: &Tree) -> Option<Receipt> {
    let mut lines = Vec::new();
    for totals in body.all("TransactionTotals") {
        let brand = totals.str_at("PaymentBrand").or(totals.str_at("PaymentInstrumentType")).unwrap_or("Card");
        let currency = totals.str_at("PaymentCurrency").unwrap_or_default();
        for total in totals.all("PaymentTotals") {
            let kind = total.str_at("TransactionType").unwrap_or_default();
            let count = total.str_at("TransactionCount").unwrap_or_default();
            let amount = total.str_at("TransactionAmount").unwrap_or_default();
            lines.push(masked(&format!("{brand}  {kind}  {count}  {amount} {currency}")));
        }
    }
    (!lines.is_empty()).then(|| Receipt { audience: ReceiptFor::Office, text: lines.join("\n") })
}
