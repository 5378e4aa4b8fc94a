//! What people change in their fields after these have values: another type where no value is lost by it, a value that
//! must be there or need not be any more, what stands beside the rows of a field that has another name or goes.

use super::super::{Link, schema};
use crate::{
    error::Error,
    kernel::{ATTACHMENTS, COMPANY_VALUES, TRANSLATIONS},
    plan::{Dialect, Reading, Statement},
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::Value,
};

/// How a column's values become those of another type.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    /// The new value, in SQL; nothing where the column stays as it is.
    using: Option<String>,
    /// In SQL, of values that would be lost; and what people are told of them.
    misfit: Option<(String, String)>,
}

/// Columns of people's fields whose type is another now. Comes after renaming and before the rest of the schema.
pub(super) async fn convert(link: &mut Link, before: &Registry, after: &Registry) -> Result<(), Error> {
    for (id, (name, field)) in &after.custom_fields {
        let Some((_, old)) = before.custom_fields.get(id) else { continue };
        let (Some(old_model), Some(model)) = (before.models.get(name.as_str()), after.models.get(name.as_str())) else {
            continue;
        };
        let (Some(old), Some(new)) = (old_model.find(old), model.find(field)) else { continue };
        if new.is_computed() || old.is_computed() && !old.is_column() && !old.kind.is_list() {
            follow_computed(link, old_model, model, old, new).await?;
            continue;
        }
        let refused = |problem: String| Error::Validation { model: name.clone(), field: field.clone(), problem };
        let never = || {
            refused(
                "its type, and the model that it refers to, cannot become that without loss; make a new field"
                    .to_owned(),
            )
        };
        if old.kind.is_list() || new.kind.is_list() {
            if same_list(&old.kind, &new.kind) {
                continue;
            }
            return Err(never());
        }
        let column = format!("\"{field}\"");
        let change = change(link.dialect(), &old.kind, &new.kind, &column).ok_or_else(never)?;
        if let Some((condition, told)) = &change.misfit {
            let count = count(link, &model.table, condition).await?;
            if count > 0 {
                return Err(refused(format!("the type cannot change: {count} record(s) {told}; change those first")));
            }
        }
        if old.kind != new.kind && old.company_dependent {
            let own = format!("\"model\" = '{name}' AND \"field\" = '{field}'");
            let count = count(link, &COMPANY_VALUES.replace('.', "_"), &own).await?;
            if count > 0 {
                return Err(refused(format!(
                    "the type cannot change: {count} value(s) of single companies would be lost; make a new field"
                )));
            }
        }
        if let Some(using) = change.using {
            replace(link, after, model, new, &using).await?;
        }
    }
    Ok(())
}

/// A computed field's column holds nothing that could not be computed anew.
async fn follow_computed(
    link: &mut Link,
    old_model: &ModelDef,
    model: &ModelDef,
    old: &FieldDef,
    new: &FieldDef,
) -> Result<(), Error> {
    let stays = link.dialect().column_type(old) == link.dialect().column_type(new)
        && (old.kind == Kind::Boolean) == (new.kind == Kind::Boolean);
    if !old.is_column() || new.is_column() && stays {
        return Ok(());
    }
    if super::ddl::has_column(link, &model.table, &new.name).await? {
        super::ddl::free(link, old_model, &old.name).await?;
        super::ddl::free(link, model, &new.name).await?;
        link.run(format!("ALTER TABLE \"{}\" DROP COLUMN \"{}\"", model.table, new.name)).await?;
    }
    Ok(())
}

fn same_list(old: &Kind, new: &Kind) -> bool {
    match (old, new) {
        (Kind::One2Many { comodel: old, .. }, Kind::One2Many { comodel: new, .. }) => old == new,
        (
            Kind::Many2Many { comodel: old, relation, column1, column2 },
            Kind::Many2Many { comodel: new, relation: table, column1: own, column2: other },
        ) => old == new && relation == table && column1 == own && column2 == other,
        _ => false,
    }
}

/// Nothing where the types have nothing to do with each other.
fn change(dialect: Dialect, old: &Kind, new: &Kind, c: &str) -> Option<Change> {
    let sqlite = dialect == Dialect::Sqlite;
    let using = |text: String| Change { using: Some(text), misfit: None };
    let unless =
        |change: Change, condition: String, told: &str| Change { misfit: Some((condition, told.to_owned())), ..change };
    let longer = |change: Change, text: &str, size: &Option<u32>| match size {
        Some(size) => unless(change, format!("length({text}) > {size}"), &format!("hold more than {size} characters")),
        None => change,
    };
    let stays = Change::default;
    Some(match (old, new) {
        (Kind::Char { size: Some(old) }, Kind::Char { size: Some(new) }) if old <= new => stays(),
        (Kind::Char { .. } | Kind::Text | Kind::Selection { .. }, Kind::Char { size }) => longer(stays(), c, size),
        (Kind::Char { .. } | Kind::Text | Kind::Selection { .. }, Kind::Text) => stays(),
        (Kind::Char { .. } | Kind::Text, Kind::Selection { options }) => {
            let known: Vec<String> =
                options.iter().map(|(value, _)| format!("'{}'", value.replace('\'', "''"))).collect();
            let change = using(format!("nullif({c}, '')"));
            unless(change, format!("{c} <> '' AND {c} NOT IN ({})", known.join(", ")), "hold none of the options")
        }
        (Kind::Char { .. } | Kind::Text, Kind::Integer) => {
            let (cast, odd) = if sqlite {
                (format!("CAST(nullif({c}, '') AS INTEGER)"), format!("CAST(CAST({c} AS INTEGER) AS TEXT) <> {c}"))
            } else {
                (format!("nullif({c}, '')::bigint"), format!("{c} !~ '^(0|-?[1-9][0-9]{{0,17}})$'"))
            };
            unless(using(cast), format!("{c} <> '' AND {odd}"), "hold no whole number")
        }
        (Kind::Integer, Kind::Char { size }) => {
            let text = format!("CAST({c} AS TEXT)");
            longer(using(text.clone()), &text, size)
        }
        (Kind::Integer, Kind::Text) => using(format!("CAST({c} AS TEXT)")),
        // Above 2^53 neighbours become one.
        (Kind::Integer, Kind::Float) => unless(
            using(format!("CAST({c} AS {})", if sqlite { "REAL" } else { "double precision" })),
            format!("abs({c}) > 9007199254740992"),
            "hold a number that is too large for it",
        ),
        (Kind::Boolean, Kind::Integer) => using(if sqlite { c.to_owned() } else { format!("{c}::int::bigint") }),
        (
            Kind::Integer | Kind::Decimal { .. } | Kind::Monetary { .. },
            Kind::Decimal { .. } | Kind::Monetary { .. },
        ) => {
            let ((_, from), (digits, to)) = (old.digits().unwrap_or_default(), new.digits()?);
            exact(sqlite, c, from, digits, to)
        }
        (Kind::Image { .. }, Kind::Binary { in_row: false }) => stays(),
        (Kind::Many2One { comodel: old, .. }, Kind::Many2One { comodel: new, .. }) => {
            return (old == new).then(stays);
        }
        (Kind::Binary { in_row: old }, Kind::Binary { in_row: new }) => return (old == new).then(stays),
        _ => return (std::mem::discriminant(old) == std::mem::discriminant(new)).then(stays),
    })
}

/// Between exact numbers with `from` and `to` digits after the point, `digits` in all.
fn exact(sqlite: bool, c: &str, from: u32, digits: u32, to: u32) -> Change {
    let power = |exponent: u32| 10_i64.saturating_pow(exponent);
    let whole = power(digits.saturating_sub(to));
    let (using, odd) = match (sqlite, to >= from) {
        (true, true) => (format!("{c} * {}", power(to - from)), None),
        (true, false) => (format!("{c} / {}", power(from - to)), Some(format!("{c} % {} <> 0", power(from - to)))),
        (false, true) => (format!("{c}::numeric({digits}, {to})"), None),
        (false, false) => (format!("{c}::numeric({digits}, {to})"), Some(format!("{c} <> round({c}, {to})"))),
    };
    let large = if sqlite { format!("abs({c} / {}) >= {whole}", power(from)) } else { format!("abs({c}) >= {whole}") };
    let condition = odd.map_or(large.clone(), |odd| format!("{large} OR {odd}"));
    Change {
        using: Some(using),
        misfit: Some((condition, format!("hold a number that {digits} digits, {to} after the point, cannot keep"))),
    }
}

/// The column of `field` with the values of an expression over the one that there is. SQLite changes no column in place.
async fn replace(
    link: &mut Link,
    registry: &Registry,
    model: &ModelDef,
    field: &FieldDef,
    using: &str,
) -> Result<(), Error> {
    let (table, name) = (&model.table, &field.name);
    match link.dialect() {
        Dialect::Postgres => {
            let kind = Dialect::Postgres.column_type(field);
            let drop_default = format!("ALTER TABLE \"{table}\" ALTER COLUMN \"{name}\" DROP DEFAULT");
            link.run(drop_default).await?;
            let boolean = matches!(field.kind, Kind::Boolean);
            if !boolean {
                link.run(format!("ALTER TABLE \"{table}\" ALTER COLUMN \"{name}\" DROP NOT NULL")).await?;
            }
            link.run(format!("ALTER TABLE \"{table}\" ALTER COLUMN \"{name}\" TYPE {kind} USING {using}")).await
        }
        Dialect::Sqlite => {
            let beside = format!("{name}__new");
            let column = schema::column(registry, field, &beside, Dialect::Sqlite, false);
            super::ddl::free(link, model, name).await?;
            link.run(format!("ALTER TABLE \"{table}\" ADD COLUMN {column}")).await?;
            link.run(format!("UPDATE \"{table}\" SET \"{beside}\" = {using}")).await?;
            link.run(format!("ALTER TABLE \"{table}\" DROP COLUMN \"{name}\"")).await?;
            link.run(format!("ALTER TABLE \"{table}\" RENAME COLUMN \"{beside}\" TO \"{name}\"")).await
        }
    }
}

/// Columns that had to have a value and need none any more.
pub(super) async fn loosen(link: &mut Link, registry: &Registry) -> Result<(), Error> {
    for (model, field) in differing(link, registry, true).await? {
        match link.dialect() {
            Dialect::Postgres => {
                let table = &model.table;
                link.run(format!("ALTER TABLE \"{table}\" ALTER COLUMN \"{}\" DROP NOT NULL", field.name)).await?;
            }
            Dialect::Sqlite => replace(link, registry, model, field, &format!("\"{}\"", field.name)).await?,
        }
    }
    Ok(())
}

/// Columns that must have a value now, and have one in every record: PostgreSQL watches over it besides the engine. In
/// SQLite only a new table's column can be watched so.
pub(super) async fn tighten(link: &mut Link, registry: &Registry) -> Result<(), Error> {
    for (model, field) in differing(link, registry, false).await? {
        let count = count(link, &model.table, &format!("\"{}\" IS NULL", field.name)).await?;
        if count > 0 {
            tracing::warn!(
                model = %model.name,
                field.name,
                records = count,
                "records have no value for a required field; fill them, else they cannot be saved"
            );
        } else if link.dialect() == Dialect::Postgres {
            let table = &model.table;
            link.run(format!("ALTER TABLE \"{table}\" ALTER COLUMN \"{}\" SET NOT NULL", field.name)).await?;
        }
    }
    Ok(())
}

/// Columns that refuse empty values in the database (`strict`) or do not, and should be the other way.
async fn differing<'r>(
    link: &mut Link,
    registry: &'r Registry,
    strict: bool,
) -> Result<Vec<(&'r ModelDef, &'r FieldDef)>, Error> {
    let sql = match (link.dialect(), strict) {
        (Dialect::Sqlite, true) => {
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.\"notnull\" = 1 AND c.pk = 0"
        }
        (Dialect::Sqlite, false) => {
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.\"notnull\" = 0 AND c.pk = 0"
        }
        (Dialect::Postgres, true) => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND is_nullable = 'NO'"
        }
        (Dialect::Postgres, false) => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND is_nullable = 'YES'"
        }
    };
    let found: std::collections::BTreeSet<(String, String)> = schema::pairs(link, sql).await?.into_iter().collect();
    let mut differing = Vec::new();
    for model in registry.models().filter(|model| !model.is_abstract) {
        for field in model.stored().filter(|field| field.nullable() == strict && field.kind != Kind::Id) {
            if found.contains(&(model.table.clone(), field.name.clone())) {
                differing.push((model, field));
            }
        }
    }
    Ok(differing)
}

/// What stands beside the rows follows the field's new name.
pub(super) async fn rename_beside(link: &mut Link, model: &str, old: &str, new: &str) -> Result<(), Error> {
    for (beside, of, field) in BESIDE {
        let table = beside.replace('.', "_");
        let sql = format!(
            "UPDATE \"{table}\" SET \"{field}\" = '{new}' WHERE \"{of}\" = '{model}' AND \"{field}\" = '{old}'"
        );
        link.run(sql).await?;
    }
    Ok(())
}

/// And goes with the field, or with all of a model.
pub(super) async fn drop_beside(link: &mut Link, model: &str, field: Option<&str>) -> Result<(), Error> {
    for (beside, of, name) in BESIDE {
        let table = beside.replace('.', "_");
        let which = field.map(|field| format!(" AND \"{name}\" = '{field}'")).unwrap_or_default();
        link.run(format!("DELETE FROM \"{table}\" WHERE \"{of}\" = '{model}'{which}")).await?;
    }
    if field.is_none() {
        link.run(format!("DELETE FROM \"ir_model_data\" WHERE \"model\" = '{model}'")).await?;
    }
    Ok(())
}

/// (model, its column with a model's name, its column with a field's)
const BESIDE: [(&str, &str, &str); 3] =
    [(TRANSLATIONS, "model", "field"), (COMPANY_VALUES, "model", "field"), (ATTACHMENTS, "res_model", "res_field")];

async fn count(link: &mut Link, table: &str, condition: &str) -> Result<i64, Error> {
    let sql = format!("SELECT count(*) FROM \"{table}\" WHERE {condition}");
    let rows = link.query(Statement { sql, values: sea_query::Values(Vec::new()) }, &[Reading::Int]).await?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(count)) => *count,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_others_only_where_every_value_can_follow() {
        let text = Kind::Char { size: None };
        let short = Kind::Char { size: Some(5) };
        let fine = Kind::Decimal { digits: 18, scale: 3 };
        let change = |old: &Kind, new: &Kind| change(Dialect::Sqlite, old, new, "c");
        assert_eq!(change(&text, &Kind::Text), Some(Change::default()));
        assert_eq!(change(&text, &short).unwrap().misfit.unwrap().0, "length(c) > 5");
        assert_eq!(change(&Kind::Integer, &fine).unwrap().using.unwrap(), "c * 1000");
        assert_eq!(change(&fine, &Kind::Decimal { digits: 18, scale: 1 }).unwrap().using.unwrap(), "c / 100");
        assert_eq!([change(&Kind::Html, &text), change(&Kind::Float, &Kind::Integer)], [None, None]);
        assert_eq!([change(&Kind::DateTime, &Kind::Date), change(&text, &Kind::Boolean)], [None, None]);
    }
}
