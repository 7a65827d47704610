//! Text that needs no second look, eight bytes at a time.
//!
//! What always holds: the answer is the one that looking at the bytes one by one would give.
//!
//! The arithmetic is phase 3's; here bytes from 0x7F on mean something, too.

use craft1_phase3::word::{HIGH_BITS, escaped, len_before, splat};

/// How many bytes stand before the first one that is a quote, a backslash or not printable ASCII.
#[inline(always)]
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    len_before(bytes, |word| (escaped(word) | not_printable(word)) & HIGH_BITS, is_special)
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20 | 0x7F..)
}

/// Marks what is not ASCII, and 0x7F: the one byte below 0x80 that one more takes there.
const fn not_printable(word: u64) -> u64 {
    word | word.wrapping_add(splat(0x01))
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
