//! The one call behind every external API: a model, a method, arguments; JSON in and out, in the shapes that existing
//! clients know.
//!
//! ```text
//! Env::call -> methods (the table) -> bind (arguments by name) -> the method's function -> JSON
//! ```

mod bind;
mod describe;
mod export;
mod external;
mod fields;
mod groups;
mod import;
mod methods;
mod panel;
mod reading;
mod rights;
mod standard;
mod translations;
mod web;
pub(crate) mod wire;
mod writing;

pub use describe::Described;
pub(crate) use fields::describe as describe_fields;
pub use import::Loaded;
pub(crate) use methods::Methods;
use serde_json::{Map, Value as Json};
pub(crate) use writing::{value_of, values as values_of};

use crate::{
    context::Context,
    declare::Method,
    error::Error,
    execute::Env,
    resolve::{Registry, shorten},
};

impl Env {
    /// Runs what [`Registry::method`] finds. `context` among the named arguments becomes the environment's.
    pub async fn call(
        &mut self,
        model: &str,
        method: &str,
        args: Vec<Json>,
        mut kwargs: Map<String, Json>,
    ) -> Result<Json, Error> {
        let registry = self.registry().clone();
        let found = registry.method(model, method)?;
        let name = registry.model(model)?.name.clone();
        match kwargs.remove("context") {
            None | Some(Json::Null | Json::Bool(false)) => {}
            Some(Json::Object(sent)) => self.set_context(Context::from_json(sent)),
            Some(_) => {
                return Err(Error::Argument { name: "context".to_owned(), problem: "it must be an object".to_owned() });
            }
        }
        self.learn_words().await?;
        let call = bind::bind(found, name, args, kwargs)?;
        (found.run)(self, call).await
    }
}

impl Registry {
    /// A method that clients may call. Names that begin with an underscore are nobody's business outside.
    pub fn method(&self, model: &str, method: &str) -> Result<&Method, Error> {
        if method.starts_with('_') {
            return Err(Error::PrivateMethod { model: shorten(model), method: shorten(method) });
        }
        let model = self.model(model)?;
        self.methods
            .find(model, method)
            .ok_or_else(|| Error::NoSuchMethod { model: model.name.to_string(), method: shorten(method) })
    }
}
