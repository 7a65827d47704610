//! Models of the ring for many producers and a consumer that sleeps. They run under loom.
//!
//! The consumer sleeps instead of looking again where it can, and no producer tries twice: loom would
//! have to try how often.

use std::time::Duration;

use loom::thread;

use super::{Consumer, Producer, Woken, channel_from};
use crate::ring::claims::models::{self, Outcomes, PREEMPTIONS_MAX, check};
use crate::ring::claims::{Census, Element, NEARLY_WRAPPED};
use crate::ring::sync::{Arc, AtomicUsize, Ordering::Relaxed};

#[test]
fn elements_cross_in_order() {
    models::elements_cross_in_order(PREEMPTIONS_MAX, channel_from);
}

#[test]
fn a_full_ring_gives_the_element_back() {
    models::a_full_ring_gives_the_element_back(channel_from);
}

#[test]
fn each_element_is_dropped_once() {
    models::each_element_is_dropped_once(channel_from);
}

/// Pops what there is whenever it is woken, until the ring is closed.
fn drain(mut consumer: Consumer<usize>) -> Vec<usize> {
    let mut popped = Vec::new();
    while consumer.wait(None) == Woken::Ready {
        consumer.pop_batch(usize::MAX, |number| popped.push(number));
    }
    popped
}

#[test]
fn a_push_wakes_a_consumer_that_sleeps() {
    loom::model(|| {
        let (mut producer, mut consumer) = channel_from(NEARLY_WRAPPED, 1);
        let producing = thread::spawn(move || {
            producer.push(7).unwrap();
            producer
        });
        assert_eq!(consumer.wait(None), Woken::Ready);
        assert_eq!(consumer.pop(), Some(7));
        producing.join().unwrap();
    });
}

#[test]
fn the_last_producer_wakes_a_consumer_that_sleeps() {
    check(PREEMPTIONS_MAX, || {
        let (producer, consumer) = channel_from(NEARLY_WRAPPED, 2);
        let producing = [producer.clone(), producer].map(|it| thread::spawn(|| drop(it)));
        assert_eq!(drain(consumer), []);
        producing.into_iter().for_each(|it| it.join().unwrap());
    });
}

#[test]
fn nothing_pushed_before_the_end_is_missed() {
    loom::model(|| {
        let (mut producer, consumer) = channel_from(NEARLY_WRAPPED, 2);
        let producing = thread::spawn(move || producer.push(1).unwrap());
        assert_eq!(drain(consumer), [1]);
        producing.join().unwrap();
    });
}

#[test]
fn a_closed_ring_shows_what_its_producers_did() {
    loom::model(|| {
        let (producer, mut consumer) = channel_from::<usize>(NEARLY_WRAPPED, 1);
        let done = Arc::new(AtomicUsize::new(0));
        let by_producer = Arc::clone(&done);
        let producing = thread::spawn(move || {
            by_producer.store(1, Relaxed);
            drop(producer);
        });
        assert_eq!(consumer.wait(None), Woken::Closed);
        assert_eq!(done.load(Relaxed), 1);
        producing.join().unwrap();
    });
}

/// The order of each producer is kept, and two of them never get the same slot.
#[test]
fn two_producers_and_a_consumer_that_sleeps() {
    let outcomes = Outcomes::new();
    let seen = outcomes.clone();
    check(PREEMPTIONS_MAX, move || {
        let (mut producer, consumer) = channel_from(NEARLY_WRAPPED, 4);
        let mut another = producer.clone();
        let two = thread::spawn(move || [1, 2].map(|number| producer.push(number).unwrap()));
        let one = thread::spawn(move || another.push(10).unwrap());
        let popped = drain(consumer);
        assert!(popped.iter().filter(|it| **it < 10).eq(&[1, 2]), "{popped:?}");
        assert_eq!(popped.len(), 3);
        seen.add(popped.iter().position(|it| *it == 10).unwrap());
        two.join().unwrap();
        one.join().unwrap();
    });
    outcomes.assert(&[0, 1, 2]);
}

/// Each learns for itself whether there is room, however old what it knows of the others is.
#[test]
fn two_producers_and_one_slot() {
    let outcomes = Outcomes::new();
    let seen = outcomes.clone();
    check(PREEMPTIONS_MAX, move || {
        let (producer, mut consumer) = channel_from(NEARLY_WRAPPED, 1);
        let push = |mut producer: Producer<usize>, number| {
            thread::spawn(move || producer.push(number).map_or(0, |()| number))
        };
        let producing = [push(producer.clone(), 1), push(producer, 2)];
        let first = consumer.pop().unwrap_or(0);
        let pushed: usize = producing.map(|it| it.join().unwrap()).iter().sum();
        assert_eq!(pushed, first + consumer.pop().unwrap_or(0));
        assert_eq!(consumer.pop(), None);
        seen.add(pushed);
    });
    // One, the other, or both of them; never neither.
    outcomes.assert(&[1, 2, 3]);
}

#[test]
fn two_producers_leave_elements_that_are_dropped_once() {
    check(PREEMPTIONS_MAX, || {
        let census = Census::of(3);
        let (producer, mut consumer) = channel_from(NEARLY_WRAPPED, 2);
        let push = |mut producer: Producer<Element>, id| {
            thread::spawn(move || drop(producer.push(census.element(id))))
        };
        let mut third = producer.clone();
        let producing = [push(producer.clone(), 0), push(producer, 1)];
        drop(consumer.pop());
        drop((third.push(census.element(2)), third, consumer));
        producing.into_iter().for_each(|it| it.join().unwrap());
        census.assert_each_dropped_once();
    });
}

/// A batch is one claim: nobody gets in between, and a claim that is not used up holds up nobody.
#[test]
fn a_batch_that_ends_early_and_another_producer() {
    let outcomes = Outcomes::new();
    let seen = outcomes.clone();
    check(PREEMPTIONS_MAX, move || {
        let (mut producer, consumer) = channel_from(NEARLY_WRAPPED, 4);
        let mut another = producer.clone();
        let batch = thread::spawn(move || producer.push_batch(&mut Short([1, 2].into_iter())));
        let single = thread::spawn(move || another.push(3).unwrap());
        let popped = drain(consumer);
        assert!(popped == [1, 2, 3] || popped == [3, 1, 2], "{popped:?}");
        seen.add(popped[0]);
        assert_eq!(batch.join().unwrap(), 2);
        single.join().unwrap();
    });
    outcomes.assert(&[1, 3]);
}

/// Says that it has one element more than it has.
struct Short(std::array::IntoIter<usize, 2>);

impl Iterator for Short {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len() + 1, Some(self.0.len() + 1))
    }
}

impl ExactSizeIterator for Short {}

/// The first sleep ends by its time, and the wake-up that was meant for it comes during the second.
#[test]
fn a_wake_up_that_comes_late_costs_the_next_sleep_nothing() {
    check(PREEMPTIONS_MAX, || {
        let (producer, mut consumer) = channel_from(NEARLY_WRAPPED, 2);
        let push = |mut producer: Producer<usize>, number| {
            thread::spawn(move || producer.push(number).unwrap())
        };
        let producing = [push(producer.clone(), 1), push(producer, 2)];
        consumer.sleep(|| Some(Duration::ZERO));
        assert_eq!(drain(consumer).len(), 2);
        producing.into_iter().for_each(|it| it.join().unwrap());
    });
}
