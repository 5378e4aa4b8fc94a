//! Rows of either database back to values.

use std::error::Error as StdError;

use jiff::{
    Timestamp,
    civil::{Date, date},
};
use rust_decimal::Decimal;
use sqlx::{
    Decode, Postgres, Row, Type, ValueRef,
    postgres::{PgRow, PgTypeInfo, PgValueRef, types::Oid},
    sqlite::SqliteRow,
};

use crate::{
    error::Error,
    plan::Reading,
    value::{Id, Value},
};

type Sqlx<T> = Result<T, sqlx::Error>;

pub(super) fn sqlite(rows: Vec<SqliteRow>, readings: &[Reading]) -> Result<Vec<Vec<Value>>, Error> {
    rows.iter()
        .map(|row| readings.iter().enumerate().map(|(at, reading)| sqlite_value(row, at, *reading)).collect())
        .collect::<Sqlx<_>>()
        .map_err(Error::from_sqlx)
}

fn sqlite_value(row: &SqliteRow, at: usize, reading: Reading) -> Sqlx<Value> {
    if row.try_get_raw(at)?.is_null() {
        return Ok(Value::Null);
    }
    let int = || row.try_get_unchecked::<i64, _>(at);
    let text = || row.try_get_unchecked::<&str, _>(at);
    Ok(match reading {
        Reading::Id => Value::Id(Id(int()?)),
        Reading::Int => Value::Int(int()?),
        Reading::Bool => Value::Bool(int()? != 0),
        Reading::Float => Value::Float(row.try_get_unchecked(at)?),
        Reading::Decimal { scale } => Value::Decimal(Decimal::new(int()?, scale)),
        Reading::Text => Value::Text(text()?.to_owned()),
        Reading::Date => Value::Date(text()?.parse().map_err(broken)?),
        Reading::DateTime => Value::DateTime(text()?.parse().map_err(broken)?),
        Reading::Json => Value::Json(serde_json::from_str(text()?).map_err(broken)?),
        Reading::Bytes => Value::Bytes(row.try_get_unchecked(at)?),
    })
}

pub(super) fn postgres(rows: Vec<PgRow>, readings: &[Reading]) -> Result<Vec<Vec<Value>>, Error> {
    rows.iter()
        .map(|row| readings.iter().enumerate().map(|(at, reading)| postgres_value(row, at, *reading)).collect())
        .collect::<Sqlx<_>>()
        .map_err(Error::from_sqlx)
}

fn postgres_value(row: &PgRow, at: usize, reading: Reading) -> Sqlx<Value> {
    if row.try_get_raw(at)?.is_null() {
        return Ok(Value::Null);
    }
    Ok(match reading {
        Reading::Id => Value::Id(Id(row.try_get_unchecked(at)?)),
        Reading::Int => Value::Int(row.try_get_unchecked(at)?),
        Reading::Bool => Value::Bool(row.try_get_unchecked(at)?),
        Reading::Float => Value::Float(row.try_get_unchecked(at)?),
        Reading::Decimal { scale } => {
            let mut decimal: Decimal = row.try_get_unchecked(at)?;
            decimal.rescale(scale);
            Value::Decimal(decimal)
        }
        Reading::Text => Value::Text(row.try_get_unchecked(at)?),
        Reading::Date => Value::Date(row.try_get_unchecked::<PgDate, _>(at)?.0),
        Reading::DateTime => Value::DateTime(row.try_get_unchecked::<PgTime, _>(at)?.0),
        Reading::Json => Value::Json(row.try_get_unchecked::<PgJson, _>(at)?.0),
        Reading::Bytes => Value::Bytes(row.try_get_unchecked(at)?),
    })
}

fn broken(error: impl StdError + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// sqlx knows no `jiff`, and its JSON type refuses what `json` may hold; these read PostgreSQL's binary forms.
struct PgDate(Date);
struct PgTime(Timestamp);
struct PgJson(serde_json::Value);

macro_rules! pg_type {
    ($($name:ident, $oid:literal;)*) => { $(
        impl Type<Postgres> for $name {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_oid(Oid($oid))
            }
        }
    )* };
}

pg_type! { PgDate, 1082; PgTime, 1184; PgJson, 114; }

impl<'r> Decode<'r, Postgres> for PgDate {
    fn decode(value: PgValueRef<'r>) -> Result<PgDate, Box<dyn StdError + Send + Sync>> {
        // Days since 2000-01-01.
        let days = <i32 as Decode<Postgres>>::decode(value)?;
        Ok(PgDate(date(2000, 1, 1).checked_add(jiff::Span::new().days(days))?))
    }
}

impl<'r> Decode<'r, Postgres> for PgTime {
    fn decode(value: PgValueRef<'r>) -> Result<PgTime, Box<dyn StdError + Send + Sync>> {
        // Microseconds since 2000-01-01T00:00:00Z, which is 946,684,800 s after 1970.
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        let since_1970 = micros.checked_add(946_684_800_000_000).ok_or("the time is infinite")?;
        Ok(PgTime(Timestamp::from_microsecond(since_1970)?))
    }
}

impl<'r> Decode<'r, Postgres> for PgJson {
    fn decode(value: PgValueRef<'r>) -> Result<PgJson, Box<dyn StdError + Send + Sync>> {
        Ok(PgJson(serde_json::from_slice(value.as_bytes()?)?))
    }
}
