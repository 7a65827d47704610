//! Phase 3 takes and refuses what phase 1 does, as the same metrics, and refuses what `serde_json`
//! refuses. The verdict is the one of `differential.rs`, which tries documents and mutants without a
//! fuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../craft1-phase3/tests/differential/verdict.rs"]
mod verdict;

fuzz_target!(|body: &[u8]| {
    verdict::is_taken(body);
});
