//! What must hold for records: the apps' check functions, and checks written in the expression language.

use std::{collections::BTreeSet, sync::Arc};

use super::{Env, read::CHUNK};
use crate::{
    declare::{Inputs, Records},
    error::Error,
    resolve::{ModelDef, Registry},
    value::{Id, Value},
};

/// Recomputed fields whose checks are still to run.
pub(super) type Rechecks = Vec<(Arc<str>, String, Vec<Id>)>;

impl Env {
    /// Checks of these fields; all where none is named, for new records.
    pub(super) async fn run_checks(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        fields: Option<&[&str]>,
    ) -> Result<(), Error> {
        let touched = |name: &str| fields.is_none_or(|fields| fields.contains(&name));
        let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        let behaviour = &model.behaviour;
        let wanted: Vec<_> = behaviour
            .conditions
            .iter()
            .filter(|c| c.expression.paths.keys().any(|path| touched(&first(path))))
            .collect();
        if !wanted.is_empty() {
            let paths: BTreeSet<String> = wanted.iter().flat_map(|c| c.expression.paths.keys().cloned()).collect();
            let paths: Vec<String> = paths.into_iter().collect();
            for chunk in ids.chunks(CHUNK) {
                if wanted.iter().any(|condition| condition.expression.of_computed) {
                    self.settle().await?;
                }
                let found = self.gather(registry, model, chunk, &paths).await?;
                let context = self.context().clone();
                for row in 0..found.ids.len() {
                    let values: Vec<Vec<Value>> = paths.iter().map(|path| found.of(path, row).to_vec()).collect();
                    let inputs = Inputs::new(Some(found.ids[row]), &paths, &values, &context);
                    for condition in &wanted {
                        let holds = condition.expression.holds(&inputs, &context, self.now);
                        let problem = match holds {
                            Ok(true) => continue,
                            Ok(false) => condition.message.clone(),
                            Err(problem) => format!("check {} has no answer: {problem}", condition.name),
                        };
                        let fields: Vec<&str> = condition.expression.paths.keys().map(String::as_str).collect();
                        let field = fields.join(", ");
                        return Err(self.fail(Error::Validation { model: model.name.to_string(), field, problem }));
                    }
                }
            }
        }
        for (names, check) in &behaviour.checks {
            if fields.is_none() || names.iter().any(|name| touched(name)) {
                let records = Records { model: &model.name, ids };
                if let Err(error) = check(self, records).await {
                    return Err(self.fail(error));
                }
            }
        }
        Ok(())
    }

    /// After recomputing, as after a write.
    pub(super) async fn check_recomputed(&mut self, registry: &Registry) -> Result<(), Error> {
        for (model, field, ids) in std::mem::take(&mut self.rechecks) {
            let model = registry.model(&model)?;
            Box::pin(self.run_checks(registry, model, &ids, Some(&[field.as_str()]))).await?;
        }
        Ok(())
    }
}
