//! What is measured: a list of things to do, which criterion times (`transcode.rs`) and valgrind counts
//! (`examples/count_final.rs`).
//!
//! Each turns a body into the lines that stand in `metrics.jsonl` afterwards, and before anything is
//! timed all of them have to write the same lines.

mod lines;
#[path = "../../../craft1-phase3/benches/json/typed.rs"]
mod typed;

use std::hint::black_box;

use craft1_final::transcode::{self, Arrival};
use craft1_phase1::service::Delivery;
use load_gen::Profile;
use load_gen::payload::Bodies;
use metrics_model::Timestamp;
use testkit::Work;

use lines::Rewrite;
use typed::Shape;

/// One seed, so that every run reads the same bodies.
const SEED: u64 = 1;

/// What the load generator sends by default, and what a fleet of machines sends.
const PROFILES: [Profile; 2] = [Profile::Constant, Profile::Fleet];

/// Metrics in a body: one without a list around it, and a usual batch.
const COUNTS: [usize; 2] = [1, 100];

/// When the bodies arrived.
const ARRIVAL: Timestamp = Timestamp::MIN;

/// All of them, group by group.
pub(crate) fn all() -> Vec<Work> {
    let kinds = PROFILES.into_iter().flat_map(|profile| COUNTS.map(|count| (profile, count)));
    kinds.flat_map(|(profile, count)| works(profile, count)).collect()
}

fn works(profile: Profile, count: usize) -> [Work; 6] {
    let metrics = if count == 1 { "1 metric".into() } else { format!("{count} metrics") };
    let whose = if profile == Profile::Fleet { " of a fleet" } else { "" };
    let group = format!("transcode/{metrics}{whose}");
    let mut body = Vec::new();
    Bodies::new(profile, count, SEED).write(&mut body);
    let mut expected = Vec::new();
    by_phase1(&body, &mut expected);
    ways(if count == 1 { Shape::Alone } else { Shape::List }).map(|(name, mut way)| {
        let (body, mut lines) = (body.clone(), Vec::new());
        way(&body, &mut lines);
        assert_eq!(String::from_utf8_lossy(&lines), String::from_utf8_lossy(&expected), "{name}");
        Work::new(&group, name, count, move || {
            lines.clear();
            way(black_box(&body), &mut lines);
            black_box(&lines);
        })
    })
}

/// Appends the lines of a body.
type Way = Box<dyn FnMut(&[u8], &mut Vec<u8>)>;

/// `serde_json Value` is what phases 1 and 2 do. The typed libraries read as in phase 3's benchmark,
/// with fewer checks than ours, and write through a derived type; simd-json unescapes in place, so it
/// gets a fresh copy of the body each time, which its users pay for as well.
fn ways(shape: Shape) -> [(&'static str, Way); 6] {
    let rewrite = Rewrite::new(shape, ARRIVAL);
    let (mut copy, mut buffers) = (Vec::new(), simd_json::Buffers::default());
    let arrival = Arrival::from(ARRIVAL);
    [
        ("serde_json Value", Box::new(by_phase1)),
        ("serde_json typed", Box::new(move |body, lines| rewrite.by_serde_json(body, lines))),
        (
            "simd-json typed",
            Box::new(move |body, lines| {
                copy.clear();
                copy.extend_from_slice(body);
                rewrite.by_simd_json(&mut copy, lines, &mut buffers);
            }),
        ),
        ("sonic-rs typed", Box::new(move |body, lines| rewrite.by_sonic_rs(body, lines))),
        ("phase 3", Box::new(by_phase3)),
        (
            "ours",
            Box::new(move |body, lines| {
                transcode::lines(body, lines, &arrival, None).expect("a good body");
            }),
        ),
    ]
}

fn by_phase1(body: &[u8], lines: &mut Vec<u8>) {
    let batch = craft1_phase1::json::parse(body).expect("a good body");
    craft1_phase1::line::encode(lines, &Delivery { batch, client: None }, ARRIVAL);
}

fn by_phase3(body: &[u8], lines: &mut Vec<u8>) {
    let batch = craft1_phase3::json::parse(body).expect("a good body");
    craft1_phase3::line::encode(lines, &Delivery { batch, client: None }, ARRIVAL);
}
