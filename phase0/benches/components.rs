//! What each component of phase 0 costs: parse, queue, query, and one request over loopback.
//!
//! `cargo bench -p phase0`. The query over a million lines is what the chapter calls the third
//! bottleneck: its time grows with the file, whatever it looks for.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::{fs, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use testkit::{DataFolder, post_json};

#[path = "../src/main.rs"]
#[expect(dead_code, reason = "phase 0 is a program; the benchmark calls its parts")]
mod phase0;

use phase0::{Query, Queue, parse_batch};

const SINGLE: &str = r#"{"name":"cpu_usage","value":85.5}"#;

fn batch_of(count: usize) -> String {
    let item = r#"{"name":"cpu_core_usage","value":42.25,"tags":{"host":"web-17","core":"3"}}"#;
    format!(r#"{{"metrics":[{}]}}"#, vec![item; count].join(","))
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, body, count) in
        [("one metric", SINGLE.to_string(), 1), ("100 metrics", batch_of(100), 100)]
    {
        group.throughput(Throughput::Elements(count));
        group.bench_function(name, |bencher| {
            bencher.iter(|| parse_batch(black_box(body.as_bytes())).unwrap());
        });
    }
}

fn queue(criterion: &mut Criterion) {
    let metrics = parse_batch(SINGLE.as_bytes()).unwrap();
    let queue = Queue::default();
    criterion.bench_function("queue/push and pop", |bencher| {
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

fn query(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("query");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for line_count in [10_000, 1_000_000] {
        let path = folder.path().join(format!("{line_count}.jsonl"));
        write_lines(&path, line_count);
        let query = Query::parse("name=metric_7&agg=avg").unwrap();
        group.throughput(Throughput::Elements(line_count));
        group.bench_function(format!("{line_count} lines"), |bencher| {
            bencher.iter(|| query.run(black_box(&path)).unwrap());
        });
    }
}

fn write_lines(path: &Path, count: u64) {
    let mut text = String::new();
    for index in 0..count {
        let (name, second) = (index % 20, index % 60);
        writeln!(
            text,
            r#"{{"timestamp":"2025-09-17T13:45:{second:02}.123Z","name":"metric_{name}","value":{index}.5}}"#
        )
        .unwrap();
    }
    fs::write(path, text).unwrap();
}

fn request(criterion: &mut Criterion) {
    let folder = DataFolder::new();
    let options = ["--no-self-monitor", "--check-interval", "1h"];
    let server = folder.start(env!("CARGO_BIN_EXE_phase0"), &options);
    criterion.bench_function("request/one over loopback", |bencher| {
        bencher.iter(|| assert_eq!(post_json(server.address(), "/metrics", SINGLE).status, 202));
    });
    server.stop().assert_success();
}

criterion_group!(benches, parse, queue, query, request);
criterion_main!(benches);
