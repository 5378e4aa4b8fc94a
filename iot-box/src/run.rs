//! The daemon, put together. Read this first: everything that runs is started here.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};

use cloud_link::{
    identity::Identity,
    outbox::{self, Outbox},
    pairing::PairingStore,
    tls::BoxCertificate,
};
use tokio::{
    net::{TcpListener, UnixListener},
    signal::unix::{SignalKind, signal},
    sync::{Mutex, mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, listener::TlsListener},
    app::{App, Daemon, Doors},
    clock::now_ms,
    control,
    data_dir::DataDir,
    fleet::{self, Fleet, Ports, Roster, Table},
    hub::Hub,
    link::{Ends, Link},
    names::Names,
    payments::{self, Journal, Payments},
    router::Router,
    settings::SettingsStore,
    state,
    supervisor::{Exit, Restart, Supervisor, Unit},
    technician::Password,
    ticket::Tickets,
};

/// Messages between two parts that may wait.
const QUEUE: usize = 64;

pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    pub(crate) sim: Option<PathBuf>,
    pub(crate) erp: Option<String>,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(dir: DataDir, options: Options) -> Result<(), String> {
    let started = Instant::now();
    // Scans, keys and what SQLite puts beside them are this user's alone, whatever folder they lie in.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let _lock = dir.take().map_err(|e| e.to_string())?;

    // What lies on disk.
    let settings = SettingsStore::open(dir.settings());
    let password = Password::load_or_create(&dir.technician_password()).map_err(|e| e.to_string())?;
    let identity = Identity::load_or_create(dir.path()).map_err(|e| e.to_string())?;
    let store = PairingStore::open(dir.path()).map_err(|e| e.to_string())?;
    let outbox = Outbox::open(dir.path(), outbox::Options::default()).map_err(|e| e.to_string())?;
    let paired = store.current().map(|p| p.grant.pairing.clone());
    outbox.set_pairing(paired).await.map_err(|e| e.to_string())?;
    let journal = Journal::open(dir.payments(), now_ms()).map_err(|e| e.to_string())?;
    let payments = Arc::new(Payments::new(journal));

    // The local API's address and certificate.
    let tcp = TcpListener::bind(options.listen)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}; choose another address with --listen", options.listen))?;
    let listen = tcp.local_addr().map_err(|e| e.to_string())?;
    let names = Names::of_machine(listen);
    let socket = dir.control_socket();
    let control = control::bind(&socket).map_err(|e| format!("cannot make {}: {e}", socket.display()))?;
    let certificate =
        BoxCertificate::new(&identity, store.current().as_ref().map(|p| &p.grant), &names.certificate_names())
            .map_err(|e| e.to_string())?;
    let tls = certificate.server_config().map_err(|e| e.to_string())?;

    // Channels between the parts.
    let supervisor = Supervisor::new();
    let (changes_tx, changes) = mpsc::channel(QUEUE);
    let (live_tx, live) = mpsc::channel(QUEUE);
    let (commands_tx, commands) = mpsc::channel(QUEUE);
    let state_tx = Arc::new(watch::Sender::new(state::empty()));
    let table_tx = watch::Sender::new(Arc::new(Table::default()));
    let router = Arc::new(Router::new(outbox.clone(), Arc::new(Hub::new()), table_tx.subscribe(), payments));
    let ends = Ends { state: state_tx.subscribe(), live, commands: commands_tx };
    let link = Arc::new(Link::new(identity, store, certificate, names, settings.clone(), outbox, ends));
    let ending = CancellationToken::new();
    let app: App = Arc::new(Daemon {
        box_id: link.identity.box_id().clone(),
        tickets: Tickets::new(link.clone(), router.clone(), password.clone()),
        link: link.clone(),
        router: router.clone(),
        settings: settings.clone(),
        health: supervisor.health(),
        password,
        doors: std::sync::Mutex::new(Doors::new(started).map_err(|e| e.to_string())?),
        started,
        ending: ending.clone(),
    });

    // The local API first: the box serves the till with no ERP and no device.
    let serving = tokio::spawn(TlsListener::new(tcp, tls).serve(api::router(app.clone()), ending.clone()));
    start_units(&supervisor, &app, (control, socket), state_tx, live_tx);
    start_fleet(&supervisor, options.sim, settings, router.clone(), changes_tx, changes, table_tx);
    router.resume().await;
    link.start(&supervisor, commands, router.clone(), options.erp);

    tracing::info!(
        address = %listen,
        box.id = %app.box_id,
        box.name = app.link.box_name(),
        urls = ?app.link.names.borrow().urls(),
        start_ms = started.elapsed().as_millis() as u64,
        "box is ready"
    );
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "systemd could not be told");
    }

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("box stops");
    drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
    // Listeners go first, then devices and the session; commands that run are brought to their end and recorded.
    ending.cancel();
    supervisor.stop().await;
    drop(tokio::time::timeout(std::time::Duration::from_secs(5), router.finish()).await);
    drop(tokio::time::timeout(std::time::Duration::from_secs(2), serving).await);
    // Nothing would be lost without it; with it the next start has nothing to recover.
    match tokio::time::timeout(std::time::Duration::from_secs(5), router.outbox().close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the outbox did not close well"),
        Err(_) => tracing::warn!("the outbox did not close in time"),
    }
    Ok(())
}

fn start_units(
    supervisor: &Supervisor,
    app: &App,
    (control, socket): (UnixListener, PathBuf),
    state: Arc<watch::Sender<link_protocol::up::State>>,
    live: mpsc::Sender<link_protocol::up::Live>,
) {
    let (asked, control) = (app.clone(), Arc::new(control));
    supervisor.start(Unit::new("control", Restart::DEFAULT, move |cancel| {
        control::serve(asked.clone(), control.clone(), socket.clone(), cancel)
    }));
    let (link, router) = (app.link.clone(), app.router.clone());
    supervisor.start(Unit::new("state", Restart::DEFAULT, move |cancel| {
        state::publish(link.clone(), router.clone(), state.clone(), cancel)
    }));
    let router = app.router.clone();
    supervisor
        .start(Unit::new("live", Restart::DEFAULT, move |cancel| state::live(router.clone(), live.clone(), cancel)));
    let tickets = app.tickets.clone();
    supervisor.start(Unit::new("status ticket", Restart::DEFAULT, move |cancel| {
        let tickets = tickets.clone();
        async move { tickets.on_first_ready(cancel).await }
    }));
    let doors = app.clone();
    supervisor.start(Unit::new("doors", Restart::DEFAULT, move |cancel| close_doors(doors.clone(), cancel)));
}

/// Tokens were given under a pairing and end with it.
async fn close_doors(app: App, cancel: CancellationToken) -> Exit {
    let mut pairing = app.link.store.subscribe();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Exit::Finished,
            changed = pairing.changed() => match changed {
                Ok(()) => app.doors().tokens.clear(),
                Err(_) => return Exit::Finished,
            },
        }
    }
}

fn start_fleet(
    supervisor: &Supervisor,
    sim: Option<PathBuf>,
    settings: SettingsStore,
    router: Arc<Router>,
    changes_tx: mpsc::Sender<drivers::PortChange>,
    changes: mpsc::Receiver<drivers::PortChange>,
    table: watch::Sender<Arc<Table>>,
) {
    let fleet = Fleet {
        changes,
        settings: settings.watch(),
        supervisor: supervisor.clone(),
        io: Arc::new(drivers::io::System),
        router,
        table,
    };
    let (asker, watched, told) = (fleet.router.clone(), settings.clone(), changes_tx.clone());
    supervisor.start(Unit::new("payment terminals", Restart::DEFAULT, move |cancel| {
        payments::ports::report(watched.watch(), told.clone(), cancel)
    }));
    supervisor.start(Unit::new("payments", Restart::DEFAULT, move |cancel| {
        asker.payments().clone().keep_asking(asker.clone(), cancel)
    }));
    let fleet = Arc::new(Mutex::new((fleet, Roster::new())));
    supervisor.start(Unit::new("fleet", Restart::DEFAULT, move |cancel| {
        let fleet = fleet.clone();
        async move {
            let (fleet, roster) = &mut *fleet.lock().await;
            fleet.run(roster, cancel).await;
            Exit::Finished
        }
    }));
    supervisor.start(Unit::new("discovery", Restart::DEFAULT, move |cancel| {
        let mut ports = Ports { settings: settings.watch(), sim: sim.clone(), changes: changes_tx.clone() };
        async move {
            fleet::find_ports(&mut ports, cancel).await;
            Exit::Finished
        }
    }));
}
