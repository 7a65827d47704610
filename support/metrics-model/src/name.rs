//! The rule of names, which tag keys follow too: 1 to 255 bytes of UTF-8, no control character.
//!
//! A control character is what Unicode files under Cc: U+0000 to U+001F, U+007F and U+0080 to
//! U+009F. They are refused because names go into lines of text (the stored file, the Prometheus
//! exposition, logs and terminals), where a line break or an escape would be read as structure.

use crate::limits::NAME_BYTES_MAX;

/// Why a text cannot be a name or a tag key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It has no bytes.
    #[error("empty")]
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`].
    #[error("longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// It contains this control character, the first one.
    #[error("contains control character U+{:04X}", u32::from(*.0))]
    ControlCharacter(char),
}

/// Checks the rule of names.
pub(crate) fn check_name(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(InvalidName::TooLong);
    }
    if is_printable_ascii(name) {
        return Ok(());
    }
    match name.chars().find(|character| character.is_control()) {
        Some(character) => Err(InvalidName::ControlCharacter(character)),
        None => Ok(()),
    }
}

/// Settles nearly every name, because bytes are cheaper to look at than characters. It looks at all
/// of them even after a bad one: without an early exit the compiler takes several at a time.
fn is_printable_ascii(name: &str) -> bool {
    name.bytes().fold(true, |printable, byte| printable & matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_bytes_and_255_is_the_last_allowed() {
        assert_eq!(check_name(""), Err(InvalidName::Empty));
        assert_eq!(check_name("a"), Ok(()));
        assert_eq!(check_name(&"a".repeat(254)), Ok(()));
        assert_eq!(check_name(&"a".repeat(255)), Ok(()));
        assert_eq!(check_name(&"a".repeat(256)), Err(InvalidName::TooLong));
        // 127 characters of 2 bytes are 254 bytes, 128 are 256.
        assert_eq!(check_name(&"é".repeat(127)), Ok(()));
        assert_eq!(check_name(&"é".repeat(128)), Err(InvalidName::TooLong));
    }

    #[test]
    fn exactly_the_control_characters_are_refused() {
        for character in '\0'..=char::MAX {
            let expected = match u32::from(character) {
                0x00..=0x1F | 0x7F..=0x9F => Err(InvalidName::ControlCharacter(character)),
                _ => Ok(()),
            };
            let name = character.encode_utf8(&mut [0; 4]).to_owned();
            assert_eq!(check_name(&name), expected, "{character:?}");
        }
    }

    #[test]
    fn the_first_control_character_is_named() {
        let refused = check_name("cpu é\n\u{7f}").unwrap_err();
        assert_eq!(refused.to_string(), "contains control character U+000A");
    }
}
