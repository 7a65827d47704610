//! The word beside the byte: every byte, at every place.

use super::*;

#[test]
fn every_byte_is_judged_alone_wherever_it_stands() {
    for len in 0..20 {
        for at in 0..len {
            for byte in 0..=u8::MAX {
                let mut bytes = vec![b'x'; len];
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
            let bytes = [b'x', first, second, b'x', b'x', b'x', b'x', b'x', b'"'];
            let expected = bytes.iter().position(|byte| is_special(*byte)).unwrap();
            assert_eq!(plain_len(&bytes), expected, "{first:#x} {second:#x}");
        }
    }
}
