//! Between the drivers' types and the wire's. The drivers know no serde; this is the only place that knows both.

use drivers::{
    Condition, Fault, Outcome as DriverOutcome, Reason as DriverReason, gauge, payment, printer, scale, scanner,
    scanner::gs1,
};
use link_protocol::{
    document::{Align, Block, Document, File, FileFormat, PrinterLanguage},
    down::CommandBody,
    outcome::{MassUnit, MeasureUnit, Measurement, Outcome, PrintCertainty, Reason, Value, Weight},
    up::{Connection, DeviceClass, DeviceStatus, EventBody, Gs1, Gs1Element, LiveBody, LiveWeight, WeightCondition},
};

use crate::payments;

/// What a driver's event means to the rest of the system.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    /// A business event: stored before anyone hears of it.
    Event(EventBody),
    /// State for the eye.
    Live(LiveBody),
    /// A printer says that a job somebody was in doubt about is on paper.
    Printed([u8; 4]),
}

pub(crate) fn meaning(event: drivers::DeviceEvent) -> Meaning {
    match event {
        drivers::DeviceEvent::Scanner(scanner::Event::Code(code)) => Meaning::Event(barcode(code)),
        drivers::DeviceEvent::Printer(printer::Event::Drawer { open }) => Meaning::Event(EventBody::Drawer { open }),
        drivers::DeviceEvent::Printer(printer::Event::Printed { mark }) => Meaning::Printed(mark),
        drivers::DeviceEvent::Keyboard(drivers::keyboard::Event::Key { key, pressed, count, text }) => {
            Meaning::Event(EventBody::Key { key, pressed, count, text })
        }
        drivers::DeviceEvent::Gauge(gauge::Event::Measured(value)) => {
            Meaning::Event(EventBody::Measurement(measurement(value)))
        }
        drivers::DeviceEvent::Scale(scale::Event::Reading(reading)) => {
            let weight = reading.weight.map(weight);
            Meaning::Live(LiveBody::Weight(LiveWeight { condition: weight_condition(reading.state), weight }))
        }
        drivers::DeviceEvent::Payment(payment::Event::Status { audience, text }) => {
            Meaning::Live(LiveBody::Terminal(payments::status(audience, text)))
        }
        drivers::DeviceEvent::Payment(payment::Event::Receipt(receipt)) => {
            Meaning::Event(EventBody::TerminalReceipt(payments::receipt(receipt)))
        }
    }
}

fn barcode(code: scanner::Code) -> EventBody {
    let scanner::Code { text, symbology, .. } = code;
    let read = gs1::parse(&text, symbology.as_deref(), crate::clock::today().year);
    let gs1 =
        read.map(|read| Gs1 { elements: read.elements.into_iter().map(element).collect(), problems: read.problems });
    EventBody::Barcode { text, symbology, gs1 }
}

fn element(element: gs1::Element) -> Gs1Element {
    let gs1::Element { ai, title, value, number, date } = element;
    Gs1Element { ai, title: title.to_owned(), value, number, date: date.map(|date| date.to_string()) }
}

fn weight_condition(state: scale::State) -> WeightCondition {
    match state {
        scale::State::Stable => WeightCondition::Stable,
        scale::State::Motion => WeightCondition::Motion,
        scale::State::Zero => WeightCondition::Zero,
        scale::State::UnderZero => WeightCondition::UnderZero,
        scale::State::OverCapacity => WeightCondition::OverCapacity,
        scale::State::ZeroRange => WeightCondition::ZeroRange,
        scale::State::Silent => WeightCondition::Silent,
    }
}

fn weight(weight: scale::Weight) -> Weight {
    let unit = match weight.unit {
        scale::Unit::Kg => MassUnit::Kg,
        scale::Unit::G => MassUnit::G,
        scale::Unit::Lb => MassUnit::Lb,
        scale::Unit::Oz => MassUnit::Oz,
    };
    Weight { weight: weight.digits, unit, net: weight.net }
}

fn measurement(value: gauge::Measurement) -> Measurement {
    let unit = match value.unit {
        gauge::Unit::Mm => MeasureUnit::Mm,
        gauge::Unit::Inch => MeasureUnit::Inch,
        gauge::Unit::Degree => MeasureUnit::Degree,
        gauge::Unit::Newton => MeasureUnit::Newton,
        gauge::Unit::NewtonMetre => MeasureUnit::NewtonMetre,
        gauge::Unit::Unknown => MeasureUnit::Unknown,
    };
    Measurement { value: value.digits, unit, resolution: value.resolution }
}

pub(crate) fn class(class: drivers::Class) -> DeviceClass {
    match class {
        drivers::Class::Printer => DeviceClass::Printer,
        drivers::Class::Scanner => DeviceClass::Scanner,
        drivers::Class::Scale => DeviceClass::Scale,
        drivers::Class::Keyboard => DeviceClass::Keyboard,
        drivers::Class::Gauge => DeviceClass::Gauge,
        drivers::Class::Payment => DeviceClass::Payment,
    }
}

pub(crate) fn connection(bus: drivers::Bus) -> Connection {
    match bus {
        drivers::Bus::Usb => Connection::Usb,
        drivers::Bus::Serial => Connection::Serial,
        drivers::Bus::Bluetooth => Connection::Bluetooth,
        drivers::Bus::Network => Connection::Network,
    }
}

/// A device's condition as status and words.
pub(crate) fn condition(condition: &Condition) -> (DeviceStatus, String) {
    match condition {
        Condition::Connecting => (DeviceStatus::Connecting, String::new()),
        Condition::Ready => (DeviceStatus::Ready, String::new()),
        Condition::Warning(text) => (DeviceStatus::Warning, text.clone()),
        Condition::Error(Fault::Offline, text) => (DeviceStatus::Offline, text.clone()),
        Condition::Error(_, text) => (DeviceStatus::Error, text.clone()),
    }
}

pub(crate) fn outcome(outcome: DriverOutcome) -> Outcome {
    match outcome {
        DriverOutcome::Done(value) => Outcome::Done { value: value_of(value) },
        DriverOutcome::Rejected(reason, message) => Outcome::Rejected { reason: reason_of(reason), message },
        DriverOutcome::Unknown(message) => Outcome::Unknown { message },
    }
}

fn value_of(value: drivers::Value) -> Value {
    match value {
        drivers::Value::Nothing => Value::Nothing,
        drivers::Value::Print(certainty) => Value::Print {
            certainty: match certainty {
                printer::Certainty::Sent => PrintCertainty::Sent,
                printer::Certainty::Accepted => PrintCertainty::Accepted,
                printer::Certainty::Printed => PrintCertainty::Printed,
            },
        },
        drivers::Value::Weight(w) => Value::Weight(weight(w)),
        drivers::Value::Measurement(value) => Value::Measurement(measurement(value)),
        drivers::Value::Payment(done) => Value::Payment(Box::new(payments::payment(*done))),
        drivers::Value::Terminal(receipts) => Value::Terminal { receipts: payments::receipts(receipts) },
        // Answers to the box's own questions, which it does not pass on.
        drivers::Value::Mark(_) | drivers::Value::Finding(_) => Value::Nothing,
    }
}

fn reason_of(reason: DriverReason) -> Reason {
    match reason {
        DriverReason::Expired => Reason::Expired,
        DriverReason::Offline => Reason::Offline,
        DriverReason::Unsupported => Reason::Unsupported,
        DriverReason::Invalid => Reason::Invalid,
        DriverReason::Busy => Reason::Busy,
        DriverReason::PaperOut => Reason::PaperOut,
        DriverReason::CoverOpen => Reason::CoverOpen,
        DriverReason::Unstable => Reason::Unstable,
        DriverReason::DeviceError => Reason::DeviceError,
        DriverReason::Declined => Reason::Declined,
        DriverReason::Cancelled => Reason::Cancelled,
    }
}

/// A command that no device can carry out as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadCommand {
    #[error("picture {0} of the document is not base64")]
    Picture(usize),
    /// The box answers it from its journal, or gives it to the terminal after that.
    #[error("payments go through the box's journal")]
    Journaled,
    #[error("the file is not base64")]
    File,
    /// The box's own work, which no device sees.
    #[error("no device does this")]
    NotForDevices,
}

pub(crate) fn command(body: CommandBody) -> Result<drivers::Command, BadCommand> {
    Ok(match body {
        CommandBody::Print { document } => drivers::Command::Printer(printer::Command::Print(print(document)?)),
        CommandBody::PrintFile { file: wanted } => {
            drivers::Command::Printer(printer::Command::PrintFile(file(wanted)?))
        }
        CommandBody::CancelPrint { .. } => return Err(BadCommand::NotForDevices),
        CommandBody::OpenDrawer => drivers::Command::Printer(printer::Command::OpenDrawer),
        CommandBody::ReadWeight => drivers::Command::Scale(scale::Command::Read),
        CommandBody::ZeroScale => drivers::Command::Scale(scale::Command::Zero),
        CommandBody::TareScale => drivers::Command::Scale(scale::Command::Tare),
        CommandBody::Measure => drivers::Command::Gauge(gauge::Command::Read),
        CommandBody::AbortPayment => drivers::Command::Payment(payment::Command::Abort),
        CommandBody::ReconcilePayments => drivers::Command::Payment(payment::Command::Reconcile),
        CommandBody::DiagnoseTerminal => drivers::Command::Payment(payment::Command::Diagnose),
        CommandBody::Pay { .. }
        | CommandBody::RefundPayment { .. }
        | CommandBody::ReversePayment { .. }
        | CommandBody::PaymentStatus { .. } => return Err(BadCommand::Journaled),
    })
}

fn file(file: File) -> Result<printer::File, BadCommand> {
    use printer::{FileType, Language};
    let kind = match file.format {
        FileFormat::Pdf => FileType::Pdf,
        FileFormat::Jpeg => FileType::Jpeg,
        FileFormat::Png => FileType::Png,
        FileFormat::Raw { language } => FileType::Raw(match language {
            PrinterLanguage::Escpos => Language::EscPos,
            PrinterLanguage::Star => Language::Star,
            PrinterLanguage::Zpl => Language::Zpl,
            PrinterLanguage::Epl => Language::Epl,
            PrinterLanguage::Tspl => Language::Tspl,
            PrinterLanguage::Dymo => Language::Dymo,
            PrinterLanguage::DymoTape => Language::DymoTape,
        }),
    };
    let data = data_encoding::BASE64.decode(file.data.as_bytes()).map_err(|_| BadCommand::File)?;
    Ok(printer::File { kind, data, copies: file.copies })
}

fn print(document: Document) -> Result<printer::Document, BadCommand> {
    let mut pictures = 0;
    let mut blocks = Vec::with_capacity(document.blocks.len());
    for block in document.blocks {
        blocks.push(match block {
            Block::Text { text, align, bold, large } => {
                printer::Block::Text { text, align: align_of(align), bold, large }
            }
            Block::Columns { left, right, bold } => printer::Block::Columns { left, right, bold },
            Block::Rule => printer::Block::Rule,
            Block::Feed { lines } => printer::Block::Feed(lines),
            Block::Barcode { data } => printer::Block::Barcode(data),
            Block::Qr { data } => printer::Block::Qr(data),
            Block::Image { data } => {
                pictures += 1;
                let bytes = data_encoding::BASE64.decode(data.as_bytes()).map_err(|_| BadCommand::Picture(pictures))?;
                printer::Block::Image(bytes)
            }
        });
    }
    Ok(printer::Document { blocks, cut: document.cut, open_drawer: document.open_drawer })
}

fn align_of(align: Align) -> printer::Align {
    match align {
        Align::Left => printer::Align::Left,
        Align::Center => printer::Align::Center,
        Align::Right => printer::Align::Right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_an_event_and_a_reading_is_live() {
        let code = |text: &str, symbology: Option<&str>| scanner::Code {
            text: text.into(),
            symbology: symbology.map(str::to_owned),
            timing: scanner::Timing::default(),
        };
        let scan = drivers::DeviceEvent::Scanner(scanner::Event::Code(code("4006381333931", None)));
        assert_eq!(meaning(scan), Meaning::Event(EventBody::barcode("4006381333931")));
        let EventBody::Barcode { text, symbology, gs1 } = barcode(code("0109521234543213", Some("]C1"))) else {
            panic!("a scan is a barcode")
        };
        assert_eq!((text.as_str(), symbology.as_deref()), ("0109521234543213", Some("]C1")));
        assert_eq!(gs1.unwrap().elements[0].title, "GTIN");
        let reading = scale::Reading {
            state: scale::State::Stable,
            weight: Some(scale::Weight { digits: "1.234".into(), unit: scale::Unit::Kg, net: true }),
        };
        let Meaning::Live(LiveBody::Weight(live)) =
            meaning(drivers::DeviceEvent::Scale(scale::Event::Reading(reading)))
        else {
            panic!("a reading is not stored");
        };
        assert_eq!(live.weight, Some(Weight { weight: "1.234".into(), unit: MassUnit::Kg, net: true }));
    }

    #[test]
    fn a_picture_that_is_none_is_refused_by_its_place() {
        let picture = |data: &str| Block::Image { data: data.into() };
        let document = Document {
            title: "t".into(),
            blocks: vec![picture("aGk="), Block::Rule, picture("not base64!")],
            cut: true,
            open_drawer: false,
            hold: false,
        };
        let error = command(CommandBody::Print { document }).unwrap_err();
        assert_eq!(error.to_string(), "picture 2 of the document is not base64");
    }
}
