//! What keeps the data file from being written, in words that say what to do.

use std::fmt;
use std::io::{self, ErrorKind};

/// Why the last try to write or to sync the data file failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The system does not let us.
    System {
        /// What it is about.
        kind: ErrorKind,
        /// The system's own number, which has the better text.
        os_code: Option<i32>,
    },
    /// The thread has panicked, so nobody tries any more.
    Defect,
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        Self::System { kind: error.kind(), os_code: error.raw_os_error() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::System { kind, os_code } => {
                let error = os_code.map_or_else(|| kind.into(), io::Error::from_raw_os_error);
                let advice = advice(kind);
                write!(f, "the data file cannot be written ({error}): {advice} or move --data-file")
            }
            Self::Defect => f.write_str("the writer has ended by a defect: restart the server"),
        }
    }
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "free space",
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => "make it writable",
        ErrorKind::ResourceBusy => "stop the other process that has taken it",
        _ => "check the disk",
    }
}

/// Why no more work should come, as far as the writer knows. For `GET /ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The disk refuses what it is given.
    #[error("{0}")]
    Failing(Failure),
    /// The disk is slower than the clients: three quarters of the queue are taken.
    #[error("the queue of metrics to be written is nearly full: the disk is too slow for them")]
    Queue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_failure_says_what_the_system_said_and_what_to_do() {
        for (code, expected) in [
            (28, "No space left on device (os error 28)): free space or move --data-file"),
            (122, "Disk quota exceeded (os error 122)): free space or move --data-file"),
            (27, "File too large (os error 27)): free space or move --data-file"),
            (30, "Read-only file system (os error 30)): make it writable or move --data-file"),
            (5, "Input/output error (os error 5)): check the disk or move --data-file"),
        ] {
            let failure = Failure::from(&io::Error::from_raw_os_error(code));
            let expected = format!("the data file cannot be written ({expected}");
            assert_eq!(failure.to_string(), expected);
        }
    }

    #[test]
    fn an_error_that_is_ours_has_words_too() {
        let failure = Failure::from(&ErrorKind::ResourceBusy.into());
        assert_eq!(
            Obstacle::Failing(failure).to_string(),
            "the data file cannot be written (resource busy): stop the other process that has \
             taken it or move --data-file"
        );
    }
}
