//! The phases side by side, layer by layer: `cargo bench -p benches`.
//!
//! Each group is one question that every phase answers in its own way, so criterion's report
//! compares them in one chart. A phase appears in a group from the moment it has that layer:
//! `parse` (a body to metrics), `hand-off` (a metric to the writer's side), `end to end` (one request
//! over loopback, a connection each). How they behave under load is `cargo compare`'s question.

use std::hint::black_box;

use benches::build::executable;
use benches::subject::{PHASES, Program};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use testkit::{DataFolder, post_json};

#[path = "../../phase0/src/main.rs"]
#[expect(dead_code, reason = "phase 0 is a program; the benchmark calls its parts")]
mod phase0;

const SINGLE: &str = r#"{"name":"cpu_usage","value":85.5}"#;

fn batch_of_100() -> String {
    let item = r#"{"name":"cpu_core_usage","value":42.25,"tags":{"host":"web-17","core":"3"}}"#;
    format!(r#"{{"metrics":[{}]}}"#, vec![item; 100].join(","))
}

fn parse(criterion: &mut Criterion) {
    for (group, body, count) in [("parse/1", SINGLE.into(), 1), ("parse/100", batch_of_100(), 100)]
    {
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(count));
        group.bench_function("phase0", |bencher| {
            bencher.iter(|| phase0::parse_batch(black_box(body.as_bytes())).unwrap());
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

criterion_group!(benches, parse, hand_off, end_to_end);
criterion_main!(benches);
