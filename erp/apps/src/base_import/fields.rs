//! Fields that a column may be, as a tree: the model's own and those of related records.

use std::collections::HashMap;

use erp_engine::{Env, Error};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

/// Steps of a path: `child_ids/country_id/id` has three.
pub(super) const DEPTH: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Technical name: the last part of the path.
    pub(super) name: String,
    pub(super) label: String,
    /// The label in the source's language, which many files have whatever people speak.
    pub(super) source: String,
    /// Type of the field; `id` for external and database ids.
    pub(super) kind: String,
    pub(super) required: bool,
    /// Choices of a selection: key and label.
    pub(super) selection: Vec<(String, String)>,
    pub(super) comodel: Option<String>,
    pub(super) below: Vec<Node>,
}

impl Node {
    fn id(name: &str, label: &str) -> Node {
        Node {
            name: name.into(),
            label: label.into(),
            source: label.into(),
            kind: "id".into(),
            required: false,
            selection: Vec::new(),
            comodel: None,
            below: Vec::new(),
        }
    }

    pub(super) fn json(&self, model: &str) -> Json {
        json!({
            "id": self.name,
            "name": self.name,
            "string": self.label,
            "required": self.required,
            "type": self.kind,
            "model_name": model,
            "comodel_name": self.comodel,
            "fields": self.below.iter().map(|node| node.json(self.comodel.as_deref().unwrap_or(model))).collect::<Vec<_>>(),
        })
    }
}

/// What one model says about its fields, asked for once.
#[derive(Default)]
struct Described(HashMap<String, Map<String, Json>>);

/// The tree of a model, with the external id first and the other fields by their labels.
pub(super) async fn tree(env: &mut Env, model: &str, depth: usize) -> Result<Vec<Node>, Error> {
    let mut known = Described::default();
    let mut all = vec![Node::id("id", "External ID")];
    all.extend(below(env, &mut known, model, depth).await?);
    // Records are also known by their database id, though few files have it.
    all.push(Node::id(".id", "Database ID"));
    Ok(all)
}

fn below<'a>(
    env: &'a mut Env,
    known: &'a mut Described,
    model: &'a str,
    depth: usize,
) -> BoxFuture<'a, Result<Vec<Node>, Error>> {
    Box::pin(async move {
        if !known.0.contains_key(model) {
            let Json::Object(fields) = env.call(model, "fields_get", Vec::new(), Map::new()).await? else {
                return Ok(Vec::new());
            };
            known.0.insert(model.to_owned(), fields);
        }
        let fields: Vec<(String, Json)> =
            known.0.get(model).into_iter().flatten().map(|(name, field)| (name.clone(), field.clone())).collect();
        let mut nodes = Vec::new();
        for (name, field) in fields {
            let text = |key: &str| field.get(key).and_then(Json::as_str).unwrap_or_default();
            let kind = text("type").to_owned();
            if name == "id" || is_fixed(&name, &field) {
                continue;
            }
            let relation = Some(text("relation").to_owned()).filter(|relation| !relation.is_empty());
            let below = match (kind.as_str(), &relation) {
                ("many2one" | "many2many", Some(_)) => {
                    vec![Node::id("id", "External ID"), Node::id(".id", "Database ID")]
                }
                ("one2many", Some(relation)) if depth > 1 => {
                    let mut inside = vec![Node::id("id", "External ID")];
                    // The way back is known by where the line stands.
                    let back = text("relation_field").to_owned();
                    let fields = below(env, known, relation, depth - 1).await?;
                    inside.extend(fields.into_iter().filter(|node| node.name != back));
                    inside.push(Node::id(".id", "Database ID"));
                    inside
                }
                _ => Vec::new(),
            };
            let selection = field.get("selection").and_then(Json::as_array).into_iter().flatten();
            let selection = selection
                .filter_map(|pair| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned())))
                .collect();
            let source = env.registry().model(model)?.field(&name).map(|field| field.label.clone()).unwrap_or_default();
            nodes.push(Node {
                source,
                label: text("string").to_owned(),
                required: field.get("required").and_then(Json::as_bool).unwrap_or(false),
                name,
                kind,
                selection,
                comodel: relation,
                below,
            });
        }
        nodes.sort_by(|a, b| a.label.cmp(&b.label).then_with(|| a.name.cmp(&b.name)));
        Ok(nodes)
    })
}

/// What people may not set is no goal for a column.
fn is_fixed(name: &str, field: &Json) -> bool {
    let flag = |key: &str| field.get(key).and_then(Json::as_bool).unwrap_or(false);
    flag("readonly") || matches!(name, "create_uid" | "create_date" | "write_uid" | "write_date" | "display_name")
}

/// The node at the end of a path.
pub(super) fn find<'t>(tree: &'t [Node], path: &[&str]) -> Option<&'t Node> {
    let (first, rest) = path.split_first()?;
    let node = tree.iter().find(|node| node.name == *first)?;
    if rest.is_empty() { Some(node) } else { find(&node.below, rest) }
}
