//! What is in a file, before anything is made of it.

use std::collections::HashMap;

use erp_engine::{Context, Env, Error, Search, declare::Call, domain};
use erp_exchange::{
    Cell, Format, Row, Table,
    guess::{self, Column, Hints},
};
use serde_json::{Map, Value as Json, json};

use super::{convert, fields, file::Upload, matching, options::Wanted};

/// Rows of one portion, unless the client says another number.
pub(super) const PORTION: u64 = 2_000;
/// Values of each column that are shown.
const EXAMPLES: usize = 5;

pub(super) async fn get_fields_tree(env: &mut Env, call: Call) -> Result<Json, Error> {
    let model: String = call.arg("model")?;
    let depth: usize = call.arg("depth")?;
    let tree = fields::tree(env, &model, depth.clamp(1, fields::DEPTH)).await?;
    Ok(tree.iter().map(|node| node.json(&model)).collect())
}

pub(super) async fn parse_preview(env: &mut Env, call: Call) -> Result<Json, Error> {
    let options: Map<String, Json> = call.opt("options")?.unwrap_or_default();
    let count: usize = call.arg("count")?;
    let upload = Upload::of(env, call.one()?).await?;
    let wanted = Wanted::of(options);
    match preview(env, &upload, wanted, count).await {
        Ok(answer) => Ok(answer),
        // What is wrong with a file is an answer: the person chooses other options.
        Err(Trouble::File(error)) => Ok(json!({ "error": error.to_string(), "preview": "" })),
        Err(Trouble::Engine(error)) => Err(error),
    }
}

pub(super) enum Trouble {
    File(erp_exchange::Error),
    Engine(Error),
}

impl From<erp_exchange::Error> for Trouble {
    fn from(error: erp_exchange::Error) -> Trouble {
        Trouble::File(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Engine(error)
    }
}

/// The first lines of a file, header among them, as guesses look at them.
pub(super) struct Head {
    pub(super) table: Table,
    pub(super) headers: Vec<String>,
    pub(super) rows: Vec<Row>,
}

pub(super) fn head(upload: &Upload, wanted: &Wanted, count: usize) -> Result<Head, erp_exchange::Error> {
    let mut table = upload.open(&wanted.reading())?;
    let mut headers = Vec::new();
    if wanted.has_headers()
        && let Some(first) = table.rows.next()
    {
        headers = first?.cells.iter().map(|cell| cell.text().trim().to_owned()).collect();
    }
    let rows = table.rows.by_ref().take(count).collect::<Result<Vec<_>, _>>()?;
    Ok(Head { table, headers, rows })
}

/// What each column holds, from the first nine rows.
pub(super) fn guess_columns(head: &Head, hints: &Hints<'_>) -> Vec<Column> {
    let width = head.headers.len().max(head.rows.first().map_or(0, |row| row.cells.len()));
    let lines = guess::LINES - 1;
    (0..width)
        .map(|at| {
            let cells: Vec<Cell> =
                head.rows.iter().take(lines).map(|row| row.cells.get(at).cloned().unwrap_or_default()).collect();
            guess::column(&cells, hints)
        })
        .collect()
}

async fn preview(env: &mut Env, upload: &Upload, wanted: Wanted, count: usize) -> Result<Json, Trouble> {
    let symbols = convert::currencies(env).await?;
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let mut head = head(upload, &wanted, count.max(guess::LINES))?;
    let own = |key| wanted.text(key);
    let hints = Hints {
        separators: wanted.separators(),
        currencies: &symbols,
        date: own("date_format"),
        datetime: own("datetime_format"),
    };
    let guessed = guess_columns(&head, &hints);
    let types: Vec<Vec<&str>> = guessed.iter().map(|column| column.types().to_vec()).collect();
    let advanced = wanted.flag("advanced").unwrap_or(false) || head.headers.iter().any(|header| header.contains('/'));
    let tree = fields::tree(env, &upload.model, fields::DEPTH).await?;
    let matches = match wanted.flag("keep_matches") {
        Some(true) => wanted.sent.get("matches").cloned().unwrap_or_else(|| json!({})),
        _ => {
            let remembered = remembered(env, &upload.model).await?;
            json!(matching::columns(&head.headers, &types, &tree, &remembered))
        }
    };
    let examples: Vec<Vec<String>> = (0..guessed.len())
        .map(|at| {
            let cells = head.rows.iter().filter_map(|row| row.cells.get(at)).filter(|cell| !cell.is_blank());
            cells.take(EXAMPLES).map(|cell| cell.text().into_owned()).collect()
        })
        .collect();
    let mut rows = head.rows.len() as u64;
    for row in head.table.rows.by_ref() {
        row?;
        rows += 1;
    }
    let options = filled(&wanted, &head.table, &guessed);
    let batch = rows > wanted.number("limit").unwrap_or(PORTION);
    Ok(json!({
        "fields": tree.iter().map(|node| node.json(&upload.model)).collect::<Vec<_>>(),
        "matches": matches,
        "headers": if wanted.has_headers() { json!(head.headers) } else { json!(false) },
        "header_types": types,
        "preview": examples,
        "options": options,
        "advanced_mode": advanced,
        "debug": false,
        "batch": batch,
        "num_rows": rows,
        "file_length": rows,
    }))
}

/// The options with what was guessed for those that were left out.
fn filled(wanted: &Wanted, table: &Table, guessed: &[Column]) -> Map<String, Json> {
    let mut options = wanted.sent.clone();
    let mut set = |key: &str, value: Json| {
        let known = options.get(key).is_some_and(|known| !matches!(known, Json::Null | Json::String(_)))
            || options.get(key).and_then(Json::as_str).is_some_and(|text| !text.is_empty());
        if !known {
            options.insert(key.to_owned(), value);
        }
    };
    set("has_headers", true.into());
    if table.format == Format::Csv {
        set("encoding", json!(table.encoding));
        set("separator", json!(table.separator));
        set("quoting", "\"".into());
    } else {
        set("sheets", json!(table.sheets));
        set("sheet", json!(table.sheet));
    }
    for column in guessed {
        match column {
            Column::Number(separators) => {
                set("float_thousand_separator", json!(separators.thousand));
                set("float_decimal_separator", json!(separators.decimal));
            }
            Column::Date(pattern) => set("date_format", pattern.as_str().into()),
            Column::DateTime(pattern) => set("datetime_format", pattern.as_str().into()),
            _ => {}
        }
    }
    options
}

/// Paths that columns of these names had in the last import of this model that went well.
async fn remembered(env: &mut Env, model: &str) -> Result<HashMap<String, String>, Error> {
    let domain = domain!(["res_model", "=", model]);
    let found =
        env.search_read("base_import.mapping", &domain, &["column_name", "field_name"], Search::default()).await?;
    let pair = |r: &erp_engine::Record| (r.get_str("column_name").to_lowercase(), r.get_str("field_name").to_owned());
    Ok(found.iter().map(pair).collect())
}

/// The context of the user with more in it.
pub(super) fn with(context: &Context, more: Map<String, Json>) -> Context {
    let mut all = context.rest.clone();
    all.extend(more);
    Context::from_json(all)
}
