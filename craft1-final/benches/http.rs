//! What a request costs to read and an answer to write: into values of their own, and in place.
//!
//! `cargo bench -p craft1-final --bench http`. What is compared with what stands in `http/work.rs`.

#[path = "http/work.rs"]
mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use testkit::Work;

fn http(criterion: &mut Criterion) {
    for works in work::all().chunk_by_mut(|one, next| one.group == next.group) {
        let mut group = criterion.benchmark_group(&works[0].group);
        group.throughput(Throughput::Elements(works[0].count as u64));
        for Work { name, act, .. } in works {
            group.bench_function(name.as_str(), |bencher| bencher.iter(&mut *act));
        }
    }
}

criterion_group!(benches, http);
criterion_main!(benches);
