//! Tests of the ring for one producer and one consumer, by one thread.

use super::channel_from;
use crate::ring::claims::sequences;

#[test]
fn a_ring_is_a_bounded_queue() {
    sequences::a_ring_is_a_bounded_queue(channel_from);
}
