//! `/web/login`.

use maud::{Markup, html};

use super::layout::{Section, Shell, Tone, document, mark, notice};

#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    pub company: String,
    /// Shown above the fields, as "wrong login or password".
    pub error: Option<String>,
    /// A plain remark, as "you are signed out".
    pub remark: Option<String>,
    /// What was typed before.
    pub login: String,
    /// A path of this site to go to afterwards.
    pub next: String,
    /// Developer mode: offers what administrators alone may do.
    pub debug: bool,
    /// Offers to reset the password.
    pub reset: bool,
}

pub(crate) fn view(v: &Login) -> Markup {
    let shell = Shell {
        title: "Sign in".to_owned(),
        section: Section::None,
        company: v.company.clone(),
        user: None,
        script: Some("js/login.js"),
        live: false,
    };
    let failed = v.error.is_some();
    document(
        &shell,
        "door",
        html! {
            main.door-main {
                div.door-head { (mark()) h1 { "Sign in" } p.lead { (v.company) } }
                form.card.door-card method="post" action="/web/login" data-login {
                    div role="alert" data-login-error {
                        @if let Some(error) = &v.error { (notice(Tone::Bad, html! { p { (error) } })) }
                    }
                    @if let Some(remark) = v.remark.as_ref().filter(|_| !failed) {
                        (notice(Tone::Info, html! { p { (remark) } }))
                    }
                    input type="hidden" name="next" value=(v.next);
                    div.field {
                        label for="login" { "Login" }
                        input #login name="login" type="text" value=(v.login) required autofocus[!failed || v.login.is_empty()]
                            autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false";
                    }
                    div.field {
                        label for="password" { "Password" }
                        input #password name="password" type="password" required autocomplete="current-password"
                            autofocus[failed && !v.login.is_empty()] aria-invalid=[failed.then_some("true")];
                    }
                    button.button.primary.wide type="submit" { "Sign in" }
                    @if v.debug {
                        button.button.wide type="submit" name="superuser" value="1" { "Log in as superuser" }
                    }
                    @if v.reset {
                        p.hint { a href="/web/reset_password" { "Reset password" } }
                    }
                }
            }
        },
    )
}
