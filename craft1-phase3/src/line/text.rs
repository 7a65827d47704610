//! Text as a JSON string (RFC 8259, section 7).
//!
//! What always holds: reading the string gives the text back. Only what must be escaped is: quotes,
//! backslashes and control characters.

use crate::word::plain_len;

/// Appends `text`, in quotes.
#[inline]
pub(super) fn put(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, from_special) = rest.split_at(plain_len(rest));
        line.extend_from_slice(plain);
        let Some((special, behind)) = from_special.split_first() else { break };
        put_escape(line, *special);
        rest = behind;
    }
    line.push(b'"');
}

#[cold]
fn put_escape(line: &mut Vec<u8>, special: u8) {
    let short = match special {
        b'"' | b'\\' => special,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0C => b'f',
        b'\r' => b'r',
        control => {
            let hexadecimal = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            let digits = [hexadecimal(control >> 4), hexadecimal(control & 0xF)];
            line.extend_from_slice(b"\\u00");
            return line.extend_from_slice(&digits);
        }
    };
    line.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut line = Vec::new();
        put(&mut line, text);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn what_must_be_escaped_is_and_nothing_else() {
        assert_eq!(
            written("\0\u{8}\t\n\u{c}\r\u{1f} \"\\/\u{7f}é\u{2028}😀"),
            "\"\\u0000\\b\\t\\n\\f\\r\\u001f \\\"\\\\/\u{7f}é\u{2028}😀\""
        );
    }

    #[test]
    fn every_character_is_written_as_serde_writes_it() {
        for character in '\0'..=char::MAX {
            let text = format!("eight by{character}tes");
            assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_text_is_written_as_serde_writes_it(text in "(\\PC|[\\x00-\\x1f\"\\\\]){0,40}") {
            prop_assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
