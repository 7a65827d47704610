//! A table whose places are used again, and names for what is in it.
//!
//! What always holds: a [`Key`] names what it was given for and nothing that comes after it. What
//! has been taken out is gone for every key of it, also once its place has a new tenant.
//!
//! The idea is Bonwick's ("The Slab Allocator", 1994): what has one size needs no general
//! allocator. The generation that makes a stale name harmless is an old trick of game engines.

use std::mem;

/// The name of something in a [`Slab`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its place: small, and used again by others later.
    pub index: u32,
    /// How many have had the place before.
    generation: u32,
}

/// The table.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    /// The places that are free. The one that was left last is taken first: it is warm.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    tenant: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that the next one will have.
    ///
    /// # Panics
    /// With four thousand million inside, for which no machine has the descriptors.
    pub fn next_key(&self) -> Key {
        if let Some(&index) = self.free.last() {
            return Key { index, generation: self.places[index as usize].generation };
        }
        let index = u32::try_from(self.places.len()).expect("fewer places than numbers");
        Key { index, generation: 0 }
    }

    /// Puts one more in.
    pub fn insert(&mut self, tenant: T) -> Key {
        let key = self.next_key();
        match self.free.pop() {
            Some(index) => self.places[index as usize].tenant = Some(tenant),
            None => self.places.push(Place { generation: 0, tenant: Some(tenant) }),
        }
        key
    }

    /// The one with this name, if it is still there.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        place.tenant.as_mut().filter(|_| place.generation == key.generation)
    }

    /// The name of whoever is at this place now.
    pub fn key_at(&self, index: u32) -> Option<Key> {
        self.places.get(index as usize)?.key(index)
    }

    /// Takes one out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let tenant = mem::take(&mut place.tenant)?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(tenant)
    }

    /// The names of all, in no order that means anything.
    pub fn keys(&self) -> Vec<Key> {
        (0..).zip(&self.places).filter_map(|(index, place)| place.key(index)).collect()
    }
}

impl<T> Place<T> {
    fn key(&self, index: u32) -> Option<Key> {
        self.tenant.as_ref().map(|_| Key { index, generation: self.generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_under_another_name() {
        let mut slab = Slab::default();
        let (first, other) = (slab.insert("first"), slab.insert("other"));
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!((second.index, slab.len()), (first.index, 2));
        assert_eq!(slab.get_mut(first), None, "a stale name");
        assert_eq!(slab.remove(first), None, "a stale name");
        assert_eq!(slab.get_mut(second), Some(&mut "second"));
        assert_eq!(slab.key_at(second.index), Some(second));
        assert_eq!(slab.keys(), [second, other]);
    }

    #[test]
    fn whoever_is_gone_has_no_name() {
        let mut slab = Slab::default();
        assert_eq!((slab.next_key().index, slab.key_at(0)), (0, None));
        let key = slab.insert(1);
        slab.remove(key);
        assert!(slab.is_empty() && slab.key_at(0).is_none() && slab.keys().is_empty());
    }
}
