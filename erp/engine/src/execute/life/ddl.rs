//! Columns and tables that nothing declares any more go; renamed fields keep their values. Adding is `schema`'s.

use std::collections::BTreeMap;

use super::super::Link;
use crate::{
    error::Error,
    plan::{Dialect, Reading, Statement},
    resolve::{Kind, ModelDef, Registry, constraint_name},
    value::Value,
};

/// How long a change of the schema waits for transactions that use the table; they wait for it meanwhile.
const PATIENCE: &str = "SET LOCAL lock_timeout = '10s'";

/// Before the schema is touched at all.
pub(super) async fn prepare(link: &mut Link) -> Result<(), Error> {
    match link.dialect() {
        Dialect::Postgres => link.run(PATIENCE.to_owned()).await,
        // Two tables that refer to each other can only go together.
        Dialect::Sqlite => link.run("PRAGMA defer_foreign_keys = ON".to_owned()).await,
    }
}

/// What `schema` makes tables and columns of. Equal text: nothing to do in the database.
pub(super) fn signature(registry: &Registry) -> BTreeMap<String, String> {
    let of = |model: &ModelDef| {
        let mut text = String::new();
        for field in &model.fields {
            if field.is_column() || field.kind.is_list() {
                let required = if field.required { "!" } else { "" };
                let index = if model.is_indexed(field) { "#" } else { "" };
                let kind = match &field.kind {
                    // Its options are no part of the column.
                    Kind::Selection { .. } => "Selection".to_owned(),
                    kind => format!("{kind:?}"),
                };
                text += &format!("{} {kind}{required}{index};", field.name);
            }
        }
        for unique in &model.unique {
            text += &unique.constraint;
        }
        text
    };
    registry.models().map(|model| (model.table.clone(), of(model))).collect()
}

/// `renamed`: (model, name before, name now).
pub(super) async fn rename(
    link: &mut Link,
    before: &Registry,
    renamed: &[(String, String, String)],
) -> Result<(), Error> {
    for (model, old, new) in renamed {
        let Some(model) = before.models.get(model.as_str()) else { continue };
        super::alter::rename_beside(link, &model.name, old, new).await?;
        if !model.find(old).is_some_and(|field| field.is_column()) || !has_column(link, &model.table, old).await? {
            continue;
        }
        free(link, model, old).await?;
        link.run(format!("ALTER TABLE \"{}\" RENAME COLUMN \"{old}\" TO \"{new}\"", model.table)).await?;
    }
    Ok(())
}

pub(super) async fn drop_what_went(link: &mut Link, before: &Registry, after: &Registry) -> Result<(), Error> {
    let tables: Vec<&ModelDef> = before
        .models()
        .filter(|model| !model.is_abstract && after.models().all(|other| other.table != model.table))
        .collect();
    for model in before.models().filter(|model| !model.is_abstract) {
        let Some(now) = after.models().find(|other| other.table == model.table) else { continue };
        for field in model.stored() {
            let stays = now.find(&field.name).is_some_and(|field| field.is_column());
            if !stays && has_column(link, &model.table, &field.name).await? {
                free(link, model, &field.name).await?;
                link.run(format!("ALTER TABLE \"{}\" DROP COLUMN \"{}\"", model.table, field.name)).await?;
            }
            if !stays && now.find(&field.name).is_none() {
                super::alter::drop_beside(link, &model.name, Some(&field.name)).await?;
            }
        }
    }
    for model in &tables {
        super::alter::drop_beside(link, &model.name, None).await?;
    }
    for table in before.links.keys().filter(|table| !after.links.contains_key(*table)) {
        link.run(format!("DROP TABLE IF EXISTS \"{table}\"")).await?;
    }
    match link.dialect() {
        Dialect::Postgres => {
            for model in tables {
                link.run(format!("DROP TABLE IF EXISTS \"{}\" CASCADE", model.table)).await?;
            }
        }
        Dialect::Sqlite => {
            // Emptied first: rows of one may refer to rows of another that goes as well.
            for model in &tables {
                if has_column(link, &model.table, "id").await? {
                    link.run(format!("DELETE FROM \"{}\"", model.table)).await?;
                }
            }
            for model in &tables {
                link.run(format!("DROP TABLE IF EXISTS \"{}\"", model.table)).await?;
            }
        }
    }
    Ok(())
}

/// Indexes and references that stand on the column; a database would not let it go with them.
pub(super) async fn free(link: &mut Link, model: &ModelDef, column: &str) -> Result<(), Error> {
    let own = [column.to_owned()];
    link.run(format!("DROP INDEX IF EXISTS \"{}\"", constraint_name(&model.table, &own, "idx"))).await?;
    for unique in model.unique.iter().filter(|unique| unique.fields.iter().any(|field| field == column)) {
        link.run(format!("DROP INDEX IF EXISTS \"{}\"", unique.constraint)).await?;
    }
    if link.dialect() == Dialect::Postgres {
        let name = constraint_name(&model.table, &own, "fk");
        link.run(format!("ALTER TABLE \"{}\" DROP CONSTRAINT IF EXISTS \"{name}\"", model.table)).await?;
    }
    Ok(())
}

pub(super) async fn has_column(link: &mut Link, table: &str, column: &str) -> Result<bool, Error> {
    let sql = match link.dialect() {
        Dialect::Sqlite => "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?",
        Dialect::Postgres => {
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND column_name = $2"
        }
    };
    let values = sea_query::Values(vec![table.into(), column.into()]);
    let rows = link.query(Statement { sql: sql.to_owned(), values }, &[Reading::Int]).await?;
    Ok(rows.first().and_then(|row| row.first()).is_some_and(|count| *count != Value::Int(0)))
}
