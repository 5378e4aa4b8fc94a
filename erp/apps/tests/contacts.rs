//! The address book and the companies that share it, as clients use them.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

mod contacts {
    mod banks;
    mod companies;
    mod firm;
    mod names;
    mod people;
}
