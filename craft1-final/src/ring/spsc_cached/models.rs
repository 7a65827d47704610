//! Models of the ring with cached positions. They run under loom.

use loom::thread;

use super::{Producer, channel_from};
use crate::ring::claims::{Census, NEARLY_WRAPPED, models};
use crate::ring::sync::Arc;

#[test]
fn elements_cross_in_order() {
    models::elements_cross_in_order(None, channel_from);
}

#[test]
fn a_full_ring_gives_the_element_back() {
    models::a_full_ring_gives_the_element_back(channel_from);
}

#[test]
fn each_element_is_dropped_once() {
    models::each_element_is_dropped_once(channel_from);
}

/// Three elements in two batches, at a ring of two.
#[test]
fn batches_cross_in_order() {
    loom::model(|| {
        let census = Census::of(3);
        let (mut producer, mut consumer) = channel_from(NEARLY_WRAPPED, 2);
        let producing = thread::spawn(move || {
            let mut elements = [0, 1, 2].map(|id| census.element(id)).into_iter();
            assert_eq!(producer.push_batch(&mut elements), 2);
            producer.push_batch(&mut elements);
        });
        let mut ids = Vec::new();
        consumer.pop_batch(2, |element| ids.push(element.id));
        consumer.pop_batch(2, |element| ids.push(element.id));
        assert_eq!(ids, (0..ids.len()).collect::<Vec<_>>());
        producing.join().unwrap();
        drop(consumer);
        census.assert_each_dropped_once();
    });
}

/// What the types prevent, made by hand: two producers write the same slot.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_second_producer_is_a_data_race() {
    loom::model(|| {
        let (mut first, _consumer) = channel_from::<usize>(0, 2);
        let mut second = Producer { ring: Arc::clone(&first.ring), tail: 0, head: 0 };
        let pushing = thread::spawn(move || first.push(1).unwrap());
        second.push(2).unwrap();
        pushing.join().unwrap();
    });
}
