//! What the handlers of the local API and the homepage work with.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use link_protocol::ids::BoxId;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    api::tokens::{Nonces, Tokens},
    homepage::session::Sessions,
    link::Link,
    router::Router,
    settings::SettingsStore,
    supervisor::HealthTable,
    technician::{Attempts, Password},
    ticket::Tickets,
};

pub(crate) type App = Arc<Daemon>;

pub(crate) struct Daemon {
    pub(crate) box_id: BoxId,
    pub(crate) link: Arc<Link>,
    pub(crate) router: Arc<Router>,
    pub(crate) settings: SettingsStore,
    pub(crate) health: watch::Receiver<HealthTable>,
    pub(crate) password: Password,
    pub(crate) tickets: Tickets,
    pub(crate) doors: Mutex<Doors>,
    pub(crate) started: Instant,
    /// Fired when the daemon ends: listeners are let go.
    pub(crate) ending: CancellationToken,
}

/// Who was let in, and who tries.
pub(crate) struct Doors {
    pub(crate) nonces: Nonces,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) attempts: Attempts,
}

impl Doors {
    pub(crate) fn new(now: Instant) -> Result<Self, NoRandom> {
        Ok(Self {
            nonces: Nonces::new(now, random()?),
            tokens: Tokens::default(),
            sessions: Sessions::default(),
            attempts: Attempts::default(),
        })
    }
}

impl Daemon {
    /// Never held across an await.
    pub(crate) fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoRandom;

pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A command id for something the box itself asks a device.
pub(crate) fn own_command_id(what: &str) -> Result<link_protocol::ids::CommandId, NoRandom> {
    let text = format!("{what}-{}", data_encoding::HEXLOWER.encode(&random::<16>()?));
    text.parse().map_err(|_| NoRandom)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use cloud_link::{identity::Identity, outbox, pairing::PairingStore, tls::BoxCertificate};
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        fleet::Table,
        hub::Hub,
        link::Ends,
        names::Names,
        payments::{Journal, Payments},
        supervisor::Supervisor,
    };

    /// A daemon without units: what handlers see of one that has nothing to do.
    pub(crate) fn app(dir: &Path) -> App {
        let identity = Identity::load_or_create(dir).unwrap();
        let store = PairingStore::open(dir).unwrap();
        let options = outbox::Options { reserve_bytes: 0, ..outbox::Options::default() };
        let outbox = outbox::Outbox::open(dir, options).unwrap();
        let settings = SettingsStore::open(dir.join("settings.toml"));
        let password = Password::load_or_create(&dir.join("technician-password")).unwrap();
        let names = Names::of_machine("127.0.0.1:8443".parse().unwrap());
        let certificate = BoxCertificate::new(&identity, None, &names.certificate_names()).unwrap();
        let table = watch::Sender::new(Arc::new(Table::default()));
        let payments = Arc::new(Payments::new(Journal::open(dir.join("payments"), 0).unwrap()));
        let router = Arc::new(Router::new(outbox.clone(), Arc::new(Hub::new()), table.subscribe(), payments));
        let ends = Ends {
            state: watch::Sender::new(crate::state::empty()).subscribe(),
            live: mpsc::channel(1).1,
            commands: mpsc::channel(1).0,
        };
        let link = Arc::new(Link::new(identity, store, certificate, names, settings.clone(), outbox, ends));
        Arc::new(Daemon {
            box_id: link.identity.box_id().clone(),
            tickets: Tickets::new(link.clone(), router.clone(), password.clone()),
            link,
            router,
            settings,
            health: Supervisor::new().health(),
            password,
            doors: Mutex::new(Doors::new(Instant::now()).unwrap()),
            started: Instant::now(),
            ending: CancellationToken::new(),
        })
    }
}
