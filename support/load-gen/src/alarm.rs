//! Wakes an event loop at a time of nanosecond precision.
//!
//! `epoll_wait` counts in milliseconds and `mio` rounds up, which would send a request of an open
//! loop up to a millisecond late. On Linux a timer file descriptor wakes the loop to the microsecond
//! without spinning; elsewhere the loop spins through the last millisecond.

use std::{io, time::Duration};

use mio::{Registry, Token};

#[cfg(target_os = "linux")]
mod imp {
    use std::os::fd::{AsRawFd, OwnedFd};

    use mio::{Interest, unix::SourceFd};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use super::{Duration, Registry, Token, io};

    /// A timer that makes a registered token readable.
    pub(crate) struct Alarm {
        timer: OwnedFd,
        set_for_ns: Option<u64>,
    }

    impl Alarm {
        pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self { timer, set_for_ns: None })
        }

        /// Sets the alarm for a time that lies ahead and returns how long the poll may wait, the
        /// alarm aside. The timer is never read: setting it anew clears it, and with edge
        /// triggering that is enough.
        pub(crate) fn set(
            &mut self,
            at_ns: u64,
            now_ns: u64,
            longest: Duration,
        ) -> io::Result<Duration> {
            // Set already, and it has not rung: an alarm that rings lies in the past.
            if self.set_for_ns.replace(at_ns) == Some(at_ns) {
                return Ok(longest);
            }
            // Zero would switch the timer off.
            let after = Duration::from_nanos(at_ns.saturating_sub(now_ns).max(1));
            let it_value = Timespec::try_from(after).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let times = Itimerspec { it_interval, it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &times)?;
            Ok(longest)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Duration, Registry, Token, io};

    /// A timeout of the poll itself, cut down to whole milliseconds.
    pub(crate) struct Alarm;

    impl Alarm {
        #[expect(clippy::unnecessary_wraps, reason = "the same shape as on Linux")]
        pub(crate) fn new(_registry: &Registry, _token: Token) -> io::Result<Self> {
            Ok(Self)
        }

        /// Returns how long the poll may wait; below a millisecond, not at all.
        #[expect(clippy::unnecessary_wraps, reason = "the same shape as on Linux")]
        pub(crate) fn set(
            &mut self,
            at_ns: u64,
            now_ns: u64,
            longest: Duration,
        ) -> io::Result<Duration> {
            let whole_ms = at_ns.saturating_sub(now_ns) / 1_000_000;
            Ok(Duration::from_millis(whole_ms).min(longest))
        }
    }
}

pub(crate) use imp::Alarm;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const ALARM: Token = Token(7);

    /// Waits as an event loop does.
    fn wait_until(poll: &mut mio::Poll, alarm: &mut Alarm, begin: Instant, at: Duration) {
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap();
        let mut events = mio::Events::with_capacity(8);
        while begin.elapsed() < at {
            let now_ns = nanoseconds(begin.elapsed());
            let longest = alarm.set(nanoseconds(at), now_ns, Duration::from_secs(5)).unwrap();
            poll.poll(&mut events, Some(longest)).unwrap();
        }
    }

    #[test]
    fn wakes_again_and_again_without_being_read() {
        let mut poll = mio::Poll::new().unwrap();
        let mut alarm = Alarm::new(poll.registry(), ALARM).unwrap();
        let begin = Instant::now();
        for number in 1..=20 {
            wait_until(&mut poll, &mut alarm, begin, number * Duration::from_micros(300));
        }
        // A lost alarm would have cost the five seconds of the poll.
        assert!(begin.elapsed() < Duration::from_secs(4));
    }
}
