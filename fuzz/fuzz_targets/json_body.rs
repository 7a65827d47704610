//! No body makes the JSON layer of phase 1 panic, and the byte that it blames lies in the body or
//! right behind it.
#![no_main]

use craft1_phase1::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Err(refusal) = json::parse(body) {
        assert!(refusal.offset.is_none_or(|offset| offset <= body.len()), "{refusal:?}");
    }
});
