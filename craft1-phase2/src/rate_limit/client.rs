//! Who a request counts for: any id, made into a key of one size.
//!
//! What always holds: ids are neither kept nor shown, and nobody can choose ids whose keys meet.
//! The hash is keyed with random numbers of this process (`SipHash`, Jean-Philippe Aumasson and
//! Daniel J. Bernstein, 2012, made for tables that strangers fill). With a million clients the odds
//! that any two of them share a key are below one in 10^26: n² / 2^129.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;

use crate::owner::owner;

/// A client, as 128 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientKey {
    /// Says which shard.
    pub(super) shard: u64,
    /// Says which slot of the shard's tables.
    slot: u64,
}

impl Hash for ClientKey {
    /// The half that did not choose the shard: in there the other one says less.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.slot);
    }
}

/// Makes keys. Two of them never make the same one of the same id.
#[derive(Debug, Default)]
pub struct ClientHasher {
    shard: RandomState,
    slot: RandomState,
}

impl ClientHasher {
    /// The key of a client that says who it is.
    pub fn key(&self, id: &[u8]) -> ClientKey {
        self.hash(id)
    }

    /// The key of a client that is known by its address. Unlike that of any id.
    pub fn key_of_peer(&self, peer: IpAddr) -> ClientKey {
        // An address and an id can have the same bytes. This says which of them it was.
        self.hash(("peer", owner(peer)))
    }

    fn hash(&self, identity: impl Hash) -> ClientKey {
        ClientKey { shard: self.shard.hash_one(&identity), slot: self.slot.hash_one(&identity) }
    }
}

/// Takes the hash that a [`ClientKey`] is instead of hashing it again.
#[derive(Debug, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("a key is one number");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn peer(hasher: &ClientHasher, address: &str) -> ClientKey {
        hasher.key_of_peer(address.parse().unwrap())
    }

    #[test]
    fn an_id_has_one_key_and_no_other_id_has_it() {
        let hasher = ClientHasher::default();
        let key = |id: u32| hasher.key(&id.to_le_bytes());
        assert_eq!(key(7), key(7));
        let keys: Vec<_> = (0..10_000).map(key).collect();
        let distinct = |half: fn(&ClientKey) -> u64| keys.iter().map(half).collect::<HashSet<_>>();
        assert_eq!(distinct(|key| key.shard).len(), 10_000);
        assert_eq!(distinct(|key| key.slot).len(), 10_000);
        assert!(keys.iter().all(|key| key.shard != key.slot), "the halves are not independent");
    }

    #[test]
    fn another_process_has_other_keys() {
        assert_ne!(ClientHasher::default().key(b"a"), ClientHasher::default().key(b"a"));
    }

    #[test]
    fn an_id_that_spells_an_address_is_not_that_address() {
        let hasher = ClientHasher::default();
        let address = peer(&hasher, "97.98.99.100");
        for id in [&b"97.98.99.100"[..], b"abcd", b"peerabcd", b"peer97.98.99.100"] {
            assert_ne!(hasher.key(id), address);
        }
    }

    #[test]
    fn addresses_that_one_customer_has_are_one_client() {
        let hasher = ClientHasher::default();
        for (one, other, are_same) in [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            assert_eq!(peer(&hasher, one) == peer(&hasher, other), are_same, "{one} {other}");
        }
    }
}
