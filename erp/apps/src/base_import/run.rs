//! Rows of a file become records, portion by portion: memory does not grow with the file, and without a limit all
//! portions are one transaction.

use erp_engine::{Env, Error, Id, declare::Call, domain, values};
use erp_exchange::{Format, Resume, Row, guess::Hints};
use serde_json::{Map, Value as Json, json};

use super::{
    convert::{self, Reading, Target},
    fields::{self, Node},
    file::Upload,
    options::Wanted,
    preview::{self, PORTION},
};

/// Errors after which no further portion is tried.
const ENOUGH: usize = 10;
/// Messages of one answer.
const MESSAGES: usize = 1_000;
/// Lines of one record.
const LINES: usize = 200_000;

pub(super) async fn execute_import(env: &mut Env, call: Call) -> Result<Json, Error> {
    let paths: Vec<String> = call.arg::<Vec<Json>>("fields")?.iter().map(path).collect();
    let headers: Vec<Json> = call.arg("columns")?;
    let headers: Vec<String> = headers.iter().map(|header| header.as_str().unwrap_or_default().to_owned()).collect();
    let wanted = Wanted::of(call.opt("options")?.unwrap_or_default());
    let dry = call.args.get("dryrun") == Some(&Json::Bool(true));
    if paths.iter().all(String::is_empty) {
        return Err(Error::User("no column is for a field; choose a field for at least one".into()));
    }
    let upload = Upload::of(env, call.one()?).await?;
    let before = env.savepoint().await?;
    let context = env.context().clone();
    let result = run(env, &upload, &wanted, &paths, &headers).await;
    env.set_context(context);
    let done = match result {
        Ok(done) => done,
        Err(error) => {
            env.rollback_to(before).await?;
            return Err(error);
        }
    };
    let failed = done.errors > 0;
    if dry || failed {
        env.rollback_to(before).await?;
    } else {
        env.release(before).await?;
        remember(env, &upload.model, &paths, &headers).await?;
    }
    let ids: Json = match failed {
        true => false.into(),
        false => done.ids.into_iter().map(|id| id.map_or(Json::Bool(false), Json::from)).collect(),
    };
    Ok(json!({
        "ids": ids,
        "messages": done.messages,
        "nextrow": if failed { 0 } else { done.next_row },
        "name": done.names,
        "binary_filenames": {},
    }))
}

fn path(json: &Json) -> String {
    match json {
        Json::String(path) => path.clone(),
        Json::Array(parts) => parts.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("/"),
        _ => String::new(),
    }
}

#[derive(Default)]
struct Outcome {
    ids: Vec<Option<i64>>,
    names: Vec<String>,
    messages: Vec<Json>,
    errors: usize,
    next_row: u64,
}

impl Outcome {
    fn tell(&mut self, message: Json) {
        self.errors += usize::from(message["type"] == "error");
        if self.messages.len() < MESSAGES {
            self.messages.push(message);
        }
    }

    fn enough(&self) -> bool {
        self.errors > ENOUGH
    }
}

/// Rows that are saved together.
struct Portion {
    rows: Vec<Row>,
    /// Rows of the file below the header that come before.
    first: u64,
}

async fn run(
    env: &mut Env,
    upload: &Upload,
    wanted: &Wanted,
    paths: &[String],
    headers: &[String],
) -> Result<Outcome, Error> {
    let tree = fields::tree(env, &upload.model, fields::DEPTH).await?;
    let symbols = convert::currencies(env).await?;
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let reading = Reading { separators: wanted.separators(), currencies: &symbols };
    let unreadable = |error: erp_exchange::Error| Error::User(error.to_string());
    let head = preview::head(upload, wanted, erp_exchange::guess::LINES).map_err(unreadable)?;
    let targets = targets(wanted, paths, headers, &tree, &head, &symbols).map_err(Error::User)?;
    let load_paths: Vec<String> = targets.iter().map(|target| target.path.clone()).collect();
    env.set_context(preview::with(&env.context().clone(), load_context(wanted, &targets)));

    let skip = wanted.number("skip").unwrap_or(0);
    let format = head.table.format;
    let width = if head.headers.is_empty() { head.rows.first().map_or(0, |row| row.found) } else { head.headers.len() };
    let mut rows = Rows::from(upload, wanted, head, skip).map_err(unreadable)?;
    let own: Vec<usize> =
        targets.iter().filter(|t| !is_line(t, &tree)).flat_map(|t| t.columns.iter().copied()).collect();
    let limit = wanted.number("limit");
    let mut done = Outcome::default();
    loop {
        let most = limit.unwrap_or(PORTION).max(1);
        let Some(portion) = rows.portion(most, &own).map_err(unreadable)? else { break };
        let lines: Vec<u64> = portion.rows.iter().map(|row| row.line).collect();
        let places = Places { first: portion.first, lines, width };
        save(env, upload, &targets, &load_paths, &reading, format, portion, &places, &mut done).await?;
        if limit.is_some() {
            done.next_row = if rows.has_more() { rows.read } else { 0 };
            upload.remember(rows.read, rows.place);
            break;
        }
        if done.enough() {
            let problem = "more than 10 errors: the rest of the file was not looked at";
            done.tell(json!({ "type": "warning", "message": problem, "rows": { "from": rows.read, "to": rows.read } }));
            break;
        }
    }
    Ok(done)
}

/// Where the rows of a portion are in the file.
struct Places {
    first: u64,
    lines: Vec<u64>,
    /// Cells of the file's first row.
    width: usize,
}

impl Places {
    fn line(&self, row: usize) -> u64 {
        self.lines.get(row).or(self.lines.last()).copied().unwrap_or(0)
    }
}

#[expect(clippy::too_many_arguments, reason = "one portion with all that is known about it")]
async fn save(
    env: &mut Env,
    upload: &Upload,
    targets: &[Target<'_>],
    paths: &[String],
    reading: &Reading<'_>,
    format: Format,
    portion: Portion,
    places: &Places,
    done: &mut Outcome,
) -> Result<(), Error> {
    let before = done.errors;
    let mut table = Vec::with_capacity(portion.rows.len());
    for (at, row) in portion.rows.iter().enumerate() {
        if done.enough() {
            return Ok(());
        }
        uneven(row, at, format, places, done);
        let mut cells = Vec::with_capacity(targets.len());
        for target in targets {
            match target.cell(&row.cells, reading) {
                Ok(cell) => cells.push(cell),
                Err(problem) => {
                    done.tell(told("error", at, places, Some(target), &problem));
                    cells.push("".into());
                }
            }
        }
        table.push(cells);
    }
    drop(portion);
    if done.errors > before {
        return Ok(());
    }
    let names = paths.iter().position(|path| path == "name");
    if let (Some(column), true) = (names, done.names.len() < PORTION as usize) {
        done.names.extend(table.iter().map(|row| row[column].as_str().unwrap_or_default().to_owned()));
    }
    let loaded = env.load(&upload.model, paths, table).await?;
    for mut message in loaded.messages {
        let from = message["rows"]["from"].as_u64().unwrap_or(0);
        let to = message["rows"]["to"].as_u64().unwrap_or(from);
        let path = message["field"].as_str().unwrap_or_default().to_owned();
        let target = targets.iter().find(|target| same_field(&target.path, &path));
        message["rows"] = json!({ "from": places.first + from, "to": places.first + to });
        let line = places.line(usize::try_from(from).unwrap_or(0));
        place(&mut message, line, target.map(|target| target.header.as_str()));
        done.tell(message);
    }
    done.ids.extend(loaded.ids.unwrap_or_default());
    Ok(())
}

/// `country_id/id` is a column for the field `country_id`.
fn same_field(path: &str, field: &str) -> bool {
    path == field || path.strip_suffix("/id").or_else(|| path.strip_suffix("/.id")) == Some(field)
}

/// More cells than the header has columns: most often a separator inside a text without quotation marks.
fn uneven(row: &Row, at: usize, format: Format, places: &Places, done: &mut Outcome) {
    if format != Format::Csv || row.found == places.width {
        return;
    }
    let problem = format!(
        "the row has {} cells and the first row {}; see its separators and quotation marks",
        row.found, places.width
    );
    done.tell(told("warning", at, places, None, &problem));
}

fn told(kind: &str, at: usize, places: &Places, target: Option<&Target<'_>>, problem: &str) -> Json {
    let row = places.first + at as u64;
    let mut message = json!({
        "type": kind,
        "rows": { "from": row, "to": row },
        "record": row,
        "field": target.map_or(Json::Bool(false), |t| t.path.clone().into()),
        "field_name": target.map_or(Json::Bool(false), |t| t.label().into()),
        "message": problem,
        "moreinfo": false,
    });
    place(&mut message, places.line(at), target.map(|target| target.header.as_str()));
    message
}

/// Where it is, as the person sees it in his own program.
fn place(message: &mut Json, line: u64, header: Option<&str>) {
    let text = message["message"].as_str().unwrap_or_default();
    let full = match header {
        Some(header) => format!("row {line}, column '{header}': {text}"),
        None => format!("row {line}: {text}"),
    };
    message["line"] = line.into();
    message["column"] = header.map_or(Json::Bool(false), Json::from);
    message["full_message"] = full.into();
}

fn is_line(target: &Target<'_>, tree: &[Node]) -> bool {
    let first = target.path.split('/').next().unwrap_or_default();
    fields::find(tree, &[first]).is_some_and(|node| node.kind == "one2many")
}

fn targets<'t>(
    wanted: &Wanted,
    paths: &[String],
    headers: &[String],
    tree: &'t [Node],
    head: &preview::Head,
    symbols: &[&str],
) -> Result<Vec<Target<'t>>, String> {
    let hints = Hints {
        separators: wanted.separators(),
        currencies: symbols,
        date: wanted.text("date_format"),
        datetime: wanted.text("datetime_format"),
    };
    let guessed = preview::guess_columns(head, &hints);
    let fallbacks = wanted.sent.get("fallback_values").and_then(Json::as_object).cloned().unwrap_or_default();
    let mut targets: Vec<Target<'t>> = Vec::new();
    for (column, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        if let Some(known) = targets.iter_mut().find(|target| target.path == *path) {
            if known.joins().is_none() {
                return Err(format!("two columns are for {}; only texts and tags are joined", known.label()));
            }
            known.columns.push(column);
            continue;
        }
        let parts: Vec<&str> = path.split('/').collect();
        let header = headers.get(column).map(String::as_str).unwrap_or_default();
        let mut target = Target::new(path.clone(), column, header, fields::find(tree, &parts));
        let samples: Vec<String> = head
            .rows
            .iter()
            .filter_map(|row| row.cells.get(column))
            .filter(|cell| !cell.is_blank())
            .map(|cell| cell.text().trim().to_owned())
            .collect();
        target.choose_pattern(wanted, guessed.get(column), &samples);
        target.choose_fallback(&fallbacks);
        targets.push(target);
    }
    Ok(targets)
}

fn load_context(wanted: &Wanted, targets: &[Target<'_>]) -> Map<String, Json> {
    let mut context = Map::new();
    context.insert("import_file".into(), true.into());
    // Messages about every imported record help nobody, unless they are asked for.
    context.insert("tracking_disable".into(), (!wanted.flag("tracking").unwrap_or(false)).into());
    for key in ["name_create_enabled_fields", "import_set_empty_fields", "import_skip_records"] {
        if let Some(value) = wanted.sent.get(key) {
            context.insert(key.into(), value.clone());
        }
    }
    let skipping: Vec<Json> = targets.iter().filter(|t| t.skips()).map(|t| t.path.clone().into()).collect();
    if !skipping.is_empty() {
        let skip = context.entry("import_skip_records").or_insert_with(|| json!([]));
        if let Json::Array(paths) = skip {
            paths.extend(skipping);
        }
    }
    context.remove("_import_limit");
    context
}

/// The rows below the header, with one that is looked at before it is taken.
struct Rows {
    rows: erp_exchange::Rows,
    next: Option<Row>,
    /// Rows taken, those skipped among them.
    read: u64,
    /// Where the row begins that is looked at.
    place: Option<Resume>,
}

impl Rows {
    fn from(upload: &Upload, wanted: &Wanted, head: preview::Head, skip: u64) -> Result<Rows, erp_exchange::Error> {
        let mut options = wanted.reading();
        // As the first look found them.
        options.encoding = options.encoding.or(head.table.encoding);
        options.separator = options.separator.or(head.table.separator);
        options.resume = upload.place(skip).filter(|_| skip > 0);
        let resumed = options.resume.is_some();
        let mut table = upload.open(&options)?;
        if !resumed {
            let header = usize::from(wanted.has_headers());
            for row in table.rows.by_ref().take(header + usize::try_from(skip).unwrap_or(usize::MAX)) {
                row?;
            }
        }
        let mut rows = Rows { rows: table.rows, next: None, read: skip, place: None };
        rows.advance()?;
        Ok(rows)
    }

    fn advance(&mut self) -> Result<Option<Row>, erp_exchange::Error> {
        self.place = self.rows.resume();
        let following = self.rows.next().transpose()?;
        Ok(std::mem::replace(&mut self.next, following))
    }

    fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// The rows of at most so many records, each with all its lines.
    fn portion(&mut self, records: u64, own: &[usize]) -> Result<Option<Portion>, erp_exchange::Error> {
        let first = self.read;
        let mut rows = Vec::new();
        let mut begun = 0;
        while let Some(row) = &self.next {
            let begins =
                rows.is_empty() || own.iter().any(|at| row.cells.get(*at).is_some_and(|cell| !cell.is_blank()));
            if begins {
                if begun == records {
                    break;
                }
                begun += 1;
            }
            if rows.len() >= LINES {
                return Err(erp_exchange::Error::TooMany { what: "lines of one record", limit: LINES as u64 });
            }
            rows.extend(self.advance()?);
            self.read += 1;
        }
        Ok((!rows.is_empty()).then_some(Portion { rows, first }))
    }
}

/// The next file with such columns is matched the same way.
async fn remember(env: &mut Env, model: &str, paths: &[String], headers: &[String]) -> Result<(), Error> {
    let pairs: Vec<(&String, &String)> =
        headers.iter().zip(paths).filter(|(header, path)| !header.is_empty() && !path.is_empty()).collect();
    let domain = domain!(["res_model", "=", model]);
    let known =
        env.search_read("base_import.mapping", &domain, &["column_name"], erp_engine::Search::default()).await?;
    let (mut written, mut made): (Vec<(Id, _)>, Vec<(&str, _)>) = (Vec::new(), Vec::new());
    for (header, path) in pairs {
        match known.iter().find(|record| record.get_str("column_name") == header) {
            Some(record) => written.push((record.id, values! { "field_name" => path })),
            None if made.iter().any(|(other, _)| other == header) => {}
            None => {
                let values = values! { "res_model" => model, "column_name" => header, "field_name" => path };
                made.push((header, values));
            }
        }
    }
    env.write_each("base_import.mapping", written).await?;
    env.create_many("base_import.mapping", made.into_iter().map(|(_, values)| values).collect()).await?;
    Ok(())
}
