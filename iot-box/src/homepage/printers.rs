//! What a printer is told: model, pictures, drawer, label, neighbour; more printers on one device; jobs that wait.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, State},
    response::Redirect,
};
use drivers::printer::{Language, models, setup};
use link_protocol::{down::CommandBody, ids::DeviceId, outcome::Outcome, up::DeviceClass};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    session::{Flash, Technician},
    settings::flash,
    tell,
};
use crate::{
    app::{App, own_command_id},
    fleet::Entry,
    router::{Answer, Order},
    settings::{DeviceSettings, MorePrinter, Settings, SettingsError, clean_name},
};

const MOST_MORE: usize = 16;

#[derive(Deserialize)]
pub(crate) struct Options {
    /// Of another printer on the device.
    #[serde(default)]
    name: String,
    #[serde(flatten)]
    options: BTreeMap<String, String>,
}

/// The keys a printer's form has; others are not kept.
const KEYS: [&str; 9] = [
    setup::key::MODEL,
    setup::key::PICTURES,
    setup::key::COLUMN,
    setup::key::DRAWER_OPEN,
    setup::key::DRAWER_PIN,
    setup::key::LABEL_WIDTH,
    setup::key::LABEL_HEIGHT,
    "baud",
    "neighbour",
];

fn clean(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let kept = options.iter().filter(|(key, value)| KEYS.contains(&key.as_str()) && !value.trim().is_empty());
    kept.map(|(key, value)| (key.clone(), value.trim().chars().take(80).collect())).collect()
}

/// What of the settings is not understood, said at once and not only at the printer.
fn warnings(options: &BTreeMap<String, String>, name: &str) -> String {
    let mut options = options.clone();
    crate::settings::name_as_option(name, &mut options);
    // The language is checked by the driver that has the port.
    options.remove(setup::key::MODEL);
    let found = setup::apply(drivers::printer::Profile::generic(Language::EscPos), &options).warnings;
    if found.is_empty() { String::new() } else { format!(" Not used of it: {}.", found.join("; ")) }
}

pub(crate) async fn options(
    State(app): State<App>,
    technician: Technician,
    Path(id): Path<String>,
    Form(form): Form<Options>,
) -> Redirect {
    let options = clean(&form.options);
    let told = format!("The printer's settings are kept.{}", warnings(&options, ""));
    let change = move |settings: &mut Settings| {
        if let Some(more) = settings.more_printers.get_mut(&id) {
            more.options = options;
        } else if id.parse::<DeviceId>().is_ok() {
            settings.devices.entry(id).or_default().options = options;
            settings.devices.retain(|_, d| *d != DeviceSettings::default());
        } else {
            return Err(SettingsError::Invalid("The box does not know this device any more."));
        }
        Ok(())
    };
    let done = app.settings.change(change).await.map(|()| told);
    tell(&app, &technician, flash(done))
}

/// Another printer on the same device, under a name and settings of its own.
pub(crate) async fn more(
    State(app): State<App>,
    technician: Technician,
    Path(id): Path<String>,
    Form(form): Form<Options>,
) -> Redirect {
    let options = clean(&form.options);
    let known = id.parse::<DeviceId>().is_ok_and(|id| {
        app.router
            .table()
            .borrow()
            .get(&id)
            .is_some_and(|e| e.device.class == DeviceClass::Printer && e.more_on.is_none())
    });
    let done = match clean_name(&form.name) {
        Err(error) => Err(error),
        Ok(_) if !known => Err(SettingsError::Invalid("The box does not know this printer any more.")),
        Ok(name) => {
            let told = format!("{name} prints on this device.{}", warnings(&options, &name));
            let change = move |settings: &mut Settings| {
                if settings.more_printers.len() >= MOST_MORE {
                    return Err(SettingsError::Invalid("16 more printers are the most a box takes: remove one first."));
                }
                let free = (2..).map(|n| format!("{id}~{n}")).find(|id| !settings.more_printers.contains_key(id));
                let Some(own) = free.filter(|own| own.parse::<DeviceId>().is_ok()) else {
                    return Err(SettingsError::Invalid("The device's name is too long for a second printer."));
                };
                settings.more_printers.insert(own, MorePrinter { on: id, name, options });
                Ok(())
            };
            app.settings.change(change).await.map(|()| told)
        }
    };
    tell(&app, &technician, flash(done))
}

pub(crate) async fn remove_more(State(app): State<App>, technician: Technician, Path(id): Path<String>) -> Redirect {
    let change = move |settings: &mut Settings| match settings.more_printers.remove(&id) {
        Some(_) => Ok(()),
        None => Err(SettingsError::Invalid("There is no such printer any more.")),
    };
    let done = app.settings.change(change).await.map(|()| "The printer was removed; its device stays.".to_owned());
    tell(&app, &technician, flash(done))
}

/// Withdraws everything that waits for this printer.
pub(crate) async fn cancel_waiting(State(app): State<App>, technician: Technician, Path(id): Path<String>) -> Redirect {
    let Ok(device) = id.parse::<DeviceId>() else {
        return tell(&app, &technician, Flash::Bad("The box does not know this device any more.".into()));
    };
    let mut withdrawn = 0;
    for job in app.router.queues().waiting(&device) {
        let Ok(id) = own_command_id("cancel") else { continue };
        let body = CommandBody::CancelPrint { job };
        let order = Order { id, device: device.clone(), body, deadline: Instant::now() };
        if let Answer::Ran(Outcome::Done { .. }) = app.router.run(order).await {
            withdrawn += 1;
        }
    }
    tell(&app, &technician, Flash::Good(format!("{withdrawn} jobs were withdrawn.")))
}

/// Beside the printer's name and details.
pub(super) fn view(entry: &Entry, entries: &[Entry], waiting: usize, path: &dyn Fn(&str) -> String) -> Markup {
    let id = &entry.device.id;
    html! {
        @if waiting > 0 {
            form method="post" action=(path("cancel-waiting")) {
                button .quiet data-key={ "cancel " (id) } { "Withdraw " (waiting) " waiting" }
            }
        }
        details {
            summary { "Printer settings" }
            form method="post" action=(path("printer")) {
                (fields(entry, entries))
                div .actions { button { "Keep" } }
            }
            @if entry.more_on.is_some() {
                form method="post" action=(path("remove-more")) {
                    div .actions { button .danger { "Remove this printer" } }
                }
            } @else {
                form method="post" action=(path("more")) {
                    div .row {
                        div .field {
                            label for={ "more-" (id) } { "Another printer on this device" }
                            input id={ "more-" (id) } name="name" maxlength="63" autocomplete="off" placeholder="Kitchen__IMC_LDV__";
                        }
                        button { "Add" }
                    }
                    p .soft .small { "The same device under another name and other settings. Names like TM-U220__IMC_LDV_SCALE80__ set how pictures are printed." }
                }
            }
        }
    }
}

fn fields(entry: &Entry, entries: &[Entry]) -> Markup {
    let id = &entry.device.id;
    let set = |key: &str| entry.options.get(key).map_or("", String::as_str);
    let language = language(&entry.device.driver);
    let label = !matches!(language, Language::EscPos | Language::Star | Language::Ipp);
    let receipt = language == Language::EscPos;
    let select = |key: &str, title: &str, choices: &[(String, String)]| {
        html! {
            div .field {
                label for={ (key) "-" (id) } { (title) }
                select id={ (key) "-" (id) } name=(key) {
                    @for (value, shown) in choices {
                        option value=(value) selected[set(key) == value] { (shown) }
                    }
                }
            }
        }
    };
    let text = |key: &str, title: &str, example: &str| {
        html! {
            div .field {
                label for={ (key) "-" (id) } { (title) }
                input id={ (key) "-" (id) } name=(key) value=(set(key)) placeholder=(example) autocomplete="off";
            }
        }
    };
    let pair = |value: &str, shown: &str| (value.to_owned(), shown.to_owned());
    let automatic = pair("", "As found");
    let chosen: Vec<_> = [automatic.clone()]
        .into_iter()
        .chain(models::choices(language).into_iter().map(|model| (model.clone(), model)))
        .collect();
    let printers = entries.iter().filter(|e| e.device.class == DeviceClass::Printer && e.device.id != *id);
    let neighbours: Vec<_> = [pair("", "Nobody")]
        .into_iter()
        .chain(printers.map(|e| (e.device.id.to_string(), e.device.name.clone())))
        .collect();
    html! {
        (select(setup::key::MODEL, "Make and model", &chosen))
        @if receipt {
            (select(setup::key::PICTURES, "Pictures", &[automatic.clone(), pair("raster", "GS v 0"), pair("column", "ESC *")]))
            (text(setup::key::COLUMN, "For ESC *", "LDV LDH SCALE80"))
            (select(setup::key::DRAWER_OPEN, "Drawer is open when its contact is", &[automatic.clone(), pair("high", "high"), pair("low", "low")]))
            (select(setup::key::DRAWER_PIN, "Drawer on pin", &[automatic, pair("2", "2"), pair("5", "5")]))
        }
        @if label {
            (text(setup::key::LABEL_WIDTH, "Label's width in mm", "57"))
            (text(setup::key::LABEL_HEIGHT, "Label's height in mm", "32"))
        }
        (select("neighbour", "When it cannot print, this one does", &neighbours))
    }
}

fn language(driver: &str) -> Language {
    let name = driver.strip_prefix("printer.").unwrap_or_default();
    Language::from_name(name).unwrap_or(Language::EscPos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_only_what_printers_understand() {
        let form = [("model", " Epson TM-U220 "), ("pictures", ""), ("evil", "1"), ("neighbour", "x")];
        let options = form.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let kept = clean(&options);
        assert_eq!(
            kept.into_iter().collect::<Vec<_>>(),
            [("model".to_owned(), "Epson TM-U220".to_owned()), ("neighbour".to_owned(), "x".to_owned())]
        );
    }

    #[test]
    fn what_is_wrong_in_a_name_is_said_when_it_is_given() {
        assert_eq!(warnings(&BTreeMap::new(), "TM-U220__IMC_LDV__"), "");
        assert!(warnings(&BTreeMap::new(), "TM-U220__IMC_XDV__").contains("XDV is not known"));
        assert!(warnings(&BTreeMap::new(), "TM-U220__IMC").contains("two underscores"));
    }
}
