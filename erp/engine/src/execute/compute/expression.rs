//! Computed fields and checks written in the expression language: the names in them are the record's fields.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    Context,
    declare::Inputs,
    expr::{Scope, Val, eval},
    resolve::Expression,
    value::Value,
};

struct Record<'a> {
    expression: &'a Expression,
    inputs: &'a Inputs<'a>,
    context: &'a Context,
    now: Timestamp,
}

impl Scope for Record<'_> {
    fn path(&self, path: &str) -> Option<Val> {
        let own = path.strip_suffix(".ids").unwrap_or(path);
        let many = self.expression.paths.get(own)?;
        let values = self.inputs.list(own);
        Some(match *many || path.len() > own.len() {
            true => Val::List(values.iter().cloned().map(Val::One).collect()),
            false => Val::One(values.first().cloned().unwrap_or(Value::Null)),
        })
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn zone(&self) -> TimeZone {
        self.context.tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
    }

    fn context(&self, key: &str) -> Option<Val> {
        self.context.get(key).map(Val::from_json)
    }
}

impl Expression {
    /// Whether it is true of a record.
    pub(in crate::execute) fn holds(
        &self,
        inputs: &Inputs<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Result<bool, String> {
        let value = eval(&self.node, &Record { expression: self, inputs, context, now });
        value.map(|value| value.is_true()).map_err(|error| error.to_string())
    }

    pub(in crate::execute) fn evaluate(
        &self,
        inputs: &Inputs<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Result<Value, String> {
        let value = eval(&self.node, &Record { expression: self, inputs, context, now });
        value.and_then(Val::into_value).map_err(|error| error.to_string())
    }
}
