//! How much is kept: the oldest closed segments go first.
//!
//! What always holds: the open segment is never deleted, and where everything works, all segments
//! together are no larger than the bound, because room for a whole open segment is set aside. A crash
//! at any moment leaves fewer or more closed segments than meant, each of them whole; the next
//! pass goes on from what it finds in the folder.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use craft1_phase4::segment;

use super::disk::Disk;

/// What a pass did and left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Retained {
    pub(super) segments: u64,
    pub(super) bytes: u64,
    pub(super) deleted_segments: u64,
    pub(super) deleted_bytes: u64,
}

/// Deletes the oldest closed segments until the rest fit into `bytes_max`; without a bound, only
/// counts them. Somebody else may move closed segments away at any time: what is gone is gone.
///
/// # Errors
/// Those of the folder and of the deletion. What was deleted before is in `retained` even then.
pub(super) fn enforce(
    data_file: &Path,
    bytes_max: Option<u64>,
    disk: &mut Disk,
    retained: &mut Retained,
) -> io::Result<()> {
    let mut segments = Vec::new();
    for (_, path) in segment::closed(data_file)? {
        let Some(metadata) = unless_gone(fs::metadata(&path))? else { continue };
        let bytes = metadata.len();
        retained.segments += 1;
        retained.bytes += bytes;
        segments.push((path, bytes));
    }
    for (path, bytes) in segments {
        if bytes_max.is_none_or(|max| retained.bytes <= max) {
            break;
        }
        let is_ours = unless_gone((disk.remove)(&path))?.is_some();
        retained.segments -= 1;
        retained.bytes -= bytes;
        if is_ours {
            tracing::info!(segment = %path.display(), bytes, "deleted the oldest closed segment: --retain has no room for it");
            retained.deleted_segments += 1;
            retained.deleted_bytes += bytes;
        }
    }
    if retained.deleted_segments > 0 {
        (disk.sync_folder)(data_file)?;
    }
    Ok(())
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
