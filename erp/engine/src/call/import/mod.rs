//! Import: a table of cells becomes records, all or none.
//!
//! ```text
//! names of columns -> columns (a tree of models) -> rows (which rows make which record)
//!   -> lookup (external ids and names, one query per column) -> save (create, update, lists), wave by wave
//! ```
//!
//! A record that refers to another one of the same table is saved in a later wave. Every step works on all records of a
//! wave at once; only when the database refuses something is it divided, to find the row that is to blame.

mod cells;
mod columns;
mod lookup;
mod message;
mod rows;
mod save;

use serde_json::{Value as Json, json};

pub(super) use self::lookup::{EXTERNAL, module_field};
use self::{message::Messages, rows::Table};
use crate::{
    context::Context,
    declare::{Call, Done},
    error::Error,
    execute::Env,
};

/// What the context says about an import.
pub(crate) struct Wishes {
    /// Module of external ids without one.
    module: String,
    /// Records at most; the rest is for the next call.
    limit: Option<usize>,
    /// Paths of references that are made where nothing has the name.
    create: Vec<String>,
    /// Paths that become empty where a value cannot be used.
    empty: Vec<String>,
    /// Paths whose unusable values leave the whole record out.
    skip: Vec<String>,
    /// Lists of records are added to instead of replaced.
    add_links: bool,
}

impl Wishes {
    fn of(context: &Context) -> Wishes {
        let list = |key: &str| match context.get(key) {
            Some(Json::Array(paths)) => paths.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            Some(Json::Object(paths)) => {
                let wanted = paths.iter().filter(|(_, wanted)| !matches!(wanted, Json::Bool(false) | Json::Null));
                wanted.map(|(path, _)| path.clone()).collect()
            }
            _ => Vec::new(),
        };
        let text = |key: &str| context.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
        Wishes {
            module: text("_import_current_module").unwrap_or("__import__").to_owned(),
            limit: context.get("_import_limit").and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok()),
            create: list("name_create_enabled_fields"),
            empty: list("import_set_empty_fields"),
            skip: list("import_skip_records"),
            add_links: context.flag("update_many2many"),
        }
    }
}

/// What became of a table.
#[derive(Debug)]
pub struct Loaded {
    /// One for each record of the table, in its order; nothing when nothing was saved.
    pub ids: Option<Vec<Option<i64>>>,
    pub messages: Vec<Json>,
    /// The row to go on with; 0 when there is none.
    pub next_row: usize,
}

impl Env {
    /// Makes and changes records from rows of cells. Where one of them cannot be saved none is, and the messages say why.
    pub async fn load(&mut self, model: &str, fields: &[String], rows: Vec<Vec<Json>>) -> Result<Loaded, Error> {
        let registry = self.registry().clone();
        let wishes = Wishes::of(self.context());
        let mut messages = Messages::new(rows.len());
        let node = match columns::tree(registry.model(model)?, &registry, &self.words(), fields) {
            Ok(node) => node,
            Err((column, problem)) => {
                messages.column(&column, problem);
                return Ok(Loaded { ids: None, messages: messages.into_json(), next_row: 0 });
            }
        };
        let table = Table::new(&node, rows, wishes.limit);
        let before = self.savepoint().await?;
        let saved = save::save(self, &registry, &node, &table, &wishes, &mut messages).await;
        let saved = match saved {
            Ok(saved) if !messages.failed() => Some(saved),
            Ok(_) => None,
            Err(error) => {
                self.rollback_to(before).await?;
                return Err(error);
            }
        };
        let Some(made) = saved else {
            self.rollback_to(before).await?;
            return Ok(Loaded { ids: None, messages: messages.into_json(), next_row: 0 });
        };
        self.release(before).await?;
        let ids = table.root.entries.iter().enumerate().map(|(at, _)| made[at].map(|id| id.0)).collect();
        Ok(Loaded { ids: Some(ids), messages: messages.into_json(), next_row: table.next_row })
    }
}

/// `load(fields, data)`.
pub(super) fn load(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let fields: Vec<String> = call.arg("fields")?;
        let mut call = call;
        let rows = match call.args.remove("data") {
            Some(Json::Array(rows)) => rows,
            _ => return Err(Error::Argument { name: "data".into(), problem: "it must be a list of rows".into() }),
        };
        let rows = rows
            .into_iter()
            .map(|row| match row {
                Json::Array(cells) => Ok(cells),
                _ => Err(Error::Argument { name: "data".into(), problem: "each row must be a list of cells".into() }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let loaded = env.load(&call.model.clone(), &fields, rows).await?;
        let ids = loaded.ids.map_or(Json::Bool(false), |ids| {
            ids.into_iter().map(|id| id.map_or(Json::Bool(false), Json::from)).collect()
        });
        Ok(json!({ "ids": ids, "messages": loaded.messages, "nextrow": loaded.next_row }))
    })
}
