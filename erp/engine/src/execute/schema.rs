//! The schema that the registry asks for, brought about in one transaction: tables, columns, indexes and references
//! that are missing are added. Nothing is dropped or changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Link;
use crate::{
    declare::OnDelete,
    error::Error,
    plan::{Dialect, Reading, Statement},
    resolve::{FieldDef, Kind, LinkTable, ModelDef, Registry, constraint_name},
    value::Value,
};

/// What is there already.
#[derive(Default)]
struct Found {
    columns: BTreeMap<String, BTreeSet<String>>,
    indexes: BTreeSet<String>,
    references: BTreeSet<String>,
}

/// Answers which computed fields are new where records may be already: (model, field).
pub(crate) async fn migrate(link: &mut Link, registry: &Registry) -> Result<Vec<(Arc<str>, String)>, Error> {
    link.ready_to_write().await?;
    if link.dialect() == Dialect::Postgres {
        // Several processes of one company may start at once. The number is this program's own, "erp1".
        link.run("SELECT pg_advisory_xact_lock(1701998641, hashtext(current_schema()))".to_owned()).await?;
    }
    let found = look(link).await?;
    for sql in wanted(registry, &found, link.dialect()) {
        tracing::debug!(sql, "schema changes");
        link.run(sql).await?;
    }
    Ok(new_computed(registry, &found))
}

fn new_computed(registry: &Registry, found: &Found) -> Vec<(Arc<str>, String)> {
    let mut new = Vec::new();
    for model in registry.models() {
        let Some(columns) = found.columns.get(&model.table) else { continue };
        for field in model.fields.iter().filter(|field| field.is_computed() && field.store) {
            let there = match &field.kind {
                Kind::Many2Many { relation, .. } => found.columns.contains_key(relation),
                _ => columns.contains(&field.name),
            };
            if !there {
                new.push((model.name.clone(), field.name.clone()));
            }
        }
    }
    new
}

async fn look(link: &mut Link) -> Result<Found, Error> {
    let (columns, indexes, references) = match link.dialect() {
        Dialect::Sqlite => (
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'",
            "SELECT name, name FROM sqlite_schema WHERE type = 'index'",
            "SELECT '', '' WHERE 0",
        ),
        Dialect::Postgres => (
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema()",
            "SELECT indexname::text, indexname::text FROM pg_indexes WHERE schemaname = current_schema()",
            "SELECT conname::text, conname::text FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace",
        ),
    };
    let mut found = Found::default();
    for (table, column) in pairs(link, columns).await? {
        found.columns.entry(table).or_default().insert(column);
    }
    found.indexes = pairs(link, indexes).await?.into_iter().map(|(name, _)| name).collect();
    found.references = pairs(link, references).await?.into_iter().map(|(name, _)| name).collect();
    Ok(found)
}

pub(super) async fn pairs(link: &mut Link, sql: &str) -> Result<Vec<(String, String)>, Error> {
    let statement = Statement { sql: sql.to_owned(), values: sea_query::Values(Vec::new()) };
    let rows = link.query(statement, &[Reading::Text, Reading::Text]).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match <[Value; 2]>::try_from(row) {
            Ok([Value::Text(a), Value::Text(b)]) => Some((a, b)),
            _ => None,
        })
        .collect())
}

/// Statements in the order in which they must run. Names were checked by `resolve`; quotes are belt and braces.
fn wanted(registry: &Registry, found: &Found, dialect: Dialect) -> Vec<String> {
    let mut tables = Vec::new();
    let mut rest = Vec::new();
    for model in registry.models().filter(|model| !model.is_abstract) {
        match found.columns.get(&model.table) {
            None => tables.push(create_table(registry, model, dialect)),
            Some(columns) => {
                let missing = model.stored().filter(|field| !columns.contains(&field.name));
                rest.extend(missing.map(|field| add_column(registry, model, field, dialect)));
            }
        }
        rest.extend(indexes(model).filter(|(name, _)| !found.indexes.contains(name)).map(|(_, sql)| sql));
        if dialect == Dialect::Postgres {
            let missing = model.stored().filter_map(|field| {
                let name = constraint_name(&model.table, std::slice::from_ref(&field.name), "fk");
                let reference = references(registry, field)?;
                let sql = format!(
                    "ALTER TABLE \"{}\" ADD CONSTRAINT \"{name}\" FOREIGN KEY (\"{}\") {reference}",
                    model.table, field.name
                );
                (!found.references.contains(&name)).then_some(sql)
            });
            rest.extend(missing);
        }
    }
    for (table, link) in &registry.links {
        links(registry, found, table, link, &mut rest);
    }
    tables.extend(rest);
    tables
}

/// A link is there once, and found from either side.
fn links(registry: &Registry, found: &Found, table: &str, link: &LinkTable, sql: &mut Vec<String>) {
    let [(a, of_a), (b, of_b)] = &link.sides;
    if !found.columns.contains_key(table) {
        let side = |column: &str, model: &str| {
            let other = registry.model(model).map_or(model, |model| &model.table);
            format!("\"{column}\" bigint NOT NULL REFERENCES \"{other}\" (\"id\") ON DELETE CASCADE")
        };
        sql.push(format!(
            "CREATE TABLE \"{table}\" ({}, {}, PRIMARY KEY (\"{a}\", \"{b}\"))",
            side(a, of_a),
            side(b, of_b)
        ));
    }
    let columns = [b.clone(), a.clone()];
    let name = constraint_name(table, &columns, "idx");
    if !found.indexes.contains(&name) {
        sql.push(index_sql(table, &name, &columns, "INDEX"));
    }
}

fn create_table(registry: &Registry, model: &ModelDef, dialect: Dialect) -> String {
    let columns: Vec<String> =
        model.stored().map(|field| column(registry, field, &field.name, dialect, true)).collect();
    let strict = if dialect == Dialect::Sqlite { " STRICT" } else { "" };
    format!("CREATE TABLE \"{}\" ({}){strict}", model.table, columns.join(", "))
}

fn add_column(registry: &Registry, model: &ModelDef, field: &FieldDef, dialect: Dialect) -> String {
    format!("ALTER TABLE \"{}\" ADD COLUMN {}", model.table, column(registry, field, &field.name, dialect, false))
}

/// `name`: what it is called, mostly as the field.
pub(super) fn column(registry: &Registry, field: &FieldDef, name: &str, dialect: Dialect, new_table: bool) -> String {
    if field.kind == Kind::Id {
        return match dialect {
            // AUTOINCREMENT: the id of a deleted record is never given to another.
            Dialect::Sqlite => "\"id\" INTEGER PRIMARY KEY AUTOINCREMENT".to_owned(),
            Dialect::Postgres => "\"id\" bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY".to_owned(),
        };
    }
    let mut sql = format!("\"{name}\" {}", dialect.column_type(field));
    match (&field.kind, dialect) {
        (Kind::Boolean, Dialect::Sqlite) => sql += " NOT NULL DEFAULT 0",
        (Kind::Boolean, Dialect::Postgres) => sql += " NOT NULL DEFAULT false",
        // Rows that are there already have nothing for it; new ones are checked before they are written.
        _ if field.required && new_table && !field.is_computed() => sql += " NOT NULL",
        _ => {}
    }
    if dialect == Dialect::Sqlite
        && let Some(reference) = references(registry, field)
    {
        sql = format!("{sql} {reference}");
    }
    sql
}

/// The engine acts on references itself, so that every change is told; this is for whatever goes past the engine.
fn references(registry: &Registry, field: &FieldDef) -> Option<String> {
    let Kind::Many2One { comodel, ondelete } = &field.kind else { return None };
    let table = &registry.model(comodel).ok()?.table;
    let action = match ondelete {
        OnDelete::SetNull => "SET NULL",
        OnDelete::Restrict => "NO ACTION",
        OnDelete::Cascade => "CASCADE",
    };
    Some(format!("REFERENCES \"{table}\" (\"id\") ON DELETE {action}"))
}

fn indexes(model: &ModelDef) -> impl Iterator<Item = (String, String)> {
    let unique = model.unique.iter().map(|unique| {
        (unique.constraint.clone(), index_sql(&model.table, &unique.constraint, &unique.fields, "UNIQUE INDEX"))
    });
    let plain = model
        .fields
        .iter()
        .filter(|field| field.is_column() && model.is_indexed(field))
        // A unique index that begins with the field serves as well.
        .filter(|field| !model.unique.iter().any(|unique| unique.fields.first() == Some(&field.name)))
        .map(|field| {
            let fields = std::slice::from_ref(&field.name);
            let name = constraint_name(&model.table, fields, "idx");
            let sql = index_sql(&model.table, &name, fields, "INDEX");
            (name, sql)
        });
    unique.chain(plain)
}

fn index_sql(table: &str, name: &str, fields: &[String], what: &str) -> String {
    let columns: Vec<String> = fields.iter().map(|field| format!("\"{field}\"")).collect();
    format!("CREATE {what} \"{name}\" ON \"{table}\" ({})", columns.join(", "))
}
