//! Threads: messages, who follows, who was told, what changed.

use erp_engine::{
    Operation,
    declare::{App, Field, Model, OnDelete, Rule},
};
use serde_json::json;

pub(super) fn add(app: App) -> App {
    app.model(thread())
        .model(message())
        .model(subtype())
        .model(followers())
        .model(notification())
        .model(tracking_value())
        .model(Model::extend("res.partner").with_mixin("mail.thread").with_mixin("mail.activity.mixin"))
        .model(
            Model::extend("res.users").field(
                Field::selection("notification_type", &[("email", "Handle by Emails"), ("inbox", "Handle in the ERP")])
                    .label("Notification")
                    .required()
                    .default("email"),
            ),
        )
        .own_fields(&["notification_type"])
        .access("base.group_user", "mail.message", "crud")
        .access("base.group_portal", "mail.message", "r")
        .access("base.group_system", "mail.message", "crud")
        .access("base.group_user", "mail.message.subtype", "r")
        .access("base.group_portal", "mail.message.subtype", "r")
        .access("base.group_system", "mail.message.subtype", "crud")
        .access("base.group_user", "mail.followers", "r")
        .access("base.group_system", "mail.followers", "crud")
        .access("base.group_user", "mail.notification", "ru")
        .access("base.group_system", "mail.notification", "crud")
        .access("base.group_system", "mail.tracking.value", "crud")
        .rule(
            Rule::new(
                "one's own notifications",
                "mail.notification",
                json!("[('res_partner_id', '=', user.partner_id.id)]"),
            )
            .group("base.group_user"),
        )
        .rule(Rule::new("all notifications", "mail.notification", json!("[(1, '=', 1)]")).group("base.group_system"))
        .rule(
            Rule::new("no notes in the portal", "mail.message", json!("[('is_internal', '=', False)]"))
                .group("base.group_portal"),
        )
        .rule(
            Rule::new(
                "messages are written in one's own name",
                "mail.message",
                json!("[('author_id', '=', user.partner_id.id)]"),
            )
            .group("base.group_user")
            .operations(&[Operation::Create]),
        )
        .rule(
            Rule::new(
                "one's own comments are changed, what was logged stays",
                "mail.message",
                json!("[('author_id', '=', user.partner_id.id), ('message_type', '=', 'comment')]"),
            )
            .group("base.group_user")
            .operations(&[Operation::Write, Operation::Unlink]),
        )
        .rule(Rule::new("all messages", "mail.message", json!("[(1, '=', 1)]")).group("base.group_system"))
}

fn thread() -> Model {
    let mut thread = followed();
    // Who may not read followers reads the record all the same.
    let inside = |field: &&mut Field| !matches!(field.name.as_str(), "message_ids" | "message_attachment_count");
    thread.fields.iter_mut().filter(inside).for_each(|field| field.groups = vec!["base.group_user".to_owned()]);
    thread
}

fn followed() -> Model {
    Model::mixin("mail.thread", "Thread")
        .field(Field::one2many("message_ids", "mail.message", "res_id").label("Messages").copied(false))
        .field(Field::one2many("message_follower_ids", "mail.followers", "res_id").label("Followers").copied(false))
        .field(
            Field::many2many("message_partner_ids", "res.partner")
                .label("Followers (Partners)")
                .compute("mail.thread_partners", &[])
                .copied(false),
        )
        .field(Field::boolean("message_is_follower").label("Is Follower").compute("mail.thread_is_follower", &[]))
        .field(Field::boolean("message_needaction").label("Action Needed").compute("mail.thread_needaction", &[]))
        .field(
            Field::integer("message_attachment_count")
                .label("Attachment Count")
                .compute("mail.thread_attachment_count", &[]),
        )
}

fn message() -> Model {
    Model::new("mail.message", "Message")
        .rec_name("record_name")
        .order("id desc")
        .follows("model", "res_id")
        .field(Field::char("subject"))
        .field(Field::datetime("date").required().default_now().index())
        .field(Field::html("body").label("Contents"))
        .field(
            Field::many2many("attachment_ids", "ir.attachment")
                .through("message_attachment_rel", "message_id", "attachment_id")
                .label("Attachments"),
        )
        .field(Field::many2one("parent_id", "mail.message").label("Parent Message").index())
        .field(Field::char("model").label("Related Document Model").index())
        .field(Field::integer("res_id").label("Related Document ID").index())
        .field(Field::char("record_name").label("Message Record Name"))
        .field(
            Field::selection(
                "message_type",
                &[
                    ("email", "Email"),
                    ("comment", "Comment"),
                    ("notification", "System notification"),
                    ("user_notification", "User Specific Notification"),
                ],
            )
            .label("Type")
            .required()
            .default("email"),
        )
        .field(Field::many2one("subtype_id", "mail.message.subtype").label("Subtype"))
        .field(Field::boolean("is_internal").label("Employee Only"))
        .field(Field::char("email_from").label("From"))
        .field(Field::many2one("author_id", "res.partner").label("Author").index())
        .field(
            Field::many2many("partner_ids", "res.partner")
                .through("mail_message_res_partner_rel", "mail_message_id", "res_partner_id")
                .label("Recipients"),
        )
        .field(Field::one2many("notification_ids", "mail.notification", "mail_message_id").label("Notifications"))
        .field(
            Field::one2many("tracking_value_ids", "mail.tracking.value", "mail_message_id")
                .label("Tracking values")
                .groups(&["base.group_system"]),
        )
        .field(Field::char("message_id").label("Message-Id").index().copied(false).help("RFC 5322, section 3.6.4"))
        .field(Field::many2one("mail_activity_type_id", "mail.activity.type").label("Mail Activity Type"))
}

fn subtype() -> Model {
    Model::new("mail.message.subtype", "Message subtype")
        .order("sequence, id")
        .field(Field::char("name").label("Message Type").required().translate())
        .field(Field::text("description").translate())
        .field(Field::boolean("internal").label("Internal Only"))
        .field(Field::char("res_model").label("Model").help("Model that it is about; all when empty"))
        .field(
            Field::boolean("default").default(true).help("Who follows a record is told of it unless he chooses not to"),
        )
        .field(Field::integer("sequence").default(1))
        .field(Field::boolean("hidden"))
}

fn followers() -> Model {
    Model::new("mail.followers", "Document Followers")
        .rec_name("res_model")
        .without_log_access()
        .follows("res_model", "res_id")
        .unique(&["res_model", "res_id", "partner_id"], "this contact follows the record already")
        .field(Field::char("res_model").label("Related Document Model").required().index())
        .field(Field::integer("res_id").label("Related Document ID").index())
        .field(Field::many2one("partner_id", "res.partner").required().ondelete(OnDelete::Cascade))
        .field(
            Field::many2many("subtype_ids", "mail.message.subtype")
                .through("mail_followers_mail_message_subtype_rel", "mail_followers_id", "mail_message_subtype_id")
                .label("Subtype"),
        )
}

fn notification() -> Model {
    Model::new("mail.notification", "Message Notifications")
        .rec_name("res_partner_id")
        .without_log_access()
        .unique(&["mail_message_id", "res_partner_id"], "this contact was told of the message already")
        .field(
            Field::many2one("mail_message_id", "mail.message").label("Message").required().ondelete(OnDelete::Cascade),
        )
        .field(Field::many2one("res_partner_id", "res.partner").label("Recipient").ondelete(OnDelete::Cascade))
        .field(Field::many2one("mail_mail_id", "mail.mail").label("Mail"))
        .field(
            Field::selection("notification_type", &[("inbox", "Inbox"), ("email", "Email")])
                .required()
                .default("inbox"),
        )
        .field(
            Field::selection(
                "notification_status",
                &[
                    ("ready", "Ready to Send"),
                    ("sent", "Sent"),
                    ("bounce", "Bounced"),
                    ("exception", "Exception"),
                    ("canceled", "Canceled"),
                ],
            )
            .default("ready")
            .index(),
        )
        .field(Field::boolean("is_read").index())
        .field(Field::datetime("read_date"))
        .field(Field::text("failure_reason"))
}

fn tracking_value() -> Model {
    Model::new("mail.tracking.value", "Mail Tracking Value")
        .rec_name("field_desc")
        .without_log_access()
        .order("tracking_sequence, id")
        .field(Field::char("field_name").label("Field").required())
        .field(Field::char("field_desc").label("Field Description").required())
        .field(Field::char("field_type"))
        .field(Field::text("old_value").help("As people read it"))
        .field(Field::text("new_value").help("As people read it"))
        .field(
            Field::integer("old_value_integer").help("Of whole numbers, yes or no, and the id of what was referred to"),
        )
        .field(Field::integer("new_value_integer"))
        .field(Field::float("old_value_float"))
        .field(Field::float("new_value_float"))
        .field(Field::monetary("old_value_monetary"))
        .field(Field::monetary("new_value_monetary"))
        .field(
            Field::char("old_value_char").help("Of texts of one line, choices, and the names of what was referred to"),
        )
        .field(Field::char("new_value_char"))
        .field(Field::text("old_value_text"))
        .field(Field::text("new_value_text"))
        .field(Field::datetime("old_value_datetime").help("Of dates: midnight in UTC"))
        .field(Field::datetime("new_value_datetime"))
        .field(Field::many2one("currency_id", "res.currency").help("Of amounts of money"))
        .field(Field::integer("tracking_sequence").default(100))
        .field(
            Field::many2one("mail_message_id", "mail.message").label("Message").required().ondelete(OnDelete::Cascade),
        )
}
