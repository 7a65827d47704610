//! Models of one producer and one consumer, which each lock-free rung must pass.

use loom::thread::{self, yield_now};

use super::{Census, Element, NEARLY_WRAPPED, Pop, Push};

/// Three elements through a ring of two: it is empty, it is full, slots are used again and positions
/// wrap. A wrong ordering shows as two accesses to one slot of which none happened before the other.
pub(in crate::ring) fn elements_cross_in_order<P, C>(channel: fn(usize, usize) -> (P, C))
where
    P: Push<usize> + 'static,
    C: Pop<usize> + 'static,
{
    loom::model(move || {
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

/// A push while the consumer pops: it either has room or does not, and nothing is overwritten.
pub(in crate::ring) fn a_full_ring_gives_the_element_back<P, C>(channel: fn(usize, usize) -> (P, C))
where
    P: Push<usize> + 'static,
    C: Pop<usize> + 'static,
{
    loom::model(move || {
        let (mut producer, mut consumer) = channel(NEARLY_WRAPPED, 1);
        producer.push(0).unwrap();
        let producing = thread::spawn(move || producer.push(1).is_ok());
        assert_eq!(consumer.pop(), Some(0));
        let had_room = producing.join().unwrap();
        assert_eq!(consumer.pop(), had_room.then_some(1));
    });
}

/// Either side goes first, with elements left or without.
pub(in crate::ring) fn each_element_is_dropped_once<P, C>(channel: fn(usize, usize) -> (P, C))
where
    P: Push<Element> + 'static,
    C: Pop<Element> + 'static,
{
    loom::model(move || {
        let census = Census::of(3);
        let (mut producer, mut consumer) = channel(NEARLY_WRAPPED, 2);
        let producing = thread::spawn(move || {
            for id in 0..3 {
                // One that comes back is dropped here.
                drop(producer.push(census.element(id)));
            }
        });
        drop(consumer.pop());
        drop(consumer);
        producing.join().unwrap();
        census.assert_each_dropped_once();
    });
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
