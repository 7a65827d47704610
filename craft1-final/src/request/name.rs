//! The fields that mean something here.
//!
//! What always holds: no two of them have the same length, so a name is compared with one other at
//! most.

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Host,
    Expect,
    Connection,
    ContentLength,
    TransferEncoding,
    /// One whose value is lent: its place in [`LENT`].
    Lent(usize),
    /// Nothing here.
    Other,
}

/// The fields that are lent, in the order in which a repetition is blamed. Each of them can have one
/// value.
pub(super) const LENT: [&str; 4] =
    ["Content-Type", "Content-Encoding", "X-Client-Id", "Authorization"];

impl Name {
    /// RFC 9110, section 5.1: the case of a name does not count.
    pub(super) fn of(name: &[u8]) -> Self {
        match name.len() {
            4 if is(name, b"Host") => Self::Host,
            6 if is(name, b"Expect") => Self::Expect,
            10 if is(name, b"Connection") => Self::Connection,
            11 if is(name, b"X-Client-Id") => Self::Lent(2),
            12 if is(name, b"Content-Type") => Self::Lent(0),
            13 if is(name, b"Authorization") => Self::Lent(3),
            14 if is(name, b"Content-Length") => Self::ContentLength,
            16 if is(name, b"Content-Encoding") => Self::Lent(1),
            17 if is(name, b"Transfer-Encoding") => Self::TransferEncoding,
            _ => Self::Other,
        }
    }
}

/// Most clients spell a name like this, and a known number of bytes is compared in words.
fn is<const LEN: usize>(name: &[u8], spelling: &[u8; LEN]) -> bool {
    name == spelling || name.eq_ignore_ascii_case(spelling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_in_any_case_and_nothing_else_is() {
        for (spelling, name) in [
            ("Host", Name::Host),
            ("Expect", Name::Expect),
            ("Connection", Name::Connection),
            ("Content-Length", Name::ContentLength),
            ("Transfer-Encoding", Name::TransferEncoding),
            ("Content-Type", Name::Lent(0)),
            ("Content-Encoding", Name::Lent(1)),
            ("X-Client-Id", Name::Lent(2)),
            ("Authorization", Name::Lent(3)),
        ] {
            for spelling in [spelling.into(), spelling.to_lowercase(), spelling.to_uppercase()] {
                assert_eq!(Name::of(spelling.as_bytes()), name, "{spelling}");
                let other = spelling.replace(['t', 'T', 'd', 'D'], "x");
                assert_eq!(Name::of(other.as_bytes()), Name::Other, "{other}");
                assert_eq!(Name::of(&spelling.as_bytes()[1..]), Name::Other, "{spelling}");
            }
        }
        assert_eq!(Name::of(b""), Name::Other);
    }
}
