//! What can go wrong with the data file, and what to do about it.
//!
//! What always holds: whoever reads a failure learns which step the system refused, why, and what
//! would help. Nothing has to be started anew: the writer tries again by itself. Only a mistake of
//! ours can end it, and then that is said.

use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};

/// What the writer wanted of the data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To append lines.
    Write,
    /// To bring them to the disk.
    Sync,
    /// To take back what a failed write left behind.
    Cut,
    /// To close the segment.
    Close,
    /// To begin a new one.
    Begin,
    /// To delete the oldest closed one.
    Delete,
    /// To go on at all: there is a mistake in the writer.
    Run,
}

impl Step {
    /// Those that the disk can refuse.
    pub(super) const OF_THE_DISK: [Self; 6] =
        [Self::Write, Self::Sync, Self::Cut, Self::Close, Self::Begin, Self::Delete];

    /// For a label.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Cut => "cut",
            Self::Close => "close",
            Self::Begin => "begin",
            Self::Delete => "delete",
            Self::Run => "run",
        }
    }

    const fn refused(self) -> &'static str {
        match self {
            Self::Write => "the data file cannot be written",
            Self::Sync => "the data file cannot be synced",
            Self::Cut => "the data file cannot be cut behind its last whole line",
            Self::Close => "the data file cannot be closed as a segment",
            Self::Begin => "no new data file can be begun",
            Self::Delete => "the oldest closed segment cannot be deleted",
            Self::Run => "the writer has ended before its time",
        }
    }
}

/// A step that failed, with the system's own error for the log.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", step.refused())]
pub(super) struct Failed {
    pub(super) step: Step,
    pub(super) error: io::Error,
}

impl Failed {
    /// For `map_err`.
    pub(super) fn at(step: Step) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { step, error }
    }

    /// What is shown of it.
    pub(super) fn failure(&self) -> Failure {
        Failure { step: self.step, kind: self.error.kind() }
    }
}

/// Why nothing is stored at the moment, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What was refused.
    pub step: Step,
    /// Why.
    pub kind: ErrorKind,
}

impl Failure {
    pub(super) const ENDED: Self = Self { step: Step::Run, kind: ErrorKind::Other };
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { step, kind } = self;
        let refused = step.refused();
        if *step == Step::Run {
            return write!(f, "{refused}: start the server anew and report what it said");
        }
        write!(f, "{refused} ({kind}): {}; it is tried again by itself", advice(*kind))
    }
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space or lower --retain",
        ErrorKind::FileTooLarge => "allow larger files (ulimit -f) or lower --segment-bytes",
        ErrorKind::ReadOnlyFilesystem => "mount the file system writable",
        ErrorKind::PermissionDenied => "let the server write to the folder of the data file",
        _ => "look at the disk and at the system's log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_was_refused_and_what_to_do() {
        let failure = Failure { step: Step::Write, kind: ErrorKind::StorageFull };
        let expected = "the data file cannot be written (no storage space): \
                        free some space or lower --retain; it is tried again by itself";
        assert_eq!(failure.to_string(), expected);
        for step in Step::OF_THE_DISK {
            let failed = Failed::at(step)(ErrorKind::PermissionDenied.into());
            assert!(failed.failure().to_string().contains(step.refused()));
            assert!(failed.to_string().ends_with(": permission denied"), "{failed}");
        }
    }
}
