use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    resolve::Kind,
    value::{Id, Value},
};

fn many2one() -> Kind {
    Kind::Many2One { comodel: "a".into(), ondelete: crate::declare::OnDelete::SetNull }
}

#[test]
fn what_is_empty_reads_as_false_and_numbers_as_zero() {
    for kind in [Kind::Char { size: None }, Kind::Text, Kind::Date, Kind::DateTime, Kind::Binary { in_row: true }] {
        assert_eq!(to_json(&kind, Value::Null), json!(false), "{kind:?}");
    }
    assert_eq!(to_json(&many2one(), Value::Null), json!(false));
    assert_eq!(to_json(&Kind::Text, Value::Text(String::new())), json!(false));
    assert_eq!(to_json(&Kind::Integer, Value::Null), json!(0));
    assert_eq!(to_json(&Kind::Float, Value::Null), json!(0.0));
}

#[test]
fn times_are_text_in_utc_without_fractions() {
    let at = from_json(&Kind::DateTime, json!("2026-11-22 10:30:05")).unwrap();
    assert_eq!(to_json(&Kind::DateTime, at.clone()), json!("2026-11-22 10:30:05"));
    for same in ["2026-11-22T10:30:05", "2026-11-22T12:30:05+02:00", "2026-11-22 10:30:05Z"] {
        assert_eq!(from_json(&Kind::DateTime, json!(same)).unwrap(), at, "{same}");
    }
    let midnight = from_json(&Kind::DateTime, json!("2026-11-22")).unwrap();
    assert_eq!(to_json(&Kind::DateTime, midnight), json!("2026-11-22 00:00:00"));
    let day = from_json(&Kind::Date, json!("2026-11-22 10:30:05")).unwrap();
    assert_eq!(to_json(&Kind::Date, day), json!("2026-11-22"));
}

#[test]
fn what_clients_send_for_a_value_is_understood() {
    let char = Kind::Char { size: None };
    for (kind, sent, expected) in [
        (&char, json!(false), Value::Null),
        (&char, json!(""), Value::Null),
        (&char, json!(12), Value::Text("12".into())),
        (&Kind::Integer, json!("7"), Value::Int(7)),
        (&Kind::Integer, json!(7.0), Value::Int(7)),
        (&Kind::Boolean, json!(1), Value::Bool(true)),
        (&Kind::Boolean, json!(null), Value::Bool(false)),
        (&Kind::Decimal { digits: 9, scale: 2 }, json!(0.1), Value::Decimal("0.1".parse().unwrap())),
        (&Kind::Binary { in_row: true }, json!("aGVs\nbG8"), Value::Bytes(b"hello".to_vec())),
        (&many2one(), json!(3), Value::Id(Id(3))),
        (&many2one(), json!([3, "Azure"]), Value::Id(Id(3))),
        (&many2one(), json!(false), Value::Null),
        (&Kind::Json, json!([null]), Value::Json(json!([null]))),
    ] {
        assert_eq!(from_json(kind, sent.clone()), Ok(expected), "{sent}");
    }
}

#[test]
fn what_is_no_value_is_told_in_words() {
    for (kind, sent, word) in [
        (Kind::Integer, json!("x"), "\"x\" is not an integer"),
        (Kind::Float, json!([]), "not a number"),
        (Kind::Boolean, json!("yes"), "not true or false"),
        (Kind::Date, json!("22/11/2026"), "not a date such as"),
        (Kind::DateTime, json!("soon"), "not a time such as"),
        (Kind::Binary { in_row: true }, json!("*"), "not base64"),
        (Kind::Text, json!({}), "not a text"),
        (many2one(), json!("Azure"), "not the id of a record"),
    ] {
        let error = from_json(&kind, sent).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
        "[0-9:TZ+ -]{0,24}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::btree_map(".{0,4}", inner, 0..3).prop_map(|m| Json::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_is_a_value_or_an_error_and_what_was_read_can_be_sent_again(sent in json_value()) {
        let kinds = [
            Kind::Char { size: None }, Kind::Text, Kind::Integer, Kind::Float, Kind::Decimal { digits: 18, scale: 4 },
            Kind::Boolean, Kind::Date, Kind::DateTime, Kind::Json, Kind::Binary { in_row: true }, many2one(),
        ];
        for kind in kinds {
            if let Ok(value) = from_json(&kind, sent.clone()) {
                let read = to_json(&kind, value);
                let again = from_json(&kind, read.clone());
                prop_assert!(again.is_ok(), "{:?}: {} -> {}", kind, sent, read);
                prop_assert_eq!(to_json(&kind, again.unwrap()), read);
            }
        }
    }
}
