//! Names of columns as a tree of models: `name`, `country_id/id`, `child_ids/country_id/.id`.

use crate::{
    resolve::{FieldDef, Kind, ModelDef, Registry},
    translate::Words,
};

/// How a cell refers to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum By {
    Name,
    External,
    Database,
}

/// Columns of one model: of the table's, or of the lines in one of its lists.
pub(super) struct Node<'r> {
    pub(super) model: &'r ModelDef,
    /// Column of the records' own external ids.
    pub(super) external: Option<usize>,
    /// Column of the records' own database ids.
    pub(super) database: Option<usize>,
    pub(super) cells: Vec<Column<'r>>,
    pub(super) lists: Vec<Lines<'r>>,
    /// Path from the table's model, with a slash at its end where it is not empty.
    pub(super) prefix: String,
}

pub(super) struct Column<'r> {
    pub(super) at: usize,
    pub(super) field: &'r FieldDef,
    /// As the person calls it.
    pub(super) label: String,
    /// Values of a selection with what the person calls them.
    pub(super) options: Vec<(&'r str, String)>,
    pub(super) by: By,
    /// As it is called from the table's model.
    pub(super) path: String,
}

pub(super) struct Lines<'r> {
    pub(super) field: &'r FieldDef,
    pub(super) inverse: &'r str,
    pub(super) node: Node<'r>,
}

impl<'r> Node<'r> {
    fn new(model: &'r ModelDef, prefix: String) -> Node<'r> {
        Node { model, external: None, database: None, cells: Vec::new(), lists: Vec::new(), prefix }
    }

    /// Columns that say something about the record itself, not about its lines.
    pub(super) fn own(&self) -> impl Iterator<Item = usize> {
        self.external.into_iter().chain(self.database).chain(self.cells.iter().map(|column| column.at))
    }
}

/// The tree, or the column that does not fit and why.
pub(super) fn tree<'r>(
    model: &'r ModelDef,
    registry: &'r Registry,
    words: &Words,
    names: &[String],
) -> Result<Node<'r>, (String, String)> {
    let mut root = Node::new(model, String::new());
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            continue;
        }
        let parts = split(name);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        add(&mut root, (registry, words), at, &parts).map_err(|problem| (name.clone(), problem))?;
    }
    Ok(root)
}

/// `a/b`, `a / b`, and the older forms `a:id` and `a.id`.
fn split(name: &str) -> Vec<String> {
    let name = name.replace(":id", "/id");
    let mut parts: Vec<String> = name.split('/').map(|part| part.trim().to_owned()).collect();
    if let Some(last) = parts.last_mut()
        && let Some(field) = last.strip_suffix(".id").filter(|field| !field.is_empty()).map(str::to_owned)
    {
        *last = field;
        parts.push(".id".to_owned());
    }
    parts
}

fn add<'r>(
    node: &mut Node<'r>,
    (registry, words): (&'r Registry, &Words),
    at: usize,
    parts: &[&str],
) -> Result<(), String> {
    let (first, rest) = parts.split_first().ok_or("the column has no name")?;
    let twice = || format!("two columns are for {}; leave one out", parts.join("/"));
    match kind_of_id(first) {
        Some(By::External) if rest.is_empty() => return node.external.replace(at).map_or(Ok(()), |_| Err(twice())),
        Some(By::Database) if rest.is_empty() => return node.database.replace(at).map_or(Ok(()), |_| Err(twice())),
        _ => {}
    }
    let field = field((registry, words), node.model, first)?;
    let label = words.label(registry, node.model, field);
    // One that is computed may have a way to be written; where it has none the record says so.
    if field.readonly && !(field.is_column() || field.is_written_list()) {
        return Err(format!("{label} is computed and cannot be imported"));
    }
    let comodel = field.kind.comodel().map(|name| registry.model(name)).transpose().map_err(|e| e.to_string())?;
    let by = match (comodel, rest) {
        (_, []) => By::Name,
        (None, _) => return Err(format!("{label} has no fields of its own")),
        (Some(_), [last]) if kind_of_id(last).is_some() && !matches!(field.kind, Kind::One2Many { .. }) => {
            kind_of_id(last).unwrap_or(By::Name)
        }
        (Some(comodel), _) => match &field.kind {
            Kind::One2Many { inverse, .. } => {
                let place = match node.lists.iter().position(|lines| lines.field.name == field.name) {
                    Some(place) => place,
                    None => {
                        let child = Node::new(comodel, format!("{}{}/", node.prefix, field.name));
                        node.lists.push(Lines { field, inverse, node: child });
                        node.lists.len() - 1
                    }
                };
                return add(&mut node.lists[place].node, (registry, words), at, rest);
            }
            _ if rest.len() == 1
                && comodel.rec_name.as_deref().is_some_and(|name| names((registry, words), comodel, name, rest[0])) =>
            {
                By::Name
            }
            _ => {
                return Err(format!(
                    "records of {} cannot be made by way of {label}; import them first, then refer to them by name, /id or /.id",
                    words.model(comodel)
                ));
            }
        },
    };
    if node.cells.iter().any(|column| column.field.name == field.name) {
        return Err(match field.kind.comodel() {
            Some(_) => format!(
                "ambiguous specification for field '{label}': give only one of its name, external id and database id"
            ),
            None => twice(),
        });
    }
    let path = format!("{}{}", node.prefix, field.name);
    let options = match &field.kind {
        Kind::Selection { options } => {
            let named = |(value, label): &'r (String, String)| {
                (value.as_str(), words.option(registry, node.model, field, (value, label)).to_owned())
            };
            options.iter().map(named).collect()
        }
        _ => Vec::new(),
    };
    let label = label.to_owned();
    node.cells.push(Column { at, field, label, options, by, path });
    Ok(())
}

fn names(known: (&Registry, &Words), model: &ModelDef, name: &str, part: &str) -> bool {
    part == name || field(known, model, part).is_ok_and(|field| field.name == name || field.name == "name")
}

fn kind_of_id(part: &str) -> Option<By> {
    match part {
        "id" | "ID" => Some(By::External),
        ".id" => Some(By::Database),
        _ if part.eq_ignore_ascii_case("external id") => Some(By::External),
        _ if part.eq_ignore_ascii_case("database id") => Some(By::Database),
        _ => None,
    }
}

/// By technical name, else by label: in the person's language, else in the source's.
fn field<'r>((registry, words): (&Registry, &Words), model: &'r ModelDef, part: &str) -> Result<&'r FieldDef, String> {
    let wanted = part.to_lowercase();
    model
        .find(part)
        .or_else(|| model.fields.iter().find(|field| words.label(registry, model, field).to_lowercase() == wanted))
        .or_else(|| model.fields.iter().find(|field| field.label.to_lowercase() == wanted))
        .ok_or_else(|| format!("{} has no field '{part}'; choose another for this column", words.model(model)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_split_in_all_their_forms() {
        assert_eq!(super::split("a/b/id"), ["a", "b", "id"]);
        assert_eq!(super::split("A / B"), ["A", "B"]);
        assert_eq!(super::split("country_id:id"), ["country_id", "id"]);
        assert_eq!(super::split("country_id.id"), ["country_id", ".id"]);
        assert_eq!(super::split(".id"), [".id"]);
        assert_eq!(super::split("a/.id"), ["a", ".id"]);
    }
}
