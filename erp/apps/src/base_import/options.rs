//! Options of an import as clients send them; what they leave out is guessed.

use erp_exchange::guess::Separators;
use serde_json::{Map, Value as Json};

#[derive(Clone, Default)]
pub(super) struct Wanted {
    pub(super) sent: Map<String, Json>,
}

impl Wanted {
    pub(super) fn of(sent: Map<String, Json>) -> Wanted {
        Wanted { sent }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.sent.get(key).and_then(Json::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.sent.get(key).and_then(Json::as_bool)
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.sent.get(key).and_then(|json| json.as_u64().or_else(|| json.as_str()?.trim().parse().ok()))
    }

    pub(super) fn has_headers(&self) -> bool {
        self.flag("has_headers").or_else(|| self.flag("headers")).unwrap_or(true)
    }

    pub(super) fn separators(&self) -> Separators {
        let sign = |key| self.text(key).and_then(|text| text.chars().next());
        Separators { thousand: sign("float_thousand_separator"), decimal: sign("float_decimal_separator") }
    }

    pub(super) fn reading(&self) -> erp_exchange::Options {
        let separator = self.text("separator").map(|text| if text == "\\t" { "\t" } else { text });
        erp_exchange::Options {
            encoding: self.text("encoding").map(str::to_owned),
            separator: separator.and_then(|text| text.chars().next()),
            quoting: self.text("quoting").and_then(|text| text.chars().next()),
            sheet: self.text("sheet").map(str::to_owned),
            ..erp_exchange::Options::default()
        }
    }
}
