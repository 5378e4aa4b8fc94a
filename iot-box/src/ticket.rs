//! The status ticket and the test ticket: what a receipt printer says of the box.

use std::{collections::HashSet, sync::Arc, time::Duration};

use cloud_link::enrol::EnrolStatus;
use link_protocol::{
    document::{Align, Block, Document},
    down::CommandBody,
    ids::DeviceId,
    outcome::{Outcome, Reason},
    up::{DeviceClass, DeviceStatus},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    app::own_command_id,
    link::{Link, short_id},
    router::{Answer, Order, Router},
    supervisor::Exit,
    technician::Password,
};

/// How long a ticket may wait for its printer.
const PRINT_WITHIN: Duration = Duration::from_secs(20);
/// After this the ticket is printed without a pairing code.
const CODE_WITHIN: Duration = Duration::from_secs(4);

#[derive(Clone)]
pub(crate) struct Tickets {
    link: Arc<Link>,
    router: Arc<Router>,
    password: Password,
}

impl Tickets {
    pub(crate) fn new(link: Arc<Link>, router: Arc<Router>, password: Password) -> Self {
        Self { link, router, password }
    }

    /// Addresses, and while the box is not paired also code and password.
    pub(crate) async fn print_status(&self, printer: &DeviceId) -> Outcome {
        let enrol = self.link.enrol_status().borrow().clone();
        self.print(printer, "ticket", self.status_document(&enrol)).await
    }

    pub(crate) async fn print_test(&self, printer: &DeviceId) -> Outcome {
        self.print(printer, "test", self.test_document()).await
    }

    async fn print(&self, printer: &DeviceId, what: &str, document: Document) -> Outcome {
        let id = match own_command_id(what) {
            Ok(id) => id,
            Err(error) => return Outcome::Rejected { reason: Reason::NotStored, message: error.to_string() },
        };
        let order = Order {
            id,
            device: printer.clone(),
            body: CommandBody::Print { document },
            deadline: Instant::now() + PRINT_WITHIN,
        };
        match self.router.run(order).await {
            Answer::Ran(outcome) | Answer::Repeated(outcome) | Answer::Refused(outcome) => outcome,
            Answer::Running => Outcome::Unknown { message: "It is being printed.".into() },
        }
    }

    /// Prints a status ticket once on each receipt printer when it is ready for the first time. A ticket that was
    /// refused before its first byte waits for the next time; one that may have been printed is not repeated.
    pub(crate) async fn on_first_ready(&self, cancel: CancellationToken) -> Exit {
        let mut printed: HashSet<DeviceId> = HashSet::new();
        let mut table = self.router.table();
        loop {
            let ready: Vec<DeviceId> = table
                .borrow_and_update()
                .0
                .iter()
                .filter(|e| e.device.class == DeviceClass::Printer)
                .filter(|e| matches!(e.device.status, DeviceStatus::Ready | DeviceStatus::Warning))
                .map(|e| e.device.id.clone())
                .filter(|id| !printed.contains(id))
                .collect();
            if self.link.settings.current().status_ticket {
                if !ready.is_empty() {
                    self.wait_for_code().await;
                }
                for printer in ready {
                    printed.insert(printer.clone());
                    if let Outcome::Rejected { message, .. } = self.print_status(&printer).await {
                        tracing::info!(device.id = %printer, message, "status ticket was refused");
                        printed.remove(&printer);
                    }
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return Exit::Finished,
                changed = table.changed() => if changed.is_err() {
                    return Exit::Finished;
                },
            }
        }
    }

    /// A code comes a moment after the start, when the ERP is found.
    async fn wait_for_code(&self) {
        let mut status = self.link.enrol_status();
        let known = |s: &EnrolStatus| !matches!(s, EnrolStatus::NoErp { .. });
        // Without an ERP the ticket is useful, too.
        drop(tokio::time::timeout(CODE_WITHIN, status.wait_for(known)).await);
    }

    fn status_document(&self, enrol: &EnrolStatus) -> Document {
        let (name, id) = (self.link.box_name(), short_id(&self.link.identity));
        let mut blocks = vec![line(name.clone(), Align::Center, true, true)];
        if !name.contains(&id) {
            blocks.push(line(format!("IoT box {id}"), Align::Center, false, false));
        }
        blocks.push(Block::Rule);
        let urls = self.link.names.borrow().urls();
        blocks.push(line("Open in a browser:", Align::Left, true, false));
        blocks.extend(urls.iter().take(3).map(|url| line(url.clone(), Align::Left, false, false)));
        if let Some(url) = urls.first() {
            blocks.push(Block::Feed { lines: 1 });
            blocks.push(Block::Qr { data: url.clone() });
        }
        if let EnrolStatus::Paired { erp_name, .. } = enrol {
            blocks.push(Block::Rule);
            blocks.push(line(format!("Paired with {erp_name}"), Align::Left, false, false));
        } else {
            blocks.push(Block::Rule);
            blocks.push(columns("Technician password", self.password.shown()));
            if let EnrolStatus::ShowingCode { code, .. } = enrol {
                blocks.push(Block::Feed { lines: 1 });
                blocks.push(line("Pairing code, five minutes:", Align::Center, false, false));
                blocks.push(line(code.clone(), Align::Center, true, true));
                blocks.push(line("Type it in the ERP: IoT boxes > Connect", Align::Center, false, false));
            } else {
                blocks.push(line("Not paired. Sign in above to pair the box.", Align::Left, false, false));
            }
        }
        blocks.push(Block::Feed { lines: 2 });
        Document { title: "Status of the box".into(), blocks, cut: true, open_drawer: false, hold: false }
    }

    fn test_document(&self) -> Document {
        let blocks = vec![
            line("Test ticket", Align::Center, true, true),
            line(self.link.box_name(), Align::Center, false, false),
            Block::Rule,
            columns("Left", "Right"),
            columns("0123456789", "12.50"),
            line("\u{c4}\u{d6}\u{dc} \u{e9}\u{e8}\u{ea} \u{f1} \u{df} \u{20ac}", Align::Left, false, false),
            line("Bold", Align::Left, true, false),
            Block::Barcode { data: "4006381333931".into() },
            Block::Feed { lines: 2 },
        ];
        Document { title: "Test ticket".into(), blocks, cut: true, open_drawer: false, hold: false }
    }
}

fn line(text: impl Into<String>, align: Align, bold: bool, large: bool) -> Block {
    Block::Text { text: text.into(), align, bold, large }
}

fn columns(left: &str, right: &str) -> Block {
    Block::Columns { left: left.into(), right: right.into(), bold: false }
}
