//! Characters of a US keyboard by evdev key code.
//!
//! The one layout that needs no data files. Other layouts come from XKB data and take the place of [`Layout`].

const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;
const LEFT_CTRL: u16 = 29;
const RIGHT_CTRL: u16 = 97;
const LEFT_ALT: u16 = 56;
const RIGHT_ALT: u16 = 100;
const CAPS_LOCK: u16 = 58;
const RIGHT_BRACE: u16 = 27;

/// Which modifiers are held.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    shift: [bool; 2],
    ctrl: [bool; 2],
    caps: bool,
}

impl Layout {
    /// The character that a key event (`value` 1 pressed, 0 released, 2 repeated) types, if it types one.
    ///
    /// The keypad types digits whatever num lock says: scanners that use it mean digits. Ctrl with `]` is GS, which is
    /// how scanners type the field separator of GS1 codes.
    pub fn key(&mut self, code: u16, value: i32) -> Option<char> {
        let down = value != 0;
        match code {
            LEFT_SHIFT => self.shift[0] = down,
            RIGHT_SHIFT => self.shift[1] = down,
            LEFT_CTRL => self.ctrl[0] = down,
            RIGHT_CTRL => self.ctrl[1] = down,
            CAPS_LOCK if value == 1 => self.caps = !self.caps,
            LEFT_ALT | RIGHT_ALT => {}
            _ if value == 1 => return self.character(code),
            _ => {}
        }
        None
    }

    fn character(&self, code: u16) -> Option<char> {
        let shift = self.shift.contains(&true);
        if self.ctrl.contains(&true) {
            return (code == RIGHT_BRACE).then_some('\u{1d}');
        }
        let (plain, shifted) = pair(code)?;
        let upper = if plain.is_ascii_alphabetic() { shift != self.caps } else { shift };
        Some(if upper { shifted } else { plain })
    }
}

/// Rows of the main block start at these codes (linux/input-event-codes.h).
const ROWS: [(u16, &str, &str); 4] = [
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
];

fn pair(code: u16) -> Option<(char, char)> {
    for (start, plain, shifted) in ROWS {
        if let Some(at) = code.checked_sub(start).map(usize::from)
            && at < plain.len()
        {
            return Some((char::from(plain.as_bytes()[at]), char::from(shifted.as_bytes()[at])));
        }
    }
    let both = |c| Some((c, c));
    match code {
        57 => both(' '),
        55 => both('*'),
        71..=73 => both(char::from(b'7' + (code - 71) as u8)),
        74 => both('-'),
        75..=77 => both(char::from(b'4' + (code - 75) as u8)),
        78 => both('+'),
        79..=81 => both(char::from(b'1' + (code - 79) as u8)),
        82 => both('0'),
        83 => both('.'),
        98 => both('/'),
        // The extra key of ISO keyboards.
        86 => Some(('<', '>')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[(u16, i32)]) -> String {
        let mut layout = Layout::default();
        keys.iter().filter_map(|&(code, value)| layout.key(code, value)).collect()
    }

    #[test]
    fn shift_counts_while_it_is_held_and_repeats_type_nothing() {
        assert_eq!(typed(&[(30, 1), (30, 2), (30, 0), (42, 1), (30, 1), (2, 1), (42, 0), (30, 1)]), "aA!a");
    }

    #[test]
    fn caps_lock_shifts_letters_alone() {
        assert_eq!(typed(&[(58, 1), (58, 0), (30, 1), (2, 1), (42, 1), (30, 1)]), "A1a");
    }

    #[test]
    fn keypad_digits_are_digits_and_ctrl_bracket_is_gs() {
        assert_eq!(typed(&[(71, 1), (75, 1), (79, 1), (82, 1), (29, 1), (27, 1), (29, 0), (27, 1)]), "7410\u{1d}]");
    }

    #[test]
    fn every_printable_ascii_character_can_be_typed() {
        for c in ' '..='~' {
            let found = (0..=120).any(|code| pair(code).is_some_and(|(plain, shifted)| plain == c || shifted == c));
            assert!(found, "{c:?} has no key");
        }
    }
}
