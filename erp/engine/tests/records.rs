//! What applications rely on, on both databases.

mod support;

mod records {
    mod access;
    mod concurrency;
    mod ingest;
    mod reading;
    mod schema;
    mod shop;
    mod writing;
}
