//! What a request says besides its arguments: language, time zone, companies, defaults.

use serde_json::{Map, Value as Json};

use crate::value::Id;

/// The context of an environment. Clients send it as a JSON object; what is not known here is kept for apps to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Such as `fr_FR`; nothing for the source texts.
    pub lang: Option<String>,
    /// IANA name such as `Europe/Brussels`; UTC when absent or unknown.
    pub tz: Option<String>,
    /// Archived records are left out of searches that do not ask for them.
    pub active_test: bool,
    /// Companies that the person works in now, the current one first. Empty: all that he may.
    pub companies: Vec<Id>,
    /// Everything as it was sent, `default_<field>` among it.
    pub rest: Map<String, Json>,
}

impl Default for Context {
    fn default() -> Context {
        Context { lang: None, tz: None, active_test: true, companies: Vec::new(), rest: Map::new() }
    }
}

impl Context {
    pub fn from_json(sent: Map<String, Json>) -> Context {
        let text = |name: &str| sent.get(name).and_then(Json::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
        let companies = sent.get("allowed_company_ids").and_then(Json::as_array);
        Context {
            lang: text("lang"),
            tz: text("tz"),
            active_test: sent.get("active_test").and_then(Json::as_bool).unwrap_or(true),
            companies: companies.into_iter().flatten().filter_map(Json::as_i64).map(Id).collect(),
            rest: sent,
        }
    }

    pub fn get(&self, key: &str) -> Option<&Json> {
        self.rest.get(key)
    }

    /// `default_<field>` of the context.
    pub fn default_of(&self, field: &str) -> Option<&Json> {
        self.rest.get(&format!("default_{field}"))
    }

    /// For records made along with another: what is a default of that one is none of theirs.
    pub fn without_defaults(&self) -> Context {
        let mut rest = self.rest.clone();
        rest.retain(|key, _| !key.starts_with("default_"));
        Context { rest, ..self.clone() }
    }

    pub fn flag(&self, key: &str) -> bool {
        self.rest.get(key).is_some_and(|value| !matches!(value, Json::Null | Json::Bool(false)))
    }

    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Context {
        self.rest.insert(key.to_owned(), value.into());
        Context::from_json(self.rest)
    }
}
