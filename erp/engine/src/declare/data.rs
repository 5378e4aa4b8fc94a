use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A record that comes with an app. Made once, under its external id `app.id`; what users change in it stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRow {
    pub id: String,
    pub model: String,
    #[serde(default)]
    pub values: BTreeMap<String, DataValue>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DataValue {
    /// The record with this external id; without a dot, of the same app.
    Ref(Ref),
    Plain(serde_json::Value),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ref {
    #[serde(rename = "ref")]
    pub external_id: String,
}

impl DataRow {
    pub fn new(id: &str, model: &str) -> DataRow {
        DataRow { id: id.to_owned(), model: model.to_owned(), values: BTreeMap::new() }
    }

    pub fn set(mut self, field: &str, value: impl Into<serde_json::Value>) -> DataRow {
        self.values.insert(field.to_owned(), DataValue::Plain(value.into()));
        self
    }

    pub fn set_ref(mut self, field: &str, external_id: &str) -> DataRow {
        self.values.insert(field.to_owned(), DataValue::Ref(Ref { external_id: external_id.to_owned() }));
        self
    }
}
