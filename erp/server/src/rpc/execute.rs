//! One call, one transaction.

use std::time::Duration;

use erp_engine::{Engine, Env, Uid};
use serde_json::{Map, Value};

use super::Fault;
use crate::vault::random;

/// A call is tried this often when another transaction was in its way.
const TRIES: u32 = 5;
const FIRST_WAIT_MS: u64 = 10;

/// With whose rights a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behalf {
    pub(crate) uid: Uid,
    /// Somebody who works in superuser mode.
    pub(crate) superuser: bool,
    /// Somebody who works in developer mode.
    pub(crate) debug: bool,
}

impl Behalf {
    pub(crate) fn user(uid: Uid) -> Behalf {
        Behalf { uid, superuser: false, debug: false }
    }

    pub(crate) async fn begin(self, engine: &Engine) -> Result<Env, erp_engine::Error> {
        let mut env = match self.superuser {
            false => engine.begin(self.uid).await?,
            true => engine.superuser_as(self.uid, "a call in superuser mode").await?,
        };
        env.set_debug(self.debug);
        Ok(env)
    }
}

pub(crate) async fn execute(
    engine: &Engine,
    caller: Behalf,
    model: &str,
    method: &str,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
) -> Result<Value, Fault> {
    let mut tried = 0;
    loop {
        let mut env = caller.begin(engine).await?;
        if env.registry().method(model, method)?.readonly {
            return Ok(env.call(model, method, args, kwargs).await?);
        }
        // Nothing has left the transaction before its commit, so the same call can be made again.
        let error = match env.call(model, method, args.clone(), kwargs.clone()).await {
            Ok(answer) => match env.commit().await {
                Ok(()) => return Ok(answer),
                Err(error) => error,
            },
            Err(error) => {
                drop(env);
                error
            }
        };
        tried += 1;
        if !error.is_retryable() || tried >= TRIES {
            return Err(error.into());
        }
        tokio::time::sleep(wait(tried)).await;
    }
}

/// Longer each time, and by chance, so that two that met do not meet again.
fn wait(tried: u32) -> Duration {
    let chance = random::<1>().map_or(0, |[byte]| u64::from(byte));
    Duration::from_millis((FIRST_WAIT_MS << tried) * (128 + chance) / 256)
}
