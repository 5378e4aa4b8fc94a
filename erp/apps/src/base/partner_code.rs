//! How contacts behave: names, addresses, and what a company passes on to its people.

use erp_engine::{
    Domain, Env, Error, Id, Op, Operand, Record, Search, Value, Values,
    declare::{Draft, Inputs},
    domain, values,
};

use super::partner::TYPES;

/// What a contact has from the company or person it belongs to.
const ADDRESS: [&str; 6] = ["street", "street2", "zip", "city", "state_id", "country_id"];
/// What belongs to the commercial entity as a whole.
const COMMERCIAL: [&str; 3] = ["vat", "company_registry", "industry_id"];

/// `Azure Interior, Nicole Ford`; an address without a name is called by its type.
pub(super) fn complete_name(inputs: &Inputs<'_>) -> Result<Value, Error> {
    let own = inputs.str("name");
    let company = match inputs.str("parent_id.name") {
        "" => inputs.str("company_name"),
        parent => parent,
    };
    let own = match own {
        "" => TYPES.iter().find(|(key, _)| *key == inputs.str("type")).map_or("", |(_, label)| label),
        name => name,
    };
    let alone = company.is_empty() || inputs.get::<bool>("is_company").unwrap_or(false);
    let name = if alone { own.to_owned() } else { format!("{company}, {own}") };
    Ok(if name.is_empty() { Value::Null } else { name.into() })
}

/// As a mail header writes it: RFC 5322, the name quoted where it must be.
pub(super) fn email_formatted(inputs: &Inputs<'_>) -> Result<Value, Error> {
    let (name, email) = (inputs.str("name"), inputs.str("email").trim());
    if email.is_empty() {
        return Ok(Value::Null);
    }
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(if name.is_empty() { email.into() } else { format!("\"{escaped}\" <{email}>").into() })
}

/// The company a contact trades for: itself, or that of the one it belongs to.
pub(super) fn commercial(inputs: &Inputs<'_>) -> Result<Value, Error> {
    let own = inputs.id.map_or(Value::Null, Value::Id);
    if inputs.get::<bool>("is_company").unwrap_or(false) || inputs.value("parent_id").is_null() {
        return Ok(own);
    }
    Ok(match inputs.value("parent_id.commercial_partner_id") {
        Value::Null => inputs.value("parent_id").clone(),
        found => found.clone(),
    })
}

pub(super) fn commercial_name(inputs: &Inputs<'_>) -> Result<Value, Error> {
    if inputs.get::<bool>("commercial_partner_id.is_company").unwrap_or(false) {
        return Ok(inputs.value("commercial_partner_id.name").clone());
    }
    Ok(inputs.value("company_name").clone())
}

pub(super) fn company_type(inputs: &Inputs<'_>) -> Result<Value, Error> {
    Ok(if inputs.get::<bool>("is_company").unwrap_or(false) { "company".into() } else { "person".into() })
}

pub(super) fn partner_share(inputs: &Inputs<'_>) -> Result<Value, Error> {
    let (shares, active) = (inputs.list("user_ids.share"), inputs.list("user_ids.active"));
    let internal = shares.iter().zip(active).any(|(share, active)| *share != true.into() && *active == true.into());
    Ok((!internal).into())
}

/// By the layout of the country; lines without anything on them go.
pub(super) fn contact_address(inputs: &Inputs<'_>) -> Result<Value, Error> {
    const COMMON: &str = "%(street)s\n%(street2)s\n%(city)s %(state_code)s %(zip)s\n%(country_name)s";
    let layout = match inputs.str("country_id.address_format") {
        "" => COMMON,
        layout => layout,
    };
    let mut text = layout.to_owned();
    for (place, path) in [
        ("street", "street"),
        ("street2", "street2"),
        ("zip", "zip"),
        ("city", "city"),
        ("state_code", "state_id.code"),
        ("state_name", "state_id.name"),
        ("country_code", "country_id.code"),
        ("country_name", "country_id.name"),
    ] {
        text = text.replace(&format!("%({place})s"), inputs.str(path));
    }
    let company = inputs.str("commercial_company_name");
    let company = if inputs.get::<bool>("is_company").unwrap_or(false) { "" } else { company };
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> =
        std::iter::once(company).chain(text.lines()).map(words).filter(|line| !line.is_empty()).collect();
    Ok(if lines.is_empty() { Value::Null } else { lines.join("\n").into() })
}

pub(super) async fn set_company_type(env: &mut Env, ids: &[Id], value: Value) -> Result<(), Error> {
    env.write("res.partner", ids, values! { "is_company" => value == "company".into() }).await
}

pub(super) fn search_company_type(op: Op, operand: Operand) -> Result<Domain, Error> {
    let company = |value: &Value| *value == "company".into();
    let (equal, listed): (bool, Vec<Value>) = match (op, operand) {
        (Op::Eq, Operand::One(value)) => (true, vec![value]),
        (Op::Ne, Operand::One(value)) => (false, vec![value]),
        (Op::In, Operand::Many(values)) => (true, values),
        (Op::NotIn, Operand::Many(values)) => (false, values),
        _ => return Err(Error::User("the kind of a contact can be searched by = and in alone".to_owned())),
    };
    let found = listed.iter().fold(Domain::False, |found, value| {
        found.or(if value.is_null() { Domain::False } else { domain!(["is_company", "=", company(value)]) })
    });
    Ok(if equal { found } else { !found })
}

pub(super) fn company_type_changed(draft: &mut Draft) -> Result<(), Error> {
    let company = *draft.value("company_type") == "company".into();
    draft.set("is_company", company);
    Ok(())
}

/// Somebody's address is that of his company until it is given one of its own.
pub(super) async fn parent_changed(env: &mut Env, draft: &mut Draft) -> Result<(), Error> {
    let Value::Id(parent) = *draft.value("parent_id") else { return Ok(()) };
    if *draft.value("type") != "contact".into() {
        return Ok(());
    }
    let found = env.read("res.partner", &[parent], &ADDRESS).await?;
    if let Some(found) = found.first().filter(|found| found.iter().any(|(_, value)| !value.is_null())) {
        for field in ADDRESS {
            draft.set(field, found.value(field).clone());
        }
    }
    Ok(())
}

pub(super) async fn state_changed(env: &mut Env, draft: &mut Draft) -> Result<(), Error> {
    if let Value::Id(state) = *draft.value("state_id") {
        let found = env.read("res.country.state", &[state], &["country_id"]).await?;
        if let Some(found) = found.first() {
            draft.set("country_id", found.value("country_id").clone());
        }
    }
    Ok(())
}

pub(super) async fn country_changed(env: &mut Env, draft: &mut Draft) -> Result<(), Error> {
    if let (Value::Id(state), country) = (draft.value("state_id").clone(), draft.value("country_id").clone()) {
        let found = env.read("res.country.state", &[state], &["country_id"]).await?;
        if found.first().is_some_and(|found| *found.value("country_id") != country) {
            draft.set("state_id", Value::Null);
        }
    }
    Ok(())
}

/// A new contact of a company without an address of its own has the company's; what belongs to the company as a whole
/// is the company's in any case.
pub(super) async fn take_address(env: &mut Env, rows: &mut Vec<Values>) -> Result<(), Error> {
    let parent = |row: &Values| match row.get("parent_id") {
        Some(Value::Id(id)) => Some(*id),
        Some(Value::Int(id)) => Some(Id(*id)),
        _ => None,
    };
    let mut parents: Vec<Id> = rows.iter().filter_map(parent).collect();
    parents.sort();
    parents.dedup();
    if parents.is_empty() {
        return Ok(());
    }
    let fields: Vec<&str> = ADDRESS.into_iter().chain(COMMERCIAL).chain(["company_id"]).collect();
    let found = env.read("res.partner", &parents, &fields).await?;
    for row in rows {
        let Some(from) = parent(row).and_then(|id| found.iter().find(|record| record.id == id)) else { continue };
        let given = |row: &Values, field: &str| row.get(field).is_some_and(|value| !value.is_null());
        let contact = row.get("type").is_none_or(|kind| *kind == "contact".into());
        if contact && !ADDRESS.iter().any(|field| given(row, field)) {
            for field in ADDRESS {
                row.set(field, from.value(field).clone());
            }
        }
        if row.get("company_id").is_none() {
            row.set("company_id", from.value("company_id").clone());
        }
        if !row.get("is_company").is_some_and(|value| *value == true.into()) {
            for field in COMMERCIAL.into_iter().filter(|field| !given(row, field)).collect::<Vec<_>>() {
                row.set(field, from.value(field).clone());
            }
        }
    }
    Ok(())
}

/// A company that was made without an address has that of its first contact.
pub(super) async fn hand_up(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let fields: Vec<&str> = ADDRESS.into_iter().chain(["parent_id", "type"]).collect();
    for person in env
        .search_read("res.partner", &domain!(["id", "in", ids], ["parent_id", "!=", false]), &fields, Search::default())
        .await?
    {
        let has_address = |record: &Record| ADDRESS.iter().any(|field| !record.value(field).is_null());
        let (Some(parent), "contact", true) =
            (person.value("parent_id").as_id(), person.get_str("type"), has_address(&person))
        else {
            continue;
        };
        let found = env.read("res.partner", &[parent], &ADDRESS).await?;
        let everybody = domain!(["parent_id", "=", parent], ["active", "in", [true, false]]);
        if found.first().is_none_or(has_address) || env.count("res.partner", &everybody).await? != 1 {
            continue;
        }
        let mut new = Values::new();
        for field in ADDRESS {
            new.set(field, person.value(field).clone());
        }
        env.write("res.partner", &[parent], new).await?;
    }
    Ok(())
}

/// What becomes of a contact's address and tax id when it is given to another company, and of those of its own people.
pub(super) async fn pass_on(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    let written = |name: &str| fields.iter().any(|field| field == name);
    if written("parent_id") || written("type") {
        take_over(env, ids, fields).await?;
    }
    same_place(env, ids, fields).await?;
    pass_down(env, ids, fields).await
}

/// Who joins a company has its tax id, and its address unless he keeps one of another kind.
async fn take_over(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    let own: Vec<&str> = ADDRESS.into_iter().chain(COMMERCIAL).collect();
    let paths: Vec<String> = own.iter().map(|field| format!("parent_id.{field}")).collect();
    let mut names: Vec<&str> = paths.iter().map(String::as_str).collect();
    names.extend(["parent_id", "type", "is_company"]);
    let joined = fields.iter().any(|field| field == "parent_id");
    for person in env.read("res.partner", ids, &names).await? {
        if person.value("parent_id").is_null() {
            continue;
        }
        let given = |field: &&str| fields.iter().any(|name| name == field);
        let of_parent = |field: &str| person.value(&format!("parent_id.{field}")).clone();
        let mut new = Values::new();
        let has_address = ADDRESS.iter().any(|field| !of_parent(field).is_null());
        if person.get_str("type") == "contact" && has_address && !ADDRESS.iter().any(given) {
            for field in ADDRESS {
                new.set(field, of_parent(field));
            }
        }
        if joined && !person.get::<bool>("is_company")? {
            for field in COMMERCIAL.into_iter().filter(|field| !given(field)) {
                new.set(field, of_parent(field));
            }
        }
        if !new.is_empty() {
            env.write("res.partner", &[person.id], new).await?;
        }
    }
    Ok(())
}

/// A state belongs to its country: it brings the country along, and goes when another country is written alone.
async fn same_place(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    let written = |name: &str| fields.iter().any(|field| field == name);
    let (state, country) = (written("state_id"), written("country_id"));
    if !state && !country {
        return Ok(());
    }
    let apart = domain!(["id", "in", ids], ["state_id", "!=", false], ["active", "in", [true, false]]);
    let names = ["state_id", "state_id.name", "state_id.country_id", "country_id", "country_id.name"];
    for record in env.search_read("res.partner", &apart, &names, Search::default()).await? {
        if record.value("state_id.country_id") == record.value("country_id") {
            continue;
        }
        let new = match (state, country) {
            (true, true) if !record.value("country_id").is_null() => return Err(elsewhere(&record)),
            (true, _) => values! { "country_id" => record.value("state_id.country_id").clone() },
            (false, _) => values! { "state_id" => Value::Null },
        };
        env.write("res.partner", &[record.id], new).await?;
    }
    Ok(())
}

fn elsewhere(record: &Record) -> Error {
    Error::User(format!(
        "{} is not in {}: choose the country of the state, or another state",
        record.get_str("state_id.name"),
        record.get_str("country_id.name")
    ))
}

/// New contacts: the state's country where none is named.
pub(super) async fn with_country(env: &mut Env, rows: &mut [Values]) -> Result<(), Error> {
    let id = |row: &Values, field: &str| match row.get(field) {
        Some(Value::Id(id)) => Some(*id),
        Some(Value::Int(id)) => Some(Id(*id)),
        _ => None,
    };
    let mut states: Vec<Id> = rows.iter().filter_map(|row| id(row, "state_id")).collect();
    states.sort_unstable();
    states.dedup();
    if states.is_empty() {
        return Ok(());
    }
    let found = env.read("res.country.state", &states, &["name", "country_id"]).await?;
    for row in rows {
        let Some(state) = id(row, "state_id").and_then(|id| found.iter().find(|state| state.id == id)) else {
            continue;
        };
        let country = state.value("country_id").as_id();
        match id(row, "country_id") {
            None => drop(row.set("country_id", country)),
            given if given == country => {}
            Some(given) => {
                let given = env.read("res.country", &[given], &["name"]).await?;
                return Err(Error::User(format!(
                    "{} is not in {}: choose the country of the state, or another state",
                    state.get_str("name"),
                    given.first().map_or("that country", |country| country.get_str("name"))
                )));
            }
        }
    }
    Ok(())
}

/// What a company's record changes, its people's records follow: the tax id, the address of who works there, and for
/// which of our companies they are kept.
async fn pass_down(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    let touched = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| fields.iter().any(|field| field == name)).collect()
    };
    let (address, commercial, company) = (touched(&ADDRESS), touched(&COMMERCIAL), touched(&["company_id"]));
    let names: Vec<&str> = address.iter().chain(&commercial).chain(&company).copied().collect();
    if names.is_empty() {
        return Ok(());
    }
    let below = domain!(["parent_id", "in", ids], ["active", "in", [true, false]]);
    let own = ["parent_id", "type", "is_company"];
    let people = env.search_read("res.partner", &below, &own, Search::default()).await?;
    if people.is_empty() {
        return Ok(());
    }
    for parent in env.read("res.partner", ids, &names).await? {
        let below = people.iter().filter(|person| *person.value("parent_id") == parent.id.into());
        for person in below {
            let mut new = Values::new();
            if person.get_str("type") == "contact" {
                for field in &address {
                    new.set(*field, parent.value(field).clone());
                }
            }
            if !person.get::<bool>("is_company")? {
                for field in &commercial {
                    new.set(*field, parent.value(field).clone());
                }
            }
            for field in &company {
                new.set(*field, parent.value(field).clone());
            }
            if !new.is_empty() {
                env.write("res.partner", &[person.id], new).await?;
            }
        }
    }
    Ok(())
}

/// A company for one ERP company alone keeps its people there too.
pub(super) async fn same_company(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let found = env.read("res.partner", ids, &["complete_name", "company_id", "parent_id.company_id"]).await?;
    match found.iter().find(|record| {
        let (own, of_parent) = (record.value("company_id"), record.value("parent_id.company_id"));
        !own.is_null() && !of_parent.is_null() && own != of_parent
    }) {
        Some(record) => Err(Error::User(format!(
            "{} and the contact it belongs to are kept for different companies; choose the same one, or none",
            record.get_str("complete_name")
        ))),
        None => Ok(()),
    }
}

pub(super) async fn not_of_active_user(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let archived = domain!(["id", "in", ids], ["active", "=", false], ["user_ids.active", "=", true]);
    let found = env
        .sudo("whose contact is archived")
        .search_read("res.partner", &archived, &["complete_name"], Search::default())
        .await?;
    match found.first() {
        Some(record) => Err(Error::User(format!(
            "{} is the contact of an active user; archive the user first",
            record.get_str("complete_name")
        ))),
        None => Ok(()),
    }
}

/// A contact that is a user is seen in the companies that the user works in.
pub(super) async fn company_of_users(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let theirs = domain!(["partner_id", "in", ids], ["partner_id.company_id", "!=", false]);
    let fields = ["login", "company_ids", "partner_id.company_id"];
    let found = env.sudo("companies of users").search_read("res.users", &theirs, &fields, Search::default()).await?;
    for user in &found {
        let company = user.value("partner_id.company_id").as_id();
        if !company.is_some_and(|company| user.get::<Vec<Id>>("company_ids").is_ok_and(|all| all.contains(&company))) {
            return Err(Error::User(format!(
                "the contact of {} can be kept for no company that this user does not work in",
                user.get_str("login")
            )));
        }
    }
    Ok(())
}

pub(super) async fn known_zone(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let with = domain!(["id", "in", ids], ["tz", "!=", false], ["active", "in", [true, false]]);
    for record in env.search_read("res.partner", &with, &["tz"], Search::default()).await? {
        let zone = record.get_str("tz");
        if jiff::tz::TimeZone::get(zone).is_err() {
            return Err(Error::User(format!("{zone} is no time zone; they are called like Europe/Brussels")));
        }
    }
    Ok(())
}

/// Another contact, of another company or person, with the same tax id or company id.
pub(super) async fn same(env: &mut Env, ids: &[Id], field: &'static str) -> Result<Vec<Value>, Error> {
    let own = env.read("res.partner", ids, &[field, "commercial_partner_id"]).await?;
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_uppercase();
    let mut texts: Vec<&str> = own.iter().map(|record| record.get_str(field)).filter(|t| plain(t).len() > 1).collect();
    texts.sort_unstable();
    texts.dedup();
    let mut known: Vec<(String, Id, Option<Id>)> = Vec::new();
    if !texts.is_empty() {
        // Written the same way: to compare what is left of each number the whole table would have to be read.
        let same = domain!([field, "in", texts], ["active", "=", true]);
        for other in
            env.search_read("res.partner", &same, &[field, "commercial_partner_id"], Search::order("id")).await?
        {
            known.push((plain(other.get_str(field)), other.id, other.value("commercial_partner_id").as_id()));
        }
    }
    let found = |record: &Record| {
        let entity = record.value("commercial_partner_id").as_id();
        let text = plain(record.get_str(field));
        let other = known.iter().find(|(other, _, theirs)| *other == text && *theirs != entity);
        other.map_or(Value::Null, |(_, id, _)| Value::Id(*id))
    };
    let by_id: std::collections::HashMap<Id, Value> = own.iter().map(|record| (record.id, found(record))).collect();
    Ok(ids.iter().map(|id| by_id.get(id).cloned().unwrap_or_default()).collect())
}

/// Makes a company of the name that a person was given, with the person's address, and gives the person to it.
pub(super) async fn create_company(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let fields: Vec<&str> =
        ADDRESS.into_iter().chain(COMMERCIAL).chain(["name", "company_name", "parent_id", "company_id"]).collect();
    for person in env.read("res.partner", ids, &fields).await? {
        if person.get_str("company_name").is_empty() || !person.value("parent_id").is_null() {
            return Err(Error::User(format!("{} has no company name to make a company of", person.get_str("name"))));
        }
        let mut new = values! { "name" => person.get_str("company_name"), "is_company" => true };
        for field in ADDRESS.into_iter().chain(COMMERCIAL).chain(["company_id"]) {
            new.set(field, person.value(field).clone());
        }
        let company = env.create("res.partner", new).await?;
        let joined = values! { "parent_id" => company, "company_name" => Value::Null };
        env.write("res.partner", &[person.id], joined).await?;
    }
    Ok(())
}
