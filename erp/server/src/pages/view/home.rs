//! `/`: the apps.

use maud::{Markup, html};

use super::{
    icon::icon,
    layout::{Section, Shell, Who, page},
};

#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub company: String,
    pub user: Who,
    pub boxes: usize,
    pub boxes_online: usize,
    pub devices: usize,
    pub devices_ready: usize,
}

pub(crate) fn view(v: &Home) -> Markup {
    let shell = Shell {
        title: "Apps".to_owned(),
        section: Section::Home,
        company: v.company.clone(),
        user: Some(v.user.clone()),
        script: None,
        live: false,
    };
    let boxes = match v.boxes {
        0 => "Connect the first box".to_owned(),
        n => format!("{} of {n} online", v.boxes_online),
    };
    let devices = match v.devices {
        0 => "None yet".to_owned(),
        n => format!("{} of {n} ready", v.devices_ready),
    };
    page(
        &shell,
        html! {
            h1.home-title { "Good to see you, " (v.user.name) }
            ul.apps {
                (app("/till", "till", "Till", "Sell, weigh, print", "a"))
                (app("/iot/boxes", "box", "IoT boxes", &boxes, "b"))
                (app("/iot/devices", "devices", "Devices", &devices, "c"))
                (app("/iot/events", "pulse", "Events", "As they happen", "d"))
            }
        },
    )
}

fn app(href: &str, picture: &str, name: &str, fact: &str, tint: &str) -> Markup {
    html! {
        li {
            a.app href=(href) {
                span class={ "app-picture tint-" (tint) } { (icon(picture)) }
                span.app-name { (name) }
                span.app-fact { (fact) }
            }
        }
    }
}
