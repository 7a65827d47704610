//! Rings: bounded queues between threads, from a lock to none, one idea a rung.
//!
//! An event loop must hand over what it received and go on. It must not wait for the thread that
//! writes, not in the kernel and not at a lock that the writer happens to hold. So it puts an element
//! into a ring of fixed size, and where the ring is full it is told so at once. Each rung of this
//! ladder takes away one cost of the rung before:
//!
//! | rung | who | what is new |
//! |---|---|---|
//! | [`mutex`] | many to many | nothing: a deque behind a lock, to compare with |
//! | [`spsc`] | one to one | no lock: two positions, each written by one thread |
//! | [`spsc_cached`] | one to one | each side keeps a copy of the other's position, and each position has cache lines of its own |
//! | `spsc_cached/batch.rs` | one to one | many elements for one store of a position |
//! | [`mpsc`] | many to one | producers claim slots by compare-and-swap, one or many at once, and the consumer can sleep |
//!
//! Below them:
//!
//! | file | what |
//! |---|---|
//! | `sync.rs` | the atomics and cells that the rungs use: the real ones or those of loom |
//! | `slots.rs` | the memory that elements are moved into and out of |
//! | `full.rs` | the error of a push |
//!
//! What always holds, on each rung: a ring takes no more elements than its capacity. Each element
//! comes out once, or is dropped once with the ring. Elements of one producer come out in the order
//! in which they went in. No push and no pop waits.
//!
//! # How that is known
//!
//! A test runs in the order that happens to come up, and x86 forgives most wrong orderings. So each
//! lock-free rung has models (`…/models.rs`), which [loom] runs in one order after the other and with
//! every value that the memory model of C++20 allows a load to return. `tests/lab_ring_models.rs` runs
//! them, and then makes one mistake at a time in a copy of these files and expects a model to find it.
//! What several rungs must hold stands once, in `claims.rs`.
//!
//! [loom]: https://docs.rs/loom

#[cfg(test)]
mod claims;
mod full;
pub mod mpsc;
pub mod mutex;
mod slots;
pub mod spsc;
pub mod spsc_cached;
mod sync;

pub use full::Full;
