//! Keyboards and footswitches.

pub mod evdev;
pub mod layout;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Key {
        /// The evdev name, `KEY_A`.
        key: String,
        pressed: bool,
        /// Which press in a row it is: 2 for a double press.
        count: u8,
        /// What the press types in the keyboard's layout.
        text: Option<String>,
    },
}
