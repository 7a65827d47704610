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
//! | `transcode` | a body to stored lines |
//! | `dispatch` | a connection to the thread or task that serves it, and back |
//! | `limiter` | has this client had enough? |
//! | `hand-off` | a metric to where it is kept, or to who will keep it |
//! | `end to end` | one request over loopback, a connection each |
//! | `end to end, kept` | one request over a connection that stays |
//!
//! How they behave under load is `cargo compare`'s question.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use benches::build::executable;
use benches::subject::{PHASES, Program, Subject};
use craft1_final::transcode::{self, Arrival};
use craft1_final::writer::{self as rings, disk::Disk};
use craft1_phase1::service::{Delivery, ParseBody};
use craft1_phase1::writer::Writer;
use craft1_phase2::pool::Pool;
use craft1_phase2::rate_limit::{Algorithm, Limiter};
use craft1_phase4::ack::Ack;
use craft1_phase4::server::Threads;
use craft1_phase4::writer as queue;
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use metrics_model::Timestamp;
use testkit::{Client, DataFolder, Server, post_json};

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

fn transcode(criterion: &mut Criterion) {
    for (body, count) in bodies() {
        let mut group = criterion.benchmark_group(format!("transcode/{count}"));
        group.throughput(Throughput::Elements(count));
        let mut enter = |phase: &str, act: &dyn Fn(&[u8], &mut Vec<u8>)| {
            let mut lines = Vec::new();
            group.bench_function(phase, |bencher| {
                bencher.iter(|| {
                    lines.clear();
                    act(black_box(body.as_bytes()), &mut lines);
                    lines.len()
                });
            });
        };
        enter("craft1-phase1", &|body, lines| {
            let batch = craft1_phase1::json::parse(body).unwrap();
            let delivery = Delivery { batch, client: None };
            craft1_phase1::line::encode(lines, &delivery, Timestamp::MIN);
        });
        enter("craft1-phase3", &|body, lines| {
            let batch = craft1_phase3::json::parse(body).unwrap();
            let delivery = Delivery { batch, client: None };
            craft1_phase3::line::encode(lines, &delivery, Timestamp::MIN);
        });
        let arrival = Arrival::from(Timestamp::MIN);
        enter("craft1-final", &|body, lines| {
            transcode::lines(body, lines, &arrival, None).unwrap();
        });
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
    let threads = Threads::start(NonZeroUsize::MIN).unwrap();
    group.bench_function("craft1-phase4", |bencher| {
        bencher.iter(|| {
            let reply = reply.clone();
            threads.block_on(async { tokio::spawn(async move { serve(reply) }).await }).unwrap();
            replies.recv().unwrap();
        });
    });
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
    let algorithm = craft1_final::rate_limit::Algorithm::Counter;
    let limiter = craft1_final::rate_limit::Limiter::new(algorithm, limit);
    group.bench_function("craft1-final counter", |bencher| {
        bencher.iter(|| limiter.check(limiter.key(black_box(b"web-17")), Instant::now()));
    });
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
    group.bench_function("craft1-phase1", |bencher| {
        bencher.iter(|| writer.append(black_box(LINE)).unwrap());
    });
    let writer = queue::Writer::start(Nowhere, 0, queue::Options::new(Ack::Accepted)).unwrap();
    group.bench_function("craft1-phase4", |bencher| {
        bencher.iter(|| {
            while at_once(writer.append(black_box(LINE).to_vec(), 1)).is_err() {
                thread::yield_now();
            }
        });
    });
    let folder = DataFolder::new();
    let options = rings::Options { segment_bytes: u64::MAX, ..rings::Options::default() };
    let (file, parse) = (folder.data_file(), craft1_phase3::json::parse);
    let wakers: Vec<rings::Waker> = vec![Box::new(|| ())];
    let (writer, mut outboxes) =
        rings::Writer::start_on(bottomless(), &file, parse, options, wakers).unwrap();
    group.bench_function("craft1-final", |bencher| {
        bencher.iter(|| turn(&mut outboxes[0]));
    });
    drop(outboxes);
    writer.finish().unwrap();
}

const LINE: &[u8] =
    b"{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":85.5}\n";

/// A disk that takes everything and keeps nothing: who hands over faster than a disk writes would fill
/// a real one, and show how fast that is.
struct Nowhere;

impl queue::Storage for Nowhere {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn renew(&mut self) -> io::Result<u64> {
        Ok(0)
    }
}

/// The same for the final phase.
fn bottomless() -> Disk {
    let write = Box::new(|_: &File, buffers: &[IoSlice<'_>]| {
        Ok(buffers.iter().map(|buffer| black_box(buffer).len()).sum())
    });
    Disk { write, ..Disk::default() }
}

/// What a future gives that does not wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("at `accepted` nobody waits"),
    }
}

/// A turn of a loop that one request came in.
fn turn(outbox: &mut rings::Outbox) {
    let now = Instant::now();
    while !outbox.has_room() {
        thread::yield_now();
        outbox.flush(now);
    }
    outbox.lines().extend_from_slice(black_box(LINE));
    outbox.take(1);
    outbox.flush(now);
}

/// Every phase in the table of subjects, so that a new one joins by its row there.
fn end_to_end(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("end to end");
    for phase in &PHASES {
        let (_folder, server) = start(phase);
        group.bench_function(phase.id, |bencher| {
            bencher
                .iter(|| assert_eq!(post_json(server.address(), "/metrics", SINGLE).status, 202));
        });
        server.stop().assert_success();
    }
    group.finish();
    let mut group = criterion.benchmark_group("end to end, kept");
    let length = SINGLE.len();
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{SINGLE}"
    );
    for phase in PHASES.iter().filter(|phase| phase.abilities.keep_alive) {
        let (_folder, server) = start(phase);
        let mut client = Client::connect(server.address()).unwrap();
        group.bench_function(phase.id, |bencher| {
            bencher.iter(|| {
                client.send(request.as_bytes()).unwrap();
                assert_eq!(client.read_response().unwrap().status, 202);
            });
        });
        drop(client);
        server.stop().assert_success();
    }
}

fn start(phase: &Subject) -> (DataFolder, Server) {
    let Program::Workspace { options, .. } = phase.program else { panic!("a phase is ours") };
    let program = executable(phase).expect("a phase that builds");
    let folder = DataFolder::new();
    let server = folder.start(&program.to_string_lossy(), options);
    (folder, server)
}

criterion_group!(benches, parse, encode, transcode, dispatch, limiter, hand_off, end_to_end);
criterion_main!(benches);
