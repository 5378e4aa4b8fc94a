//! Views that must come together and ones that must not. A new rule needs only a folder: `views.toml` with the views and
//! the one that is asked for; beside it in `failing/**` the errors (`errors.txt`), in `passing/**` the architecture
//! (`arch.xml`) and, where a person is named, the tree that he gets (`tree.json`). All are about the models of
//! `models.toml`. `BLESS=1` writes those files anew.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use erp_engine::{
    Operation,
    declare::{App, Method},
    resolve::{Registry, resolve},
    view::{Origin, References, ViewKind, ViewSource, Viewer, check, combine, default_arch, expand, present, terms},
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    show: String,
    view: Vec<View>,
    person: Option<Person>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct View {
    name: String,
    #[serde(default = "partner")]
    model: String,
    #[serde(default)]
    inherit: Option<String>,
    #[serde(default)]
    priority: i64,
    #[serde(default)]
    primary: bool,
    #[serde(default)]
    archived: bool,
    arch: String,
}

fn partner() -> String {
    "res.partner".to_owned()
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    #[serde(default)]
    groups: Vec<String>,
    /// Operations that he may not do.
    #[serde(default)]
    may_not: Vec<Operation>,
    #[serde(default)]
    words: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Models {
    app: Vec<App>,
    groups: BTreeMap<String, i64>,
    actions: BTreeMap<String, i64>,
    methods: BTreeMap<String, BTreeSet<String>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views")
}

fn models() -> (Registry, References) {
    let text = fs::read_to_string(folder().join("models.toml")).unwrap();
    let models: Models = toml::from_str(&text).unwrap();
    let Models { mut app, groups, actions, methods } = models;
    for (model, names) in methods {
        for name in names {
            let method = Method::on_records(&model, &name, |_, _| Box::pin(async { Ok(true.into()) }));
            app[0].code.methods.push(method);
        }
    }
    let registry = resolve(&app).unwrap();
    (registry, References { groups, actions, ..References::default() })
}

fn cases(of: &str) -> Vec<(PathBuf, Case)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.ends_with("views.toml") {
                found.push(folder.to_owned());
            }
        }
    }
    let mut folders = Vec::new();
    walk(&folder().join(of), &mut folders);
    folders.sort();
    assert!(!folders.is_empty());
    let load = |folder: PathBuf| {
        let text = fs::read_to_string(folder.join("views.toml")).unwrap();
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        (folder, case)
    };
    folders.into_iter().map(load).collect()
}

/// The views, and the id of the one to show.
fn sources(case: &Case) -> (Vec<ViewSource>, i64) {
    let id = |name: &str| 1 + i64::try_from(case.view.iter().position(|view| view.name == name).unwrap()).unwrap();
    let source = |view: &View| ViewSource {
        id: id(&view.name),
        origin: Origin { name: view.name.clone(), external_id: Some(format!("test.{}", view.name)) },
        model: view.model.clone(),
        kind: None,
        arch: view.arch.trim().to_owned(),
        inherit_id: view.inherit.as_deref().map(id),
        priority: view.priority,
        primary: view.primary,
        active: !view.archived,
        groups: Vec::new(),
    };
    (case.view.iter().map(source).collect(), id(&case.show))
}

/// All differences at once, as the errors themselves come all at once.
fn compare(file: PathBuf, found: &str, wrong: &mut Vec<String>) {
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
fn views_that_do_not_fit_are_refused_with_view_line_and_what_would_fit() {
    let (registry, references) = models();
    let mut wrong = Vec::new();
    for (folder, case) in cases("failing") {
        let (views, id) = sources(&case);
        let errors = match combine(&views, id) {
            Err(error) => vec![error],
            Ok(mut view) => match expand(&mut view, &references) {
                Err(error) => vec![error],
                Ok(()) => check(&view, &registry, &references),
            },
        };
        assert!(!errors.is_empty(), "{} is not refused", folder.display());
        let text: String = errors.iter().map(|error| format!("{error}\n")).collect();
        compare(folder.join("errors.txt"), &text, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn views_that_fit_become_one_architecture_whatever_their_order() {
    let (registry, references) = models();
    let mut wrong = Vec::new();
    for (folder, case) in cases("passing") {
        let (mut views, id) = sources(&case);
        let mut view = combine(&views, id).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        expand(&mut view, &references).unwrap();
        let errors = check(&view, &registry, &references);
        assert!(errors.is_empty(), "{}: {}", folder.display(), errors[0]);
        compare(folder.join("arch.xml"), &(view.arch() + "\n"), &mut wrong);
        views.reverse();
        let mut again = combine(&views, id).unwrap();
        expand(&mut again, &references).unwrap();
        assert_eq!(again.arch(), view.arch());
        let Some(person) = &case.person else { continue };
        let viewer = Viewer {
            in_group: &|group| person.groups.iter().any(|own| own == group),
            may: &|_, operation| !person.may_not.contains(&operation),
            sees: &|field| field.name != "secret_note",
            translate: &|text| person.words.get(text).cloned(),
        };
        let got = present(&view, &registry, &viewer);
        let shown = serde_json::json!({"tree": got.tree, "fields": got.fields, "terms": terms(&view)});
        compare(folder.join("tree.json"), &(serde_json::to_string_pretty(&shown).unwrap() + "\n"), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_model_has_a_view_of_every_type_or_lacks_something_that_is_named() {
    let (registry, references) = models();
    let mut lacking = Vec::new();
    for model in registry.models() {
        for kind in ViewKind::ALL {
            let arch = match default_arch(model, kind) {
                Ok(arch) => arch,
                Err(problem) => {
                    lacking.push(problem);
                    continue;
                }
            };
            let source =
                ViewSource { id: 1, model: model.name.to_string(), arch, active: true, ..ViewSource::default() };
            let view = combine(std::slice::from_ref(&source), 1).unwrap();
            assert_eq!(view.kind, kind);
            let errors = check(&view, &registry, &references);
            assert!(errors.is_empty(), "{} {kind}: {}\n{}", model.name, errors[0], source.arch);
        }
    }
    assert!(
        lacking
            .iter()
            .any(|problem| problem == "res.country has no link to a contact, whose address a map shows; add one first")
    );
}
