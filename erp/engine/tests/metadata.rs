//! Declarations that must resolve and ones that must not. A new rule needs only a folder: `apps.toml` with the
//! declarations; beside it in `failing/**` the errors (`errors.txt`), in `passing/**` what they become (`registry.txt`).
//! `BLESS=1` writes those files anew.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use erp_engine::{
    declare::App,
    resolve::{Kind, Registry, resolve},
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    app: Vec<App>,
}

fn cases(of: &str) -> Vec<(PathBuf, Vec<App>)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.ends_with("apps.toml") {
                found.push(folder.to_owned());
            }
        }
    }
    let mut folders = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metadata").join(of), &mut folders);
    folders.sort();
    assert!(!folders.is_empty());
    let load = |folder: PathBuf| {
        let text = fs::read_to_string(folder.join("apps.toml")).unwrap();
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        (folder, case.app)
    };
    folders.into_iter().map(load).collect()
}

/// All differences at once, as the errors themselves come all at once.
fn check(file: PathBuf, found: &str, wrong: &mut Vec<String>) {
    if env::var_os("BLESS").is_some() {
        fs::write(&file, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    if expected != found {
        wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", file.display()));
    }
}

#[test]
fn declarations_that_do_not_fit_are_refused_with_every_error_at_once() {
    let mut wrong = Vec::new();
    for (folder, apps) in cases("failing") {
        let errors = resolve(&apps).expect_err(&folder.display().to_string());
        let text: String = errors.0.iter().map(|error| format!("{error}\n")).collect();
        check(folder.join("errors.txt"), &text, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn declarations_that_fit_become_a_registry_whatever_their_order() {
    let mut wrong = Vec::new();
    for (folder, mut apps) in cases("passing") {
        let registry = resolve(&apps).unwrap_or_else(|errors| panic!("{}: {errors}", folder.display()));
        check(folder.join("registry.txt"), &described(&registry), &mut wrong);
        apps.reverse();
        assert_eq!(described(&resolve(&apps).unwrap()), described(&registry));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn described(registry: &Registry) -> String {
    let mut out = format!("apps: {}\n", registry.apps.join(", "));
    // The engine's own models are the same for all.
    for model in registry.models().filter(|model| model.app != "kernel") {
        let name = model.rec_name.as_deref().unwrap_or("-");
        out += &format!("{} of {}: table {}, named by {name}\n", model.name, model.app, model.table);
        for field in &model.fields {
            let kind = match &field.kind {
                Kind::Many2One { comodel, ondelete } => format!("-> {comodel} ({ondelete:?})"),
                Kind::One2Many { comodel, inverse } => format!("<- {comodel}.{inverse}"),
                other => format!("{other:?}"),
            };
            let required = if field.required { ", required" } else { "" };
            out += &format!("    {} {:?}: {kind}{required}\n", field.name, field.label);
        }
        for unique in &model.unique {
            out += &format!("    {}: unique {}\n", unique.constraint, unique.fields.join(", "));
        }
    }
    out
}
