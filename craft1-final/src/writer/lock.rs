//! One writer for a data directory: the lock file.
//!
//! What always holds: the lock is the kernel's and ends with its holder, however that ends. So a file
//! that a killed server left behind locks nobody out, and nobody has to delete it. The text in it is
//! for people: who holds the lock now, or held it last.
//!
//! The data file cannot carry this lock, because it gets another name when a segment is closed, and
//! for a moment there is none.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Longer than the text of any holder. A file that is longer is not ours.
const TEXT_BYTES_MAX: u64 = 1024;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why there is no lock to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The system does not let us.
    #[error("cannot lock {}: {error}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Another server has it.
    #[error("in use by {holder}")]
    InUse {
        /// What the holder says of itself.
        holder: String,
    },
}

impl Lock {
    /// Takes the lock of a data file for this process. `address` is where it listens, `since` the
    /// time; both are for people.
    pub fn take(
        data_file: &Path,
        address: impl Display,
        since: impl Display,
    ) -> Result<Self, LockError> {
        let path = path(data_file);
        let holder = format!("process {} since {since}, listening on {address}\n", process::id());
        let locked = lock(&path, &holder).map_err(|error| LockError::Io { path, error })?;
        locked.map_err(|holder| LockError::InUse { holder })
    }
}

/// `metrics.jsonl.lock` beside `metrics.jsonl`.
fn path(data_file: &Path) -> PathBuf {
    let mut path = OsString::from(data_file);
    path.push(".lock");
    path.into()
}

/// The inner error is the other holder.
fn lock(path: &Path, holder: &str) -> io::Result<Result<Lock, String>> {
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return other_holder(&file).map(Err),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(holder.as_bytes())?;
    Ok(Ok(Lock { _file: file }))
}

fn other_holder(file: &File) -> io::Result<String> {
    let mut text = Vec::new();
    file.take(TEXT_BYTES_MAX).read_to_end(&mut text)?;
    Ok(match String::from_utf8_lossy(&text).trim() {
        // It has the lock already and its text not yet.
        "" => "another process".into(),
        text => text.escape_debug().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use testkit::DataFolder;

    use super::*;

    fn take(folder: &DataFolder) -> Result<Lock, LockError> {
        Lock::take(&folder.data_file(), "127.0.0.1:4711", "2025-09-17T13:45:23.123Z")
    }

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let folder = DataFolder::new();
        let first = take(&folder).unwrap();
        let error = take(&folder).unwrap_err().to_string();
        let expected = format!(
            "in use by process {} since 2025-09-17T13:45:23.123Z, listening on 127.0.0.1:4711",
            process::id()
        );
        assert_eq!(error, expected);
        drop(first);
        take(&folder).unwrap();
    }

    #[test]
    fn what_a_dead_holder_left_behind_locks_nobody_out_and_is_replaced() {
        let folder = DataFolder::new();
        let path = folder.path().join("metrics.jsonl.lock");
        fs::write(&path, "process 1 since ever ".repeat(20)).unwrap();
        let _lock = take(&folder).unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with(&format!("process {} since 2025-", process::id())), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_holder_without_a_text_is_another_process() {
        let folder = DataFolder::new();
        let file = File::create(path(&folder.data_file())).unwrap();
        file.lock().unwrap();
        assert_eq!(take(&folder).unwrap_err().to_string(), "in use by another process");
    }

    #[test]
    fn a_lock_file_that_cannot_be_is_named() {
        let folder = DataFolder::new();
        fs::create_dir(path(&folder.data_file())).unwrap();
        let error = take(&folder).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl.lock") && error.contains("directory"), "{error}");
    }
}
