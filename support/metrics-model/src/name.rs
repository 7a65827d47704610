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
#[inline]
pub(crate) fn check_name(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(InvalidName::TooLong);
    }
    if is_printable_ascii(name.as_bytes()) {
        return Ok(());
    }
    match name.chars().find(|character| character.is_control()) {
        Some(character) => Err(InvalidName::ControlCharacter(character)),
        None => Ok(()),
    }
}

/// How many bytes a word has.
const WORD_BYTES: usize = 8;

/// Settles nearly every name, eight bytes at a time. Where there are not as many left, a word is made
/// of bytes that were looked at before: what is printable stays so.
#[inline]
fn is_printable_ascii(name: &[u8]) -> bool {
    let (words, rest) = name.as_chunks::<WORD_BYTES>();
    let ends = match (name.last_chunk::<WORD_BYTES>(), name.first_chunk(), name.last_chunk()) {
        (Some(last), ..) => u64::from_ne_bytes(*last),
        (None, Some(first), Some(last)) => {
            let halves = [*first, *last].map(u32::from_ne_bytes).map(u64::from);
            halves[0] << u32::BITS | halves[1]
        }
        _ => return rest.iter().all(|byte| matches!(byte, b' '..=b'~')),
    };
    let mut words = words.iter().map(|word| u64::from_ne_bytes(*word));
    words.all(is_printable_word) && is_printable_word(ends)
}

/// Whether all eight bytes lie between the space, 0x20, and the tilde, 0x7E. Adding moves a limit of
/// the range to 0x80, where the highest bit tells on which side of it a byte is ("Bit Twiddling
/// Hacks", Sean Anderson).
const fn is_printable_word(word: u64) -> bool {
    const HIGH_BITS: u64 = splat(0x80);
    // From 0x7F on, the highest bit is set before or after. Without one no sum reaches the byte above.
    let above = word | word.wrapping_add(splat(0x01));
    let at_least_space = word.wrapping_add(splat(0x80 - b' '));
    !above & at_least_space & HIGH_BITS == HIGH_BITS
}

/// The same byte, eight times.
const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD_BYTES])
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
    fn a_bad_byte_is_found_wherever_it_stands() {
        for len in 1..=25 {
            for at in 0..len {
                for byte in 0..0x80 {
                    let mut name = vec![b'n'; len];
                    name[at] = byte;
                    let name = String::from_utf8(name).unwrap();
                    let expected = match byte {
                        0x00..=0x1F | 0x7F => Err(InvalidName::ControlCharacter(char::from(byte))),
                        _ => Ok(()),
                    };
                    assert_eq!(check_name(&name), expected, "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn the_first_control_character_is_named() {
        let refused = check_name("cpu é\n\u{7f}").unwrap_err();
        assert_eq!(refused.to_string(), "contains control character U+000A");
    }
}
