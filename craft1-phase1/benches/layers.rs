//! What each layer of phase 1 costs by itself: `cargo bench -p craft1-phase1 -- --quick`.
//!
//! A group is a layer, and an element is what it works on: a request, a metric, an answer. So the
//! times of an element can be laid on top of each other, and the tallest of them is where a request
//! spends its time. Threads, sockets and the lock under load are `cargo compare`'s question.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant, UNIX_EPOCH};

use craft1_phase1::http::{Limits, RequestReader, Status};
use craft1_phase1::service::{Delivery, Health, Service};
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::writer::Writer;
use craft1_phase1::{json, line};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metrics_model::Timestamp;
use testkit::DataFolder;

const SINGLE: &str = r#"{"name":"cpu_usage","value":85.5}"#;

/// The bodies that the layers above the protocol work on, each with its number of metrics.
fn bodies() -> [(&'static str, String, u64); 2] {
    let item = r#"{"name":"cpu_core_usage","value":42.25,"tags":{"host":"web-17","core":"3"}}"#;
    let batch = format!(r#"{{"metrics":[{}]}}"#, vec![item; 100].join(","));
    [("1 metric", SINGLE.into(), 1), ("100 metrics", batch, 100)]
}

/// What they are stored as.
fn lines(body: &str) -> Vec<u8> {
    let batch = json::parse(body.as_bytes()).expect("a batch");
    let mut lines = Vec::new();
    line::encode(&mut lines, &Delivery { batch, client: None }, Timestamp::MAX);
    lines
}

fn http_request(criterion: &mut Criterion) {
    let sized = format!("Content-Length: {}\r\n\r\n{SINGLE}", SINGLE.len());
    let mut fields = String::new();
    for number in 0..18 {
        let _ = write!(fields, "X-Field-{number}: a value as long as many\r\n");
    }
    let (first, second) = SINGLE.split_at(16);
    let chunked = format!(
        "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let mut group = criterion.benchmark_group("http request");
    group.throughput(Throughput::Elements(1));
    for (name, rest) in
        [("small POST", sized.clone()), ("20 fields", fields + &sized), ("chunked", chunked)]
    {
        let request = format!("POST /metrics HTTP/1.1\r\nHost: localhost\r\n{rest}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut reader = RequestReader::new(Limits::default());
                let status =
                    reader.read(black_box(request.as_bytes())).expect("well formed").status;
                assert!(matches!(status, Status::Complete(_)));
                status
            });
        });
    }
}

fn http_response(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http response");
    group.throughput(Throughput::Elements(1));
    group.bench_function("202", |bencher| {
        bencher.iter(|| Service::stored(black_box(1), Ok(())).encode(UNIX_EPOCH));
    });
}

fn json_parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json parse");
    for (name, body, count) in bodies() {
        group.throughput(Throughput::Elements(count));
        group.bench_function(name, |bencher| {
            bencher.iter(|| json::parse(black_box(body.as_bytes())).expect("a batch"));
        });
    }
}

fn line_encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("line encode");
    for (name, body, count) in bodies() {
        let batch = json::parse(body.as_bytes()).expect("a batch");
        let delivery = Delivery { batch, client: None };
        group.throughput(Throughput::Elements(count));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut lines = Vec::new();
                line::encode(&mut lines, black_box(&delivery), Timestamp::MAX);
                lines
            });
        });
    }
}

fn writer_append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("writer append");
    for (name, body, count) in bodies() {
        let lines = lines(&body);
        group.throughput(Throughput::Elements(count));
        group.bench_function(name, |bencher| {
            // A file of its own for each sample, so that none of them fills the disk.
            bencher.iter_custom(|iterations| {
                let folder = DataFolder::new();
                let writer =
                    Writer::open(&folder.data_file(), json::parse, |_| ()).expect("a file");
                let started = Instant::now();
                for _ in 0..iterations {
                    writer.append(black_box(&lines)).expect("room");
                }
                started.elapsed()
            });
        });
    }
}

fn telemetry(criterion: &mut Criterion) {
    let telemetry = Telemetry::default();
    let mut group = criterion.benchmark_group("telemetry");
    group.throughput(Throughput::Elements(1));
    group.bench_function("count an answer", |bencher| {
        bencher.iter(|| telemetry.answered(black_box(202), Duration::from_micros(80)));
    });
    group
        .bench_function("render", |bencher| bencher.iter(|| telemetry.render(Health::in_place(1))));
}

/// Half a minute for all of them: the differences that matter here are multiples.
fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

criterion_group! {
    name = benches;
    config = short();
    targets = http_request, http_response, json_parse, line_encode, writer_append, telemetry
}
criterion_main!(benches);
