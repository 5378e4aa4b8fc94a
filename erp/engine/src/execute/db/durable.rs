//! Commits of a SQLite database reach the disk together.
//!
//! SQLite would sync its log inside each commit, with the one writing connection held meanwhile. Here a commit only
//! writes to the log; the writer goes on to the next transaction, and whoever committed waits until the log was synced
//! after that. One sync serves all who committed before it. Nobody is told of a commit that is not on the disk, and the
//! log is in order: if power fails in between, what is lost is the end of it, which nobody was told of.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Mutex;

/// The write-ahead log of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: Box<Path>,
    /// With its inode: another file has this name once all connections were closed in between.
    file: StdMutex<Option<(u64, Arc<File>)>>,
    committed: AtomicU64,
    /// How many of those were on the disk after the last sync.
    synced: Mutex<u64>,
}

impl Log {
    pub(super) fn of(database: &Path) -> Log {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        let path = Path::new(&path).into();
        let (file, committed, synced) = (StdMutex::new(None), AtomicU64::new(0), Mutex::new(0));
        Log(Arc::new(Inner { path, file, committed, synced }))
    }

    /// Returns when the commit that the caller just made is on the disk.
    pub(super) async fn wait(&self) -> io::Result<()> {
        let mine = self.0.committed.fetch_add(1, Ordering::SeqCst) + 1;
        let mut synced = self.0.synced.lock().await;
        if *synced >= mine {
            return Ok(());
        }
        let all = self.0.committed.load(Ordering::SeqCst);
        let inner = Arc::clone(&self.0);
        let work = move || inner.file()?.sync_data();
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        *synced = all;
        Ok(())
    }
}

impl Inner {
    fn file(&self) -> io::Result<Arc<File>> {
        let inode = fs::metadata(&self.path)?.ino();
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, file)) = &*kept
            && *known == inode
        {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(&self.path)?);
        // Its name must be on the disk as well.
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        *kept = Some((file.metadata()?.ino(), Arc::clone(&file)));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_that_was_made_anew_is_the_one_that_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::of(&dir.path().join("a.db"));
        assert!(log.wait().await.is_err(), "a commit without a log is on no disk");
        let path = dir.path().join("a.db-wal");
        fs::write(&path, "one").unwrap();
        log.wait().await.unwrap();
        let first = log.0.file().unwrap().metadata().unwrap().ino();
        fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        fs::write(&path, "two").unwrap();
        log.wait().await.unwrap();
        assert_ne!(log.0.file().unwrap().metadata().unwrap().ino(), first);
        assert_eq!(*log.0.synced.lock().await, 3);
    }
}
