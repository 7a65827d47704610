//! The reader in place says what phase 1's reader says, however the bytes are cut, also when they come
//! again and their heads are known. The verdict is the one of `differential_http.rs`, which finds
//! mutants without a fuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../craft1-final/tests/differential_http/verdict.rs"]
mod verdict;
use verdict::said;

fuzz_target!(|bytes: &[u8]| {
    said([bytes]);
    said(bytes.chunks(1));
    said([bytes, bytes]);
    // The bytes decide themselves where they are cut, so that the fuzzer can learn it.
    let piece_len = bytes.first().map_or(1, |first| usize::from(*first) + 1);
    said(bytes.chunks(piece_len));
});
