//! What texts and columns are taken for.

use erp_exchange::{
    Cell,
    guess::{CURRENCIES, Column, Hints, Pattern, Separators, boolean, column, number},
};

fn parsed(text: &str) -> Option<String> {
    number(text, Separators::default(), CURRENCIES).map(|n| n.normalize().to_string())
}

#[test]
fn thirty_two_thousand_is_read_in_every_form_that_the_manual_lists() {
    for text in ["32.000,00", "32000,00", "32,000.00", "$ 32.000,00", "32 000,00", "32'000.00", "€32,000.00", "32000"]
    {
        assert_eq!(parsed(text).as_deref(), Some("32000"), "{text}");
    }
    for text in ["-32000.00", "(32000.00)", "(32000.00 €)", "- 32.000,00", "$ -32,000.00"] {
        assert_eq!(parsed(text).as_deref(), Some("-32000"), "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "ABC 32.000,00",
        "$ (32.000,00)",
        "",
        " ",
        "-",
        "()",
        "(-5)",
        "--5",
        "1,2,3",
        "1.2.3,4,5",
        "12,34.56,7",
        "1-2",
        "$",
        "1 $ 2",
        "0x10",
        "1e",
        "NaN",
        "inf",
        "1,23,4",
        "५",
        "(5",
        "5)",
    ] {
        assert_eq!(parsed(text), None, "{text}");
    }
}

#[test]
fn a_lone_separator_is_decimal_unless_it_makes_a_group_of_three() {
    assert_eq!(parsed("1,5").as_deref(), Some("1.5"));
    assert_eq!(parsed("1.234.567").as_deref(), Some("1234567"));
    assert_eq!(parsed("12,34,567.5").as_deref(), Some("1234567.5"));
    assert_eq!(parsed("0,125").as_deref(), Some("0.125"));
    assert_eq!(parsed("1,500").as_deref(), Some("1500"));
    assert_eq!(parsed("1.500").as_deref(), Some("1.5"));
    let comma = Separators { thousand: Some('.'), decimal: Some(',') };
    assert_eq!(number("1.500", comma, &[]).unwrap().to_string(), "1500");
    assert_eq!(number("1,500", comma, &[]).unwrap().normalize().to_string(), "1.5");
    assert_eq!(parsed("1.5E3").as_deref(), Some("1500"));
}

#[test]
fn booleans_are_known_in_the_usual_words_and_in_those_given() {
    assert_eq!(boolean("Yes", &[], &[]), Some(true));
    assert_eq!(boolean("False", &[], &[]), Some(false));
    assert_eq!(boolean("OUI", &["oui"], &["non"]), Some(true));
    assert_eq!(boolean("maybe", &[], &[]), None);
}

fn guess(values: &[&str]) -> Column {
    let cells: Vec<Cell> = values.iter().map(|v| Cell::from(*v)).collect();
    column(&cells, &Hints { currencies: CURRENCIES, ..Hints::default() })
}

#[test]
fn columns_are_known_by_their_first_values() {
    assert_eq!(guess(&["", " "]), Column::Blank);
    assert_eq!(guess(&["__export__.a_1", "__export__.b"]), Column::ExternalId);
    assert_eq!(guess(&["0", "1", ""]), Column::Integer { boolean: true });
    assert_eq!(guess(&["7", "19"]), Column::Integer { boolean: false });
    assert_eq!(guess(&["True", "f"]), Column::Boolean);
    let comma = Separators { thousand: Some('.'), decimal: Some(',') };
    assert_eq!(guess(&["32.000,00", "(5,20 €)"]), Column::Number(comma));
    assert_eq!(guess(&["7", "x"]), Column::Text);
}

#[test]
fn a_date_that_may_be_read_both_ways_is_read_month_first_until_a_value_says_otherwise() {
    let pattern = |p: &str| Pattern::new(p);
    assert_eq!(guess(&["01/02/2026", "03/04/2026"]), Column::Date(pattern("%m/%d/%Y")));
    assert_eq!(guess(&["01/02/2026", "31/12/2026"]), Column::Date(pattern("%d/%m/%Y")));
    assert_eq!(guess(&["2026-01-31"]), Column::Date(pattern("%Y-%m-%d")));
    assert_eq!(guess(&["31.12.26"]), Column::Date(pattern("%d.%m.%y")));
    assert_eq!(guess(&["2026-01-31 14:05:09"]), Column::DateTime(pattern("%Y-%m-%d %H:%M:%S")));
    assert_eq!(guess(&["01/31/2026 02:05 PM"]), Column::DateTime(pattern("%m/%d/%Y %I:%M %p")));
    assert_eq!(guess(&["2026-02-30"]), Column::Text);
    let own = Hints { date: Some("%d/%m/%Y"), ..Hints::default() };
    assert_eq!(column(&[Cell::from("01/02/2026")], &own), Column::Date(pattern("%d/%m/%Y")));
}

#[test]
fn patterns_are_understood_in_both_writings() {
    assert_eq!(Pattern::new("YYYY-MM-DD").as_str(), "%Y-%m-%d");
    assert_eq!(Pattern::new("DD/MM/YY HH:mm:SS").as_str(), "%d/%m/%y %H:%M:%S");
    assert_eq!(Pattern::new("%Y").as_str(), "%Y");
    assert_eq!(Pattern::new("YYYY-MM-DD").date("1981-07-24").unwrap().to_string(), "1981-07-24");
    assert_eq!(Pattern::new("%d %b %Y").date("24 July 1981").unwrap().to_string(), "1981-07-24");
    let noon = Pattern::new("%Y-%m-%d %I %p");
    assert_eq!(noon.datetime("2026-01-01 12 AM").unwrap().hour(), 0);
    assert_eq!(noon.datetime("2026-01-01 12 pm").unwrap().hour(), 12);
    assert_eq!(noon.datetime("2026-01-01 13 pm"), None);
}
