//! Clients beside the load that send their request a byte at a time.
//!
//! They ask two questions of a server: are the others still served, and how long may one client hold
//! a connection? The attack is Robert Hansen's slowloris (2009). Their outcomes are reported apart
//! from the load and never mixed with it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io::{self, Write},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};

use crate::{
    connection::{Connection, Next, Outcome},
    dial::Dialer,
    event_loop::Job,
    failure::Failure,
    link::is_not_yet,
    machine::pin_current_thread,
    pacer::nanoseconds,
    run::Error,
};

/// A byte more or less late does not matter here, so the loop looks at the clock this often.
const TICK: Duration = Duration::from_millis(5);
const READ_LEN: usize = 16 << 10;

/// What became of the slow clients' requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SlowSummary {
    /// How many clients there were.
    pub clients: usize,
    /// Requests that were answered with success although they came so slowly.
    pub answered: u64,
    /// Requests that were not, by what the server did instead.
    pub failures: BTreeMap<Failure, u64>,
    /// Requests that were still on their way at the end.
    pub unfinished: u64,
    /// The longest time that the server let one client hold a connection, in seconds.
    pub longest_held_s: f64,
}

/// Dribbles until the load is over.
pub(crate) fn run(job: Job<'_>) -> Result<SlowSummary, Error> {
    let cores = &job.plan.cores;
    let pinned = if cores.is_empty() { Ok(()) } else { pin_current_thread(cores) };
    let ready = pinned.map_err(Error::from).and_then(|()| Ok(Poll::new()?));
    match (job.shared.begin_together(ready.is_ok()), ready) {
        (Some(start_ns), Ok(poll)) => SlowLoop::new(job, poll, start_ns).run(),
        (_, Err(error)) => Err(error),
        (None, Ok(_)) => Err(Error::OtherThread),
    }
}

struct SlowLoop<'a> {
    job: Job<'a>,
    poll: Poll,
    dialer: Dialer,
    clients: Vec<Client>,
    /// When each client does something next, earliest first.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    interval_ns: u64,
    summary: SlowSummary,
}

#[derive(Default)]
struct Client {
    connection: Connection,
    stream: Option<mio::net::TcpStream>,
    since_ns: u64,
}

impl<'a> SlowLoop<'a> {
    fn new(job: Job<'a>, poll: Poll, start_ns: u64) -> Self {
        let count = job.plan.slow.clients;
        let interval_ns = nanoseconds(job.plan.slow.interval);
        // Spread over the interval, so that the bytes of all clients do not come together.
        let first_ns = |index: usize| start_ns + interval_ns / count as u64 * index as u64;
        Self {
            job,
            poll,
            dialer: Dialer::new(job.address),
            clients: (0..count).map(|_| Client::default()).collect(),
            due: (0..count).map(|index| Reverse((first_ns(index), index))).collect(),
            interval_ns,
            summary: SlowSummary { clients: count, ..SlowSummary::default() },
        }
    }

    fn run(mut self) -> Result<SlowSummary, Error> {
        let mut events = Events::with_capacity(256);
        while !self.job.shared.is_over() {
            match self.poll.poll(&mut events, Some(TICK)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error.into());
                }
                _ => {}
            }
            for event in &events {
                self.read(event.token().0, None);
            }
            let now_ns = self.job.shared.now_ns();
            while let Some(index) = self.next_due(now_ns) {
                self.send_one_byte(index, now_ns);
                self.due.push(Reverse((now_ns + self.interval_ns, index)));
            }
        }
        for index in 0..self.clients.len() {
            self.summary.unfinished += self.clients[index].connection.in_flight() as u64;
            self.close(index);
        }
        Ok(self.summary)
    }

    fn next_due(&mut self, now_ns: u64) -> Option<usize> {
        let Reverse((due_ns, _)) = *self.due.peek()?;
        if due_ns > now_ns {
            return None;
        }
        self.due.pop().map(|Reverse((_, index))| index)
    }

    /// The next byte of the request; the first of a new one where the last has its outcome.
    fn send_one_byte(&mut self, index: usize, now_ns: u64) {
        if self.clients[index].stream.is_none()
            && let Err(error) = self.open(index, now_ns)
        {
            return self.fail(index, Failure::of_connect(&error));
        }
        let Client { connection, stream: Some(stream), .. } = &mut self.clients[index] else {
            return;
        };
        if !connection.wants_write() {
            return;
        }
        let written =
            connection.write_with(self.job.requests, |slices| stream.write(&slices[0][..1]));
        match written {
            // A server that refuses to wait has often said so before it closed.
            Err(error) if !is_not_yet(&error) => self.read(index, Some(&error)),
            _ => {}
        }
    }

    fn open(&mut self, index: usize, now_ns: u64) -> io::Result<()> {
        let client = &mut self.clients[index];
        let request = u32::try_from(index % self.job.requests.len()).expect("CLIENTS_MAX fits");
        client.connection.push(now_ns, request);
        client.since_ns = now_ns;
        let stream = client.stream.insert(self.dialer.dial()?);
        self.poll.registry().register(stream, Token(index), Interest::READABLE)
    }

    /// After a failed write the end of the stream is not the news; the error was.
    fn read(&mut self, index: usize, write_error: Option<&io::Error>) {
        let mut buffer = [0; READ_LEN];
        let mut outcomes = Vec::new();
        loop {
            let client = &mut self.clients[index];
            let Some(stream) = &mut client.stream else { return };
            let ended = match (io::Read::read(stream, &mut buffer), write_error) {
                (Ok(0) | Err(_), Some(error)) => {
                    return self.fail(index, Failure::of_stream(error));
                }
                (Ok(0), None) => {
                    client.connection.ended(&mut outcomes);
                    true
                }
                (Ok(len), _) => {
                    client.connection.received(&buffer[..len], &mut outcomes) != Next::Keep
                        || client.connection.in_flight() == 0
                }
                (Err(error), None) if is_not_yet(&error) => return,
                (Err(error), None) => return self.fail(index, Failure::of_stream(&error)),
            };
            self.count(&outcomes);
            if ended {
                return self.close(index);
            }
            outcomes.clear();
        }
    }

    fn fail(&mut self, index: usize, failure: Failure) {
        let mut outcomes = Vec::new();
        self.clients[index].connection.fail(failure, failure, &mut outcomes);
        self.count(&outcomes);
        self.close(index);
    }

    fn count(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            match outcome.result {
                Ok(_) => self.summary.answered += 1,
                Err(failure) => *self.summary.failures.entry(failure).or_default() += 1,
            }
        }
    }

    fn close(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.stream.take().is_some() {
            let held_ns = self.job.shared.now_ns().saturating_sub(client.since_ns);
            self.summary.longest_held_s = self.summary.longest_held_s.max(held_ns as f64 / 1e9);
        }
    }
}
