//! Pages for what went wrong: the same frame, the reason, and the way on.

use maud::{Markup, html};

use super::{
    icon::icon,
    layout::{Section, Shell, Who, document, page},
};

#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub status: u16,
    pub title: String,
    /// What happened and what to do.
    pub words: String,
    pub company: String,
    pub user: Option<Who>,
}

impl Trouble {
    pub(crate) fn not_found(path: &str) -> Self {
        let path: String = path.chars().take(120).collect();
        Self {
            status: 404,
            title: "There is no such page".to_owned(),
            words: format!("Nothing is at {path}. The address may be mistyped, or the thing it showed is gone."),
            company: String::new(),
            user: None,
        }
    }

    pub(crate) fn forbidden(words: &str) -> Self {
        Self {
            status: 403,
            title: "That is not yours to do".to_owned(),
            words: words.to_owned(),
            company: String::new(),
            user: None,
        }
    }

    pub(crate) fn internal() -> Self {
        Self {
            status: 500,
            title: "Something went wrong here".to_owned(),
            words: "The page could not be made; nothing you entered was changed. Try again in a moment. If it happens \
                    again, the server's log tells the reason."
                .to_owned(),
            company: String::new(),
            user: None,
        }
    }
}

pub(crate) fn view(v: &Trouble) -> Markup {
    let shell = Shell {
        title: v.title.clone(),
        section: Section::None,
        company: if v.company.is_empty() { "ERP".to_owned() } else { v.company.clone() },
        user: v.user.clone(),
        script: None,
        live: false,
    };
    let body = html! {
        div.trouble {
            p.trouble-status { (v.status) }
            h1 { (v.title) }
            p.lead { (v.words) }
            p { a.button href="/" { (icon("home")) "To the apps" } }
        }
    };
    match v.user {
        Some(_) => page(&shell, body),
        None => document(&shell, "door", html! { main.door-main { (body) } }),
    }
}
