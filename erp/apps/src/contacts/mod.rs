//! The address book: the screens of contacts, their tags, titles, industries, banks and countries.

use erp_engine::declare::{App, Menu, View, WindowAction};

pub(crate) fn app() -> App {
    App::new("contacts", "Contacts")
        .translation("de", include_str!("i18n/de.po"))
        .translation("fr", include_str!("i18n/fr.po"))
        .version("1")
        .summary("One place for customers, suppliers and everybody else")
        .category("Sales")
        .application()
        .depends(&["base", "mail"])
        .view(View::new("view_partner_form", "res.partner", include_str!("form.xml")))
        .view(View::new("view_partner_list", "res.partner", include_str!("list.xml")))
        .view(View::new("view_partner_kanban", "res.partner", include_str!("kanban.xml")))
        .view(View::new("view_partner_search", "res.partner", include_str!("search.xml")))
        .action(
            WindowAction::new("action_contacts", "Contacts", "res.partner", "kanban,list,form,activity")
                .context("{'default_is_company': True}")
                .help("No contact yet. Create one, or import your address book from a file."),
        )
        .action(WindowAction::new("action_tags", "Contact Tags", "res.partner.category", "list,form"))
        .action(WindowAction::new("action_titles", "Contact Titles", "res.partner.title", "list,form"))
        .action(WindowAction::new("action_industries", "Industries", "res.partner.industry", "list,form"))
        .action(WindowAction::new("action_countries", "Countries", "res.country", "list,form"))
        .action(WindowAction::new("action_states", "Fed. States", "res.country.state", "list,form"))
        .action(WindowAction::new("action_country_groups", "Country Group", "res.country.group", "list,form"))
        .action(WindowAction::new("action_banks", "Banks", "res.bank", "list,form"))
        .action(WindowAction::new("action_accounts", "Bank Accounts", "res.partner.bank", "list,form"))
        .menu(
            Menu::new("menu_contacts", "Contacts")
                .icon("address-book")
                .action("action_contacts")
                .sequence(20)
                .groups(&["base.group_user", "base.group_partner_manager"]),
        )
        .menu(Menu::new("menu_all", "Contacts").parent("menu_contacts").action("action_contacts").sequence(1))
        .menu(
            Menu::new("menu_configuration", "Configuration")
                .parent("menu_contacts")
                .sequence(90)
                .groups(&["base.group_partner_manager"]),
        )
        .menu(Menu::new("menu_tags", "Contact Tags").parent("menu_configuration").action("action_tags").sequence(1))
        .menu(
            Menu::new("menu_titles", "Contact Titles").parent("menu_configuration").action("action_titles").sequence(2),
        )
        .menu(
            Menu::new("menu_industries", "Industries")
                .parent("menu_configuration")
                .action("action_industries")
                .sequence(3),
        )
        .menu(Menu::new("menu_places", "Localization").parent("menu_configuration").sequence(5))
        .menu(Menu::new("menu_countries", "Countries").parent("menu_places").action("action_countries").sequence(1))
        .menu(Menu::new("menu_states", "Fed. States").parent("menu_places").action("action_states").sequence(2))
        .menu(
            Menu::new("menu_country_groups", "Country Group")
                .parent("menu_places")
                .action("action_country_groups")
                .sequence(3),
        )
        .menu(Menu::new("menu_money", "Bank Accounts").parent("menu_configuration").sequence(6))
        .menu(Menu::new("menu_banks", "Banks").parent("menu_money").action("action_banks").sequence(1))
        .menu(Menu::new("menu_accounts", "Bank Accounts").parent("menu_money").action("action_accounts").sequence(2))
}
