//! The few things that the writer does to the disk, and a data file that does them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use craft1_phase1::recovery::{Damage, DataFile, OpenError};
use craft1_phase1::service::ParseBody;

use crate::segment;

/// Where lines are kept. A trait, because tests put a disk that fails in place of the file.
pub trait Storage: Send + 'static {
    /// Appends the bytes. An error may leave a part of them behind.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Brings everything that was appended to the disk. After an error nobody knows what of it is
    /// there, and asking again does not tell.
    fn sync(&mut self) -> io::Result<()>;

    /// Takes away what stands behind the first `len` bytes.
    fn cut(&mut self, len: u64) -> io::Result<()>;

    /// Puts what there is aside and begins anew. Returns how many bytes of whole lines there are
    /// already; none, unless somebody else has put them there. Asked again after an error, it goes
    /// on where it was.
    fn renew(&mut self) -> io::Result<u64>;
}

/// The data file, which becomes a closed segment when a new one is begun.
#[derive(Debug)]
pub struct DiskFile {
    path: PathBuf,
    parse_line: ParseBody,
    file: File,
}

impl DiskFile {
    /// Opens the data file as phase 1 does, and brings its name to the disk. Returns it with its
    /// length.
    pub fn open(
        path: &Path,
        parse_line: ParseBody,
        report: impl FnMut(Damage),
    ) -> Result<(Self, u64), OpenError> {
        let DataFile { file, end } = DataFile::open(path, parse_line, report)?;
        segment::sync_folder(path)?;
        Ok((Self { path: path.into(), parse_line, file }, end))
    }

    /// An empty file is taken away instead of closed: a disk that fails for hours must not fill the
    /// folder with them.
    fn put_aside(&self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => match ours.len()
            {
                0 => fs::remove_file(&self.path),
                _ => segment::close(&self.path).map(drop),
            },
            // An earlier try got that far, or somebody else has moved it.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Storage for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn renew(&mut self) -> io::Result<u64> {
        self.put_aside()?;
        let opened = DataFile::open(&self.path, self.parse_line, drop);
        let DataFile { file, end } = opened.map_err(|error| match error {
            OpenError::Io(error) => error,
            OpenError::InUse => ErrorKind::ResourceBusy.into(),
            OpenError::NotRegular => ErrorKind::InvalidInput.into(),
        })?;
        // Without its name on the disk, nothing in the new file would outlive a power cut.
        segment::sync_folder(&self.path)?;
        self.file = file;
        Ok(end)
    }
}
