//! What a database's refusal means to the reader.

use sqlx::error::ErrorKind;

use crate::{
    error::Error,
    resolve::{ModelDef, Registry},
    translate::Words,
};

impl Error {
    pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
        let busy = match &error {
            sqlx::Error::PoolTimedOut => true,
            sqlx::Error::Database(database) => {
                // SQLite's BUSY and LOCKED with their extended codes; PostgreSQL's serialization, deadlock, lock timeout.
                let code = database.code().unwrap_or_default();
                match code.parse::<i32>() {
                    Ok(code) if database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() => {
                        matches!(code & 0xff, 5 | 6)
                    }
                    _ => matches!(code.as_ref(), "40001" | "40P01" | "55P03"),
                }
            }
            _ => false,
        };
        if busy { Error::Busy(error) } else { Error::Database(error) }
    }

    /// Whether the database lacks a table or column that the statement names: as after another transaction dropped it.
    pub(super) fn is_about_schema(&self) -> bool {
        let Error::Database(sqlx::Error::Database(database)) = self else { return false };
        let said = database.message();
        match database.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
            Some(_) => {
                ["no such column", "no such table", "has no column named"].iter().any(|text| said.contains(text))
            }
            None => matches!(database.code().as_deref(), Some("42703" | "42P01")) || self.is_stale_plan(),
        }
    }

    /// PostgreSQL: a prepared statement's answer would be of other types than when it was prepared.
    pub(super) fn is_stale_plan(&self) -> bool {
        let Error::Database(sqlx::Error::Database(database)) = self else { return false };
        database.code().as_deref() == Some("0A000") && database.message().contains("cached plan")
    }

    /// The same, when it was about writing to `model`.
    pub(super) fn about(self, registry: &Registry, words: &Words, model: &ModelDef) -> Error {
        let Error::Database(sqlx::Error::Database(database)) = &self else { return self };
        match database.kind() {
            ErrorKind::UniqueViolation => unique((registry, words), model, database.as_ref()).unwrap_or(self),
            ErrorKind::ForeignKeyViolation => Error::Validation {
                model: model.name.to_string(),
                field: database
                    .constraint()
                    .and_then(|name| name.strip_suffix("__fk")?.rsplit_once("__"))
                    .map_or_else(|| "(a reference)".to_owned(), |(_, field)| field.to_owned()),
                problem:
                    "it refers to a record that does not exist, or another record refers to this one; reload the page"
                        .to_owned(),
            },
            _ => self,
        }
    }
}

fn unique(
    (registry, words): (&Registry, &Words),
    model: &ModelDef,
    database: &dyn sqlx::error::DatabaseError,
) -> Option<Error> {
    let (model, constraint) = match database.constraint() {
        Some(name) => std::iter::once(model)
            .chain(registry.models())
            .find_map(|model| Some((model, model.unique.iter().find(|unique| unique.constraint == name)?)))?,
        None => {
            // SQLite: "UNIQUE constraint failed: iot_device.box, iot_device.identifier"
            let (_, columns) = database.message().rsplit_once(": ")?;
            let columns: Vec<(&str, &str)> = columns.split(", ").filter_map(|column| column.split_once('.')).collect();
            let table = columns.first()?.0;
            let model = registry.models().find(|model| model.table == table)?;
            let names: Vec<&str> = columns.iter().map(|(_, column)| *column).collect();
            (model, model.unique.iter().find(|unique| unique.fields == names)?)
        }
    };
    let labels: Vec<&str> = constraint
        .fields
        .iter()
        .map(|name| model.find(name).map_or(name.as_str(), |field| words.label(registry, model, field)))
        .collect();
    let problem = match constraint.message.is_empty() {
        false => constraint.message.clone(),
        true => format!(
            "{} must be unique, and another {} has it already; choose another",
            labels.join(" and "),
            words.model(model)
        ),
    };
    Some(Error::UniqueViolation { model: model.name.to_string(), fields: constraint.fields.clone(), problem })
}
