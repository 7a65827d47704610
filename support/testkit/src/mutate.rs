//! Broken inputs from good ones, for parsers.
//!
//! What always holds: the seed, the dictionary and the corpus decide every mutant, on every machine,
//! so a failure is named by a seed and a number. A mutant has at most [`MUTANT_BYTES_MAX`] bytes,
//! and the pieces of something put together are that something.
//!
//! To feed programs random bytes is an idea of Miller, Fredriksen and So ("An Empirical Study of the
//! Reliability of UNIX Utilities", 1990). To change good inputs a little instead, with bit flips,
//! tokens of the format and splices of two inputs, is Michał Zalewski's (american fuzzy lop, 2013).

use std::ops::Range;

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

/// Longest mutant. Room for several inputs spliced together, and quick to read byte by byte.
pub const MUTANT_BYTES_MAX: usize = 16 * 1024;

/// Most changes to one input. With more of them hardly anything of the format is left.
const CHANGES_MAX: usize = 8;

/// Longest range that is usually deleted or duplicated: about a word.
const WORD_BYTES: usize = 16;

/// A source of broken inputs.
#[derive(Debug)]
pub struct Mutator {
    random: ChaCha8Rng,
    dictionary: &'static [&'static [u8]],
}

impl Mutator {
    /// Starts the run that `seed` names. `dictionary` holds tokens that mean something to the
    /// parser; it may be empty.
    pub fn new(seed: u64, dictionary: &'static [&'static [u8]]) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), dictionary }
    }

    /// One input of `corpus` with 1 to 8 changes.
    ///
    /// # Panics
    /// If the corpus is empty.
    pub fn mutant(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut bytes, corpus);
            bytes.truncate(MUTANT_BYTES_MAX);
        }
        bytes
    }

    /// A random way to cut `bytes`, from single bytes to one piece. No piece is empty.
    pub fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let piece_bytes_max = [1, 4, 64, MUTANT_BYTES_MAX][self.below(4)];
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let piece_len = 1 + self.below(rest.len().min(piece_bytes_max));
            let (piece, behind) = rest.split_at(piece_len);
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        self.random.random_range(0..bound)
    }

    fn change(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        match self.below(7) {
            0 => self.flip_bit(bytes),
            1 => self.set_byte(bytes),
            2 => self.insert_token(bytes),
            3 => drop(bytes.drain(self.range(bytes.len()))),
            4 => self.duplicate(bytes),
            5 => {
                let other = self.below(corpus.len());
                self.splice(bytes, &corpus[other]);
            }
            _ => bytes.truncate(self.below(bytes.len() + 1)),
        }
    }

    fn flip_bit(&mut self, bytes: &mut [u8]) {
        let (at, bit) = (self.below(bytes.len().max(1)), self.below(8));
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn set_byte(&mut self, bytes: &mut [u8]) {
        let (at, value) = (self.below(bytes.len().max(1)), self.random.random());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
    }

    fn insert_token(&mut self, bytes: &mut Vec<u8>) {
        if !self.dictionary.is_empty() {
            let token = self.dictionary[self.below(self.dictionary.len())];
            let at = self.below(bytes.len() + 1);
            bytes.splice(at..at, token.iter().copied());
        }
    }

    fn duplicate(&mut self, bytes: &mut Vec<u8>) {
        let range = self.range(bytes.len());
        let copy = bytes[range.clone()].to_vec();
        bytes.splice(range.end..range.end, copy);
    }

    /// The beginning of the one and the end of the other.
    fn splice(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        bytes.truncate(self.below(bytes.len() + 1));
        bytes.extend_from_slice(&other[self.below(other.len() + 1)..]);
    }

    /// A range of `len` bytes: three times in four about a word, else of any length.
    fn range(&mut self, len: usize) -> Range<usize> {
        let start = self.below(len + 1);
        let rest = len - start;
        let range_bytes_max = if self.below(4) == 0 { rest } else { rest.min(WORD_BYTES) };
        start..start + self.below(range_bytes_max + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const DICTIONARY: &[&[u8]] = &[b"<token>"];

    fn corpus() -> Vec<Vec<u8>> {
        vec![vec![b'a'; 40], vec![b'b'; 60], Vec::new()]
    }

    fn mutants(seed: u64, count: usize) -> Vec<Vec<u8>> {
        let mut mutator = Mutator::new(seed, DICTIONARY);
        (0..count).map(|_| mutator.mutant(&corpus())).collect()
    }

    #[test]
    fn a_seed_names_a_run() {
        assert_eq!(mutants(1, 100), mutants(1, 100));
        assert_ne!(mutants(1, 100), mutants(2, 100));
    }

    #[test]
    fn every_kind_of_change_is_made() {
        let mutants = mutants(1, 1_000);
        let some = |is_such: &dyn Fn(&[u8]) -> bool| mutants.iter().any(|it| is_such(it));
        let holds = |bytes: &[u8], wanted: &[u8]| {
            bytes.windows(wanted.len()).any(|window| window == wanted)
        };
        assert!(some(&|it| it.len() == 40 && it.contains(&(b'a' ^ 0x80))), "a flipped bit");
        let values: HashSet<u8> = mutants.concat().into_iter().collect();
        assert!(values.len() > 200, "a byte of any value");
        assert!(some(&|it| holds(it, DICTIONARY[0])), "a token");
        assert!(some(&|it| it.len() > 60 && it.iter().all(|byte| *byte == b'b')), "a duplicate");
        assert!(some(&|it| holds(it, b"aabb") || holds(it, b"bbaa")), "a splice");
        assert!(some(&|it| it.len() < 20), "a cut");
    }

    #[test]
    fn a_mutant_has_a_longest_length() {
        let mut mutator = Mutator::new(1, &[]);
        let corpus = [vec![b'a'; MUTANT_BYTES_MAX]];
        let lens: Vec<_> = (0..200).map(|_| mutator.mutant(&corpus).len()).collect();
        assert_eq!(lens.iter().max(), Some(&MUTANT_BYTES_MAX));
    }

    #[test]
    fn pieces_put_together_are_the_whole() {
        let mut mutator = Mutator::new(1, &[]);
        let whole: Vec<u8> = (0..=u8::MAX).collect();
        let mut counts = Vec::new();
        for _ in 0..200 {
            let pieces = mutator.pieces(&whole);
            assert_eq!(pieces.concat(), whole);
            assert!(pieces.iter().all(|piece| !piece.is_empty()));
            counts.push(pieces.len());
        }
        assert!(counts.contains(&whole.len()), "byte by byte");
        assert!(counts.iter().any(|count| *count <= 3), "in large pieces");
        assert!(mutator.pieces(b"").is_empty());
    }
}
