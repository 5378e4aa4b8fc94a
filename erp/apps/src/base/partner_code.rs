//! How contacts behave: names, addresses, and what a company passes on to its people.

use erp_engine::{
    Domain, Env, Error, Id, Op, Operand, Search, Value, Values,
    declare::{Draft, Inputs},
    domain, values,
};

use super::partner::TYPES;

/// What a contact has from the company or person it belongs to.
const ADDRESS: [&str; 6] = ["street", "street2", "zip", "city", "state_id", "country_id"];
/// What belongs to the commercial entity as a whole.
const COMMERCIAL: [&str; 2] = ["vat", "company_registry"];

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
    let fields: Vec<&str> = ADDRESS.into_iter().chain(COMMERCIAL).collect();
    let found = env.search_read("res.partner", &domain!(["id", "in", &parents]), &fields, Search::default()).await?;
    for row in rows {
        let Some(from) = parent(row).and_then(|id| found.iter().find(|record| record.id == id)) else { continue };
        let given = |row: &Values, field: &str| row.get(field).is_some_and(|value| !value.is_null());
        let contact = row.get("type").is_none_or(|kind| *kind == "contact".into());
        if contact && !ADDRESS.iter().any(|field| given(row, field)) {
            for field in ADDRESS {
                row.set(field, from.value(field).clone());
            }
        }
        if !row.get("is_company").is_some_and(|value| *value == true.into()) {
            for field in COMMERCIAL.into_iter().filter(|field| !given(row, field)).collect::<Vec<_>>() {
                row.set(field, from.value(field).clone());
            }
        }
    }
    Ok(())
}

/// What a company's record changes, its people's records follow: the tax id, and the address of who works there.
pub(super) async fn pass_on(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    let touched = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| fields.iter().any(|field| field == name)).collect()
    };
    let (address, commercial) = (touched(&ADDRESS), touched(&COMMERCIAL));
    if address.is_empty() && commercial.is_empty() {
        return Ok(());
    }
    let people = env
        .search_read(
            "res.partner",
            &domain!(["parent_id", "in", ids]),
            &["parent_id", "type", "is_company"],
            Search::default(),
        )
        .await?;
    if people.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = address.iter().chain(&commercial).copied().collect();
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
