//! Currencies by ISO 4217.

use std::fmt;

/// A currency: three letters, three digits and the digits of its smallest unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    number: u16,
    exponent: u8,
}

/// ISO 4217, list one: code, number, exponent; currencies that cards are charged in.
const TABLE: [(&str, u16, u8); 48] = [
    ("AED", 784, 2),
    ("ALL", 8, 2),
    ("ARS", 32, 2),
    ("AUD", 36, 2),
    ("BAM", 977, 2),
    ("BGN", 975, 2),
    ("BHD", 48, 3),
    ("BRL", 986, 2),
    ("CAD", 124, 2),
    ("CHF", 756, 2),
    ("CLP", 152, 0),
    ("CNY", 156, 2),
    ("COP", 170, 2),
    ("CZK", 203, 2),
    ("DKK", 208, 2),
    ("EGP", 818, 2),
    ("EUR", 978, 2),
    ("GBP", 826, 2),
    ("GEL", 981, 2),
    ("HKD", 344, 2),
    ("HUF", 348, 2),
    ("IDR", 360, 2),
    ("ILS", 376, 2),
    ("INR", 356, 2),
    ("ISK", 352, 0),
    ("JPY", 392, 0),
    ("KES", 404, 2),
    ("KRW", 410, 0),
    ("KWD", 414, 3),
    ("MAD", 504, 2),
    ("MDL", 498, 2),
    ("MKD", 807, 2),
    ("MXN", 484, 2),
    ("MYR", 458, 2),
    ("NOK", 578, 2),
    ("NZD", 554, 2),
    ("PHP", 608, 2),
    ("PLN", 985, 2),
    ("RON", 946, 2),
    ("RSD", 941, 2),
    ("SAR", 682, 2),
    ("SEK", 752, 2),
    ("SGD", 702, 2),
    ("THB", 764, 2),
    ("TRY", 949, 2),
    ("UAH", 980, 2),
    ("USD", 840, 2),
    ("ZAR", 710, 2),
];

impl Currency {
    pub const EUR: Self = Self { code: "EUR", number: 978, exponent: 2 };

    fn find(fits: impl Fn(&(&'static str, u16, u8)) -> bool) -> Option<Self> {
        TABLE.iter().find(|row| fits(row)).map(|(code, number, exponent)| Self {
            code,
            number: *number,
            exponent: *exponent,
        })
    }

    /// By its letters; `None` if cards are not charged in it here.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::find(|row| row.0 == code)
    }

    pub fn of_number(number: u16) -> Option<Self> {
        Self::find(|row| row.1 == number)
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    /// `1250` of EUR is `12.50`.
    pub fn decimal(&self, minor: u64) -> String {
        let unit = 10u64.pow(u32::from(self.exponent));
        match self.exponent {
            0 => minor.to_string(),
            places => format!("{}.{:0width$}", minor / unit, minor % unit, width = usize::from(places)),
        }
    }

    /// The other way; `None` for what is no amount of this currency.
    pub fn minor(&self, decimal: &str) -> Option<u64> {
        let (whole, part) = decimal.trim().split_once('.').unwrap_or((decimal.trim(), ""));
        let places = usize::from(self.exponent);
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || !digits(whole)
            || !digits(part)
            || part.get(places..).is_some_and(|rest| rest.bytes().any(|b| b != b'0'))
        {
            return None;
        }
        let part = &part[..part.len().min(places)];
        format!("{whole}{part:0<places$}").parse().ok()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_to_decimals_and_back() {
        let all = |code| Currency::of_code(code).unwrap();
        for (code, minor, text) in
            [("EUR", 1250, "12.50"), ("EUR", 5, "0.05"), ("JPY", 1250, "1250"), ("KWD", 1250, "1.250")]
        {
            assert_eq!(all(code).decimal(minor), text);
            assert_eq!(all(code).minor(text), Some(minor));
        }
        assert_eq!(Currency::EUR.minor("56"), Some(5600));
        assert_eq!(Currency::EUR.minor("10.9"), Some(1090));
        assert_eq!(Currency::EUR.minor("10.9900"), Some(1099));
        for bad in ["", "-1", "1,00", "1.001", "1e3", ".", "99999999999999999999"] {
            assert_eq!(Currency::EUR.minor(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_without_repeats() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(Currency::of_number(978), Some(Currency::EUR));
        for (n, row) in TABLE.iter().enumerate() {
            assert!(TABLE[..n].iter().all(|other| other.1 != row.1), "{row:?}");
        }
    }
}
