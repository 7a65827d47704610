//! The pool with jobs that wait at a gate, and its queue beside a model.

use std::collections::HashSet;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::ThreadId;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use testkit::{Watchdog, wait_until};

use super::*;

/// Holds jobs back until its write lock is dropped, by a failing assertion too.
type Gate = RwLock<()>;

fn pass(gate: &Gate) {
    drop(gate.read());
}

fn submit_all<J>(pool: &Pool<J>, jobs: impl IntoIterator<Item = J>) -> usize {
    jobs.into_iter().filter_map(|job| pool.try_submit(job).ok()).count()
}

#[test]
fn jobs_begin_in_the_order_in_which_they_came() {
    let _watchdog = Watchdog::start();
    let (pool, begun) = (Pool::new(1, 99), Mutex::new(Vec::new()));
    let work = |job: i32| begun.lock().unwrap().push(job);
    assert_eq!(pool.run(work, || submit_all(&pool, 0..100)).unwrap(), 100);
    assert_eq!(begun.into_inner().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_job_that_there_is_no_room_for_comes_back_at_once() {
    let _watchdog = Watchdog::start();
    let (pool, gate, done) = (Pool::new(2, 3), Gate::default(), AtomicUsize::new(0));
    let work = |_job| {
        pass(&gate);
        done.fetch_add(1, Relaxed);
    };
    let submit = || {
        let shut = gate.write();
        assert_eq!(submit_all(&pool, 0..5), 5, "two workers and a backlog of three");
        assert_eq!((pool.try_submit(5), pool.try_submit(6)), (Err(5), Err(6)));
        assert_eq!(pool.load().queue_depth, 3);
        drop(shut);
        wait_until("there is room again", || pool.try_submit(7).is_ok());
    };
    pool.run(work, submit).unwrap();
    assert_eq!(done.into_inner(), 6);
}

#[test]
fn a_burst_finds_every_free_worker_before_they_wake() {
    let _watchdog = Watchdog::start();
    for _ in 0..100 {
        let (pool, gate) = (Pool::new(4, 1), Gate::default());
        let submit = || {
            let shut = gate.write();
            let taken = submit_all(&pool, 0..6);
            drop(shut);
            taken
        };
        assert_eq!(pool.run(|_job| pass(&gate), submit).unwrap(), 5);
    }
}

#[test]
fn every_job_that_was_taken_is_done_before_the_pool_ends() {
    let _watchdog = Watchdog::start();
    let (pool, gate, done) = (Pool::new(2, 50), Gate::default(), AtomicUsize::new(0));
    let work = |_job| {
        pass(&gate);
        done.fetch_add(1, Relaxed);
    };
    let submit = || {
        let shut = gate.write();
        assert_eq!(submit_all(&pool, 0..52), 52);
        pool.close();
        assert_eq!(pool.try_submit(52), Err(52));
        assert!(!pool.is_idle());
        drop(shut);
    };
    pool.run(work, submit).unwrap();
    assert_eq!(done.into_inner(), 52);
    assert!(pool.is_idle());
    assert_eq!(pool.load().workers, 0);
}

#[test]
fn jobs_are_taken_while_it_runs_and_at_no_other_time() {
    let _watchdog = Watchdog::start();
    let pool = Pool::new(1, 1);
    for _ in 0..2 {
        assert_eq!(pool.try_submit(1), Err(1));
        assert_eq!(pool.run(drop, || pool.try_submit(2)).unwrap(), Ok(()));
    }
    assert_eq!(pool.try_submit(3), Err(3));
}

#[test]
fn many_submitters_and_many_workers_lose_nothing_and_do_nothing_twice() {
    const JOBS: usize = 4_000;
    let _watchdog = Watchdog::start();
    let (pool, done) = (Pool::new(4, 8), Mutex::new(Vec::new()));
    let given_back = Mutex::new(Vec::new());
    let submit_some = |first: usize| {
        for job in first..first + JOBS {
            if let Err(job) = pool.try_submit(job) {
                given_back.lock().unwrap().push(job);
            }
        }
    };
    let submit = || {
        thread::scope(|scope| {
            for submitter in 0..4 {
                scope.spawn(move || submit_some(submitter * JOBS));
            }
        });
    };
    pool.run(|job| done.lock().unwrap().push(job), submit).unwrap();
    let mut all = [done.into_inner().unwrap(), given_back.into_inner().unwrap()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..4 * JOBS).collect::<Vec<_>>());
}

#[test]
fn a_worker_that_panics_is_counted_and_replaced() {
    let _watchdog = Watchdog::start();
    let (pool, gate) = (Pool::new(2, 20), Gate::default());
    let (broken, sound) = (Mutex::new(HashSet::new()), Mutex::new(HashSet::<ThreadId>::new()));
    let work = |is_bad: bool| {
        let of_this_kind = if is_bad { &broken } else { &sound };
        of_this_kind.lock().unwrap().insert(thread::current().id());
        assert!(!is_bad, "a job that panics");
        pass(&gate);
    };
    let submit = || {
        assert_eq!(submit_all(&pool, [true; 10]), 10);
        wait_until("all of them have panicked", || pool.is_idle());
        let shut = gate.write();
        submit_all(&pool, [false; 3]);
        wait_until("as many are served at once as before", || pool.load().busy == 2);
        let load = Load { workers: 2, busy: 2, queue_depth: 1, backlog_max: 20, panics: 10 };
        assert_eq!(pool.load(), load);
        drop(shut);
    };
    pool.run(work, submit).unwrap();
    let (broken, sound) = (broken.into_inner().unwrap(), sound.into_inner().unwrap());
    assert_eq!((broken.len(), sound.len()), (10, 2), "a thread panics once");
    assert!(broken.is_disjoint(&sound));
    assert_eq!(pool.load().workers, 0, "replaced workers come to their end, too");
}

/// More than any address space has room for.
fn no_thread() -> thread::Builder {
    thread::Builder::new().stack_size(usize::MAX / 4)
}

#[test]
fn a_worker_that_cannot_be_replaced_goes_on() {
    fn one_thread() -> thread::Builder {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        if MADE.fetch_add(1, Relaxed) == 0 { thread::Builder::new() } else { no_thread() }
    }
    let _watchdog = Watchdog::start();
    let pool = Pool { thread: one_thread, ..Pool::new(1, 10) };
    let done = AtomicUsize::new(0);
    let work = |is_bad: bool| {
        assert!(!is_bad, "a job that panics");
        done.fetch_add(1, Relaxed);
    };
    pool.run(work, || submit_all(&pool, [true, false, true, false])).unwrap();
    assert_eq!((done.into_inner(), pool.load().panics), (2, 2));
}

#[test]
fn does_not_begin_with_fewer_workers_than_asked_for() {
    fn two_threads() -> thread::Builder {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        if MADE.fetch_add(1, Relaxed) < 2 { thread::Builder::new() } else { no_thread() }
    }
    let _watchdog = Watchdog::start();
    let pool = Pool::<()> { thread: two_threads, ..Pool::new(3, 10) };
    let error = pool.run(drop, || unreachable!("nothing is submitted")).unwrap_err().to_string();
    assert!(error.starts_with("cannot start worker 3 of 3: "), "{error}");
    assert_eq!(pool.load().workers, 0, "those that were started come to their end");
    assert_eq!(pool.try_submit(()), Err(()));
}

#[test]
fn a_submitter_that_panics_closes_the_pool_and_is_heard() {
    let _watchdog = Watchdog::start();
    let (pool, done) = (Pool::new(1, 10), AtomicUsize::new(0));
    let work = |_job| {
        done.fetch_add(1, Relaxed);
    };
    let submit = || {
        submit_all(&pool, 0..5);
        panic!("the submitter panics");
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| pool.run(work, submit)));
    assert!(outcome.is_err());
    assert_eq!((done.into_inner(), pool.try_submit(5)), (5, Err(5)));
}

#[test]
fn shows_its_workers_its_backlog_and_how_long_jobs_waited() {
    const HELD: Duration = Duration::from_millis(60);
    let _watchdog = Watchdog::start();
    let (pool, gate) = (Pool::new(1, 4), Gate::default());
    let text = || {
        let mut text = String::new();
        pool.render(&mut text);
        text
    };
    let submit = || {
        let shut = gate.write();
        submit_all(&pool, [false, false, true]);
        wait_until("the worker has a job", || pool.load().busy == 1);
        thread::sleep(HELD);
        let held = text();
        drop(shut);
        held
    };
    let work = |is_bad: bool| {
        pass(&gate);
        assert!(!is_bad, "a job that panics");
    };
    let held = pool.run(work, submit).unwrap();
    for line in [
        "ingest_pool_workers 1",
        "ingest_pool_busy_workers 1",
        "ingest_pool_queue_depth 2",
        "ingest_pool_queue_limit 4",
        "ingest_pool_panics_total 0",
        "ingest_pool_wait_seconds_count 1",
    ] {
        assert!(held.lines().any(|it| it == line), "{line} is not in\n{held}");
    }
    let after = text();
    for line in ["ingest_pool_panics_total 1", "ingest_pool_wait_seconds_count 3"] {
        assert!(after.lines().any(|it| it == line), "{line} is not in\n{after}");
    }
    let sum = after.lines().find_map(|line| line.strip_prefix("ingest_pool_wait_seconds_sum "));
    let waited_s: f64 = sum.unwrap().parse().unwrap();
    assert!(waited_s >= 2.0 * HELD.as_secs_f64(), "two jobs waited, {waited_s} s together");
}

/// A step that a submitter or a worker can make.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(u16),
    Take,
    Finish,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![any::<u16>().prop_map(Step::Submit), Just(Step::Take), Just(Step::Finish)]
}

/// A failing case is printed in full, so no file of past seeds is kept.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// The model is a list of jobs and a number. The steps are made one by one, as the lock orders
    /// them when they are made at once.
    #[test]
    fn it_is_a_queue_with_a_bound(
        workers in 0_usize..4,
        backlog_max in 1_usize..5,
        steps in vec(step(), 0..200),
    ) {
        let pool = Pool::new(workers, backlog_max);
        let _open = Open::new(&pool);
        pool.lock().workers = workers;
        let (mut queue, mut busy) = (VecDeque::new(), 0);
        for step in steps {
            match step {
                Step::Submit(job) if busy + queue.len() < workers + backlog_max => {
                    prop_assert_eq!(pool.try_submit(job), Ok(()));
                    queue.push_back(job);
                }
                Step::Submit(job) => prop_assert_eq!(pool.try_submit(job), Err(job)),
                Step::Take if busy < workers && !queue.is_empty() => {
                    prop_assert_eq!(pool.next(), queue.pop_front());
                    busy += 1;
                }
                Step::Finish if busy > 0 => {
                    pool.finish(false);
                    busy -= 1;
                }
                Step::Take | Step::Finish => {}
            }
            let queue_depth = (busy + queue.len()).saturating_sub(workers);
            let load = Load { workers, busy, queue_depth, backlog_max, panics: 0 };
            prop_assert_eq!(pool.load(), load);
            prop_assert!(queue_depth <= backlog_max);
        }
        pool.close();
        for job in queue {
            prop_assert_eq!(pool.next(), Some(job));
        }
        prop_assert_eq!(pool.next(), None);
    }
}
