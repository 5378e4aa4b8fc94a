use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The call that a client would write for these arguments.
fn call_of(method: &str, params: &[Value]) -> String {
    let mut out = format!("<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>");
    for param in params {
        out.push_str("<param>");
        write_value(&mut out, param).unwrap();
        out.push_str("</param>");
    }
    out + "</params></methodCall>"
}

fn value_of(inner: &str) -> Result<Value, XmlError> {
    let body = format!(
        "<methodCall><methodName>m</methodName><params><param><value>{inner}</value></param></params></methodCall>"
    );
    parse_call(body.as_bytes()).map(|mut call| call.params.remove(0))
}

#[test]
fn a_call_as_python_writes_it_is_read() {
    let body = b"<?xml version='1.0'?>\n<methodCall>\n<methodName>execute_kw</methodName>\n<params>\n<param>\n\
        <value><string>db</string></value>\n</param>\n<param>\n<value><int>2</int></value>\n</param>\n<param>\n\
        <value><array><data>\n<value><struct>\n<member>\n<name>name</name>\n<value><string>A &amp; B&#33;</string></value>\n\
        </member>\n</struct></value>\n</data></array></value>\n</param>\n</params>\n</methodCall>\n";
    let call = parse_call(body).unwrap();
    assert_eq!(call.method, "execute_kw");
    assert_eq!(call.params, [json!("db"), json!(2), json!([{"name": "A & B!"}])]);
    assert_eq!(parse_call(b"<methodCall><methodName>list</methodName></methodCall>").unwrap().params.len(), 0);
    assert_eq!(parse_call(b"<methodCall><methodName>list</methodName><params/></methodCall>").unwrap().params.len(), 0);
}

#[test]
fn every_type_that_a_client_may_send_has_its_value() {
    for (inner, expected) in [
        ("bare text ", json!("bare text ")),
        ("", json!("")),
        ("<string/>", json!("")),
        ("<string><![CDATA[<b>]]></string>", json!("<b>")),
        (" <i4> 7 </i4> ", json!(7)),
        ("<int>-7</int>", json!(-7)),
        ("<i8>9007199254740993</i8>", json!(9_007_199_254_740_993_i64)),
        ("<double>2.5</double>", json!(2.5)),
        ("<boolean>1</boolean>", json!(true)),
        ("<boolean>false</boolean>", json!(false)),
        ("<nil/>", json!(null)),
        ("<ex:nil/>", json!(null)),
        ("<base64>\naGVs\nbG8=\n</base64>", json!("aGVsbG8=")),
        ("<dateTime.iso8601>20261122T10:30:05</dateTime.iso8601>", json!("2026-11-22 10:30:05")),
        ("<dateTime.iso8601>2026-11-22T10:30:05.25+02:00</dateTime.iso8601>", json!("2026-11-22 08:30:05")),
        ("<array><data/></array>", json!([])),
        ("<struct></struct>", json!({})),
        ("<struct><member><name>a</name><value><int>1</int></value></member></struct>", json!({"a": 1})),
    ] {
        assert_eq!(value_of(inner), Ok(expected), "{inner}");
    }
}

#[test]
fn what_is_no_value_is_refused_with_a_word_about_it() {
    for (inner, word) in [
        ("<int>seven</int>", "\"seven\" is not an integer"),
        ("<int>99999999999999999999</int>", "not an integer"),
        ("<double>inf</double>", "not a number"),
        ("<boolean>maybe</boolean>", "not a boolean"),
        ("<base64>a*b</base64>", "not base64"),
        ("<dateTime.iso8601>yesterday</dateTime.iso8601>", "not a date"),
        ("<colour>red</colour>", "colour is no type"),
        ("x<int>1</int>", "text beside"),
        ("<int>1</int><int>2</int>", "more than it should"),
        ("&secret;", "an entity"),
        ("<array><value>1</value></array>", "data is missing"),
    ] {
        let error = value_of(inner).unwrap_err().to_string();
        assert!(error.contains(word), "{inner}: {error}");
    }
    let dtd = b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><methodCall><methodName>m</methodName></methodCall>";
    assert!(parse_call(dtd).is_err());
    let deep = "<array><data><value>".repeat(70) + &"</value></data></array>".repeat(70);
    assert_eq!(value_of(&deep), Err(XmlError::Deep));
}

#[test]
fn latin_1_is_read_where_the_declaration_names_it() {
    let body = |head: &str| {
        let mut body = format!("{head}<methodCall><methodName>m</methodName><params><param><value>Caf").into_bytes();
        body.push(0xe9);
        body.extend(b"</value></param></params></methodCall>");
        body
    };
    let call = parse_call(&body("<?xml version='1.0' encoding='ISO-8859-1'?>")).unwrap();
    assert_eq!(call.params, [json!("Café")]);
    assert!(parse_call(&body("")).is_err());
}

#[test]
fn answers_and_faults_have_the_form_that_clients_read() {
    let out = response(&json!([1, 5_000_000_000_i64, true, "a<b\u{1}\r\n", 1.5, {"k": []}])).unwrap();
    assert_eq!(
        out.replace('\n', ""),
        "<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><int>1</int></value>\
         <value><i8>5000000000</i8></value><value><boolean>1</boolean></value>\
         <value><string>a&lt;b&#13;</string></value><value><double>1.5</double></value>\
         <value><struct><member><name>k</name><value><array><data></data></array></value></member></struct></value>\
         </data></array></value></param></params></methodResponse>"
    );
    assert_eq!(response(&json!([null])), Err(XmlError::None));
    let one = fault(&FaultCode::Number(4), "no & no");
    assert!(one.contains("<name>faultCode</name>\n<value><int>4</int></value>"), "{one}");
    assert!(one.contains("<name>faultString</name>\n<value><string>no &amp; no</string></value>"), "{one}");
    let other = fault(&FaultCode::Text("AccessDenied".into()), "Access Denied");
    assert!(other.contains("<value><string>AccessDenied</string></value>"), "{other}");
}

fn value() -> impl Strategy<Value = Value> {
    let text = "[ -~äß€\t\n\r]{0,12}";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinity", |f| f.is_finite()).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(text, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A float without a fraction is written without a point, so that it is one again only by its value.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn values_come_back_as_they_went(params in prop::collection::vec(value(), 0..4)) {
        let body = call_of("m", &params);
        let call = parse_call(body.as_bytes()).unwrap();
        prop_assert!(same(&Value::Array(call.params), &Value::Array(params)), "{}", body);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_call(&bytes).ok();
    }

    #[test]
    fn no_damage_to_a_call_breaks_the_reader(params in prop::collection::vec(value(), 1..3), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = call_of("m", &params).into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        parse_call(&body).ok();
        body.truncate(at);
        prop_assert!(parse_call(&body).is_err());
    }
}
