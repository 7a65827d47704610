//! Each of them behind the same two traits, by its fastest way: batches where it has them.

use std::hint::black_box;
use std::sync::{Arc, mpsc as std_mpsc};

use craft1_final::ring::{mpsc, mutex, spsc, spsc_cached};
use crossbeam_queue::ArrayQueue;

use crate::race::{Element, Elements, Pop, Push};

impl Push for mutex::Ring<Element> {
    fn push(&mut self, element: Element) -> bool {
        Self::push(self, element).is_ok()
    }
}

impl Pop for mutex::Ring<Element> {
    fn pop(&mut self) -> Option<Element> {
        Self::pop(self)
    }
}

impl Push for spsc::Producer<Element> {
    fn push(&mut self, element: Element) -> bool {
        self.push(element).is_ok()
    }
}

impl Pop for spsc::Consumer<Element> {
    fn pop(&mut self) -> Option<Element> {
        self.pop()
    }
}

impl Push for spsc_cached::Producer<Element> {
    fn push(&mut self, element: Element) -> bool {
        self.push(element).is_ok()
    }

    fn push_batch(&mut self, elements: &mut Elements) {
        if elements.len() == 1 {
            return push_one(self, elements);
        }
        self.push_batch(elements);
    }
}

impl Pop for spsc_cached::Consumer<Element> {
    fn pop(&mut self) -> Option<Element> {
        self.pop()
    }

    fn pop_batch(&mut self, max: usize) -> usize {
        if max == 1 {
            return pop_one(self);
        }
        self.pop_batch(max, look)
    }
}

impl Push for mpsc::Producer<Element> {
    fn push(&mut self, element: Element) -> bool {
        self.push(element).is_ok()
    }

    fn push_batch(&mut self, elements: &mut Elements) {
        self.push_batch(elements);
    }
}

impl Pop for mpsc::Consumer<Element> {
    fn pop(&mut self) -> Option<Element> {
        self.pop()
    }

    fn pop_batch(&mut self, max: usize) -> usize {
        self.pop_batch(max, look)
    }
}

impl Push for rtrb::Producer<Element> {
    fn push(&mut self, element: Element) -> bool {
        self.push(element).is_ok()
    }

    fn push_batch(&mut self, elements: &mut Elements) {
        if elements.len() == 1 {
            return push_one(self, elements);
        }
        let count = elements.len().min(self.slots());
        if let Ok(chunk) = self.write_chunk_uninit(count) {
            chunk.fill_from_iter(elements);
        }
    }
}

impl Pop for rtrb::Consumer<Element> {
    fn pop(&mut self) -> Option<Element> {
        self.pop().ok()
    }

    fn pop_batch(&mut self, max: usize) -> usize {
        if max == 1 {
            return pop_one(self);
        }
        let count = max.min(self.slots());
        if let Ok(chunk) = self.read_chunk(count) {
            chunk.into_iter().for_each(look);
        }
        count
    }
}

impl Push for Arc<ArrayQueue<Element>> {
    fn push(&mut self, element: Element) -> bool {
        ArrayQueue::push(self, element).is_ok()
    }
}

impl Pop for Arc<ArrayQueue<Element>> {
    fn pop(&mut self) -> Option<Element> {
        ArrayQueue::pop(self)
    }
}

impl Push for crossbeam_channel::Sender<Element> {
    fn push(&mut self, element: Element) -> bool {
        self.try_send(element).is_ok()
    }
}

impl Pop for crossbeam_channel::Receiver<Element> {
    fn pop(&mut self) -> Option<Element> {
        self.try_recv().ok()
    }
}

impl Push for std_mpsc::SyncSender<Element> {
    fn push(&mut self, element: Element) -> bool {
        self.try_send(element).is_ok()
    }
}

impl Pop for std_mpsc::Receiver<Element> {
    fn pop(&mut self) -> Option<Element> {
        self.try_recv().ok()
    }
}

/// By the way for one, which can be faster than a batch of one.
fn push_one(producer: &mut impl Push, elements: &mut Elements) {
    if producer.push(elements.peek()) {
        elements.next();
    }
}

fn pop_one(consumer: &mut impl Pop) -> usize {
    usize::from(consumer.pop().map(black_box).is_some())
}

fn look(element: Element) {
    black_box(element);
}
