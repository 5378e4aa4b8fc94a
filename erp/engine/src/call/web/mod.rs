//! What the web client reads and saves: records with the records they refer to, in one call.

mod form;
mod save;
mod tree;

use serde_json::{Map, Value as Json, json};

use self::tree::Tree;
use super::{
    groups,
    reading::{about, domain_of, window},
};
use crate::{
    declare::{Call, Done},
    domain::Domain,
    error::Error,
    execute::{Env, Search},
    plan::Grouping,
    value::Id,
};

pub(super) use form::{default_get, default_set, onchange};
pub(super) use save::{check_unchanged, web_save};

/// Records counted by a search that wants to know no exact number.
const COUNTED: u64 = 10_000;

pub(super) fn web_read(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let tree = Tree::parse(call.args.get("specification"))?;
        read(env, &call.model, &call.ids, &tree).await
    })
}

pub(super) fn web_search_read(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let tree = wanted(&call)?;
        let domain = domain_of(&mut call, "domain")?;
        let search = window(&call)?;
        let (offset, limit) = (search.offset, search.limit);
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let columns = tree::columns(model, &tree).map_err(|e| about(e, &Domain::True))?;
        let records = env.search_read(&call.model, &domain, &columns, search).await.map_err(|e| about(e, &domain))?;
        let found = records.len() as u64;
        let records =
            tree::complete(env, &registry, model, records, &tree).await.map_err(|e| about(e, &Domain::True))?;
        // A page that is not full tells the number by itself.
        let known = limit.is_none_or(|limit| found < limit) && (found > 0 || offset == 0);
        let length = match call.opt::<u64>("count_limit")? {
            _ if known => offset + found,
            Some(most) => {
                let most = most.clamp(1, COUNTED);
                let some = Search { limit: Some(most), ..Search::default() };
                env.search(&call.model, &domain, some).await?.len() as u64
            }
            None => env.count(&call.model, &domain).await?,
        };
        Ok(json!({"length": length, "records": records}))
    })
}

/// Groups, and how many there are whatever the limit.
pub(super) fn web_read_group(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let groups = groups::read_group(env, call.clone()).await?;
        let found = groups.as_array().map_or(0, Vec::len) as u64;
        let search = window(&call)?;
        let known = search.limit.is_none_or(|limit| found < limit) && (found > 0 || search.offset == 0);
        let length = if known {
            search.offset + found
        } else {
            let domain = domain_of(&mut call, "domain")?;
            let by = groups::grouped_by(&call)?;
            let grouping = Grouping { week_start: groups::week_start(env, &by).await?, by, ..Grouping::default() };
            env.count_groups(&call.model, &domain, &grouping).await.map_err(|e| about(e, &domain))?
        };
        Ok(json!({"groups": groups, "length": length}))
    })
}

/// What to read: a specification, or, as older clients say it, a list of fields.
fn wanted(call: &Call) -> Result<Tree, Error> {
    match (call.args.get("specification"), call.args.get("fields")) {
        (Some(Json::Array(names)), _) | (_, Some(Json::Array(names))) => {
            let named = |name: &Json| name.as_str().map(|name| (name.to_owned(), json!({})));
            let fields: Option<Map<String, Json>> = names.iter().map(named).collect();
            let fields = fields.ok_or_else(|| tree::wrong("it is a list of field names"))?;
            Tree::with_names(&Json::Object(fields))
        }
        (specification, _) => Tree::parse(specification),
    }
}

async fn read(env: &mut Env, model: &str, ids: &[Id], tree: &Tree) -> Result<Json, Error> {
    let registry = env.registry().clone();
    let model = registry.model(model)?;
    let columns = tree::columns(model, tree).map_err(|e| about(e, &Domain::True))?;
    // Who names a record gets it or is told why not.
    let records = super::reading::existing(env, &model.name, ids, &columns).await?;
    let found = tree::complete(env, &registry, model, records, tree).await.map_err(|e| about(e, &Domain::True))?;
    Ok(found.into_iter().map(Json::Object).collect())
}
