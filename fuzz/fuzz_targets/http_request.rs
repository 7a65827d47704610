//! How a request is cut into pieces does not change what it means, and no bytes make the reader
//! panic. The verdict is the one of `split.rs`, which finds mutants without a fuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../craft1-phase1/tests/split/verdict.rs"]
mod verdict;
use verdict::verdict;

fuzz_target!(|bytes: &[u8]| {
    let whole = verdict([bytes]);
    assert_eq!(verdict(bytes.chunks(1)), whole, "byte by byte");
    assert_eq!(verdict(pieces(bytes)), whole, "in pieces");
});

/// The bytes decide themselves where they are cut, so that the fuzzer can learn it.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let [first, ..] = bytes {
        let piece_len = usize::from(first % 16) + 1;
        let (piece, rest) = bytes.split_at(piece_len.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
