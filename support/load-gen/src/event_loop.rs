//! One thread of the load: sockets, a clock, and the pure parts that decide.
//!
//! The loop is built to cost little. A response and the request that follows it are one `read` and
//! one `write`; readiness comes for many connections in one `epoll_wait`; requests are ready-made
//! bytes; nothing is allocated for a request. A short `read` ends the reading, because with edge
//! triggering the next byte brings the next event (epoll(7), question 9). Writing is tried before
//! waiting for writability, on a new connection as well: over loopback it is open by then.

mod connect;
mod exchange;

use std::{io, net::SocketAddr, time::Duration};

use mio::{Events, Poll, Token};

use crate::{
    alarm::Alarm,
    connection::Outcome,
    dial::Dialer,
    failure::Failure,
    link::{Link, Socket},
    machine::{ThreadUse, pin_current_thread},
    pacer::{Admitted, Pacer, Start, Timeline, nanoseconds},
    plan::Plan,
    progress::{Shared, Snapshot},
    request::Requests,
    run::Error,
    schedule::Lane,
    tally::Tally,
};

/// Events taken from the kernel at once: enough to make the call cheap, few enough that a due
/// request does not wait long behind them.
const EVENTS_MAX: usize = 256;
/// One `read`. A pipeline of a thousand short responses fits.
const READ_LEN: usize = 64 << 10;
/// The token that is not a connection.
const ALARM: Token = Token(usize::MAX);
/// Closer than this the next request is waited for by polling: going to sleep and being woken takes
/// as long.
const SPIN_NS: u64 = 20_000;
/// How often timeouts are looked for, where the timeout itself is not shorter.
const SWEEP_NS: u64 = 50_000_000;
/// How often the figures for the observer are renewed.
const PUBLISH_NS: u64 = 250_000_000;
/// After an interruption the answers that are on their way are awaited this long.
const STOP_GRACE_NS: u64 = 200_000_000;

/// What a thread brings home.
pub(crate) struct Report {
    pub(crate) tally: Tally,
    pub(crate) timeline: Timeline,
    /// What the thread used within the window.
    pub(crate) used: ThreadUse,
    /// Of which it spent polling for a request that was due within microseconds.
    pub(crate) spun_ns: u64,
    pub(crate) opened: u64,
    pub(crate) sources_used: u8,
}

/// Everything that all event loops of a run have in common.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) requests: &'a Requests,
    pub(crate) address: SocketAddr,
    pub(crate) shared: &'a Shared,
}

/// Runs one thread's share of the load from connecting to the last answer.
pub(crate) fn run(job: Job<'_>, lane: Lane) -> Result<Report, Error> {
    let cores = &job.plan.cores;
    let pinned = if cores.is_empty() {
        Ok(())
    } else {
        pin_current_thread(&[cores[lane.index % cores.len()]])
    };
    let connected = pinned.map_err(Error::from).and_then(|()| {
        let mut event_loop = EventLoop::new(job, lane)?;
        event_loop.connect_all()?;
        Ok(event_loop)
    });
    match (job.shared.begin_together(connected.is_ok()), connected) {
        (Some(start_ns), Ok(event_loop)) => event_loop.load(start_ns),
        (_, Err(error)) => Err(error),
        (None, Ok(_)) => Err(Error::OtherThread),
    }
}

struct EventLoop<'a> {
    job: Job<'a>,
    lane: Lane,
    poll: Poll,
    alarm: Alarm,
    dialer: Dialer,
    links: Vec<Link>,
    pacer: Pacer,
    timeline: Timeline,
    tally: Tally,
    timeout_ns: u64,
    /// Which request is sent next.
    next_request: usize,
    in_flight: usize,
    /// Links with requests that were added and not yet written.
    dirty: Vec<u32>,
    /// Taken from one link and counted; kept for its memory.
    outcomes: Vec<Outcome>,
    buffer: Box<[u8]>,
    meter: Meter,
}

/// What is measured about the loop itself.
#[derive(Default)]
struct Meter {
    began: Option<ThreadUse>,
    used: Option<ThreadUse>,
    spun_ns: u64,
    next_sweep_ns: u64,
    next_publish_ns: u64,
    stopped_ns: Option<u64>,
}

impl<'a> EventLoop<'a> {
    fn new(job: Job<'a>, lane: Lane) -> Result<Self, Error> {
        let plan = job.plan;
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let links = crate::pacer::share(plan.connections as u64, lane);
        let links = u32::try_from(links).expect("CONNECTIONS_MAX fits");
        let timeline = Timeline::new(plan, 0);
        Ok(Self {
            job,
            lane,
            poll,
            alarm,
            dialer: Dialer::new(job.address),
            links: (0..links).map(|_| Link::default()).collect(),
            pacer: Pacer::new(plan, lane, links, timeline),
            timeline,
            tally: Tally::default(),
            timeout_ns: nanoseconds(plan.timeout),
            next_request: job.requests.len() / lane.count * lane.index,
            in_flight: 0,
            dirty: Vec::new(),
            outcomes: Vec::new(),
            buffer: vec![0; READ_LEN].into_boxed_slice(),
            meter: Meter::default(),
        })
    }

    fn load(mut self, start_ns: u64) -> Result<Report, Error> {
        self.timeline = Timeline::new(self.job.plan, start_ns);
        let links = u32::try_from(self.links.len()).expect("CONNECTIONS_MAX fits");
        self.pacer = Pacer::new(self.job.plan, self.lane, links, self.timeline);
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut now_ns = self.job.shared.now_ns();
        loop {
            self.start_due(now_ns);
            self.housekeeping(now_ns);
            if self.is_finished(now_ns) {
                break;
            }
            let wait = self.set_alarm(now_ns)?;
            self.poll_for(&mut events, Some(wait))?;
            let before_ns = std::mem::replace(&mut now_ns, self.job.shared.now_ns());
            if events.is_empty() && wait.is_zero() {
                self.meter.spun_ns += now_ns - before_ns;
            }
            for event in events.iter().filter(|event| event.token() != ALARM) {
                now_ns = self.on_event(event, now_ns);
                self.start_due(now_ns);
            }
        }
        Ok(self.report(now_ns))
    }

    /// An interrupted poll has simply no events.
    fn poll_for(&mut self, events: &mut Events, wait: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, wait) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            other => other,
        }
    }

    /// How long the poll may take.
    fn set_alarm(&mut self, now_ns: u64) -> io::Result<Duration> {
        let longest = Duration::from_nanos(self.sweep_ns());
        let Some(next_ns) = self.pacer.next_ns() else { return Ok(longest) };
        match next_ns.saturating_sub(now_ns) {
            0..SPIN_NS => Ok(Duration::ZERO),
            after_ns if after_ns >= self.sweep_ns() => Ok(longest),
            _ => self.alarm.set(next_ns, now_ns, longest),
        }
    }

    /// A twentieth of the timeout is as exact as a timeout needs to be.
    fn sweep_ns(&self) -> u64 {
        (self.timeout_ns / 20).clamp(1_000_000, SWEEP_NS)
    }

    /// Sends everything that is due.
    fn start_due(&mut self, now_ns: u64) {
        while let Some(admitted) = self.pacer.admit(now_ns) {
            let (Admitted::Waiting(intended_ns) | Admitted::Refused(intended_ns)) = admitted;
            if intended_ns >= self.timeline.measure_ns {
                self.tally.lag.saturating_record(now_ns - intended_ns);
            }
            if let Admitted::Refused(_) = admitted {
                self.never_sent(intended_ns, now_ns);
            }
        }
        while let Some(Start { link, intended_ns }) = self.pacer.start(now_ns) {
            let target = &mut self.links[link as usize];
            if !target.connection.wants_write() {
                self.dirty.push(link);
            }
            let request = u32::try_from(self.next_request).expect("CLIENTS_MAX fits");
            target.connection.push(intended_ns, request);
            self.next_request = (self.next_request + 1) % self.job.requests.len();
            self.in_flight += 1;
        }
        while let Some(link) = self.dirty.pop() {
            self.flush(link as usize, now_ns);
        }
    }

    fn never_sent(&mut self, intended_ns: u64, now_ns: u64) {
        let outcome = Outcome { intended_ns, result: Err(Failure::NeverSent) };
        self.tally.record(outcome, now_ns, self.timeout_ns, &self.timeline);
    }

    /// What is done a few times a second at most.
    fn housekeeping(&mut self, now_ns: u64) {
        if self.meter.began.is_none() && now_ns >= self.timeline.measure_ns {
            self.meter.began = Some(ThreadUse::now());
            self.meter.spun_ns = 0;
        }
        if self.meter.used.is_none() && now_ns >= self.timeline.end_ns {
            self.meter.used = Some(self.used());
        }
        if now_ns >= self.meter.next_sweep_ns {
            self.meter.next_sweep_ns = now_ns + self.sweep_ns();
            self.sweep(now_ns);
            if self.job.shared.is_stopped() && self.meter.stopped_ns.is_none() {
                self.stop(now_ns);
            }
        }
        if now_ns >= self.meter.next_publish_ns {
            self.meter.next_publish_ns = now_ns + PUBLISH_NS;
            self.publish();
        }
    }

    fn used(&self) -> ThreadUse {
        self.meter.began.map(|began| ThreadUse::now().since(began)).unwrap_or_default()
    }

    /// Gives up what is older than the timeout.
    fn sweep(&mut self, now_ns: u64) {
        let deadline_ns = now_ns.saturating_sub(self.timeout_ns);
        for index in 0..self.links.len() {
            if self.links[index].connection.oldest_ns().is_some_and(|oldest| oldest < deadline_ns) {
                match self.links[index].socket {
                    Socket::Open(_) => {
                        self.fail(index, Failure::TimedOut, Failure::Abandoned, now_ns);
                    }
                    Socket::Connecting(_) | Socket::Closed => {
                        let failure = Failure::ConnectTimedOut;
                        self.fail(index, failure, failure, now_ns);
                    }
                }
            }
        }
        let expired: Vec<u64> = self.pacer.expire(deadline_ns).collect();
        for intended_ns in expired {
            self.never_sent(intended_ns, now_ns);
        }
    }

    /// The observer has seen enough.
    fn stop(&mut self, now_ns: u64) {
        self.meter.stopped_ns = Some(now_ns);
        self.timeline.end_ns = self.timeline.end_ns.min(now_ns);
        self.tally.unfinished += self.pacer.stop(now_ns);
    }

    fn is_finished(&self, now_ns: u64) -> bool {
        let grace_over = self.meter.stopped_ns.is_some_and(|ns| now_ns >= ns + STOP_GRACE_NS);
        grace_over || (self.in_flight == 0 && self.pacer.is_done(now_ns))
    }

    fn publish(&self) {
        let snapshot = Snapshot {
            succeeded: self.tally.succeeded(),
            failed: self.tally.failed(),
            p99_ns: self.tally.latency.value_at_quantile(0.99),
        };
        self.job.shared.publish(self.lane.index, snapshot);
    }

    fn report(mut self, now_ns: u64) -> Report {
        self.publish();
        self.tally.unfinished += self.in_flight as u64;
        // Where a number of requests ends the run, the window ends with the last outcome.
        self.timeline.end_ns = self.timeline.end_ns.min(now_ns);
        Report {
            used: self.meter.used.unwrap_or_else(|| self.used()),
            spun_ns: self.meter.spun_ns,
            opened: self.dialer.opened(),
            sources_used: self.dialer.sources_used(),
            timeline: self.timeline,
            tally: self.tally,
        }
    }
}
