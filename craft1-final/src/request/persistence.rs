//! Whether a connection stays open behind an answer (RFC 9112, section 9.3).

use craft1_phase1::http::head::{Version, trim};

/// What becomes of the connection, and whether the answer has to say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Persistence {
    /// It closes, and the answer says so (section 9.6).
    #[default]
    Close,
    /// It stays open, as is usual in HTTP/1.1, and nothing needs to be said.
    Stay,
    /// It stays open. A client of HTTP/1.0 takes the end of the connection for the end of the
    /// answer unless it is told.
    StayAloud,
}

/// What the Connection fields of a request have said so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
}

impl ConnectionOptions {
    /// RFC 9110, section 7.6.1: a list of options, whose case does not count. Those that we do not
    /// know concern nobody here.
    pub(super) fn take(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = trim(option);
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Section 9.3: `close` wins over everything, then the version decides.
    pub(super) fn persistence(self, version: Version) -> Persistence {
        match version {
            _ if self.close => Persistence::Close,
            Version::Http11 => Persistence::Stay,
            Version::Http10 if self.keep_alive => Persistence::StayAloud,
            Version::Http10 => Persistence::Close,
        }
    }
}
