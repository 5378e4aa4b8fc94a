//! Before a commit that touches users or groups: somebody who gives rights must be left, and nobody gives himself more
//! than he has.

use super::{Env, Search};
use crate::{
    domain,
    domain::{Domain, Op},
    error::Error,
    resolve::PrincipalsDef,
    value::{Id, Uid},
};

impl Env {
    /// Under the lock that changes of metadata take, so that two administrators cannot remove each other at once.
    pub(super) async fn guard_rights(&mut self) -> Result<(), Error> {
        let registry = self.registry().clone();
        let Some(principals) = &registry.principals else { return Ok(()) };
        if !(self.pending.touches(&principals.model) || self.pending.touches("res.groups")) {
            return Ok(());
        }
        // As he was before this transaction: within it he may have made his groups imply others.
        let who = self.actor.rights.as_ref().map(|own| own.uid);
        let done = self.sudo("rights after a change of users").judge_rights(principals, who).await;
        done.map_err(|error| self.fail(error))
    }

    async fn judge_rights(&mut self, principals: &PrincipalsDef, who: Option<Uid>) -> Result<(), Error> {
        let row = self.search("ir.registry", &domain!(), Search::order("id").limit(1)).await?;
        if let Some(row) = row.first() {
            self.read_for_update("ir.registry", *row, &["version"]).await?;
        }
        let Some(key) = &principals.keeper else { return self.no_gift_to_himself(who).await };
        let keeper = self.by_external_id(key).await?;
        let there = Domain::leaf("id", Op::In, keeper.as_slice());
        let Some(keeper) = self.search("res.groups", &there, Search::default()).await?.first().copied() else {
            return Err(Error::User(format!("the group {key} must not be deleted: its users give rights to others")));
        };
        let members = self.active_members(principals, keeper).await?;
        if members.is_empty() {
            let name = self.group_name(keeper);
            return Err(Error::User(format!(
                "no active user would be left in {name}, and nobody could give rights any more; put another user in first"
            )));
        }
        let Some(uid) = who else { return Ok(()) };
        let engine = self.engine.clone();
        if engine.principal(uid).await?.has_group(key) {
            return Ok(());
        }
        let before = engine.superuser("who was in the group").await?.active_members(principals, keeper).await?;
        if members.iter().any(|member| !before.contains(member)) {
            let name = self.group_name(keeper);
            return Err(Error::User(format!("only users of {name} may put others into it; ask one of them")));
        }
        self.no_gift_to_himself(who).await
    }

    async fn no_gift_to_himself(&mut self, who: Option<Uid>) -> Result<(), Error> {
        let Some(uid) = who else { return Ok(()) };
        let before = self.engine.clone().principal(uid).await?.group_ids();
        let direct = self.linked("res_groups_users_rel", "uid", "gid", Id(uid.0)).await?;
        let registry = self.registry().clone();
        let security = &registry.security;
        let after = security.implied(direct);
        let new = after.iter().map(|at| &security.groups[at]).find(|group| !before.contains(&group.id));
        match new {
            Some(group) => Err(Error::User(format!(
                "nobody can give himself rights: {} must come from another administrator",
                group.full_name
            ))),
            None => Ok(()),
        }
    }

    /// Active users who are in the group, by itself or by one that implies it.
    async fn active_members(&mut self, principals: &PrincipalsDef, group: Id) -> Result<Vec<Id>, Error> {
        let implied = self.links("res_groups_implied_rel", "gid", "hid").await?;
        let mut groups = vec![group];
        let mut at = 0;
        while let Some(group) = groups.get(at).copied() {
            let into: Vec<Id> = implied.iter().filter(|(_, other)| *other == group).map(|(own, _)| *own).collect();
            let new: Vec<Id> = into.into_iter().filter(|own| !groups.contains(own)).collect();
            groups.extend(new);
            at += 1;
        }
        let mut members = Vec::new();
        for group in groups {
            members.extend(self.linked("res_groups_users_rel", "gid", "uid", group).await?);
        }
        let active = domain!(["id", "in", members], [principals.active_field.clone(), "=", true]);
        self.search(&principals.model, &active, Search::order("id")).await
    }

    fn group_name(&self, group: Id) -> String {
        let security = &self.registry().security;
        security.group_of_id(group).map_or_else(String::new, |at| security.groups[at].full_name.clone())
    }
}
