//! The bound on everything that a client can send.
//!
//! What always holds: a request that is not complete yet takes at most about [`BODY_BYTES_MAX`]
//! plus [`HEAD_BYTES_MAX`] of memory, whoever sends it. RFC 9112 leaves the numbers to us and asks
//! for an answer beyond them (section 3 for the target, RFC 6585 section 5 for fields).

/// Longest method. The longest registered one has 17 letters, UPDATEREDIRECTREF, and no server of
/// metrics needs it. Beyond it: 501.
pub const METHOD_BYTES_MAX: usize = 16;

/// Longest target, in bytes: 8 KiB, the least that RFC 9112, section 3, recommends for the whole
/// request line. Beyond it: 414.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Longest field line without its line end. Beyond it: 431.
pub const LINE_BYTES_MAX: usize = 8 * 1024;

/// Longest section of fields, in the head and again in trailers, line ends counted. Beyond it: 431.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most fields in a section. Beyond it: 431.
pub const FIELDS_MAX: usize = 100;

/// Longest body without its framing. Beyond it: 413.
pub const BODY_BYTES_MAX: usize = metrics_model::limits::BODY_BYTES_MAX;

/// Longest line before a chunk: its size and its extensions, which nobody reads. A sender that puts
/// 255 bytes of extensions before each byte of content is not one of ours. Beyond it: 400.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;

/// The limits that the command line can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// As [`TARGET_BYTES_MAX`].
    pub target_bytes: usize,
    /// As [`LINE_BYTES_MAX`].
    pub line_bytes: usize,
    /// As [`HEAD_BYTES_MAX`].
    pub head_bytes: usize,
    /// As [`FIELDS_MAX`].
    pub fields: usize,
    /// As [`BODY_BYTES_MAX`].
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target_bytes: TARGET_BYTES_MAX,
            line_bytes: LINE_BYTES_MAX,
            head_bytes: HEAD_BYTES_MAX,
            fields: FIELDS_MAX,
            body_bytes: BODY_BYTES_MAX,
        }
    }
}
