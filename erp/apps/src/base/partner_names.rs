//! What contacts and their tags are called, and what is read from a name that somebody typed.

use std::collections::HashMap;

use erp_engine::{Env, Error, Id, Record, Value};

/// `Ann <ann@example.com>` is a name and an address, as people type and paste them; an address alone is both.
pub(super) fn name_and_email(text: &str) -> (String, Option<String>) {
    let text = text.trim();
    let is_address = |text: &str| {
        text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
            && !text.contains(char::is_whitespace)
    };
    match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, email)) if is_address(email.trim()) => {
            let name = name.trim().trim_matches('"').trim();
            let email = email.trim().to_owned();
            (if name.is_empty() { email.clone() } else { name.to_owned() }, Some(email))
        }
        _ if is_address(text) => (text.to_owned(), Some(text.to_owned())),
        _ => (text.to_owned(), None),
    }
}

/// The name with more of the contact, as the context asks for it.
pub(super) async fn display_name(env: &mut Env, ids: &[Id]) -> Result<Vec<Value>, Error> {
    let context = env.context();
    let flag = |name: &str| context.flag(name);
    let (address, only, inline) = (flag("show_address"), flag("show_address_only"), flag("address_inline"));
    let (email, vat, number) = (flag("show_email"), flag("show_vat"), flag("partner_show_db_id"));
    let mut fields = vec!["complete_name"];
    if address || only {
        fields.extend(["contact_address", "commercial_company_name", "is_company"]);
    }
    if email || vat {
        fields.extend(["email", "vat"]);
    }
    let found = env.sudo("names of contacts that may be seen").read("res.partner", ids, &fields).await?;
    let shown = |record: &Record| {
        let mut name = if only { String::new() } else { record.get_str("complete_name").to_owned() };
        if number {
            name += &format!(" ({})", record.id);
        }
        if address || only {
            let company = record.get_str("commercial_company_name");
            let text = record.get_str("contact_address");
            // The company stands in the name already.
            let text = text.strip_prefix(company).filter(|_| !company.is_empty()).unwrap_or(text).trim_start();
            if !text.is_empty() {
                name += if name.is_empty() { "" } else { "\n" };
                name += text;
            }
        }
        if inline {
            name = name.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
        }
        if email && !record.get_str("email").is_empty() {
            name += &format!(" <{}>", record.get_str("email"));
        }
        if vat && !record.get_str("vat").is_empty() {
            name += &format!(" ‒ {}", record.get_str("vat"));
        }
        Value::from(name)
    };
    let by_id: HashMap<Id, Value> = found.iter().map(|record| (record.id, shown(record))).collect();
    Ok(ids.iter().map(|id| by_id.get(id).cloned().unwrap_or_default()).collect())
}

/// `Europe / Belgium`: a tag with those it is below.
pub(super) async fn category_name(env: &mut Env, ids: &[Id]) -> Result<Vec<Value>, Error> {
    const DEEPEST: usize = 20;
    let mut known: HashMap<Id, (String, Option<Id>)> = HashMap::new();
    let mut wanted = ids.to_vec();
    let mut env = env.sudo("names of tags above a tag");
    for _ in 0..DEEPEST {
        if wanted.is_empty() {
            break;
        }
        let mut next = Vec::new();
        for tag in env.read("res.partner.category", &wanted, &["name", "parent_id"]).await? {
            let parent = tag.value("parent_id").as_id();
            next.extend(parent.filter(|parent| !known.contains_key(parent)));
            known.insert(tag.id, (tag.get_str("name").to_owned(), parent));
        }
        wanted = next;
    }
    let path = |id: &Id| {
        let mut names = Vec::new();
        let mut at = Some(*id);
        while let Some((name, parent)) = at.and_then(|id| known.get(&id)).filter(|_| names.len() < DEEPEST) {
            names.push(name.as_str());
            at = *parent;
        }
        names.reverse();
        names.join(" / ")
    };
    Ok(ids.iter().map(|id| path(id).into()).collect())
}

#[cfg(test)]
mod tests {
    use super::name_and_email;

    #[test]
    fn what_people_paste_is_a_name_and_an_address() {
        let of = |text: &str| name_and_email(text);
        let both = |name: &str, email: &str| (name.to_owned(), Some(email.to_owned()));
        assert_eq!(of("Ann Lee <ann@example.com>"), both("Ann Lee", "ann@example.com"));
        assert_eq!(of("\"Lee, Ann\" <ann@example.com>"), both("Lee, Ann", "ann@example.com"));
        assert_eq!(of("ann@example.com"), both("ann@example.com", "ann@example.com"));
        assert_eq!(of("<ann@example.com>"), both("ann@example.com", "ann@example.com"));
        assert_eq!(of("Tools < Toys"), ("Tools < Toys".to_owned(), None));
        assert_eq!(of("me @ home"), ("me @ home".to_owned(), None));
    }
}
