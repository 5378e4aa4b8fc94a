//! What goes into a record (`Values`, `values!`) and what comes out of it (`Record`).

use std::{borrow::Cow, sync::Arc};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{
    error::Error,
    resolve::shorten,
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

    /// Takes the field's value out.
    pub fn remove(&mut self, field: &str) -> Option<Value> {
        let at = self.0.iter().position(|(name, _)| name == field)?;
        Some(self.0.remove(at).1)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One change of a one2many or many2many field. In JSON a list `[code, id, argument]`, where what is not needed may be
/// left out, 0 or false; see [`Command::from_json`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `[0, 0, {values}]`: a new record, put on the list.
    Create(Values),
    /// `[1, id, {values}]`: the record is changed.
    Update(Id, Values),
    /// `[2, id]`: the record is deleted.
    Delete(Id),
    /// `[3, id]`: the record is taken off the list. Of a one2many whose other side must have a value or goes along with
    /// it, it is deleted.
    Unlink(Id),
    /// `[4, id]`: put on the list.
    Link(Id),
    /// `[5]`: all are taken off the list.
    Clear,
    /// `[6, 0, [ids]]`: these and no others are on the list.
    Set(Vec<Id>),
}

impl Command {
    /// Of one JSON list. `values` makes what stands under a field's name fit for `create` and `write`; a wire that knows
    /// more of values than JSON does brings its own.
    pub fn from_json(
        json: &serde_json::Value,
        values: &mut impl FnMut(&serde_json::Map<String, serde_json::Value>) -> Result<Values, String>,
    ) -> Result<Command, String> {
        let wrong = || {
            format!(
                "{} is none of [0, 0, values], [1, id, values], [2, id], [3, id], [4, id], [5], [6, 0, ids]",
                shorten(&json.to_string())
            )
        };
        let parts = json.as_array().filter(|parts| parts.len() <= 3).ok_or_else(wrong)?;
        let id = || parts.get(1).and_then(serde_json::Value::as_i64).map(Id).ok_or_else(wrong);
        let given = || parts.get(2).or_else(|| parts.get(1)).and_then(serde_json::Value::as_object).ok_or_else(wrong);
        Ok(match parts.first().and_then(serde_json::Value::as_i64).ok_or_else(wrong)? {
            0 => Command::Create(values(given()?)?),
            1 => Command::Update(id()?, values(given()?)?),
            2 => Command::Delete(id()?),
            3 => Command::Unlink(id()?),
            4 => Command::Link(id()?),
            5 => Command::Clear,
            6 => {
                let ids =
                    parts.get(2).or_else(|| parts.get(1)).and_then(serde_json::Value::as_array).ok_or_else(wrong)?;
                Command::Set(ids.iter().map(|id| id.as_i64().map(Id).ok_or_else(wrong)).collect::<Result<_, _>>()?)
            }
            _ => return Err(wrong()),
        })
    }

    /// Of a JSON list: commands, or ids alone, which replace the list.
    pub(crate) fn list_from_json(list: &[serde_json::Value]) -> Result<Vec<Command>, String> {
        if list.iter().all(serde_json::Value::is_i64) {
            return Ok(vec![Command::Set(list.iter().filter_map(serde_json::Value::as_i64).map(Id).collect())]);
        }
        let mut plain = |map: &serde_json::Map<String, serde_json::Value>| {
            let pairs = map.iter().map(|(name, value)| (Cow::Owned(name.clone()), Value::from_json(value)));
            Ok(Values(pairs.collect()))
        };
        list.iter().map(|command| Command::from_json(command, &mut plain)).collect()
    }
}

/// As it came: `[code, id, argument]`.
impl Serialize for Command {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Command::Create(values) => (0, 0, values).serialize(s),
            Command::Update(id, values) => (1, id, values).serialize(s),
            Command::Delete(id) => (2, id, 0).serialize(s),
            Command::Unlink(id) => (3, id, 0).serialize(s),
            Command::Link(id) => (4, id, 0).serialize(s),
            Command::Clear => (5, 0, 0).serialize(s),
            Command::Set(ids) => (6, 0, ids).serialize(s),
        }
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
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
