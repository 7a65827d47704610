//! Lab tests: what goes into a ring comes out once and in order, whichever thread is faster.
//!
//! How many elements there are is fixed, and how threads meet is up to the machine. What does not
//! depend on luck is in the models (`tests/lab_ring_models.rs`).

use std::thread;

use craft1_final::ring::{mpsc, mutex, spsc, spsc_cached};

/// Elements of each producer: some thousand laps.
const COUNT: usize = 20_000;

/// Small, so that it is full and empty all the time.
const CAPACITY: usize = 8;

/// As large as what the writer's ring carries.
type Payload = [u64; 6];

fn payload(number: usize) -> Payload {
    [number as u64; 6]
}

/// Pushes all numbers in order, and tries again where there is no room.
fn produce(mut push: impl FnMut(Payload) -> bool) {
    for number in 0..COUNT {
        while !push(payload(number)) {
            thread::yield_now();
        }
    }
}

/// Pops all numbers, which come in order and whole.
fn consume(mut pop: impl FnMut() -> Option<Payload>) {
    for number in 0..COUNT {
        let popped = loop {
            match pop() {
                Some(popped) => break popped,
                None => thread::yield_now(),
            }
        };
        assert_eq!(popped, payload(number));
    }
    assert_eq!(pop(), None);
}

#[test]
fn a_locked_queue_keeps_the_order() {
    let ring = mutex::Ring::new(CAPACITY);
    thread::scope(|scope| {
        scope.spawn(|| produce(|element| ring.push(element).is_ok()));
        consume(|| ring.pop());
    });
}

#[test]
fn two_threads_without_a_lock_keep_the_order() {
    let (mut producer, mut consumer) = spsc::channel(CAPACITY);
    thread::scope(|scope| {
        scope.spawn(|| produce(|element| producer.push(element).is_ok()));
        consume(|| consumer.pop());
    });
}

#[test]
fn cached_positions_keep_the_order() {
    let (mut producer, mut consumer) = spsc_cached::channel(CAPACITY);
    thread::scope(|scope| {
        scope.spawn(|| produce(|element| producer.push(element).is_ok()));
        consume(|| consumer.pop());
    });
}

#[test]
fn batches_keep_the_order() {
    let (mut producer, mut consumer) = spsc_cached::channel(CAPACITY);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut elements = (0..COUNT).map(payload);
            while elements.len() > 0 {
                if producer.push_batch(&mut elements.by_ref().take(5)) == 0 {
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < COUNT {
            let check = |element| {
                assert_eq!(element, payload(next));
                next += 1;
            };
            if consumer.pop_batch(3, check) == 0 {
                thread::yield_now();
            }
        }
    });
}

/// One store of a position for all of them is what a batch is for.
#[test]
fn a_batch_is_seen_at_its_end_and_not_before() {
    let (mut producer, mut consumer) = spsc_cached::channel(CAPACITY);
    let seen = |_: &usize| assert_eq!(consumer.pop(), None, "a part of a batch is seen");
    assert_eq!(producer.push_batch(&mut (0..5).inspect(seen)), 5);
    assert!((0..5).eq(std::iter::from_fn(|| consumer.pop())));
}

#[test]
fn the_slots_of_a_batch_are_room_at_its_end_and_not_before() {
    let (mut producer, mut consumer) = spsc_cached::channel(CAPACITY);
    assert_eq!(producer.push_batch(&mut (0..5)), 5);
    let mut popped = Vec::new();
    let count = consumer.pop_batch(4, |number| {
        assert_eq!(producer.free(), CAPACITY - 5, "a part of a batch is room");
        popped.push(number);
    });
    assert_eq!((count, popped, producer.free()), (4, vec![0, 1, 2, 3], CAPACITY - 1));
}

/// A consumer that sleeps whenever there is nothing, and `producers` that push one by one or, every
/// other one, in batches of five.
fn many_to_one(producers: usize) {
    let (producer, mut consumer) = mpsc::channel(CAPACITY);
    thread::scope(|scope| {
        for name in 0..producers {
            let mut producer = producer.clone();
            if name % 2 == 0 {
                scope.spawn(move || {
                    for number in 0..COUNT {
                        while producer.push((name, payload(number))).is_err() {
                            thread::yield_now();
                        }
                    }
                });
            } else {
                scope.spawn(move || {
                    let mut elements = (0..COUNT).map(|number| (name, payload(number)));
                    while elements.len() > 0 {
                        if producer.push_batch(&mut elements.by_ref().take(5)) == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
        }
        drop(producer);
        let mut next = vec![0; producers];
        while consumer.wait(None) == mpsc::Woken::Ready {
            consumer.pop_batch(3, |(name, element)| {
                assert_eq!(element, payload(next[name]), "of producer {name}");
                next[name] += 1;
            });
        }
        assert_eq!(next, vec![COUNT; producers]);
    });
}

#[test]
fn one_producer_and_a_consumer_that_sleeps_lose_nothing() {
    many_to_one(1);
}

#[test]
fn three_producers_and_a_consumer_that_sleeps_lose_nothing() {
    many_to_one(3);
}

#[test]
fn elements_may_be_of_no_size_and_of_any() {
    let (mut producer, mut consumer) = mpsc::channel(2);
    assert_eq!(
        (producer.push(()), producer.push(()), producer.push(()).is_err()),
        (Ok(()), Ok(()), true)
    );
    assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(()), Some(()), None));

    let (mut producer, mut consumer) = spsc_cached::channel(2);
    producer.push([7_u8; 4096]).unwrap();
    assert_eq!((consumer.pop(), consumer.pop()), (Some([7; 4096]), None));
}

#[test]
#[should_panic(expected = "the capacity of a ring is a power of two: 3")]
fn a_capacity_is_a_power_of_two() {
    let _ = mpsc::channel::<u8>(3);
}
