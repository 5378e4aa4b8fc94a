//! A database filled from a dump: the engine's own tables first, then those that their rows declare.

use std::{collections::BTreeMap, sync::Arc};

use data_encoding::BASE64;
use rust_decimal::Decimal;
use sea_query::{Alias, PostgresQueryBuilder, Query, SqliteQueryBuilder};
use serde_json::Value as Json;

use super::{
    super::{
        Db, Engine, Env, Link,
        dump::{Table, tables},
        schema,
    },
    gather::registry_of,
    open::stored,
};
use crate::{
    declare::App,
    error::Error,
    plan::{Actor, Dialect, Reading, Statement},
    resolve::{Kind, resolve},
    value::{Id, Value},
};

/// A new database being filled: nothing of it is there until [`Load::finish`].
pub struct Load {
    env: Env,
    /// By their names: the tables of the schema that has been made.
    tables: BTreeMap<String, Table>,
}

impl Load {
    /// The engine's own tables, in a database that has nothing yet. They say what else there is.
    pub async fn begin(db: Db, apps: &[App]) -> Result<Load, Error> {
        let engine = Engine::new(db.clone(), apps.to_vec(), Vec::new(), resolve(&[])?);
        let mut link = Link::new(db);
        link.ready_to_write().await?;
        if stored(&mut link).await?.is_some() {
            return Err(Error::User("there is a database already; restore into an empty one".to_owned()));
        }
        if link.dialect() == Dialect::Sqlite {
            // Rows refer to rows that come later; both databases look at that when the transaction ends.
            link.run("PRAGMA defer_foreign_keys = ON".to_owned()).await?;
        }
        let mut load = Load { env: Env::on(&engine, link, Actor::superuser("restore")), tables: BTreeMap::new() };
        load.grow().await?;
        Ok(load)
    }

    /// The tables of everything that the rows loaded so far declare: apps, and what people made at run time. They are
    /// empty after it, and all rows are loaded then: PostgreSQL adds no reference to a table whose rows wait for others.
    pub async fn resolve(&mut self) -> Result<(), Error> {
        let gathered = self.env.declared_rows().await?;
        for table in self.tables.keys().cloned().collect::<Vec<_>>() {
            self.env.link.run(format!("DELETE FROM \"{table}\"")).await?;
        }
        if self.env.link.dialect() == Dialect::Postgres {
            self.env.link.run("SET CONSTRAINTS ALL IMMEDIATE".to_owned()).await?;
        }
        let available = self.env.engine.available().to_vec();
        self.env.registry = Arc::new(registry_of(&available, gathered, 0)?);
        self.grow().await
    }

    async fn grow(&mut self) -> Result<(), Error> {
        schema::migrate(&mut self.env.link, &self.env.registry).await?;
        if self.env.link.dialect() == Dialect::Postgres {
            self.env.link.run(DEFER.to_owned()).await?;
        }
        self.tables = tables(&self.env.registry).into_iter().map(|table| (table.name.clone(), table)).collect();
        Ok(())
    }

    /// Whether the table is there to be loaded.
    pub fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Rows as [`Dump::rows`] gave them. Columns that this program does not know are an error: its apps are older, or
    /// fewer, than those of the dump.
    pub async fn rows(&mut self, table: &str, columns: &[String], rows: Vec<Vec<Json>>) -> Result<(), Error> {
        let Some(known) = self.tables.get(table) else {
            return Err(Error::User(format!(
                "the backup has a table {table} that this program does not know: use the version that made the backup"
            )));
        };
        let kinds: Vec<&Kind> = columns
            .iter()
            .map(|name| {
                let column = known.columns.iter().find(|column| column.name == *name);
                column.map(|column| &column.kind).ok_or_else(|| {
                    Error::User(format!(
                        "the backup has a column {name} of {table} that this program does not know: use the version \
                         that made the backup"
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        let dialect = self.env.link.dialect();
        let fitting = (dialect.max_parameters() / columns.len().max(1)).max(1);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut insert = Query::insert();
            insert.into_table(Alias::new(table)).columns(columns.iter().map(Alias::new));
            for row in rows.by_ref().take(fitting) {
                if row.len() != kinds.len() {
                    return Err(damaged(table, "a row with another number of values than columns"));
                }
                let values = kinds
                    .iter()
                    .zip(row)
                    .map(|(kind, json)| from_json(kind, json).map(|value| dialect.bind(kind, value)).ok_or(*kind));
                let values = values
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|kind| damaged(table, &format!("a value that is no {kind:?}")))?;
                insert.values(values).map_err(|error| damaged(table, &error.to_string()))?;
            }
            let (sql, values) = match dialect {
                Dialect::Sqlite => insert.build(SqliteQueryBuilder),
                Dialect::Postgres => insert.build(PostgresQueryBuilder),
            };
            self.env.link.execute(Statement { sql, values }).await?;
        }
        Ok(())
    }

    /// Ids up to `highest` are not given again, whether or not their records still exist.
    pub async fn numbered_to(&mut self, table: &str, highest: i64) -> Result<(), Error> {
        let Some(known) = self.tables.get(table).filter(|known| known.numbered && highest > 0) else { return Ok(()) };
        let name = &known.name;
        let sql = match self.env.link.dialect() {
            Dialect::Sqlite => format!(
                "DELETE FROM sqlite_sequence WHERE name = '{name}'; \
                 INSERT INTO sqlite_sequence (name, seq) VALUES ('{name}', {highest})"
            ),
            Dialect::Postgres => format!("SELECT setval(pg_get_serial_sequence('\"{name}\"', 'id'), {highest})"),
        };
        self.env.link.run(sql).await
    }

    /// Nobody is told: there is nobody yet.
    pub async fn finish(self) -> Result<(), Error> {
        self.env.commit().await
    }
}

/// References are checked when the transaction ends.
const DEFER: &str = "DO $$ DECLARE r record; BEGIN \
    FOR r IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint \
        WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND NOT condeferrable LOOP \
        EXECUTE format('ALTER TABLE %s ALTER CONSTRAINT %I DEFERRABLE INITIALLY IMMEDIATE', r.tab, r.conname); \
    END LOOP; END $$; SET CONSTRAINTS ALL DEFERRED";

fn damaged(table: &str, what: &str) -> Error {
    Error::User(format!("the backup is damaged: table {table} has {what}; use another one"))
}

fn from_json(kind: &Kind, json: Json) -> Option<Value> {
    Some(match (Reading::of(kind), json) {
        (_, Json::Null) => Value::Null,
        (Reading::Bool, Json::Bool(v)) => Value::Bool(v),
        (Reading::Int, Json::Number(v)) => Value::Int(v.as_i64()?),
        (Reading::Id, Json::Number(v)) => Value::Id(Id(v.as_i64()?)),
        (Reading::Float, Json::Number(v)) => Value::Float(v.as_f64()?),
        (Reading::Decimal { .. }, Json::String(v)) => Value::Decimal(v.parse::<Decimal>().ok()?),
        (Reading::Text, Json::String(v)) => Value::Text(v),
        (Reading::Date, Json::String(v)) => Value::Date(v.parse().ok()?),
        (Reading::DateTime, Json::String(v)) => Value::DateTime(v.parse().ok()?),
        (Reading::Json, Json::Array(mut v)) if v.len() == 1 => Value::Json(v.pop()?),
        (Reading::Bytes, Json::String(v)) => Value::Bytes(BASE64.decode(v.as_bytes()).ok()?),
        _ => return None,
    })
}
