//! `erp apps`: what is installed, and changes of it while no server runs on the database. A running one changes its apps
//! itself, by the Apps screen or the API, so that everybody gets the new models at once.

use anyhow::{Context, bail};
use erp_engine::{Engine, Search, domain};

use crate::{
    cli::{Apps, AppsAction},
    init::Usage,
    place::{self, Place},
};

pub async fn run(args: Apps) -> anyhow::Result<()> {
    let names: &[String] = match &args.action {
        AppsAction::Install { names } | AppsAction::Upgrade { names } | AppsAction::Uninstall { names, .. } => names,
        AppsAction::List => &[],
    };
    let known = Place::known(&args.place)?;
    if let AppsAction::Install { .. } = args.action
        && let Some(unknown) = names.iter().find(|name| !known.iter().any(|app| app.name == **name))
    {
        let all: Vec<&str> = known.iter().map(|app| app.name.as_str()).collect();
        return Err(Usage::new(format!("there is no app {unknown}; there are {}", all.join(", "))).into());
    }
    let place = Place::claim(&args.place).context(
        "apps are changed here only while no server runs; a running one does it by the Apps screen or its API",
    )?;
    let engine = place.open().await?;
    if place::setting(&engine, place::DB_NAME).await?.is_none() {
        bail!("{} holds no database yet: run erp init", place.describe());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let done = match &args.action {
        AppsAction::List => {
            list(&engine).await?;
            None
        }
        AppsAction::Install { .. } => Some(engine.install(&names, &mut |app| say(&format!("installing {app}"))).await?),
        AppsAction::Upgrade { .. } => Some(engine.upgrade(&names, &mut |app| say(&format!("upgrading {app}"))).await?),
        AppsAction::Uninstall { yes, .. } => {
            let lost = lost(&engine, &names).await?;
            if !yes {
                bail!("nothing was done. This would be erased for good:\n{lost}\nSay --yes to go on");
            }
            Some(engine.uninstall(&names, &mut |app| say(&format!("uninstalling {app}"))).await?)
        }
    };
    engine.close().await;
    match done {
        Some(done) if done.is_empty() => say("Nothing to do."),
        Some(done) => say(&format!("Done: {}.", done.join(", "))),
        None => {}
    }
    Ok(())
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

async fn list(engine: &Engine) -> anyhow::Result<()> {
    let mut env = engine.superuser("list of apps").await?;
    let fields = ["name", "shortdesc", "state", "latest_version"];
    for row in env.search_read("ir.module.module", &domain!(), &fields, Search::order("name")).await? {
        let version = row.get_str("latest_version");
        let text =
            format!("{:24} {:14} {version:8} {}", row.get_str("name"), row.get_str("state"), row.get_str("shortdesc"));
        say(&text);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer to the command")]
fn say(text: &str) {
    println!("{text}");
}
