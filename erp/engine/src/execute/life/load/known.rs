//! External ids that a file names, looked up at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::super::{Env, Search};
use crate::{
    domain,
    error::Error,
    value::{Id, Value},
};

const CHUNK: usize = 1_000;

#[derive(Clone, Debug)]
pub(in super::super) struct External {
    pub(in super::super) model: String,
    pub(in super::super) id: Id,
    pub(in super::super) noupdate: bool,
}

/// Those found so far.
#[derive(Default)]
pub(in super::super) struct Known(HashMap<String, External>);

impl Known {
    pub(in super::super) fn get(&self, full: &str) -> Option<&External> {
        self.0.get(full)
    }

    pub(in super::super) fn learn(&mut self, full: String, external: External) {
        self.0.insert(full, external);
    }
}

impl Env {
    /// Looks up those that are not known yet.
    pub(in super::super) async fn look_up_externals(
        &mut self,
        known: &mut Known,
        names: impl IntoIterator<Item = String>,
    ) -> Result<(), Error> {
        let mut by_module: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for full in names {
            if let Some((module, name)) = full.split_once('.').filter(|_| !known.0.contains_key(&full)) {
                by_module.entry(module.to_owned()).or_default().insert(name.to_owned());
            }
        }
        for (module, names) in by_module {
            let names: Vec<String> = names.into_iter().collect();
            for chunk in names.chunks(CHUNK) {
                let domain = domain!(["module", "=", module.as_str()], ["name", "in", chunk.to_vec()]);
                let fields = ["name", "model", "res_id", "noupdate"];
                for row in self.search_read("ir.model.data", &domain, &fields, Search::order("id")).await? {
                    let external = External {
                        model: row.get_str("model").to_owned(),
                        id: Id(row.get("res_id")?),
                        noupdate: *row.value("noupdate") == Value::Bool(true),
                    };
                    known.0.insert(format!("{module}.{}", row.get_str("name")), external);
                }
                for name in chunk
                    .iter()
                    .filter(|name| !known.0.contains_key(&format!("{module}.{name}")))
                    .cloned()
                    .collect::<Vec<_>>()
                {
                    if let Some(external) = self.declared_as(&name).await? {
                        known.0.insert(format!("{module}.{name}"), external);
                    }
                }
            }
        }
        Ok(())
    }

    /// `model_res_partner` and `field_res_partner__name` in whatever app's name: every app that adds to a model may call
    /// it so.
    async fn declared_as(&mut self, name: &str) -> Result<Option<External>, Error> {
        let registry = self.registry().clone();
        let of_table = |table: &str| registry.models().find(|model| model.table == table);
        let found = if let Some(table) = name.strip_prefix("model_") {
            let Some(model) = of_table(table) else { return Ok(None) };
            let domain = domain!(["model", "=", &*model.name]);
            ("ir.model", self.search("ir.model", &domain, Search::default()).await?)
        } else if let Some((table, field)) = name.strip_prefix("field_").and_then(|rest| rest.split_once("__")) {
            let Some(model) = of_table(table) else { return Ok(None) };
            let domain = domain!(["model", "=", &*model.name], ["name", "=", field]);
            ("ir.model.fields", self.search("ir.model.fields", &domain, Search::default()).await?)
        } else {
            return Ok(None);
        };
        let (model, ids) = found;
        Ok(ids.first().map(|id| External { model: model.to_owned(), id: *id, noupdate: false }))
    }
}
