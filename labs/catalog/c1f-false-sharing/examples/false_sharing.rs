//! What an addition takes while another thread counts as well: with both counters in one cache line, and
//! with each in lines of its own. A line of JSON a round, in nanoseconds.
//!
//! What always holds: each thread writes its own counter and reads no other. Both figures of a round
//! come from the same two processors, one after the other, where the system lets us choose.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use load_gen::pin_current_thread;
use serde_json::json;

const ROUNDS: usize = 9;

/// Of each thread. They last so long that starting the threads does not count.
const ADDITIONS: u32 = 20_000_000;

fn main() {
    // Aligned as a whole, so that no line ends between the two.
    let beside = CachePadded::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let apart = [CachePadded::new(AtomicU64::new(0)), CachePadded::new(AtomicU64::new(0))];
    for _ in 0..ROUNDS {
        let beside_ns = addition_ns(&beside[0], &beside[1]);
        let apart_ns = addition_ns(&apart[0], &apart[1]);
        println!("{}", json!({ "beside": beside_ns, "apart": apart_ns }));
    }
}

/// How long an addition takes the slower of two threads.
fn addition_ns(first: &AtomicU64, second: &AtomicU64) -> f64 {
    let start = &Barrier::new(2);
    let took = thread::scope(|scope| {
        let threads = [(0, first), (1, second)]
            .map(|(core, counter)| scope.spawn(move || count(core, counter, start)));
        threads.map(|thread| thread.join().expect("counting does not panic"))
    });
    took[0].max(took[1]).as_secs_f64() * 1e9 / f64::from(ADDITIONS)
}

/// Counts as an event loop does: nobody else writes here, so it is a load, an addition and a store.
fn count(core: usize, counter: &AtomicU64, start: &Barrier) -> Duration {
    // Where that is not possible, the scheduler finds them two.
    let _ = pin_current_thread(&[core]);
    start.wait();
    let since = Instant::now();
    for _ in 0..ADDITIONS {
        counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
    }
    since.elapsed()
}
