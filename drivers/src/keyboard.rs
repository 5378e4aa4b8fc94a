//! Keyboards and footswitches.

pub mod evdev;
pub mod us;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `key` is the evdev name, `KEY_A`.
    Key { key: String, pressed: bool },
}
