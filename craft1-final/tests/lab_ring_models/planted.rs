//! The mistakes: what is right, what is wrong, and who finds it.

/// One mistake.
pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    pub(crate) edits: &'static [Edit],
    pub(crate) found_by: Found,
}

/// One place of it.
pub(crate) struct Edit {
    /// In the folder `src`.
    pub(crate) file: &'static str,
    /// What stands there once.
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
}

/// Who must find it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found {
    /// A model, and what it must say.
    Model(&'static str, &'static str),
    /// A doctest that must not compile, and now does.
    Doctest(&'static str),
}

use Found::{Doctest, Model};

const SPSC: &str = "ring/spsc.rs";
const CACHED: &str = "ring/spsc_cached.rs";
const MPSC: &str = "ring/mpsc.rs";
const CLAIM: &str = "ring/mpsc/claim.rs";
const SLEEP: &str = "ring/mpsc/sleep.rs";

/// Two accesses to a slot, and neither happened before the other.
const RACE: &str = "Causality violation";
/// Everybody sleeps.
const DEADLOCK: &str = "deadlock";
/// An element was lost, came twice or was dropped twice.
const WRONG: &str = "assertion";
/// Somebody waits for what never comes.
const STUCK: &str = "exceeded maximum number of branches";

const SPSC_CROSS: &str = "ring::spsc::models::elements_cross_in_order";
const SPSC_FULL: &str = "ring::spsc::models::a_full_ring_gives_the_element_back";
const SPSC_DROP: &str = "ring::spsc::models::each_element_is_dropped_once";
const CACHED_CROSS: &str = "ring::spsc_cached::models::elements_cross_in_order";
const CACHED_FULL: &str = "ring::spsc_cached::models::a_full_ring_gives_the_element_back";
const CACHED_BATCH: &str = "ring::spsc_cached::models::batches_cross_in_order";
const MPSC_CROSS: &str = "ring::mpsc::models::elements_cross_in_order";
const MPSC_FULL: &str = "ring::mpsc::models::a_full_ring_gives_the_element_back";
const MPSC_DROP: &str = "ring::mpsc::models::each_element_is_dropped_once";
const MPSC_TWO: &str = "ring::mpsc::models::two_producers_and_a_consumer_that_sleeps";
const MPSC_WAKE: &str = "ring::mpsc::models::a_push_wakes_a_consumer_that_sleeps";
const MPSC_LAST: &str = "ring::mpsc::models::the_last_producer_wakes_a_consumer_that_sleeps";
const MPSC_LATE: &str =
    "ring::mpsc::models::a_wake_up_that_comes_late_costs_the_next_sleep_nothing";
const MPSC_SEEN: &str = "ring::mpsc::models::a_closed_ring_shows_what_its_producers_did";
const MPSC_SHORT: &str = "ring::mpsc::models::a_batch_that_ends_early_and_another_producer";

const TABLE: &str = "rate_limit/table.rs";
const TABLE_LAST: &str =
    "rate_limit::table::tests::in_every_order::two_threads_never_share_the_last_place_of_a_window";
const TABLE_APART: &str =
    "rate_limit::table::tests::in_every_order::two_newcomers_at_once_are_counted_apart";
const TABLE_LEFT: &str =
    "rate_limit::table::tests::in_every_order::a_newcomer_never_finds_what_the_forgotten_left";

const fn edit(file: &'static str, right: &'static str, wrong: &'static str) -> Edit {
    Edit { file, right, wrong }
}

const fn mistake(name: &'static str, found_by: Found, edits: &'static [Edit]) -> Mistake {
    Mistake { name, edits, found_by }
}

pub(crate) const PLANTED: &[Mistake] = &[
    // Two positions.
    mistake(
        "spsc: release to relaxed, by the producer",
        Model(SPSC_CROSS, RACE),
        &[edit(SPSC, "tail.store(self.tail, Release)", "tail.store(self.tail, Relaxed)")],
    ),
    mistake(
        "spsc: release to relaxed, by the consumer",
        Model(SPSC_CROSS, RACE),
        &[edit(SPSC, "head.store(self.head, Release)", "head.store(self.head, Relaxed)")],
    ),
    mistake(
        "spsc: acquire to relaxed, by the producer",
        Model(SPSC_CROSS, RACE),
        &[edit(SPSC, "head.load(Acquire)", "head.load(Relaxed)")],
    ),
    mistake(
        "spsc: acquire to relaxed, by the consumer",
        Model(SPSC_CROSS, RACE),
        &[edit(SPSC, "tail.load(Acquire)", "tail.load(Relaxed)")],
    ),
    mistake(
        "spsc: a full test off by one",
        Model(SPSC_FULL, RACE),
        &[edit(SPSC, "== self.ring.slots.capacity()", "> self.ring.slots.capacity()")],
    ),
    mistake(
        "spsc: a position that does not wrap",
        Model(SPSC_CROSS, STUCK),
        &[edit(
            SPSC,
            "self.tail = self.tail.wrapping_add(1)",
            "self.tail = self.tail.saturating_add(1)",
        )],
    ),
    mistake(
        "spsc: an element that is popped and dropped again with the ring",
        Model(SPSC_DROP, WRONG),
        &[edit(SPSC, "head.store(self.head, Release)", "head.load(Relaxed)")],
    ),
    mistake(
        "spsc: a second producer",
        Doctest("spsc::Producer"),
        &[edit(
            SPSC,
            "#[derive(Debug)]\npub struct Producer",
            "#[derive(Debug, Clone)]\npub struct Producer",
        )],
    ),
    // Cached positions and batches.
    mistake(
        "spsc_cached: release to relaxed, by the producer",
        Model(CACHED_CROSS, RACE),
        &[edit(CACHED, "tail.store(self.tail, Release)", "tail.store(self.tail, Relaxed)")],
    ),
    mistake(
        "spsc_cached: release to relaxed, by the consumer",
        Model(CACHED_CROSS, RACE),
        &[edit(CACHED, "head.store(self.head, Release)", "head.store(self.head, Relaxed)")],
    ),
    mistake(
        "spsc_cached: acquire to relaxed, by the producer",
        Model(CACHED_CROSS, RACE),
        &[edit(CACHED, "head.load(Acquire)", "head.load(Relaxed)")],
    ),
    mistake(
        "spsc_cached: acquire to relaxed, by the consumer",
        Model(CACHED_CROSS, RACE),
        &[edit(CACHED, "tail.load(Acquire)", "tail.load(Relaxed)")],
    ),
    mistake(
        "spsc_cached: a full test off by one",
        Model(CACHED_FULL, RACE),
        &[edit(CACHED, "< self.ring.slots.capacity()", "<= self.ring.slots.capacity()")],
    ),
    mistake(
        "spsc_cached: a distance that does not wrap",
        Model(CACHED_CROSS, RACE),
        &[edit(
            CACHED,
            "self.tail.wrapping_sub(self.head) <",
            "self.tail.saturating_sub(self.head) <",
        )],
    ),
    mistake(
        "spsc_cached: a batch that is read and dropped again with the ring",
        Model(CACHED_BATCH, WRONG),
        &[edit(
            "ring/spsc_cached/batch.rs",
            "Drop for Read<'_, T> {\n    fn drop(&mut self) {\n        self.0.publish();",
            "Drop for Read<'_, T> {\n    fn drop(&mut self) {\n        let _ = &self.0;",
        )],
    ),
    mistake(
        "spsc_cached: a second producer",
        Doctest("spsc_cached::Producer"),
        &[edit(
            CACHED,
            "#[derive(Debug)]\npub struct Producer",
            "#[derive(Debug, Clone)]\npub struct Producer",
        )],
    ),
    // Stamps.
    mistake(
        "mpsc: release to relaxed, at the stamp",
        Model(MPSC_CROSS, RACE),
        &[edit(CLAIM, "store(self.next | flag, Release)", "store(self.next | flag, Relaxed)")],
    ),
    mistake(
        "mpsc: acquire to relaxed, at the stamp",
        Model(MPSC_CROSS, RACE),
        &[edit(MPSC, "stamp.load(Acquire)", "stamp.load(Relaxed)")],
    ),
    mistake(
        "mpsc: release to relaxed, at the consumer's position",
        Model(MPSC_CROSS, RACE),
        &[edit(MPSC, "head.store(self.head, Release)", "head.store(self.head, Relaxed)")],
    ),
    mistake(
        "mpsc: acquire to relaxed, at the consumer's position",
        Model(MPSC_CROSS, RACE),
        &[edit(CLAIM, "head.load(Acquire)", "head.load(Relaxed)")],
    ),
    mistake(
        "mpsc: a full test off by one",
        Model(MPSC_FULL, RACE),
        &[edit(
            CLAIM,
            "slots.len().saturating_sub(used)",
            "slots.len().saturating_add(1).saturating_sub(used)",
        )],
    ),
    mistake(
        "mpsc: a distance that does not wrap",
        Model(MPSC_CROSS, RACE),
        &[edit(
            CLAIM,
            "position(tail).wrapping_sub(self.head)",
            "position(tail).saturating_sub(self.head)",
        )],
    ),
    mistake(
        "mpsc: an element that is popped and dropped again with the ring",
        Model(MPSC_DROP, WRONG),
        &[edit(
            MPSC,
            "Drop for Read<'_, T> {\n    fn drop(&mut self) {\n        self.0.publish();",
            "Drop for Read<'_, T> {\n    fn drop(&mut self) {\n        let _ = &self.0;",
        )],
    ),
    mistake(
        "mpsc: a claim that does not look whether it was first",
        Model(MPSC_TWO, RACE),
        &[edit(
            CLAIM,
            ".compare_exchange_weak(tail, end, Relaxed, Relaxed)",
            ".fetch_update(Relaxed, Relaxed, |_| Some(end))",
        )],
    ),
    mistake(
        "mpsc: a claim that is not used up and holds up the rest",
        Model(MPSC_SHORT, STUCK),
        &[edit(CLAIM, "self.stamp(SKIPPED)", "self.next = self.end")],
    ),
    // Sleep.
    mistake(
        "mpsc: a lost wake-up, because nobody wakes",
        Model(MPSC_WAKE, DEADLOCK),
        &[edit(CLAIM, "tail & SLEEPING != 0", "tail & SLEEPING > SLEEPING")],
    ),
    mistake(
        "mpsc: a lost wake-up, between the last look and falling asleep",
        Model(MPSC_WAKE, DEADLOCK),
        &[
            edit(
                SLEEP,
                ".compare_exchange(awake, asleep, Relaxed, Relaxed).is_err()",
                ".fetch_or(asleep ^ awake, Relaxed) == usize::MAX",
            ),
            edit(SLEEP, ".load(Relaxed) == asleep", ".load(Relaxed) & SLEEPING != 0"),
        ],
    ),
    mistake(
        "mpsc: a lost wake-up, because it is given to a sleep that is over",
        Model(MPSC_LATE, DEADLOCK),
        &[edit(
            SLEEP,
            "= &*self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) {",
            "= self.sleeper.lock().unwrap_or_else(PoisonError::into_inner).take() {",
        )],
    ),
    mistake(
        "mpsc: a lost wake-up, when the last producer goes",
        Model(MPSC_LAST, DEADLOCK),
        &[edit(SLEEP, "& SLEEPING != 0 {", "& SLEEPING > SLEEPING {")],
    ),
    mistake(
        "mpsc: release to relaxed, when the last producer goes",
        Model(MPSC_SEEN, WRONG),
        &[edit(SLEEP, "fetch_or(CLOSED, Release)", "fetch_or(CLOSED, Relaxed)")],
    ),
    mistake(
        "mpsc: acquire to relaxed, when the last producer has gone",
        Model(MPSC_SEEN, WRONG),
        &[edit(SLEEP, "self.ring.tail.load(Acquire)", "self.ring.tail.load(Relaxed)")],
    ),
    mistake(
        "table: a count that another thread overwrites",
        Model(TABLE_LAST, WRONG),
        &[edit(
            TABLE,
            "match self.window.compare_exchange_weak(seen, pack(counter), Relaxed, Relaxed) {",
            "match Ok::<u64, u64>(self.window.swap(pack(counter), Relaxed)) {",
        )],
    ),
    mistake(
        "table: two threads that give the same slot away",
        Model(TABLE_APART, WRONG),
        &[edit(
            TABLE,
            "slot.key.compare_exchange(old_key, CHANGING_HANDS, Relaxed, Relaxed).is_err()",
            "slot.key.load(Relaxed) != old_key",
        )],
    ),
    mistake(
        "table: a window that is handed on as it was",
        Model(TABLE_LEFT, WRONG),
        &[edit(TABLE, "slot.window.swap(UNUSED, Relaxed);", "")],
    ),
    mistake(
        "table: release to relaxed, when a slot has a new key",
        Model(TABLE_LEFT, WRONG),
        &[edit(TABLE, "slot.key.store(key, Release)", "slot.key.store(key, Relaxed)")],
    ),
    mistake(
        "table: acquire to relaxed, when a client is found",
        Model(TABLE_LEFT, WRONG),
        &[edit(TABLE, "slot.key.load(Acquire) == key", "slot.key.load(Relaxed) == key")],
    ),
];
