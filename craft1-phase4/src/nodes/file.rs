//! The file of the fleet, read again when it has changed.
//!
//! What always holds: reading is bounded, and a file that stays as it is, readable or not, is told
//! of once.
//!
//! A file has changed when its length or its time of modification has. Somebody who changes it
//! twice within one tick of the file system's clock (some milliseconds), to the same length, goes
//! unnoticed the second time; `touch` mends that.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Fleet, LINE_BYTES_MAX, NODES_MAX, NoColumn};

/// Longest file in bytes: as many rows as there may be, each as long as it may be.
const FILE_BYTES_MAX: usize = NODES_MAX * LINE_BYTES_MAX;

/// A file that may change.
#[derive(Debug)]
pub struct FleetFile {
    path: PathBuf,
    /// How it was when it was read; `None` before that.
    seen: Option<Result<Stamp, io::ErrorKind>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: SystemTime,
}

/// Why there is no fleet in a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system does not let us, or there is none.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// A folder, a device or a pipe.
    #[error("not a regular file")]
    NotRegular,
    /// It is no list of machines.
    #[error("longer than {FILE_BYTES_MAX} bytes")]
    TooLong,
    /// It is no list of ours.
    #[error(transparent)]
    NoColumn(#[from] NoColumn),
}

impl FleetFile {
    /// Names a file; it need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// Reads it, unless it is as it was the last time.
    pub fn read_if_changed(&mut self) -> Option<Result<Fleet, LoadError>> {
        let opened = self.open();
        // Taken before the bytes: what is written while we read changes it, and is read next time.
        let stamp = match &opened {
            Ok((_, stamp)) => Ok(*stamp),
            Err(LoadError::Io(error)) => Err(error.kind()),
            Err(_) => Err(io::ErrorKind::Other),
        };
        if self.seen.replace(stamp) == Some(stamp) {
            return None;
        }
        Some(opened.and_then(|(file, _)| load(file)))
    }

    fn open(&self) -> Result<(File, Stamp), LoadError> {
        // Before it is opened, because to open a pipe is to wait for its writer.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(LoadError::NotRegular);
        }
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let stamp = Stamp { len: metadata.len(), modified: metadata.modified()? };
        Ok((file, stamp))
    }
}

fn load(file: File) -> Result<Fleet, LoadError> {
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    if text.len() > FILE_BYTES_MAX {
        return Err(LoadError::TooLong);
    }
    Ok(Fleet::parse(&text)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    const HEADER: &str = "id,address,role,region,cpu_cores,memory_gib,disk_gib\n";
    const ROW: &str = "web-1,10.0.0.7:9100,web,eu-west,4,16,200\n";

    fn in_a_folder() -> (TempDir, PathBuf, FleetFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodes.csv");
        (folder, path.clone(), FleetFile::new(path))
    }

    /// How many nodes there are, or why there are none; `None` where nothing has changed.
    fn look(file: &mut FleetFile) -> Option<Result<usize, String>> {
        let read = file.read_if_changed()?;
        Some(read.map(|fleet| fleet.nodes.len()).map_err(|error| error.to_string()))
    }

    #[test]
    fn is_read_at_first_and_whenever_its_length_changes() {
        let (_folder, path, mut file) = in_a_folder();
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            let same = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
            File::options().write(true).open(&path).unwrap().set_modified(same).unwrap();
        };
        write(HEADER);
        assert_eq!(look(&mut file), Some(Ok(0)));
        assert_eq!(look(&mut file), None);
        write(&format!("{HEADER}{ROW}"));
        assert_eq!(look(&mut file), Some(Ok(1)));
        assert_eq!(look(&mut file), None);
    }

    #[test]
    fn is_read_again_when_only_its_time_changes() {
        let (_folder, path, mut file) = in_a_folder();
        fs::write(&path, format!("{HEADER}{ROW}")).unwrap();
        assert_eq!(look(&mut file), Some(Ok(1)));
        let later = SystemTime::now() + Duration::from_secs(10);
        File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(look(&mut file), Some(Ok(1)));
    }

    #[test]
    fn a_missing_file_is_told_of_once_and_read_when_it_comes() {
        let (_folder, path, mut file) = in_a_folder();
        let told = look(&mut file).unwrap().unwrap_err();
        assert!(told.starts_with("cannot read: No such file"), "{told}");
        assert_eq!(look(&mut file), None);
        fs::write(&path, HEADER).unwrap();
        assert_eq!(look(&mut file), Some(Ok(0)));
        fs::remove_file(&path).unwrap();
        assert!(matches!(look(&mut file), Some(Err(_))), "and told of when it goes");
    }

    #[test]
    fn a_folder_is_no_file() {
        let (_folder, path, mut file) = in_a_folder();
        fs::create_dir(path).unwrap();
        assert_eq!(look(&mut file), Some(Err("not a regular file".into())));
        assert_eq!(look(&mut file), None);
    }

    #[test]
    fn a_file_without_columns_is_told_of_once() {
        let (_folder, path, mut file) = in_a_folder();
        fs::write(&path, ROW).unwrap();
        let told = "the first line must name the column id, once";
        assert_eq!(look(&mut file), Some(Err(told.into())));
        assert_eq!(look(&mut file), None);
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let (_folder, path, mut file) = in_a_folder();
        let text = |len: usize| format!("{HEADER}{}", "\n".repeat(len - HEADER.len()));
        fs::write(&path, text(FILE_BYTES_MAX)).unwrap();
        assert_eq!(look(&mut file), Some(Ok(0)));
        fs::write(&path, text(FILE_BYTES_MAX + 1)).unwrap();
        assert_eq!(look(&mut file), Some(Err("longer than 1024000 bytes".into())));
    }
}
