//! Mail on its way out: the queue, the server's settings, and templates. Sending itself is the server's.

use std::collections::BTreeMap;

use erp_engine::{
    Context, Env, Error, Id, Search, Value,
    declare::{App, Call, Code, DataRow, Field, Method, Model, OnDelete},
    domain, values,
};
use serde_json::Value as Json;

use super::message::escaped;

/// Placeholders in one template.
const MAX_PLACES: usize = 200;

pub(super) fn add(app: App) -> App {
    app.code(code())
        .model(mail())
        .model(server())
        .model(template())
        .access("base.group_system", "mail.mail", "crud")
        .access("base.group_system", "ir.mail_server", "crud")
        .access("base.group_user", "mail.template", "r")
        .access("mail.group_mail_template_editor", "mail.template", "crud")
        .access("base.group_system", "mail.template", "crud")
        .data(
            DataRow::new("notification_template", "mail.template")
                .set("name", "Message to a follower")
                .set("model", "mail.message")
                .set("subject", "{{ ctx.subject }}")
                .set("body_html", "<div>{{ html.body }}</div><p>This is about {{ ctx.record_name }}.</p>"),
        )
        .data(
            DataRow::new("assigned_template", "mail.template")
                .set("name", "Given responsibility")
                .set("model", "mail.message")
                .set("subject", "You have been assigned to {{ ctx.record_name }}")
                .set("body_html", "<p>{{ ctx.model }} {{ ctx.record_name }} has been assigned to you.</p>"),
        )
        .data(
            DataRow::new("activity_assigned_template", "mail.template")
                .set("name", "Given an activity")
                .set("model", "mail.activity")
                .set("subject", "{{ ctx.record_name }}: {{ ctx.activity }} assigned to you")
                .set(
                    "body_html",
                    "<p>{{ ctx.activity }}: {{ ctx.summary }}</p><p>{{ ctx.record_name }}, due {{ ctx.due }}</p>",
                ),
        )
        .data(
            DataRow::new("invitation_template", "mail.template")
                .set("name", "Invitation of a new user")
                .set("model", "res.users")
                .set("subject", "{{ ctx.inviter }} invites you to {{ ctx.company }}")
                .set(
                    "body_html",
                    "<p>Dear {{ ctx.name }},</p>\
                     <p>{{ ctx.inviter }} of {{ ctx.company }} invites you. Choose a password to accept, within \
                     {{ ctx.days }} days:</p><p><a href=\"{{ ctx.link }}\">{{ ctx.link }}</a></p>\
                     <p>Afterwards you sign in at {{ ctx.url }} as {{ ctx.login }}.</p>",
                ),
        )
        .data(
            DataRow::new("reset_password_template", "mail.template")
                .set("name", "Reset of a password")
                .set("model", "res.users")
                .set("subject", "Password reset")
                .set(
                    "body_html",
                    "<p>Dear {{ ctx.name }},</p>\
                     <p>A new password was asked for {{ ctx.login }} at {{ ctx.company }}. Choose it within \
                     {{ ctx.hours }} hours:</p><p><a href=\"{{ ctx.link }}\">{{ ctx.link }}</a></p>\
                     <p>If it was not you who asked, leave it: your password stays as it is.</p>",
                ),
        )
}

fn code() -> Code {
    Code::new()
        .method(
            Method::on_records("mail.mail", "mark_outgoing", |env, call| Box::pin(send_again(env, call)))
                .doc("Sends mails again that could not be delivered or were canceled."),
        )
        .method(
            Method::on_records("mail.mail", "cancel", |env, call| Box::pin(cancel(env, call)))
                .doc("Keeps mails that are waiting from being sent."),
        )
}

async fn send_again(env: &mut Env, call: Call) -> Result<Json, Error> {
    let now = env.now();
    let stuck = domain!(["id", "in", &call.ids], ["state", "in", ["outgoing", "exception", "cancel"]]);
    let new = values! { "state" => "outgoing", "attempts" => 0, "due" => now, "failure_reason" => Value::Null };
    let again = env.write_where("mail.mail", &stuck, new).await?;
    let told = values! { "notification_status" => "ready", "failure_reason" => Value::Null };
    env.write_where("mail.notification", &domain!(["mail_mail_id", "in", &again]), told).await?;
    Ok(true.into())
}

async fn cancel(env: &mut Env, call: Call) -> Result<Json, Error> {
    let waiting = domain!(["id", "in", &call.ids], ["state", "in", ["outgoing", "exception"]]);
    let canceled = env.write_where("mail.mail", &waiting, values! { "state" => "cancel" }).await?;
    let told = values! { "notification_status" => "canceled" };
    env.write_where("mail.notification", &domain!(["mail_mail_id", "in", &canceled]), told).await?;
    Ok(true.into())
}

fn mail() -> Model {
    Model::new("mail.mail", "Outgoing Mails")
        .rec_name("subject")
        .order("id desc")
        .field(Field::many2one("mail_message_id", "mail.message").label("Message").ondelete(OnDelete::Cascade))
        .field(Field::char("subject"))
        .field(Field::text("body_html").label("Contents"))
        .field(Field::char("email_from").label("From"))
        .field(Field::text("email_to").label("To"))
        .field(Field::many2one("recipient_id", "res.partner").label("To (Partner)"))
        .field(
            Field::many2many("attachment_ids", "ir.attachment")
                .through("mail_mail_attachment_rel", "mail_id", "attachment_id")
                .label("Attachments"),
        )
        .field(Field::char("message_id").label("Message-Id").copied(false))
        .field(Field::char("reference").label("References"))
        .field(
            Field::selection(
                "state",
                &[
                    ("outgoing", "Outgoing"),
                    ("sending", "Being Sent"),
                    ("sent", "Sent"),
                    ("exception", "Delivery Failed"),
                    ("cancel", "Canceled"),
                ],
            )
            .label("Status")
            .default("outgoing")
            .index()
            .copied(false),
        )
        .field(Field::integer("attempts").required().default(0).copied(false))
        .field(Field::datetime("due").label("Scheduled Send Date").default_now())
        .field(Field::text("failure_reason").copied(false))
        .field(Field::boolean("auto_delete").label("Auto Delete").help("Not kept once it is sent"))
        .field(Field::char("taken_by").readonly().copied(false).help("The server that is sending it"))
}

fn server() -> Model {
    Model::new("ir.mail_server", "Outgoing Mail Server")
        .order("sequence, id")
        .field(Field::char("name").required())
        .field(
            Field::char("from_filter")
                .label("From Filtering")
                .help("Addresses or domains that it sends for; all when empty"),
        )
        .field(Field::char("smtp_host").label("SMTP Server").required())
        .field(Field::integer("smtp_port").label("SMTP Port").required().default(587))
        .field(
            Field::selection(
                "smtp_encryption",
                &[("none", "None"), ("starttls", "TLS (STARTTLS)"), ("ssl", "SSL/TLS")],
            )
            .label("Connection Encryption")
            .required()
            .default("starttls"),
        )
        .field(Field::char("smtp_user").label("Username"))
        .field(Field::char("smtp_pass").label("Password").groups(&["base.group_system"]).copied(false))
        .field(
            Field::text("smtp_ca")
                .label("Certificate Authority")
                .help("Who signed the server's certificate, as PEM; empty for a server with a publicly trusted one"),
        )
        .field(
            Field::char("sender")
                .label("Sender")
                .help("Address that mail comes from, such as notifications@example.com"),
        )
        .field(Field::integer("sequence").default(10))
        .field(Field::boolean("active").default(true))
        .check("port", "smtp_port > 0 and smtp_port < 65536", "the port is between 1 and 65535; usual are 465 and 587")
}

fn template() -> Model {
    Model::new("mail.template", "Email Templates")
        .order("name")
        .field(Field::char("name").required().translate())
        .field(Field::char("model").label("Applies to"))
        .field(Field::char("subject").translate().help("{{ object.field }} stands for a value of the record"))
        .field(Field::html("body_html").label("Body").translate())
        .field(Field::char("email_from").label("From"))
        .field(Field::char("email_to").label("To"))
        .field(Field::char("lang").label("Language").help("Such as {{ object.lang }}"))
        .field(Field::boolean("active").default(true))
}

pub(crate) struct Mail {
    pub(crate) subject: String,
    pub(crate) email_from: Option<String>,
    pub(crate) message: Id,
    pub(crate) language: String,
    /// Message-Ids with blanks between them.
    pub(crate) references: String,
    pub(crate) attachments: Vec<Id>,
}

/// The right side of our Message-Ids: where people reach us.
pub(super) async fn host(env: &mut Env) -> Result<String, Error> {
    let base = domain!(["key", "=", "web.base.url"]);
    let found = env.search_read("ir.config_parameter", &base, &["value"], Search::default()).await?;
    let url = found.first().map(|row| row.get_str("value")).unwrap_or_default();
    let host = url.split("://").nth(1).unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
    let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    Ok(if fits { host.to_owned() } else { "localhost".to_owned() })
}

/// Puts a message for a follower into the queue, in his language.
pub(super) async fn queue(
    env: &mut Env,
    mail: &Mail,
    body: &str,
    record_name: &str,
    partner: Id,
    address: &str,
) -> Result<Id, Error> {
    let told = BTreeMap::from([
        ("ctx.subject", mail.subject.clone()),
        ("ctx.record_name", record_name.to_owned()),
        ("html.body", body.to_owned()),
    ]);
    let (subject, body) = rendered(env, "mail.notification_template", &mail.language, &told).await?;
    let new = values! {
        "mail_message_id" => mail.message,
        "subject" => subject,
        "body_html" => body,
        "reference" => Some(&mail.references).filter(|references| !references.is_empty()).cloned(),
        "attachment_ids" => mail.attachments.clone(),
        "email_from" => mail.email_from.clone(),
        "email_to" => address,
        "recipient_id" => partner,
    };
    env.create("mail.mail", new).await
}

/// Puts a mail into the queue that is about no record: a template, filled in, in the language of the contact.
pub async fn queue_template(
    env: &mut Env,
    template: &str,
    partner: Id,
    told: &BTreeMap<&str, String>,
) -> Result<Id, Error> {
    let found = env.read("res.partner", &[partner], &["lang", "email_formatted"]).await?;
    let found = found.first().ok_or_else(|| Error::User("the contact to write to was deleted".to_owned()))?;
    let (address, language) = (found.get_str("email_formatted"), found.get_str("lang").to_owned());
    if address.is_empty() {
        return Err(Error::User("the contact to write to has no email address; give it one".to_owned()));
    }
    let (subject, body) = rendered(env, template, &language, told).await?;
    let new = values! {
        "subject" => subject, "body_html" => body, "email_to" => address, "recipient_id" => partner,
    };
    env.create("mail.mail", new).await
}

/// Whether mail goes out at all.
pub async fn has_server(env: &mut Env) -> Result<bool, Error> {
    if env.registry().model("ir.mail_server").is_err() {
        return Ok(false);
    }
    Ok(env.sudo("is there a mail server").count("ir.mail_server", &domain!(["active", "=", true])).await? > 0)
}

/// Subject and body of a template in a language. `ctx.*` is plain text, `html.*` is HTML that was made harmless before.
pub(crate) async fn rendered(
    env: &mut Env,
    template: &str,
    language: &str,
    told: &BTreeMap<&str, String>,
) -> Result<(String, String), Error> {
    let id = env.by_external_id(template).await?;
    let id = id.ok_or_else(|| Error::User(format!("the mail template {template} was deleted; upgrade its app")))?;
    let before = env.context().clone();
    let lang = if language.is_empty() { None } else { Some(language.to_owned()) };
    env.set_context(Context { lang, ..before.clone() });
    let found = env.read("mail.template", &[id], &["subject", "body_html"]).await;
    env.set_context(before);
    let found = found?;
    let text = |field: &str| found.first().map(|found| found.get_str(field).to_owned()).unwrap_or_default();
    Ok((fill(&text("subject"), told, false), fill(&text("body_html"), told, true)))
}

/// `{{ name }}` becomes what is told of it; what is not known becomes nothing.
fn fill(text: &str, told: &BTreeMap<&str, String>, html: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    for _ in 0..MAX_PLACES {
        let Some((before, after)) = rest.split_once("{{") else { break };
        let Some((name, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        let value = told.get(name.trim()).map_or("", String::as_str);
        match (html, name.trim().starts_with("html.")) {
            (true, false) => out.push_str(&escaped(value)),
            _ => out.push_str(value),
        }
        rest = after;
    }
    out + rest
}

/// Mail that is due, taken by the server `owner` alone; `sending` says so until it is settled. What was left so by a
/// server that does not come back is taken again after ten minutes: better twice than never.
pub async fn take_due(env: &mut Env, at_most: u64, owner: &str) -> Result<Vec<erp_engine::Record>, Error> {
    let now = env.now();
    let stale = now - jiff::SignedDuration::from_mins(10);
    let due = domain!(
        ["due", "<=", now],
        "|",
        ["state", "=", "outgoing"],
        "&",
        ["state", "=", "sending"],
        ["write_date", "<", stale],
    );
    let ids = env.search("mail.mail", &due, Search::order("id").limit(at_most)).await?;
    let mine = domain!(["id", "in", &ids]).and(due);
    let mut taken = env.write_where("mail.mail", &mine, values! { "state" => "sending", "taken_by" => owner }).await?;
    taken.sort();
    let fields = [
        "subject",
        "body_html",
        "email_from",
        "email_to",
        "attachment_ids",
        "message_id",
        "reference",
        "attempts",
        "mail_message_id.message_id",
        "create_date",
    ];
    env.read("mail.mail", &taken, &fields).await
}

/// What the server `owner` was sending when it was stopped, so that it goes out at once. To be called before it sends.
pub async fn take_back(env: &mut Env, owner: &str) -> Result<usize, Error> {
    let left = domain!(["state", "=", "sending"], ["taken_by", "=", owner]);
    Ok(env.write_where("mail.mail", &left, values! { "state" => "outgoing" }).await?.len())
}

/// What became of a mail. A passing trouble is tried again, each time later, eight times in all.
pub async fn settle(env: &mut Env, mail: Id, attempts: i64, outcome: Result<(), (String, bool)>) -> Result<(), Error> {
    const MOST: i64 = 8;
    let (mail_values, status, reason) = match outcome {
        Ok(()) => (values! { "state" => "sent", "failure_reason" => Value::Null }, "sent", None),
        Err((why, passing)) if passing && attempts + 1 < MOST => {
            let wait = jiff::SignedDuration::from_mins(1 << attempts.clamp(0, 8));
            let again = env.now() + wait;
            let again = values! {
                "state" => "outgoing", "attempts" => attempts + 1, "due" => again, "failure_reason" => &why,
            };
            (again, "ready", Some(why))
        }
        Err((why, _)) => (
            values! { "state" => "exception", "attempts" => attempts + 1, "failure_reason" => &why },
            "exception",
            Some(why),
        ),
    };
    env.write("mail.mail", &[mail], mail_values).await?;
    if status == "sent" {
        let done = domain!(["id", "=", mail], ["auto_delete", "=", true]);
        let done = env.search("mail.mail", &done, Search::default()).await?;
        env.unlink("mail.mail", &done).await?;
    }
    let told = domain!(["mail_mail_id", "=", mail]);
    let new = values! { "notification_status" => status, "failure_reason" => reason };
    env.write_where("mail.notification", &told, new).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_filled_in_and_harmless() {
        let told = BTreeMap::from([("ctx.name", "<b>Ann</b>".to_owned()), ("html.body", "<p>Hi</p>".to_owned())]);
        assert_eq!(
            fill("{{ ctx.name }}: {{html.body}}{{ ctx.other }}!", &told, true),
            "&lt;b&gt;Ann&lt;/b&gt;: <p>Hi</p>!"
        );
        assert_eq!(fill("{{ ctx.name }} {{ open", &told, false), "<b>Ann</b> {{ open");
    }
}
