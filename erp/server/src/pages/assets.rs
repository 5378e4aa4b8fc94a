//! Style sheets, scripts and pictures, inside the binary.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ring::digest;

type Asset = (&'static str, &'static str, &'static [u8]);

macro_rules! assets {
    ($($path:literal: $mime:expr),* $(,)?) => {
        &[$(($path, $mime, include_bytes!(concat!("../../assets/", $path)))),*]
    };
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

static ASSETS: &[Asset] = assets! {
    "app.css": CSS,
    "icons.svg": SVG,
    "iot.css": CSS,
    "js/boxes.js": JS,
    "js/bus.js": JS,
    "js/connect.js": JS,
    "js/devices.js": JS,
    "js/dom.js": JS,
    "js/events.js": JS,
    "js/login.js": JS,
    "js/shell.js": JS,
    "js/till/alerts.js": JS,
    "js/till/direct.js": JS,
    "js/till/lines.js": JS,
    "js/till/link.js": JS,
    "js/till/main.js": JS,
    "js/till/money.js": JS,
    "js/till/pay.js": JS,
    "js/till/products.js": JS,
    "js/till/sale.js": JS,
    "js/till/setup.js": JS,
    "js/till/sound.js": JS,
    "js/till/store.js": JS,
    "js/till/weigh.js": JS,
    "js/time.js": JS,
    "js/weight.js": JS,
    "logo.svg": SVG,
    "till.css": CSS,
    "tokens.css": CSS,
};

/// `/assets/<hash of all of them>`: modules import each other by relative paths, so one hash names them all.
static BASE: LazyLock<String> = LazyLock::new(|| {
    let mut hash = digest::Context::new(&digest::SHA256);
    for (path, _, bytes) in ASSETS {
        hash.update(path.as_bytes());
        hash.update(&bytes.len().to_be_bytes());
        hash.update(bytes);
    }
    format!("/assets/{}", data_encoding::HEXLOWER.encode(&hash.finish().as_ref()[..8]))
});

pub(super) fn base() -> &'static str {
    &BASE
}

pub(super) async fn get(Path((hash, path)): Path<(String, String)>) -> Response {
    let Some((_, mime, bytes)) = ASSETS.iter().find(|(name, ..)| *name == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of an older server asks with another hash: it gets today's file, and no promise about it.
    let keep = if base().ends_with(&hash) { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer(mime, bytes, keep)
}

pub(super) async fn favicon() -> Response {
    match ASSETS.iter().find(|(name, ..)| *name == "logo.svg") {
        Some((_, mime, bytes)) => answer(mime, bytes, "public, max-age=86400"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(mime: &'static str, bytes: &'static [u8], keep: &'static str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        fn walk(dir: &std::path::Path, root: &std::path::Path, out: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, out);
                } else {
                    out.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let mut on_disk = Vec::new();
        walk(&root, &root, &mut on_disk);
        on_disk.sort();
        let embedded: Vec<_> = ASSETS.iter().map(|(path, ..)| (*path).to_owned()).collect();
        assert_eq!(embedded, on_disk);
    }

    #[test]
    fn scripts_import_only_what_is_embedded() {
        for (path, mime, bytes) in ASSETS {
            if *mime != JS {
                continue;
            }
            let text = std::str::from_utf8(bytes).unwrap();
            for line in text.lines().filter(|l| l.starts_with("import ")) {
                let target = line.rsplit('"').nth(1).unwrap();
                let mut folder: Vec<_> = path.split('/').collect();
                folder.pop();
                for part in target.split('/') {
                    match part {
                        "." => {}
                        ".." => drop(folder.pop()),
                        name => folder.push(name),
                    }
                }
                let wanted = folder.join("/");
                assert!(ASSETS.iter().any(|(name, ..)| *name == wanted), "{path} imports {target}");
            }
        }
    }
}
