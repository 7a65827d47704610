//! What a metric costs to read and to write: through a tree, through types, and by hand.
//!
//! `cargo bench -p craft1-phase3`. What is compared with what stands in `json/work.rs`.

#[path = "json/work.rs"]
mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use testkit::Work;

fn json(criterion: &mut Criterion) {
    for works in work::all().chunk_by_mut(|one, next| one.group == next.group) {
        let mut group = criterion.benchmark_group(&works[0].group);
        group.throughput(Throughput::Elements(works[0].count as u64));
        for Work { name, act, .. } in works {
            group.bench_function(name.as_str(), |bencher| bencher.iter(&mut *act));
        }
    }
}

criterion_group!(benches, json);
criterion_main!(benches);
