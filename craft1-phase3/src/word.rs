//! Eight bytes at a time, in a plain 64-bit register.
//!
//! What always holds: the answer is the one that looking at the bytes one by one would give. Which
//! bytes are looked for is said twice, by the byte and by the word, and the tests hold the one against
//! the other.
//!
//! A register can be read as eight small numbers side by side, and one subtraction works on all of
//! them (Leslie Lamport, "Multiple Byte Processing with Full-Word Instructions", 1975). That a zero
//! byte betrays itself by a borrow is Alan Mycroft's discovery (1987); Sean Anderson collected the
//! family in "Bit Twiddling Hacks". The test for JSON's special characters is Daniel Lemire's
//! ("Quickly checking whether a string needs escaping", 2024).

/// How many bytes a word has.
const WORD_BYTES: usize = 8;

/// The highest bit of each byte.
pub const HIGH_BITS: u64 = splat(0x80);

/// How many bytes stand before the first one that is looked for. `marks` marks such bytes of a word by
/// their highest bit: the lowest mark has to be right, and those above it need not be.
#[expect(
    clippy::inline_always,
    reason = "what is looked for is part of the loop, not a call in it"
)]
#[inline(always)]
pub fn len_before(bytes: &[u8], marks: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    let mut before = 0;
    for word in words {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            // Little endian: the first byte is the lowest.
            return before + marks.trailing_zeros() as usize / WORD_BYTES;
        }
        before += WORD_BYTES;
    }
    before + rest.iter().position(|byte| is_it(*byte)).unwrap_or(rest.len())
}

/// How many bytes stand before the first one that means something inside a JSON string: a quote, a
/// backslash or a control character (RFC 8259, section 7). All of them where there is none.
#[inline]
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    // Bytes from 0x80 on are parts of wider characters, never special.
    len_before(bytes, |word| escaped(word) & !word & HIGH_BITS, is_special)
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Marks quotes, backslashes and control characters by their highest bit, up to the first byte from
/// 0x80 on. The lowest mark is right; those above it may not be, because a subtraction borrows from
/// the byte above. Other bits mean nothing.
#[inline]
pub const fn escaped(word: u64) -> u64 {
    // `byte ^ 2` swaps the quote, 0x22, with the space, 0x20. So it is below 0x21 for the quote and
    // for control characters, and for nothing else.
    let quotes_and_controls = (word ^ splat(0x02)).wrapping_sub(splat(0x21));
    let backslashes = (word ^ splat(b'\\')).wrapping_sub(splat(0x01));
    quotes_and_controls | backslashes
}

/// The same byte, eight times.
pub const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD_BYTES])
}

#[cfg(test)]
#[path = "word_tests.rs"]
mod tests;
