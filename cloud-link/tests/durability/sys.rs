//! [`Disk`] as a SQLite VFS. SQLite asks for a table of C functions; no crate wraps it for rusqlite's SQLite.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::ffi;

use super::disk::{Disk, Fault};

/// A disk that lives for the whole test process, under a name that `Options::vfs` takes.
pub(crate) struct FaultVfs {
    pub(crate) name: String,
    disk: Arc<Mutex<Disk>>,
}

/// What SQLite allocates for us per file (`szOsFile`). `base` has to come first: SQLite knows only that part.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    disk: *const Mutex<Disk>,
    /// From `CString::into_raw`.
    name: *mut c_char,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Version 1: no shared memory, no mmap. WAL then works in exclusive locking mode only, which is what is tested.
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

impl FaultVfs {
    pub(crate) fn new(seed: u64) -> Self {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("fault-{number}");
        let disk = Arc::new(Mutex::new(Disk::new(seed)));
        // SQLite keeps pointers to the table, the name and the disk for ever, so they are leaked; a test process is short.
        let z_name = CString::new(name.clone()).unwrap().into_raw();
        let table = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 1,
            szOsFile: c_int::try_from(size_of::<File>()).unwrap(),
            mxPathname: 512,
            pNext: std::ptr::null_mut(),
            zName: z_name,
            pAppData: Arc::into_raw(disk.clone()).cast_mut().cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: None,
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the table is complete for version 1 and never freed.
        let rc = unsafe { ffi::sqlite3_vfs_register(table, 0) };
        assert_eq!(rc, ffi::SQLITE_OK);
        Self { name, disk }
    }

    pub(crate) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk and name of an open file.
///
/// # Safety
/// `file` is one that [`open`] filled in and [`close`] has not seen.
unsafe fn parts<'a>(file: *mut ffi::sqlite3_file) -> (MutexGuard<'a, Disk>, &'a str) {
    // SAFETY: by the caller; the disk is never freed, the name lives until `close`.
    unsafe {
        let file = &*file.cast::<File>();
        let disk = (*file.disk).lock().unwrap_or_else(PoisonError::into_inner);
        (disk, CStr::from_ptr(file.name).to_str().unwrap_or("?"))
    }
}

fn code(result: Result<(), Fault>, dead: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Fault::Dead) => dead,
        Err(Fault::Full) => ffi::SQLITE_FULL,
    }
}

/// # Safety
/// `vfs` is a table made by [`FaultVfs::new`], `name` a C string.
unsafe fn vfs_parts<'a>(vfs: *mut ffi::sqlite3_vfs, name: *const c_char) -> (MutexGuard<'a, Disk>, &'a str) {
    // SAFETY: by the caller; `pAppData` is a leaked `Arc`'s content.
    unsafe {
        let disk = &*(*vfs).pAppData.cast::<Mutex<Disk>>();
        let name = if name.is_null() { "temp" } else { CStr::from_ptr(name).to_str().unwrap_or("?") };
        (disk.lock().unwrap_or_else(PoisonError::into_inner), name)
    }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: called by SQLite with the table we registered and `szOsFile` bytes at `file`.
    unsafe {
        let out = file.cast::<File>();
        (*out).base.pMethods = std::ptr::null();
        let (mut disk, name) = vfs_parts(vfs, name);
        match disk.open(name, flags & ffi::SQLITE_OPEN_CREATE != 0) {
            Ok(true) => {}
            _ => return ffi::SQLITE_CANTOPEN,
        }
        (*out).disk = (*vfs).pAppData.cast();
        (*out).name = CString::new(name).unwrap_or_default().into_raw();
        (*out).base.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the name came from `into_raw`.
    unsafe {
        let file = file.cast::<File>();
        drop(CString::from_raw((*file).name));
        (*file).base.pMethods = std::ptr::null();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, out: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives `n` writable bytes.
    unsafe {
        let (disk, name) = parts(file);
        let out = slice::from_raw_parts_mut(out.cast::<u8>(), n as usize);
        match disk.read(name, at as usize, out) {
            Ok(read) if read == out.len() => ffi::SQLITE_OK,
            Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
            Err(_) => ffi::SQLITE_IOERR_READ,
        }
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, data: *const c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives `n` readable bytes.
    unsafe {
        let (mut disk, name) = parts(file);
        let data = slice::from_raw_parts(data.cast::<u8>(), n as usize);
        code(disk.write(name, at as usize, data), ffi::SQLITE_IOERR_WRITE)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: an open file.
    let (mut disk, name) = unsafe { parts(file) };
    code(disk.truncate(name, len as usize), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file.
    let (mut disk, name) = unsafe { parts(file) };
    code(disk.sync(name), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: an open file and a place for the answer.
    unsafe {
        let (disk, name) = parts(file);
        match disk.len(name) {
            Ok(len) => *out = len as i64,
            Err(_) => return ffi::SQLITE_IOERR_FSTAT,
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(_file: *mut ffi::sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: a place for the answer.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_file: *mut ffi::sqlite3_file, _op: c_int, _arg: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    512
}

/// As SQLite's own VFS for Linux says.
unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _sync_dir: c_int) -> c_int {
    // SAFETY: our table.
    let (mut disk, name) = unsafe { vfs_parts(vfs, name) };
    if !disk.exists(name) {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    code(disk.delete(name), ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: our table and a place for the answer.
    unsafe {
        let (disk, name) = vfs_parts(vfs, name);
        *out = c_int::from(disk.exists(name));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    n: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: a C string in, `n` bytes out.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > n as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), out.cast(), bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_vfs: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    // SAFETY: `n` writable bytes. Zeros are allowed: SQLite only wants a start for its generator.
    unsafe { std::ptr::write_bytes(out, 0, n as usize) };
    n
}

unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, us: c_int) -> c_int {
    us
}

unsafe extern "C" fn current_time(_vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: a place for the answer. Julian day of 2026-01-01; nothing here reads SQLite's clock.
    unsafe { *out = 2_461_041.5 };
    ffi::SQLITE_OK
}
