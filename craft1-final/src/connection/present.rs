//! The present, as one turn of a loop sees it.
//!
//! What always holds: the clock is read when a turn begins and the calendar once a second, and
//! everything that happens in the turn happens at that moment.

use std::time::{Duration, Instant, SystemTime};

use crate::answer::Date;
use crate::timer_wheel::{Clock, Tick};

/// The moment at which the turn began.
#[derive(Debug)]
pub struct Present {
    clock: Clock,
    now: Instant,
    tick: Tick,
    date: Date,
    date_ends: Instant,
}

impl Present {
    /// Time begins.
    pub fn begin() -> Self {
        let now = Instant::now();
        let (clock, date) = (Clock::starting_at(now), Date::at(SystemTime::now()));
        Self { clock, now, tick: 0, date, date_ends: now }
    }

    /// A turn begins.
    pub fn read_clock(&mut self) {
        self.now = Instant::now();
        self.tick = self.clock.tick(self.now);
        if self.now >= self.date_ends {
            self.read_calendar();
        }
    }

    fn read_calendar(&mut self) {
        let time = SystemTime::now();
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let into_second = Duration::from_nanos(since_1970.subsec_nanos().into());
        self.date = Date::at(time);
        self.date_ends = self.now + Duration::from_secs(1).saturating_sub(into_second);
    }

    /// It, by the clock.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// It, in the unit of deadlines.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// It, as an answer says it.
    pub fn date(&self) -> &Date {
        &self.date
    }

    /// How long it is from then until `tick`.
    pub fn until(&self, tick: Tick) -> Duration {
        self.clock.instant(tick).saturating_duration_since(self.now)
    }
}
