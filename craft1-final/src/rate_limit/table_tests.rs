//! The table alone: who makes room for whom, and every order in which threads can meet.

use std::time::Duration;

use super::*;

const WINDOW_NS: u64 = 1_000_000;

fn limit(requests: u32) -> Limit {
    Limit::new(requests, Duration::from_nanos(WINDOW_NS)).unwrap()
}

/// Distinct, whatever becomes of the lowest bit.
fn key(client: u64) -> u64 {
    client << 1
}

#[cfg(not(loom))]
mod in_one_thread {
    use super::*;

    /// One set, so that everybody meets everybody.
    fn table(requests: u32) -> Table {
        Table::new(limit(requests), WAYS)
    }

    fn census(clients: u64, evicted: u64, forgotten: u64) -> Census {
        Census { clients, evicted, forgotten }
    }

    #[test]
    fn each_client_has_a_window_of_its_own() {
        let table = table(2);
        for now_ns in [0, WINDOW_NS * 2] {
            for client in 0..WAYS as u64 {
                let admitted = (0..5).filter(|_| table.check(key(client), now_ns).is_ok());
                assert_eq!(admitted.count(), 2, "{client} at {now_ns}");
            }
        }
        assert_eq!(table.census(), census(WAYS as u64, 0, 0));
    }

    #[test]
    fn a_client_without_a_bit_is_a_client() {
        let table = table(1);
        assert!(table.check(0, 0).is_ok());
        assert!(table.check(0, 0).is_err());
    }

    #[test]
    fn who_was_silent_longest_makes_room() {
        let table = table(1);
        for client in 0..WAYS as u64 {
            table.check(key(client), client * WINDOW_NS).unwrap();
        }
        let now_ns = 10 * WINDOW_NS;
        table.check(key(100), now_ns).unwrap();
        assert_eq!(table.census(), census(8, 1, 0));
        // The next to go is the second, and the first comes in its place.
        table.check(key(0), now_ns).unwrap();
        assert_eq!(table.census(), census(8, 2, 0));
        assert!(table.set(0).find(key(1) | 1).is_none() && table.set(0).find(key(2) | 1).is_some());
    }

    #[test]
    fn a_newcomer_starts_anew_where_somebody_was_forgotten() {
        let table = table(1);
        for client in 0..WAYS as u64 {
            table.check(key(client), 0).unwrap();
        }
        table.check(key(100), 0).unwrap();
        assert!(table.check(key(100), 0).is_err(), "and then it is counted");
        assert_eq!(table.census(), census(8, 0, 1));
    }

    #[test]
    fn who_hammers_is_not_forgotten_for_a_crowd_of_strangers() {
        let table = table(1);
        let hammer = key(1_000_000);
        let mut admitted = 0;
        for step in 0..10_000 {
            let now_ns = step * WINDOW_NS / 4;
            admitted += u32::from(table.check(hammer, now_ns).is_ok());
            // Fewer in a window than there are other slots.
            let _ = table.check(key(step), now_ns);
        }
        // 2,500 windows, and no bucket has two.
        assert!(admitted <= 2_500, "{admitted}");
    }

    #[test]
    fn a_thread_whose_clock_is_behind_counts_in_the_bucket_that_has_begun() {
        let table = table(2);
        table.check(key(1), 5 * WINDOW_NS).unwrap();
        table.check(key(1), 4 * WINDOW_NS).unwrap();
        assert!(table.check(key(1), 5 * WINDOW_NS).is_err());
    }

    #[test]
    fn clients_are_spread_over_the_sets() {
        let table = Table::new(limit(1), 8 * WAYS);
        let mut met = [0; 8];
        for client in 0..1_000_u64 {
            // As a hash spreads them.
            let key = client.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let set: *const Set = table.set(key);
            met[table.sets.iter().position(|it| std::ptr::eq(it, set)).unwrap()] += 1;
        }
        assert!(met.iter().all(|count| (62..=188).contains(count)), "{met:?}");
    }

    #[test]
    fn a_slot_takes_sixteen_bytes_and_a_set_two_lines() {
        assert_eq!((size_of::<Slot>(), size_of::<Set>(), align_of::<Set>()), (16, 128, 128));
    }
}

/// Every order of two threads that the memory model allows, in a set of two slots.
/// `tests/lab_ring_models.rs` runs it, and sees it fail.
#[cfg(loom)]
mod in_every_order {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// How many of these requests are admitted, each by a thread of its own.
    fn admitted_at_once(table: &Arc<Table>, keys: [u64; 2]) -> usize {
        let theirs = Arc::clone(table);
        let other = thread::spawn(move || usize::from(theirs.check(keys[1], 0).is_ok()));
        usize::from(table.check(keys[0], 0).is_ok()) + other.join().unwrap()
    }

    fn table(requests: u32) -> Arc<Table> {
        Arc::new(Table::new(limit(requests), WAYS))
    }

    #[test]
    fn two_threads_never_share_the_last_place_of_a_window() {
        loom::model(|| {
            let table = table(2);
            table.check(key(1), 0).unwrap();
            assert_eq!(admitted_at_once(&table, [key(1), key(1)]), 1);
        });
    }

    #[test]
    fn a_newcomer_gets_at_most_a_request_a_thread_beyond_its_limit() {
        loom::model(|| {
            let table = table(1);
            let admitted = admitted_at_once(&table, [key(1), key(1)]);
            assert!((1..=2).contains(&admitted), "{admitted}");
            assert!(table.check(key(1), 0).is_err(), "and no more after that");
        });
    }

    #[test]
    fn the_same_holds_where_others_have_to_make_room() {
        loom::model(|| {
            let table = table(1);
            for client in [1, 2] {
                table.check(key(client), 0).unwrap();
            }
            let admitted = admitted_at_once(&table, [key(3), key(3)]);
            assert!((1..=2).contains(&admitted), "{admitted}");
            assert!(table.check(key(3), 0).is_err(), "and no more after that");
        });
    }

    #[test]
    fn two_newcomers_at_once_are_counted_apart() {
        loom::model(|| {
            let table = table(1);
            assert_eq!(admitted_at_once(&table, [key(1), key(2)]), 2);
            assert!(table.check(key(1), 0).is_err() && table.check(key(2), 0).is_err());
            assert_eq!(table.census().clients, 2);
        });
    }

    #[test]
    fn a_newcomer_never_finds_what_the_forgotten_left() {
        loom::model(|| {
            let table = table(2);
            for client in [1, 1, 2, 2] {
                table.check(key(client), 0).unwrap();
            }
            assert_eq!(admitted_at_once(&table, [key(3), key(3)]), 2);
        });
    }

    #[test]
    fn a_newcomer_inherits_at_most_a_request_a_thread() {
        loom::model(|| {
            let table = table(2);
            for client in [1, 2, 2] {
                table.check(key(client), 0).unwrap();
            }
            // While the first of them is counted, it may have to make room.
            let theirs = Arc::clone(&table);
            let other = thread::spawn(move || theirs.check(key(1), 0).is_ok());
            assert!(table.check(key(3), 0).is_ok(), "its window holds two and inherits one");
            other.join().unwrap();
        });
    }
}
