//! What codes mean, in our words (PA00P015, chapters "Error-Messages" and "Intermediate Status-Information").

/// A result or abort code, and what to do.
pub(super) fn result(code: u8) -> &'static str {
    match code {
        0x01..=0x63 => "the bank refused the payment",
        0x64 => "the card cannot be read: try it again",
        0x65 => "there was no card",
        0x66 => "the terminal could not process the card",
        0x67 | 0x68 => "this card is not allowed for this",
        0x6a => "the terminal's journal is full: do an end of day",
        0x6b => "the terminal is not registered",
        0x6c => "it was cancelled at the terminal, or nobody presented a card in time",
        0x6e => "the card is blocked",
        0x6f => "the terminal is set up for another currency",
        0x71 => "the credit does not suffice",
        0x72 => "the card's chip does not work",
        0x73 => "the card's data are wrong",
        0x77 => "an end of day is not possible now",
        0x78 => "the card has expired",
        0x79 => "the card is not valid yet",
        0x7a => "the terminal does not know this card",
        0x7d | 0x9b => "the terminal cannot reach its host: check its network",
        0x83 => "the terminal cannot do this",
        0x89 => "the terminal's PIN pad is out of order",
        0x9a => "the terminal did not understand the box",
        0x9c => "the terminal is busy: wait a moment",
        0xa0 => "the terminal does not listen now: wait a moment",
        0xa1..=0xaf => "the terminal refused it",
        0xb1 => "the terminal has no memory left",
        0xb4 => "the transaction was taken back already",
        0xb5 | 0xb6 => "this transaction cannot be taken back",
        0xc2 | 0xc3 => "the terminal asks for a diagnosis or an end of day first",
        0xf0 => "an end of day is still open: do it first",
        0xff => "the terminal reports a system error",
        _ => "the terminal refused it",
    }
}

/// Nothing was at fault but a person or time.
pub(super) fn is_cancel(code: u8) -> bool {
    code == 0x6c
}

pub(super) fn is_busy(code: u8) -> bool {
    matches!(code, 0x9c | 0xa0)
}

/// What the terminal does, for the cashier.
pub(super) fn intermediate(code: u8) -> Option<&'static str> {
    // The second half of the table is the first, with a card to be taken out.
    Some(match code & !0x40 {
        _ if code >= 0x80 => return other(code),
        0x00 => "The terminal waits for the amount to be confirmed.",
        0x01 | 0x02 => "Please look at the PIN pad.",
        0x03 => "Not accepted.",
        0x04 => "The terminal waits for the bank.",
        0x05 => "The terminal takes the payment back.",
        0x06 => "The terminal sends bookings.",
        0x07 => "This card is not allowed.",
        0x08 => "This card is unknown.",
        0x09 => "The card has expired.",
        0x0a => "Please present the card.",
        0x0b => "Please remove the card.",
        0x0c => "The card cannot be read.",
        0x0d => "The card could not be processed.",
        0x0e | 0x17 => "Please wait.",
        0x0f => "The terminal starts its end of day.",
        0x10 => "The card is not valid.",
        0x12 => "The terminal is out of order.",
        0x13 => "Payment is not possible.",
        0x14 => "The credit does not suffice.",
        0x15 => "The PIN is wrong.",
        0x16 => "The limit does not suffice.",
        0x18 => "The PIN was wrong too often.",
        0x19 => "The card's data are wrong.",
        0x1a => "The terminal is in service mode.",
        0x1b | 0x1c => "Approved.",
        0x1d => "Declined.",
        0x28 => "The customer chooses the currency.",
        0x29 => "The customer chooses the language.",
        0x2c => "The customer chooses the application.",
        _ => return None,
    })
}

fn other(code: u8) -> Option<&'static str> {
    Some(match code {
        0xc8 => "The terminal waits for the cashier.",
        0xc9 => "The terminal starts a diagnosis.",
        0xca => "The terminal starts its initialisation.",
        0xcb => "The terminal's journal is full.",
        0xd2 | 0xd3 => "The terminal connects to its host.",
        0xe0 => "The customer chooses the application.",
        0xe1 => "The customer chooses the language.",
        0xf1 => "Offline.",
        0xf2 => "Online.",
        _ => return None,
    })
}
