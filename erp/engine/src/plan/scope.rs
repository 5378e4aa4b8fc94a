//! The names of record rules: the actor, his companies and his user's paths; the context; today.

use jiff::{Timestamp, tz::TimeZone};

use super::Planner;
use crate::{
    expr::{Scope, Val},
    value::{Id, Value},
};

impl Scope for Planner<'_> {
    fn path(&self, path: &str) -> Option<Val> {
        let own = self.actor.rights.as_deref();
        if let Some(value) = own.and_then(|own| own.names.get(path)) {
            return Some(value.clone());
        }
        match path {
            "uid" | "user.id" | "user" => Some(self.actor.uid.map_or(Value::Null, |uid| Value::Id(Id(uid.0))).into()),
            "company_ids" | "company_id" => {
                let asked = self.context.map_or(&[][..], |context| &context.companies);
                let companies = own.map_or(asked.to_vec(), |own| own.companies_now(asked));
                Some(match path {
                    "company_ids" => companies.into(),
                    _ => companies.first().copied().into(),
                })
            }
            _ => None,
        }
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn zone(&self) -> TimeZone {
        let name = self.context.and_then(|context| context.tz.as_deref());
        name.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
    }

    fn context(&self, key: &str) -> Option<Val> {
        self.context.and_then(|context| context.get(key)).map(Val::from_json)
    }

    fn has_group(&self, external_id: &str) -> bool {
        self.actor.rights.as_ref().is_none_or(|own| own.has_group(external_id))
    }
}
