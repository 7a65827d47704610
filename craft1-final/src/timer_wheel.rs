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

use std::time::{Duration, Instant};

/// The unit of all deadlines. They are seconds long, so being late by a hundredth does not matter,
/// and a coarse unit lets many timers end in one look.
pub const TICK: Duration = Duration::from_millis(10);

/// Slots of a level: one for each bit of a word, so that the next one in use is one instruction away.
const SLOTS: usize = 64;

/// Bits of a tick that say the slot: `SLOTS` is two to the power of this.
const SLOT_BITS: u32 = 6;

/// Together they reach over 21 years of ticks. What lies behind that ends there.
const LEVELS: usize = 6;

/// The last tick there is.
const TICK_MAX: u64 = (1 << (SLOT_BITS * LEVELS as u32)) - 1;

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
        let elapsed = now.saturating_duration_since(self.start).as_nanos() / TICK.as_nanos();
        u64::try_from(elapsed).unwrap_or(TICK_MAX)
    }

    /// The instant at which `tick` begins.
    pub fn instant(self, tick: Tick) -> Instant {
        // The start is in the past and ticks end after 21 years, so neither can overflow.
        self.start + Duration::from_millis(tick * TICK.as_millis() as u64)
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
    levels: [Level; LEVELS],
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
    level: u8,
    slot: u8,
}

impl Default for TimerWheel {
    fn default() -> Self {
        let level = Level { used: 0, first: [NONE; SLOTS] };
        Self { now: 0, levels: [level; LEVELS], timers: Vec::new() }
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
        self.timers[index].due = due.clamp(self.now + 1, TICK_MAX);
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
        let level = &mut self.levels[usize::from(place.level)];
        level.first[usize::from(place.slot)] = next;
        if next == NONE {
            level.used &= !(1 << place.slot);
        }
    }

    /// The next tick at which there is something to do. Until then `advance` need not be called; no
    /// timer ends before it, and perhaps none at it either.
    pub fn next_look(&self) -> Option<Tick> {
        let (level, slot) = self.next_slot()?;
        Some(self.beginning_of(level, slot))
    }

    /// Moves on to `now`, and appends the numbers of the timers that have ended to `ended`.
    pub fn advance(&mut self, now: Tick, ended: &mut Vec<u32>) {
        while let Some((level, slot)) = self.next_slot() {
            let beginning = self.beginning_of(level, slot);
            if beginning > now {
                break;
            }
            self.now = beginning;
            self.empty(level, slot, ended);
        }
        self.now = self.now.max(now);
    }

    /// The slot in use that comes first in time.
    fn next_slot(&self) -> Option<(usize, usize)> {
        let level = self.levels.iter().position(|level| level.used != 0)?;
        Some((level, self.levels[level].used.trailing_zeros() as usize))
    }

    /// The present with its digits from `level` down replaced by `slot` and zeros.
    fn beginning_of(&self, level: usize, slot: usize) -> Tick {
        let shift = SLOT_BITS * level as u32;
        let higher_digits = self.now >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        higher_digits | (slot as u64) << shift
    }

    /// Takes all timers out of a slot that the present has reached: they have ended, or have a place
    /// on a lower level now.
    fn empty(&mut self, level: usize, slot: usize, ended: &mut Vec<u32>) {
        let mut number = std::mem::replace(&mut self.levels[level].first[slot], NONE);
        self.levels[level].used &= !(1 << slot);
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
        let differing_bits = u64::BITS - (timer.due ^ self.now).leading_zeros();
        let level = differing_bits.saturating_sub(1) / SLOT_BITS;
        let slot = (timer.due >> (SLOT_BITS * level)) as usize % SLOTS;
        let first = &mut self.levels[level as usize].first[slot];
        (timer.previous, timer.next) = (NONE, *first);
        timer.place = Some(Place { level: level as u8, slot: slot as u8 });
        let next = std::mem::replace(first, number);
        if next != NONE {
            self.timers[next as usize].previous = number;
        }
        self.levels[level as usize].used |= 1 << slot;
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
            assert_eq!(advance(&mut wheel, due - 1), [], "{due}");
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
