//! Fields whose values follow from others, and behaviour around records, on both databases.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod computed {
    mod behaviour;
    mod forms;
    mod orders;
    mod random;
    mod reading;
    mod stored;
}
