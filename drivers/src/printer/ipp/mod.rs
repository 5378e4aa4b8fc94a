//! Office printers and print servers by IPP (RFC 8011): pages as PDF or JPEG, and what became of them.
//!
//! ```text
//! waiting ──Print-Job──► accepted (job-id) ──Get-Job-Attributes──► completed: Printed
//!    │ no connection: Rejected     │ the answer is lost               aborted, cancelled: Unknown
//!    ▼                             ▼
//! (nothing sent)            Get-Jobs by the job's name ──► found: as above; not found: Unknown
//! ```

mod http;
mod message;
mod pages;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use self::{
    http::Failed,
    message::{GET_JOB_ATTRIBUTES, GET_JOBS, GET_PRINTER_ATTRIBUTES, PRINT_JOB, Request, Response},
    pages::Page,
};
use super::{
    Certainty, Command, EncodeError, encoder,
    profile::{Language, Profile},
    setup,
    status::Status,
};
use crate::{
    device::{
        BoxFuture, Class, Command as DeviceCommand, Condition, Device, DeviceCtx, DeviceError, Driver, Identity,
        OpenError, Outcome, Reason, Request as Asked, Score, Value,
    },
    io::Io,
    port::{PortInfo, PortKind},
};

const ASK_EVERY: Duration = Duration::from_millis(900);
/// A job of many pages takes minutes; longer than this nobody waits.
const PRINT_WITHIN: Duration = Duration::from_secs(240);
/// After a cut the printer is looked for this long.
const ASK_WITHIN: Duration = Duration::from_secs(20);
const MISSES: u32 = 5;

#[derive(Debug, Clone, Copy, Default)]
pub struct Ipp;

impl Driver for Ipp {
    fn name(&self) -> &'static str {
        "printer.ipp"
    }

    fn class(&self) -> Class {
        Class::Printer
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        let assigned = port.assigned.as_deref() == Some(self.name());
        matches!(port.kind, PortKind::Ipp { .. }).then_some(if assigned { Score::Assigned } else { Score::Model })
    }

    fn open<'a>(&'a self, port: &'a PortInfo, _: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let PortKind::Ipp { address, path } = &port.kind else {
                return Err(OpenError::Gone { path: port.id.0.clone() });
            };
            let mut printer = Printer::new(*address, path, port);
            match printer.ask().await {
                Ok(()) => Ok(Box::new(printer) as Box<dyn Device>),
                Err(Failed::Unreachable(source) | Failed::Broken(source)) => {
                    Err(OpenError::Unreachable { address: format!("ipp://{address}{path}"), source })
                }
            }
        })
    }
}

struct Printer {
    address: SocketAddr,
    path: String,
    uri: String,
    found: Profile,
    setup: setup::Setup,
    identity: Identity,
    /// MIME types.
    takes: Vec<String>,
    status: Status,
    number: u32,
}

impl Printer {
    fn new(address: SocketAddr, path: &str, port: &PortInfo) -> Self {
        let found = Profile::generic(Language::Ipp);
        Self {
            address,
            path: path.to_owned(),
            uri: format!("ipp://{address}{path}"),
            found,
            setup: setup::apply(found, &port.settings),
            identity: Identity {
                name: port.product.clone(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            },
            takes: Vec::new(),
            status: Status::default(),
            number: 0,
        }
    }

    fn request(&mut self, operation: u16) -> Request {
        self.number = self.number.wrapping_add(1).max(1);
        Request::new(operation, self.number, &self.uri)
    }

    async fn call(&self, request: Request, document: &[u8]) -> Result<Response, Failed> {
        let answer = http::post(self.address, &self.path, &request.bytes(), document).await?;
        let no_ipp = || Failed::Broken(std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is no IPP"));
        message::parse(&answer).ok_or_else(no_ipp)
    }

    /// How it is, and what it takes.
    async fn ask(&mut self) -> Result<(), Failed> {
        let wanted = [
            "printer-state",
            "printer-state-reasons",
            "printer-is-accepting-jobs",
            "printer-make-and-model",
            "document-format-supported",
        ];
        let request = self.request(GET_PRINTER_ATTRIBUTES).keywords("requested-attributes", &wanted);
        let answer = self.call(request, &[]).await?;
        if !answer.is_successful() {
            let message = format!("the printer refuses to say how it is (IPP status {:#06x})", answer.status);
            return Err(Failed::Broken(std::io::Error::other(message)));
        }
        if let Some(name) = answer.first("printer-make-and-model").filter(|_| self.identity.model.is_empty()) {
            name.clone_into(&mut self.identity.model);
            name.clone_into(&mut self.identity.name);
        }
        self.takes = answer.all("document-format-supported").to_vec();
        self.status = status(&answer);
        Ok(())
    }

    fn condition(&self) -> Condition {
        self.status.condition(&self.setup.warnings.join("; "))
    }

    async fn serve(mut self, mut ctx: DeviceCtx) -> Result<(), DeviceError> {
        ctx.condition.send_replace(self.condition());
        let mut misses = 0;
        let cancel = ctx.cancel.clone();
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                asked = ctx.requests.recv() => {
                    let Some(Asked { id, command, deadline, reply }) = asked else { return Ok(()) };
                    let outcome = if deadline <= tokio::time::Instant::now() {
                        Outcome::Rejected(Reason::Expired, "it came too late for the printer".to_owned())
                    } else {
                        self.command(&id.0, command).await
                    };
                    if reply.send(outcome).is_err() {
                        tracing::debug!(command.id = %id.0, "nobody waits for this outcome any more");
                    }
                }
                () = sleep(ASK_EVERY) => match self.ask().await {
                    Ok(()) => {
                        misses = 0;
                        ctx.condition.send_replace(self.condition());
                    }
                    Err(Failed::Unreachable(error) | Failed::Broken(error)) => {
                        misses += 1;
                        if misses >= MISSES {
                            return Err(DeviceError::Io(error));
                        }
                    }
                },
            }
        }
    }

    async fn command(&mut self, id: &str, command: DeviceCommand) -> Outcome {
        let DeviceCommand::Printer(command) = command else {
            return Outcome::Rejected(Reason::Unsupported, "a printer prints, no more".to_owned());
        };
        let (found, set, takes) = (self.found, self.setup.profile, self.takes.clone());
        let pages = tokio::task::spawn_blocking(move || pages_of(&command, found, set, &takes)).await;
        let pages = match pages {
            Ok(Ok(pages)) => pages,
            Ok(Err(error)) => return Outcome::Rejected(encoder::reason(&error), error.to_string()),
            Err(_) => {
                return Outcome::Rejected(Reason::Invalid, "the document cannot be drawn: save it anew".to_owned());
            }
        };
        if let Err(Failed::Unreachable(error)) = self.ask().await {
            return Outcome::Rejected(
                Reason::Offline,
                format!("the printer does not answer: check its power and cable ({error})"),
            );
        }
        if let Some((reason, _, message)) = self.status.trouble() {
            return Outcome::Rejected(reason, message.to_owned());
        }
        let mut outcome = Outcome::Done(Value::Print(Certainty::Printed));
        for (number, page) in pages.iter().enumerate() {
            let name = format!("{id} {}", number + 1);
            outcome = self.print(&name, page).await;
            match &outcome {
                Outcome::Done(_) => {}
                Outcome::Rejected(_, message) if number > 0 => {
                    return Outcome::Unknown(format!("{number} of {} parts are printed, then: {message}", pages.len()));
                }
                _ => return outcome,
            }
        }
        outcome
    }

    async fn print(&mut self, name: &str, page: &Page) -> Outcome {
        let request = self.request(PRINT_JOB).name("job-name", name).mime("document-format", page.mime);
        let job = match self.call(request, &page.data).await {
            Ok(answer) if answer.is_successful() => answer.first("job-id").and_then(|id| id.parse::<i32>().ok()),
            Ok(answer) => {
                let message =
                    format!("the printer refuses the job (IPP status {:#06x}): check its settings", answer.status);
                return Outcome::Rejected(Reason::DeviceError, message);
            }
            Err(Failed::Unreachable(error)) => {
                return Outcome::Rejected(Reason::Offline, format!("the printer does not answer ({error})"));
            }
            // The answer is lost, the job perhaps not: the printer is asked.
            Err(Failed::Broken(_)) => self.find(name).await,
        };
        let Some(job) = job else {
            return Outcome::Unknown(
                "the connection broke in the middle of the job: look at the printer before you print again".to_owned(),
            );
        };
        self.follow(job).await
    }

    /// The job of this name, once the printer can be reached.
    async fn find(&mut self, name: &str) -> Option<i32> {
        let end = Instant::now() + ASK_WITHIN;
        while Instant::now() < end {
            for which in ["not-completed", "completed"] {
                let request = self
                    .request(GET_JOBS)
                    .integer("limit", 50)
                    .keywords("requested-attributes", &["job-id", "job-name"])
                    .keywords("which-jobs", &[which]);
                let Ok(answer) = self.call(request, &[]).await else { break };
                let jobs = answer.groups.iter().filter(|(tag, _)| *tag == 2);
                let named = |value: Option<&Vec<String>>| value.and_then(|v| v.first()).is_some_and(|n| n == name);
                let found = jobs.map(|(_, job)| job).find(|job| named(job.get("job-name")));
                if let Some(id) = found.and_then(|job| job.get("job-id")?.first()?.parse().ok()) {
                    return Some(id);
                }
            }
            sleep(ASK_EVERY).await;
        }
        None
    }

    /// Until it is printed, or not.
    async fn follow(&mut self, job: i32) -> Outcome {
        let end = Instant::now() + PRINT_WITHIN;
        let mut wait = Duration::from_millis(100);
        while Instant::now() < end {
            let request = self
                .request(GET_JOB_ATTRIBUTES)
                .integer("job-id", job)
                .keywords("requested-attributes", &["job-state", "job-state-reasons"]);
            if let Ok(answer) = self.call(request, &[]).await {
                let reasons = answer.all("job-state-reasons").join(", ");
                match answer.first("job-state") {
                    Some("9") => return Outcome::Done(Value::Print(Certainty::Printed)),
                    Some("7" | "8") => {
                        return Outcome::Unknown(format!(
                            "the printer gave the job up ({reasons}): look how much of it is printed"
                        ));
                    }
                    _ => {}
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(1));
        }
        Outcome::Done(Value::Print(Certainty::Accepted))
    }
}

impl Device for Printer {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(self.serve(ctx))
    }
}

fn pages_of(command: &Command, found: Profile, set: Profile, takes: &[String]) -> Result<Vec<Page>, EncodeError> {
    let (settings, command) = command.under();
    let profile = settings.map_or(set, |settings| setup::apply(found, settings).profile);
    match command {
        Command::Print(document) => pages::of_document(document, &profile, takes),
        Command::PrintFile(file) => pages::of_file(file, &profile, takes),
        _ => Err(EncodeError::NoDrawer),
    }
}

/// `printer-state` (5 is stopped) and its reasons (RFC 8011, 5.4.12), which may end in how bad they are.
fn status(answer: &Response) -> Status {
    let mut status = Status::default();
    for reason in answer.all("printer-state-reasons") {
        if reason.ends_with("-report") {
            continue;
        }
        match reason.trim_end_matches("-error").trim_end_matches("-warning") {
            "media-empty" | "media-needed" => status.paper_out = true,
            "media-low" => status.paper_low = true,
            "media-jam" => status.paper_jam = true,
            "cover-open" | "door-open" | "interlock-open" => status.cover_open = true,
            "marker-supply-empty" | "toner-empty" => status.ribbon_out = true,
            "paused" | "moving-to-paused" => status.paused = true,
            "shutdown" | "timed-out" | "connecting-to-device" | "offline" => status.offline = true,
            _ => {}
        }
    }
    if answer.first("printer-state") == Some("5") && status.trouble().is_none() {
        status.offline = true;
    }
    status.paused |= answer.first("printer-is-accepting-jobs") == Some("false");
    status
}
