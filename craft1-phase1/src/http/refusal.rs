//! Why a request is refused before anybody looks at what it wants.
//!
//! What always holds: a refusal has one status, and after it the connection closes. Where the
//! broken request ends is not known, so whatever follows could be read as anything.

/// The rule that was broken. The message says what to send instead where that is not obvious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// RFC 9112, section 2.2: lines end in CR LF, and neither byte stands alone.
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// RFC 9110, section 9.1: a method is a token.
    #[error("the method is not a token")]
    Method,
    /// Longer than any method that we know, so we do not know it (RFC 9110, section 15.6.2).
    #[error("the method is longer than any we know")]
    MethodTooLong,
    /// RFC 9112, section 3.2: the target has none of the four forms.
    #[error("the target is not a path, an absolute URI or an asterisk")]
    Target,
    /// RFC 9112, section 3: a target beyond the limit.
    #[error("the target is too long")]
    TargetTooLong,
    /// RFC 9110, section 4.2.4: a name or password before the host is treated as an error.
    #[error("the target has user information")]
    UserInfo,
    /// RFC 9110, section 7.4: the target names a scheme that this connection is not for.
    #[error("the target is not an http URI, and this is no proxy")]
    Misdirected,
    /// RFC 9112, section 2.3: `HTTP/`, a digit, a point, a digit.
    #[error("malformed HTTP version")]
    Version,
    /// RFC 9110, section 15.6.6: another major version than 1.
    #[error("expected HTTP/1.1 or HTTP/1.0")]
    VersionUnsupported,
    /// RFC 9112, section 5.1: a field name is a token, and the colon follows at once.
    #[error("malformed field name")]
    FieldName,
    /// RFC 9110, section 5.5: a field value has no control character but the tab.
    #[error("a field value has a control character")]
    FieldValue,
    /// RFC 9112, section 5.2: a line that begins with white space continued the one before, once.
    #[error("a field line is folded")]
    Folded,
    /// RFC 9110, section 5.4, and RFC 6585, section 5: a field line or section beyond its limit.
    #[error("the header fields are too long")]
    FieldsTooLong,
    /// RFC 6585, section 5: more fields than the limit.
    #[error("too many header fields")]
    TooManyFields,
    /// RFC 9112, section 3.2: HTTP/1.1 needs a Host.
    #[error("HTTP/1.1 needs a Host field")]
    HostMissing,
    /// RFC 9112, section 3.2: and only one.
    #[error("Host is given twice")]
    HostRepeated,
    /// RFC 9112, section 3.2: and it is a host, with or without a port.
    #[error("Host is not a host")]
    Host,
    /// RFC 9110, section 8.6: a length is a row of digits.
    #[error("Content-Length is not a row of digits")]
    ContentLength,
    /// RFC 9112, section 6.3: we take the stricter of the two ways to treat a repeated length.
    #[error("Content-Length is given twice")]
    ContentLengthRepeated,
    /// RFC 9112, section 6.1: a length beside a transfer coding is an attempt at smuggling.
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndCoding,
    /// RFC 9112, section 6.1: a transfer coding that we do not know.
    #[error("the only transfer coding here is chunked")]
    CodingUnknown,
    /// RFC 9112, section 6.3: chunked comes once and last, or the end of the body is unknown.
    #[error("chunked is not the one last transfer coding")]
    ChunkedNotLast,
    /// RFC 9112, section 6.1: HTTP/1.0 has no transfer codings, so the framing is faulty.
    #[error("Transfer-Encoding in HTTP/1.0")]
    CodingInHttp10,
    /// RFC 9110, section 10.1.1: an expectation other than 100-continue.
    #[error("the only expectation here is 100-continue")]
    Expectation,
    /// RFC 9110, section 15.5.14: a body beyond the limit.
    #[error("the body is too long")]
    BodyTooLong,
    /// RFC 9112, section 7.1: a chunk begins with its size in hexadecimal digits.
    #[error("malformed chunk size")]
    ChunkSize,
    /// RFC 9112, section 7.1.1: a chunk extension is a name, with or without a value.
    #[error("malformed chunk extension")]
    ChunkExtension,
    /// Our limit on the line before a chunk.
    #[error("the line before a chunk is too long")]
    ChunkLineTooLong,
    /// RFC 9112, section 7.1: a chunk is as long as it says.
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
}

impl Refusal {
    /// The status that tells the client.
    pub const fn status(self) -> u16 {
        match self {
            Self::BodyTooLong => 413,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::Misdirected => 421,
            Self::FieldsTooLong | Self::TooManyFields => 431,
            Self::MethodTooLong | Self::CodingUnknown => 501,
            Self::VersionUnsupported => 505,
            _ => 400,
        }
    }
}
