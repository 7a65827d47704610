//! Clients that come, go, return and are too many, on a clock that the tests move.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::client::ClientHasher;
use super::super::{Counter, Log};
use super::*;
use crate::model::{WINDOW_NS, arrivals, limit, limits};

/// Room for every client that a test has.
const ROOMY: usize = 1024 * 1024;

/// Room for so many clients of these in both generations together, with nothing on the heap.
fn room_for(clients: usize) -> usize {
    (clients + 2) * slot_bytes::<Counter>()
}

fn check<W: Window>(
    generations: &mut Generations<W>,
    client: ClientKey,
    now_ns: u64,
) -> Result<(), Refused> {
    drop(generations.advance(now_ns));
    generations.check(client)
}

/// What the clients of a generation take, counted one by one.
fn recounted<W: Window>(generation: &Generation<W>) -> usize {
    let heap_bytes = generation.windows.values().map(Window::heap_bytes);
    heap_bytes.map(|bytes| bytes + slot_bytes::<W>()).sum()
}

/// Every answer is the one of a table that nobody ever leaves.
fn assert_leaving_changes_nothing<W: Window>(
    limit: Limit,
    visits: impl Iterator<Item = (u64, u8)>,
) -> Result<(), TestCaseError> {
    let hasher = ClientHasher::default();
    let mut generations = Generations::<W>::new(limit, ROOMY);
    let mut all = HashMap::<u8, W>::new();
    for (now_ns, id) in visits {
        let expected = all.entry(id).or_default().check(limit, now_ns);
        prop_assert_eq!(check(&mut generations, hasher.key(&[id]), now_ns), expected);
        prop_assert_eq!(generations.current.bytes, recounted(&generations.current));
    }
    prop_assert_eq!(generations.census().forgotten, 0);
    Ok(())
}

proptest! {
    #[test]
    fn leaving_when_idle_never_changes_an_answer(
        limit in limits(),
        arrivals in arrivals(),
        ids in vec(0..4_u8, 200),
    ) {
        let visits = || arrivals.iter().copied().zip(ids.iter().copied());
        assert_leaving_changes_nothing::<Log>(limit, visits())?;
        assert_leaving_changes_nothing::<Counter>(limit, visits())?;
    }

    #[test]
    fn a_clock_that_goes_back_stands_still(
        limit in limits(),
        arrivals in arrivals(),
        back_ns in vec(0..2 * WINDOW_NS, 200),
    ) {
        let client = ClientHasher::default().key(b"a");
        let (mut jumping, mut steady) =
            (Generations::<Log>::new(limit, ROOMY), Generations::<Log>::new(limit, ROOMY));
        let mut latest_ns = 0;
        for (now_ns, back_ns) in arrivals.into_iter().zip(back_ns) {
            let now_ns = now_ns.saturating_sub(back_ns);
            latest_ns = latest_ns.max(now_ns);
            let expected = check(&mut steady, client, latest_ns);
            prop_assert_eq!(check(&mut jumping, client, now_ns), expected);
        }
    }

    #[test]
    fn a_generation_never_takes_more_than_its_half(
        limit in limits(),
        arrivals in arrivals(),
        ids in vec(0..40_u8, 200),
    ) {
        let hasher = ClientHasher::default();
        let bytes_max = 10 * (Log::CLIENT_BYTES + Log::heap_bytes_max(limit));
        let mut generations = Generations::<Log>::new(limit, bytes_max);
        for (now_ns, id) in arrivals.into_iter().zip(ids) {
            let _ = check(&mut generations, hasher.key(&[id]), now_ns);
            prop_assert_eq!(generations.current.bytes, recounted(&generations.current));
            for generation in [&generations.current, &generations.previous] {
                prop_assert!(recounted(generation) <= bytes_max / 2);
            }
        }
    }
}

#[test]
fn a_client_leaves_one_to_two_windows_after_its_last_request() {
    let hasher = ClientHasher::default();
    let (idle, busy) = (hasher.key(b"idle"), hasher.key(b"busy"));
    let mut generations = Generations::<Counter>::new(limit(100), ROOMY);
    check(&mut generations, busy, 2 * WINDOW_NS).unwrap();
    check(&mut generations, idle, 3 * WINDOW_NS - 1).unwrap();
    for now_ns in [3 * WINDOW_NS, 4 * WINDOW_NS - 1] {
        check(&mut generations, busy, now_ns).unwrap();
        assert_eq!(generations.census().clients, 2, "the idle one's request still matters");
    }
    check(&mut generations, busy, 4 * WINDOW_NS).unwrap();
    assert_eq!(generations.census(), Census { clients: 1, evicted: 1, forgotten: 0 });
}

#[test]
fn after_a_long_silence_everybody_leaves() {
    let hasher = ClientHasher::default();
    let mut generations = Generations::<Log>::new(limit(1), ROOMY);
    for id in 0..100_u8 {
        check(&mut generations, hasher.key(&[id]), u64::from(id) * WINDOW_NS / 50).unwrap();
    }
    let back = hasher.key(b"back");
    for windows in 10..13 {
        check(&mut generations, back, windows * WINDOW_NS).unwrap();
    }
    assert_eq!(generations.census(), Census { clients: 1, evicted: 100, forgotten: 0 });
}

#[test]
fn strangers_in_any_number_take_no_more_memory() {
    let hasher = ClientHasher::default();
    let mut generations = Generations::<Counter>::new(limit(1), room_for(20));
    for id in 0..1_000_u32 {
        check(&mut generations, hasher.key(&id.to_le_bytes()), 0).unwrap();
        let Census { clients, evicted, forgotten } = generations.census();
        assert!(clients <= 20, "{clients}");
        assert_eq!((clients + forgotten, evicted), (u64::from(id) + 1, 0));
    }
    // Those that came last are the ones that are remembered.
    assert!(check(&mut generations, hasher.key(&999_u32.to_le_bytes()), 0).is_err());
    assert!(check(&mut generations, hasher.key(&990_u32.to_le_bytes()), 0).is_err());
    assert!(check(&mut generations, hasher.key(&0_u32.to_le_bytes()), 0).is_ok());
}

#[test]
fn a_generation_that_turned_early_is_kept_for_a_whole_window_too() {
    let hasher = ClientHasher::default();
    let key = |id: u8| hasher.key(&[id]);
    // Eleven make a generation full.
    let mut generations = Generations::<Log>::new(limit(1), 24 * Log::CLIENT_BYTES);
    let epoch_ns = |epoch| epoch * WINDOW_NS;
    for id in 0..12 {
        check(&mut generations, key(id), epoch_ns(2) - 1).unwrap();
    }
    // The first of them are in the previous generation, and their requests still matter.
    for id in 0..3 {
        assert!(check(&mut generations, key(id), epoch_ns(2)).is_err());
    }
    // In the next epoch the others are idle. Those who came in this one are not known to be.
    for id in 12..24 {
        check(&mut generations, key(id), epoch_ns(3)).unwrap();
    }
    assert_eq!(generations.census(), Census { clients: 12, evicted: 8, forgotten: 4 });
}

#[test]
fn a_client_that_keeps_on_coming_is_never_forgotten() {
    let hasher = ClientHasher::default();
    let hammer = hasher.key(b"hammer");
    let mut generations = Generations::<Log>::new(limit(5), 20 * Log::CLIENT_BYTES);
    let admitted = (0..1_000_u32).filter(|stranger| {
        check(&mut generations, hasher.key(&stranger.to_le_bytes()), 0).unwrap();
        check(&mut generations, hammer, 0).is_ok()
    });
    assert_eq!(admitted.count(), 5);
    assert!(generations.census().forgotten > 900);
}

#[test]
fn with_room_for_nobody_the_last_client_is_remembered() {
    let hasher = ClientHasher::default();
    let mut generations = Generations::<Counter>::new(limit(1), 0);
    for client in [b"first", b"other"].map(|id| hasher.key(id)) {
        check(&mut generations, client, 0).unwrap();
        for _ in 0..3 {
            assert!(check(&mut generations, client, 0).is_err());
        }
        assert!(generations.census().clients <= 2);
    }
}

#[test]
fn what_a_client_takes_is_what_the_documents_say() {
    assert_eq!((Counter::CLIENT_BYTES, Log::CLIENT_BYTES), (76, 144));
}
