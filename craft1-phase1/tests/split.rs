//! How a request is cut into pieces does not change what it means: mutants of good and hostile
//! requests, in one piece, in random pieces and byte by byte, and well-formed requests of every
//! shape read back to what went in.
//!
//! A failure names its seed and number. The coverage-guided counterpart is `fuzz/` at the root of
//! the repository.

use std::collections::BTreeSet;

use craft1_phase1::http::{Refusal, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use testkit::Mutator;

#[path = "split/corpus.rs"]
mod corpus;
#[path = "split/sent.rs"]
mod sent;
#[path = "split/verdict.rs"]
mod verdict;

use corpus::{DICTIONARY, corpus};
use sent::sent;
use verdict::verdict;

/// Checks so many mutants, and returns what was met on the way.
fn check(seed: u64, count: usize) -> BTreeSet<String> {
    let (corpus, mut mutator) = (corpus(), Mutator::new(seed, DICTIONARY));
    let mut met = BTreeSet::new();
    for number in 0..count {
        let mutant = mutator.mutant(&corpus);
        let pieces = mutator.pieces(&mutant);
        let whole = verdict([mutant.as_slice()]);
        for (name, split) in [("pieces", &pieces), ("single bytes", &mutant.chunks(1).collect())] {
            let verdict = verdict(split.iter().copied());
            assert!(
                verdict == whole,
                "seed {seed}, mutant {number}, \"{}\"\n  in one piece: {whole:?}\n  in {} {name}: \
                 {verdict:?}\n  pieces: {:?}",
                mutant.escape_ascii(),
                split.len(),
                pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>(),
            );
        }
        met.insert(match whole {
            Ok(progress) => match progress.status {
                Status::NeedMore => "NeedMore".into(),
                Status::Complete(request) => format!("{:?}", request.head.version),
            },
            Err(refusal) => format!("{refusal:?}"),
        });
    }
    met
}

/// How many rules there are to break. A new one needs a request in the corpus.
const REFUSALS: usize = Refusal::ChunkEnd as usize + 1;

#[test]
fn every_refusal_has_a_request_that_meets_it() {
    let met: BTreeSet<String> = corpus()
        .iter()
        .filter_map(|bytes| verdict([bytes.as_slice()]).err())
        .map(|refusal| format!("{refusal:?}"))
        .collect();
    assert_eq!(met.len(), REFUSALS, "{met:?}");
}

#[test]
fn mutants_mean_the_same_in_one_piece_in_pieces_and_byte_by_byte() {
    let met = check(1, 20_000);
    // The two versions, "need more", and every refusal: the run is about all of the grammar.
    assert_eq!(met.len(), 3 + REFUSALS, "{met:?}");
}

#[test]
#[ignore = "a minute; runs in the slow lane"]
fn a_million_mutants_mean_the_same_however_they_are_cut() {
    check(2, 1_000_000);
}

/// Cuts `bytes` at these places, some of which may be the same.
fn cut<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    // A failing case is printed in full, so no file of past seeds is kept.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_well_formed_request_is_read_back_to_what_went_in(
        sent in sent(),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let bytes = sent.bytes();
        // What comes behind is left where it is.
        let stream = [bytes.as_slice(), b"GET"].concat();
        let progress = verdict(cut(&stream, &cuts)).expect("it is well formed");
        prop_assert_eq!(progress.consumed, bytes.len());
        let Status::Complete(request) = progress.status else { panic!("it is complete") };
        prop_assert_eq!(request.head.method, sent.method);
        prop_assert_eq!(request.head.path, sent.path);
        prop_assert_eq!(request.head.version, sent.version);
        prop_assert_eq!(request.head.fields.iter().cloned().collect::<Vec<_>>(), sent.fields);
        prop_assert_eq!(request.head.framing, sent.body.framing());
        prop_assert_eq!(request.body, sent.body.content());
    }
}
