//! The mail queue is emptied: a mail is taken, handed to the configured SMTP server, and settled.

use std::time::Duration;

use erp_apps::mail::{settle, take_back, take_due};
use erp_engine::{Engine, Id, Record, Search, domain};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Attachment, Mailbox, Mailboxes, MultiPart, SinglePart, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        response::Code,
    },
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{error::ServiceError, place};

/// Between two looks at the queue when nothing says that there is mail.
const PAUSE: Duration = Duration::from_secs(30);
/// For one mail, the connection included.
const PATIENCE: Duration = Duration::from_secs(60);
const AT_ONCE: u64 = 20;

/// `owner` is this server and none besides; no other runs on its data directory.
pub(crate) async fn run(engine: Engine, owner: String, stop: CancellationToken) {
    let mut changes = engine.changes();
    if let Err(error) = resume(&engine, &owner).await {
        tracing::error!(%error, "What was being sent before the start could not be looked up.");
    }
    loop {
        loop {
            match empty(&engine, &owner, &stop).await {
                Ok(0) => break,
                Ok(_) if stop.is_cancelled() => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "The mail queue could not be worked on.");
                    break;
                }
            }
        }
        let wake = tokio::time::sleep(PAUSE);
        tokio::pin!(wake);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut wake => break,
                change = changes.recv() => match change {
                    Ok(change) if matches!(&*change.model, "mail.mail" | "ir.mail_server") => break,
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                    Ok(_) => {}
                },
            }
        }
    }
}

async fn resume(engine: &Engine, owner: &str) -> Result<(), ServiceError> {
    let mut env = engine.superuser("mail that was being sent").await?;
    if env.registry().model("mail.mail").is_ok() {
        let left = take_back(&mut env, owner).await?;
        env.commit().await?;
        if left > 0 {
            tracing::warn!(mails = left, "Mail was being sent when the server stopped; it is sent again.");
        }
    }
    Ok(())
}

/// How many were taken. Without a server they stay where they are, and so does the way to copy a link by hand.
async fn empty(engine: &Engine, owner: &str, stop: &CancellationToken) -> Result<usize, ServiceError> {
    let mut env = engine.superuser("outgoing mail").await?;
    if env.registry().model("mail.mail").is_err() {
        return Ok(0);
    }
    // A copy of a company's database must not write to its customers.
    let copy = domain!(["key", "=", place::PRODUCTION], ["value", "=", "false"]);
    if env.count("ir.config_parameter", &copy).await? > 0 {
        return Ok(0);
    }
    let fields =
        ["from_filter", "smtp_host", "smtp_port", "smtp_encryption", "smtp_user", "smtp_pass", "smtp_ca", "sender"];
    let servers = env
        .search_read("ir.mail_server", &domain!(["active", "=", true]), &fields, Search::order("sequence, id"))
        .await?;
    if servers.is_empty() {
        return Ok(0);
    }
    let mails = take_due(&mut env, AT_ONCE, owner).await?;
    let mut files = Vec::with_capacity(mails.len());
    for mail in &mails {
        let ids: Vec<Id> = mail.get("attachment_ids").unwrap_or_default();
        files.push(env.read("ir.attachment", &ids, &["name", "mimetype", "datas"]).await?);
    }
    env.commit().await?;
    let taken = mails.len();
    for (mail, files) in mails.iter().zip(files) {
        if stop.is_cancelled() {
            // No attempt was made: the rest goes out at once after the next start.
            resume(engine, owner).await?;
            break;
        }
        let outcome = send(&servers, mail, &files).await;
        match &outcome {
            Ok(()) => tracing::info!(mail.id = mail.id.0, "Mail was sent."),
            Err((why, passing)) => tracing::warn!(mail.id = mail.id.0, why, passing, "Mail was not sent."),
        }
        let mut env = engine.superuser("what became of a mail").await?;
        settle(&mut env, mail.id, mail.get("attempts").unwrap_or(0), outcome).await?;
        env.commit().await?;
    }
    Ok(taken)
}

/// The reason why not, and whether to try again.
async fn send(servers: &[Record], mail: &Record, files: &[Record]) -> Result<(), (String, bool)> {
    let lasting = |why: String| (why, false);
    let from = mail.get_str("email_from");
    let server = pick(servers, from).ok_or_else(|| {
        lasting(format!("no outgoing mail server sends for {from}: change its filter, or add a server"))
    })?;
    let message = message(server, mail, files).map_err(lasting)?;
    let transport = transport(server).map_err(lasting)?;
    match tokio::time::timeout(PATIENCE, transport.send(message)).await {
        Err(_) => Err(("the mail server did not answer in time".to_owned(), true)),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err((explained(&error), !lasts(&error))),
    }
}

/// RFC 5321, section 4.2.1: what begins with 5 will fail again. That the server wants another password or encryption
/// (RFC 4954, section 6) is no fault of the mail: it waits until somebody has put the settings right.
fn lasts(error: &lettre::transport::smtp::Error) -> bool {
    let settings = |code: Code| matches!(u16::from(code), 530 | 534 | 535 | 538);
    error.is_permanent() && !error.status().is_some_and(settings)
}

/// With what caused it: "Connection error" alone helps nobody.
fn explained(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}

/// The first server whose filter has the sender's address or its domain, or that has no filter.
fn pick<'a>(servers: &'a [Record], from: &str) -> Option<&'a Record> {
    let address = from.rsplit_once('<').map_or(from, |(_, rest)| rest.trim_end_matches('>')).trim().to_lowercase();
    let fits = |filter: &str| {
        filter.is_empty()
            || filter
                .split(',')
                .map(|f| f.trim().to_lowercase())
                .any(|f| f == address || address.rsplit_once('@').is_some_and(|(_, domain)| domain == f))
    };
    let strict =
        servers.iter().find(|server| !server.get_str("from_filter").is_empty() && fits(server.get_str("from_filter")));
    strict.or_else(|| servers.iter().find(|server| server.get_str("from_filter").is_empty()))
}

fn transport(server: &Record) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let host = server.get_str("smtp_host");
    let port = server.get::<i64>("smtp_port").ok().and_then(|port| u16::try_from(port).ok()).unwrap_or(587);
    let tls = || {
        let mut parameters = TlsParameters::builder(host.to_owned());
        for authority in authorities(server.get_str("smtp_ca"))? {
            parameters = parameters.add_root_certificate(authority);
        }
        parameters.build().map_err(|error| format!("{host}: {error}"))
    };
    let tls = match server.get_str("smtp_encryption") {
        "none" => Tls::None,
        "ssl" => Tls::Wrapper(tls()?),
        _ => Tls::Required(tls()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port).tls(tls);
    let user = server.get_str("smtp_user");
    if !user.is_empty() {
        builder = builder.credentials(Credentials::new(user.to_owned(), server.get_str("smtp_pass").to_owned()));
    }
    Ok(builder.timeout(Some(Duration::from_secs(20))).build())
}

/// Every certificate of a PEM text.
fn authorities(pem: &str) -> Result<Vec<Certificate>, String> {
    const END: &str = "-----END CERTIFICATE-----";
    let wrong = |_| "the mail server's certificate authority is no PEM certificate".to_owned();
    let parts = pem.split_inclusive(END).filter(|part| !part.trim().is_empty());
    parts.map(|part| Certificate::from_pem(part.trim().as_bytes()).map_err(wrong)).collect()
}

fn message(server: &Record, mail: &Record, files: &[Record]) -> Result<Message, String> {
    let sender = server.get_str("sender");
    let own: Option<Mailbox> = match sender {
        "" => None,
        sender => Some(sender.parse().map_err(|_| format!("the mail server's sender {sender} is no address"))?),
    };
    let author = mail.get_str("email_from").parse::<Mailbox>().ok();
    let host = own.as_ref().or(author.as_ref()).map(|from| from.email.domain().to_owned()).unwrap_or_default();
    let mut builder = Message::builder().subject(mail.get_str("subject"));
    builder = match (own, author) {
        // Mail in another's name is refused by most receivers (DMARC, RFC 7489): it comes from us and answers to him.
        (Some(own), Some(author)) if own.email != author.email => {
            builder.from(Mailbox::new(author.name.clone().or(own.name.clone()), own.email)).reply_to(author)
        }
        (Some(own), _) => builder.from(own),
        (None, Some(author)) => builder.from(author),
        (None, None) => {
            return Err("nobody is its sender: give the mail server a sender, or its author an address".to_owned());
        }
    };
    let to: Mailboxes =
        mail.get_str("email_to").parse().map_err(|_| format!("{} is no mail address", mail.get_str("email_to")))?;
    for address in to {
        builder = builder.to(address);
    }
    let id = [mail.get_str("message_id"), mail.get_str("mail_message_id.message_id")];
    let id = match id.into_iter().find(|id| !id.is_empty()) {
        Some(id) => id.to_owned(),
        None => own_id(mail, &host),
    };
    builder = builder.message_id(Some(id));
    let references = mail.get_str("reference");
    if let Some(answered) = references.split_whitespace().next_back() {
        builder = builder.references(references.to_owned()).in_reply_to(answered.to_owned());
    }
    let html = mail.get_str("body_html");
    let text = SinglePart::plain(plain(html));
    let body = MultiPart::alternative().singlepart(text).singlepart(SinglePart::html(html.to_owned()));
    if files.is_empty() {
        return builder.multipart(body).map_err(|error| error.to_string());
    }
    let mut mixed = MultiPart::mixed().multipart(body);
    for file in files {
        let kind = ContentType::parse(file.get_str("mimetype")).unwrap_or(ContentType::TEXT_PLAIN);
        let content: Vec<u8> = file.get("datas").map_err(|error| error.to_string())?;
        mixed = mixed.singlepart(Attachment::new(file.get_str("name").to_owned()).body(content, kind));
    }
    builder.multipart(mixed).map_err(|error| error.to_string())
}

/// The same each time the mail is tried, so that a receiver who got it twice can tell: RFC 5322, section 3.6.4.
fn own_id(mail: &Record, host: &str) -> String {
    let made = mail.get::<jiff::Timestamp>("create_date").map_or(0, |at| at.as_microsecond());
    format!("<{made}.{}-mail@{host}>", mail.id)
}

/// What is left of HTML for who reads plain text.
fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = after.split_once('>') else {
            rest = "";
            break;
        };
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if matches!(name.to_ascii_lowercase().as_str(), "p" | "div" | "br" | "li" | "tr" | "h1" | "h2" | "h3") {
            out.push('\n');
        }
        rest = after;
    }
    out.push_str(rest);
    let out = out
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
    let mut lines: Vec<&str> = out.lines().map(str::trim).collect();
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_part_says_what_the_html_says() {
        let html = "<div><p>Hello <b>Ann</b>,</p><p>1 &lt; 2 &amp; 3</p></div><p></p><br/>Bye";
        assert_eq!(plain(html), "Hello Ann,\n\n1 < 2 & 3\n\nBye");
        assert_eq!(plain("an <open tag"), "an");
        assert_eq!(plain("no tag"), "no tag");
    }
}
