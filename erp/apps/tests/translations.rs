//! The apps' PO files say what the apps say. `BLESS=1` writes them anew: with the places where each text stands now, and
//! without texts that are gone.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use std::{collections::HashMap, fs, path::PathBuf};

use erp_engine::translate::po::{self, Entry};

/// Files of an app stand in its folder.
fn file(app: &str, lang: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/{app}/i18n/{lang}.po"))
}

on_both! {
    async fn every_text_that_is_translated_is_still_there(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        let mut env = engine.superuser("test").await.unwrap();
        let bless = std::env::var_os("BLESS").is_some();
        let mut gone = Vec::new();
        for app in erp_apps::all() {
            let template = env.export_translations(None, std::slice::from_ref(&app.name)).await.unwrap();
            let there: HashMap<&str, &Entry> = template.iter().map(|entry| (entry.source.as_str(), entry)).collect();
            if let Some(folder) = std::env::var_os("POT") {
                let path = PathBuf::from(folder).join(format!("{}.pot", app.name));
                fs::write(path, po::write(&app.name, "", &template)).unwrap();
            }
            for translation in &app.translations {
                let path = file(&app.name, &translation.lang);
                let entries = po::parse(&fs::read(&path).unwrap()).unwrap();
                let is_code = |entry: &Entry| entry.references.iter().all(|place| place.starts_with("code:"));
                let old = entries.iter().filter(|entry| !there.contains_key(entry.source.as_str()));
                gone.extend(old.map(|entry| format!("{}, line {}: {:?}", path.display(), entry.line, entry.source)));
                if bless {
                    // What has a context is for some of the places alone.
                    let apart = |entry: &Entry| entry.context.is_some();
                    let taken: Vec<String> = entries.iter().filter(|e| apart(e)).flat_map(|e| e.references.clone()).collect();
                    let mut new: Vec<Entry> = Vec::new();
                    for entry in entries {
                        match there.get(entry.source.as_str()) {
                            Some(now) if !is_code(&entry) || entry.references.is_empty() => {
                                let mut places = now.references.clone();
                                places.retain(|place| taken.contains(place) == apart(&entry));
                                new.push(Entry { references: places, modules: now.modules.clone(), ..entry });
                            }
                            Some(_) => new.push(entry),
                            None => {}
                        }
                    }
                    new.sort_by(|a, b| (&a.source, &a.context).cmp(&(&b.source, &b.context)));
                    fs::write(&path, po::write(&app.name, &translation.lang, &new)).unwrap();
                }
            }
        }
        assert!(gone.is_empty() || bless, "no app says these any more; translate what took their place, then run this with BLESS=1:\n{}", gone.join("\n"));
    }
}
