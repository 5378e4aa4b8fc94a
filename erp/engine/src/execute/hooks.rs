//! Where an app's behaviour joins the making, changing and deleting of records.

use super::Env;
use crate::{error::Error, record::Values, resolve::ModelDef, value::Id};

impl Env {
    /// Before the values are looked at: may change what will be stored.
    pub(super) async fn before_create(&mut self, _model: &ModelDef, _rows: &mut Vec<Values>) -> Result<(), Error> {
        Ok(())
    }

    /// The records are there with their lists, and obey the rules.
    pub(super) async fn after_create(&mut self, _model: &ModelDef, _ids: &[Id]) -> Result<(), Error> {
        Ok(())
    }

    /// `ids` is empty where only a domain says which records it will be.
    pub(super) async fn before_write(
        &mut self,
        _model: &ModelDef,
        _ids: &[Id],
        _values: &mut Values,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// The records hold the new values of these fields, and obey the rules.
    pub(super) async fn after_write(
        &mut self,
        _model: &ModelDef,
        _ids: &[Id],
        _fields: &[String],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// For the records of a call and for each set that goes along with them.
    pub(super) async fn before_unlink(&mut self, _model: &ModelDef, _ids: &[Id]) -> Result<(), Error> {
        Ok(())
    }

    pub(super) async fn after_unlink(&mut self, _model: &ModelDef, _ids: &[Id]) -> Result<(), Error> {
        Ok(())
    }
}
