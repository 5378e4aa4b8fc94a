//! What the server itself keeps, declared as apps declare.

use erp_engine::{
    Env, Error, Search,
    declare::{App, Code, Field, Model, OnDelete},
    domain,
};
use jiff::SignedDuration;

use crate::{accounts, rpc};

pub fn app() -> App {
    let app = App::new("web", "Web")
        .depends(&["base", "iot"])
        .model(
            Model::extend("iot.box")
                .field(Field::char_len("client_serial", 64).readonly().help("Of its MQTT certificate")),
        )
        .model(Model::extend("iot.token").field(Field::bytes("sealed").secret()))
        .model(epochs())
        .model(sessions())
        .code(Code::new().sweep("web.sweep_sessions", "Remove sessions that have ended", 86_400, |env| {
            Box::pin(sweep_sessions(env))
        }));
    accounts::declare(rpc::keys::declare(app))
}

/// A key that was asked for is made at once or never.
const ASKED_AGE: SignedDuration = SignedDuration::from_hours(24);

async fn sweep_sessions(env: &mut Env) -> Result<(), Error> {
    let now = env.now();
    let old = now.checked_sub(ASKED_AGE).unwrap_or(now);
    let mut gone = vec![("web.session", domain!(["expires_at", "<", now]))];
    gone.extend(rpc::keys::ASKED_FOR.map(|model| (model, domain!(["create_date", "<", old]))));
    for (model, gone) in gone {
        let ids = env.search(model, &gone, Search::default()).await?;
        env.unlink(model, &ids).await?;
    }
    Ok(())
}

fn epochs() -> Model {
    Model::new("iot.epoch", "Event Position")
        .description("How far each life of a box's outbox is committed here")
        .without_log_access()
        .field(Field::many2one("box", "iot.box").required().ondelete(OnDelete::Cascade))
        .field(Field::char_len("epoch", 64).required())
        .field(Field::char_len("pairing_id", 64))
        .field(Field::integer("seq").required())
        .unique(&["box", "epoch"], "this position is here already")
}

fn sessions() -> Model {
    Model::new("web.session", "Web Session")
        .without_log_access()
        .field(Field::char_len("token_hash", 64).required().unique().secret())
        .field(Field::char_len("csrf", 64).required().secret())
        .field(Field::many2one("user", "res.users").required().ondelete(OnDelete::Cascade))
        .field(Field::datetime("expires_at").required().index())
        .field(Field::char_len("address", 64))
        .field(Field::boolean("superuser"))
        .field(Field::char_len("debug", 32).label("Developer Mode"))
}
