//! The rows of the scales on serial ports: a name, a line, settings, and the dialect.

use super::{
    adam::Adam,
    cas::{CasPd, CasStream},
    desk::{Desk, Dialect},
    dialog_06::Dialog06,
    mt_sics::MtSics,
    nci::Nci,
};
use crate::{
    device::{BoxFuture, Class, Device, DeviceCtx, DeviceError, Driver, Identity, OpenError, Score},
    io::{Channel, Io, Line, Parity},
    port::{PortInfo, PortKind},
    runner::{Limits, drive},
    setting::{Kind, Options, Setting},
};

const BAUD: Setting = Setting {
    name: "baud",
    label: "Baud rate",
    hint: "As in the scale's setup. Without a choice the scale's usual one.",
    kind: Kind::Choice(|| {
        &[
            ("1200", "1200"),
            ("2400", "2400"),
            ("4800", "4800"),
            ("9600", "9600"),
            ("19200", "19200"),
            ("38400", "38400"),
            ("57600", "57600"),
            ("115200", "115200"),
        ]
    }),
};

const FRAMING: Setting = Setting {
    name: "framing",
    label: "Data bits and parity",
    hint: "As in the scale's setup. Without a choice the scale's usual ones.",
    kind: Kind::Choice(|| {
        &[("8n1", "8 bits, no parity"), ("7e1", "7 bits, even parity"), ("7o1", "7 bits, odd parity")]
    }),
};

const SICS_READINGS: Setting = Setting {
    name: "readings",
    label: "Readings",
    hint: "Continuous readings (SIR) are faster; single ones (SI) suit scales that several programs ask.",
    kind: Kind::Choice(|| &[("stream", "Continuous (SIR)"), ("single", "One by one (SI)")]),
};

const ADAM_MODEL: Setting = Setting {
    name: "model",
    label: "Model",
    hint: "Adam's commands differ: most scales print on P and tare on T, a CPW plus sends its net weight on N and tares on Z.",
    kind: Kind::Choice(|| &[("print", "AZextra, Highland and others"), ("cpw", "CPW plus")]),
};

const ADAM_INTERVAL: Setting = Setting {
    name: "interval_ms",
    label: "Pause between two questions (ms)",
    hint: "Some of these scales beep at every question. Without a number 500.",
    kind: Kind::Whole { min: 100, max: 10_000 },
};

const PRICE_DIGITS: Setting = Setting {
    name: "price_digits",
    label: "Digits of the unit price",
    hint: "As in the scale's setup. Without a choice 6.",
    kind: Kind::Choice(|| &[("6", "6"), ("5", "5")]),
};

const POLYNOMIAL: Setting = Setting {
    name: "polynomial",
    label: "Polynomial (hexadecimal)",
    hint: "For scales that ask for checksums; the scale's dealer has it. Without it such a scale gives no weight.",
    kind: Kind::Hex { longest: 5 },
};

/// What a row says of its scales.
pub(super) struct Row {
    /// What people call the protocol.
    pub(super) model: &'static str,
    pub(super) line: Line,
}

const E7: Line = Line { baud: 9600, data_bits: 7, parity: Parity::Even, stop_bits: 1 };
const O7: Line = Line { baud: 9600, data_bits: 7, parity: Parity::Odd, stop_bits: 1 };

impl Row {
    fn line(&self, options: &Options) -> Line {
        let mut line = self.line;
        if let Some(baud) = options.whole("baud") {
            line.baud = baud;
        }
        let framing = match options.get("framing") {
            Some("8n1") => Some((8, Parity::None)),
            Some("7e1") => Some((7, Parity::Even)),
            Some("7o1") => Some((7, Parity::Odd)),
            _ => None,
        };
        if let Some(framing) = framing {
            (line.data_bits, line.parity) = framing;
        }
        line
    }
}

/// `9600 baud, 7 data bits, even parity`.
fn words(line: Line) -> String {
    let parity = match line.parity {
        Parity::None => "no",
        Parity::Even => "even",
        Parity::Odd => "odd",
    };
    format!("{} baud, {} data bits, {parity} parity", line.baud, line.data_bits)
}

macro_rules! rows {
    ($($(#[$doc:meta])* $driver:ident, $name:literal, $model:literal, $line:expr, $settings:expr,
        |$options:ident, $set:ident| $dialect:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $driver;

        impl $driver {
            pub(super) const ROW: Row = Row { model: $model, line: $line };
        }

        impl Driver for $driver {
            fn name(&self) -> &'static str {
                $name
            }

            fn class(&self) -> Class {
                Class::Scale
            }

            /// Only a port that a person gave it: a serial adapter says nothing of what hangs on it, and a byte to ask
            /// with may print, cut or pay.
            fn claims(&self, port: &PortInfo) -> Option<Score> {
                let serial = matches!(port.kind, PortKind::Serial { .. });
                (serial && port.assigned.as_deref() == Some($name)).then_some(Score::Assigned)
            }

            fn settings(&self) -> &'static [Setting] {
                $settings
            }

            fn open<'a>(
                &'a self,
                port: &'a PortInfo,
                io: &'a dyn Io,
            ) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
                let options = Options::of(port);
                let $options = &options;
                let $set = Self::ROW.line($options);
                Box::pin(open(port, io, $set, Self::ROW.model, $dialect))
            }
        }
    )+};
}

rows! {
    /// [`super::mt_sics`].
    MtSicsDriver, "scale.mt_sics", "MT-SICS", Line::N8_9600, &[BAUD, FRAMING, SICS_READINGS],
        |options, line| MtSics::new(options, line.baud);
    /// [`super::dialog_06`].
    Dialog06Driver, "scale.dialog_06", "Dialog 06", O7, &[BAUD, FRAMING, PRICE_DIGITS, POLYNOMIAL],
        |options, line| Dialog06::new(options, words(line));
    /// [`super::cas`], ENQ and DC1.
    CasPdDriver, "scale.cas_pd", "CAS PD", Line::N8_9600, &[BAUD, FRAMING],
        |_options, line| CasPd::new(line.baud);
    /// [`super::cas`], continuous.
    CasStreamDriver, "scale.cas_stream", "Continuous output", Line::N8_9600, &[BAUD, FRAMING],
        |_options, line| CasStream::new(line.baud);
    /// [`super::adam`].
    AdamDriver, "scale.adam", "Adam", Line { baud: 4800, ..Line::N8_9600 },
        &[BAUD, FRAMING, ADAM_MODEL, ADAM_INTERVAL],
        |options, line| Adam::new(options, line.baud);
    /// [`super::nci`].
    NciDriver, "scale.nci", "NCI", E7, &[BAUD, FRAMING],
        |_options, line| Nci::new(words(line));
}

async fn open<D: Dialect>(
    port: &PortInfo,
    io: &dyn Io,
    line: Line,
    model: &str,
    dialect: D,
) -> Result<Box<dyn Device>, OpenError> {
    let channel = io.stream(port, line).await?;
    let identity = Identity {
        name: "Scale".to_owned(),
        manufacturer: port.manufacturer.clone(),
        model: if port.product.is_empty() { model.to_owned() } else { port.product.clone() },
    };
    Ok(Box::new(Scale { channel, identity, dialect }) as Box<dyn Device>)
}

struct Scale<D> {
    channel: Box<dyn Channel>,
    identity: Identity,
    dialect: D,
}

impl<D: Dialect> Device for Scale<D> {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(Desk::new(self.dialect), self.channel, ctx, Limits::default()))
    }
}
