//! Groups, rights and record rules as tables that a plan looks things up in. Made of rows, so that what an
//! administrator changes counts as much as what an app declares.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    ResolveErrors,
    path::{self, check_domain},
    registry::{Registry, Rights},
};
use crate::{
    domain::Domain,
    error::{Error, Operation},
    value::Id,
};

/// The rows of `res.groups`, `ir.model.access` and `ir.rule`, active ones alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecurityRows {
    pub(crate) groups: Vec<GroupRow>,
    /// (group, group that its users are in as well)
    pub(crate) implied: Vec<(Id, Id)>,
    pub(crate) access: Vec<AccessRow>,
    pub(crate) rules: Vec<RuleRow>,
    /// (rule, group)
    pub(crate) rule_groups: Vec<(Id, Id)>,
}

#[derive(Clone, Debug)]
pub(crate) struct GroupRow {
    pub(crate) id: Id,
    /// External id; nothing for a group that people made.
    pub(crate) key: Option<String>,
    pub(crate) name: String,
    pub(crate) category: String,
}

#[derive(Clone, Debug)]
pub(crate) struct AccessRow {
    pub(crate) name: String,
    /// Nothing: every model.
    pub(crate) model: Option<String>,
    /// Nothing: everybody.
    pub(crate) group: Option<Id>,
    pub(crate) rights: Rights,
}

#[derive(Clone, Debug)]
pub(crate) struct RuleRow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) domain: String,
    pub(crate) operations: Rights,
}

/// A set of groups, by their places in [`Security::groups`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupSet(Vec<u64>);

impl GroupSet {
    pub(crate) fn insert(&mut self, at: usize) -> bool {
        let word = at / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = !self.contains(at);
        self.0[word] |= 1 << (at % 64);
        new
    }

    pub(crate) fn contains(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    pub(crate) fn extend(&mut self, other: &GroupSet) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own |= other;
        }
    }

    pub(crate) fn meets(&self, other: &GroupSet) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 64).filter(|at| self.contains(*at))
    }
}

#[derive(Debug)]
pub(crate) struct GroupDef {
    pub(crate) id: Id,
    pub(crate) key: Option<String>,
    /// With its category, as people know it: `Administration / Settings`.
    pub(crate) full_name: String,
    /// Itself and every group that it implies, at any remove.
    pub(crate) closure: GroupSet,
}

#[derive(Debug)]
pub(crate) struct AccessDef {
    pub(crate) group: Option<usize>,
    pub(crate) rights: Rights,
}

#[derive(Debug)]
pub(crate) struct RuleDef {
    pub(crate) name: String,
    /// Empty: everybody.
    pub(crate) groups: GroupSet,
    pub(crate) operations: Rights,
    pub(crate) domain: Domain,
}

#[derive(Debug, Default)]
pub(crate) struct Security {
    pub(crate) groups: Vec<GroupDef>,
    by_key: HashMap<String, usize>,
    by_id: HashMap<Id, usize>,
    access: HashMap<Arc<str>, Vec<AccessDef>>,
    rules: HashMap<Arc<str>, Vec<RuleDef>>,
    /// Paths that rules begin with `user.`, without that word: looked up with the user.
    pub(crate) user_paths: BTreeSet<String>,
    /// Models on those paths: when their records change, users are looked up anew.
    watched: BTreeSet<Arc<str>>,
    /// What is wrong with rules.
    broken: Vec<String>,
}

impl Security {
    /// The tables, which know what is wrong with the rows.
    pub(crate) fn of(registry: &Registry, rows: SecurityRows) -> Security {
        let mut errors = ResolveErrors::default();
        let security = Security::gather(registry, rows, &mut errors);
        for problem in &errors.0 {
            tracing::warn!(problem, "a record rule cannot be understood and lets nobody through; mend or delete it");
        }
        Security { broken: errors.0, ..security }
    }

    /// What is wrong here and was not before.
    pub(crate) fn broken_since(&self, before: &Security) -> Option<String> {
        self.broken.iter().find(|problem| !before.broken.contains(problem)).cloned()
    }

    /// The tables, and beside them what is wrong with the rows.
    pub(super) fn gather(registry: &Registry, rows: SecurityRows, errors: &mut ResolveErrors) -> Security {
        let mut security = Security::default();
        let by_id: HashMap<Id, usize> = rows.groups.iter().enumerate().map(|(at, group)| (group.id, at)).collect();
        let closures = closures(rows.groups.len(), &rows.implied, &by_id);
        for (at, (row, closure)) in rows.groups.into_iter().zip(closures).enumerate() {
            if let Some(key) = &row.key {
                security.by_key.insert(key.clone(), at);
            }
            let full_name = match row.category.as_str() {
                "" => row.name,
                category => format!("{category} / {}", row.name),
            };
            security.groups.push(GroupDef { id: row.id, key: row.key, full_name, closure });
        }
        for row in rows.access {
            let group = row.group.and_then(|id| by_id.get(&id).copied());
            if row.group.is_some() && group.is_none() {
                errors.0.push(format!("access right {:?}: its group is gone", row.name));
                continue;
            }
            let of = |model: &Arc<str>| row.model.as_deref().is_none_or(|name| name == &**model);
            // The row of a model whose app is gone for now grants nothing.
            for model in registry.models.keys().filter(|model| of(model)) {
                let def = AccessDef { group, rights: row.rights };
                security.access.entry(model.clone()).or_default().push(def);
            }
        }
        let mut groups_of: BTreeMap<Id, GroupSet> = BTreeMap::new();
        for (rule, group) in rows.rule_groups {
            if let Some(at) = by_id.get(&group) {
                groups_of.entry(rule).or_default().insert(*at);
            }
        }
        for row in rows.rules {
            let Some(model) = registry.models.get(row.model.as_str()) else { continue };
            let domain = parse(&row.domain).and_then(|domain| {
                check_domain(registry, model, &domain).map_err(|error| error.to_string())?;
                for node in domain.expressions() {
                    for path in node.paths().user {
                        security.watch(registry, path).map_err(|error| error.to_string())?;
                    }
                }
                Ok(domain)
            });
            let domain = domain.unwrap_or_else(|problem| {
                errors.0.push(format!("record rule {:?} on {}: {problem}", row.name, row.model));
                // A rule that cannot be understood lets nobody through, rather than everybody.
                Domain::False
            });
            security.rules.entry(model.name.clone()).or_default().push(RuleDef {
                name: row.name,
                groups: groups_of.remove(&row.id).unwrap_or_default(),
                operations: row.operations,
                domain,
            });
        }
        security.by_id = by_id;
        security
    }

    fn watch(&mut self, registry: &Registry, path: String) -> Result<(), Error> {
        let problem = |problem: &str| Error::Domain { model: "user".to_owned(), problem: format!("{path}: {problem}") };
        let principals = registry.principals.as_ref().ok_or_else(|| problem("no app has users"))?;
        let users = registry.model(&principals.model)?;
        let Some(fields) = UserPath::of(&path).fields else { return Ok(()) };
        let found = path::follow(registry, users, fields)?;
        if found.field.secret || found.steps.iter().any(|step| step.field.secret) {
            return Err(problem("nobody but the system may use this field"));
        }
        self.watched.extend(found.steps.iter().map(|step| step.comodel.name.clone()));
        self.watched.extend(found.field.kind.comodel().cloned());
        self.user_paths.insert(path);
        Ok(())
    }

    /// Whether some rule depends on this model's records through the user.
    pub(crate) fn watches(&self, model: &str) -> bool {
        self.watched.contains(model)
    }

    pub(crate) fn group(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn group_of_id(&self, id: Id) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The groups of somebody who was put into these.
    pub(crate) fn implied(&self, direct: impl IntoIterator<Item = Id>) -> GroupSet {
        let mut all = GroupSet::default();
        for group in direct.into_iter().filter_map(|id| self.group_of_id(id)) {
            all.extend(&self.groups[group].closure);
        }
        all
    }

    pub(crate) fn allows(&self, groups: &GroupSet, model: &str, operation: Operation) -> bool {
        let has = |access: &AccessDef| access.group.is_none_or(|group| groups.contains(group));
        let rows = self.access.get(model).map_or(&[][..], Vec::as_slice);
        rows.iter().any(|access| access.rights.allows(operation) && has(access))
    }

    /// Names of the groups that may do it.
    pub(crate) fn able(&self, model: &str, operation: Operation) -> Vec<&str> {
        let rows = self.access.get(model).map_or(&[][..], Vec::as_slice);
        let allowing = rows.iter().filter(|access| access.rights.allows(operation));
        let mut names: Vec<&str> =
            allowing.filter_map(|access| Some(self.groups[access.group?].full_name.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(crate) fn rules(&self, model: &str) -> &[RuleDef] {
        self.rules.get(model).map_or(&[], Vec::as_slice)
    }

    /// The rules that limit somebody in these groups.
    pub(crate) fn rules_for<'s>(
        &'s self,
        groups: &'s GroupSet,
        model: &str,
        operation: Operation,
    ) -> impl Iterator<Item = &'s RuleDef> {
        let applies = move |rule: &&RuleDef| rule.operations.allows(operation);
        self.rules(model).iter().filter(applies).filter(|rule| rule.groups.is_empty() || rule.groups.meets(groups))
    }

    /// `a`, `b` and `!c`: in one of the plain ones, where there are any, and in none of the negated.
    pub(crate) fn fits(&self, groups: &GroupSet, keys: &[String]) -> bool {
        let has = |key: &str| self.group(key).is_some_and(|group| groups.contains(group));
        let mut wanted = keys.iter().filter(|key| !key.starts_with('!')).peekable();
        let refused = keys.iter().filter_map(|key| key.strip_prefix('!')).any(has);
        let none = wanted.peek().is_none();
        !refused && (none || wanted.any(|key| has(key)))
    }

    /// What people call the groups with these external ids.
    pub(crate) fn names_of(&self, keys: &[String]) -> String {
        let name = |key: &String| {
            let (not, plain) = key.strip_prefix('!').map_or(("", key.as_str()), |plain| ("not ", plain));
            let known = self.group(plain).map_or(plain, |group| self.groups[group].full_name.as_str());
            format!("{not}{known}")
        };
        keys.iter().map(name).collect::<Vec<_>>().join(" or ")
    }
}

/// A path of a rule after `user.`: fields, and whether it asks for ids at its end.
pub(crate) struct UserPath<'p> {
    /// Nothing where it is the user himself.
    pub(crate) fields: Option<&'p str>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Id,
    Ids,
}

impl UserPath<'_> {
    pub(crate) fn of(path: &str) -> UserPath<'_> {
        match path.rsplit_once('.') {
            Some((fields, "id")) => UserPath { fields: Some(fields), end: End::Id },
            Some((fields, "ids")) => UserPath { fields: Some(fields), end: End::Ids },
            None if path == "id" => UserPath { fields: None, end: End::Id },
            None if path == "ids" => UserPath { fields: None, end: End::Ids },
            _ => UserPath { fields: Some(path), end: End::Value },
        }
    }
}

/// The text of a rule; no text: every record.
fn parse(text: &str) -> Result<Domain, String> {
    if text.trim().is_empty() {
        return Ok(Domain::True);
    }
    Domain::parse(text).map_err(|error| error.to_string())
}

/// For each group itself and all that it implies. A circle makes its members equal.
fn closures(count: usize, implied: &[(Id, Id)], by_id: &HashMap<Id, usize>) -> Vec<GroupSet> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (group, other) in implied {
        if let (Some(&group), Some(&other)) = (by_id.get(group), by_id.get(other)) {
            next[group].push(other);
        }
    }
    (0..count)
        .map(|start| {
            let mut reached = GroupSet::default();
            let mut waiting = vec![start];
            while let Some(at) = waiting.pop() {
                if reached.insert(at) {
                    waiting.extend(&next[at]);
                }
            }
            reached
        })
        .collect()
}
