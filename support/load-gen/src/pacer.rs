//! Decides which request leaves next, on which connection, and when: the load, without a socket.
//!
//! A connection offers as many *slots* as it may have requests in flight. A request takes a slot
//! when it starts and gives it back with its outcome.
//!
//! What always holds in an open loop: a request's intended time comes from the schedule and nothing
//! that the server does changes it. A request that finds no free slot waits in a queue, and its
//! latency counts the wait.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use crate::{
    plan::{Load, Plan, Reuse, Until},
    schedule::{Lane, Schedule},
};

/// Requests that may wait for a slot. At 8 bytes each, 8 MB; whoever needs more than a million has
/// long seen that the server does not keep up. Beyond it a request fails as never sent.
const WAITING_MAX: usize = 1 << 20;
/// In close mode the first connections are opened this far apart, so that ten thousand of them
/// do not overflow the queue of a listening socket at once.
const FIRST_CONNECTS_GAP_NS: u64 = 20_000;

/// The fixed points of a run, in nanoseconds of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a time has its unit in its name")]
pub(crate) struct Timeline {
    /// The load begins.
    pub(crate) start_ns: u64,
    /// The warm-up is over: requests that leave from here on are counted.
    pub(crate) measure_ns: u64,
    /// No request leaves any more. The end of time where a number of requests ends the run.
    pub(crate) end_ns: u64,
}

impl Timeline {
    /// The timeline of a plan whose load begins at `start_ns`.
    pub(crate) fn new(plan: &Plan, start_ns: u64) -> Self {
        let measure_ns = start_ns + nanoseconds(plan.warm_up);
        let end_ns = match plan.until {
            Until::Elapsed(duration) => measure_ns + nanoseconds(duration),
            Until::Requests(_) | Until::RequestsEach(_) => u64::MAX,
        };
        Self { start_ns, measure_ns, end_ns }
    }
}

/// A request that is to leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// The connection that carries it, by its number within the thread.
    pub(crate) link: u32,
    /// When it was to leave; its latency counts from here.
    pub(crate) intended_ns: u64,
}

/// Who decides when a request leaves: the answers or the clock.
#[derive(Debug)]
pub(crate) enum Pacer {
    /// Each slot's next request leaves when its last has its outcome.
    Closed(ClosedPacer),
    /// Requests leave by the schedule.
    Open(OpenPacer),
}

impl Pacer {
    /// The share of the load of one thread with `links` connections.
    pub(crate) fn new(plan: &Plan, lane: Lane, links: u32, timeline: Timeline) -> Self {
        match plan.load {
            Load::Closed { .. } => Self::Closed(ClosedPacer::new(plan, lane, links, timeline)),
            Load::Open { rate, arrivals } => {
                let schedule = Schedule::new(rate, arrivals, plan.ramp, plan.seed, lane);
                Self::Open(OpenPacer::new(plan, lane, links, timeline, schedule))
            }
        }
    }

    /// Takes note of the next arrival that is due by `now_ns` and returns its intended time. An open
    /// loop needs this to be called until there is none; a closed loop has no arrivals.
    pub(crate) fn admit(&mut self, now_ns: u64) -> Option<Admitted> {
        match self {
            Self::Closed(_) => None,
            Self::Open(pacer) => pacer.admit(now_ns),
        }
    }

    /// The next request that can leave at `now_ns`.
    pub(crate) fn start(&mut self, now_ns: u64) -> Option<Start> {
        match self {
            Self::Closed(pacer) => pacer.start(now_ns),
            Self::Open(pacer) => pacer.start(),
        }
    }

    /// Gives a slot of a connection back, to be used again after `pause_ns`.
    pub(crate) fn release(&mut self, link: u32, now_ns: u64, pause_ns: u64) {
        match self {
            Self::Closed(pacer) => pacer.release(link, now_ns, pause_ns),
            Self::Open(pacer) => pacer.free.push_back(link),
        }
    }

    /// When there will next be something to admit or to start, if nothing is given back before.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        match self {
            Self::Closed(pacer) => pacer.next_ns(),
            Self::Open(pacer) => pacer.next_arrival_ns(),
        }
    }

    /// Gives up the requests that wait since before `deadline_ns`; returns their intended times.
    pub(crate) fn expire(&mut self, deadline_ns: u64) -> impl Iterator<Item = u64> + '_ {
        std::iter::from_fn(move || match self {
            Self::Closed(_) => None,
            Self::Open(pacer) => pacer.waiting.pop_front_if(|intended| *intended < deadline_ns),
        })
    }

    /// Whether no request will leave any more, even if all slots come back.
    pub(crate) fn is_done(&self, now_ns: u64) -> bool {
        match self {
            Self::Closed(pacer) => now_ns >= pacer.timeline.end_ns || pacer.quota.is_used_up(),
            Self::Open(pacer) => pacer.next_arrival_ns().is_none() && pacer.waiting.is_empty(),
        }
    }

    /// Sends nothing more. Returns how many requests were waiting.
    pub(crate) fn stop(&mut self, now_ns: u64) -> u64 {
        match self {
            Self::Closed(pacer) => {
                pacer.timeline.end_ns = now_ns;
                0
            }
            Self::Open(pacer) => {
                pacer.timeline.end_ns = now_ns;
                pacer.waiting.drain(..).count() as u64
            }
        }
    }
}

/// An arrival of an open loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// It waits for a slot or has one.
    Waiting(u64),
    /// Too many wait already; it will never be sent.
    Refused(u64),
}

/// See [`Pacer::Closed`].
#[derive(Debug)]
pub(crate) struct ClosedPacer {
    timeline: Timeline,
    think_ns: u64,
    /// Slots that can be used at once.
    ready: VecDeque<u32>,
    /// Slots that can be used from a time on, earliest first.
    asleep: BinaryHeap<Reverse<(u64, u32)>>,
    quota: Quota,
}

impl ClosedPacer {
    fn new(plan: &Plan, lane: Lane, links: u32, timeline: Timeline) -> Self {
        let Load::Closed { think } = plan.load else { unreachable!("the caller has matched") };
        let think_ns = nanoseconds(think);
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
        let spread_ns = first_starts_spread_ns(plan);
        let slots = slots(links, plan.reuse.depth());
        let asleep = slots
            .map(|link| {
                let of_all = u64::from(link) * lane.count as u64 + lane.index as u64;
                let ramped_ns = spread_ns / plan.connections as u64 * of_all;
                // Clients that think do not think in step.
                let thought_ns = random.random_range(0..=think_ns);
                Reverse((timeline.start_ns + ramped_ns + thought_ns, link))
            })
            .collect();
        let quota = Quota::new(plan, lane, links);
        Self { timeline, think_ns, ready: VecDeque::new(), asleep, quota }
    }

    fn start(&mut self, now_ns: u64) -> Option<Start> {
        while self.asleep.peek().is_some_and(|Reverse((wake_ns, _))| *wake_ns <= now_ns) {
            self.ready.extend(self.asleep.pop().map(|Reverse((_, link))| link));
        }
        if now_ns >= self.timeline.end_ns {
            // Nobody is to be woken for them any more.
            self.ready.clear();
            self.asleep.clear();
            return None;
        }
        loop {
            let link = self.ready.pop_front()?;
            if now_ns < self.timeline.measure_ns || self.quota.take(link) {
                return Some(Start { link, intended_ns: now_ns });
            }
        }
    }

    fn release(&mut self, link: u32, now_ns: u64, pause_ns: u64) {
        match self.think_ns.max(pause_ns) {
            0 => self.ready.push_back(link),
            pause_ns => self.asleep.push(Reverse((now_ns + pause_ns, link))),
        }
    }

    fn next_ns(&self) -> Option<u64> {
        if !self.ready.is_empty() {
            return Some(0);
        }
        self.asleep.peek().map(|Reverse((wake_ns, _))| *wake_ns)
    }
}

/// See [`Pacer::Open`].
#[derive(Debug)]
pub(crate) struct OpenPacer {
    timeline: Timeline,
    schedule: Schedule,
    /// The next time of the schedule.
    next_ns: u64,
    /// Arrivals that have no slot yet, oldest first.
    waiting: VecDeque<u64>,
    /// Slots without a request. In turn, so that the load spreads over the connections.
    free: VecDeque<u32>,
    quota: Quota,
}

impl OpenPacer {
    fn new(plan: &Plan, lane: Lane, links: u32, timeline: Timeline, schedule: Schedule) -> Self {
        let mut pacer = Self {
            timeline,
            schedule,
            next_ns: 0,
            waiting: VecDeque::new(),
            free: slots(links, plan.reuse.depth()).collect(),
            quota: Quota::new(plan, lane, links).of_all(),
        };
        pacer.advance();
        pacer
    }

    fn advance(&mut self) {
        let after_start_ns = self.schedule.next().unwrap_or(u64::MAX);
        self.next_ns = self.timeline.start_ns.saturating_add(after_start_ns);
    }

    fn next_arrival_ns(&self) -> Option<u64> {
        let due = self.next_ns < self.timeline.end_ns;
        let counted = self.next_ns >= self.timeline.measure_ns;
        (due && !(counted && self.quota.is_used_up())).then_some(self.next_ns)
    }

    fn admit(&mut self, now_ns: u64) -> Option<Admitted> {
        let intended_ns = self.next_arrival_ns().filter(|due| *due <= now_ns)?;
        if intended_ns >= self.timeline.measure_ns {
            self.quota.take(0);
        }
        self.advance();
        if self.waiting.len() >= WAITING_MAX {
            return Some(Admitted::Refused(intended_ns));
        }
        self.waiting.push_back(intended_ns);
        Some(Admitted::Waiting(intended_ns))
    }

    fn start(&mut self) -> Option<Start> {
        if self.waiting.is_empty() {
            return None;
        }
        let link = self.free.pop_front()?;
        let intended_ns = self.waiting.pop_front()?;
        Some(Start { link, intended_ns })
    }
}

/// How many requests may still leave.
#[derive(Debug)]
enum Quota {
    Unlimited,
    /// From all connections of the thread together.
    All(u64),
    /// From each connection.
    Each {
        left: Vec<u64>,
        links_left: usize,
    },
}

impl Quota {
    fn new(plan: &Plan, lane: Lane, links: u32) -> Self {
        match plan.until {
            Until::Elapsed(_) => Self::Unlimited,
            Until::Requests(total) => Self::All(share(total, lane)),
            Until::RequestsEach(each) => {
                Self::Each { left: vec![each; links as usize], links_left: links as usize }
            }
        }
    }

    /// The same number, from whichever connection: an open loop does not choose.
    fn of_all(self) -> Self {
        match self {
            Self::Each { left, .. } => Self::All(left.iter().sum()),
            other => other,
        }
    }

    /// Takes one. False when there is none left for this connection.
    fn take(&mut self, link: u32) -> bool {
        match self {
            Self::Unlimited => true,
            Self::All(left) => left.checked_sub(1).map(|rest| *left = rest).is_some(),
            Self::Each { left, links_left } => {
                let left = &mut left[link as usize];
                let Some(rest) = left.checked_sub(1) else { return false };
                *left = rest;
                *links_left -= usize::from(rest == 0);
                true
            }
        }
    }

    fn is_used_up(&self) -> bool {
        matches!(self, Self::All(0) | Self::Each { links_left: 0, .. })
    }
}

/// The part of `total` that falls to a lane; the parts add up to the total.
pub(crate) fn share(total: u64, lane: Lane) -> u64 {
    let (index, count) = (lane.index as u64, lane.count as u64);
    total / count + u64::from(index < total % count)
}

/// Every connection as often as it may carry requests, the first slots of all before the second.
fn slots(links: u32, depth: usize) -> impl Iterator<Item = u32> {
    (0..depth).flat_map(move |_| 0..links)
}

fn first_starts_spread_ns(plan: &Plan) -> u64 {
    let ramp_ns = nanoseconds(plan.ramp);
    match plan.reuse {
        Reuse::KeepAlive { .. } => ramp_ns,
        Reuse::Close => ramp_ns.max(plan.connections as u64 * FIRST_CONNECTS_GAP_NS),
    }
}

/// Whole nanoseconds; 584 years fit.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "pacer_tests.rs"]
mod tests;
