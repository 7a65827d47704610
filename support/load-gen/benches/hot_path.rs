//! What the generator itself does for each request, without a socket: read a response, and find the
//! time at which the next request is due.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use load_gen::{
    Arrivals,
    response::{Read, ResponseReader},
    schedule::{Lane, Schedule},
};

const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n\
    Content-Length: 34\r\n\r\n{\"status\":\"accepted\",\"accepted\":1}";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    22\r\n{\"status\":\"accepted\",\"accepted\":1}\r\n0\r\n\r\n";

/// Reads all responses of a stream.
fn read_all(reader: &mut ResponseReader, mut stream: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(Read::Done(_, used)) = reader.read(stream) {
        stream = &stream[used..];
        count += 1;
    }
    count
}

fn responses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("response");
    let mut reader = ResponseReader::default();
    for (name, response) in [("with a length", ACCEPTED), ("chunked", CHUNKED)] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(read_all(&mut reader, black_box(response)), 1));
        });
    }
    let pipelined = ACCEPTED.repeat(64);
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 pipelined", |bencher| {
        bencher.iter(|| assert_eq!(read_all(&mut reader, black_box(&pipelined)), 64));
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("in two pieces", |bencher| {
        let (first, second) = ACCEPTED.split_at(30);
        bencher.iter(|| {
            assert_eq!(read_all(&mut reader, black_box(first)), 0);
            assert_eq!(read_all(&mut reader, black_box(second)), 1);
        });
    });
    group.finish();
}

fn schedules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(1));
    let lane = Lane { index: 0, count: 1 };
    for (name, arrivals) in [("constant", Arrivals::Constant), ("poisson", Arrivals::Poisson)] {
        let mut schedule = Schedule::new(10_000.0, arrivals, Duration::ZERO, 1, lane);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(schedule.next())));
    }
    group.finish();
}

criterion_group!(hot_path, responses, schedules);
criterion_main!(hot_path);
