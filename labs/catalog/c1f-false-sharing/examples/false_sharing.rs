//! What an addition takes while another thread counts as well: with both counters in one cache line, and
//! with each in lines of its own. A line of JSON a round, in nanoseconds.
//!
//! What always holds: each thread writes its own counter and reads no other. Both figures of a round
//! come from the same two processors, one after the other, where the system lets us choose.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use load_gen::pin_current_thread;
use serde_json::json;

const ROUNDS: usize = 9;

/// Short runs of both threads at once, of which a round takes the median: where one of the threads loses
/// its processor for a while, the other one has nobody beside it.
const RUNS: usize = 25;

/// Of each thread in a run. They last so long that it does not count which of them began first.
const ADDITIONS: u32 = 5_000_000;

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
    let ready = &AtomicUsize::new(0);
    let [first, second] = thread::scope(|scope| {
        let threads = [(0, first), (1, second)]
            .map(|(core, counter)| scope.spawn(move || runs(core, counter, ready)));
        threads.map(|thread| thread.join().expect("counting does not panic"))
    });
    let mut slower: Vec<Duration> = first.iter().zip(&second).map(|(a, b)| *a.max(b)).collect();
    slower.sort();
    slower[RUNS / 2].as_secs_f64() * 1e9 / f64::from(ADDITIONS)
}

fn runs(core: usize, counter: &AtomicU64, ready: &AtomicUsize) -> Vec<Duration> {
    // Where that is not possible, the scheduler finds them two.
    let _ = pin_current_thread(&[core]);
    let run = |run: usize| {
        // Not a barrier: whoever sleeps at one wakes when the other has begun long ago.
        ready.fetch_add(1, Relaxed);
        while ready.load(Relaxed) < 2 * (run + 1) {
            spin_loop();
        }
        let since = Instant::now();
        count(counter);
        since.elapsed()
    };
    (0..RUNS).map(run).collect()
}

/// Counts as an event loop does: nobody else writes here, so it is a load, an addition and a store.
fn count(counter: &AtomicU64) {
    for _ in 0..ADDITIONS {
        counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
    }
}
