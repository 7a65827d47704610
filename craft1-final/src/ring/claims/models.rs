//! Models of one producer and one consumer, which each lock-free rung must pass.
//!
//! Loom runs a model in every order. Where those are too many, it runs those with at most so many
//! preemptions: switches away from a thread that could go on. Two of them reach nearly every mistake
//! there is (Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded
//! programs", 2007), and the planted ones are found with two.

use std::collections::BTreeSet;
// Not loom's: these do not belong to a model.
use std::sync::{Arc, Mutex};

use loom::thread::{self, yield_now};

use super::{Census, Element, NEARLY_WRAPPED, Pop, Push};

/// Enough where all orders would take too long.
pub(in crate::ring) const PREEMPTIONS_MAX: Option<usize> = Some(2);

/// Runs a model in every order that there is with so many preemptions, or in every order.
pub(in crate::ring) fn check(
    preemptions_max: Option<usize>,
    model: impl Fn() + Send + Sync + 'static,
) {
    let mut builder = loom::model::Builder::new();
    // LOOM_MAX_PREEMPTIONS=3 looks further.
    builder.preemption_bound = builder.preemption_bound.or(preemptions_max);
    builder.check(model);
}

/// Three elements through a ring of two: it is empty, it is full, slots are used again and positions
/// wrap. A wrong ordering shows as two accesses to one slot of which none happened before the other.
pub(in crate::ring) fn elements_cross_in_order<P, C>(
    preemptions_max: Option<usize>,
    channel: fn(usize, usize) -> (P, C),
) where
    P: Push<usize> + 'static,
    C: Pop<usize> + 'static,
{
    check(preemptions_max, move || {
        let (mut producer, mut consumer) = channel(NEARLY_WRAPPED, 2);
        let producing = thread::spawn(move || {
            for number in 0..3 {
                while producer.push(number).is_err() {
                    yield_now();
                }
            }
        });
        for number in 0..3 {
            assert_eq!(pop_next(&mut consumer), number);
        }
        assert_eq!(consumer.pop(), None);
        producing.join().unwrap();
    });
}

/// What came about in one order or another. A model that never meets a case says nothing about it, and
/// loom leaves orders out: those that it takes for equal.
#[derive(Debug, Clone)]
pub(in crate::ring) struct Outcomes(Arc<Mutex<BTreeSet<usize>>>);

impl Outcomes {
    pub(in crate::ring) fn new() -> Self {
        Self(Arc::default())
    }

    pub(in crate::ring) fn add(&self, outcome: usize) {
        self.0.lock().unwrap().insert(outcome);
    }

    /// All of these, and no others.
    pub(in crate::ring) fn assert(&self, expected: &[usize]) {
        assert!(self.0.lock().unwrap().iter().eq(expected), "{self:?}");
    }
}

/// A push while the consumer pops: it either has room or does not, and nothing is overwritten.
pub(in crate::ring) fn a_full_ring_gives_the_element_back<P, C>(channel: fn(usize, usize) -> (P, C))
where
    P: Push<usize> + 'static,
    C: Pop<usize> + 'static,
{
    let outcomes = Outcomes::new();
    let seen = outcomes.clone();
    loom::model(move || {
        let (mut producer, mut consumer) = channel(NEARLY_WRAPPED, 1);
        producer.push(0).unwrap();
        let producing = thread::spawn(move || producer.push(1).is_ok());
        assert_eq!(consumer.pop(), Some(0));
        let had_room = producing.join().unwrap();
        assert_eq!(consumer.pop(), had_room.then_some(1));
        seen.add(usize::from(had_room));
    });
    outcomes.assert(&[0, 1]);
}

/// Either side goes first, with elements left or without.
pub(in crate::ring) fn each_element_is_dropped_once<P, C>(channel: fn(usize, usize) -> (P, C))
where
    P: Push<Element> + 'static,
    C: Pop<Element> + 'static,
{
    let outcomes = Outcomes::new();
    let seen = outcomes.clone();
    loom::model(move || {
        let census = Census::of(3);
        let (mut producer, mut consumer) = channel(NEARLY_WRAPPED, 2);
        let producing = thread::spawn(move || {
            for id in 0..3 {
                // One that comes back is dropped here.
                drop(producer.push(census.element(id)));
            }
        });
        seen.add(usize::from(consumer.pop().is_some()));
        drop(consumer);
        producing.join().unwrap();
        census.assert_each_dropped_once();
    });
    outcomes.assert(&[0, 1]);
}

/// Waits for it by looking again.
pub(in crate::ring) fn pop_next<T>(consumer: &mut impl Pop<T>) -> T {
    loop {
        if let Some(element) = consumer.pop() {
            return element;
        }
        yield_now();
    }
}
