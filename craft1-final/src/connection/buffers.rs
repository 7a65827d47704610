//! The memory that clients make a loop keep: requests that are not complete, and answers that are
//! not taken.
//!
//! What always holds: all connections of a loop together have no more of it than the bound. Whoever
//! would exceed it in its turn has it taken away in the same turn: the others lose nothing. What an
//! idle connection needs is not counted here, because it has nothing.
//!
//! Capacities are counted, and not lengths: it is capacity that the system has to find.

/// What the connections of a loop may make it keep, in bytes: a few KiB for each of ten thousand, or
/// sixty of the longest bodies at once. Clients that send a request in one go need none of it.
pub const BUFFER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Buffers of incomplete requests that are kept for the next ones.
const SPARES_MAX: usize = 64;

/// A buffer that had to grow beyond this is not kept. With [`SPARES_MAX`]: 4 MiB a loop at most.
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// How much there is, and what is ready to be used again.
#[derive(Debug)]
pub struct Buffers {
    taken_bytes: usize,
    bytes_max: usize,
    spares: Vec<Vec<u8>>,
}

impl Buffers {
    /// Nothing is kept yet, and never more than `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { taken_bytes: 0, bytes_max, spares: Vec::with_capacity(SPARES_MAX) }
    }

    /// How much is kept.
    pub fn taken_bytes(&self) -> usize {
        self.taken_bytes
    }

    /// What took `before` bytes takes `after` now. Where there is no room for that, nothing changes,
    /// and the answer is false. To shrink is always possible.
    pub fn resize(&mut self, before: usize, after: usize) -> bool {
        let others = self.taken_bytes - before;
        let has_room = after <= before || others.saturating_add(after) <= self.bytes_max;
        if has_room {
            self.taken_bytes = others + after;
        }
        has_room
    }

    /// Counts something small that has to be kept, room or not.
    pub fn add(&mut self, bytes: usize) {
        self.taken_bytes += bytes;
    }

    /// An empty buffer.
    pub fn spare(&mut self) -> Vec<u8> {
        self.spares.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub fn recycle(&mut self, mut spare: Vec<u8>) {
        if self.spares.len() < SPARES_MAX && spare.capacity() <= SPARE_BYTES_MAX {
            spare.clear();
            self.spares.push(spare);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_would_exceed_the_bound_gets_nothing_and_the_others_keep_what_they_have() {
        let mut buffers = Buffers::new(100);
        assert!(buffers.resize(0, 60));
        assert!(!buffers.resize(0, 41));
        assert_eq!(buffers.taken_bytes(), 60);
        assert!(buffers.resize(0, 40));
        assert!(!buffers.resize(40, 41));
        assert!(buffers.resize(60, 10));
        assert!(buffers.resize(40, 90));
        assert_eq!(buffers.taken_bytes(), 100);
    }

    #[test]
    fn what_has_to_be_kept_is_counted_and_whoever_shrinks_may() {
        let mut buffers = Buffers::new(100);
        assert!(buffers.resize(0, 100));
        buffers.add(50);
        assert!(!buffers.resize(0, 1));
        assert!(buffers.resize(100, 99));
        assert_eq!(buffers.taken_bytes(), 149);
        assert!(buffers.resize(50, 0) && buffers.resize(99, 0));
        assert_eq!(buffers.taken_bytes(), 0);
    }

    #[test]
    fn a_buffer_is_used_again_unless_it_has_grown_large() {
        let mut buffers = Buffers::new(100);
        buffers.recycle(vec![1; 10]);
        let spare = buffers.spare();
        assert!(spare.is_empty() && spare.capacity() >= 10);
        buffers.recycle(vec![1; SPARE_BYTES_MAX + 1]);
        assert_eq!(buffers.spare().capacity(), 0);
    }
}
