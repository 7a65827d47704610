//! Tests of the ring with cached positions, by one thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::channel_from;
use crate::ring::claims::{Census, NEARLY_WRAPPED, sequences};

#[test]
fn a_ring_is_a_bounded_queue() {
    sequences::a_ring_is_a_bounded_queue(channel_from);
}

#[test]
fn a_batch_ends_where_there_is_no_room_and_leaves_the_rest() {
    let (mut producer, mut consumer) = channel_from(NEARLY_WRAPPED, 4);
    producer.push(0).unwrap();
    let mut numbers = 1..6;
    assert_eq!((producer.free(), producer.push_batch(&mut numbers)), (3, 3));
    assert_eq!((producer.free(), producer.push_batch(&mut numbers), numbers), (0, 0, 4..6));
    let mut popped = Vec::new();
    assert_eq!(consumer.pop_batch(3, |number| popped.push(number)), 3);
    assert_eq!(producer.free(), 3);
    assert_eq!(consumer.pop_batch(3, |number| popped.push(number)), 1);
    assert_eq!(consumer.pop_batch(3, |number| popped.push(number)), 0);
    assert_eq!(popped, [0, 1, 2, 3]);
}

#[test]
fn a_batch_without_elements_does_nothing() {
    let (mut producer, mut consumer) = channel_from(0, 2);
    assert_eq!(producer.push_batch(&mut [0; 0].into_iter()), 0);
    producer.push(1).unwrap();
    assert_eq!(consumer.pop_batch(0, |_| panic!("nothing was asked for")), 0);
    assert_eq!(consumer.pop(), Some(1));
}

#[test]
fn a_panic_while_elements_are_taken_drops_none_of_them_twice() {
    let census = Census::of(3);
    let (mut producer, mut consumer) = channel_from(0, 4);
    producer.push_batch(&mut (0..3).map(|id| census.element(id)));
    let taking = || consumer.pop_batch(3, |element| assert_eq!(element.id, 0, "the second one"));
    assert!(catch_unwind(AssertUnwindSafe(taking)).is_err());
    assert_eq!(census.drops(), [1, 1, 0]);
    assert_eq!(producer.free(), 3, "what was taken is room");
    drop((producer, consumer));
    census.assert_each_dropped_once();
}

#[test]
fn a_panic_while_elements_are_made_loses_none_of_them() {
    let census = Census::of(2);
    let (mut producer, mut consumer) = channel_from(0, 4);
    let mut elements = (0..3).map(|id| if id < 2 { census.element(id) } else { panic!("no more") });
    assert!(catch_unwind(AssertUnwindSafe(|| producer.push_batch(&mut elements))).is_err());
    assert_eq!(consumer.pop().map(|element| element.id), Some(0));
    drop((producer, consumer));
    census.assert_each_dropped_once();
}
