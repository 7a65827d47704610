//! Deadlines of many connections, where setting one and taking it back costs the same however many
//! there are.
//!
//! A hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987,
//! scheme 7). Time goes in ticks. The lowest level has a slot for each of the next 64 ticks, the
//! one above it a slot for each 64 of them, and so on, like the hands of a clock. When the hand of
//! a level moves on, the timers of the slot that it reaches move one level or more down.
//!
//! What always holds: a timer ends at its tick or at the first look after it, and never before.
//! Every timer lies above the present, in the lowest level whose higher digits it shares with the
//! present, so within a level the order of the slots is the order in time, and each level ends
//! before the next one begins.
//!
//! Nothing here reads a clock: [`Clock`] turns instants that are handed in into ticks.

use std::mem;
use std::time::{Duration, Instant};

/// The unit of all deadlines. They are seconds long, so being late by a hundredth does not matter,
/// and a coarse unit lets many timers end in one look.
pub const TICK: Duration = Duration::from_millis(TICK_MS);

const TICK_MS: u64 = 10;

/// Slots of a level: one for each bit of a word, so that the next one in use is one instruction away.
const SLOTS: usize = 1 << SLOT_BITS;

/// Bits of a tick that say the slot.
const SLOT_BITS: u32 = 6;

/// The lowest digit of a tick.
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// Together they reach over 21 years of ticks. What lies behind that ends there.
const LEVELS: u32 = 6;

/// The last tick there is.
const TICK_MAX: u64 = (1 << (SLOT_BITS * LEVELS)) - 1;

/// No timer: the end of a list.
const NONE: u32 = u32::MAX;

/// A point in time, in ticks since the clock's start.
pub type Tick = u64;

/// Where ticks begin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Tick 0 is now.
    pub fn starting_at(start: Instant) -> Self {
        Self { start }
    }

    /// The tick that `now` lies in.
    pub fn tick(self, now: Instant) -> Tick {
        let elapsed_ms = now.saturating_duration_since(self.start).as_millis();
        // After 21 years it stands still before the last tick, and everything ends at once.
        u64::try_from(elapsed_ms).map_or(TICK_MAX, |it| it / TICK_MS).min(TICK_MAX - 1)
    }

    /// The instant at which `tick` begins.
    pub fn instant(self, tick: Tick) -> Instant {
        self.start + Duration::from_millis(tick.min(TICK_MAX) * TICK_MS)
    }
}

/// How many ticks have to pass so that `duration` has passed, wherever in a tick it begins.
pub fn ticks(duration: Duration) -> u64 {
    let whole = duration.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(whole).unwrap_or(TICK_MAX).min(TICK_MAX) + 1
}

/// The timers. Each has a number, which the caller picks: small ones, as they index a table.
#[derive(Debug)]
pub struct TimerWheel {
    now: Tick,
    levels: [Level; LEVELS as usize],
    timers: Vec<Timer>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    /// A bit for each slot that has a timer.
    used: u64,
    /// The first timer of each slot.
    first: [u32; SLOTS],
}

/// An element of a doubly linked list: the timers of a slot, in no order.
#[derive(Debug, Clone, Copy)]
struct Timer {
    due: Tick,
    place: Option<Place>,
    previous: u32,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    level: u32,
    slot: u32,
}

impl Default for TimerWheel {
    fn default() -> Self {
        let level = Level { used: 0, first: [NONE; SLOTS] };
        Self { now: 0, levels: [level; LEVELS as usize], timers: Vec::new() }
    }
}

impl TimerWheel {
    /// Lets the timer `number` end at `due`, or at the next tick where that is over. If it is set
    /// already, it is moved.
    pub fn set(&mut self, number: u32, due: Tick) {
        self.cancel(number);
        let index = number as usize;
        if index >= self.timers.len() {
            let unset = Timer { due: 0, place: None, previous: NONE, next: NONE };
            self.timers.resize(index + 1, unset);
        }
        self.timers[index].due = due.min(TICK_MAX).max(self.now + 1);
        self.link(number);
    }

    /// Forgets the timer `number`, if it is set.
    pub fn cancel(&mut self, number: u32) {
        let Some(timer) = self.timers.get_mut(number as usize) else { return };
        let Some(place) = timer.place.take() else { return };
        let Timer { previous, next, .. } = *timer;
        if next != NONE {
            self.timers[next as usize].previous = previous;
        }
        if previous != NONE {
            self.timers[previous as usize].next = next;
            return;
        }
        let level = &mut self.levels[place.level as usize];
        level.first[place.slot as usize] = next;
        if next == NONE {
            level.used &= !(1 << place.slot);
        }
    }

    /// The next tick at which there is something to do. Until then `advance` need not be called; no
    /// timer ends before it, and perhaps none at it either.
    pub fn next_look(&self) -> Option<Tick> {
        Some(self.beginning_of(self.next_place()?))
    }

    /// Moves on to `now`, which [`Clock::tick`] gave, and appends the numbers of the timers that have ended to `ended`.
    pub fn advance(&mut self, now: Tick, ended: &mut Vec<u32>) {
        while let Some(place) = self.next_place() {
            let beginning = self.beginning_of(place);
            if beginning > now {
                break;
            }
            self.now = beginning;
            self.empty(place, ended);
        }
        self.now = self.now.max(now);
    }

    /// The slot in use that comes first in time.
    fn next_place(&self) -> Option<Place> {
        let used = |(level, Level { used, .. }): (u32, &Level)| {
            (*used != 0).then(|| Place { level, slot: used.trailing_zeros() })
        };
        (0..).zip(&self.levels).find_map(used)
    }

    /// The present with its digits from that level down replaced by the slot and zeros.
    fn beginning_of(&self, Place { level, slot }: Place) -> Tick {
        let shift = SLOT_BITS * level;
        let higher_digits = self.now >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        higher_digits | u64::from(slot) << shift
    }

    /// Takes all timers out of a slot that the present has reached: they have ended, or have a place
    /// on a lower level now.
    fn empty(&mut self, Place { level, slot }: Place, ended: &mut Vec<u32>) {
        let level = &mut self.levels[level as usize];
        let mut number = mem::replace(&mut level.first[slot as usize], NONE);
        level.used &= !(1 << slot);
        while number != NONE {
            let timer = &mut self.timers[number as usize];
            let next = timer.next;
            timer.place = None;
            if timer.due <= self.now {
                ended.push(number);
            } else {
                self.link(number);
            }
            number = next;
        }
    }

    fn link(&mut self, number: u32) {
        let timer = &mut self.timers[number as usize];
        // The highest digit in which it differs from the present.
        let level = (timer.due ^ self.now).ilog2() / SLOT_BITS;
        let slot = (timer.due >> (SLOT_BITS * level) & SLOT_MASK) as u32;
        timer.place = Some(Place { level, slot });
        timer.previous = NONE;
        let level = &mut self.levels[level as usize];
        timer.next = mem::replace(&mut level.first[slot as usize], number);
        level.used |= 1 << slot;
        let next = timer.next;
        if next != NONE {
            self.timers[next as usize].previous = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn advance(wheel: &mut TimerWheel, now: Tick) -> Vec<u32> {
        let mut ended = Vec::new();
        wheel.advance(now, &mut ended);
        ended.sort_unstable();
        ended
    }

    #[test]
    fn a_timer_ends_at_its_tick_on_every_level() {
        for due in [1, 63, 64, 65, 4_095, 4_096, 262_143, 262_144, 1 << 30, TICK_MAX] {
            let mut wheel = TimerWheel::default();
            wheel.set(7, due);
            assert!(advance(&mut wheel, due - 1).is_empty(), "{due}");
            assert_eq!(advance(&mut wheel, due), [7], "{due}");
            assert_eq!(wheel.next_look(), None, "{due}");
        }
    }

    #[test]
    fn a_timer_for_the_past_ends_at_the_next_tick_and_one_beyond_all_levels_at_the_last() {
        let mut wheel = TimerWheel::default();
        advance(&mut wheel, 100);
        wheel.set(0, 5);
        wheel.set(1, u64::MAX);
        assert_eq!(wheel.next_look(), Some(101));
        assert_eq!(advance(&mut wheel, 101), [0]);
        assert_eq!(advance(&mut wheel, TICK_MAX), [1]);
    }

    #[test]
    fn a_duration_has_passed_whole_when_its_ticks_have() {
        let start = Instant::now();
        let clock = Clock::starting_at(start);
        for begun_us in [0, 1, 9_999, 10_000, 123_456] {
            for duration_us in [1, 10_000, 10_001, 1_000_000] {
                let begun = start + Duration::from_micros(begun_us);
                let duration = Duration::from_micros(duration_us);
                let due = clock.instant(clock.tick(begun) + ticks(duration));
                assert!(due >= begun + duration, "{begun_us} {duration_us}");
                assert!(due <= begun + duration + 2 * TICK, "{begun_us} {duration_us}");
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set { number: u32, ticks: u64 },
        Cancel { number: u32 },
        Advance { ticks: u64 },
    }

    /// Of every size, so that every level is met.
    fn any_ticks() -> impl Strategy<Value = u64> {
        (0_u32..32, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_u32..20, any_ticks()).prop_map(|(number, ticks)| Step::Set { number, ticks }),
            1 => (0_u32..20).prop_map(|number| Step::Cancel { number }),
            2 => any_ticks().prop_map(|ticks| Step::Advance { ticks }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn does_what_a_sorted_table_does(steps in prop::collection::vec(any_step(), 1..200)) {
            let (mut wheel, mut model, mut now) = (TimerWheel::default(), BTreeMap::new(), 0);
            for step in steps {
                match step {
                    Step::Set { number, ticks } => {
                        wheel.set(number, now + ticks);
                        model.insert(number, (now + ticks).max(now + 1));
                    }
                    Step::Cancel { number } => {
                        wheel.cancel(number);
                        model.remove(&number);
                    }
                    Step::Advance { ticks } => {
                        now += ticks;
                        let is_over = |due: &u64| *due <= now;
                        let ended: Vec<_> =
                            model.iter().filter(|it| is_over(it.1)).map(|it| *it.0).collect();
                        model.retain(|_, due| !is_over(due));
                        prop_assert_eq!(advance(&mut wheel, now), ended);
                    }
                }
                let first_due = model.values().min().copied();
                prop_assert_eq!(wheel.next_look().is_some(), first_due.is_some());
                prop_assert!(wheel.next_look() <= first_due && wheel.next_look().is_none_or(|it| it > now));
            }
        }
    }
}
