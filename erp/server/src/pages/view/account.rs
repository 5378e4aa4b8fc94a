//! `/web/signup` and `/web/reset_password`.

use maud::{Markup, html};

use super::layout::{Section, Shell, Tone, document, mark, notice};

#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub company: String,
    /// Of whose link it is; nothing for a link that is none.
    pub login: Option<String>,
    pub invitation: bool,
    pub token: String,
    /// Fewest characters.
    pub least: usize,
    pub error: Option<String>,
    /// What became of asking for a link.
    pub remark: Option<String>,
    /// Without a link one is asked for here, and comes by mail.
    pub asks: bool,
}

pub(crate) fn view(v: &Account) -> Markup {
    let title = if v.invitation { "Welcome" } else { "Choose a password" };
    let shell = Shell {
        title: title.to_owned(),
        section: Section::None,
        company: v.company.clone(),
        user: None,
        script: None,
        live: false,
    };
    document(
        &shell,
        "door",
        html! {
            main.door-main {
                div.door-head { (mark()) h1 { (title) } p.lead { (v.company) } }
                @match &v.login {
                    Some(login) => (form(v, login)),
                    None => div.card.door-card {
                        @if let Some(error) = &v.error {
                            div role="alert" { (notice(Tone::Bad, html! { p { (error) } })) }
                        }
                        @if let Some(remark) = &v.remark {
                            div role="status" { (notice(Tone::Info, html! { p { (remark) } })) }
                        } @else if v.asks {
                            form method="post" action="/web/reset_password" {
                                div.field {
                                    label for="login" { "Login" }
                                    input #login name="login" type="text" required autofocus autocomplete="username"
                                        autocapitalize="none" autocorrect="off" spellcheck="false";
                                }
                                button.button.primary.wide type="submit" { "Send me a link" }
                            }
                        } @else {
                            p { "To choose a new password you need a link. Ask your administrator for one." }
                        }
                        p { a href="/web/login" { "Back to signing in" } }
                    },
                }
            }
        },
    )
}

fn form(v: &Account, login: &str) -> Markup {
    let action = if v.invitation { "/web/signup" } else { "/web/reset_password" };
    let field = |name: &str, label: &str, focus: bool| {
        html! {
            div.field {
                label for=(name) { (label) }
                input id=(name) name=(name) type="password" required minlength=(v.least) autocomplete="new-password"
                    autofocus[focus];
            }
        }
    };
    html! {
        form.card.door-card method="post" action=(action) {
            @if let Some(error) = &v.error {
                div role="alert" { (notice(Tone::Bad, html! { p { (error) } })) }
            }
            input type="hidden" name="token" value=(v.token);
            div.field {
                label for="login" { "Login" }
                input #login type="text" value=(login) readonly autocomplete="username";
            }
            (field("password", "New password", true))
            (field("again", "The same again", false))
            p.hint { "At least " (v.least) " characters." }
            button.button.primary.wide type="submit" { "Save and sign in" }
        }
    }
}
