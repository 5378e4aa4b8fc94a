//! The command line. Exit codes: 0 done, 1 failed (the message says what to do), 64 wrong usage.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};

#[derive(Debug, Parser)]
#[command(name = "erp", version, about = "The ERP: records, pages, and the shop's IoT boxes")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a database with its administrator (login: admin)
    Init(Init),
    /// Serve pages, boxes and programs until stopped
    Serve(Serve),
    /// List, install, upgrade and uninstall apps
    Apps(Apps),
    /// Save everything to a file, while people work
    Backup(Backup),
    /// Fill an empty directory or database from such a file
    Restore(Restore),
    /// Copy a database to try things in: another identity, no mail, no boxes
    Duplicate(Duplicate),
}

#[derive(Debug, Args)]
pub struct Place {
    /// Directory of this database: settings, keys, and SQLite's file
    #[arg(long, value_name = "DIR", default_value = "./var/erp")]
    pub data: PathBuf,
    /// sqlite:/path/to/file or postgres://user@host/database; without it SQLite in DIR
    #[arg(long, value_name = "URL", env = "ERP_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    pub place: Place,
    /// Name of the database, as it stands in topics: a-z, 0-9, _ and -
    #[arg(long, value_name = "DB", default_value = "erp")]
    pub name: String,
    /// File with the administrator's password; else ERP_ADMIN_PASSWORD, else standard input, else a random one is printed
    #[arg(long, value_name = "F")]
    pub admin_password_file: Option<PathBuf>,
    /// Apps to install; all that there are, without it
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub apps: Option<Vec<String>>,
    /// Fill it with a believable shop
    #[arg(long)]
    pub demo: bool,
}

#[derive(Debug, Args)]
pub struct Apps {
    #[command(flatten)]
    pub place: Place,
    #[command(subcommand)]
    pub action: AppsAction,
}

#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum AppsAction {
    /// Install apps with what they depend on
    Install {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Load the records of apps anew, and of those that stand on them
    Upgrade {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Erase apps with all their records, and those that stand on them; says first what goes
    Uninstall {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Erase what the command lists without it
        #[arg(long)]
        yes: bool,
    },
    /// What there is, and what is installed
    List,
}

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub place: Place,
    /// Where to listen, for pages and boxes alike
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8069")]
    pub listen: SocketAddr,
    /// A further port for boxes only
    #[arg(long, value_name = "ADDR")]
    pub mqtt_listen: Option<SocketAddr>,
    /// Certificate chain for pages, PEM; without it the ERP's own CA makes one
    #[arg(long, value_name = "F", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of that certificate, PEM
    #[arg(long, value_name = "F", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// How people and boxes reach this server: https://erp.example
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    pub place: Place,
    /// Where to, such as shop-2026-11-22.zip
    pub file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    pub place: Place,
    pub file: PathBuf,
    /// The key file of the database that was saved, so that its boxes stay paired
    #[arg(long, value_name = "F")]
    pub key: Option<PathBuf>,
    /// Another name for the database
    #[arg(long, value_name = "DB")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Duplicate {
    #[command(flatten)]
    pub place: Place,
    /// Name of the copy
    pub name: String,
    /// Directory of the copy; beside the original and named as the copy, without it
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Empty database for the copy; without it SQLite in its directory
    #[arg(long, value_name = "URL")]
    pub into_database_url: Option<String>,
}
