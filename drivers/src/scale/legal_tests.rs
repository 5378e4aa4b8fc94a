use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{LEGAL_SHA256, State, Unit, Weight, legal};

/// The frozen module and its declared identification belong together. If this fails, the module was changed: read its
/// first lines before you change the hash.
#[test]
fn the_frozen_module_is_the_one_that_was_declared() {
    let text = include_bytes!("legal.rs");
    let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, LEGAL_SHA256);
}

#[test]
fn digits_stay_the_scales_digits() {
    for (number, shown) in [
        ("00.450", "0.450"),
        ("  1.20", "1.20"),
        ("+0013.50", "13.50"),
        ("-   13.5", "-13.5"),
        ("    135 ", "135"),
        ("000000", "0"),
        ("-0.000", "0.000"),
    ] {
        assert_eq!(legal::digits(number.as_bytes()).as_deref(), Some(shown), "{number:?}");
    }
    for no in [
        "", " ", "-", ".", ".5", "1.", "1..2", "1.2.3", "1,2", "1e3", "0x1", "--1", "+-1", "1 2", "12345678",
        "1\u{661}",
    ] {
        assert_eq!(legal::digits(no.as_bytes()), None, "{no:?}");
    }
}

#[test]
fn counts_and_moved_points_lose_nothing() {
    assert_eq!(legal::counted(6452, -1).as_deref(), Some("645.2"));
    assert_eq!(legal::counted(-5, -3).as_deref(), Some("-0.005"));
    assert_eq!(legal::counted(20, 0).as_deref(), Some("20"));
    assert_eq!(legal::counted(2, 2).as_deref(), Some("200"));
    assert_eq!(legal::counted(1, 9), None);
    assert_eq!(legal::shifted("1234.5", -3).as_deref(), Some("1.2345"));
    assert_eq!(legal::shifted("-0.0005", 3).as_deref(), Some("-0.5"));
    assert_eq!(legal::shifted("7", -3).as_deref(), Some("0.007"));
}

#[test]
fn a_unit_that_nobody_sells_by_is_no_weight() {
    let weight = |number: &str, unit: &str| legal::weight(number.as_bytes(), unit.as_bytes(), false);
    assert_eq!(weight("1.234", "KG"), Some(Weight { digits: "1.234".into(), unit: Unit::Kg, net: false }));
    assert_eq!(weight("1500", "mg").unwrap().digits, "1.500");
    assert_eq!(weight("0.5", "t").unwrap().digits, "500");
    assert_eq!(weight("1.5", "ct"), None);
    assert_eq!(weight("1.5", ""), None);
}

#[test]
fn nothing_is_sold_by_a_scale_that_moves_or_is_out_of_range() {
    let weight = Weight { digits: "1.000".into(), unit: Unit::Kg, net: false };
    assert!(legal::released(State::Stable, Some(&weight)).is_some());
    for state in [State::Motion, State::UnderZero, State::OverCapacity, State::ZeroRange, State::Silent] {
        assert!(legal::released(state, Some(&weight)).is_none(), "{state:?}");
    }
    let below = Weight { digits: "-0.100".into(), ..weight };
    assert!(legal::released(State::Stable, Some(&below)).is_none());
    assert_eq!(legal::state(true, &below), State::UnderZero);
}

proptest! {
    #[test]
    fn any_bytes_are_a_number_or_none_and_a_number_is_its_own_canonical_form(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Some(digits) = legal::digits(&bytes) {
            prop_assert_eq!(legal::digits(digits.as_bytes()), Some(digits));
        }
    }

    #[test]
    fn counts_read_back_as_they_were(counts in -9_999_999_i64..9_999_999, exponent in -6_i8..=0) {
        let digits = legal::counted(counts, exponent).unwrap();
        let back: i64 = digits.replace('.', "").parse().unwrap();
        prop_assert_eq!(back, counts);
    }

    #[test]
    fn a_point_moved_there_and_back_is_where_it_was(counts in -9999_i64..9999, exponent in -3_i8..=0) {
        let digits = legal::counted(counts, exponent).unwrap();
        let there = legal::shifted(&digits, -3).unwrap();
        prop_assert_eq!(legal::shifted(&there, 3), Some(digits));
    }
}
