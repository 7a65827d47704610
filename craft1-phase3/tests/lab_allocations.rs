//! Lab test: what is allocated for a body, counted.
//!
//! What always holds: a batch is one allocation, however many metrics it has, and a metric adds one
//! for its tags where it has any. Text adds none unless an escape forces a copy.
//!
//! The counting allocator is the whole program's. So all of it is one test, and each count is the
//! least of a few: what the test harness allocates meanwhile can only add to it.

use craft1_phase1::service::Delivery;
use craft1_phase3::{json, line};
use metrics_model::Timestamp;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How often each count is taken.
const TRIES: usize = 10;

/// How many blocks `work` takes from the heap.
fn blocks<T>(mut work: impl FnMut() -> T) -> u64 {
    let count = |_| {
        let before = dhat::HeapStats::get().total_blocks;
        let result = work();
        let taken = dhat::HeapStats::get().total_blocks - before;
        drop(result);
        taken
    };
    (0..TRIES).map(count).min().expect("one try or more")
}

fn list(metric: &str, count: usize) -> String {
    format!(r#"{{"metrics":[{}]}}"#, vec![metric; count].join(","))
}

#[test]
fn a_batch_is_one_allocation_and_tags_are_one_more_each() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let plain = r#"{"name":"cpu_usage","value":85.5}"#;
    let tagged = r#"{"name":"cpu_usage","value":85.5,"type":"counter","timestamp":1758116723123,
        "tags":{"host":"web-1","region":"eu-central-1","role":"web"}}"#;
    let unknown =
        r#"{"name":"m","extra":{"a":[1,{"b":[null,true,"\u00e9\n"]}],"c":2.5e300},"value":1}"#;
    let escaped = r#"{"name":"disk\/used","value":85.5}"#;
    for count in [1, 2, 100, 1_000] {
        for (metric, blocks_per_metric) in [(plain, 0), (tagged, 1), (unknown, 0), (escaped, 1)] {
            let body = list(metric, count);
            let taken = blocks(|| json::parse(body.as_bytes()).unwrap());
            assert_eq!(taken, 1 + blocks_per_metric * count as u64, "{count} times {metric}");
        }
    }
    assert_eq!(blocks(|| json::parse(plain.as_bytes()).unwrap()), 1, "a metric without a list");

    let body = list(tagged, 100);
    let delivery = Delivery { batch: json::parse(body.as_bytes()).unwrap(), client: Some("web-1") };
    let mut lines = Vec::with_capacity(100 * 1024);
    let taken = blocks(|| {
        lines.clear();
        line::encode(&mut lines, &delivery, Timestamp::MAX);
    });
    assert_eq!(taken, 0, "lines with room");
    assert_eq!(lines.split(|byte| *byte == b'\n').count(), 100 + 1);
}
