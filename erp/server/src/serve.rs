//! `erp serve`: the wiring.
//!
//! ```text
//! port(s) --mqtt--> hub --inbound--> ingest --> engine
//!    \--http--> web, pages --> services --> engine;  services --> hub (down), bus --> pages
//! ```

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use erp_engine::{Engine, Search, domain};
use futures_util::future::BoxFuture;
use link_protocol::ids::DbName;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    accounts,
    boxes::Boxes,
    bus::Bus,
    ca::Authority,
    cli::Serve,
    commands::Commands,
    config::Config,
    control,
    enrol::{self, Enrolment},
    events::Events,
    hub::{Authorize, Denied, Identity, Inbound, Limits, Link, Star},
    ingest::{self, Ingest},
    jobs, keys,
    mdns::Announcement,
    names,
    place::{self, Place},
    port::{self, Kind, Port, Services},
    post,
    rpc::Rpc,
    sessions::Sessions,
    state::AppState,
    tills::Tills,
    vault::Vault,
    web,
};

/// Messages between hub and ingest; while it is full the hub reads from no box.
const INBOUND: usize = 4096;
/// Pieces of scheduled and queued work done at the same time.
const JOB_WORKERS: usize = 2;
/// For ingest to finish what the hub handed over before the end.
const DRAIN_TIME: Duration = Duration::from_secs(10);

pub async fn run(args: Serve) -> anyhow::Result<()> {
    // First, so that a signal during the start ends it in order too.
    let stop = stop_on_signal()?;
    let place = Place::claim(&args.place)?;
    let engine = place.open().await?;
    let Some(db) = place::setting(&engine, place::DB_NAME).await? else {
        bail!("{} holds no database yet: run erp init", place.describe());
    };
    let db: DbName = db.parse().context("the setting database.name is damaged")?;
    let vault = Vault::load_existing(&place.data)?;
    let control = control::listen(&place.data)?;
    let listener = port::listen(args.listen).await?;
    let mqtt_listener = match args.mqtt_listen {
        Some(address) => Some(port::listen(address).await?),
        None => None,
    };
    // Port 0 becomes a real one here.
    let (listen, mqtt_listen) =
        (listener.local_addr()?, mqtt_listener.as_ref().map(TcpListener::local_addr).transpose()?);
    let config = Arc::new(names::config(&engine, &args, db, &place, listen, mqtt_listen).await?);
    // Links in mails lead there.
    if place::setting(&engine, "web.base.url.freeze").await?.is_none() {
        place::set(&engine, accounts::BASE_URL, &config.public_url).await?;
    }
    let ca = Arc::new(keys::authority(&engine, &vault, &config).await?);

    let (server, ingest, inbound) = Server::build(&engine, &config, &ca, &vault)?;
    server.state.boxes.all_offline().await?;
    let own = keys::own_certificate(&engine, &vault, &config, &ca).await?;
    let web_pair = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => keys::from_files(cert, key)?,
        _ => crate::ca::chain(&own)?,
    };
    let services = Services {
        router: web::router(server.state.clone()),
        star: server.star.clone(),
        web: port::web_tls(web_pair)?,
        enrol: port::enrol_tls(crate::ca::chain(&own)?)?,
        mqtt: port::mqtt_tls(crate::ca::chain(&own)?, ca.client_ca_der())?,
        public_url: config.public_url.clone(),
    };

    let mut tasks = JoinSet::new();
    // Ends after the ports, so that what they took is stored.
    let stop_ingest = CancellationToken::new();
    let ingest = tokio::spawn(ingest.run(inbound, stop_ingest.clone()));
    tasks.spawn(server.state.commands.clone().run(stop.clone()));
    tasks.spawn(post::run(engine.clone(), place.identity(), stop.clone()));
    tasks.spawn(control::run(control, engine.clone(), stop.clone()));
    for _ in 0..JOB_WORKERS {
        tasks.spawn(jobs::run(engine.clone(), stop.clone()));
    }
    tasks.spawn(Port::new(listener, Kind::Both, services.clone()).run(stop.clone()));
    if let Some(listener) = mqtt_listener {
        tasks.spawn(Port::new(listener, Kind::Mqtt, services.clone()).run(stop.clone()));
    }
    let announced = Announcement::start(&config);
    ready(&config, listen);

    stop.cancelled().await;
    tracing::info!("Stopping.");
    sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
    drop(announced);
    server.star.shut_down();
    while tasks.join_next().await.is_some() {}
    stop_ingest.cancel();
    if tokio::time::timeout(DRAIN_TIME, ingest).await.is_err() {
        tracing::warn!("Some messages of boxes were left; the boxes will send them again.");
    }
    engine.close().await;
    Ok(())
}

pub(crate) struct Server {
    pub(crate) state: AppState,
    pub(crate) star: Star,
}

impl Server {
    pub(crate) fn build(
        engine: &Engine,
        config: &Arc<Config>,
        ca: &Arc<Authority>,
        vault: &Vault,
    ) -> anyhow::Result<(Self, Ingest, mpsc::Receiver<Inbound>)> {
        let (inbound_tx, inbound) = mpsc::channel(INBOUND);
        let authorize = Arc::new(Paired { engine: engine.clone(), db: config.db.clone() });
        let star = Star::new(Limits::default(), authorize, inbound_tx);
        let link: Arc<dyn Link> = Arc::new(star.clone());
        let bus = Bus::default();
        let boxes = Boxes::new(engine.clone(), Arc::clone(&link), bus.clone());
        let commands = Commands::new(engine.clone(), Arc::clone(&link), bus.clone());
        let enrol = Enrolment::new(enrol::Parts {
            engine: engine.clone(),
            config: Arc::clone(config),
            ca: Arc::clone(ca),
            vault: vault.clone(),
            bus: bus.clone(),
            link: Arc::clone(&link),
        });
        let ingest = Ingest::new(ingest::Parts {
            engine: engine.clone(),
            link: Arc::clone(&link),
            bus: bus.clone(),
            boxes: boxes.clone(),
            commands: commands.clone(),
        });
        let sessions = Sessions::new(engine.clone())?;
        let rpc = Rpc::new(engine.clone(), sessions.clone())?;
        let state = AppState {
            config: Arc::clone(config),
            engine: engine.clone(),
            bus,
            link,
            ca: Arc::clone(ca),
            sessions,
            events: Events::new(engine.clone()),
            tills: Tills::new(engine.clone(), Arc::clone(config), Arc::clone(ca), boxes.clone(), commands.clone()),
            boxes,
            enrol,
            commands,
            rpc,
        };
        Ok((Self { state, star }, ingest, inbound))
    }
}

/// A certificate opens a session while its box is paired, and only the one issued last.
struct Paired {
    engine: Engine,
    db: DbName,
}

impl std::fmt::Debug for Paired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Paired")
    }
}

impl Authorize for Paired {
    fn authorize<'a>(&'a self, identity: &'a Identity) -> BoxFuture<'a, Result<DbName, Denied>> {
        Box::pin(async move {
            let look = async {
                let mut env = self.engine.superuser("admit a box").await?;
                let mine = domain!(["box_id", "=", identity.box_id.as_str()], ["state", "=", "paired"]);
                env.search_read("iot.box", &mine, &["client_serial"], Search::default()).await
            };
            match look.await {
                Ok(found) if found.first().is_some_and(|r| r.get_str("client_serial") == identity.serial) => {
                    Ok(self.db.clone())
                }
                Ok(_) => Err(Denied::Unpaired),
                Err(error) => {
                    tracing::error!(%error, r#box.id = %identity.box_id, "A box could not be looked up.");
                    Err(Denied::Unavailable)
                }
            }
        })
    }
}

fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        stopped.cancel();
    });
    Ok(stop)
}

fn ready(config: &Config, listen: SocketAddr) {
    tracing::info!(url = %config.public_url, %listen, database.name = %config.db, "Ready.");
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
}
