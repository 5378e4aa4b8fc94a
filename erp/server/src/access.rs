//! Who may do what, beyond the engine's own rights; and the record of what was done.

use erp_engine::{Engine, Env, Search, Uid, domain, values};
use jiff::Timestamp;
use link_protocol::ids::BoxId;

use crate::{error::ServiceError, sessions::SYSTEM};

/// For what has no record to hang a right on (making a token, listing boxes that ask).
pub(crate) async fn require_admin(engine: &Engine, uid: Uid) -> Result<(), ServiceError> {
    let admin = engine.principal(uid).await?.has_group(SYSTEM);
    if admin { Ok(()) } else { Err(ServiceError::Forbidden("only administrators may do this".to_owned())) }
}

/// One line that stays.
pub(crate) async fn audit(
    env: &mut Env,
    action: &str,
    by: Option<Uid>,
    box_id: Option<&BoxId>,
    text: &str,
) -> Result<(), ServiceError> {
    let mut values = values! {
        "action" => action,
        "user" => by,
        "subject" => text.chars().take(1000).collect::<String>(),
        "at" => Timestamp::now(),
    };
    if let Some(box_id) = box_id {
        let found = env.search("iot.box", &domain!(["box_id", "=", box_id.as_str()]), Search::default()).await?;
        values.set("box", found.first().copied());
    }
    env.create("iot.audit", values).await?;
    Ok(())
}
