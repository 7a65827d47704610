//! Text that needs no second look, eight bytes at a time.
//!
//! What always holds: the answer is the one that looking at the bytes one by one would give.
//!
//! The arithmetic is explained where it was introduced, in phase 3's `word.rs`; here bytes from
//! 0x7F on mean something, too.

const WORD_BYTES: usize = 8;

/// How many bytes stand before the first one that is a quote, a backslash or not printable ASCII.
#[inline(always)]
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    for (index, word) in words.iter().enumerate() {
        let specials = specials(u64::from_le_bytes(*word));
        if specials != 0 {
            // Little endian: the first byte is the lowest.
            return index * WORD_BYTES + specials.trailing_zeros() as usize / WORD_BYTES;
        }
    }
    let special = rest.iter().position(|byte| is_special(*byte));
    bytes.len() - rest.len() + special.unwrap_or(rest.len())
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20 | 0x7F..)
}

/// Marks special bytes by their highest bit. The lowest mark is right; those above it may not be.
const fn specials(word: u64) -> u64 {
    let quotes_and_controls = (word ^ splat(0x02)).wrapping_sub(splat(0x21));
    let backslashes = (word ^ splat(b'\\')).wrapping_sub(splat(0x01));
    // 0x7F is the one byte below 0x80 that one more takes there.
    let not_ascii = word | word.wrapping_add(splat(0x01));
    (quotes_and_controls | backslashes | not_ascii) & splat(0x80)
}

/// The same byte, eight times.
const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_alone_wherever_it_stands() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'~'; len];
                    bytes[at] = byte;
                    let expected = if is_special(byte) { at } else { len };
                    assert_eq!(plain_len(&bytes), expected, "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_is_found_whatever_stands_behind_it() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let bytes = [b'~', first, second, b' ', b'x', b'x', b'x', b'x', b'"'];
                let expected = bytes.iter().position(|byte| is_special(*byte)).unwrap();
                assert_eq!(plain_len(&bytes), expected, "{first:#x} {second:#x}");
            }
        }
    }
}
