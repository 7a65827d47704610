//! Tests of the ring for many producers: one thread, and the consumer's sleep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::{Woken, channel_from};
use crate::ring::claims::{Census, NEARLY_WRAPPED, sequences};

#[test]
fn a_ring_is_a_bounded_queue() {
    sequences::a_ring_is_a_bounded_queue(channel_from);
}

#[test]
fn a_batch_takes_what_room_there_is_and_leaves_the_rest() {
    let (mut producer, mut consumer) = channel_from(NEARLY_WRAPPED, 4);
    let mut another = producer.clone();
    another.push(0).unwrap();
    let mut numbers = 1..6;
    assert_eq!((producer.free(), producer.push_batch(&mut numbers)), (3, 3));
    assert_eq!((another.free(), producer.push_batch(&mut numbers), numbers), (0, 0, 4..6));
    let mut popped = Vec::new();
    assert_eq!(consumer.pop_batch(3, |number| popped.push(number)), 3);
    assert_eq!((producer.free(), another.free()), (3, 3));
    assert_eq!(consumer.pop_batch(3, |number| popped.push(number)), 1);
    assert_eq!(consumer.pop_batch(3, |number| popped.push(number)), 0);
    assert_eq!(popped, [0, 1, 2, 3]);
}

#[test]
fn a_panic_while_elements_are_taken_drops_none_of_them_twice() {
    let census = Census::of(3);
    let (mut producer, mut consumer) = channel_from(0, 4);
    producer.push_batch(&mut [0, 1, 2].map(|id| census.element(id)).into_iter());
    let taking = || consumer.pop_batch(3, |element| assert_eq!(element.id, 0, "the second one"));
    assert!(catch_unwind(AssertUnwindSafe(taking)).is_err());
    assert_eq!(census.drops(), [1, 1, 0]);
    assert_eq!(producer.free(), 3, "what was taken is room");
    drop((producer, consumer));
    census.assert_each_dropped_once();
}

#[test]
fn a_panic_while_elements_are_made_holds_up_nobody() {
    let census = Census::of(3);
    let (mut producer, mut consumer) = channel_from(NEARLY_WRAPPED, 4);
    let mut elements =
        (0..4usize).map(|id| if id < 2 { census.element(id) } else { panic!("no more") });
    assert!(catch_unwind(AssertUnwindSafe(|| producer.push_batch(&mut elements))).is_err());
    assert_eq!(producer.free(), 0, "four slots were claimed");
    let mut ids = Vec::new();
    assert_eq!(consumer.pop_batch(4, |element| ids.push(element.id)), 2);
    assert!(producer.push(census.element(2)).is_ok());
    assert_eq!(consumer.pop_batch(4, |element| ids.push(element.id)), 1);
    assert_eq!(ids, [0, 1, 2]);
    drop((producer, consumer));
    census.assert_each_dropped_once();
}

/// An iterator that has none of the elements that it says it has.
struct Nothing;

impl Iterator for Nothing {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (2, Some(2))
    }
}

impl ExactSizeIterator for Nothing {}

#[test]
fn slots_that_nobody_filled_are_room_again_before_the_consumer_sleeps() {
    let (mut producer, mut consumer) = channel_from(NEARLY_WRAPPED, 2);
    assert_eq!((producer.push_batch(&mut Nothing), producer.free()), (0, 0));
    assert_eq!(consumer.wait(Some(Duration::ZERO)), Woken::TimedOut);
    assert_eq!((producer.free(), producer.push(1)), (2, Ok(())));
    assert_eq!(consumer.wait(None), Woken::Ready);
}

#[test]
fn slots_that_nobody_filled_are_not_dropped_with_the_ring() {
    let (mut producer, consumer) = channel_from(NEARLY_WRAPPED, 4);
    producer.push(1).unwrap();
    producer.push_batch(&mut Nothing);
    producer.push(2).unwrap();
    drop((producer, consumer));
}

#[test]
fn waiting_ends_by_its_time_and_not_before() {
    let (_producer, mut consumer) = channel_from::<u8>(0, 2);
    let (start, timeout) = (Instant::now(), Duration::from_millis(20));
    assert_eq!(consumer.wait(Some(timeout)), Woken::TimedOut);
    assert!(start.elapsed() >= timeout);
    // A claim that finds the sign of a sleep that is over would wake nobody; one that does not finds
    // the ring as it was.
    assert_eq!(consumer.wait(Some(timeout)), Woken::TimedOut);
}

#[test]
fn a_timeout_beyond_the_clock_is_none() {
    let (mut producer, mut consumer) = channel_from(0, 2);
    thread::scope(|scope| {
        scope.spawn(move || producer.push(1));
        assert_eq!(consumer.wait(Some(Duration::MAX)), Woken::Ready);
    });
}

#[test]
fn a_ring_is_closed_once_it_is_empty_and_no_producer_is_left() {
    let (mut producer, mut consumer) = channel_from(NEARLY_WRAPPED, 2);
    let another = producer.clone();
    producer.push(1).unwrap();
    drop(producer);
    assert!(!consumer.is_closed());
    assert_eq!((consumer.wait(None), consumer.pop()), (Woken::Ready, Some(1)));
    assert!(!consumer.is_closed(), "there is another producer");
    assert_eq!(consumer.wait(Some(Duration::ZERO)), Woken::TimedOut);
    drop(another);
    assert!(consumer.is_closed());
    assert_eq!(consumer.wait(None), Woken::Closed);
}
