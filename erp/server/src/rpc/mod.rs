//! The external API: XML-RPC, JSON-RPC, sessions and JSON-2, as existing clients speak them. All of them end in the
//! engine's one call by model and method.
//!
//! ```text
//! rpc_http (/xmlrpc, /jsonrpc) -> services (common, object, db) -\
//! dataset (/web/session, /web/dataset)  ------------------------> execute -> engine
//! transfer (/base_import, /web/export)  -------------------------> execute, erp-apps
//! json2 (/json/2, /doc-bearer)  --------------------------------/
//! ```

mod dataset;
mod execute;
mod fault;
mod info;
mod json;
mod json2;
pub(crate) mod keys;
mod logins;
mod multipart;
mod routes;
mod services;
mod transfer;
mod version;
mod wire;
mod xml;

use std::sync::Arc;

use erp_engine::Engine;
pub(crate) use execute::Behalf;
pub(crate) use fault::{Class, Fault};
pub(crate) use logins::Logins;
pub(crate) use routes::ROUTES;
use tokio::sync::Semaphore;
use version::Version;

use crate::{error::ServiceError, place, sessions::Sessions};

/// Bodies of more than a megabyte that are held in memory at once.
const LARGE_AT_ONCE: usize = 2;

/// What the external API needs besides the engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rpc {
    pub(crate) logins: Logins,
    large: Arc<Semaphore>,
}

impl Rpc {
    pub(crate) fn new(engine: Engine, sessions: Sessions) -> Result<Rpc, ServiceError> {
        Ok(Rpc { logins: Logins::new(engine, sessions)?, large: Arc::new(Semaphore::new(LARGE_AT_ONCE)) })
    }
}

/// The version that clients are told.
pub(crate) async fn version(engine: &Engine) -> Version {
    match place::setting(engine, version::SETTING).await {
        Ok(Some(text)) => Version::parse(&text),
        _ => Version::default(),
    }
}

#[cfg(test)]
mod tests;
