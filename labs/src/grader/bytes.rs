//! Bytes as a person reads them.

use testkit::Response;

/// Bytes of a message that are shown. What is wrong is usually at one of its ends.
const SHOWN_BYTES_MAX: usize = 400;

/// In quotes, with everything escaped that cannot be printed, and with the middle left out of what
/// is long.
pub fn readable(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN_BYTES_MAX {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    let (start, end) =
        (&bytes[..SHOWN_BYTES_MAX * 3 / 4], &bytes[bytes.len() - SHOWN_BYTES_MAX / 4..]);
    let left_out = bytes.len() - SHOWN_BYTES_MAX;
    format!("\"{}\" … {left_out} bytes … \"{}\"", start.escape_ascii(), end.escape_ascii())
}

/// A response in one line.
pub fn response(response: &Response) -> String {
    let field = |name| response.field(name).map(|value| format!(", {name}: {value}"));
    let fields = ["Content-Type", "Retry-After", "Connection"].map(field);
    let fields = fields.into_iter().flatten().collect::<String>();
    format!("{}{fields}, body {}", response.status, readable(&response.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        assert_eq!(readable(b"a\r\n\0\xff\"b\""), r#""a\r\n\x00\xff\"b\"""#);
        assert_eq!(readable(b""), r#""""#);
    }

    #[test]
    fn what_is_long_is_shown_by_its_ends() {
        let long = [vec![b'a'; 1_000], vec![b'z'; 1_000]].concat();
        let shown = readable(&long);
        assert!(shown.starts_with("\"aaa") && shown.ends_with("zzz\""), "{shown}");
        assert!(shown.contains(" … 1600 bytes … "), "{shown}");
        assert!(shown.len() < 500, "{shown}");
    }

    #[test]
    fn a_response_is_a_line() {
        let fields = vec![("retry-after".to_string(), "1".to_string())];
        let response_ = Response { status: 503, fields, body: b"full\n".to_vec() };
        assert_eq!(response(&response_), r#"503, Retry-After: 1, body "full\n""#);
    }
}
