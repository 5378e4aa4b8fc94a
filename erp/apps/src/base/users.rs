//! Who works here, and who is let in.

use erp_engine::{
    Domain, Env, Error, Id, Op, Operand, Search, Value, Values,
    declare::{App, Code, Field, Hook, Model, OnDelete},
    domain,
};

pub(super) fn add(app: App) -> App {
    app.model(users()).code(
        Code::new()
            .query("base.user_share", |env, on| Box::pin(share(env, on.ids)))
            .search("res.users", "share", |env, op, operand| Box::pin(search_share(env, op, operand)))
            .hook("res.users", Hook::BeforeCreate(|env, _, rows| Box::pin(fill_in(env, rows))))
            .check("res.users", &["company_id", "company_ids"], |env, on| Box::pin(works_in_his_company(env, on.ids))),
    )
}

fn users() -> Model {
    Model::new("res.users", "User")
        .order("name, login")
        .name_search(&["login"])
        .inherits("partner_id", "res.partner")
        .field(Field::char_len("login", 64).required().unique().copied(false))
        .field(
            Field::many2one("partner_id", "res.partner")
                .label("Related Partner")
                .required()
                .index()
                .copied(false)
                .ondelete(OnDelete::Restrict),
        )
        .field(
            Field::char("password_hash").secret().copied(false).help("Hash of the password, never the password itself"),
        )
        .field(Field::boolean("active").default(true))
        .field(
            Field::many2many("groups_id", "res.groups")
                .through("res_groups_users_rel", "uid", "gid")
                .label("Groups")
                .groups(&["group_erp_manager"]),
        )
        .field(Field::boolean("share").label("Share User").compute("base.user_share", &["groups_id"]))
        .field(
            Field::many2one("company_id", "res.company")
                .label("Company")
                .required()
                .ondelete(OnDelete::Restrict)
                .help("The company he works in after signing in"),
        )
        .field(
            Field::many2many("company_ids", "res.company")
                .through("res_company_users_rel", "user_id", "cid")
                .label("Companies"),
        )
        .field(Field::html("signature").label("Email Signature"))
        .field(Field::integer("action_id").label("Home Action").help("Opened after signing in"))
        .check("login", "len(login) > 0", "a user needs a login, which is mostly his email address")
}

/// The groups whose users work here: Internal User, and every group that implies it.
async fn working(env: &mut Env) -> Result<Vec<Id>, Error> {
    let mut env = env.sudo("which groups work here");
    let mut known: Vec<Id> = env.by_external_id("base.group_user").await?.into_iter().collect();
    loop {
        let more = domain!(["implied_ids", "in", &known], ["id", "not in", &known]);
        let more = env.search("res.groups", &more, Search::default()).await?;
        if more.is_empty() {
            return Ok(known);
        }
        known.extend(more);
    }
}

/// Somebody from outside, who sees what is shared with him.
async fn share(env: &mut Env, ids: &[Id]) -> Result<Vec<Value>, Error> {
    let working = working(env).await?;
    let inside = domain!(["id", "in", ids], ["groups_id", "in", &working], ["active", "in", [true, false]]);
    let inside = env.sudo("who works here").search("res.users", &inside, Search::default()).await?;
    Ok(ids.iter().map(|id| (!inside.contains(id)).into()).collect())
}

async fn search_share(env: &mut Env, op: Op, operand: Operand) -> Result<Domain, Error> {
    let wanted = match (op, operand) {
        (Op::Eq, Operand::One(value)) => value == true.into(),
        (Op::Ne, Operand::One(value)) => value != true.into(),
        _ => return Err(Error::User("share can be searched by = and != alone".to_owned())),
    };
    let inside = domain!(["groups_id", "in", &working(env).await?]);
    Ok(if wanted { !inside } else { inside })
}

/// What is left out: the contact has the login's name, the company is that of who makes the user.
async fn fill_in(env: &mut Env, rows: &mut Vec<Values>) -> Result<(), Error> {
    for row in rows {
        let empty = |field: &str| row.get(field).is_none_or(Value::is_null);
        let (unnamed, homeless) = (empty("name") && empty("partner_id"), empty("company_id"));
        if unnamed {
            let login = row.get("login").cloned().unwrap_or_default();
            row.set("name", login);
        }
        let login = match row.get("login") {
            Some(Value::Text(login)) if login.contains('@') => Some(login.clone()),
            _ => None,
        };
        if let (Some(login), true) = (login, row.get("email").is_none() && row.get("partner_id").is_none()) {
            row.set("email", login);
        }
        if homeless {
            let company = match env.company() {
                Some(company) => Some(company),
                None => env.by_external_id("base.main_company").await?,
            };
            row.set("company_id", company);
        }
        if row.get("company_ids").is_none()
            && let Some(Value::Id(company)) = row.get("company_id").cloned()
        {
            row.set("company_ids", vec![company]);
        }
    }
    Ok(())
}

async fn works_in_his_company(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let mut env = env.sudo("a user's companies");
    for user in env.read("res.users", ids, &["login", "company_id", "company_ids"]).await? {
        let (own, all) = (user.value("company_id"), user.get::<Vec<Id>>("company_ids")?);
        let inside = matches!(own, Value::Id(own) if all.contains(own));
        if !inside {
            return Err(Error::User(format!(
                "the default company of {} is not one of the companies he may work in; add it there",
                user.get_str("login")
            )));
        }
    }
    Ok(())
}
