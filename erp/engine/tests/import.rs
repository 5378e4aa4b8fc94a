//! Import of tables and export of records, on both databases.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod import {
    mod errors;
    mod examples;
    mod export;
    mod lists;
    mod office;
    mod references;
    mod savepoints;
    mod values;
}
