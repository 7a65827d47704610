//! The queue without a thread behind it: when it calls one, and what it keeps.

use std::thread;

use testkit::{DEADLINE, Watchdog, wait_until};

use super::*;

/// Beyond the end of every test.
const LONG: Duration = DEADLINE.saturating_mul(100);

/// A batch has room for two requests of two bytes, and gathers for ever.
fn queue(ack: Ack) -> Queue {
    Queue::new(Options { batch_bytes_max: 4, linger: LONG, ..Options::new(ack) })
}

/// How often the thread is woken while it rests and `pushes` requests of two bytes come.
fn wake_ups(rest: Rest, pushes: usize) -> usize {
    let queue = queue(Ack::Accepted);
    queue.lock().rest = Some(rest);
    let mut count = 0;
    for _ in 0..pushes {
        let rested = queue.lock().rest.is_some();
        queue.push(b"a\n", 1).unwrap();
        count += usize::from(rested && queue.lock().rest.is_none());
    }
    count
}

#[test]
fn a_thread_without_work_is_woken_by_the_first_request_and_by_no_other() {
    assert_eq!([1, 10].map(|pushes| wake_ups(Rest::Lines, pushes)), [1, 1]);
}

#[test]
fn a_thread_that_lets_lines_gather_is_woken_once_a_batch_is_full_and_not_before() {
    assert_eq!([2, 3, 10].map(|pushes| wake_ups(Rest::FullBatch(LONG), pushes)), [0, 1, 1]);
}

#[test]
fn a_thread_that_leaves_a_disk_alone_is_not_woken() {
    assert_eq!(wake_ups(Rest::Time(LONG), 10), 0);
}

/// What the thread takes, and whether it rested first. What is to happen `meanwhile` happens when it
/// does one or the other.
fn taken(queue: &Queue, meanwhile: impl FnOnce()) -> (Vec<u8>, bool) {
    let _watchdog = Watchdog::start();
    thread::scope(|scope| {
        let taking = scope.spawn(|| queue.take().expect("something waits").lines);
        let rests = || queue.lock().rest.is_some();
        wait_until("it rests or is done", || rests() || taking.is_finished());
        let has_rested = rests();
        meanwhile();
        (taking.join().unwrap(), has_rested)
    })
}

#[test]
fn where_nobody_waits_lines_gather_until_a_batch_is_full() {
    let queue = queue(Ack::Accepted);
    queue.push(b"a\n", 1).unwrap();
    let others = || [b"b\n", b"c\n"].map(|line| queue.push(line, 1).unwrap());
    assert_eq!(taken(&queue, || drop(others())), (b"a\nb\n".to_vec(), true));
}

#[test]
fn who_waits_for_a_verdict_does_not_wait_for_company() {
    for ack in [Ack::Stored, Ack::Durable] {
        let queue = queue(ack);
        queue.push(b"a\n", 1).unwrap();
        // The end of a rest that should not be.
        assert_eq!(taken(&queue, || queue.close()), (b"a\n".to_vec(), false), "{ack:?}");
    }
}

#[test]
fn a_thread_without_work_rests_until_there_are_lines() {
    let queue = queue(Ack::Stored);
    let comes = || drop(queue.push(b"a\n", 1).unwrap());
    assert_eq!(taken(&queue, comes), (b"a\n".to_vec(), true));
}

#[test]
fn what_waits_at_the_end_is_taken_and_then_there_is_nothing() {
    for ack in [Ack::Accepted, Ack::Stored] {
        let queue = queue(ack);
        queue.push(b"a\n", 1).unwrap();
        queue.close();
        assert_eq!(queue.take().map(|batch| batch.lines), Some(b"a\n".to_vec()));
        assert!(queue.take().is_none());
    }
}

#[test]
fn buffers_are_filled_again_and_no_more_are_kept_than_are_needed() {
    let queue = queue(Ack::Accepted);
    for _ in 0..10 {
        queue.push(b"abc\n", 1).unwrap();
    }
    while let Some(batch) = queue.try_take() {
        queue.settle(batch, Ok(()));
    }
    let kept = |queue: &Queue| queue.lock().spare_buffers.len();
    assert_eq!(kept(&queue), SPARE_BUFFERS_MAX);
    queue.push(b"abc\n", 1).unwrap();
    assert_eq!(kept(&queue), SPARE_BUFFERS_MAX - 1);
    assert_eq!(queue.try_take().unwrap().lines, b"abc\n");
}

#[test]
fn only_who_waits_costs_a_channel_and_one_is_enough_for_all() {
    assert!(queue(Ack::Accepted).push(b"a\n", 1).unwrap().is_none());
    let queue = queue(Ack::Durable);
    let waiters = [(); 2].map(|()| queue.push(b"a\n", 1).unwrap().unwrap());
    assert!(waiters[0].same_channel(&waiters[1]));
    let batch = queue.try_take().unwrap();
    queue.settle(batch, Ok(()));
    for waiter in waiters {
        assert_eq!(*waiter.borrow(), Some(Ok(())));
    }
}
