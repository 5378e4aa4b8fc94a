//! The terminal's side of ZVT over TCP: PA00P015, chapters "Registration", "Authorization", "Reversal", "Refund",
//! "End-of-Day", "Repeat Receipt", "Status-Enquiry", "Abort", "Status-Information".

use super::{
    Act, Booking, Settings,
    till::{Decision, Running, Stage, Till},
};

/// Result codes.
const OK: u8 = 0x00;
const ABORT_KEY: u8 = 0x6c;
const BANK_NO: u8 = 0x05;
const BUSY: u8 = 0x9c;
const NOT_POSSIBLE: u8 = 0x83;

/// What the task does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Out {
    Send(Vec<u8>),
    /// A transaction was begun in the till.
    Begun,
}

/// One connection's parser and the messages that wait for our acknowledgement by the till.
#[derive(Debug, Default)]
pub(super) struct Zvt {
    input: Vec<u8>,
    registered: bool,
    /// Sent one by one, each when the one before was acknowledged.
    queue: std::collections::VecDeque<Vec<u8>>,
    waiting: bool,
}

impl Zvt {
    pub(super) fn bytes(&mut self, bytes: &[u8], till: &mut Till, settings: &Settings) -> Vec<Out> {
        self.input.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(whole) = self.whole() {
            self.command(&whole, till, settings, &mut out);
        }
        out
    }

    fn whole(&mut self) -> Option<Vec<u8>> {
        let total = match self.input.get(2)? {
            255 => 5 + usize::from(*self.input.get(3)?) + 256 * usize::from(*self.input.get(4)?),
            short => 3 + usize::from(*short),
        };
        (self.input.len() >= total).then(|| self.input.drain(..total).collect())
    }

    fn command(&mut self, whole: &[u8], till: &mut Till, settings: &Settings, out: &mut Vec<Out>) {
        let data = if whole[2] == 255 { &whole[5..] } else { &whole[3..] };
        let busy = till.running.is_some();
        match (whole[0], whole[1]) {
            (0x80, 0x00) => {
                self.waiting = false;
                self.pump(out);
            }
            // A negative acknowledgement of what we said: nothing follows it here.
            (0x84, _) => self.waiting = false,
            (0x06, 0xb0) => match &mut till.running {
                Some(running) => {
                    running.aborted = true;
                    out.push(Out::Send(vec![0x80, 0, 0]));
                }
                None => out.push(nack(NOT_POSSIBLE)),
            },
            _ if busy => out.push(nack(BUSY)),
            (0x06, 0x00) => {
                // Three bytes of password, the config byte, the currency.
                if data.get(4..6).is_some_and(|code| code != bcd(u64::from(settings.currency), 2)) {
                    return out.push(nack(0x6f));
                }
                self.registered = true;
                out.push(ack());
                self.say(message(0x06, 0x0f, &[0x19, 0, 0x29, 0x52, 0x50, 0x00, 0x41, 0x49, 0x09, 0x78]), out);
            }
            (0x05, 0x01) => {
                out.push(ack());
                self.say(message(0x06, 0x0f, &[OK]), out);
            }
            _ if !self.registered => out.push(nack(0x6b)),
            (0x06, 0x01) => self.begin(Act::Payment, data, till, settings, out),
            (0x06, 0x31) => self.begin(Act::Refund, data.get(3..).unwrap_or_default(), till, settings, out),
            (0x06, 0x30) => {
                let receipt = data.get(3..6).filter(|d| d[0] == 0x87).map(|d| number(&d[1..]) as u32);
                match receipt.filter(|r| till.booking(*r).is_some_and(|b| !b.reversed)) {
                    Some(receipt) => {
                        till.running = Some(running(Act::Reversal, 0, Some(receipt)));
                        out.extend([ack(), Out::Begun]);
                    }
                    None => out.push(nack(0xb5)),
                }
            }
            (0x06, 0x20) => match till.journal.last().cloned() {
                Some(booking) => {
                    out.push(ack());
                    self.say(status(OK, Some(&booking), settings), out);
                    for receipt in receipts(&booking, settings) {
                        self.say(receipt, out);
                    }
                    self.say(message(0x06, 0x0f, &[]), out);
                }
                None => {
                    out.push(ack());
                    self.say(message(0x06, 0x1e, &[0xff]), out);
                }
            },
            (0x06, 0x50) => {
                out.push(ack());
                let total: u64 = till.journal.iter().filter(|b| b.act == Act::Payment).map(|b| b.minor).sum();
                self.say(message(0x04, 0x0f, &[&[0x27, 0, 0x04][..], &bcd(total, 6)].concat()), out);
                for (n, text) in ["END OF DAY", &format!("TOTAL {total}")].into_iter().enumerate() {
                    let attribute = if n == 1 { 0x80 } else { 0 };
                    self.say(message(0x06, 0xd1, &[&[attribute], text.as_bytes()].concat()), out);
                }
                self.say(message(0x06, 0x0f, &[]), out);
            }
            (0x06, 0x70) => {
                out.push(ack());
                self.say(message(0x06, 0x0f, &[]), out);
            }
            _ => out.push(nack(NOT_POSSIBLE)),
        }
    }

    fn begin(&mut self, act: Act, data: &[u8], till: &mut Till, settings: &Settings, out: &mut Vec<Out>) {
        let amount = data.get(..7).filter(|d| d[0] == 0x04).map(|d| number(&d[1..]));
        let currency = data.get(7..10).filter(|d| d[0] == 0x49).map(|d| number(&d[1..]));
        match amount {
            Some(minor) if minor > 0 && currency.is_none_or(|c| c == u64::from(settings.currency)) => {
                till.running = Some(running(act, minor, None));
                out.extend([ack(), Out::Begun]);
            }
            _ => out.push(nack(0x6f)),
        }
    }

    /// The till's transaction is one stage further: what the terminal says of it. `true`: that was the last word.
    pub(super) fn stage(&mut self, till: &Till, settings: &Settings, part: Part) -> (Vec<Out>, bool) {
        let mut out = Vec::new();
        let Some(running) = &till.running else { return (out, true) };
        match (running.stage, part) {
            (Stage::Card, _) => self.say(message(0x04, 0xff, &[0x0a]), &mut out),
            (Stage::Bank, _) => self.say(message(0x04, 0xff, &[0x04]), &mut out),
            (Stage::Decided(decision), Part::Result) => {
                let (code, booking) = match decision {
                    Decision::Booked(receipt) => (OK, till.booking(receipt)),
                    Decision::Declined => (BANK_NO, None),
                    Decision::Cancelled => (ABORT_KEY, None),
                };
                self.say(status(code, booking, settings), &mut out);
                for receipt in booking.into_iter().flat_map(|b| receipts(b, settings)) {
                    self.say(receipt, &mut out);
                }
            }
            (Stage::Decided(decision), Part::End) => {
                let end = match decision {
                    Decision::Booked(_) => message(0x06, 0x0f, &[]),
                    Decision::Declined => message(0x06, 0x1e, &[BANK_NO]),
                    Decision::Cancelled => message(0x06, 0x1e, &[ABORT_KEY]),
                };
                self.say(end, &mut out);
                return (out, true);
            }
        }
        (out, false)
    }

    /// Everything said was acknowledged.
    pub(super) fn is_quiet(&self) -> bool {
        self.queue.is_empty() && !self.waiting
    }

    fn say(&mut self, message: Vec<u8>, out: &mut Vec<Out>) {
        self.queue.push_back(message);
        self.pump(out);
    }

    fn pump(&mut self, out: &mut Vec<Out>) {
        if !self.waiting
            && let Some(next) = self.queue.pop_front()
        {
            self.waiting = true;
            out.push(Out::Send(next));
        }
    }
}

/// The end of a transaction is said in two parts, between which a line can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Result,
    End,
}

fn running(act: Act, minor: u64, original: Option<u32>) -> Running {
    let (reference, service) = (String::new(), String::new());
    Running { act, minor, reference, service, original, stage: Stage::Card, aborted: false }
}

fn ack() -> Out {
    Out::Send(vec![0x80, 0, 0])
}

fn nack(code: u8) -> Out {
    Out::Send(vec![0x84, code, 0])
}

fn message(class: u8, instruction: u8, data: &[u8]) -> Vec<u8> {
    let length = data.len();
    let head = if length < 255 {
        vec![class, instruction, length as u8]
    } else {
        vec![class, instruction, 255, (length % 256) as u8, (length / 256) as u8]
    };
    [head, data.to_vec()].concat()
}

fn bcd(mut value: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..length {
        let two = value % 100;
        bytes.insert(0, ((two / 10) * 16 + two % 10) as u8);
        value /= 100;
    }
    bytes
}

fn number(bcd: &[u8]) -> u64 {
    bcd.iter().fold(0, |sum, byte| sum * 100 + u64::from(byte / 16) * 10 + u64::from(byte % 16))
}

fn packed(digits: &str) -> Vec<u8> {
    let mut nibbles: Vec<u8> = digits.bytes().map(|d| d - b'0').collect();
    if nibbles.len() % 2 == 1 {
        nibbles.push(0xf);
    }
    nibbles.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

fn llvar(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, 0xf0 | (value.len() / 10) as u8, 0xf0 | (value.len() % 10) as u8], value].concat()
}

/// Status-Information. With the whole card number and track 2, as a terminal without masking sends them.
fn status(code: u8, booking: Option<&Booking>, settings: &Settings) -> Vec<u8> {
    let mut data = vec![0x27, code];
    if let Some(booking) = booking {
        data.push(0x04);
        data.extend(bcd(booking.minor, 6));
        data.push(0x0b);
        data.extend(bcd(u64::from(booking.receipt) + 4_000, 3));
        data.extend([0x0c, 0x12, 0x30, 0x45, 0x0d, 0x11, 0x22]);
        data.extend(llvar(0x22, &packed(&settings.pan)));
        let track = format!("{}0271220100000000", settings.pan);
        data.extend(llvar(0x23, &packed(&track)));
        data.extend([0x29, 0x52, 0x50, 0x00, 0x41]);
        data.extend([&[0x3b][..], b"611804\0\0"].concat());
        data.push(0x49);
        data.extend(bcd(u64::from(settings.currency), 2));
        data.push(0x87);
        data.extend(bcd(u64::from(booking.receipt), 2));
        data.extend(llvar(0x8b, b"Visa\0"));
    }
    message(0x04, 0x0f, &data)
}

/// The customer's as a text block, the merchant's in lines.
fn receipts(booking: &Booking, settings: &Settings) -> Vec<Vec<u8>> {
    let tlv = |tag: &[u8], value: &[u8]| {
        let length = match value.len() {
            short @ 0..=127 => vec![short as u8],
            long @ 128..=255 => vec![0x81, long as u8],
            long => vec![0x82, (long / 256) as u8, (long % 256) as u8],
        };
        [tag, &length, value].concat()
    };
    let tail = &settings.pan[settings.pan.len() - 4..];
    let shown = if settings.full_pan_on_receipt { settings.pan.clone() } else { format!("############{tail}") };
    let amount = format!("EUR {}.{:02}", booking.minor / 100, booking.minor % 100);
    let number = format!("Beleg-Nr. {:04}", booking.receipt);
    let lines = ["KUNDENBELEG", &number, &amount, &format!("Karte ############{tail}")];
    let texts: Vec<u8> = lines.iter().flat_map(|line| tlv(&[0x07], line.as_bytes())).collect();
    let block = [tlv(&[0x1f, 0x07], &[2]), tlv(&[0x25], &texts)].concat();
    let mut all = vec![message(0x06, 0xd3, &tlv(&[0x06], &block))];
    let merchant: [&[u8]; 4] =
        [b"H\x8eNDLERBELEG", number.as_bytes(), amount.as_bytes(), &[b"Karte ", shown.as_bytes()].concat()];
    for (n, line) in merchant.iter().enumerate() {
        let attribute = if n == 3 { 0x80 } else { 0 };
        all.push(message(0x06, 0xd1, &[&[attribute], *line].concat()));
    }
    all
}
