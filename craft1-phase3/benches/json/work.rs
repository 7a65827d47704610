//! What is measured: a list of things to do, which criterion times (`json.rs`) and valgrind counts
//! (`examples/count_phase3.rs`).

#[expect(dead_code, reason = "what is read here goes nowhere")]
mod typed;

use std::hint::black_box;

use craft1_phase1::service::Delivery;
use craft1_phase3::{json, line};
use load_gen::Profile;
use load_gen::payload::Bodies;
use metrics_model::Timestamp;
use testkit::Work;

use typed::{Shape, Typed};

/// One seed, so that every run reads the same bodies.
const SEED: u64 = 1;

/// What the load generator sends by default, and what a fleet of machines sends.
const PROFILES: [Profile; 2] = [Profile::Constant, Profile::Fleet];

/// Metrics in a body: one without a list around it, and a usual batch.
const COUNTS: [usize; 2] = [1, 100];

/// All of them, group by group.
pub(crate) fn all() -> Vec<Work> {
    let bodies: Vec<_> = PROFILES
        .into_iter()
        .flat_map(|profile| COUNTS.map(|count| (profile, count, body(profile, count))))
        .collect();
    let parse = bodies.iter().flat_map(|(profile, count, body)| parse(*profile, *count, body));
    let encode = bodies.iter().flat_map(|(profile, count, body)| encode(*profile, *count, body));
    parse.chain(encode).chain(numbers()).collect()
}

fn body(profile: Profile, count: usize) -> Vec<u8> {
    let mut body = Vec::new();
    Bodies::new(profile, count, SEED).write(&mut body);
    body
}

fn group(what: &str, profile: Profile, count: usize) -> String {
    let metrics = if count == 1 { "1 metric".into() } else { format!("{count} metrics") };
    let whose = if profile == Profile::Fleet { " of a fleet" } else { "" };
    format!("{what}/{metrics}{whose}")
}

/// `serde_json Value` is phase 1's reader, which has all the checks. simd-json unescapes in place, so
/// it gets a fresh copy of the body each time, which its users pay for as well.
fn parse(profile: Profile, count: usize, body: &[u8]) -> [Work; 5] {
    let group = &group("parse", profile, count);
    let shape = if count == 1 { Shape::Alone } else { Shape::List };
    let bodies = [(); 5].map(|()| body.to_vec());
    let [by_value, by_serde, by_simd, by_sonic, by_us] = bodies;
    let (mut copy, mut buffers) = (Vec::new(), simd_json::Buffers::default());
    [
        Work::new(group, "serde_json Value", count, move || {
            drop(black_box(craft1_phase1::json::parse(black_box(&by_value)).unwrap()));
        }),
        Work::new(group, "serde_json typed", count, move || {
            drop(black_box(Typed::by_serde_json(black_box(&by_serde), shape).unwrap()));
        }),
        Work::new(group, "simd-json typed", count, move || {
            copy.clear();
            copy.extend_from_slice(black_box(&by_simd));
            drop(black_box(Typed::by_simd_json(&mut copy, shape, &mut buffers).unwrap()));
        }),
        Work::new(group, "sonic-rs typed", count, move || {
            drop(black_box(Typed::by_sonic_rs(black_box(&by_sonic), shape).unwrap()));
        }),
        Work::new(group, "ours", count, move || {
            drop(black_box(json::parse(black_box(&by_us)).unwrap()));
        }),
    ]
}

fn encode(profile: Profile, count: usize, body: &[u8]) -> [Work; 2] {
    let group = &group("encode", profile, count);
    let encoders: [(&str, line::EncodeLines); 2] =
        [("serde", craft1_phase1::line::encode), ("ours", line::encode)];
    encoders.map(|(name, encode)| Work::new(group, name, count, writing(encode, body)))
}

/// Numbers of every path, each as the value of a metric that has nothing else.
fn numbers() -> impl Iterator<Item = Work> {
    let numbers = [
        ("short decimal", "85.5"),
        ("byte count", "17179869184"),
        ("16 digits", "8123456789012345"),
        ("17 digits", "0.30000000000000004"),
        ("exponent", "6.02214076e23"),
        ("hard", "2.2250738585072011e-308"),
    ];
    numbers.into_iter().flat_map(|(kind, number)| {
        let body = format!(r#"{{"name":"m","value":{number}}}"#).into_bytes();
        let writing = writing(line::encode, &body);
        let reading = move || drop(black_box(json::parse(black_box(&body)).unwrap()));
        [
            Work::new("number", &format!("read/{kind}"), 1, reading),
            Work::new("number", &format!("write/{kind}"), 1, writing),
        ]
    })
}

fn writing(encode: line::EncodeLines, body: &[u8]) -> impl FnMut() + 'static {
    let batch = json::parse(body).expect("a good body").into_owned();
    let delivery = Delivery { batch, client: None };
    let mut lines = Vec::new();
    move || {
        lines.clear();
        encode(&mut lines, black_box(&delivery), Timestamp::MAX);
        black_box(&lines);
    }
}
