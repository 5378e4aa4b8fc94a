//! International bank account numbers: ISO 13616, check digits by ISO 7064 MOD 97-10.

/// Characters of an IBAN by country, of the registry that SWIFT keeps for ISO 13616.
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
];

/// Capital letters and digits alone, so that two ways to write a number are one number.
pub(super) fn plain(number: &str) -> String {
    number.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// `iban` for one that is right, `bank` for every other number.
pub(super) fn kind(number: &str) -> &'static str {
    match check(number) {
        Ok(true) => "iban",
        _ => "bank",
    }
}

/// Whether it is an IBAN. What begins like one of its country and is none is an error that says why.
pub(super) fn check(number: &str) -> Result<bool, String> {
    let plain = plain(number);
    let begins = plain.len() > 4 && plain.is_ascii() && plain[2..4].chars().all(|c| c.is_ascii_digit());
    let Some((country, length)) = LENGTHS.iter().find(|(country, _)| begins && plain.starts_with(country)) else {
        return Ok(false);
    };
    if plain.len() != *length {
        return Err(format!(
            "{number} is no IBAN: one of {country} has {length} characters, this has {}; look for a typing mistake",
            plain.len()
        ));
    }
    match remainder(&plain) {
        1 => Ok(true),
        _ => Err(format!("{number} is no IBAN: its check digits are wrong; look for a typing mistake")),
    }
}

/// The country and the check digits behind the rest, letters as 10 to 35, modulo 97.
fn remainder(plain: &str) -> u32 {
    let (front, rest) = plain.split_at(4);
    rest.chars().chain(front.chars()).filter_map(|c| c.to_digit(36)).fold(0, |sum, digit| {
        let shifted = if digit > 9 { sum * 100 } else { sum * 10 };
        (shifted + digit) % 97
    })
}

pub(super) fn in_groups(number: &str) -> String {
    let plain: Vec<char> = plain(number).chars().collect();
    plain.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_registry_are_right_and_a_typing_mistake_is_found() {
        for right in
            ["BE68 5390 0754 7034", "de89370400440532013000", "GB29-NWBK-6016-1331-9268-19", "NO93 8601 1117 947"]
        {
            assert_eq!(check(right), Ok(true), "{right}");
        }
        assert!(check("BE68 5390 0754 7043").unwrap_err().contains("check digits"));
        assert!(check("BE68 5390 0754 703").unwrap_err().contains("has 16 characters, this has 15"));
        for other in ["000123456789", "US64 SVBK US6S 3300", "BEAT 1234", "", "BE", "É8 5390 0754"] {
            assert_eq!(check(other), Ok(false), "{other}");
        }
        assert_eq!(in_groups("be68539007547034"), "BE68 5390 0754 7034");
        assert_eq!((kind("BE68539007547034"), kind("123")), ("iban", "bank"));
    }
}
