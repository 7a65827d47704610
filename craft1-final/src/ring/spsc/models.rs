//! Models of the ring for one producer and one consumer. They run under loom.

use super::{Producer, channel_from};
use crate::ring::claims::models;
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

/// What the types prevent, made by hand: two producers write the same slot.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_second_producer_is_a_data_race() {
    loom::model(|| {
        let (mut first, _consumer) = channel_from::<usize>(0, 2);
        let mut second = Producer { ring: Arc::clone(&first.ring), tail: 0 };
        let pushing = loom::thread::spawn(move || first.push(1).unwrap());
        second.push(2).unwrap();
        pushing.join().unwrap();
    });
}
