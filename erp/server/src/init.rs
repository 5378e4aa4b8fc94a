//! `erp init`: a database, its key file and its administrator.

use std::io::{IsTerminal, Read};

use anyhow::{Context, bail};
use data_encoding::BASE32_NOPAD;
use erp_engine::{Engine, Env, Search, domain, values};
use link_protocol::ids::DbName;

use crate::{
    cli::Init,
    place::{self, Place},
    sessions::hash_password,
    vault::{Vault, random},
};

const SHORTEST_PASSWORD: usize = 8;
const DEMO_COMPANY: &str = "Corner Shop";

/// The command was understood and makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

impl Usage {
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }
}

pub async fn run(args: Init) -> anyhow::Result<()> {
    let name: DbName = args.name.parse().map_err(|e: link_protocol::ids::InvalidId| Usage(format!("--name: {e}")))?;
    if let Some(apps) = &args.apps {
        let known = Place::known(&args.place)?;
        if let Some(unknown) = apps.iter().find(|a| !known.iter().any(|k| k.name == **a)) {
            let all: Vec<&str> = known.iter().map(|a| a.name.as_str()).collect();
            return Err(Usage(format!("--apps: there is no app {unknown}; there are {}", all.join(", "))).into());
        }
    }
    let password = password(&args)?;
    let place = Place::claim(&args.place)?;
    let engine = match args.apps.clone() {
        Some(apps) => place.open_with(apps).await?,
        None => place.open().await?,
    };
    if place::setting(&engine, place::DB_NAME).await?.is_some() {
        bail!("{} is a database already: start it with erp serve", place.describe());
    }
    Vault::load_or_create(&place.data)?;
    if args.demo {
        engine.load_demo().await.context("the demo records could not be made")?;
    }
    let (password, made) = match password {
        Some(password) => (password, false),
        None => (random_password()?, true),
    };
    set_up(&engine, &name, &password, args.demo).await?;
    engine.close().await;
    say(&place.describe(), made.then_some(password.as_str()));
    Ok(())
}

async fn set_up(engine: &Engine, name: &DbName, password: &str, demo: bool) -> anyhow::Result<()> {
    let mut env = engine.superuser("set up a new database").await?;
    let hash = hash_password(password)?;
    let admin = domain!(["login", "=", "admin"]);
    if env.write_where("res.users", &admin, values! { "password_hash" => hash.clone() }).await?.is_empty() {
        bail!("the administrator's record is missing: remove the data directory and start again");
    }
    if demo {
        // So that a cashier's screens can be tried at once; `erp init --demo` is for looking around.
        env.write_where("res.users", &domain!(["login", "=", "cashier"]), values! { "password_hash" => hash }).await?;
        name_company(&mut env).await?;
    }
    let uuid = place::uuid(random::<16>()?);
    for (key, value) in [(place::DB_NAME, name.as_str()), (place::DB_UUID, &uuid), (place::PRODUCTION, "true")] {
        env.create("ir.config_parameter", values! { "key" => key, "value" => value }).await?;
    }
    env.commit().await?;
    Ok(())
}

/// Only while it has the name every new database has.
async fn name_company(env: &mut Env) -> anyhow::Result<()> {
    let first = env.search("res.company", &domain!(["name", "=", "My Company"]), Search::order("id").limit(1)).await?;
    Ok(env.write("res.company", &first, values! { "name" => DEMO_COMPANY }).await?)
}

/// From the file, the environment or a pipe; `None`: make one.
fn password(args: &Init) -> anyhow::Result<Option<String>> {
    let given = if let Some(file) = &args.admin_password_file {
        Some(std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?)
    } else if let Ok(password) = std::env::var("ERP_ADMIN_PASSWORD") {
        Some(password)
    } else if std::io::stdin().is_terminal() {
        None
    } else {
        let mut text = String::new();
        std::io::stdin()
            .take(4096)
            .read_to_string(&mut text)
            .context("cannot read the password from standard input")?;
        Some(text).filter(|t| !t.trim().is_empty())
    };
    let given = given.map(|p| p.trim_end_matches(['\r', '\n']).to_owned());
    if given.as_ref().is_some_and(|p| p.chars().count() < SHORTEST_PASSWORD) {
        return Err(Usage(format!("the password must have at least {SHORTEST_PASSWORD} characters")).into());
    }
    Ok(given)
}

fn random_password() -> anyhow::Result<String> {
    let text = BASE32_NOPAD.encode(&random::<10>()?).to_ascii_lowercase();
    Ok(text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"))
}

#[expect(clippy::print_stdout, reason = "the answer to the command; the password is shown this once")]
fn say(where_: &str, password: Option<&str>) {
    println!("The database is ready in {where_}.");
    println!("Login: admin");
    match password {
        Some(password) => println!("Password: {password}   (shown only now)"),
        None => println!("Password: as you gave it"),
    }
}
