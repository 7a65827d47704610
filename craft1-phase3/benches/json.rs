//! What a metric costs to read and to write: through a tree, through types, and by hand.
//!
//! `cargo bench -p craft1-phase3`. The rivals read into types that are made for one body shape, and
//! they leave out what ours does besides: the rules of names, tags and types, repeated tags, limits,
//! timestamps as text, and the byte of an error. `serde_json Value` is phase 1's reader, which does
//! all of that. simd-json unescapes in place, so it is given a fresh copy of the body, which its
//! users pay for as well.

use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;

use craft1_phase1::service::Delivery;
use craft1_phase3::{json, line};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use load_gen::Profile;
use load_gen::payload::Bodies;
use metrics_model::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// One seed, so that every run reads the same bodies.
const SEED: u64 = 1;

/// What the load generator sends by default, and what a fleet of machines sends.
const PROFILES: [Profile; 2] = [Profile::Constant, Profile::Fleet];

/// A list, as typed libraries read it.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "what is read here goes nowhere")]
struct TypedList<'a> {
    #[serde(borrow)]
    metrics: Vec<TypedMetric<'a>>,
}

/// A metric, as typed libraries read it.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "what is read here goes nowhere")]
struct TypedMetric<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    value: f64,
    timestamp: Option<i64>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    tags: TypedTags<'a>,
}

/// Text, lent where it can be. serde copies a `Cow` inside of an `Option`, but not inside of this.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "what is read here goes nowhere")]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Pairs in a vector, as our own tags have them: a map would be slower.
#[derive(Default)]
struct TypedTags<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for TypedTags<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TypedTags::default())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for TypedTags<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut pairs: A) -> Result<Self, A::Error> {
        while let Some(pair) = pairs.next_entry()? {
            self.0.push(pair);
        }
        Ok(self)
    }
}

/// What a body is. Our readers find out; the typed ones are told.
#[derive(Clone, Copy)]
enum Shape {
    Alone,
    List,
}

/// What a typed library makes of a body.
#[expect(dead_code, reason = "what is read here goes nowhere")]
enum Typed<'a> {
    Alone(TypedMetric<'a>),
    List(TypedList<'a>),
}

impl<'a> Typed<'a> {
    fn by_serde_json(body: &'a [u8], shape: Shape) -> serde_json::Result<Self> {
        match shape {
            Shape::Alone => serde_json::from_slice(body).map(Self::Alone),
            Shape::List => serde_json::from_slice(body).map(Self::List),
        }
    }

    fn by_sonic_rs(body: &'a [u8], shape: Shape) -> sonic_rs::Result<Self> {
        match shape {
            Shape::Alone => sonic_rs::from_slice(body).map(Self::Alone),
            Shape::List => sonic_rs::from_slice(body).map(Self::List),
        }
    }

    fn by_simd_json(
        body: &'a mut [u8],
        shape: Shape,
        buffers: &mut simd_json::Buffers,
    ) -> simd_json::Result<Self> {
        use simd_json::serde::from_slice_with_buffers;
        match shape {
            Shape::Alone => from_slice_with_buffers(body, buffers).map(Self::Alone),
            Shape::List => from_slice_with_buffers(body, buffers).map(Self::List),
        }
    }
}

fn parse(criterion: &mut Criterion) {
    for (profile, count) in bodies() {
        let body = body(profile, count);
        let shape = if count == 1 { Shape::Alone } else { Shape::List };
        let mut group = group(criterion, "parse", profile, count);
        group.bench_function("serde_json Value", |bencher| {
            bencher.iter(|| craft1_phase1::json::parse(black_box(&body)).unwrap());
        });
        group.bench_function("serde_json typed", |bencher| {
            bencher.iter(|| Typed::by_serde_json(black_box(&body), shape).unwrap());
        });
        group.bench_function("simd-json typed", |bencher| {
            let (mut copy, mut buffers) = (Vec::new(), simd_json::Buffers::default());
            bencher.iter(|| {
                copy.clear();
                copy.extend_from_slice(black_box(&body));
                drop(black_box(Typed::by_simd_json(&mut copy, shape, &mut buffers).unwrap()));
            });
        });
        group.bench_function("sonic-rs typed", |bencher| {
            bencher.iter(|| Typed::by_sonic_rs(black_box(&body), shape).unwrap());
        });
        group.bench_function("ours", |bencher| {
            bencher.iter(|| json::parse(black_box(&body)).unwrap());
        });
    }
}

fn encode(criterion: &mut Criterion) {
    for (profile, count) in bodies() {
        let body = body(profile, count);
        let batch = json::parse(&body).expect("the generator keeps the contract");
        let delivery = Delivery { batch, client: None };
        let encoders: [(&str, line::EncodeLines); 2] =
            [("serde", craft1_phase1::line::encode), ("ours", line::encode)];
        let mut group = group(criterion, "encode", profile, count);
        for (name, encode) in encoders {
            group.bench_function(name, |bencher| {
                let mut lines = Vec::new();
                bencher.iter(|| {
                    lines.clear();
                    encode(&mut lines, black_box(&delivery), Timestamp::MAX);
                });
            });
        }
    }
}

/// Numbers of every path, each as the value of a metric that has nothing else.
fn number(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("number");
    for (kind, number) in [
        ("short decimal", "85.5"),
        ("byte count", "17179869184"),
        ("16 digits", "8123456789012345"),
        ("17 digits", "0.30000000000000004"),
        ("exponent", "6.02214076e23"),
        ("hard", "2.2250738585072011e-308"),
    ] {
        let body = format!(r#"{{"name":"m","value":{number}}}"#);
        group.bench_function(BenchmarkId::new("read", kind), |bencher| {
            bencher.iter(|| json::parse(black_box(body.as_bytes())).unwrap());
        });
        let batch = json::parse(body.as_bytes()).expect("a metric");
        let delivery = Delivery { batch, client: None };
        let mut lines = Vec::new();
        group.bench_function(BenchmarkId::new("write", kind), |bencher| {
            bencher.iter(|| {
                lines.clear();
                line::encode(&mut lines, black_box(&delivery), Timestamp::MAX);
            });
        });
    }
}

fn bodies() -> impl Iterator<Item = (Profile, usize)> {
    PROFILES.into_iter().flat_map(|profile| [(profile, 1), (profile, 100)])
}

fn body(profile: Profile, count: usize) -> Vec<u8> {
    let mut body = Vec::new();
    Bodies::new(profile, count, SEED).write(&mut body);
    body
}

fn group<'c>(
    criterion: &'c mut Criterion,
    what: &str,
    profile: Profile,
    count: usize,
) -> BenchmarkGroup<'c, WallTime> {
    let metrics = if count == 1 { "1 metric".into() } else { format!("{count} metrics") };
    let whose = if profile == Profile::Fleet { " of a fleet" } else { "" };
    let mut group = criterion.benchmark_group(format!("{what}/{metrics}{whose}"));
    group.throughput(Throughput::Elements(count as u64));
    group
}

criterion_group!(benches, parse, encode, number);
criterion_main!(benches);
