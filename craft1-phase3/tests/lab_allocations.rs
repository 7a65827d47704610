//! Lab tests: what is allocated for a body, counted.
//!
//! What always holds: a batch is one allocation, however many metrics it has, and a metric adds one
//! for its tags where it has any. Text adds none unless an escape forces a copy.
//!
//! The counting allocator is the whole program's. So the tests take turns, and each count is the
//! least of a few: what the test harness allocates meanwhile can only add to it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use craft1_phase1::service::Delivery;
use craft1_phase3::{json, line};
use metrics_model::{Metric, Timestamp};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The heap, while nobody else counts on it.
struct Heap {
    _profiler: dhat::Profiler,
    _turn: MutexGuard<'static, ()>,
}

/// What was taken from the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    blocks: u64,
    bytes: u64,
}

impl Heap {
    fn watched() -> Self {
        static TURNS: Mutex<()> = Mutex::new(());
        // A test that failed leaves nothing behind that could be wrong.
        let turn = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        Self { _profiler: dhat::Profiler::builder().testing().build(), _turn: turn }
    }

    /// What `work` takes.
    #[expect(clippy::unused_self, reason = "whoever counts has to have its turn")]
    fn taken<T>(&self, mut work: impl FnMut() -> T) -> Taken {
        /// How often each count is taken.
        const TRIES: usize = 10;
        let count = |_| {
            let before = dhat::HeapStats::get();
            let result = work();
            let after = dhat::HeapStats::get();
            drop(result);
            Taken {
                blocks: after.total_blocks - before.total_blocks,
                bytes: after.total_bytes - before.total_bytes,
            }
        };
        (0..TRIES).map(count).min().expect("one try or more")
    }

    /// What it takes to read a body.
    fn taken_for(&self, body: &str) -> Taken {
        self.taken(|| json::parse(body.as_bytes()).unwrap())
    }
}

const PLAIN: &str = r#"{"name":"cpu_usage","value":85.5}"#;
const TAGGED: &str = r#"{"name":"cpu_usage","value":85.5,"type":"counter","timestamp":1758116723123,
    "tags":{"host":"web-1","region":"eu-central-1","role":"web"}}"#;

/// Metrics in a list: the fewest, the most, and some between.
const COUNTS: [usize; 4] = [1, 2, 100, 1_000];

fn list(metric: &str, count: usize) -> String {
    format!(r#"{{"metrics":[{}]}}"#, vec![metric; count].join(","))
}

/// A text in which every third character is escaped.
fn escaped() -> String {
    format!(r#"{{"name":"{}","value":85.5}}"#, r"ab\/".repeat(80))
}

/// What a list takes beside the one block for itself.
#[track_caller]
fn assert_blocks_a_metric(metric: &str, blocks: u64) {
    let heap = Heap::watched();
    for count in COUNTS {
        let taken = heap.taken_for(&list(metric, count));
        assert_eq!(taken.blocks, 1 + blocks * count as u64, "{count} times {metric}");
    }
}

#[test]
fn a_batch_is_one_allocation_however_long_it_is() {
    assert_blocks_a_metric(PLAIN, 0);
}

#[test]
fn a_metric_without_a_list_is_one_allocation() {
    assert_eq!(Heap::watched().taken_for(PLAIN).blocks, 1);
}

#[test]
fn the_tags_of_a_metric_are_one_allocation() {
    assert_blocks_a_metric(TAGGED, 1);
}

#[test]
fn what_nobody_asks_for_is_not_allocated() {
    assert_blocks_a_metric(
        r#"{"name":"m","extra":{"a":[1,{"b":[null,true,"\u00e9\n"]}],"c":2.5e300},"value":1}"#,
        0,
    );
}

#[test]
fn a_text_with_escapes_is_one_allocation_however_many_they_are() {
    assert_blocks_a_metric(r#"{"name":"disk\/used","value":85.5}"#, 1);
    assert_blocks_a_metric(&escaped(), 1);
    assert_blocks_a_metric(r#"{"name":"m","value":1,"tags":{"\u006b":"\u0076","k2":"v"}}"#, 3);
}

#[test]
fn a_batch_takes_twice_what_it_needs_at_most() {
    let heap = Heap::watched();
    for metric in [PLAIN, &escaped()] {
        for count in COUNTS {
            let body = list(metric, count);
            let taken = heap.taken_for(&body);
            let needed = count * size_of::<Metric<'_>>() + body.len();
            assert!(taken.bytes <= 2 * needed as u64, "{taken:?} for {count} times {metric}");
        }
    }
}

#[test]
fn lines_with_room_are_no_allocation() {
    let heap = Heap::watched();
    let body = list(TAGGED, 100);
    let delivery = Delivery { batch: json::parse(body.as_bytes()).unwrap(), client: Some("web-1") };
    let mut lines = Vec::with_capacity(100 * 1024);
    let taken = heap.taken(|| {
        lines.clear();
        line::encode(&mut lines, &delivery, Timestamp::MAX);
    });
    assert_eq!(taken, Taken { blocks: 0, bytes: 0 });
    assert_eq!(lines.split(|byte| *byte == b'\n').count(), 100 + 1);
}
