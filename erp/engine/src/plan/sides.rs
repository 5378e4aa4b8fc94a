//! Values that stand beside the row: texts in other languages, values of one company. Where there is none, the row's own
//! column says what holds.

use sea_query::{Alias, DynIden, Expr, ExprTrait, Func, OnConflict, Query};

use super::{Dialect, Planner, Statement, condition::column};
use crate::{
    error::Error,
    kernel::{COMPANY_VALUES, TRANSLATIONS},
    resolve::{FieldDef, Kind, ModelDef},
    translate::SOURCE_LANG,
    value::{Id, Value},
};

/// For whom a value stands beside the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Lang(String),
    Company(Id),
}

impl Side {
    fn model(&self) -> &'static str {
        match self {
            Side::Lang(_) => TRANSLATIONS,
            Side::Company(_) => COMPANY_VALUES,
        }
    }

    /// The column that says for whom, and its value.
    fn key(&self) -> (&'static str, Expr) {
        match self {
            Side::Lang(lang) => ("lang", Expr::val(lang.as_str())),
            Side::Company(id) => ("company", Expr::val(id.0)),
        }
    }

    fn value_column(&self, kind: &Kind, dialect: Dialect) -> &'static str {
        match (self, kind) {
            (Side::Lang(_), _) => "value",
            (_, Kind::Integer | Kind::Many2One { .. } | Kind::Boolean) => "value_integer",
            (_, Kind::Float) => "value_float",
            (_, Kind::Decimal { .. } | Kind::Monetary { .. }) => match dialect {
                // Scaled as in the field's own column.
                Dialect::Sqlite => "value_integer",
                Dialect::Postgres => "value_decimal",
            },
            (_, Kind::Date) => "value_date",
            (_, Kind::DateTime) => "value_datetime",
            _ => "value_text",
        }
    }
}

impl Planner<'_> {
    /// Beside which row the context reads and writes this field; nothing for the row itself.
    pub(crate) fn side(&self, field: &FieldDef) -> Option<Side> {
        let context = self.context?;
        if field.translate {
            let lang = context.lang.as_deref().filter(|lang| *lang != SOURCE_LANG)?;
            return Some(Side::Lang(lang.to_owned()));
        }
        let company = context.companies.first().filter(|_| field.company_dependent)?;
        Some(Side::Company(*company))
    }

    /// The value of a field that is a column, as the context has it.
    pub(super) fn value_of(&self, alias: &DynIden, field: &FieldDef) -> Expr {
        let own = column(alias, field);
        let (Some(side), Some(model)) = (self.side(field), field.model.as_deref()) else { return own };
        let Ok(beside) = self.registry.model(side.model()) else { return own };
        // The subquery holds no other, so one name for its table does.
        let table = Alias::new("beside");
        let at = |name: &str| Expr::col((table.clone(), Alias::new(name)));
        let value = at(side.value_column(&field.kind, self.dialect));
        let (key, wanted) = side.key();
        let mut select = Query::select();
        select
            .expr(if field.kind == Kind::Boolean { value.ne(0) } else { value })
            .from_as(Alias::new(beside.table.as_str()), table.clone())
            .and_where(at("model").eq(model))
            .and_where(at("field").eq(field.name.as_str()))
            .and_where(at("res_id").equals((alias.clone(), Alias::new("id"))))
            .and_where(at(key).eq(wanted));
        let beside = Expr::SubQuery(None, Box::new(sea_query::SubQueryStatement::SelectStatement(select)));
        Func::coalesce([beside, own]).into()
    }

    /// Puts values beside rows, over what stood there.
    pub(crate) fn put_beside(
        &self,
        model: &ModelDef,
        field: &FieldDef,
        side: &Side,
        rows: Vec<(Id, Value)>,
    ) -> Result<Statement, Error> {
        let beside = self.registry.model(side.model())?;
        let value_column = side.value_column(&field.kind, self.dialect);
        let (key, wanted) = side.key();
        let mut query = Query::insert();
        query
            .into_table(Alias::new(beside.table.as_str()))
            .columns(["model", "field", "res_id", key, value_column].map(Alias::new));
        for (id, value) in rows {
            let value = match (&field.kind, value) {
                (Kind::Boolean, Value::Bool(on)) => Expr::val(i64::from(on)),
                (kind, value) => self.dialect.bind(kind, value),
            };
            let row = [Expr::val(&*model.name), Expr::val(field.name.as_str()), Expr::val(id.0), wanted.clone(), value];
            query
                .values(row)
                .map_err(|error| Error::Domain { model: model.name.to_string(), problem: error.to_string() })?;
        }
        let unique = ["model", "field", "res_id", key].map(Alias::new);
        // What a person writes is his from now on, no app's.
        let changed: &[&str] = if matches!(side, Side::Lang(_)) { &[value_column, "module"] } else { &[value_column] };
        let changed = changed.iter().copied().map(Alias::new);
        query.on_conflict(OnConflict::columns(unique).update_columns(changed).to_owned());
        Ok(self.built(&query))
    }

    /// Rows of attachments that say whose files these are.
    pub(crate) fn forget_attachments(
        &self,
        attachments: &ModelDef,
        model: &ModelDef,
        fields: Option<&[&str]>,
        ids: &[Id],
    ) -> Statement {
        let mut query = Query::delete();
        query
            .from_table(Alias::new(attachments.table.as_str()))
            .and_where(Expr::col(Alias::new("res_model")).eq(&*model.name))
            .and_where(Expr::col(Alias::new("res_id")).is_in(ids.iter().map(|id| Expr::val(id.0))));
        if let Some(fields) = fields {
            query.and_where(Expr::col(Alias::new("res_field")).is_in(fields.iter().copied()));
        }
        self.built(&query)
    }

    /// Those of the files that an attachment names.
    pub(crate) fn files_in_use(&self, attachments: &ModelDef, names: &[String]) -> Statement {
        let mut query = Query::select();
        query
            .distinct()
            .column(Alias::new("store_fname"))
            .from(Alias::new(attachments.table.as_str()))
            .and_where(Expr::col(Alias::new("store_fname")).is_in(names.iter().map(String::as_str)));
        self.built(&query)
    }

    /// Takes away what stands beside rows: all of it, or of one field.
    pub(crate) fn drop_beside(
        &self,
        beside: &str,
        model: &ModelDef,
        field: Option<&FieldDef>,
        ids: &[Id],
    ) -> Result<Statement, Error> {
        let mut query = Query::delete();
        query
            .from_table(Alias::new(self.registry.model(beside)?.table.as_str()))
            .and_where(Expr::col(Alias::new("model")).eq(&*model.name))
            .and_where(Expr::col(Alias::new("res_id")).is_in(ids.iter().map(|id| Expr::val(id.0))));
        if let Some(field) = field {
            query.and_where(Expr::col(Alias::new("field")).eq(field.name.as_str()));
        }
        Ok(self.built(&query))
    }
}
