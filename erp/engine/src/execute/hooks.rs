//! Where an app's behaviour joins the making, changing and deleting of records.

use super::Env;
use crate::{
    declare::{Hook, Records},
    error::Error,
    record::Values,
    resolve::ModelDef,
    value::Id,
};

impl Env {
    /// Before the values are looked at: may change what will be stored.
    pub(super) async fn before_create(&mut self, model: &ModelDef, rows: &mut Vec<Values>) -> Result<(), Error> {
        for hook in &model.behaviour.hooks {
            if let Hook::BeforeCreate(run) = hook {
                run(self, &model.name, rows).await?;
            }
        }
        Ok(())
    }

    /// The records are there with their lists, and obey the rules.
    pub(super) async fn after_create(&mut self, model: &ModelDef, ids: &[Id]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let registry = self.registry.clone();
        self.run_checks(&registry, model, ids, None).await?;
        for hook in &model.behaviour.hooks {
            if let Hook::AfterCreate(run) = hook {
                let done = run(self, Records { model: &model.name, ids }).await;
                self.kept_whole(done)?;
            }
        }
        Ok(())
    }

    /// `ids` is empty where only a domain says which records it will be.
    pub(super) async fn before_write(
        &mut self,
        model: &ModelDef,
        ids: &[Id],
        values: &mut Values,
    ) -> Result<(), Error> {
        for hook in &model.behaviour.hooks {
            if let Hook::BeforeWrite(run) = hook {
                run(self, Records { model: &model.name, ids }, values).await?;
            }
        }
        Ok(())
    }

    /// The records hold the new values of these fields, and obey the rules.
    pub(super) async fn after_write(&mut self, model: &ModelDef, ids: &[Id], fields: &[String]) -> Result<(), Error> {
        let registry = self.registry.clone();
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.run_checks(&registry, model, ids, Some(&names)).await?;
        for hook in &model.behaviour.hooks {
            if let Hook::AfterWrite(run) = hook {
                let done = run(self, Records { model: &model.name, ids }, fields).await;
                self.kept_whole(done)?;
            }
        }
        Ok(())
    }

    /// For the records of a call and for each set that goes along with them.
    pub(super) async fn before_unlink(&mut self, model: &ModelDef, ids: &[Id]) -> Result<(), Error> {
        for hook in &model.behaviour.hooks {
            if let Hook::BeforeUnlink(run) = hook {
                run(self, Records { model: &model.name, ids }).await?;
            }
        }
        let registry = self.registry.clone();
        self.mark_before_unlink(&registry, model, ids).await
    }

    pub(super) async fn after_unlink(&mut self, model: &ModelDef, ids: &[Id]) -> Result<(), Error> {
        for hook in &model.behaviour.hooks {
            if let Hook::AfterUnlink(run) = hook {
                let done = run(self, Records { model: &model.name, ids }).await;
                self.kept_whole(done)?;
            }
        }
        Ok(())
    }

    /// What was written before a hook refused must not stay, whoever catches the error.
    fn kept_whole(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        done.map_err(|error| self.fail(error))
    }
}
