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
        let (candidate, spelling) = match name.len() {
            4 => (Self::Host, "Host"),
            6 => (Self::Expect, "Expect"),
            10 => (Self::Connection, "Connection"),
            11 => (Self::Lent(2), LENT[2]),
            12 => (Self::Lent(0), LENT[0]),
            13 => (Self::Lent(3), LENT[3]),
            14 => (Self::ContentLength, "Content-Length"),
            16 => (Self::Lent(1), LENT[1]),
            17 => (Self::TransferEncoding, "Transfer-Encoding"),
            _ => return Self::Other,
        };
        let spelling = spelling.as_bytes();
        // Most clients spell it like this, and to compare words is quicker than to compare letters.
        let is_it = name == spelling || name.eq_ignore_ascii_case(spelling);
        if is_it { candidate } else { Self::Other }
    }
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
