//! The box's end of the link: pairing, the session with the ERP, and what follows from a change of either.
//!
//! ```text
//! no pairing ── code or token ──► paired ── session runs ──┬─ unpaired at the box (goodbye) ──┐
//!      ▲                                                   └─ unpaired at the ERP ────────────┤
//!      └────────────────────── pairing cleared, unsent events stay ◄──────────────────────────┘
//! ```

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use cloud_link::{
    enrol::{About, EnrolConfig, EnrolError, EnrolStatus, Enroller},
    identity::Identity,
    outbox::Outbox,
    pairing::{Pairing, PairingStore},
    session::{self, IncomingCommand, LinkStatus, SessionConfig, SessionEnd, SessionHandles},
    tls::BoxCertificate,
};
use link_protocol::{ids::PairingId, up::Live};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    names::Names,
    router::{Order, Router},
    settings::SettingsStore,
    supervisor::{Exit, Restart, Supervisor, Unit},
};

/// How long unpairing waits for the session to say goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpairError {
    #[error("the box is not paired")]
    NotPaired,
    #[error("the session did not end: try again, or restart the box")]
    Stuck,
    #[error("the unsent events cannot be counted: {0}")]
    Outbox(#[from] cloud_link::outbox::OutboxError),
}

/// What unpairing left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpaired {
    pub(crate) erp_name: String,
    /// Events of that pairing that stay on the box.
    pub(crate) unsent: u64,
}

/// Asks the link's tasks; cheap to clone behind an `Arc`.
pub(crate) struct Link {
    pub(crate) identity: Identity,
    pub(crate) store: PairingStore,
    pub(crate) certificate: Arc<BoxCertificate>,
    pub(crate) names: watch::Sender<Names>,
    pub(crate) settings: SettingsStore,
    outbox: Outbox,
    enroller: ArcSwapOption<Enroller>,
    enrol: watch::Sender<EnrolStatus>,
    status: watch::Receiver<LinkStatus>,
    /// Ends the session that runs now with a goodbye.
    unpair: StdMutex<CancellationToken>,
    /// How the last pairing ended, in words, until there is a new one.
    ended: watch::Sender<Option<String>>,
    handles: Mutex<SessionHandles>,
    certificate_names: ArcSwap<Vec<String>>,
}

/// The ends of the link that others hold.
pub(crate) struct Ends {
    pub(crate) state: watch::Receiver<link_protocol::up::State>,
    pub(crate) live: mpsc::Receiver<Live>,
    pub(crate) commands: mpsc::Sender<IncomingCommand>,
}

impl Link {
    pub(crate) fn new(
        identity: Identity,
        store: PairingStore,
        certificate: Arc<BoxCertificate>,
        names: Names,
        settings: SettingsStore,
        outbox: Outbox,
        ends: Ends,
    ) -> Self {
        let (status_tx, status) = watch::channel(LinkStatus::Disconnected { why: "not paired".into(), next_try: None });
        let enrol = match store.current() {
            Some(pairing) => {
                EnrolStatus::Paired { erp_name: pairing.grant.erp_name.clone(), erp_url: pairing.grant.erp_url.clone() }
            }
            None => EnrolStatus::NoErp { message: "looking for an ERP".into() },
        };
        let certificate_names = ArcSwap::from_pointee(names_in_certificate(store.current().as_deref()));
        let unpair = CancellationToken::new();
        let handles = SessionHandles {
            outbox: outbox.clone(),
            state: ends.state,
            live: ends.live,
            commands: ends.commands,
            status: status_tx,
            unpair: unpair.clone(),
        };
        Self {
            identity,
            store,
            certificate,
            names: watch::Sender::new(names),
            settings,
            outbox,
            enroller: ArcSwapOption::empty(),
            enrol: watch::Sender::new(enrol),
            status,
            unpair: StdMutex::new(unpair),
            ended: watch::Sender::new(None),
            handles: Mutex::new(handles),
            certificate_names,
        }
    }

    /// What people call the box.
    pub(crate) fn box_name(&self) -> String {
        box_name(&self.settings, &self.store, &self.identity)
    }

    /// Names in the certificate that browsers see.
    pub(crate) fn certificate_names(&self) -> Arc<Vec<String>> {
        self.certificate_names.load_full()
    }

    pub(crate) fn enrol_status(&self) -> watch::Receiver<EnrolStatus> {
        self.enrol.subscribe()
    }

    pub(crate) fn session_status(&self) -> watch::Receiver<LinkStatus> {
        self.status.clone()
    }

    pub(crate) fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    pub(crate) fn new_code(&self) {
        match &*self.enroller.load() {
            Some(enroller) => enroller.ask_again(),
            None => tracing::warn!("a new pairing code was asked for before enrolment runs"),
        }
    }

    pub(crate) async fn pair(&self, token: &str) -> Result<Arc<Pairing>, EnrolError> {
        let enroller = self.enroller.load_full();
        let Some(enroller) = enroller else {
            return Err(EnrolError::Refused("The box is still starting: try again in a moment.".into()));
        };
        enroller.with_token(token).await
    }

    /// Unsent events that would stay behind, with the ERP's name.
    pub(crate) async fn before_unpair(&self) -> Result<Unpaired, UnpairError> {
        let pairing = self.store.current().ok_or(UnpairError::NotPaired)?;
        let unsent = unsent_of(&self.outbox, &pairing.grant.pairing).await?;
        Ok(Unpaired { erp_name: pairing.grant.erp_name.clone(), unsent })
    }

    /// Says goodbye to the ERP if it is there, and forgets the pairing in any case.
    pub(crate) async fn unpair(&self) -> Result<Unpaired, UnpairError> {
        let pairing = self.store.current().ok_or(UnpairError::NotPaired)?;
        let mut store = self.store.subscribe();
        self.unpair.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        let other =
            |now: &Option<Arc<Pairing>>| now.as_ref().is_none_or(|now| now.grant.pairing != pairing.grant.pairing);
        match tokio::time::timeout(GOODBYE_WITHIN, store.wait_for(other)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return Err(UnpairError::Stuck),
        }
        let unsent = unsent_of(&self.outbox, &pairing.grant.pairing).await?;
        Ok(Unpaired { erp_name: pairing.grant.erp_name.clone(), unsent })
    }

    /// Starts the link's units.
    pub(crate) fn start(
        self: &Arc<Self>,
        supervisor: &Supervisor,
        commands: mpsc::Receiver<IncomingCommand>,
        router: Arc<Router>,
        erp_hint: Option<String>,
    ) {
        let link = self.clone();
        supervisor.start(Unit::new("enrolment", Restart::DEFAULT, move |cancel| {
            enrolment(link.clone(), erp_hint.clone(), cancel)
        }));
        let link = self.clone();
        supervisor.start(Unit::new("session", Restart::DEFAULT, move |cancel| sessions(link.clone(), cancel)));
        let link = self.clone();
        supervisor.start(Unit::new("certificate", Restart::DEFAULT, move |cancel| certificate(link.clone(), cancel)));
        let commands = Arc::new(Mutex::new(commands));
        supervisor.start(Unit::new("commands", Restart::DEFAULT, move |cancel| {
            let (commands, router) = (commands.clone(), router.clone());
            async move {
                let mut commands = commands.lock().await;
                loop {
                    let command = tokio::select! {
                        () = cancel.cancelled() => return Exit::Finished,
                        command = commands.recv() => command,
                    };
                    let Some(IncomingCommand { id, device, deadline, body }) = command else {
                        return Exit::Finished;
                    };
                    router.spawn_begun(Order { id, device, body, deadline });
                }
            }
        }));
    }
}

/// A name given at the box, else the one given by the ERP, else one made of the id.
pub(crate) fn box_name(settings: &SettingsStore, store: &PairingStore, identity: &Identity) -> String {
    let own = settings.current().name.clone();
    if !own.is_empty() {
        return own;
    }
    match store.current() {
        Some(pairing) => pairing.grant.box_name.clone(),
        None => format!("IoT Box {}", short_id(identity)),
    }
}

/// Enough of the box id for people to tell two boxes apart.
pub(crate) fn short_id(identity: &Identity) -> String {
    identity.box_id().as_str().chars().take(6).collect::<String>().to_uppercase()
}

async fn unsent_of(outbox: &Outbox, pairing: &PairingId) -> Result<u64, cloud_link::outbox::OutboxError> {
    let all = outbox.unsent_by_pairing().await?;
    Ok(all.into_iter().find(|(id, _)| id == pairing).map_or(0, |(_, unsent)| unsent))
}

fn names_in_certificate(pairing: Option<&Pairing>) -> Vec<String> {
    let facts = pairing.and_then(|p| crate::certificate::facts(&p.grant.server_certificate));
    facts.map(|f| f.dns_names).unwrap_or_default()
}

/// Keeps an [`Enroller`] for the ERP address of the settings; a change of that begins a new one.
async fn enrolment(link: Arc<Link>, erp_hint: Option<String>, cancel: CancellationToken) -> Exit {
    let mut settings = link.settings.watch();
    loop {
        let erp_url = settings.borrow_and_update().erp_url.clone().or_else(|| erp_hint.clone());
        let about = link.clone();
        let config = EnrolConfig {
            identity: link.identity.clone(),
            store: link.store.clone(),
            about: Arc::new(move || {
                let names = about.names.borrow();
                About {
                    name: about.box_name(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    addresses: names.certificate_names(),
                    https_port: names.port(),
                }
            }),
            erp_url: erp_url.clone(),
            mdns: true,
        };
        let (enroller, asked) = Enroller::new(config);
        let mut status = enroller.status();
        link.enroller.store(Some(Arc::new(enroller.clone())));
        let round = cancel.child_token();
        let running = enroller.run(asked, round.clone());
        tokio::pin!(running);
        loop {
            let now = status.borrow_and_update().clone();
            announce(&link.enrol, now);
            tokio::select! {
                () = cancel.cancelled() => {
                    running.await;
                    return Exit::Finished;
                }
                () = &mut running => return Exit::Failed("enrolment ended by itself".into()),
                Ok(()) = status.changed() => {}
                Ok(()) = settings.changed() => {
                    let now = settings.borrow().erp_url.clone().or_else(|| erp_hint.clone());
                    if now != erp_url {
                        round.cancel();
                        running.await;
                        break;
                    }
                }
            }
        }
    }
}

/// A code goes to the log once: that is the screen of a box without one.
fn announce(status: &watch::Sender<EnrolStatus>, now: EnrolStatus) {
    status.send_if_modified(|before| {
        if *before == now {
            return false;
        }
        match &now {
            EnrolStatus::ShowingCode { code, erp_url, .. } => {
                tracing::info!(
                    code,
                    erp.url = erp_url,
                    "pairing code: type it under IoT boxes > Connect within five minutes"
                );
            }
            EnrolStatus::Paired { erp_name, erp_url } => {
                tracing::info!(erp.name = erp_name, erp.url = erp_url, "box is paired");
            }
            EnrolStatus::NoErp { message } => tracing::info!(message, "no ERP to pair with yet"),
            EnrolStatus::Unreachable { erp_url, message } => {
                tracing::warn!(erp.url = erp_url, message, "ERP cannot be reached for pairing");
            }
            EnrolStatus::CodeGone { why } => tracing::info!(?why, "pairing code is gone"),
        }
        *before = now;
        true
    });
}

/// One session after the other, each for the pairing of its time.
async fn sessions(link: Arc<Link>, cancel: CancellationToken) -> Exit {
    let mut handles = link.handles.lock().await;
    let mut store = link.store.subscribe();
    loop {
        let pairing = store.borrow_and_update().clone();
        if let Err(error) = link.outbox.set_pairing(pairing.as_ref().map(|p| p.grant.pairing.clone())).await {
            return Exit::Failed(error.to_string());
        }
        let Some(pairing) = pairing else {
            tokio::select! {
                () = cancel.cancelled() => return Exit::Finished,
                changed = store.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Exit::Finished,
                },
            }
        };
        link.ended.send_replace(None);
        let unpair = CancellationToken::new();
        unpair.clone_into(&mut link.unpair.lock().unwrap_or_else(PoisonError::into_inner));
        handles.unpair = unpair;
        let erp_name = pairing.grant.erp_name.clone();
        let config = SessionConfig::new(link.identity.clone(), pairing);
        let why = match session::run(config, &mut handles, cancel.clone()).await {
            SessionEnd::Cancelled => return Exit::Finished,
            SessionEnd::Unpaired { message } => {
                tracing::info!(erp.message = message, "ERP ended the pairing");
                format!("{erp_name} ended the pairing. Ask for a new code to pair again.")
            }
            SessionEnd::SaidGoodbye { delivered: true } => format!("Unpaired from {erp_name} at the box."),
            SessionEnd::SaidGoodbye { delivered: false } => {
                format!("Unpaired from {erp_name} at the box. {erp_name} could not be told: remove the box there, too.")
            }
            SessionEnd::Unusable { message } => {
                // Kept, so that a person sees what is wrong; unpairing it is still possible.
                link.ended.send_replace(Some(format!("The pairing cannot be used: {message}.")));
                tokio::select! {
                    () = cancel.cancelled() => return Exit::Finished,
                    changed = store.changed() => match changed {
                        Ok(()) => continue,
                        Err(_) => return Exit::Finished,
                    },
                    () = handles.unpair.cancelled() => format!("Unpaired from {erp_name} at the box."),
                }
            }
        };
        tracing::info!(why, "pairing ended");
        link.ended.send_replace(Some(why));
        if let Err(error) = link.store.clear() {
            return Exit::Failed(error.to_string());
        }
    }
}

/// New connections of browsers get the certificate of the pairing; without one the box signs its own addresses.
async fn certificate(link: Arc<Link>, cancel: CancellationToken) -> Exit {
    let mut store = link.store.subscribe();
    let mut look = tokio::time::interval(Duration::from_secs(30));
    loop {
        let paired = tokio::select! {
            () = cancel.cancelled() => return Exit::Finished,
            changed = store.changed() => match changed {
                Ok(()) => true,
                Err(_) => return Exit::Finished,
            },
            _ = look.tick() => false,
        };
        let listen = link.names.borrow().listen();
        let moved = link.names.send_if_modified(|names| {
            let now = Names::of_machine(listen);
            let moved = *names != now;
            *names = now;
            moved
        });
        if paired || (moved && !link.certificate.is_issued()) {
            let pairing = store.borrow_and_update().clone();
            link.certificate_names.store(Arc::new(names_in_certificate(pairing.as_deref())));
            let names = link.names.borrow().certificate_names();
            if let Err(error) = link.certificate.reload(pairing.as_ref().map(|p| &p.grant), &names) {
                return Exit::Failed(error.to_string());
            }
            tracing::info!(issued = link.certificate.is_issued(), "certificate for browsers replaced");
        }
    }
}
