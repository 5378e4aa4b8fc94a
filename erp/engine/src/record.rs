//! What goes into a record (`Values`, `values!`) and what comes out of it (`Record`).

use std::{borrow::Cow, sync::Arc};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{
    error::Error,
    value::{FromValue, Id, Value},
};

/// Field names with their values, for `create` and `write`. The last of equal names wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(pub(crate) Vec<(Cow<'static, str>, Value)>);

impl Values {
    pub fn new() -> Values {
        Values::default()
    }

    pub fn set(&mut self, field: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> &mut Values {
        let (field, value) = (field.into(), value.into());
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some(slot) => slot.1 = value,
            None => self.0.push((field, value)),
        }
        self
    }

    pub fn with(mut self, field: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Values {
        self.set(field, value);
        self
    }

    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `values! { "name" => "Shop", "online" => true }`
#[macro_export]
macro_rules! values {
    ($($field:expr => $value:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut values = $crate::Values::new();
        $( values.set($field, $value); )*
        values
    }};
}

/// One record as read. The names of the fields are shared by all records of one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: Id,
    pub(crate) model: Arc<str>,
    pub(crate) names: Arc<[String]>,
    pub(crate) values: Vec<Value>,
}

impl Record {
    /// The field's value; `Null` for a field that was not read.
    pub fn value(&self, field: &str) -> &Value {
        self.position(field).map_or(&Value::Null, |at| &self.values[at])
    }

    /// The field as a Rust type; `Option<T>` where it may be empty.
    pub fn get<T: FromValue>(&self, field: &str) -> Result<T, Error> {
        let at = self.position(field).ok_or_else(|| Error::NotRead {
            model: self.model.to_string(),
            field: field.to_owned(),
            read: self.names.join(", "),
        })?;
        T::from_value(&self.values[at]).ok_or_else(|| Error::WrongType {
            model: self.model.to_string(),
            field: field.to_owned(),
            expected: T::EXPECTED,
            found: self.values[at].kind(),
        })
    }

    /// The text of a text field; empty when the field is, or was not read.
    pub fn get_str(&self, field: &str) -> &str {
        match self.value(field) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(String::as_str).zip(&self.values)
    }

    fn position(&self, field: &str) -> Option<usize> {
        self.names.iter().position(|name| name == field)
    }
}

/// `{"id": 1, "name": "Shop", ...}`
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.values.len() + 1))?;
        map.serialize_entry("id", &self.id)?;
        for (name, value) in self.iter().filter(|(name, _)| *name != "id") {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
