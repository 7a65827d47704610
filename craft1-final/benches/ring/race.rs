//! Elements from producers to a consumer, each in a thread of its own, against the clock.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::Backoff;
use load_gen::pin_current_thread;

/// 48 bytes.
pub(crate) type Element = [u64; 6];

/// What one producer has left to push.
#[derive(Debug)]
pub(crate) struct Elements {
    left: usize,
}

impl Elements {
    /// The next one. It stays.
    pub(crate) fn peek(&self) -> Element {
        [self.left as u64; 6]
    }
}

impl Iterator for Elements {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        let element = self.peek();
        self.left = self.left.checked_sub(1)?;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements {}

/// A side that elements are pushed into.
pub(crate) trait Push: Send {
    /// Whether there was room.
    fn push(&mut self, element: Element) -> bool;

    /// Pushes what there is room for, one by one unless there is a better way.
    fn push_batch(&mut self, elements: &mut Elements) {
        while elements.left > 0 && self.push(elements.peek()) {
            elements.next();
        }
    }
}

/// A side that elements come out of.
pub(crate) trait Pop: Send {
    fn pop(&mut self) -> Option<Element>;

    /// Pops at most `max` of them, looks at each, and returns how many.
    fn pop_batch(&mut self, max: usize) -> usize {
        let mut count = 0;
        while count < max
            && let Some(element) = self.pop()
        {
            black_box(element);
            count += 1;
        }
        count
    }
}

/// How long `count` elements take, shared among the producers, from when all threads are there until
/// the last element is popped. One producer and the consumer get a core each, where the system lets us
/// choose; more producers than cores are left to the scheduler.
pub(crate) fn race<P: Push, C: Pop>(
    count: usize,
    batch: usize,
    producers: Vec<P>,
    mut consumer: C,
) -> Duration {
    let share = count / producers.len();
    let count = share * producers.len();
    let is_pair = producers.len() == 1;
    let start = &Barrier::new(producers.len() + 1);
    thread::scope(|scope| {
        for producer in producers {
            scope.spawn(move || {
                let _ = is_pair && pin_current_thread(&[1]).is_ok();
                start.wait();
                produce(share, batch, producer);
            });
        }
        let consuming = scope.spawn(move || {
            let _ = is_pair && pin_current_thread(&[0]).is_ok();
            start.wait();
            let since = Instant::now();
            consume(count, batch, &mut consumer);
            since.elapsed()
        });
        consuming.join().expect("a consumer does not panic")
    })
}

fn produce(mut left: usize, batch: usize, mut producer: impl Push) {
    let backoff = Backoff::new();
    while left > 0 {
        let wanted = batch.min(left);
        let mut elements = Elements { left: wanted };
        producer.push_batch(&mut elements);
        left -= wanted - elements.left;
        if elements.left < wanted { backoff.reset() } else { backoff.snooze() }
    }
}

fn consume(mut left: usize, batch: usize, consumer: &mut impl Pop) {
    let backoff = Backoff::new();
    while left > 0 {
        let count = consumer.pop_batch(batch.min(left));
        left -= count;
        if count > 0 { backoff.reset() } else { backoff.snooze() }
    }
}
