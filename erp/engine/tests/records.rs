//! What applications rely on, on both databases.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod records {
    mod access;
    mod altered;
    mod apps;
    mod calls;
    mod concurrency;
    mod copies;
    mod custom;
    mod dump;
    mod files;
    mod ingest;
    mod lists;
    mod panel;
    mod pictures;
    mod reading;
    mod rights;
    mod rules;
    mod schema;
    mod screens;
    mod shapes;
    mod shop;
    mod sides;
    mod web;
    mod writing;
}
