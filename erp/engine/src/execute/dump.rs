//! The whole database as rows of plain JSON, and back: the same on both databases, so that what was saved from one can be
//! loaded into the other.
//!
//! A dump sees the database as it was at one moment, however long it takes and whoever writes meanwhile. Nothing of
//! rights is asked: whoever may have a dump has everything.

use std::{collections::BTreeMap, sync::Arc};

use data_encoding::BASE64;
use sea_query::{Alias, Expr, PostgresQueryBuilder, Query, SqliteQueryBuilder};
use serde_json::Value as Json;

use super::{Engine, Link};
use crate::{
    error::Error,
    plan::{Dialect, Reading, Statement},
    resolve::{Kind, Registry},
    value::Value,
};

/// Rows in one piece.
const PIECE: i64 = 2_000;

/// A table of the database: a model's or a link between two.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// Numbers its rows by `id`; a link table has none.
    pub numbered: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub(crate) kind: Kind,
}

/// Every table that the registry knows, in the order of their names.
pub(crate) fn tables(registry: &Registry) -> Vec<Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for model in registry.models().filter(|model| !model.is_abstract) {
        let columns = model
            .stored()
            .map(|field| Column { name: field.name.clone(), kind: field.column_kind().into_owned() })
            .collect();
        tables.insert(model.table.clone(), Table { name: model.table.clone(), columns, numbered: true });
    }
    for (name, link) in &registry.links {
        let columns = link.sides.iter().map(|(column, _)| Column { name: column.clone(), kind: Kind::Id }).collect();
        tables.insert(name.clone(), Table { name: name.clone(), columns, numbered: false });
    }
    tables.into_values().collect()
}

/// A picture of the database being read.
pub struct Dump {
    link: Link,
    registry: Arc<Registry>,
}

impl Engine {
    pub async fn dump(&self) -> Result<Dump, Error> {
        let mut link = Link::new(self.0.db.clone());
        link.snapshot().await?;
        Ok(Dump { link, registry: self.registry() })
    }
}

impl Dump {
    pub fn tables(&self) -> Vec<Table> {
        tables(&self.registry)
    }

    /// The next rows after those of `after`, which begins empty; none when the table is at its end.
    pub async fn rows(&mut self, table: &Table, after: &mut Vec<i64>) -> Result<Vec<Vec<Json>>, Error> {
        let keys: Vec<&Column> = match table.numbered {
            true => table.columns.iter().filter(|column| column.name == "id").collect(),
            false => table.columns.iter().collect(),
        };
        let mut select = Query::select();
        select.from(Alias::new(&table.name)).limit(PIECE as u64);
        for column in &table.columns {
            select.column(Alias::new(&column.name));
        }
        let tuple = || Expr::tuple(keys.iter().map(|key| Expr::col(Alias::new(&key.name))));
        if !after.is_empty() {
            select.and_where(sea_query::ExprTrait::gt(tuple(), Expr::tuple(after.iter().map(|key| Expr::val(*key)))));
        }
        for key in &keys {
            select.order_by(Alias::new(&key.name), sea_query::Order::Asc);
        }
        let (sql, values) = match self.link.dialect() {
            Dialect::Sqlite => select.build(SqliteQueryBuilder),
            Dialect::Postgres => select.build(PostgresQueryBuilder),
        };
        let readings: Vec<Reading> = table.columns.iter().map(|column| Reading::of(&column.kind)).collect();
        let rows = self.link.query(Statement { sql, values }, &readings).await?;
        if let Some(last) = rows.last() {
            *after = keys
                .iter()
                .filter_map(|key| table.columns.iter().position(|column| column.name == key.name))
                .filter_map(|at| match last[at] {
                    Value::Id(id) => Some(id.0),
                    _ => None,
                })
                .collect();
        }
        Ok(rows.into_iter().map(|row| row.into_iter().map(to_json).collect()).collect())
    }

    /// The highest id that the table ever gave: it is not given again.
    pub async fn highest(&mut self, table: &Table) -> Result<i64, Error> {
        if !table.numbered {
            return Ok(0);
        }
        let sql = match self.link.dialect() {
            Dialect::Sqlite => {
                format!("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{}'), 0)", table.name)
            }
            // A sequence that has given nothing yet has no last value.
            Dialect::Postgres => format!(
                "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('\"{}\"', 'id')), 0)",
                table.name
            ),
        };
        let statement = Statement { sql, values: sea_query::Values(Vec::new()) };
        let rows = self.link.query(statement, &[Reading::Int]).await?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(highest)) => *highest,
            _ => 0,
        })
    }
}

fn to_json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(v) => v.into(),
        Value::Int(v) => v.into(),
        Value::Id(v) => v.0.into(),
        Value::Float(v) => v.into(),
        Value::Decimal(v) => v.to_string().into(),
        Value::Text(v) => v.into(),
        Value::Date(v) => v.to_string().into(),
        Value::DateTime(v) => v.to_string().into(),
        // In a list of its own: JSON's own null is not an empty field.
        Value::Json(v) => Json::Array(vec![v]),
        Value::Bytes(v) => BASE64.encode(&v).into(),
        // Lists are no columns.
        _ => Json::Null,
    }
}
