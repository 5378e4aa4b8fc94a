//! Who uses a field that people rename or delete. Views, rules and computed fields find out by themselves; favourites and
//! actions would only fail when somebody opens them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Env, Search};
use crate::{
    context::Context,
    domain,
    domain::Domain,
    error::Error,
    record::Record,
    resolve::{FieldDef, Registry, path::check_domain},
};

/// Fields that were there and are not, by model. Of models that stay.
type Lost<'r> = BTreeMap<&'r str, BTreeSet<&'r str>>;

fn lost<'r>(before: &'r Registry, after: &Registry) -> Lost<'r> {
    let mut lost = Lost::new();
    for model in before.models() {
        let Some(now) = after.models.get(&model.name) else { continue };
        let gone: BTreeSet<&str> =
            model.fields.iter().filter(|field| now.find(&field.name).is_none()).map(|field| &*field.name).collect();
        if !gone.is_empty() {
            lost.insert(&*model.name, gone);
        }
    }
    lost
}

impl Env {
    pub(super) async fn check_usage(&mut self, before: &Registry, after: &Registry) -> Result<(), Error> {
        let lost = lost(before, after);
        if lost.is_empty() {
            return Ok(());
        }
        self.set_context(Context::default().with("active_test", false));
        let names = ["name", "user_id", "model_id", "domain", "context", "sort"];
        for row in self.search_read("ir.filters", &domain!(), &names, Search::order("id")).await? {
            let texts = [row.get_str("domain"), row.get_str("context"), row.get_str("sort")];
            if let Some(problem) = used(before, after, &lost, &row, "model_id", &texts) {
                return Err(in_use(&format!("the favourite {:?}", row.get_str("name")), &problem));
            }
        }
        let names = ["name", "res_model", "domain", "context"];
        for row in self.search_read("ir.actions.act_window", &domain!(), &names, Search::order("id")).await? {
            let texts = [row.get_str("domain"), row.get_str("context")];
            if let Some(problem) = used(before, after, &lost, &row, "res_model", &texts) {
                return Err(in_use(&format!("the action {:?}", row.get_str("name")), &problem));
            }
        }
        Ok(())
    }
}

fn in_use(who: &str, problem: &str) -> Error {
    Error::User(format!("{problem}: {who} uses it; change or delete that first"))
}

/// What the row asks for that is gone. `texts` name fields of the model as words.
fn used(
    before: &Registry,
    after: &Registry,
    lost: &Lost<'_>,
    row: &Record,
    model: &str,
    texts: &[&str],
) -> Option<String> {
    let model = row.get_str(model);
    let (old, new) = (before.models.get(model)?, after.models.get(model)?);
    if let Ok(domain) = Domain::parse(row.get_str("domain"))
        && check_domain(before, old, &domain).is_ok()
        && let Err(error) = check_domain(after, new, &domain)
    {
        return Some(error.to_string());
    }
    let gone = lost.get(model)?;
    let word = |text: &&str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| gone.contains(word));
    let text = texts.iter().find(|text| word(text))?;
    let name = gone.iter().find(|name| text.contains(**name))?;
    Some(format!("{model} has no field {name} any more"))
}

/// Fields whose stored values are not what they would be if they were computed now: (model, field).
pub(super) fn computed_otherwise(before: &Registry, after: &Registry) -> Vec<(String, String)> {
    let mut changed = Vec::new();
    for (id, (model, name)) in &after.custom_fields {
        let Some((_, old_name)) = before.custom_fields.get(id) else { continue };
        let field = |registry: &Registry, name: &str| registry.models.get(model.as_str())?.find(name).cloned();
        let (Some(old), Some(new)) = (field(before, old_name), field(after, name)) else { continue };
        let same = |old: &FieldDef, new: &FieldDef| {
            old.compute == new.compute && old.related == new.related && old.store == new.store
        };
        if new.is_computed() && new.store && !same(&old, &new) {
            changed.push((model.clone(), name.clone()));
        }
    }
    changed
}
