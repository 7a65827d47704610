//! Any sequence of sequence and pops by one thread, compared with a deque.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Census, Element, NEARLY_WRAPPED, Pop, Push};

/// Three times the largest ring below.
const OPERATIONS_MAX: usize = 48;

/// Wherever positions begin, and however large the ring is.
pub(in crate::ring) fn a_ring_is_a_bounded_queue<P, C>(channel: fn(usize, usize) -> (P, C))
where
    P: Push<Element>,
    C: Pop<Element>,
{
    let start = prop_oneof![any::<usize>(), NEARLY_WRAPPED - OPERATIONS_MAX..=usize::MAX];
    // More pushes than pops, so that the ring is full at times.
    let is_push = prop::bool::weighted(0.6);
    let cases = (start, 0..5u32, vec(is_push, 0..OPERATIONS_MAX));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let verdict = runner.run(&cases, |(start, capacity_log2, are_pushes)| {
        follow(channel(start, 1 << capacity_log2), 1 << capacity_log2, &are_pushes)
    });
    verdict.unwrap();
}

/// Does the same to the ring and to a deque. What is left at the end is dropped once.
fn follow(
    (mut producer, mut consumer): (impl Push<Element>, impl Pop<Element>),
    capacity: usize,
    are_pushes: &[bool],
) -> Result<(), TestCaseError> {
    let census = Census::of(are_pushes.len());
    let mut model = VecDeque::new();
    for (id, &is_push) in are_pushes.iter().enumerate() {
        if is_push {
            let came_back = producer.push(census.element(id)).err().map(|full| full.0.id);
            if model.len() < capacity {
                model.push_back(id);
                prop_assert_eq!(came_back, None);
            } else {
                prop_assert_eq!(came_back, Some(id));
            }
        } else {
            drop(census.element(id));
            prop_assert_eq!(consumer.pop().map(|element| element.id), model.pop_front());
        }
    }
    let mut left_once = vec![1; are_pushes.len()];
    for id in model {
        left_once[id] = 0;
    }
    prop_assert_eq!(census.drops(), left_once);
    drop((producer, consumer));
    prop_assert_eq!(census.drops(), vec![1; are_pushes.len()]);
    Ok(())
}
