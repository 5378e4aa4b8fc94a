//! Groups, rights and rules between records and the registry: declarations become records once, and the registry's
//! tables are made of the records.

use std::collections::{BTreeSet, HashMap};

use sea_query::Values as Parameters;

use super::{Env, Search};
use crate::{
    domain,
    error::Error,
    plan::{Dialect, Reading, Statement},
    record::{Record, Values},
    resolve::{AccessRow, DeclaredRule, GroupRow, Registry, Rights, RuleRow, SecurityRows},
    value::{Id, Value},
    values,
};

/// Models whose external ids are looked up at a start.
const OWN: [&str; 3] = ["res.groups", "ir.model.access", "ir.rule"];

impl Env {
    /// Makes records of the app's groups, rights and rules that were never made. Answers with the external ids of new
    /// groups. What people changed or deleted since stays so.
    pub(super) async fn load_groups(&mut self, registry: &Registry, app: &str) -> Result<BTreeSet<String>, Error> {
        let declared = &registry.declared;
        let own = |key: &str| key.split_once('.').is_some_and(|(of, _)| of == app);
        let mut known = self.known_of(&OWN).await?;

        let groups = declared.groups.iter().filter(|group| own(&group.key) && !known.contains_key(&group.key));
        let groups: Vec<_> = groups.collect();
        let categories = self.load_categories(groups.iter().map(|group| group.category.as_str()).collect()).await?;
        let rows = groups.iter().map(|group| {
            let values = values! {
                "name" => &group.name,
                "category_id" => categories.get(&group.category).copied(),
                "comment" => Some(group.comment.as_str()).filter(|text| !text.is_empty()),
                "share" => group.share,
            };
            (group.key.clone(), values)
        });
        let rows = rows.collect();
        self.make(&mut known, "res.groups", rows).await?;
        let implied = groups.iter().flat_map(|group| group.implies.iter().map(move |other| (&group.key, other)));
        let implied: Vec<(Id, Id)> = implied.filter_map(|(a, b)| Some((*known.get(a)?, *known.get(b)?))).collect();
        self.link("res_groups_implied_rel", "gid", "hid", &implied).await?;

        let access = declared.access.iter().filter(|access| own(&access.key) && !known.contains_key(&access.key));
        let access: Vec<_> = access.collect();
        let rules = declared.rules.iter().filter(|rule| own(&rule.key) && !known.contains_key(&rule.key));
        let rules: Vec<_> = rules.collect();
        let models = match access.is_empty() && rules.is_empty() {
            true => HashMap::new(),
            false => self.model_ids().await?,
        };
        let mut rows = Vec::new();
        for access in access {
            // Its group was deleted by an administrator: without one it would hold for everybody.
            let group = access.group.as_ref().map(|key| known.get(key).copied());
            let model = access.model.as_ref().map(|model| models.get(model).copied());
            if group == Some(None) || model == Some(None) {
                continue;
            }
            let values = permissions(access.rights)
                .with("name", &access.name)
                .with("model_id", model.flatten())
                .with("group_id", group.flatten());
            rows.push((access.key.clone(), values));
        }
        self.make(&mut known, "ir.model.access", rows).await?;

        let there = |rule: &&&DeclaredRule| rule.groups.iter().all(|key| known.contains_key(key));
        let rules: Vec<_> = rules.iter().filter(there).filter(|rule| models.contains_key(&rule.model)).collect();
        let rows = rules.iter().map(|rule| {
            let values = permissions(rule.operations)
                .with("name", &rule.name)
                .with("model_id", models.get(&rule.model).copied())
                .with("domain_force", &rule.domain);
            (rule.key.clone(), values)
        });
        let rows = rows.collect();
        self.make(&mut known, "ir.rule", rows).await?;
        let of_groups = rules.iter().flat_map(|rule| rule.groups.iter().map(move |group| (&rule.key, group)));
        let of_groups: Vec<(Id, Id)> = of_groups.filter_map(|(a, b)| Some((*known.get(a)?, *known.get(b)?))).collect();
        self.link("rule_group_rel", "rule_group_id", "group_id", &of_groups).await?;
        Ok(groups.into_iter().map(|group| group.key.clone()).collect())
    }

    /// The categories of these names, made where there is none.
    async fn load_categories(&mut self, names: BTreeSet<&str>) -> Result<HashMap<String, Id>, Error> {
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let domain = domain!(["name", "in", names.clone()]);
        let found = self.search_read("ir.module.category", &domain, &["name"], Search::order("id")).await?;
        let mut known: HashMap<String, Id> = found.iter().map(|row| (row.get_str("name").to_owned(), row.id)).collect();
        let new: Vec<&str> = names.into_iter().filter(|name| !known.contains_key(*name)).collect();
        if !new.is_empty() {
            let rows = new.iter().map(|name| values! { "name" => *name }).collect();
            let made = self.create_many("ir.module.category", rows).await?;
            known.extend(new.into_iter().map(str::to_owned).zip(made));
        }
        Ok(known)
    }

    /// Puts users into the groups that name them, where the user or the group is new.
    pub(super) async fn load_members(&mut self, registry: &Registry, new: &BTreeSet<String>) -> Result<(), Error> {
        let Some(principals) = &registry.principals else { return Ok(()) };
        let groups = &registry.declared.groups;
        let pairs = groups.iter().flat_map(|group| group.users.iter().map(move |user| (&group.key, user)));
        let pairs: Vec<_> = pairs.filter(|(group, user)| new.contains(*group) || new.contains(*user)).collect();
        if pairs.is_empty() {
            return Ok(());
        }
        let known = self.known_of(&["res.groups", &principals.model]).await?;
        let pairs = pairs.iter().filter_map(|(group, user)| Some((*known.get(*group)?, *known.get(*user)?)));
        let pairs: Vec<(Id, Id)> = pairs.collect();
        self.link("res_groups_users_rel", "gid", "uid", &pairs).await
    }

    async fn model_ids(&mut self) -> Result<HashMap<String, Id>, Error> {
        let found = self.search_read("ir.model", &domain!(), &["model"], Search::order("id")).await?;
        Ok(found.iter().map(|record| (record.get_str("model").to_owned(), record.id)).collect())
    }

    /// Records of these models by their external ids.
    async fn known_of(&mut self, models: &[&str]) -> Result<HashMap<String, Id>, Error> {
        let domain = domain!(["model", "in", models.to_vec()]);
        let found =
            self.search_read("ir.model.data", &domain, &["module", "name", "res_id"], Search::order("id")).await?;
        let entry = |record: &Record| {
            let key = format!("{}.{}", record.get_str("module"), record.get_str("name"));
            Some((key, Id(record.get::<i64>("res_id").ok()?)))
        };
        Ok(found.iter().filter_map(entry).collect())
    }

    async fn make(
        &mut self,
        known: &mut HashMap<String, Id>,
        model: &'static str,
        rows: Vec<(String, Values)>,
    ) -> Result<(), Error> {
        let (keys, rows): (Vec<String>, Vec<Values>) = rows.into_iter().unzip();
        if keys.is_empty() {
            return Ok(());
        }
        let made = self.create_many(model, rows).await?;
        let data = keys.iter().zip(&made).map(|(key, id)| {
            let (app, name) = key.split_once('.').unwrap_or_default();
            values! { "module" => app, "name" => name, "model" => model, "res_id" => id.0, "noupdate" => true }
        });
        self.create_many("ir.model.data", data.collect()).await?;
        known.extend(keys.into_iter().zip(made));
        Ok(())
    }

    /// What the tables of rights are made of, as this transaction sees it.
    pub(super) async fn security_rows(&mut self) -> Result<SecurityRows, Error> {
        let keys: HashMap<Id, String> =
            self.known_of(&["res.groups"]).await?.into_iter().map(|(key, id)| (id, key)).collect();
        let mut rows = SecurityRows::default();
        let fields = ["name", "category_id.name"];
        for group in self.search_read("res.groups", &domain!(), &fields, Search::order("id")).await? {
            rows.groups.push(GroupRow {
                id: group.id,
                key: keys.get(&group.id).cloned(),
                name: group.get_str("name").to_owned(),
                category: group.get_str("category_id.name").to_owned(),
            });
        }
        let active = domain!(["active", "=", true]);
        let fields = ["name", "model_id.model", "group_id", "perm_read", "perm_write", "perm_create", "perm_unlink"];
        for access in self.search_read("ir.model.access", &active, &fields, Search::order("id")).await? {
            rows.access.push(AccessRow {
                name: access.get_str("name").to_owned(),
                model: Some(access.get_str("model_id.model").to_owned()).filter(|name| !name.is_empty()),
                group: access.get("group_id").ok(),
                rights: allowed(&access),
            });
        }
        let fields =
            ["name", "model_id.model", "domain_force", "perm_read", "perm_write", "perm_create", "perm_unlink"];
        for rule in self.search_read("ir.rule", &active, &fields, Search::order("id")).await? {
            rows.rules.push(RuleRow {
                id: rule.id,
                name: rule.get_str("name").to_owned(),
                model: rule.get_str("model_id.model").to_owned(),
                domain: rule.get_str("domain_force").to_owned(),
                operations: allowed(&rule),
            });
        }
        rows.implied = self.links("res_groups_implied_rel", "gid", "hid").await?;
        rows.rule_groups = self.links("rule_group_rel", "rule_group_id", "group_id").await?;
        Ok(rows)
    }

    /// All pairs of a link table.
    pub(super) async fn links(&mut self, table: &str, a: &str, b: &str) -> Result<Vec<(Id, Id)>, Error> {
        let sql = format!(r#"SELECT "{a}", "{b}" FROM "{table}" ORDER BY 1, 2"#);
        let statement = Statement { sql, values: Parameters(Vec::new()) };
        let rows = self.query(statement, &[Reading::Id, Reading::Id]).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| match row[..] {
                [Value::Id(a), Value::Id(b)] => Some((a, b)),
                _ => None,
            })
            .collect())
    }

    /// What a link table says of one record.
    pub(super) async fn linked(&mut self, table: &str, own: &str, other: &str, id: Id) -> Result<Vec<Id>, Error> {
        let mark = self.place(1);
        let sql = format!(r#"SELECT "{other}" FROM "{table}" WHERE "{own}" = {mark} ORDER BY 1"#);
        let statement = Statement { sql, values: Parameters(vec![id.0.into()]) };
        Ok(super::env::ids(self.query(statement, &[Reading::Id]).await?))
    }

    async fn link(&mut self, table: &str, a: &str, b: &str, pairs: &[(Id, Id)]) -> Result<(), Error> {
        for pair in pairs {
            let (first, second) = (self.place(1), self.place(2));
            let sql = format!(
                r#"INSERT INTO "{table}" ("{a}", "{b}") VALUES ({first}, {second}) ON CONFLICT DO NOTHING RETURNING "{a}""#
            );
            let statement = Statement { sql, values: Parameters(vec![pair.0.0.into(), pair.1.0.into()]) };
            self.ready_to_write().await?;
            self.query(statement, &[Reading::Id]).await?;
        }
        Ok(())
    }

    fn place(&self, number: usize) -> String {
        match self.dialect() {
            Dialect::Sqlite => "?".to_owned(),
            Dialect::Postgres => format!("${number}"),
        }
    }
}

fn permissions(rights: Rights) -> Values {
    values! {
        "perm_read" => rights.read,
        "perm_write" => rights.write,
        "perm_create" => rights.create,
        "perm_unlink" => rights.unlink,
    }
}

fn allowed(record: &Record) -> Rights {
    let has = |field: &str| *record.value(field) == Value::Bool(true);
    Rights { create: has("perm_create"), read: has("perm_read"), write: has("perm_write"), unlink: has("perm_unlink") }
}
