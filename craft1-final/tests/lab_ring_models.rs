//! Lab tests, slow lane: the models of the rings and of the limiter hold, and each of them can fail.
//!
//! `cargo test -p craft1-final --test lab_ring_models -- --ignored`. Loom replaces what they use
//! of the standard library under `--cfg loom`, which would change a dozen dependencies of the server
//! as well. So they are copied into a crate of their own, which has nothing else.
//!
//! A model that has never failed proves little. So `planted.rs` lists the mistakes that this kind of
//! code is known for. Each one is made in the copy, where the named model must find it.

#[path = "lab_ring_models/copy.rs"]
mod copy;
#[path = "lab_ring_models/planted.rs"]
mod planted;

use copy::Rings;
use planted::{Found, PLANTED};

#[test]
#[ignore = "slow: compiles loom and runs each model in thousands of orders"]
fn every_model_holds() {
    let rings = Rings::as_they_are("rings");
    rings.assert_models_pass();
    rings.assert_doctests_pass();
}

#[test]
#[ignore = "slow: compiles the models again for each mistake"]
fn every_planted_mistake_is_found() {
    let rings = Rings::as_they_are("rings-with-mistakes");
    let not_found = PLANTED.iter().filter(|mistake| {
        rings.plant(mistake.edits);
        let is_found = match mistake.found_by {
            Found::Model(name, symptom) => rings.model_fails(name, symptom),
            Found::Doctest(name) => rings.doctest_fails(name),
        };
        rings.restore();
        println!("{}: {:?}: {is_found}", mistake.name, mistake.found_by);
        !is_found
    });
    let names: Vec<&str> = not_found.map(|mistake| mistake.name).collect();
    assert_eq!(names, [""; 0], "not found");
}

/// So that a change to the rings is noticed here at once and not in the slow lane.
#[test]
fn every_planted_mistake_can_be_made() {
    for mistake in PLANTED {
        for edit in mistake.edits {
            let edited = copy::edited(&copy::source(), edit);
            assert!(edited.is_ok(), "{}: {edited:?}", mistake.name);
        }
    }
}
