//! What the load generator sends is what the phases take: a failed request of a comparison is the
//! server's doing, never the body's.

use load_gen::payload::{Bodies, Profile};

/// Enough for every corner of a profile to come up many times.
const BODIES: usize = 2_000;

#[test]
fn every_json_layer_takes_every_body_and_reads_the_same() {
    for profile in [Profile::Constant, Profile::Fleet, Profile::Adversarial] {
        for batch in [1, 7] {
            let mut bodies = Bodies::new(profile, batch, 1);
            for index in 0..BODIES / batch {
                let mut body = Vec::new();
                bodies.write(&mut body);
                let told = || format!("{profile} {index}: {}", String::from_utf8_lossy(&body));
                let tree =
                    craft1_phase1::json::parse(&body).unwrap_or_else(|_| panic!("{}", told()));
                let own =
                    craft1_phase3::json::parse(&body).unwrap_or_else(|_| panic!("{}", told()));
                assert_eq!(tree, own, "{}", told());
                assert_eq!(own.len(), batch);
            }
        }
    }
}
