//! What the ERP says to a box.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    document::{Document, File, FileFormat, PrinterLanguage},
    ids::{CommandId, DeviceId, Epoch, PairingId},
    payment::Amount,
};

/// Sent first in every session, after the box has subscribed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    pub v: u16,
    pub pairing: PairingId,
    /// The ERP's clock, Unix milliseconds: deadlines of commands are judged on it.
    pub now_ms: i64,
    /// How far the ERP has each epoch of this box. An ERP restored from a backup names a smaller `seq` than it once
    /// acknowledged, and the box sends again from there.
    pub committed: Vec<Ack>,
}

/// All events of `epoch` up to and including `seq` are committed in the ERP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    pub epoch: Epoch,
    pub seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    pub v: u16,
    pub id: CommandId,
    pub device: DeviceId,
    /// The ERP's clock when the command was made, Unix milliseconds.
    pub issued_ms: i64,
    /// How long it may wait before its first byte, from `issued_ms`.
    pub ttl_ms: u32,
    #[serde(flatten)]
    pub body: CommandBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", content = "with", rename_all = "snake_case")]
pub enum CommandBody {
    Print {
        document: Document,
    },
    /// A PDF, a picture, or bytes in the printer's own language.
    PrintFile {
        file: File,
    },
    /// Withdraws a job that waits in the device's queue; its outcome is then `Rejected` with `Cancelled`. One that has
    /// begun cannot be withdrawn: this command is rejected.
    CancelPrint {
        job: CommandId,
    },
    OpenDrawer,
    /// The next stable weight; it is also an event (a weight *taken*).
    ReadWeight,
    ZeroScale,
    TareScale,
    /// What the gauge shows now; it is also an event (a value *taken*).
    Measure,
    /// Charges a card. The box keeps a journal of it before the terminal hears of it, and asks the terminal after a cut.
    Pay {
        amount: Amount,
        /// The till's own name for the sale; stands on the terminal's records where it takes one. At most 40 characters.
        reference: String,
    },
    /// Gives money back to a card that is presented again.
    RefundPayment {
        amount: Amount,
        reference: String,
    },
    /// Takes an earlier transaction back, named as in [`crate::payment::Payment::transaction`].
    ReversePayment {
        transaction: String,
        reference: String,
    },
    /// Stops the transaction that runs, if the terminal still can; that one's own outcome says what came of it.
    AbortPayment,
    /// Did it charge? Asked of the terminal if the box does not know.
    PaymentStatus {
        of: CommandId,
    },
    /// End of day: the terminal settles with its host.
    ReconcilePayments,
    /// The terminal tests its connection to its host.
    DiagnoseTerminal,
}

impl CommandBody {
    /// It may wait for its device.
    pub fn holds(&self) -> bool {
        match self {
            Self::Print { document } => document.hold,
            Self::PrintFile { file } => file.hold,
            _ => false,
        }
    }

    /// The right a till needs for it ([`crate::local::TillGrant`]).
    pub fn verb(&self) -> crate::local::Verb {
        use crate::local::Verb;
        match self {
            Self::Print { document } if document.open_drawer => Verb::PrintAndDrawer,
            Self::Print { .. } | Self::CancelPrint { .. } => Verb::Print,
            // Receipt printers' bytes may open the drawer.
            Self::PrintFile { file } => match file.format {
                FileFormat::Raw { language: PrinterLanguage::Escpos | PrinterLanguage::Star } => Verb::PrintAndDrawer,
                _ => Verb::Print,
            },
            Self::OpenDrawer => Verb::Drawer,
            Self::ReadWeight | Self::ZeroScale | Self::TareScale => Verb::Weigh,
            Self::Measure => Verb::Measure,
            Self::Pay { .. } | Self::AbortPayment | Self::PaymentStatus { .. } => Verb::Pay,
            Self::RefundPayment { .. } | Self::ReversePayment { .. } => Verb::Refund,
            Self::ReconcilePayments | Self::DiagnoseTerminal => Verb::ManageTerminal,
        }
    }
}
