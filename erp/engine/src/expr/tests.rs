use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::value::{Id, Value};

fn scope() -> Names {
    let mut names = Names::at("2026-11-21T23:30:00Z".parse().unwrap())
        .with("uid", Id(7))
        .with("state", "draft")
        .with("amount", rust_decimal::Decimal::new(1050, 2))
        .with("empty", Value::Null)
        .with("day", jiff::civil::date(2026, 2, 28))
        .with("tags", vec![Id(3), Id(5)])
        .with("weight", 0.5)
        .with("user.partner_id.commercial_partner_id.production_ids.ids", vec![Id(1), Id(2)])
        .with("company_ids", vec![Id(1)]);
    names.zone = TimeZone::get("Europe/Brussels").unwrap();
    names.context = HashMap::from([("active_id".to_owned(), Val::from(9))]);
    names
}

fn value(text: &str) -> String {
    match parse(text).and_then(|node| eval(&node, &scope())) {
        Ok(value) => match value.to_json() {
            Ok(json) => json.to_string(),
            Err(_) => format!("{value:?}"),
        },
        Err(error) => format!("! {error}"),
    }
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    let found: Vec<String> = cases.iter().map(|(text, _)| format!("{text} -> {}", value(text))).collect();
    let expected: Vec<String> = cases.iter().map(|(text, expected)| format!("{text} -> {expected}")).collect();
    assert_eq!(found, expected);
}

#[test]
fn numbers_are_exact_and_divide_towards_minus_infinity() {
    all(&[
        ("0.1 + 0.2 == 0.3", "true"),
        ("1 + 2 * 3 - 4", "3"),
        ("(1 + 2) * -3", "-9"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("7.5 % 2", "1.5"),
        ("6 / 3", "2"),
        ("7 / 2", "3.5"),
        ("amount * 2", "21.0"),
        ("round(amount / 4, 2)", "2.63"),
        ("round(2.5)", "3"),
        ("weight * 3", "1.5"),
        ("empty + 1", "1"),
        ("1 / 0", "! division by zero"),
        ("9223372036854775807 + 1 == 9223372036854775808", "true"),
        ("min(3, 1.5, 2), max([1, 4])", "! at character 15: \",\" stands where the end is needed"),
        ("sum([1, 2.5, 3])", "6.5"),
        ("abs(-3) + int('12') + len('äb')", "17"),
    ]);
}

#[test]
fn comparisons_chain_and_an_empty_field_is_false() {
    all(&[
        ("1 < 2 <= 2 < 3", "true"),
        ("1 < 3 < 2", "false"),
        ("state == 'draft' and amount > 10", "true"),
        ("state in ('draft', 'sent')", "true"),
        ("state not in ['draft']", "false"),
        ("3 in tags and 4 not in tags", "true"),
        ("empty == False and empty == None and not empty and empty is None", "true"),
        ("empty == 0", "true"),
        ("empty == ''", "false"),
        ("empty < 'x' or empty > day or empty < day", "false"),
        ("'af' in 'draft', ", "! at character 16: \",\" stands where the end is needed"),
        ("day < '2026-03-01' and day == '2026-02-28'", "true"),
        ("state != 'draft' or empty or 'else'", "\"else\""),
        ("'a' if amount > 100 else 'b' if amount > 10 else 'c'", "\"b\""),
        ("[1, (2, 'x'), {'k': 3}]", "[1,[2,\"x\"],{\"k\":3}]"),
        ("(1,)", "[1]"),
        ("tags + [9]", "[3,5,9]"),
        ("tags[0] + tags[-1]", "8"),
        ("{'a': 1}.get('b', 2)", "2"),
    ]);
}

#[test]
fn today_is_the_users_day_and_spans_add_as_people_say_them() {
    all(&[
        ("context_today()", "\"2026-11-22\""),
        ("datetime.datetime.now()", "\"2026-11-21 23:30:00\""),
        ("time.strftime('%Y-%m-%d')", "\"2026-11-21\""),
        ("context_today().strftime('%Y-%m-01')", "\"2026-11-01\""),
        ("context_today() + relativedelta(months=-1, day=1)", "\"2026-10-01\""),
        ("context_today() - datetime.timedelta(days=30)", "\"2026-10-23\""),
        ("day + relativedelta(years=2, day=31)", "\"2028-02-29\""),
        ("day - relativedelta(months=-13)", "\"2027-03-28\""),
        ("context_today() + relativedelta(weekday=MO(-1))", "\"2026-11-16\""),
        ("context_today() + relativedelta(weeks=-1, days=1, weekday=0)", "\"2026-11-16\""),
        ("context_today() + relativedelta(weekday=6)", "\"2026-11-22\""),
        ("context_today() + relativedelta(weekday=SU(2))", "\"2026-11-29\""),
        ("datetime.datetime.combine(context_today(), datetime.time(0, 0, 0)).to_utc()", "\"2026-11-21 23:00:00\""),
        ("datetime.datetime.combine(context_today(), datetime.time(8, 30))", "\"2026-11-22 08:30:00\""),
        ("(context_today() - day).days", "267"),
        ("day.year * 100 + day.month", "202602"),
        ("context_today().replace(month=1, day=1).weekday()", "3"),
        ("day + relativedelta(years=9000)", "! a number or date becomes too large"),
        ("day + relativedelta(years=9223372036854775807)", "! a number or date becomes too large"),
        ("day.strftime('%Q')", "! %Q is no part of a date here; use %Y, %m, %d, %H, %M, %S"),
    ]);
}

#[test]
fn names_come_from_the_scope() {
    all(&[
        ("user.partner_id.commercial_partner_id.production_ids.ids", "[1,2]"),
        ("uid", "7"),
        ("context.get('active_id')", "9"),
        ("context['active_id'] + context.get('nothing', 1)", "10"),
        ("context['nothing']", "! the context has no nothing"),
        ("nothing", "! there is no nothing here"),
        ("user.has_group('base.group_user')", "false"),
        ("ref('base.x')", "! there is no record base.x"),
    ]);
}

#[test]
fn nothing_else_parses() {
    let cases = [
        ("", "at character 1: the expression ends where a value is needed"),
        ("1 +", "at character 4: the expression ends where a value is needed"),
        ("__import__('os')", "at character 1: __import__: names do not begin with _ here"),
        ("().__class__", "at character 4: __class__: names do not begin with _ here"),
        ("open('/etc/passwd')", "at character 1: there is no function open here"),
        ("env['res.users'].search([])", "at character 18: there is no function search here"),
        ("user.unlink()", "at character 1: there is no function user.unlink here"),
        ("[x for x in tags]", "at character 4: for stands where \",\" or \"]\" is needed"),
        ("lambda: 1", "at character 1: functions cannot be written here"),
        ("2 ** 9", "at character 4: \"*\" stands where a value is needed"),
        ("a = 1", "at character 3: \"=\" stands where the end is needed"),
        ("a; b", "at character 2: ';' has no meaning here"),
        ("'open", "at character 1: this text has no closing '"),
        ("1abc", "at character 1: 1 is not a number such as 12 or 1.50"),
        ("a && b", "at character 3: write \"and\" and \"or\" instead of && and ||"),
        ("a.b..c", "at character 5: \".\" stands where a name is needed"),
        ("a.", "at character 3: the expression ends where a name is needed"),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn what_is_made_to_exhaust_is_refused() {
    for (open, close) in [("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("1 if 1 else ", ""), ("len(", ")")] {
        let text = open.repeat(20_000) + "1" + &close.repeat(20_000);
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("nested deeper"), "{error}");
    }
    assert!(parse(&["1"; 20_000].join(" + ")).is_err(), "a tree as deep as it is long");
    assert!(parse(&format!("[{}]", ["1"; 20_000].join(", "))).is_ok(), "long is not deep");
    assert!(parse(&["a"; 20_000].join(" and ")).is_ok());
    assert!(parse(&"x".repeat(MAX_TEXT + 1)).is_err());
    let double = format!("[{}]", ["0 in tags"; 10_000].join(","));
    let many: Vec<Id> = (1..=10_000).map(Id).collect();
    let names = Names::at(Timestamp::UNIX_EPOCH).with("tags", many);
    let error = parse(&double).and_then(|node| eval(&node, &names)).unwrap_err().to_string();
    assert!(error.contains("steps"), "{error}");
}

#[test]
fn paths_tell_what_an_expression_depends_on() {
    let text =
        "user.company_id.id in company_ids and (qty * price if parent.state != 'done' else context.get('x', a.b.c))";
    let paths = parse(text).unwrap().paths();
    let list = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(list(&paths.user), "company_id.id");
    assert_eq!(list(&paths.context), "x");
    assert_eq!(list(&paths.others), "a.b.c company_ids parent.state price qty");
}

#[test]
fn the_web_client_gets_json() {
    let node =
        parse("state in ('a', 'b') and not amount + 1.50 > 2 or user.name.strftime('%Y') if x else day.year").unwrap();
    let expected = json!([
        "if",
        ["path", "x"],
        [
            "or",
            [
                [
                    "and",
                    [
                        ["compare", ["path", "state"], [["in", ["list", ["a", "b"]]]]],
                        ["not", ["compare", ["+", ["path", "amount"], ["number", "1.50"]], [[">", 2]]]]
                    ]
                ],
                ["method", ["path", "user.name"], "strftime", ["%Y"], {}]
            ]
        ],
        ["path", "day.year"]
    ]);
    assert_eq!(serde_json::to_value(&node).unwrap(), expected);
}

/// Texts that look like expressions, most of which are.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}",
        "[0-9]{1,4}(\\.[0-9]{0,3})?",
        "'[a-z\\\\äß \"]{0,4}x'",
        Just("True".to_owned()),
        Just("tags".to_owned()),
        Just("day".to_owned()),
        Just("amount".to_owned()),
        Just("context_today()".to_owned()),
        Just("relativedelta(months=-1, day=31)".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        const OPS: [&str; 13] = ["+", "-", "*", "/", "//", "%", "==", "<", ">=", "in", "not in", "and", "or"];
        prop_oneof![
            (inner.clone(), prop::sample::select(&OPS[..]), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("not {a}")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.clone().prop_map(|a| format!("len({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} if {b} else {c}")),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,80}") {
        if let Ok(node) = parse(&text) {
            drop(eval(&node, &scope()));
        }
    }

    #[test]
    fn arbitrary_signs_never_panic(text in "[\\[\\](){}'\"a-c0-9.,:+*/%<>=! \\\\-]{0,60}") {
        if let Ok(node) = parse(&text) {
            drop(eval(&node, &scope()));
            drop(eval(&parse(&node.to_string()).unwrap(), &scope()));
        }
    }

    #[test]
    fn what_parses_has_a_text_that_parses_to_the_same(text in expression()) {
        let Ok(node) = parse(&text) else { return Ok(()) };
        let again = parse(&node.to_string());
        prop_assert_eq!(again.as_ref().ok(), Some(&node), "{} -> {} {:?}", text, node, again);
        prop_assert_eq!(eval(&node, &scope()).ok(), eval(&again.unwrap(), &scope()).ok());
        serde_json::to_value(&node).unwrap();
    }
}
