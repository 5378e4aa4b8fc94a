//! Messages, notes, followers, tracked changes and activities on records; mail that goes out.
//!
//! A model takes part by `with_mixin("mail.thread")` and `with_mixin("mail.activity.mixin")`.

mod activity;
mod activity_done;
mod activity_models;
mod activity_search;
mod message;
mod models;
mod outgoing;
mod thread;
mod tracking;

pub use outgoing::{has_server, queue_template, settle, take_back, take_due};

use erp_engine::declare::{App, DataRow, Group, Menu, WindowAction};

pub(crate) fn app() -> App {
    let app = App::new("mail", "Discuss")
        .translation("de", include_str!("i18n/de.po"))
        .translation("fr", include_str!("i18n/fr.po"))
        .version("1")
        .summary("Messages, activities and mail on every record")
        .category("Productivity")
        .depends(&["base"])
        .group(Group::new("group_mail_template_editor", "Mail Template Editor").category("Mail"));
    let app = outgoing::add(activity_models::add(models::add(app)));
    let app = app.code(thread::code()).code(message::code()).code(activity::code()).code(activity_done::code());
    screens(data(app))
}

fn data(app: App) -> App {
    let activity = |id: &str, name: &str, icon: &str, days: i64, category: &str, sequence: i64| {
        DataRow::new(id, "mail.activity.type")
            .set("name", name)
            .set("icon", icon)
            .set("delay_count", days)
            .set("category", category)
            .set("sequence", sequence)
    };
    app.data(
        DataRow::new("mt_comment", "mail.message.subtype")
            .set("name", "Discussions")
            .set("sequence", 0)
            .set("default", true),
    )
    .data(
        DataRow::new("mt_note", "mail.message.subtype")
            .set("name", "Note")
            .set("sequence", 100)
            .set("internal", true)
            .set("default", false),
    )
    .data(
        DataRow::new("mt_activities", "mail.message.subtype")
            .set("name", "Activities")
            .set("sequence", 90)
            .set("internal", true)
            .set("default", false),
    )
    .data(activity("mail_activity_data_email", "Email", "envelope", 0, "default", 3).set("summary", "Email"))
    .data(activity("mail_activity_data_call", "Call", "phone", 2, "phonecall", 6).set("summary", "Call"))
    .data(activity("mail_activity_data_meeting", "Meeting", "users", 0, "default", 9).set("summary", "Meeting"))
    .data(activity("mail_activity_data_todo", "To-Do", "check", 5, "default", 12).set("summary", "To-Do"))
    .data(activity("mail_activity_data_upload_document", "Upload Document", "upload", 5, "upload_file", 25))
    .data(
        activity("mail_activity_data_warning", "Alert", "warning", 0, "default", 99).set("decoration_type", "warning"),
    )
}

fn screens(app: App) -> App {
    app.action(WindowAction::new("mail_activity_type_action", "Activity Types", "mail.activity.type", "list,form"))
        .action(
            WindowAction::new("mail_activity_action", "Activities", "mail.activity", "list,form")
                .domain("[('user_id', '=', uid)]")
                .help("Nothing to do. Activities that people schedule for you on records appear here."),
        )
        .action(WindowAction::new("mail_message_action", "Messages", "mail.message", "list,form"))
        .action(WindowAction::new("mail_mail_action", "Emails", "mail.mail", "list,form"))
        .action(WindowAction::new("mail_server_action", "Outgoing Mail Servers", "ir.mail_server", "list,form"))
        .action(WindowAction::new("mail_template_action", "Email Templates", "mail.template", "list,form"))
        .menu(
            Menu::new("menu_email", "Email").parent("base.menu_technical").sequence(20).groups(&["base.group_system"]),
        )
        .menu(Menu::new("menu_mail_mail", "Emails").parent("menu_email").action("mail_mail_action"))
        .menu(Menu::new("menu_mail_message", "Messages").parent("menu_email").action("mail_message_action"))
        .menu(Menu::new("menu_mail_server", "Outgoing Mail Servers").parent("menu_email").action("mail_server_action"))
        .menu(Menu::new("menu_mail_template", "Email Templates").parent("menu_email").action("mail_template_action"))
        .menu(Menu::new("menu_activity", "Activities").parent("base.menu_technical").sequence(30))
        .menu(Menu::new("menu_mail_activity", "Activities").parent("menu_activity").action("mail_activity_action"))
        .menu(
            Menu::new("menu_mail_activity_type", "Activity Types")
                .parent("menu_activity")
                .action("mail_activity_type_action"),
        )
}
