//! An uploaded file: pieces in the database, so that any process has it and nothing of it is in memory; staged on disk
//! by the process that reads it.

use std::{
    collections::VecDeque,
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io::{Cursor, Write},
    sync::{Arc, Mutex, PoisonError},
};

use erp_engine::{Env, Error, Id, Search, domain, values};
use erp_exchange::{Options, Resume, Table};

/// Bytes of one piece.
pub const PIECE: usize = 256 << 10;
/// Files that stay staged.
const KEPT: usize = 8;

/// Adds a piece to the file of an import, in the order of `sequence`.
///
/// # Errors
/// When the import is gone or not the user's.
pub async fn add_piece(env: &mut Env, import: Id, sequence: i64, data: Vec<u8>) -> Result<(), Error> {
    env.create("base_import.piece", values! { "import_id" => import, "sequence" => sequence, "data" => data }).await?;
    Ok(())
}

/// The pieces are all there: names the file anew, so that nobody goes on with one that was there before.
///
/// # Errors
/// When the import is gone or not the user's.
pub async fn finish_file(env: &mut Env, import: Id, name: &str, kind: &str) -> Result<(), Error> {
    let random = || RandomState::new().build_hasher().finish();
    let token = format!("{:016x}{:016x}", random(), random());
    let values = values! { "file_name" => name, "file_type" => kind, "token" => token, "file" => None::<String> };
    env.write("base_import.import", &[import], values).await
}

/// A file of pieces on this computer's disk. Gone with the last who reads it.
struct Staged {
    token: String,
    file: File,
    path: tempfile::TempPath,
    /// Rows below the header that were read, and where the next one begins.
    places: Mutex<VecDeque<(u64, Resume)>>,
}

static STAGED: Mutex<VecDeque<Arc<Staged>>> = Mutex::new(VecDeque::new());

/// The file of an import, ready to be opened as a table any number of times.
pub(super) struct Upload {
    pub(super) model: String,
    content: Content,
}

enum Content {
    Small(Vec<u8>),
    Staged(Arc<Staged>),
}

impl Upload {
    pub(super) async fn of(env: &mut Env, import: Id) -> Result<Upload, Error> {
        let found = env.read("base_import.import", &[import], &["res_model", "file", "token"]).await?;
        let gone = || Error::Missing { model: "base_import.import".into(), id: import };
        let record = found.first().ok_or_else(gone)?;
        let model = record.get_str("res_model").to_owned();
        if let Some(bytes) = record.get::<Option<Vec<u8>>>("file")? {
            return Ok(Upload { model, content: Content::Small(bytes) });
        }
        let token = record.get_str("token").to_owned();
        if token.is_empty() {
            return Err(Error::User("no file was given yet; choose one".into()));
        }
        let staged = match known(&token) {
            Some(staged) => staged,
            None => stage(env, import, token).await?,
        };
        Ok(Upload { model, content: Content::Staged(staged) })
    }

    pub(super) fn open(&self, options: &Options) -> Result<Table, erp_exchange::Error> {
        match &self.content {
            Content::Small(bytes) => erp_exchange::open(Box::new(Cursor::new(bytes.clone())), options),
            Content::Staged(staged) => {
                // A handle of its own: a cloned one would share the place in the file.
                erp_exchange::open(Box::new(File::open(&staged.path)?), options)
            }
        }
    }

    /// Where the row after `rows` rows begins, if somebody was there.
    pub(super) fn place(&self, rows: u64) -> Option<Resume> {
        let Content::Staged(staged) = &self.content else { return None };
        let places = staged.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().find(|(known, _)| *known == rows).map(|(_, place)| *place)
    }

    pub(super) fn remember(&self, rows: u64, place: Option<Resume>) {
        let (Content::Staged(staged), Some(place)) = (&self.content, place) else { return };
        let mut places = staged.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.push_front((rows, place));
        places.truncate(8);
    }
}

fn known(token: &str) -> Option<Arc<Staged>> {
    let kept = STAGED.lock().unwrap_or_else(PoisonError::into_inner);
    kept.iter().find(|staged| staged.token == token).cloned()
}

async fn stage(env: &mut Env, import: Id, token: String) -> Result<Arc<Staged>, Error> {
    let unwritable = |error: std::io::Error| {
        Error::User(format!(
            "the file cannot be staged ({error}); see that the disk for temporary files has space left"
        ))
    };
    let (file, path) = tempfile::NamedTempFile::new().map_err(unwritable)?.into_parts();
    let mut staged = Staged { token, file, path, places: Mutex::new(VecDeque::new()) };
    let pieces =
        env.search("base_import.piece", &domain!(["import_id", "=", import]), Search::order("sequence")).await?;
    for piece in pieces {
        let found = env.read("base_import.piece", &[piece], &["data"]).await?;
        if let Some(data) = found.first().and_then(|record| record.get::<Vec<u8>>("data").ok()) {
            staged.file.write_all(&data).map_err(unwritable)?;
        }
    }
    staged.file.flush().map_err(unwritable)?;
    let staged = Arc::new(staged);
    let mut kept = STAGED.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_front(staged.clone());
    kept.truncate(KEPT);
    Ok(staged)
}
