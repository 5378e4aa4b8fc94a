//! Behaviour that apps bring in Rust: methods, computed fields, hooks, checks, onchange, jobs. All of it stands in tables
//! by name, so that what can be called is known, and nothing else can be.

use std::{collections::BTreeMap, fmt, sync::Arc};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::{
    Domain,
    domain::{Op, Operand},
    error::Error,
    execute::Env,
    record::Values,
    value::{FromValue, Id, Value},
};

pub type Done<'a, T = ()> = BoxFuture<'a, Result<T, Error>>;

/// What an app's Rust side offers. Empty for an app made of data alone.
#[derive(Clone, Default)]
pub struct Code {
    pub methods: Vec<Method>,
    /// Functions that computed fields name.
    pub computes: BTreeMap<String, ComputeFn>,
    /// (model, computed field, how a search on it becomes one on stored fields)
    pub searches: Vec<(String, String, SearchFn)>,
    /// (model, computed field, what writing to it does)
    pub inverses: Vec<(String, String, InverseFn)>,
    /// (model, hook)
    pub hooks: Vec<(String, Hook)>,
    /// (model, fields, check): run when a record is made or one of the fields was written.
    pub checks: Vec<(String, Vec<String>, CheckFn)>,
    /// (model, field, what changes in a form when the field does)
    pub onchanges: Vec<(String, String, OnchangeFn)>,
    /// (model, field, default): defaults that need the database.
    pub defaults: Vec<(String, String, DefaultFn)>,
    pub jobs: Vec<Job>,
    /// Work that [`Env::enqueue`] names. Must be idempotent towards everything but the database.
    pub tasks: BTreeMap<String, TaskFn>,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({} methods, {} computes)", self.methods.len(), self.computes.len())
    }
}

/// Behaviour is no data: declarations that differ in it alone count as equal.
impl PartialEq for Code {
    fn eq(&self, _: &Code) -> bool {
        true
    }
}

pub type MethodFn = for<'a> fn(&'a mut Env, Call) -> Done<'a, Json>;
/// A value of one record from its dependencies alone.
pub type PureFn = fn(&Inputs<'_>) -> Result<Value, Error>;
/// Values for saved records, in their order; for counts and sums that need queries.
pub type QueryFn = for<'a> fn(&'a mut Env, Records<'a>) -> Done<'a, Vec<Value>>;
pub type SearchFn = for<'a> fn(&'a mut Env, Op, Operand) -> Done<'a, Domain>;
pub type InverseFn = for<'a> fn(&'a mut Env, Records<'a>, Value) -> Done<'a>;
pub type CheckFn = for<'a> fn(&'a mut Env, Records<'a>) -> Done<'a>;
pub type OnchangeFn = for<'a> fn(&'a mut Env, &'a mut Draft) -> Done<'a>;
pub type DefaultFn = for<'a> fn(&'a mut Env) -> Done<'a, Value>;
/// With what was put in the queue.
pub type TaskFn = for<'a> fn(&'a mut Env, Json) -> Done<'a>;
pub type JobFn = for<'a> fn(&'a mut Env) -> Done<'a>;

/// Records of one model: of the model that takes a mixin, where the behaviour is the mixin's.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    pub model: &'a str,
    pub ids: &'a [Id],
}

/// What became of a field with `tracking` in one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    pub id: Id,
    pub field: String,
    pub old: Value,
    pub new: Value,
}

#[derive(Clone, Copy)]
pub enum ComputeFn {
    Pure(PureFn),
    Query(QueryFn),
}

/// What happens around a change of records, with the rights of who changes them.
#[derive(Clone, Copy)]
pub enum Hook {
    /// May change what will be stored. With the model's name.
    BeforeCreate(for<'a> fn(&'a mut Env, &'a str, &'a mut Vec<Values>) -> Done<'a>),
    AfterCreate(for<'a> fn(&'a mut Env, Records<'a>) -> Done<'a>),
    BeforeWrite(for<'a> fn(&'a mut Env, Records<'a>, &'a mut Values) -> Done<'a>),
    /// With the names of the fields written.
    AfterWrite(for<'a> fn(&'a mut Env, Records<'a>, &'a [String]) -> Done<'a>),
    BeforeUnlink(for<'a> fn(&'a mut Env, Records<'a>) -> Done<'a>),
    AfterUnlink(for<'a> fn(&'a mut Env, Records<'a>) -> Done<'a>),
    /// After a write that changed fields with `tracking`, recomputed ones among them; only those that really changed.
    /// Not called where the context says `tracking_disable`.
    Tracked(for<'a> fn(&'a mut Env, &'a str, &'a [Tracked]) -> Done<'a>),
}

/// Whether a method is one of the model or takes records first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Model,
    Records,
}

/// A method that clients may call.
#[derive(Clone)]
pub struct Method {
    /// `*` for every model.
    pub model: String,
    pub name: String,
    pub on: On,
    pub params: Vec<Param>,
    /// Changes nothing, so that it may run on a reader's connection.
    pub readonly: bool,
    pub doc: &'static str,
    pub run: MethodFn,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: &'static str,
    /// Nothing: it must be given.
    pub default: Option<Json>,
}

/// One call, its arguments by name.
#[derive(Clone, Debug)]
pub struct Call {
    pub model: Arc<str>,
    pub ids: Vec<Id>,
    /// A single id was given instead of a list.
    pub single: bool,
    pub args: Map<String, Json>,
}

impl Call {
    /// An argument as a Rust type.
    pub fn arg<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let json = self.args.get(name).cloned().unwrap_or(Json::Null);
        serde_json::from_value(json)
            .map_err(|error| Error::Argument { name: name.to_owned(), problem: error.to_string() })
    }

    /// The same, nothing for null and false, which older clients say for it.
    pub fn opt<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        match self.args.get(name) {
            None | Some(Json::Null | Json::Bool(false)) => Ok(None),
            Some(_) => self.arg(name).map(Some),
        }
    }

    /// The one record of the call.
    pub fn one(&self) -> Result<Id, Error> {
        match self.ids[..] {
            [id] => Ok(id),
            _ => Err(Error::User(format!("this takes one record, not {}", self.ids.len()))),
        }
    }
}

/// What a computed field's function sees: the values at the paths that the field depends on. A path through a list of
/// records has one value for each of them.
pub struct Inputs<'a> {
    pub id: Option<Id>,
    paths: &'a [String],
    values: &'a [Vec<Value>],
    pub context: &'a crate::Context,
}

impl<'a> Inputs<'a> {
    pub fn new(
        id: Option<Id>,
        paths: &'a [String],
        values: &'a [Vec<Value>],
        context: &'a crate::Context,
    ) -> Inputs<'a> {
        Inputs { id, paths, values, context }
    }

    pub fn list(&self, path: &str) -> &'a [Value] {
        self.paths.iter().position(|known| known == path).map_or(&[], |at| self.values[at].as_slice())
    }

    pub fn value(&self, path: &str) -> &'a Value {
        self.list(path).first().unwrap_or(&Value::Null)
    }

    /// The value as a Rust type; nothing when it is empty or of another kind.
    pub fn get<T: FromValue>(&self, path: &str) -> Option<T> {
        match self.value(path) {
            Value::Null => None,
            value => T::from_value(value),
        }
    }

    pub fn str(&self, path: &str) -> &'a str {
        match self.value(path) {
            Value::Text(text) => text,
            _ => "",
        }
    }
}

/// A record in a form, not saved yet: what onchange functions look at and change.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub model: Arc<str>,
    /// Nothing while the record is new.
    pub id: Option<Id>,
    pub values: Values,
    /// Names of what functions have set.
    pub changed: Vec<String>,
    /// (title, message) told to the person.
    pub warnings: Vec<(String, String)>,
}

impl Draft {
    pub fn value(&self, field: &str) -> &Value {
        self.values.get(field).unwrap_or(&Value::Null)
    }

    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.values.set(field.to_owned(), value);
        if !self.changed.iter().any(|known| known == field) {
            self.changed.push(field.to_owned());
        }
    }

    pub fn warn(&mut self, title: &str, message: impl Into<String>) {
        self.warnings.push((title.to_owned(), message.into()));
    }
}

/// Work that runs by itself. Must be idempotent: it is tried again when it failed or the program was stopped.
#[derive(Clone, Debug)]
pub struct Job {
    /// Technical name, such as `mail.send_queue`; people see and change its schedule as a record.
    pub name: String,
    pub label: String,
    pub every_s: u32,
    /// Runs for the first time after so long a time, and not at once.
    pub waits: bool,
    pub run: JobFn,
}

impl Code {
    pub fn new() -> Code {
        <Code as Default>::default()
    }

    pub fn method(mut self, method: Method) -> Code {
        self.methods.push(method);
        self
    }

    pub fn pure(mut self, name: &str, function: PureFn) -> Code {
        self.computes.insert(name.to_owned(), ComputeFn::Pure(function));
        self
    }

    pub fn query(mut self, name: &str, function: QueryFn) -> Code {
        self.computes.insert(name.to_owned(), ComputeFn::Query(function));
        self
    }

    pub fn search(mut self, model: &str, field: &str, function: SearchFn) -> Code {
        self.searches.push((model.to_owned(), field.to_owned(), function));
        self
    }

    pub fn inverse(mut self, model: &str, field: &str, function: InverseFn) -> Code {
        self.inverses.push((model.to_owned(), field.to_owned(), function));
        self
    }

    pub fn hook(mut self, model: &str, hook: Hook) -> Code {
        self.hooks.push((model.to_owned(), hook));
        self
    }

    pub fn check(mut self, model: &str, fields: &[&str], function: CheckFn) -> Code {
        let fields = fields.iter().map(|&s| s.to_owned()).collect();
        self.checks.push((model.to_owned(), fields, function));
        self
    }

    pub fn onchange(mut self, model: &str, field: &str, function: OnchangeFn) -> Code {
        self.onchanges.push((model.to_owned(), field.to_owned(), function));
        self
    }

    pub fn default(mut self, model: &str, field: &str, function: DefaultFn) -> Code {
        self.defaults.push((model.to_owned(), field.to_owned(), function));
        self
    }

    /// The name is the app's own, such as `mail.send`.
    pub fn task(mut self, name: &str, run: TaskFn) -> Code {
        self.tasks.insert(name.to_owned(), run);
        self
    }

    pub fn job(mut self, name: &str, label: &str, every_s: u32, run: JobFn) -> Code {
        self.jobs.push(Job { name: name.to_owned(), label: label.to_owned(), every_s, waits: false, run });
        self
    }

    /// The same, for the first time when the interval has passed: for sweeping up what gathers meanwhile.
    pub fn sweep(mut self, name: &str, label: &str, every_s: u32, run: JobFn) -> Code {
        self.jobs.push(Job { name: name.to_owned(), label: label.to_owned(), every_s, waits: true, run });
        self
    }
}

impl Method {
    pub fn on_model(model: &str, name: &str, run: MethodFn) -> Method {
        Method::new(model, name, On::Model, run)
    }

    pub fn on_records(model: &str, name: &str, run: MethodFn) -> Method {
        Method::new(model, name, On::Records, run)
    }

    fn new(model: &str, name: &str, on: On, run: MethodFn) -> Method {
        Method { model: model.to_owned(), name: name.to_owned(), on, params: Vec::new(), readonly: false, doc: "", run }
    }

    /// A parameter that must be given.
    pub fn param(mut self, name: &'static str) -> Method {
        self.params.push(Param { name, default: None });
        self
    }

    pub fn optional(mut self, name: &'static str, default: impl Into<Json>) -> Method {
        self.params.push(Param { name, default: Some(default.into()) });
        self
    }

    pub fn readonly(mut self) -> Method {
        self.readonly = true;
        self
    }

    pub fn doc(mut self, text: &'static str) -> Method {
        self.doc = text;
        self
    }
}
