//! Messages, followers, tracked changes, activities and the queue of outgoing mail, as clients use them.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

mod mail {
    mod activities;
    mod chains;
    mod messages;
    mod office;
    mod queue;
    mod tracking;
}
