//! How each database keeps each kind of value. The only place that knows both.
//!
//! | kind | SQLite (STRICT tables) | PostgreSQL |
//! |---|---|---|
//! | text, selection | TEXT | text |
//! | integer, many2one | INTEGER | bigint |
//! | float | REAL | double precision |
//! | decimal | INTEGER, scaled: 12.50 at scale 2 is 1250 | numeric(digits, scale) |
//! | boolean | INTEGER 0, 1 | boolean |
//! | date | TEXT `2026-11-21` | date |
//! | date and time | TEXT `2026-11-21T08:30:00.000000Z`, UTC | timestamptz |
//! | JSON | TEXT | json: keeps `\u0000`, which a device may well send |
//! | binary in the row | BLOB | bytea |
//! | other binary, image | TEXT: the file's name | text |

use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use sea_query::{Expr, ExprTrait, Value as Sql};

use crate::{
    resolve::{FieldDef, Kind, MONEY_SCALE},
    value::Value,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// How a column of an answer is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Id,
    Text,
    Int,
    Float,
    Decimal { scale: u32 },
    Bool,
    Date,
    DateTime,
    Json,
    Bytes,
}

impl Reading {
    pub(crate) fn of(kind: &Kind) -> Reading {
        match kind {
            Kind::Id | Kind::Many2One { .. } | Kind::One2Many { .. } | Kind::Many2Many { .. } => Reading::Id,
            Kind::Char { .. } | Kind::Text | Kind::Html | Kind::Reference { .. } | Kind::Selection { .. } => {
                Reading::Text
            }
            Kind::Integer => Reading::Int,
            Kind::Float => Reading::Float,
            Kind::Decimal { scale, .. } => Reading::Decimal { scale: *scale },
            Kind::Monetary { .. } => Reading::Decimal { scale: MONEY_SCALE },
            Kind::Boolean => Reading::Bool,
            Kind::Date => Reading::Date,
            Kind::DateTime => Reading::DateTime,
            Kind::Json => Reading::Json,
            Kind::Binary { in_row: true } => Reading::Bytes,
            // The name of the file.
            Kind::Binary { .. } | Kind::Image { .. } => Reading::Text,
        }
    }
}

impl Dialect {
    /// A value that `resolve::coerce` has made fit for the field, as a parameter.
    pub(crate) fn bind(self, kind: &Kind, value: Value) -> Expr {
        self.typed(kind, Expr::val(self.parameter(kind, value)))
    }

    /// What a parameter, or a column made of parameters, must be cast to before it is the field's.
    pub(crate) fn typed(self, kind: &Kind, expr: Expr) -> Expr {
        match (self, kind) {
            (Dialect::Sqlite, _) => expr,
            (_, Kind::Date) => expr.cast_as("date"),
            (_, Kind::DateTime) => expr.cast_as("timestamptz"),
            (_, Kind::Json) => expr.cast_as("json"),
            _ => expr,
        }
    }

    /// The bare parameter. Empty ones keep the column's type: PostgreSQL takes no untyped parameter, and one statement
    /// should serve both.
    pub(crate) fn parameter(self, kind: &Kind, value: Value) -> Sql {
        let sqlite = self == Dialect::Sqlite;
        match kind {
            Kind::Id | Kind::Integer | Kind::Many2One { .. } | Kind::One2Many { .. } | Kind::Many2Many { .. } => {
                match value {
                    Value::Int(int) => Sql::BigInt(Some(int)),
                    Value::Id(id) => Sql::BigInt(Some(id.0)),
                    _ => Sql::BigInt(None),
                }
            }
            Kind::Char { .. } | Kind::Text | Kind::Html | Kind::Reference { .. } | Kind::Selection { .. } => {
                Sql::String(match value {
                    Value::Text(text) => Some(text),
                    _ => None,
                })
            }
            Kind::Float => Sql::Double(match value {
                Value::Float(float) => Some(float),
                _ => None,
            }),
            Kind::Decimal { .. } | Kind::Monetary { .. } => match value {
                Value::Decimal(decimal) if sqlite => {
                    let (_, scale) = kind.digits().unwrap_or_default();
                    Sql::BigInt(Some(scaled(decimal, scale)))
                }
                Value::Decimal(decimal) => Sql::Decimal(Some(decimal)),
                _ if sqlite => Sql::BigInt(None),
                _ => Sql::Decimal(None),
            },
            Kind::Boolean => Sql::Bool(match value {
                Value::Bool(bool) => Some(bool),
                _ => None,
            }),
            Kind::Date => Sql::String(match value {
                Value::Date(date) => Some(date.to_string()),
                _ => None,
            }),
            Kind::DateTime => Sql::String(match value {
                Value::DateTime(time) => Some(time_text(time)),
                _ => None,
            }),
            Kind::Json => Sql::String(match value {
                Value::Json(json) => Some(json.to_string()),
                _ => None,
            }),
            Kind::Binary { in_row: false } | Kind::Image { .. } => Sql::String(match value {
                Value::Text(name) => Some(name),
                _ => None,
            }),
            Kind::Binary { .. } => Sql::Bytes(match value {
                Value::Bytes(bytes) => Some(bytes),
                _ => None,
            }),
        }
    }

    pub(crate) fn column_type(self, field: &FieldDef) -> String {
        let (sqlite, postgres) = match &field.kind {
            Kind::Id | Kind::Integer | Kind::Many2One { .. } | Kind::One2Many { .. } | Kind::Many2Many { .. } => {
                ("INTEGER", "bigint")
            }
            Kind::Char { .. } | Kind::Text | Kind::Html | Kind::Reference { .. } | Kind::Selection { .. } => {
                ("TEXT", "text")
            }
            Kind::Float => ("REAL", "double precision"),
            kind @ (Kind::Decimal { .. } | Kind::Monetary { .. }) => match self {
                Dialect::Sqlite => ("INTEGER", ""),
                Dialect::Postgres => {
                    let (digits, scale) = kind.digits().unwrap_or_default();
                    return format!("numeric({digits}, {scale})");
                }
            },
            Kind::Boolean => ("INTEGER", "boolean"),
            Kind::Date => ("TEXT", "date"),
            Kind::DateTime => ("TEXT", "timestamptz"),
            Kind::Json => ("TEXT", "json"),
            Kind::Binary { in_row: false } | Kind::Image { .. } => ("TEXT", "text"),
            Kind::Binary { .. } => ("BLOB", "bytea"),
        };
        if self == Dialect::Sqlite { sqlite.to_owned() } else { postgres.to_owned() }
    }

    /// Parameters in one statement.
    pub(crate) fn max_parameters(self) -> usize {
        match self {
            Dialect::Sqlite => 32_766,
            Dialect::Postgres => 65_535,
        }
    }
}

/// 12.5 at scale 2 -> 1250. What does not fit becomes the nearest that does; stored values always fit (18 digits).
fn scaled(decimal: Decimal, scale: u32) -> i64 {
    let limit = if decimal.is_sign_negative() { i64::MIN } else { i64::MAX };
    decimal.checked_mul(Decimal::from(10u64.pow(scale))).and_then(|scaled| scaled.to_i64()).unwrap_or(limit)
}

/// Always 27 characters, so that the text sorts as the time does.
pub(crate) fn time_text(time: Timestamp) -> String {
    let t = time.to_zoned(TimeZone::UTC).datetime();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.subsec_nanosecond() / 1_000
    )
}
