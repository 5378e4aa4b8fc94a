//! Activities: what somebody is to do about a record, by when, and what comes after it.

use erp_engine::declare::{App, Field, Model, OnDelete, Rule};
use serde_json::json;

pub(super) fn add(app: App) -> App {
    app.model(mixin())
        .model(kind())
        .model(activity())
        .access("base.group_user", "mail.activity", "crud")
        .access("base.group_user", "mail.activity.type", "r")
        .access("base.group_system", "mail.activity.type", "crud")
        .rule(
            Rule::new(
                "activities are changed by who made them or is to do them",
                "mail.activity",
                json!("['|', ('user_id', '=', uid), ('create_uid', '=', uid)]"),
            )
            .group("base.group_user")
            .operations(&[erp_engine::Operation::Write, erp_engine::Operation::Unlink]),
        )
        .rule(Rule::new("all activities", "mail.activity", json!("[(1, '=', 1)]")).group("base.group_system"))
}

const STATES: [(&str, &str); 3] = [("overdue", "Overdue"), ("today", "Today"), ("planned", "Planned")];

fn mixin() -> Model {
    let mut mixin = activities();
    // Who may not read activities reads the record all the same.
    mixin.fields.iter_mut().for_each(|field| field.groups = vec!["base.group_user".to_owned()]);
    mixin
}

fn activities() -> Model {
    Model::mixin("mail.activity.mixin", "Activity Mixin")
        .field(Field::one2many("activity_ids", "mail.activity", "res_id").label("Activities").copied(false))
        .field(
            Field::selection("activity_state", &STATES)
                .label("Activity State")
                .compute("mail.activity_state_of", &[])
                .help("Overdue: the due date has passed. Today: it is today. Planned: it is still to come."),
        )
        .field(
            Field::many2one("activity_user_id", "res.users")
                .label("Responsible User")
                .compute("mail.activity_user_of", &[]),
        )
        .field(
            Field::many2one("activity_type_id", "mail.activity.type")
                .label("Next Activity Type")
                .compute("mail.activity_type_of", &[]),
        )
        .field(
            Field::date("activity_date_deadline")
                .label("Next Activity Deadline")
                .compute("mail.activity_deadline_of", &[]),
        )
        .field(
            Field::date("my_activity_date_deadline")
                .label("My Activity Deadline")
                .compute("mail.my_activity_deadline_of", &[]),
        )
        .field(Field::char("activity_summary").label("Next Activity Summary").compute("mail.activity_summary_of", &[]))
}

fn kind() -> Model {
    Model::new("mail.activity.type", "Activity Type")
        .order("sequence, id")
        .field(Field::char("name").required().translate())
        .field(Field::char("summary").label("Default Summary").translate())
        .field(Field::integer("sequence").default(10))
        .field(Field::boolean("active").default(true))
        .field(
            Field::integer("delay_count")
                .label("Schedule")
                .default(0)
                .help("How long after the event of the next field"),
        )
        .field(
            Field::selection("delay_unit", &[("days", "Days"), ("weeks", "Weeks"), ("months", "Months")])
                .label("Delay units")
                .required()
                .default("days"),
        )
        .field(
            Field::selection(
                "delay_from",
                &[("current_date", "after completion date"), ("previous_activity", "after previous activity deadline")],
            )
            .label("Delay Type")
            .required()
            .default("previous_activity"),
        )
        .field(Field::char("icon").help("Name of an icon of the client"))
        .field(
            Field::selection("decoration_type", &[("warning", "Alert"), ("danger", "Error")]).label("Decoration Type"),
        )
        .field(Field::char("res_model").label("Model").help("Model of the app that it is for; all when empty"))
        .field(
            Field::selection(
                "chaining_type",
                &[("suggest", "Suggest Next Activity"), ("trigger", "Trigger Next Activity")],
            )
            .label("Chaining Type")
            .required()
            .default("suggest"),
        )
        .field(
            Field::many2one("triggered_next_type_id", "mail.activity.type")
                .label("Trigger")
                .ondelete(OnDelete::Restrict),
        )
        .field(
            Field::many2many("suggested_next_type_ids", "mail.activity.type")
                .through("mail_activity_rel", "activity_id", "recommended_id")
                .label("Suggest"),
        )
        .field(
            Field::selection(
                "category",
                &[("default", "None"), ("upload_file", "Upload Document"), ("phonecall", "Phonecall")],
            )
            .label("Action")
            .default("default")
            .help("What the activity opens. Apps bring more: a calendar meetings, signing its requests."),
        )
        .field(Field::many2one("default_user_id", "res.users").label("Default User"))
        .field(Field::html("default_note").label("Default Note").translate())
        .check(
            "trigger",
            "chaining_type != 'trigger' or triggered_next_type_id",
            "choose the activity that is triggered next, or suggest next activities instead",
        )
        .check("delay", "delay_count >= 0", "the delay cannot be negative")
}

fn activity() -> Model {
    Model::new("mail.activity", "Activity")
        .rec_name("summary")
        .order("date_deadline, id")
        .follows("res_model", "res_id")
        .field(Field::char("res_model").label("Related Document Model").required().index())
        .field(Field::integer("res_id").label("Related Document ID").required().index())
        .field(Field::char("res_name").label("Document Name"))
        .field(
            Field::many2one("activity_type_id", "mail.activity.type")
                .label("Activity Type")
                .ondelete(OnDelete::Restrict),
        )
        .field(Field::selection("activity_category", &[]).related("activity_type_id.category"))
        .field(Field::char("icon").related("activity_type_id.icon"))
        .field(Field::char("summary"))
        .field(Field::html("note"))
        .field(Field::date("date_deadline").label("Due Date").required().index().default_today())
        .field(Field::boolean("automated").label("Automated activity").readonly())
        .field(
            Field::many2one("user_id", "res.users")
                .label("Assigned to")
                .required()
                .index()
                .default_user()
                .ondelete(OnDelete::Cascade),
        )
        .field(Field::selection("state", &STATES).compute("mail.activity_state", &["date_deadline", "user_id.tz"]))
        .field(
            Field::many2one("previous_activity_type_id", "mail.activity.type")
                .label("Previous Activity Type")
                .readonly(),
        )
        .field(
            Field::many2many("recommended_activity_type_ids", "mail.activity.type")
                .label("Recommended Activities")
                .related("previous_activity_type_id.suggested_next_type_ids"),
        )
        .field(
            Field::boolean("has_recommended_activities")
                .label("Next activities available")
                .computed("len(previous_activity_type_id.suggested_next_type_ids.ids) > 0"),
        )
        .field(Field::selection("chaining_type", &[]).related("activity_type_id.chaining_type"))
        .field(
            Field::many2many("attachment_ids", "ir.attachment")
                .through("activity_attachment_rel", "activity_id", "attachment_id")
                .label("Attachments"),
        )
}
