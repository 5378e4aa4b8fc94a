//! Copies of records.

use futures_util::future::BoxFuture;

use super::{Env, create::is_stamp};
use crate::{
    error::Error,
    kernel::TRANSLATIONS,
    record::{Command, Values},
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
    values,
};

/// Records below records that one copy takes along.
const DEEPEST: usize = 10;

impl Env {
    /// A new record with the values of this one, but for those given and those that a copy does not take along. Of lines
    /// that it takes along it has copies. Where names must differ the new one says that it is a copy.
    pub async fn copy(&mut self, model: &str, id: Id, given: Values) -> Result<Id, Error> {
        let registry = self.registry().clone();
        let def = registry.model(model)?;
        let context = self.context().clone();
        // The source's texts, whole contents, archived lines too.
        let mut plain = context.clone().with("active_test", false).with("bin_size", false);
        plain.lang = None;
        self.set_context(plain);
        let values = self.copied(&registry, def, id, given.clone(), DEEPEST).await;
        let made = match values {
            Ok(values) => self.create(model, values).await,
            Err(error) => Err(error),
        };
        self.set_context(context);
        let made = made?;
        self.copy_translations(def, id, made, &given).await?;
        Ok(made)
    }

    /// Boxed, since lines may have lines.
    fn copied<'a>(
        &'a mut self,
        registry: &'a Registry,
        model: &'a ModelDef,
        id: Id,
        given: Values,
        depth: usize,
    ) -> BoxFuture<'a, Result<Values, Error>> {
        Box::pin(async move {
            let taken: Vec<&FieldDef> = model
                .fields
                .iter()
                .filter(|field| takes_along(model, field) && given.get(&field.name).is_none())
                .filter(|field| self.planner(registry).sees(field))
                .collect();
            let mut names: Vec<&str> = taken.iter().map(|field| field.name.as_str()).collect();
            let parents: Vec<&(String, String)> =
                model.inherits.iter().filter(|(by, _)| given.get(by).is_none()).collect();
            names.extend(parents.iter().map(|(by, _)| by.as_str()));
            let record = match names.is_empty() {
                true => self.read(&model.name, &[id], &["id"]).await?.remove(0),
                false => self.read(&model.name, &[id], &names).await?.remove(0),
            };
            let mut values = Values::new();
            for (by, parent) in parents {
                if let Some(parent_id) = record.value(by).as_id() {
                    let of_parent =
                        self.copied(registry, registry.model(parent)?, parent_id, Values::new(), depth).await?;
                    let lent = |name: &str| model.find(name).is_some_and(|field| field.inherited);
                    for (name, value) in of_parent.0.into_iter().filter(|(name, _)| lent(name)) {
                        values.set(name, value);
                    }
                }
            }
            for field in taken {
                let value = record.value(&field.name).clone();
                let value = match (&field.kind, value) {
                    (Kind::One2Many { comodel, inverse }, Value::Ids(lines)) => {
                        let comodel = registry.model(comodel)?;
                        if depth == 0 {
                            continue;
                        }
                        let mut made = Vec::with_capacity(lines.len());
                        for line in lines {
                            let mut line = self.copied(registry, comodel, line, Values::new(), depth - 1).await?;
                            line.remove(inverse);
                            made.push(Command::Create(line));
                        }
                        Value::Commands(made)
                    }
                    (_, value) => value,
                };
                values.set(field.name.clone(), value);
            }
            if let Some(name) = model.rec_name.as_deref().filter(|name| given.get(name).is_none()) {
                tell_apart(model, name, record.value(name), &mut values);
                if values.get(name).is_none() && model.find(name).is_some_and(|field| field.required && !field.copy) {
                    let own = self.read(&model.name, &[id], &[name]).await?.remove(0);
                    tell_apart(model, name, own.value(name), &mut values);
                }
            }
            for (name, value) in given.0 {
                values.set(name, value);
            }
            Ok(values)
        })
    }

    async fn copy_translations(&mut self, model: &ModelDef, from: Id, to: Id, given: &Values) -> Result<(), Error> {
        let texts: Vec<&str> = model
            .stored()
            .filter(|field| field.translate && field.copy && given.get(&field.name).is_none())
            .filter(|field| !is_unique(model, &field.name))
            .map(|field| field.name.as_str())
            .collect();
        if texts.is_empty() {
            return Ok(());
        }
        let known = crate::domain!(["model", "=", &*model.name], ["res_id", "=", from.0], ["field", "in", texts]);
        let mut system = self.sudo("translations of a copy");
        let found =
            system.search_read(TRANSLATIONS, &known, &["field", "lang", "value"], super::Search::order("id")).await?;
        let rows = found.iter().map(|text| {
            values! {
                "model" => &*model.name, "res_id" => to.0, "field" => text.get_str("field"),
                "lang" => text.get_str("lang"), "value" => text.value("value").clone(),
            }
        });
        system.create_if_new(TRANSLATIONS, rows.collect()).await.map(drop)
    }
}

fn takes_along(model: &ModelDef, field: &FieldDef) -> bool {
    let written = field.is_column() || field.is_written_list();
    let delegated = model.inherits.iter().any(|(by, _)| *by == field.name);
    field.copy && written && field.kind != Kind::Id && !is_stamp(model, field) && !field.is_computed() && !delegated
}

fn is_unique(model: &ModelDef, field: &str) -> bool {
    model.unique.iter().any(|unique| unique.fields.iter().any(|name| name == field))
}

/// "Desk" -> "Desk (copy)", where two of the same name cannot be.
fn tell_apart(model: &ModelDef, name: &str, value: &Value, values: &mut Values) {
    let Some(field) = model.find(name) else { return };
    if let (true, Value::Text(text)) = (is_unique(model, name), value) {
        let most = match field.kind {
            Kind::Char { size: Some(size) } => size as usize,
            _ => usize::MAX,
        };
        let suffix = " (copy)";
        let kept: String = text.chars().take(most.saturating_sub(suffix.len())).collect();
        values.set(name.to_owned(), kept + suffix);
    }
}
