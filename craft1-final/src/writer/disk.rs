//! What the writer asks of the disk: the calls that can fail, each of them a value.
//!
//! What always holds: the writer's thread changes files through these and nothing else, so a test
//! that puts its own value in the place of one can fail the service at exactly that step. Such tests
//! found what applications make of failed syncs (Rebello and others, "Can Applications Recover from
//! fsync Failures?", 2020).

use std::fmt::{self, Debug, Formatter};
use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};

use craft1_phase1::recovery::{self, OpenError};
use craft1_phase4::segment;

/// The calls. [`Disk::default`] has those of the system.
pub struct Disk {
    /// Appends buffers to a file and says how many bytes there was room for.
    pub write: WriteCall,
    /// Brings a file's content to the disk.
    pub sync: SyncCall,
    /// Lets go of what the system keeps of a file in memory.
    pub release: ReleaseCall,
    /// Cuts a file to a length in bytes.
    pub cut: CutCall,
    /// Opens or creates the data file for appending, for nobody but us.
    pub open: PathCall<File>,
    /// Makes the data file a closed segment.
    pub close: PathCall<PathBuf>,
    /// Deletes a file.
    pub remove: PathCall<()>,
    /// Brings the names in the data file's folder to the disk.
    pub sync_folder: PathCall<()>,
}

/// As `writev(2)`.
pub type WriteCall = Box<dyn FnMut(&File, &[IoSlice<'_>]) -> io::Result<usize> + Send>;

/// As `fdatasync(2)`.
pub type SyncCall = Box<dyn FnMut(&File) -> io::Result<()> + Send>;

/// As `posix_fadvise(2)` with `POSIX_FADV_DONTNEED`: what of these bytes, from one on and so many, is on
/// the disk is forgotten, and what is not is on its way there. It is advice, so it does not fail.
pub type ReleaseCall = Box<dyn FnMut(&File, u64, u64) + Send>;

/// As `ftruncate(2)`.
pub type CutCall = Box<dyn FnMut(&File, u64) -> io::Result<()> + Send>;

/// Something that is done with a path.
pub type PathCall<T> = Box<dyn FnMut(&Path) -> io::Result<T> + Send>;

impl Default for Disk {
    fn default() -> Self {
        Self {
            write: Box::new(|mut file, buffers| file.write_vectored(buffers)),
            sync: Box::new(File::sync_data),
            release: Box::new(release),
            cut: Box::new(File::set_len),
            open: Box::new(open),
            close: Box::new(segment::close),
            remove: Box::new(|path| fs::remove_file(path)),
            sync_folder: Box::new(segment::sync_folder),
        }
    }
}

impl Debug for Disk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

#[cfg(target_os = "linux")]
fn release(file: &File, start: u64, len: u64) {
    use rustix::fs::{Advice, fadvise};
    let _ = fadvise(file, start, std::num::NonZero::new(len), Advice::DontNeed);
}

/// Elsewhere the system finds out by itself.
#[cfg(not(target_os = "linux"))]
fn release(_file: &File, _start: u64, _len: u64) {}

fn open(path: &Path) -> io::Result<File> {
    recovery::lock(path).map_err(|error| match error {
        OpenError::Io(error) => error,
        error => io::Error::other(error),
    })
}
