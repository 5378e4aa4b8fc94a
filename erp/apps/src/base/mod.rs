//! Users, companies, contacts, places, money, languages, settings: what every other app stands on.

mod company;
mod iban;
mod language;
mod language_files;
mod money;
mod partner;
mod partner_code;
mod partner_names;
mod places;
mod rights;
mod security;
mod users;

use erp_engine::declare::{App, DataRow, Field, Menu, Model, Principals, WindowAction};

pub(crate) fn app() -> App {
    let app = App::new("base", "Base")
        .translation("de", include_str!("i18n/de.po"))
        .translation("fr", include_str!("i18n/fr.po"))
        .version("1")
        .category("Hidden")
        .principals(
            Principals::new("res.users", "active", "login")
                .companies("company_id", "company_ids")
                .keeper("group_system")
                .own_fields(&rights::OWN),
        )
        .model(parameters());
    let app = rights::add(users::add(company::add(partner::add(language_files::add(language::add(places::add(
        money::add(app),
    )))))));
    language_files::screens(screens(security::declare(records(app))))
}

fn records(app: App) -> App {
    let user = |id: &str, login: &str, partner: &str| {
        DataRow::new(id, "res.users")
            .set("login", login)
            .set_ref("partner_id", partner)
            .set_ref("company_id", "main_company")
    };
    let contact = |id: &str, name: &str| DataRow::new(id, "res.partner").set("name", name);
    let title = |id: &str, name: &str, short: &str| {
        DataRow::new(id, "res.partner.title").set("name", name).set("shortcut", short)
    };
    let industry = |id: &str, name: &str| DataRow::new(id, "res.partner.industry").set("name", name);
    app.data(DataRow::new("EUR", "res.currency").set("name", "EUR").set("full_name", "Euro").set("symbol", "€"))
        .data(contact("main_partner", "My Company").set("is_company", true))
        .data(
            DataRow::new("main_company", "res.company")
                .set("name", "My Company")
                .set_ref("partner_id", "main_partner")
                .set_ref("currency_id", "EUR"),
        )
        .data(contact("partner_root", "System").set("active", false))
        .data(contact("partner_admin", "Administrator"))
        .data(contact("partner_portal_template", "Portal User Template").set("active", false))
        .data(contact("public_partner", "Public user").set("active", false))
        // Number 1 owns what the system does by itself and cannot sign in.
        .data(user("user_root", "__system__", "partner_root").set("active", false))
        // Without a password nobody can sign in as him yet; setting up the database gives him one.
        .data(user("user_admin", "admin", "partner_admin"))
        // What somebody begins as who is let into the portal.
        .data(user("template_portal_user_id", "portaltemplate", "partner_portal_template").set("active", false))
        // Visitors of the website have his rights. He cannot sign in.
        .data(user("public_user", "public", "public_partner").set("active", false))
        .data(title("res_partner_title_doctor", "Doctor", "Dr."))
        .data(title("res_partner_title_madam", "Madam", "Mrs"))
        .data(title("res_partner_title_miss", "Miss", "Miss"))
        .data(title("res_partner_title_mister", "Mister", "Mr."))
        .data(title("res_partner_title_prof", "Professor", "Prof."))
        .data(industry("res_partner_industry_A", "Agriculture"))
        .data(industry("res_partner_industry_C", "Manufacturing"))
        .data(industry("res_partner_industry_F", "Construction"))
        .data(industry("res_partner_industry_G", "Wholesale/Retail"))
        .data(industry("res_partner_industry_H", "Transportation"))
        .data(industry("res_partner_industry_I", "Food"))
        .data(industry("res_partner_industry_J", "IT/Communication"))
        .data(industry("res_partner_industry_K", "Finance/Insurance"))
        .data(industry("res_partner_industry_M", "Scientific"))
        .data(industry("res_partner_industry_P", "Education"))
        .data(industry("res_partner_industry_Q", "Health/Social"))
        .data(industry("res_partner_industry_S", "Other Services"))
        .demo(contact("partner_cashier", "Mara Lind"))
        .demo(user("user_cashier", "cashier", "partner_cashier"))
}

fn parameters() -> Model {
    Model::new("ir.config_parameter", "Setting")
        .rec_name("key")
        .order("key")
        .field(Field::char("key").required().unique())
        .field(Field::text("value"))
}

fn screens(app: App) -> App {
    let admin = ["group_erp_manager"];
    let system = ["group_system"];
    app.action(WindowAction::new("action_res_users", "Users", "res.users", "list,form"))
        .action(WindowAction::new("action_res_groups", "Groups", "res.groups", "list,form"))
        .action(WindowAction::new("action_res_company", "Companies", "res.company", "list,form"))
        .action(
            WindowAction::new("action_res_lang", "Languages", "res.lang", "list,form")
                .context("{'active_test': False}"),
        )
        .action(
            WindowAction::new("action_currency", "Currencies", "res.currency", "list,form")
                .context("{'active_test': False}"),
        )
        .action(WindowAction::new("action_parameters", "System Parameters", "ir.config_parameter", "list,form"))
        .menu(Menu::new("menu_administration", "Settings").icon("gear").sequence(550).groups(&admin))
        .menu(Menu::new("menu_users", "Users & Companies").parent("menu_administration").sequence(1))
        .menu(Menu::new("menu_action_res_users", "Users").parent("menu_users").action("action_res_users").sequence(1))
        .menu(
            Menu::new("menu_action_res_groups", "Groups")
                .parent("menu_users")
                .action("action_res_groups")
                .sequence(3)
                .groups(&["group_no_one"]),
        )
        .menu(
            Menu::new("menu_action_res_company", "Companies")
                .parent("menu_users")
                .action("action_res_company")
                .sequence(4),
        )
        .menu(Menu::new("menu_translation", "Translations").parent("menu_administration").sequence(5).groups(&system))
        .menu(Menu::new("menu_res_lang", "Languages").parent("menu_translation").action("action_res_lang").sequence(1))
        .menu(
            Menu::new("menu_technical", "Technical")
                .parent("menu_administration")
                .sequence(110)
                .groups(&["group_no_one"]),
        )
        .menu(Menu::new("menu_parameters", "Parameters").parent("menu_technical").sequence(90))
        .menu(
            Menu::new("menu_config_parameter", "System Parameters")
                .parent("menu_parameters")
                .action("action_parameters"),
        )
        .menu(Menu::new("menu_currencies", "Currencies").parent("menu_parameters").action("action_currency"))
}
