//! Which apps come or go along with others. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::{declare::App, error::Error, resolve::shorten};

fn by_name(apps: &[App]) -> BTreeMap<&str, &App> {
    apps.iter().map(|app| (app.name.as_str(), app)).collect()
}

/// `installed` with these apps, everything that they depend on, and what installs itself on top of that.
pub(super) fn with(apps: &[App], installed: &BTreeSet<String>, names: &[String]) -> Result<BTreeSet<String>, Error> {
    let known = by_name(apps);
    let mut all = installed.clone();
    let mut waiting: Vec<(String, Option<String>)> = names.iter().map(|name| (name.clone(), None)).collect();
    while let Some((name, wanted_by)) = waiting.pop() {
        let Some(app) = known.get(name.as_str()) else {
            return Err(Error::User(match wanted_by {
                Some(other) => format!(
                    "{other} cannot be installed: it depends on {}, which this program does not have",
                    shorten(&name)
                ),
                None => {
                    let all: Vec<&str> = known.keys().copied().collect();
                    format!("there is no app {}; there are {}", shorten(&name), all.join(", "))
                }
            }));
        };
        if all.insert(name.clone()) {
            waiting.extend(app.depends.iter().map(|other| (other.clone(), Some(name.clone()))));
        }
    }
    loop {
        let more: Vec<&App> = apps
            .iter()
            .filter(|app| app.auto_install && !all.contains(&app.name))
            .filter(|app| app.depends.iter().all(|name| all.contains(name)))
            .collect();
        if more.is_empty() {
            return Ok(all);
        }
        all.extend(more.into_iter().map(|app| app.name.clone()));
    }
}

/// These and every installed app that stands on one of them.
pub(super) fn dependents(apps: &[App], installed: &BTreeSet<String>, names: &[String]) -> BTreeSet<String> {
    let mut gone: BTreeSet<String> = names.iter().filter(|name| installed.contains(*name)).cloned().collect();
    loop {
        let more: Vec<&App> = apps
            .iter()
            .filter(|app| installed.contains(&app.name) && !gone.contains(&app.name))
            .filter(|app| app.depends.iter().any(|name| gone.contains(name)))
            .collect();
        if more.is_empty() {
            return gone;
        }
        gone.extend(more.into_iter().map(|app| app.name.clone()));
    }
}

/// In the order in which they are loaded: each after what it depends on.
pub(super) fn in_order(apps: &[App], names: &BTreeSet<String>) -> Vec<String> {
    let known = by_name(apps);
    let mut ordered: Vec<String> = Vec::new();
    let mut left: BTreeSet<&String> = names.iter().collect();
    while !left.is_empty() {
        let ready: Vec<&String> = left
            .iter()
            .copied()
            .filter(|name| {
                known.get(name.as_str()).is_none_or(|app| app.depends.iter().all(|other| !left.contains(other)))
            })
            .collect();
        // A circle: `resolve` names it.
        let ready = if ready.is_empty() { left.iter().copied().collect() } else { ready };
        for name in ready {
            left.remove(name);
            ordered.push(name.clone());
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps() -> Vec<App> {
        vec![
            App::new("base", "Base"),
            App::new("mail", "Mail").depends(&["base"]),
            App::new("sale", "Sales").depends(&["mail"]),
            App::new("stock", "Stock").depends(&["base"]),
            App::new("sale_stock", "Both").depends(&["sale", "stock"]).auto_install(),
            App::new("sale_stock_more", "More").depends(&["sale_stock"]).auto_install(),
            App::new("broken", "Broken").depends(&["nothing"]),
        ]
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_an_app_depends_on_comes_along_and_bridges_install_themselves() {
        let sale = with(&apps(), &set(&["base"]), &list(&["sale"])).unwrap();
        assert_eq!(sale, set(&["base", "mail", "sale"]));
        let both = with(&apps(), &sale, &list(&["stock"])).unwrap();
        assert_eq!(both, set(&["base", "mail", "sale", "stock", "sale_stock", "sale_stock_more"]));
        assert_eq!(in_order(&apps(), &both), ["base", "mail", "stock", "sale", "sale_stock", "sale_stock_more"]);
    }

    #[test]
    fn an_app_that_is_not_there_is_named_with_who_wants_it() {
        let wrong = |name: &str| with(&apps(), &set(&[]), &list(&[name])).unwrap_err().to_string();
        assert_eq!(
            wrong("broken"),
            "broken cannot be installed: it depends on nothing, which this program does not have"
        );
        assert!(wrong("nope").starts_with("there is no app nope; there are base, broken"));
    }

    #[test]
    fn who_stands_on_an_app_goes_with_it() {
        let all = set(&["base", "mail", "sale", "stock", "sale_stock"]);
        assert_eq!(dependents(&apps(), &all, &list(&["mail"])), set(&["mail", "sale", "sale_stock"]));
        assert_eq!(dependents(&apps(), &all, &list(&["sale_stock_more"])), set(&[]));
    }
}
