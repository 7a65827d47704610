//! What a metric costs from the body to the stored line: through types and back, and straight.
//!
//! `cargo bench -p craft1-final --bench transcode`. What is compared with what stands in
//! `transcode/work.rs`.

#[path = "transcode/work.rs"]
mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use testkit::Work;

fn transcode(criterion: &mut Criterion) {
    for works in work::all().chunk_by_mut(|one, next| one.group == next.group) {
        let mut group = criterion.benchmark_group(&works[0].group);
        group.throughput(Throughput::Elements(works[0].count as u64));
        for Work { name, act, .. } in works {
            group.bench_function(name.as_str(), |bencher| bencher.iter(&mut *act));
        }
    }
}

criterion_group!(benches, transcode);
criterion_main!(benches);
