//! Files to records and back, through the models that clients call.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests, which tell how long they took")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

mod import {
    mod club;
    mod exports;
    mod messy;
    mod previews;
    mod runs;
}
