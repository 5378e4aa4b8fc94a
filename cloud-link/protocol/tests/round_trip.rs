//! Flattened and tagged types say the JSON they are meant to say, and read it back; what a newer peer adds is ignored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests and what they stand on")]

use link_protocol::{document, down, enrol, local, outcome, up};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The JSON reads as `T`, and that `T` says the same JSON.
#[track_caller]
fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(json: Value) {
    let text = json.to_string();
    let value: T = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(serde_json::to_value(&value).unwrap(), json);
    let again: T = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
    assert_eq!(again, value);
}

fn with(mut base: Value, more: Value) -> Value {
    let (Value::Object(base_map), Value::Object(more)) = (&mut base, more) else { panic!("objects") };
    base_map.extend(more);
    base
}

fn payment() -> Value {
    json!({
        "act": "reversal", "amount": { "minor": 1250, "currency": "EUR" }, "certainty": "asked", "transaction": "0012",
        "terminal_id": "52500041", "approval_code": "611804", "card_brand": "Mastercard", "card_last4": "4771",
        "receipts": [{ "for": "customer", "text": "KUNDENBELEG" }, { "for": "merchant", "text": "HAENDLERBELEG" }],
    })
}

fn bodies() -> Vec<Value> {
    let kg = json!({ "weight": "-0.010", "unit": "kg", "net": true });
    vec![
        json!({ "type": "barcode", "data": { "text": "4006381333931" } }),
        json!({ "type": "weight", "data": kg }),
        json!({ "type": "drawer", "data": { "open": true } }),
        json!({ "type": "key", "data": { "key": "KEY_A", "pressed": false } }),
        json!({ "type": "key", "data": { "key": "KEY_A", "pressed": true, "count": 2, "text": "q" } }),
        json!({ "type": "measurement", "data": { "value": "-12.345", "unit": "mm", "resolution": "0.001" } }),
        json!({ "type": "barcode", "data": { "text": "1015ABC", "symbology": "]C1", "gs1": {
            "elements": [{ "ai": "15", "title": "BEST BEFORE or BEST BY", "value": "270300", "date": "2027-03-31" }],
            "problems": ["p"],
        } } }),
        json!({ "type": "terminal_receipt", "data": { "for": "office", "text": "END OF DAY" } }),
        json!({ "type": "payment", "data": {
            "command": "command-1", "act": "payment", "state": "in_doubt", "reference": "0042",
            "asked": { "minor": 1250, "currency": "EUR" }, "payment": null, "message": "m",
        } }),
        json!({ "type": "payment", "data": {
            "command": "command-1", "act": "reversal", "state": "approved", "reference": "0042", "asked": null,
            "payment": payment(), "message": "",
        } }),
    ]
}

#[test]
fn events() {
    let base = json!({ "epoch": "0123456789abcdef", "seq": u64::MAX, "device": "scanner-1", "at_ms": -1 });
    let mut events = Vec::new();
    for body in bodies() {
        same::<up::EventBody>(body.clone());
        let event = with(base.clone(), body);
        same::<up::Event>(event.clone());
        events.push(event);
    }
    same::<up::EventBatch>(json!({ "v": 1, "pairing": "pairing-1", "events": events }));
}

#[test]
fn live_values() {
    for event in bodies() {
        same::<up::Live>(json!({ "device": "d", "type": "not_stored", "data": { "at_ms": 1, "event": event } }));
    }
    for audience in ["cashier", "customer"] {
        let status = json!({ "for": audience, "text": "Insert card" });
        same::<up::Live>(json!({ "device": "d", "type": "terminal", "data": status }));
    }
    for condition in ["stable", "motion", "zero", "under_zero", "over_capacity", "zero_range", "silent"] {
        let weight = json!({ "condition": condition, "weight": null });
        same::<up::Live>(json!({ "device": "d", "type": "weight", "data": weight }));
    }
    let weight = json!({ "condition": "stable", "weight": { "weight": "1.000", "unit": "lb", "net": false } });
    same::<up::Live>(json!({ "device": "d", "type": "weight", "data": weight }));
}

fn outcomes() -> Vec<Value> {
    let mut outcomes = vec![
        json!({ "outcome": "done", "value": { "kind": "nothing" } }),
        json!({ "outcome": "done", "value": { "kind": "weight", "weight": "1.234", "unit": "g", "net": false } }),
        json!({ "outcome": "done", "value": { "kind": "measurement", "value": "0.1", "unit": "inch" } }),
        json!({ "outcome": "unknown", "message": "cable out" }),
    ];
    let amount = json!({ "minor": 1, "currency": "JPY" });
    let least = json!({ "act": "refund", "amount": amount, "certainty": "completed" });
    for state in ["approved", "not_charged", "running", "in_doubt", "undecided"] {
        let status = json!({ "kind": "payment_status", "state": state, "payment": least, "message": "m" });
        outcomes.push(json!({ "outcome": "done", "value": status }));
    }
    outcomes.push(json!({ "outcome": "done", "value": { "kind": "terminal", "receipts": [] } }));
    outcomes.push(json!({ "outcome": "done", "value": with(json!({ "kind": "payment" }), payment()) }));
    for certainty in ["sent", "accepted", "printed"] {
        outcomes.push(json!({ "outcome": "done", "value": { "kind": "print", "certainty": certainty } }));
    }
    let words = "expired no_device offline unsupported invalid busy paper_out cover_open unstable device_error \
                 not_stored forbidden cancelled declined";
    for reason in words.split_whitespace() {
        outcomes.push(json!({ "outcome": "rejected", "reason": reason, "message": "m" }));
    }
    outcomes
}

#[test]
fn outcomes_and_results() {
    for outcome in outcomes() {
        same::<outcome::Outcome>(outcome.clone());
        same::<up::CommandResult>(with(json!({ "v": 1, "id": "command-1" }), outcome.clone()));
        same::<local::FromBox>(with(json!({ "msg": "outcome", "id": "command-1" }), outcome));
    }
}

fn document() -> Value {
    json!({
        "title": "Receipt", "cut": true, "open_drawer": false,
        "blocks": [
            { "block": "text", "text": "t", "align": "center", "bold": true, "large": false },
            { "block": "columns", "left": "l", "right": "r", "bold": false },
            { "block": "rule" },
            { "block": "feed", "lines": 3 },
            { "block": "barcode", "data": "4006381333931" },
            { "block": "qr", "data": "q" },
            { "block": "image", "data": "aGk=" },
        ],
    })
}

fn command_bodies() -> Vec<Value> {
    let mut bodies = vec![json!({ "do": "print", "with": { "document": document() } })];
    bodies.extend(
        ["open_drawer", "read_weight", "zero_scale", "tare_scale", "measure"].map(|word| json!({ "do": word })),
    );
    let amount = json!({ "minor": 1250, "currency": "EUR" });
    for verb in ["pay", "refund_payment"] {
        bodies.push(json!({ "do": verb, "with": { "amount": amount, "reference": "0042" } }));
    }
    bodies.push(json!({ "do": "reverse_payment", "with": { "transaction": "0012", "reference": "0042" } }));
    bodies.push(json!({ "do": "payment_status", "with": { "of": "command-1" } }));
    bodies.extend(["abort_payment", "reconcile_payments", "diagnose_terminal"].map(|word| json!({ "do": word })));
    bodies
}

#[test]
fn commands() {
    for body in command_bodies() {
        let base = json!({ "v": 1, "id": "command-1", "device": "d", "issued_ms": 1, "ttl_ms": 2 });
        same::<down::Command>(with(base, body.clone()));
        let base = json!({ "msg": "command", "id": "command-1", "device": "d", "ttl_ms": 2 });
        same::<local::ToBox>(with(base, body));
    }
    same::<document::Document>(document());
    let short: document::Document = serde_json::from_value(json!({ "title": "t", "blocks": [] })).unwrap();
    assert!(short.cut && !short.open_drawer);
    let committed = json!([{ "epoch": "0123456789abcdef", "seq": 7 }]);
    same::<down::Hello>(json!({ "v": 1, "pairing": "pairing-1", "now_ms": 5, "committed": committed }));
}

fn device() -> Value {
    json!({
        "id": "printer-1", "name": "P", "class": "printer", "connection": "network", "driver": "printer.escpos",
        "manufacturer": "", "model": "", "status": "ready", "message": "",
    })
}

#[test]
fn state_and_goodbye() {
    for online in [true, false] {
        same::<up::State>(json!({
            "v": 1, "online": online, "name": "n", "version": "0", "urls": ["https://10.0.0.2:8443"],
            "devices": [device()], "outbox": { "unsent": 0, "full": true }, "certificate_not_after_ms": null,
        }));
    }
    same::<up::Goodbye>(json!({ "v": 1, "pairing": "pairing-1", "unsent": 3 }));
}

#[test]
fn frames_between_browser_and_box() {
    let cursor = json!({ "epoch": "0123456789abcdef", "seq": 1 });
    same::<local::ToBox>(json!({ "msg": "auth", "token": "t", "cursor": cursor }));
    same::<local::ToBox>(json!({ "msg": "auth", "token": "t", "cursor": null }));
    let outbox = json!({ "unsent": 1, "full": false });
    let box_id = "abcdefghijklmnopqrstuvwxyz";
    let devices = json!([device()]);
    same::<local::FromBox>(
        json!({ "msg": "ready", "box_id": box_id, "cursor": cursor, "devices": devices, "outbox": outbox }),
    );
    same::<local::FromBox>(json!({ "msg": "state", "devices": [], "outbox": outbox }));
    for body in bodies() {
        let event = json!({ "msg": "event", "epoch": "0123456789abcdef", "seq": 1, "device": "d", "at_ms": 1 });
        same::<local::FromBox>(with(event, body));
    }
    let live = json!({ "condition": "zero", "weight": null });
    same::<local::FromBox>(json!({ "msg": "live", "device": "d", "type": "weight", "data": live }));
    same::<local::FromBox>(json!({ "msg": "refused", "message": "m" }));
    same::<local::TokenRequest>(json!({ "grant": "{}", "signature": "s", "nonce": "n", "proof": "p" }));
    same::<local::TillGrant>(json!({
        "v": 1, "box_id": box_id, "grant_id": "g", "origin": "https://erp.example", "key": "k", "devices": ["d"],
        "verbs": ["listen", "print", "drawer", "print_and_drawer", "weigh"], "not_after_ms": 1,
    }));
}

fn applicant() -> Value {
    json!({
        "v": 1, "box_id": "abcdefghijklmnopqrstuvwxyz", "serial": "s", "name": "n", "version": "0", "addresses": ["a"],
        "https_port": 8443, "client_csr": "c", "server_csr": "d",
    })
}

#[test]
fn enrolment() {
    same::<enrol::Offer>(with(applicant(), json!({ "pake": "p" })));
    same::<enrol::TokenOffer>(with(applicant(), json!({ "token_id": "t", "confirm": "c" })));
    same::<enrol::Polled>(json!({ "state": "waiting" }));
    same::<enrol::Polled>(json!({ "state": "gone" }));
    same::<enrol::Polled>(json!({ "state": "challenge", "pake": "p", "ca": "c", "confirm": "x" }));
    same::<enrol::Prove>(json!({ "session": "s", "confirm": null }));
    same::<enrol::Sealed>(json!({ "grant": "{}", "mac": "m" }));
}

#[test]
fn a_field_that_a_newer_peer_adds_is_ignored() {
    let command = json!({
        "v": 2, "id": "command-1", "device": "d", "issued_ms": 1, "ttl_ms": 2, "do": "open_drawer", "new": [1],
    });
    assert!(serde_json::from_value::<down::Command>(command).is_ok());
    let event = json!({
        "epoch": "0123456789abcdef", "seq": 1, "device": "d", "at_ms": 1, "new": {}, "type": "drawer",
        "data": { "open": true, "new": 1 },
    });
    assert!(serde_json::from_value::<up::Event>(event).is_ok());
}

#[test]
fn ids_of_a_wrong_shape_are_refused_at_the_door() {
    let ack = |epoch: &str| serde_json::from_value::<down::Ack>(json!({ "epoch": epoch, "seq": 1 }));
    assert!(ack("0123456789abcdef").is_ok());
    for bad in ["", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdefg"] {
        assert!(ack(bad).is_err(), "{bad}");
    }
}

#[test]
fn hostile_box_names_are_refused_with_the_reason() {
    use enrol::{NameError, check_name};
    assert_eq!(check_name("Theke 2 – Käse & Brot"), Ok(()));
    assert_eq!(check_name("  "), Err(NameError::Empty));
    assert_eq!(check_name(&"x".repeat(10_000)), Err(NameError::TooLong(10_000)));
    for (hostile, code) in [("a\nb", 0x0A), ("a\u{1b}[2Jb", 0x1B), ("a\u{202e}b", 0x202E), ("a\u{200b}b", 0x200B)] {
        assert_eq!(check_name(hostile), Err(NameError::Character(code)));
    }
}
