//! The cashier's screen. Only the frame is made here: what is sold lives in the browser (`js/till/`), so that a sale
//! survives a reload and a lost server.

use maud::{Markup, html};

use super::{
    icon::icon,
    layout::{Section, Shell, Who, document, mark},
};

#[derive(Debug, Clone)]
pub(crate) struct Till {
    pub company: String,
    pub user: Who,
    /// The boxes' addresses that the page's policy lets it talk to; the page reloads itself when they change.
    pub box_urls: Vec<String>,
}

pub(crate) fn view(v: &Till) -> Markup {
    let shell = Shell {
        title: "Till".to_owned(),
        section: Section::None,
        company: v.company.clone(),
        user: Some(v.user.clone()),
        script: Some("js/till/main.js"),
        live: false,
    };
    document(
        &shell,
        "till",
        html! {
            div.till-app data-till data-urls=(v.box_urls.join(" ")) data-user=(v.user.name) data-company=(v.company) {
                (top(v))
                div.till-alerts role="alert" data-alerts {}
                main.till-main {
                    h1.sr { "Till" }
                    section.products aria-label="Products" data-pane="products" {
                        div.search.till-search {
                            (icon("search"))
                            input type="search" data-search placeholder="Search a product or type a barcode" autocomplete="off"
                                aria-label="Search a product or type a barcode" spellcheck="false" enterkeyhint="done";
                            kbd aria-hidden="true" { "/" }
                        }
                        ul.product-grid data-products aria-busy="true" {
                            @for _ in 0..12 { li.product-ghost aria-hidden="true" {} }
                        }
                        p.products-none data-products-none hidden { "No product matches." }
                    }
                    section.sale aria-label="Sale" data-pane="sale" {
                        ol.lines data-lines aria-label="Lines of the sale" {}
                        div.sale-empty data-sale-empty {
                            span.empty-picture { (icon("barcode")) }
                            p { strong { "Scan the first item" } }
                            p { "or touch it in the list" }
                        }
                        div.sale-foot {
                            dl.total { dt { "Total" } dd data-total { "0.00" } }
                            div.sale-actions {
                                button.button.tall type="button" data-drawer { (icon("drawer")) span { "Open drawer" } }
                                button.button.tall type="button" data-clear disabled { (icon("trash")) span { "Clear" } }
                                button.button.primary.tall.pay type="button" data-pay disabled {
                                    (icon("cash")) span { "Pay cash" } kbd { "F2" }
                                }
                            }
                        }
                    }
                }
                nav.till-switch aria-label="Parts of the till" {
                    button type="button" data-show="products" aria-pressed="true" { (icon("grid")) "Products" }
                    button type="button" data-show="sale" aria-pressed="false" {
                        (icon("receipt")) "Sale" span.badge data-badge hidden {} span.switch-total data-total {}
                    }
                }
            }
            p.sr role="status" aria-live="polite" data-say {}
            (weigh()) (pay()) (setup())
            noscript { p.noscript { "The till needs JavaScript." } }
        },
    )
}

fn top(v: &Till) -> Markup {
    html! {
        header.till-bar {
            a.brand href="/" aria-label={ (v.company) ": to the apps" } { (mark()) span.brand-name { (v.company) } }
            button.till-place type="button" data-setup-open aria-haspopup="dialog" {
                (icon("devices")) span data-place { "Choose devices" }
            }
            span.path data-path="none" role="status" {
                span.live-dot {} span data-path-words { "Connecting" }
            }
            span.till-user { (v.user.name) }
        }
    }
}

fn weigh() -> Markup {
    html! {
        dialog.sheet.weigh data-weigh aria-labelledby="weigh-title" {
            header.sheet-head {
                h2 #weigh-title data-weigh-name {}
                p.lead data-weigh-price {}
            }
            div.scale-face data-condition="silent" {
                p.scale-value { span data-weigh-value { "–.–––" } span.scale-unit data-weigh-unit { "kg" } }
                p.scale-word role="status" data-weigh-word { "Waiting for the scale" }
            }
            dl.total { dt { "Price" } dd data-weigh-total { "–" } }
            div role="alert" data-weigh-error {}
            div.sheet-actions {
                button.button.tall type="button" data-close { "Cancel" kbd { "Esc" } }
                button.button.primary.tall type="button" data-weigh-take {
                    (icon("scale")) span { "Take weight" } kbd { "Enter" }
                }
            }
        }
    }
}

fn pay() -> Markup {
    html! {
        dialog.sheet.pay data-pay-sheet aria-labelledby="pay-title" {
            form data-pay-form {
                header.sheet-head {
                    h2 #pay-title { "Pay cash" }
                    dl.total { dt { "To pay" } dd data-pay-total {} }
                }
                div.field {
                    label for="cash" { "Cash received" }
                    input.cash-input #cash inputmode="decimal" autocomplete="off" data-cash aria-describedby="cash-error";
                    div #cash-error role="alert" data-cash-error {}
                }
                div.quick data-quick {}
                dl.total.change { dt { "Change" } dd data-change {} }
                div.sheet-actions {
                    button.button.tall type="button" data-close { "Back" kbd { "Esc" } }
                    button.button.primary.tall type="submit" data-pay-confirm {
                        (icon("printer")) span { "Print and open drawer" } kbd { "Enter" }
                    }
                }
            }
            div.outcome data-outcome tabindex="-1" hidden {}
        }
    }
}

fn setup() -> Markup {
    html! {
        dialog.sheet.setup data-setup aria-labelledby="setup-title" {
            form data-setup-form {
                header.sheet-head {
                    h2 #setup-title { "This till's devices" }
                    p.lead { "Remembered in this browser." }
                }
                div.field { label for="s-box" { "Box" } select #s-box name="box" {} p.hint data-setup-box {} }
                div.field { label for="s-scanner" { "Barcode scanner" } select #s-scanner name="scanner" {} }
                div.field { label for="s-scale" { "Electronic scale" } select #s-scale name="scale" {} }
                div.field { label for="s-printer" { "Receipt printer and drawer" } select #s-printer name="printer" {} }
                div.field.check {
                    label { input type="checkbox" name="sound"; " Sounds" }
                }
                dl.facts.setup-facts data-setup-facts {}
                div.sheet-actions {
                    button.button.tall type="button" data-close { "Cancel" kbd { "Esc" } }
                    button.button.primary.tall type="submit" { "Use these" }
                }
            }
        }
    }
}
