//! Models of the ring for many producers and a consumer that sleeps. They run under loom.
//!
//! Where a model has three threads, loom looks at every order with at most [`PREEMPTIONS`] switches
//! away from a thread that could go on: all orders would take hours, and two such switches reach
//! nearly every mistake there is (Musuvathi and Qadeer, "Iterative context bounding for systematic
//! testing of multithreaded programs", 2007).

use std::time::Duration;

use loom::thread::{self, yield_now};

use super::{Consumer, Producer, Woken, channel_from};
use crate::ring::claims::{Census, Element, NEARLY_WRAPPED, models};

/// One more than that paper found to be enough.
const PREEMPTIONS: usize = 3;

/// Three threads: bounded.
fn bounded(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

#[test]
fn elements_cross_in_order() {
    models::elements_cross_in_order(channel_from);
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
    bounded(|| {
        let (producer, consumer) = channel_from(NEARLY_WRAPPED, 2);
        let producing = [producer.clone(), producer].map(|it| thread::spawn(|| drop(it)));
        assert_eq!(drain(consumer), []);
        producing.map(|it| it.join().unwrap());
    });
}

#[test]
fn nothing_pushed_before_the_end_is_missed() {
    loom::model(|| {
        let (mut producer, consumer) = channel_from(NEARLY_WRAPPED, 2);
        let producing = thread::spawn(move || {
            producer.push(1).unwrap();
            producer.push(2).unwrap();
        });
        assert_eq!(drain(consumer), [1, 2]);
        producing.join().unwrap();
    });
}

/// The order of each producer is kept, and two of them never get the same slot.
#[test]
fn two_producers_and_a_consumer_that_sleeps() {
    bounded(|| {
        let (producer, consumer) = channel_from(NEARLY_WRAPPED, 4);
        let push = |mut producer: Producer<usize>, numbers: [usize; 2]| {
            thread::spawn(move || numbers.map(|number| producer.push(number).unwrap()))
        };
        let producing = [push(producer.clone(), [10, 11]), push(producer, [20, 21])];
        let popped = drain(consumer);
        let of = |tens: usize| popped.iter().copied().filter(move |it| it / 10 == tens);
        assert!(of(1).eq([10, 11]) && of(2).eq([20, 21]), "{popped:?}");
        producing.map(|it| it.join().unwrap());
    });
}

/// Both producers have seen the consumer further than it is by now, or less far.
#[test]
fn two_producers_and_a_ring_that_is_full() {
    bounded(|| {
        let (producer, mut consumer) = channel_from(NEARLY_WRAPPED, 1);
        let push = |mut producer: Producer<usize>, number| {
            thread::spawn(move || {
                while producer.push(number).is_err() {
                    yield_now();
                }
            })
        };
        let producing = [push(producer.clone(), 1), push(producer, 2)];
        let mut popped = [models::pop_next(&mut consumer), models::pop_next(&mut consumer)];
        popped.sort_unstable();
        assert_eq!((popped, consumer.pop()), ([1, 2], None));
        producing.map(|it| it.join().unwrap());
    });
}

#[test]
fn two_producers_leave_elements_that_are_dropped_once() {
    bounded(|| {
        let census = Census::of(3);
        let (producer, mut consumer) = channel_from(NEARLY_WRAPPED, 2);
        let push = |mut producer: Producer<Element>, id| {
            thread::spawn(move || drop(producer.push(census.element(id))))
        };
        let mut third = producer.clone();
        let producing = [push(producer.clone(), 0), push(producer, 1)];
        drop(consumer.pop());
        drop((third.push(census.element(2)), third, consumer));
        producing.map(|it| it.join().unwrap());
        census.assert_each_dropped_once();
    });
}

/// A batch is one claim: nobody gets in between, and a claim that is not used up holds up nobody.
#[test]
fn a_batch_that_ends_early_and_another_producer() {
    bounded(|| {
        let (mut producer, consumer) = channel_from(NEARLY_WRAPPED, 4);
        let mut another = producer.clone();
        let batch = thread::spawn(move || producer.push_batch(&mut Short([1, 2].into_iter())));
        let single = thread::spawn(move || another.push(3).unwrap());
        let popped = drain(consumer);
        assert!(popped == [1, 2, 3] || popped == [3, 1, 2], "{popped:?}");
        assert_eq!(batch.join().unwrap(), 2);
        single.join().unwrap();
    });
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
    bounded(|| {
        let (producer, mut consumer) = channel_from(NEARLY_WRAPPED, 2);
        let push = |mut producer: Producer<usize>, number| {
            thread::spawn(move || producer.push(number).unwrap())
        };
        let producing = [push(producer.clone(), 1), push(producer, 2)];
        consumer.sleep(|| Some(Duration::ZERO));
        assert_eq!(drain(consumer).len(), 2);
        producing.map(|it| it.join().unwrap());
    });
}
