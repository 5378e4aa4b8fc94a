//! `erp apps`: what is installed, and changes of it. A running server does it itself, asked by its control socket, so that
//! everybody who works gets the new models at once; else the command opens the database.

use anyhow::bail;
use erp_engine::{Engine, Search, domain};

use crate::{
    cli::{Apps, AppsAction},
    control::{self, Request},
    init::Usage,
    place::{self, Place},
};

pub async fn run(args: Apps) -> anyhow::Result<()> {
    let known = Place::known(&args.place)?;
    if let AppsAction::Install { names } = &args.action
        && let Some(unknown) = names.iter().find(|name| !known.iter().any(|app| app.name == **name))
    {
        let all: Vec<&str> = known.iter().map(|app| app.name.as_str()).collect();
        return Err(Usage::new(format!("there is no app {unknown}; there are {}", all.join(", "))).into());
    }
    let place = match Place::claim(&args.place) {
        Ok(place) => place,
        Err(error) => {
            if control::ask(&args.place.data, &Request::Apps(args.action), &mut say).await? {
                return Ok(());
            }
            return Err(error.context("the program that works there does not answer at its control socket"));
        }
    };
    let engine = place.open().await?;
    if place::setting(&engine, place::DB_NAME).await?.is_none() {
        bail!("{} holds no database yet: run erp init", place.describe());
    }
    let done = perform(&engine, &args.action, &mut say).await;
    engine.close().await;
    done
}

/// By this program or by the server that runs. `say` is told lines for people.
pub(crate) async fn perform(
    engine: &Engine,
    action: &AppsAction,
    say: &mut (dyn FnMut(&str) + Send),
) -> anyhow::Result<()> {
    // An app may have come as a file since the program was started.
    let mut env = engine.superuser("the list of apps is brought up to date").await?;
    env.update_app_list().await?;
    env.commit().await?;
    let done = match action {
        AppsAction::List => {
            say(&list(engine).await?);
            return Ok(());
        }
        AppsAction::Install { names } => {
            engine.install(&borrowed(names), &mut |app| say(&format!("installing {app}"))).await?
        }
        AppsAction::Upgrade { names } => {
            engine.upgrade(&borrowed(names), &mut |app| say(&format!("upgrading {app}"))).await?
        }
        AppsAction::Uninstall { names, yes } => {
            let lost = lost(engine, &borrowed(names)).await?;
            if !yes {
                bail!("nothing was done. This would be erased for good:\n{lost}\nSay --yes to go on");
            }
            engine.uninstall(&borrowed(names), &mut |app| say(&format!("uninstalling {app}"))).await?
        }
    };
    say(&if done.is_empty() { "Nothing to do.".to_owned() } else { format!("Done: {}.", done.join(", ")) });
    Ok(())
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// What goes along, for people.
async fn lost(engine: &Engine, names: &[&str]) -> anyhow::Result<String> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let lost = engine.superuser("what would be lost").await?.uninstall_preview(&names).await?;
    let mut lines: Vec<String> = lost.apps.iter().map(|(name, label)| format!("  app {name} ({label})")).collect();
    lines.extend(lost.models.iter().map(|lost| format!("  {} records of {} ({})", lost.count, lost.label, lost.model)));
    let fields = lost.fields.iter().filter(|lost| lost.count > 0);
    lines.extend(
        fields.map(|lost| format!("  {} values of {} ({}.{})", lost.count, lost.label, lost.model, lost.field)),
    );
    lines.extend(lost.records.iter().map(|lost| format!("  {} records of {} that came along", lost.count, lost.label)));
    Ok(lines.join("\n"))
}

async fn list(engine: &Engine) -> anyhow::Result<String> {
    let mut env = engine.superuser("list of apps").await?;
    let fields = ["name", "shortdesc", "state", "latest_version"];
    let rows = env.search_read("ir.module.module", &domain!(), &fields, Search::order("name")).await?;
    let line = |row: &erp_engine::Record| {
        let version = row.get_str("latest_version");
        format!("{:24} {:14} {version:8} {}", row.get_str("name"), row.get_str("state"), row.get_str("shortdesc"))
    };
    Ok(rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[expect(clippy::print_stdout, reason = "the answer to the command")]
fn say(text: &str) {
    println!("{text}");
}
