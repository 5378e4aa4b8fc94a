//! Contents of files, each kept once under its SHA-256 in a folder beside the database.
//!
//! A file is written whole under another name, synced and then named, so that a name always means its full content. It is
//! there before the transaction that refers to it commits; what no transaction refers to in the end is collected later.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// The folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Path>);

impl Store {
    pub(crate) fn at(folder: &Path) -> Store {
        Store(folder.into())
    }

    /// The name under which the content is found again.
    pub(crate) async fn put(&self, content: Arc<[u8]>) -> Result<String, Error> {
        let folder = self.0.clone();
        blocking(move || {
            let name = data_encoding::HEXLOWER.encode(&Sha256::digest(&content));
            put(&folder, &name, &content).map(|()| name)
        })
        .await
        .map_err(|error| Error::Files(self.0.display().to_string(), error))
    }

    /// Nothing where there is no such file, which is told in the log: a restored database may lack some.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(path) = path_of(&self.0, name) else { return Ok(None) };
        match blocking(move || fs::read(path)).await {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::error!(
                    file.name = name,
                    "a file that a record refers to is missing; restore it from a backup"
                );
                Ok(None)
            }
            Err(error) => Err(Error::Files(self.0.display().to_string(), error)),
        }
    }

    /// Size in bytes.
    pub(crate) async fn size(&self, name: &str) -> Option<u64> {
        let path = path_of(&self.0, name)?;
        blocking(move || fs::metadata(path)).await.ok().map(|found| found.len())
    }

    /// Names of all files that were neither made nor asked for anew since that long ago.
    pub(crate) async fn older_than(&self, age: Duration) -> Result<Vec<String>, Error> {
        let folder = self.0.clone();
        blocking(move || older_than(&folder, age))
            .await
            .map_err(|error| Error::Files(self.0.display().to_string(), error))
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), Error> {
        let Some(path) = path_of(&self.0, name) else { return Ok(()) };
        blocking(move || fs::remove_file(path)).await.map_err(|error| Error::Files(self.0.display().to_string(), error))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Only names that `put` makes lead anywhere.
fn path_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let made = name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    made.then(|| folder.join(name))
}

fn put(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let path = path_of(folder, name).ok_or_else(|| io::Error::other("no name of a file"))?;
    if let Ok(file) = File::options().append(true).open(&path) {
        // Young again, so that it is not collected before the transaction that refers to it commits.
        return file.set_modified(SystemTime::now());
    }
    fs::create_dir_all(folder)?;
    let staged = folder.join(format!(".{name}.{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let written = (|| {
        let mut file = File::create_new(&staged)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&staged, &path)?;
        // The name must be on the disk before the commit that relies on it.
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        fs::remove_file(&staged).ok();
    }
    written
}

fn older_than(folder: &Path, age: Duration) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let Some(limit) = SystemTime::now().checked_sub(age) else { return Ok(found) };
    if !folder.exists() {
        return Ok(found);
    }
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.metadata()?.modified()? >= limit {
            continue;
        }
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            // Left by a program that was stopped while it wrote.
            fs::remove_file(file.path())?;
        } else if path_of(folder, &name).is_some() {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_content_is_kept_once_and_found_by_its_hash_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(&dir.path().join("files"));
        let name = store.put(b"hello".as_slice().into()).await.unwrap();
        assert_eq!(name, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(store.put(b"hello".as_slice().into()).await.unwrap(), name);
        assert_eq!(store.get(&name).await.unwrap().unwrap(), b"hello");
        assert_eq!(store.size(&name).await, Some(5));
        for other in ["../../etc/passwd", "", &name[1..], &name.replace('2', "3")] {
            assert_eq!(store.get(other).await.unwrap(), None, "{other}");
        }
        assert!(store.older_than(Duration::from_secs(60)).await.unwrap().is_empty());
        assert_eq!(store.older_than(Duration::ZERO).await.unwrap(), [name]);
    }
}
