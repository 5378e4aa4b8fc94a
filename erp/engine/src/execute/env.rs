use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Engine, Link,
    changes::{Mark, Pending},
    checks::Rechecks,
    compute::{Before, Marks},
};
use crate::{
    context::Context,
    error::{Error, Operation},
    plan::{Actor, Dialect, Planner, Principal, Reading, Statement},
    resolve::{ModelDef, Registry},
    translate::Terms,
    value::{Id, Uid, Value},
};

/// One transaction with one user's rights. After an error from the database, or a right found missing after something
/// was written, only `drop` is left.
pub struct Env {
    pub(super) engine: Engine,
    pub(super) registry: Arc<Registry>,
    pub(super) actor: Actor,
    pub(super) link: Link,
    pub(super) pending: Pending,
    /// The time of the transaction: defaults and stamps of one transaction agree.
    pub(super) now: Timestamp,
    failed: bool,
    savepoints: Vec<(Mark, Metadata)>,
    context: Context,
    /// Resolved anew in this transaction; everybody's after the commit.
    pub(super) rebuilt: Option<Arc<Registry>>,
    /// Changes of metadata that the registry has taken up already.
    pub(super) metadata_seen: usize,
    /// Computed fields that are not right any more; see [`compute`](super::compute).
    pub(super) marks: Marks,
    pub(super) settling: bool,
    pub(super) rechecks: Rechecks,
    pub(super) tracked: Before,
    /// Defaults that people set, by model; looked up once.
    pub(super) people_set: HashMap<Arc<str>, BTreeMap<String, serde_json::Value>>,
    /// Words of the language that was learnt last.
    pub(super) learnt: Option<(String, Arc<Terms>)>,
    /// Whether the person works in developer mode, which shows what is technical.
    pub(super) debug: bool,
}

/// The registry as it was; and if it was resolved anew in this transaction, with what.
type Metadata = (Arc<Registry>, Option<Arc<Registry>>, usize);

/// A place in a transaction to go back to; see [`Env::savepoint`].
#[must_use]
#[derive(Debug)]
pub struct Savepoint(usize);

/// An environment without limits, or with another's, for as long as this lives; see [`Env::sudo`] and
/// [`Env::rights_of`].
pub struct Sudo<'a> {
    env: &'a mut Env,
    actor: Actor,
}

impl std::ops::Deref for Sudo<'_> {
    type Target = Env;
    fn deref(&self) -> &Env {
        self.env
    }
}

impl std::ops::DerefMut for Sudo<'_> {
    fn deref_mut(&mut self) -> &mut Env {
        self.env
    }
}

impl Drop for Sudo<'_> {
    fn drop(&mut self) {
        std::mem::swap(&mut self.env.actor, &mut self.actor);
        self.env.align_rights();
    }
}

impl Env {
    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn set_context(&mut self, context: Context) {
        self.context = context;
    }

    /// The same transaction without limits, for what the system does by itself on behalf of the user. Records still say
    /// that he made or changed them.
    pub fn sudo(&mut self, reason: &str) -> Sudo<'_> {
        tracing::debug!(reason, who = %self.actor.who, "superuser rights in a transaction");
        let unlimited = Actor { uid: self.actor.uid, ..Actor::superuser(reason) };
        let actor = std::mem::replace(&mut self.actor, unlimited);
        Sudo { env: self, actor }
    }

    /// The same transaction with the rights of another user, for questions about what he may. He is known as he was when
    /// he was last committed.
    pub async fn rights_of(&mut self, uid: Uid) -> Result<Sudo<'_>, Error> {
        let principal = self.engine.principal(uid).await?;
        let actor = std::mem::replace(&mut self.actor, Actor::of(principal));
        Ok(Sudo { env: self, actor })
    }

    pub(super) fn on(engine: &Engine, mut link: Link, actor: Actor) -> Env {
        let now = Timestamp::now();
        let registry = engine.registry();
        link.set_version(registry.version);
        Env {
            engine: engine.clone(),
            registry,
            actor,
            link,
            pending: Pending::default(),
            now: Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now),
            failed: false,
            savepoints: Vec::new(),
            context: Context::default(),
            rebuilt: None,
            metadata_seen: 0,
            marks: Marks::default(),
            settling: false,
            rechecks: Rechecks::default(),
            tracked: Before::default(),
            people_set: HashMap::new(),
            learnt: None,
            debug: false,
        }
    }

    /// The user's rights by the groups and rules of the registry that this environment goes on with.
    pub(super) fn align_rights(&mut self) {
        if let Some(own) = &self.actor.rights
            && !Arc::ptr_eq(&own.security, &self.registry.security)
        {
            self.actor.rights = Some(own.under(&self.registry.security).into());
        }
    }

    /// Whose rights these are; nothing for the superuser.
    pub fn uid(&self) -> Option<Uid> {
        self.actor.uid
    }

    /// Whether the user is in the group with this external id; the superuser is in all.
    pub fn has_group(&self, key: &str) -> bool {
        self.actor.rights.as_ref().is_none_or(|own| own.has_group(key))
    }

    /// Developer mode: views and menus show what the group Technical Features is for.
    pub fn set_debug(&mut self, on: bool) {
        self.debug = on;
    }

    /// Whether a view shows what is for this group: of Technical Features only in developer mode.
    pub(crate) fn shows_to_group(&self, key: &str) -> bool {
        (self.debug || key != crate::kernel::TECHNICAL) && self.has_group(key)
    }

    pub(crate) fn is_debug(&self) -> bool {
        self.debug
    }

    /// What the user may; nothing for the superuser.
    pub fn principal(&self) -> Option<&Arc<Principal>> {
        self.actor.rights.as_ref()
    }

    /// The company that the user works in now.
    pub fn company(&self) -> Option<Id> {
        let own = || self.actor.rights.as_ref().and_then(|own| own.company);
        self.context.companies.first().copied().or_else(own)
    }

    /// The companies that the user works in now, the current one first.
    pub fn companies(&self) -> Vec<Id> {
        let asked = &self.context.companies;
        self.actor.rights.as_ref().map_or_else(|| asked.clone(), |own| own.companies_now(asked))
    }

    /// Whether this transaction made, changed or deleted records of the model.
    pub(crate) fn has_changed(&self, model: &str) -> bool {
        self.pending.touches(model)
    }

    /// The record counts as changed, though none of its columns is.
    pub(crate) fn touch(&mut self, model: &ModelDef, id: Id) {
        self.pending.add(&model.name, super::ChangeKind::Written, [id]);
    }

    /// What messages call the user.
    pub fn who(&self) -> &str {
        &self.actor.who
    }

    /// Time of the transaction, which its stamps and defaults carry.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Makes it lasting, then tells the listeners. Once begun it runs to its end, even when the caller goes away: a
    /// commit that nobody hears of would leave pages showing what was before.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.check_usable()?;
        self.tell_tracked().await?;
        self.refresh_if_touched().await?;
        self.tell_tracked().await?;
        self.guard_rights().await?;
        let Env { engine, actor, mut link, pending, rebuilt, .. } = self;
        if !link.is_open() {
            return Ok(());
        }
        let changes = pending.into_changes(actor.uid);
        let work = tokio::spawn(async move {
            if rebuilt.is_some() {
                link.tell_other_processes().await?;
            }
            link.commit().await?;
            if let Some(registry) = rebuilt {
                engine.swap(registry);
            }
            engine.announce(changes);
            Ok(())
        });
        work.await.unwrap_or(Err(Error::Aborted))
    }

    pub(super) fn planner<'r>(&'r self, registry: &'r Registry) -> Planner<'r> {
        Planner::new(registry, &self.actor, self.link.dialect()).in_context(&self.context, self.now)
    }

    pub(super) fn store(&self) -> Result<super::store::Store, Error> {
        self.engine.db().store()
    }

    pub(super) fn check_usable(&self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Aborted);
        }
        match &self.actor.rights {
            Some(own) if !self.context.companies.is_empty() => self.check_companies(own),
            _ => Ok(()),
        }
    }

    /// A request may name companies that its user may work in, and no others.
    fn check_companies(&self, own: &Principal) -> Result<(), Error> {
        let has_companies =
            self.registry.principals.as_ref().is_some_and(|principals| principals.companies_field.is_some());
        let Some(id) = self.context.companies.iter().find(|id| !own.companies.contains(id)) else { return Ok(()) };
        if !has_companies {
            return Ok(());
        }
        Err(Error::AccessDenied {
            who: own.login.to_string(),
            operation: Operation::Read,
            model: format!("company {id}"),
            why: "it is not one of this user's companies; choose another one or ask an administrator".to_owned(),
        })
    }

    /// Something was written that must not stay. It is rolled back now: whoever holds on to this environment must not
    /// keep other writers waiting.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.failed = true;
        // Somebody will go back to before the failure.
        if self.savepoints.is_empty() {
            self.link.abandon();
        }
        error
    }

    /// A place to go back to when what follows fails: everything after it can be undone without the rest. They are given
    /// back in the reverse order, those left over together with the one before.
    pub async fn savepoint(&mut self) -> Result<Savepoint, Error> {
        self.ready_to_write().await?;
        // What is marked now would be forgotten if it were computed later and that taken back.
        self.settle().await?;
        let at = self.savepoints.len();
        self.link.run(format!("SAVEPOINT s{at}")).await?;
        let metadata = (self.registry.clone(), self.rebuilt.clone(), self.metadata_seen);
        self.savepoints.push((self.pending.mark(), metadata));
        Ok(Savepoint(at))
    }

    /// What was done since stays, as far as the transaction does.
    pub async fn release(&mut self, savepoint: Savepoint) -> Result<(), Error> {
        self.check_usable()?;
        self.savepoints.truncate(savepoint.0);
        match self.link.run(format!("RELEASE SAVEPOINT s{}", savepoint.0)).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Nothing that was done since stays, and what failed since is forgotten.
    pub async fn rollback_to(&mut self, savepoint: Savepoint) -> Result<(), Error> {
        let at = savepoint.0;
        let kept = self.savepoints.drain(at..).next();
        if let Some((mark, metadata)) = kept {
            self.pending.back_to(&mark);
            (self.registry, self.rebuilt, self.metadata_seen) = metadata;
            self.align_rights();
        }
        self.failed = false;
        // All of them are of what is taken back now. Tracked fields are compared with what is there in the end.
        self.marks = Marks::default();
        self.rechecks.clear();
        match self.link.run(format!("ROLLBACK TO SAVEPOINT s{at}; RELEASE SAVEPOINT s{at}")).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    pub(super) async fn ready_to_write(&mut self) -> Result<(), Error> {
        self.check_usable()?;
        self.link.ready_to_write().await
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.link.dialect()
    }

    /// Sees every computed field as it must be.
    pub(super) async fn query(&mut self, statement: Statement, readings: &[Reading]) -> Result<Vec<Vec<Value>>, Error> {
        if !self.marks.is_empty() {
            self.settle().await?;
        }
        self.query_unsettled(statement, readings).await
    }

    /// For what no computed field matters to.
    pub(super) async fn query_unsettled(
        &mut self,
        statement: Statement,
        readings: &[Reading],
    ) -> Result<Vec<Vec<Value>>, Error> {
        self.check_usable()?;
        match self.link.query(statement, readings).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.judge(error).await),
        }
    }

    /// Who began before apps or fields were changed may name what is gone by now.
    async fn judge(&mut self, error: Error) -> Error {
        if error.is_stale_plan() {
            self.link.forget_statements().await;
            return self.fail(Error::Outdated);
        }
        if !error.is_about_schema() {
            return self.fail(error);
        }
        // Asked of the database: the swap comes shortly after the commit, and maybe in another process.
        if self.savepoints.is_empty() {
            self.link.abandon();
        }
        let now = self.engine.stored_version().await.unwrap_or_default();
        let outdated = self.rebuilt.is_none() && now != self.registry.version;
        self.fail(if outdated { Error::Outdated } else { error })
    }

    /// A statement that changes `model` and answers with ids.
    pub(super) async fn change(&mut self, model: &ModelDef, statement: Statement) -> Result<Vec<Id>, Error> {
        self.ready_to_write().await?;
        let rows = match self.query_unsettled(statement, &[Reading::Id]).await {
            Ok(rows) => rows,
            Err(error) => return Err(error.about(&self.registry, &self.words(), model)),
        };
        Ok(ids(rows))
    }

    /// A statement that changes `model`, and how many records it did.
    pub(super) async fn change_count(&mut self, model: &ModelDef, statement: Statement) -> Result<u64, Error> {
        self.ready_to_write().await?;
        match self.link.execute(statement).await {
            Ok(count) => Ok(count),
            Err(error) => Err(self.judge(error).await.about(&self.registry, &self.words(), model)),
        }
    }

    pub(super) async fn number(&mut self, statement: Statement) -> Result<u64, Error> {
        if !self.marks.is_empty() {
            self.settle().await?;
        }
        self.number_unsettled(statement).await
    }

    pub(super) async fn number_unsettled(&mut self, statement: Statement) -> Result<u64, Error> {
        let rows = self.query_unsettled(statement, &[Reading::Int]).await?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        })
    }
}

pub(super) fn ids(rows: Vec<Vec<Value>>) -> Vec<Id> {
    rows.into_iter()
        .filter_map(|row| match row.first() {
            Some(Value::Id(id)) => Some(*id),
            _ => None,
        })
        .collect()
}
