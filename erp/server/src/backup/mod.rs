//! `erp backup`, `erp restore`, `erp duplicate`: the whole database with its files, as it was at one moment.
//!
//! A backup is made while people work: it sees one snapshot, and files are never changed once they are there. Keys that
//! are sealed in the database stay sealed in it; the key file that opens them (`secret.key`) is not part of it.

mod archive;

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use anyhow::{Context, bail};
use erp_engine::{Engine, Load, Search, domain, values};
use jiff::Timestamp;
use link_protocol::ids::DbName;
use sha2::{Digest, Sha256};

use crate::{
    cli,
    init::Usage,
    place::{self, Place},
    vault::{KEY_FILE, Vault, random},
};
use archive::{FORMAT, Head, Meta, Reader, Writer};

/// Rows handed to the database at once.
const PIECE: usize = 2_000;

pub async fn backup(args: cli::Backup) -> anyhow::Result<()> {
    if args.file.exists() && !args.force {
        return Err(Usage::new(format!(
            "{} is there already: choose another name, or add --force",
            args.file.display()
        ))
        .into());
    }
    // Beside a running server on purpose: only reading follows.
    let place = Place::visit(&args.place)?;
    let engine = place.open().await?;
    let counts = save(&engine, &place.files(), &args.file).await?;
    engine.close().await;
    say(&format!(
        "{} holds {} rows and {} files.\nKeep {} as well, in another place: it opens the keys of paired boxes.",
        args.file.display(),
        counts.rows,
        counts.files,
        place.data.join(KEY_FILE).display()
    ));
    Ok(())
}

async fn save(engine: &Engine, files: &Path, file: &Path) -> anyhow::Result<archive::Counts> {
    let database = setting(engine, place::DB_NAME).await?;
    let uuid = setting(engine, place::DB_UUID).await?;
    let mut dump = engine.dump().await?;
    let meta = Meta {
        format: FORMAT,
        database,
        uuid,
        made: Timestamp::now().to_string(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        apps: engine.registry().apps.clone(),
    };
    let mut writer = Writer::create(file, &meta)?;
    let mut wanted = Vec::new();
    for table in dump.tables() {
        let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let stored =
            columns.iter().position(|column| column == "store_fname").filter(|_| table.name == "ir_attachment");
        writer.table(&table.name, &Head { columns, highest: dump.highest(&table).await? })?;
        let mut after = Vec::new();
        loop {
            let rows = dump.rows(&table, &mut after).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                wanted.extend(stored.and_then(|at| row[at].as_str()).map(str::to_owned));
                writer.row(row)?;
            }
        }
    }
    drop(dump);
    wanted.sort();
    wanted.dedup();
    for name in wanted {
        let path = files.join(&name);
        match File::open(&path) {
            Ok(content) => writer.file(&name, content)?,
            // A picture that is gone must not cost the whole backup.
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "A file of an attachment is missing; the backup goes on without it.")
            }
        }
    }
    writer.finish()
}

pub async fn restore(args: cli::Restore) -> anyhow::Result<()> {
    let mut reader = Reader::open(&args.file)?;
    let place = Place::claim(&args.place)?;
    fill(&mut reader, &place).await?;
    let key = args.key.as_deref().map(|key| install_key(key, &place.data)).transpose()?;
    let engine = place.open().await?;
    if let Some(name) = &args.name {
        rename(&engine, name).await?;
    }
    if key.is_none() && !place.data.join(KEY_FILE).exists() {
        Vault::load_or_create(&place.data)?;
        forget_sealed(&engine).await?;
    }
    engine.close().await;
    say(&format!(
        "{} was restored to {}: {} rows, {} files.",
        reader.meta.database,
        place.describe(),
        reader.counts.rows,
        reader.counts.files
    ));
    if key.is_none() {
        say(
            "The keys of boxes could not be opened without their key file: connect the boxes again (restore with --key to keep them).",
        );
    }
    Ok(())
}

/// A copy to try things in: another identity, not production, and nothing that reaches out.
pub async fn duplicate(args: cli::Duplicate) -> anyhow::Result<()> {
    let name: DbName =
        args.name.parse().map_err(|e: link_protocol::ids::InvalidId| Usage::new(format!("NAME: {e}")))?;
    let from = Place::visit(&args.place)?;
    let into = args.into.clone().unwrap_or_else(|| from.data.with_file_name(&args.name));
    if into == from.data {
        return Err(Usage::new("the copy needs a directory of its own: add --into DIR".to_owned()).into());
    }
    let place = Place::claim(&cli::Place { data: into, database_url: args.into_database_url.clone() })?;
    let file = place.data.join("duplicate.zip");
    let engine = from.open().await?;
    save(&engine, &from.files(), &file).await?;
    engine.close().await;
    let mut reader = Reader::open(&file)?;
    fill(&mut reader, &place).await?;
    fs::remove_file(&file)?;
    Vault::load_or_create(&place.data)?;
    let engine = place.open().await?;
    rename(&engine, name.as_str()).await?;
    forget_sealed(&engine).await?;
    neutralise(&engine).await?;
    engine.close().await;
    say(&format!(
        "{} is a copy of {} in {}. It sends no mail, has no boxes and is not production.",
        name.as_str(),
        reader.meta.database,
        place.describe()
    ));
    Ok(())
}

async fn fill(reader: &mut Reader, place: &Place) -> anyhow::Result<()> {
    let apps = place.apps()?;
    if let Some(missing) =
        reader.meta.apps.iter().find(|app| *app != "kernel" && !apps.iter().any(|known| known.name == **app))
    {
        bail!(
            "the backup has the app {missing}, which this program lacks: use the version that made it, or put the app into {}",
            place.data.join("apps").display()
        );
    }
    let tables = reader.tables();
    // What says which models and fields there are comes first.
    let mut load = Load::begin(place.connect().await?, &apps)
        .await
        .with_context(|| format!("{} cannot be restored into", place.describe()))?;
    let first: Vec<String> = tables.iter().filter(|table| load.has(table)).cloned().collect();
    for table in &first {
        copy(reader, &mut load, table).await?;
    }
    load.resolve().await?;
    for table in &tables {
        copy(reader, &mut load, table).await?;
    }
    // Files before the rows that name them are there for good.
    let folder = place.files();
    for name in reader.files() {
        let mut content = reader.file(&name)?;
        put(&folder, &name, &mut content)?;
    }
    load.finish().await?;
    Ok(())
}

async fn copy(reader: &mut Reader, load: &mut Load, table: &str) -> anyhow::Result<()> {
    let mut rows = reader.table(table)?;
    let (columns, highest) = (std::mem::take(&mut rows.head.columns), rows.head.highest);
    loop {
        let piece = rows.next(PIECE)?;
        if piece.is_empty() {
            break;
        }
        load.rows(table, &columns, piece).await?;
    }
    load.numbered_to(table, highest).await?;
    Ok(())
}

/// Whole or not at all, and what its name says it is.
fn put(folder: &Path, name: &str, content: &mut impl Read) -> anyhow::Result<()> {
    let plain = !name.is_empty()
        && name.split('/').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric()));
    if !plain {
        bail!("the backup is damaged: {name:?} is no name of a file");
    }
    let place = folder.join(name);
    let parent = place.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let part = parent.join(format!("{}.part", name.replace('/', "_")));
    let mut file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let read = content.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        file.write_all(&buffer[..read])?;
    }
    let sum = data_encoding::HEXLOWER.encode(&hash.finalize());
    if name.rsplit('/').next() != Some(sum.as_str()) {
        fs::remove_file(&part).ok();
        bail!("the backup is damaged: the file {name} is not what its name says");
    }
    file.sync_all()?;
    fs::rename(&part, &place)?;
    Ok(())
}

fn install_key(from: &Path, data: &Path) -> anyhow::Result<()> {
    let to = data.join(KEY_FILE);
    if to.exists() {
        bail!("{} is there already: restore into an empty directory", to.display());
    }
    Vault::adopt(from, data)?;
    Ok(())
}

async fn setting(engine: &Engine, key: &str) -> anyhow::Result<String> {
    match place::setting(engine, key).await? {
        Some(value) => Ok(value),
        None => bail!("there is no database yet (no setting {key}): run erp init"),
    }
}

async fn rename(engine: &Engine, name: &str) -> anyhow::Result<()> {
    let name: DbName = name.parse().map_err(|e: link_protocol::ids::InvalidId| Usage::new(format!("--name: {e}")))?;
    place::set(engine, place::DB_NAME, name.as_str()).await
}

/// Keys sealed with a key file that is not here are of no use; new ones are made, and boxes are connected again.
async fn forget_sealed(engine: &Engine) -> anyhow::Result<()> {
    let mut env = engine.superuser("keys that cannot be opened").await?;
    for model in ["iot.secret", "iot.token"] {
        let all = env.search(model, &domain!(), Search::default()).await?;
        env.unlink(model, &all).await?;
    }
    let paired = domain!(["state", "!=", "unpaired"]);
    env.write_where("iot.box", &paired, values! { "state" => "unpaired", "online" => false }).await?;
    env.commit().await?;
    Ok(())
}

async fn neutralise(engine: &Engine) -> anyhow::Result<()> {
    let uuid: [u8; 16] = random()?;
    place::set(engine, place::DB_UUID, &place::uuid(uuid)).await?;
    place::set(engine, place::PRODUCTION, "false").await?;
    let mut env = engine.superuser("a copy reaches out to nobody").await?;
    let registry = env.registry().clone();
    if registry.model("ir.mail_server").is_ok() {
        env.write_where("ir.mail_server", &domain!(["active", "=", true]), values! { "active" => false }).await?;
        let waiting = domain!(["state", "in", ["outgoing", "sending"]]);
        env.write_where("mail.mail", &waiting, values! { "state" => "cancel" }).await?;
    }
    // Who is signed in at the one is not signed in at the other.
    for model in ["web.session", "res.users.apikeys"] {
        if registry.model(model).is_ok() {
            let all = env.search(model, &domain!(), Search::default()).await?;
            env.unlink(model, &all).await?;
        }
    }
    env.commit().await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer to the command")]
fn say(text: &str) {
    println!("{text}");
}
