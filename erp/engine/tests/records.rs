//! What applications rely on, on both databases.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod records {
    mod access;
    mod calls;
    mod concurrency;
    mod following;
    mod ingest;
    mod lists;
    mod reading;
    mod schema;
    mod shapes;
    mod shop;
    mod web;
    mod writing;
}
