//! The phases side by side, layer by layer: `cargo bench -p benches`.
//!
//! Each group is one question that every phase answers in its own way, so criterion's report
//! compares them in one chart. A phase appears in a group from the moment it has a layer of its own
//! there:
//!
//! | group | question |
//! |---|---|
//! | `parse` | a body to metrics |
//! | `encode` | metrics to stored lines |
//! | `dispatch` | a connection to the thread that serves it, and back |
//! | `limiter` | has this client had enough? |
//! | `hand-off` | a metric to where it is kept |
//! | `end to end` | one request over loopback, a connection each |
//!
//! How they behave under load is `cargo compare`'s question.

use std::hint::black_box;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use benches::build::executable;
use benches::subject::{PHASES, Program};
use craft1_phase1::service::{Delivery, ParseBody};
use craft1_phase1::writer::Writer;
use craft1_phase2::pool::Pool;
use craft1_phase2::rate_limit::{Algorithm, Limiter};
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use metrics_model::Timestamp;
use testkit::{DataFolder, post_json};

#[path = "../../phase0/src/main.rs"]
#[expect(dead_code, reason = "phase 0 is a program; the benchmark calls its parts")]
mod phase0;

const SINGLE: &str = r#"{"name":"cpu_usage","value":85.5}"#;

/// The bodies that every phase is asked to read, and how many metrics each holds.
fn bodies() -> [(String, u64); 2] {
    let item = r#"{"name":"cpu_core_usage","value":42.25,"tags":{"host":"web-17","core":"3"}}"#;
    let hundred = format!(r#"{{"metrics":[{}]}}"#, vec![item; 100].join(","));
    [(SINGLE.to_owned(), 1), (hundred, 100)]
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn parse(criterion: &mut Criterion) {
    for (body, count) in bodies() {
        let mut group = criterion.benchmark_group(format!("parse/{count}"));
        group.throughput(Throughput::Elements(count));
        group.bench_function("phase0", |bencher| {
            bencher.iter(|| phase0::parse_batch(black_box(body.as_bytes())).unwrap());
        });
        parse_with(&mut group, "craft1-phase1", craft1_phase1::json::parse, &body);
        parse_with(&mut group, "craft1-phase3", craft1_phase3::json::parse, &body);
    }
}

fn parse_with(group: &mut Group<'_>, phase: &str, parse: ParseBody, body: &str) {
    group.bench_function(phase, |bencher| {
        bencher.iter(|| parse(black_box(body.as_bytes())).unwrap().len());
    });
}

fn encode(criterion: &mut Criterion) {
    for (body, count) in bodies() {
        let batch = craft1_phase1::json::parse(body.as_bytes()).unwrap();
        let delivery = Delivery { batch, client: None };
        let mut group = criterion.benchmark_group(format!("encode/{count}"));
        group.throughput(Throughput::Elements(count));
        let phases = [
            ("craft1-phase1", craft1_phase1::line::encode as craft1_phase1::line::EncodeLines),
            ("craft1-phase3", craft1_phase3::line::encode),
        ];
        for (phase, encode) in phases {
            let mut lines = Vec::new();
            group.bench_function(phase, |bencher| {
                bencher.iter(|| {
                    lines.clear();
                    encode(&mut lines, black_box(&delivery), Timestamp::MIN);
                    lines.len()
                });
            });
        }
    }
}

fn dispatch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatch");
    let (reply, replies) = sync_channel(1);
    let serve = |reply: SyncSender<()>| reply.send(()).unwrap();
    group.bench_function("craft1-phase1", |bencher| {
        bencher.iter(|| {
            let reply = reply.clone();
            thread::spawn(move || serve(reply)).join().unwrap();
            replies.recv().unwrap();
        });
    });
    let pool = Pool::new(4, 64);
    let measure = || {
        group.bench_function("craft1-phase2", |bencher| {
            bencher.iter(|| {
                pool.try_submit(reply.clone()).unwrap();
                replies.recv().unwrap();
            });
        });
    };
    pool.run(serve, measure).unwrap();
}

fn limiter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limiter");
    let limit = "1000/1s".parse().unwrap();
    for (name, algorithm) in [("log", Algorithm::Log), ("counter", Algorithm::Counter)] {
        let limiter = Limiter::new(algorithm, limit);
        group.bench_function(format!("craft1-phase2 {name}"), |bencher| {
            bencher.iter(|| limiter.check(limiter.key(black_box(b"web-17")), Instant::now()));
        });
    }
}

fn hand_off(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand-off");
    let (queue, metrics) =
        (phase0::Queue::default(), phase0::parse_batch(SINGLE.as_bytes()).unwrap());
    group.bench_function("phase0", |bencher| {
        bencher.iter_batched(
            || metrics.clone(),
            |metrics| {
                queue.push_all(metrics).unwrap();
                queue.pop()
            },
            BatchSize::SmallInput,
        );
    });
    let folder = DataFolder::new();
    let writer = Writer::open(&folder.data_file(), craft1_phase1::json::parse, drop).unwrap();
    let line =
        b"{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":85.5}\n";
    group.bench_function("craft1-phase1", |bencher| {
        bencher.iter(|| writer.append(black_box(line)).unwrap());
    });
}

/// Every phase in the table of subjects, so that a new one joins by its row there.
fn end_to_end(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("end to end");
    for phase in &PHASES {
        let Program::Workspace { options, .. } = phase.program else { continue };
        let program = executable(phase).expect("a phase that builds");
        let folder = DataFolder::new();
        let server = folder.start(&program.to_string_lossy(), options);
        group.bench_function(phase.id, |bencher| {
            bencher
                .iter(|| assert_eq!(post_json(server.address(), "/metrics", SINGLE).status, 202));
        });
        server.stop().assert_success();
    }
}

criterion_group!(benches, parse, encode, dispatch, limiter, hand_off, end_to_end);
criterion_main!(benches);
