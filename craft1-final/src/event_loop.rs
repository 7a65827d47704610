//! One event loop: waits for whoever has something to say, and gives each of them a turn.
//!
//! What always holds: nothing here waits but `poll`, a turn is bounded work, and whoever has more
//! to do comes after those who have not had their turn. The clock is read twice a turn, whatever is
//! done in it. An event is registered once in the life of a connection: both directions,
//! edge-triggered.
//!
//! The deadline of a connection moves with every request, and the wheel is not told: when a timer
//! ends too early, it is set again. So a request costs no timer (the same is done for TCP's
//! retransmission timer in Linux).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use craft1_phase1::http::Response;
use craft1_phase1::timeouts::Timeouts;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::connection::exchange::Shared;
use crate::connection::{Connection, Fate};
use crate::door::Door;
use crate::server::{Alarm, Places, Setup};
use crate::slab::{Key, Slab};
use crate::timer_wheel::{Tick, TimerWheel, ticks};

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

/// What one connection may read in a turn, and the one buffer that all of them read into. Large
/// enough for hundreds of small requests, small enough for a processor's second cache.
const READ_BYTES: usize = 64 * 1024;

/// Connections accepted in a turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Connections beyond the cap that may still read why they are refused. Beyond it they are cut off.
const SURPLUS_MAX: usize = 256;

/// When a client that was turned away may try again.
const RETRY_AFTER_S: u32 = 1;

const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The tokens that are no connection's.
const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);
const WAKE: Token = Token(usize::MAX - 2);

/// A loop that has not begun.
#[derive(Debug)]
pub struct EventLoop {
    poll: Poll,
    waker: Arc<Waker>,
    listener: TcpListener,
}

impl EventLoop {
    /// For the connections of `listener`.
    pub fn new(mut listener: TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        Ok(Self { poll, waker, listener })
    }

    /// What wakes it from another thread: when the writer has a verdict for it.
    pub fn waker(&self) -> Box<dyn Fn() + Send> {
        Box::new(self.wake())
    }

    /// The same, to be shared.
    pub(crate) fn wake(&self) -> impl Fn() + Send + Sync + use<> {
        let waker = Arc::clone(&self.waker);
        // It fails where the loop is gone, and then there is nobody to wake.
        move || drop(waker.wake())
    }

    /// Serves until the server is to stop and everybody was answered.
    ///
    /// # Errors
    /// Those of waiting for events.
    pub fn run(
        self,
        shared: Shared<'_>,
        setup: &Setup<'_>,
        places: &Places,
        alarm: &Alarm,
    ) -> io::Result<()> {
        let Self { poll, listener, waker: _ } = self;
        let stop = setup.shutdown.as_fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&stop), STOP, Interest::READABLE)?;
        let running = Running {
            poll,
            door: Door::new(listener),
            connections: Slab::default(),
            wheel: TimerWheel::default(),
            ended: Vec::new(),
            again: VecDeque::new(),
            buffer: vec![0; READ_BYTES].into(),
            shared,
            setup,
            places,
            alarm,
            surplus: 0,
            stops_at: None,
        };
        running.run()
    }
}

/// A loop with its connections.
struct Running<'r, 'h> {
    poll: Poll,
    door: Door,
    connections: Slab<Seat>,
    wheel: TimerWheel,
    /// The timers that have ended in this turn.
    ended: Vec<u32>,
    /// Those who have more to do, without an event that would say so.
    again: VecDeque<Key>,
    buffer: Box<[u8]>,
    shared: Shared<'h>,
    setup: &'r Setup<'r>,
    places: &'r Places,
    alarm: &'r Alarm,
    /// Connections beyond the cap.
    surplus: usize,
    /// Once it is to stop: when nobody is waited for any longer.
    stops_at: Option<Tick>,
}

/// A connection and what the loop has to remember about it.
struct Seat {
    connection: Connection,
    /// When its timer ends: at its deadline or before.
    alarm: Tick,
    /// Whether it is in `again`.
    is_queued: bool,
    /// Whether there was no room for it.
    is_surplus: bool,
}

impl Running<'_, '_> {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while self.stops_at.is_none() || !self.connections.is_empty() {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => self.turn(&events),
            }
        }
        Ok(())
    }

    // ANCHOR: turn
    fn turn(&mut self, events: &Events) {
        self.shared.present.read_clock();
        for event in events {
            match event.token() {
                LISTENER => self.door.knock(),
                STOP => self.stop(),
                WAKE if self.alarm.is_raised() => self.stop(),
                // The verdicts are looked at in every turn.
                WAKE => {}
                Token(index) => self.event(index, event),
            }
        }
        self.accept();
        self.serve_again();
        self.unpark();
        self.end_those_due();
        self.shared.end_turn();
    }
    // ANCHOR_END: turn

    /// How long nothing can happen but an event.
    fn timeout(&self) -> Option<Duration> {
        if !self.again.is_empty() || self.door.has_more() {
            return Some(Duration::ZERO);
        }
        let looks = [self.wheel.next_look(), self.door.rests_until(), self.stops_at];
        looks.into_iter().flatten().min().map(|tick| self.shared.present.until(tick))
    }

    fn event(&mut self, index: usize, event: &Event) {
        // A connection that was closed in this turn may have left its events behind, and another may
        // sit in its place. It takes no harm: it looks, and finds nothing.
        let key = u32::try_from(index).ok().and_then(|index| self.connections.key_at(index));
        if let Some(key) = key {
            self.give_turn(key, |connection, buffer, shared| {
                connection.event(event.is_readable(), event.is_read_closed(), buffer, shared)
            });
        }
    }

    /// A turn for one connection, and what follows from it.
    fn give_turn(
        &mut self,
        key: Key,
        turn: impl FnOnce(&mut Connection, &mut [u8], &mut Shared<'_>) -> Fate,
    ) {
        let Some(seat) = self.connections.get_mut(key) else { return };
        let connection = &mut seat.connection;
        let fate = turn(connection, &mut self.buffer, &mut self.shared);
        let is_over = match fate {
            Fate::Close => true,
            Fate::Again => false,
            Fate::Wait => self.stops_at.is_some() && connection.is_idle(),
        };
        if is_over {
            self.close(key);
            return;
        }
        if fate == Fate::Again && !seat.is_queued {
            seat.is_queued = true;
            self.again.push_back(key);
        }
        if connection.deadline() < seat.alarm {
            seat.alarm = connection.deadline();
            self.wheel.set(key.index, seat.alarm);
        }
    }

    fn serve_again(&mut self) {
        for _ in 0..self.again.len() {
            let Some(key) = self.again.pop_front() else { return };
            if let Some(seat) = self.connections.get_mut(key) {
                seat.is_queued = false;
                self.give_turn(key, Connection::go_on);
            }
        }
    }

    /// Sends the answers that the writer has decided: those of one connection that are neighbours in
    /// one write.
    fn unpark(&mut self) {
        while let Some(verdict) = self.shared.verdict() {
            while let Some(key) = self.shared.next_unparked(&verdict) {
                let mut count = 0;
                while self.shared.next_unparked(&verdict) == Some(key) {
                    self.shared.unpark(&verdict);
                    count += 1;
                }
                self.give_turn(key, |connection, buffer, shared| {
                    connection.unpark(count, buffer, shared)
                });
                // Of a connection that is gone.
                self.shared.out.clear();
            }
        }
    }

    fn end_those_due(&mut self) {
        let tick = self.shared.present.tick();
        let mut ended = std::mem::take(&mut self.ended);
        self.wheel.advance(tick, &mut ended);
        for index in ended.drain(..) {
            let Some(key) = self.connections.key_at(index) else { continue };
            let Some(seat) = self.connections.get_mut(key) else { continue };
            seat.alarm = Tick::MAX;
            let is_due = seat.connection.deadline() <= tick;
            self.give_turn(key, |connection, buffer, shared| {
                if is_due { connection.out_of_time(buffer, shared) } else { Fate::Wait }
            });
        }
        self.ended = ended;
        if self.stops_at.is_some_and(|stops_at| stops_at <= tick) {
            self.connections.keys().into_iter().for_each(|key| self.close(key));
        }
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some((stream, peer)) = self.door.accept(self.shared.present.tick()) else { return };
            self.welcome(stream, peer);
        }
    }

    fn welcome(&mut self, mut stream: TcpStream, peer: SocketAddr) {
        let is_surplus = !self.places.take();
        if is_surplus {
            self.shared.meter.refused_connection();
            if self.surplus == SURPLUS_MAX {
                return;
            }
        }
        let key = self.connections.next_key();
        // Nagle's algorithm (RFC 896) holds a small packet back until the one before has arrived.
        // Answers that belong together are one write here, so there is nothing to collect.
        let is_ready = stream.set_nodelay(true).and_then(|()| {
            self.poll.registry().register(&mut stream, Token(key.index as usize), INTEREST)
        });
        let connection = Connection::new(stream, key, peer.ip(), &self.shared);
        let alarm = connection.deadline();
        self.connections.insert(Seat { connection, alarm, is_queued: false, is_surplus });
        self.wheel.set(key.index, alarm);
        if is_surplus {
            self.surplus += 1;
        } else {
            self.shared.meter.opened_connection();
        }
        if is_ready.is_err() {
            self.close(key);
        } else if is_surplus {
            let response = Response::unavailable("too many connections", RETRY_AFTER_S);
            self.give_turn(key, |connection, buffer, shared| {
                connection.refuse(&response, buffer, shared)
            });
        } else if self.stops_at.is_some() {
            self.give_turn(key, Connection::go_on);
        }
    }

    fn close(&mut self, key: Key) {
        let Some(Seat { connection, is_surplus, .. }) = self.connections.remove(key) else {
            return;
        };
        self.wheel.cancel(key.index);
        connection.close(&mut self.shared);
        if is_surplus {
            self.surplus -= 1;
        } else {
            self.places.give_back();
            self.shared.meter.closed_connection();
        }
    }

    /// Lets in who has come before, and nobody else; lets go who has not begun; and answers the
    /// others.
    fn stop(&mut self) {
        if self.stops_at.is_some() {
            return;
        }
        let Timeouts { header, body, write } = self.setup.timeouts;
        // Whoever has begun may take the time that a request may take.
        self.stops_at = Some(self.shared.present.tick() + ticks(header + body + write));
        self.shared.stop();
        // The bound is for a crowd that goes on coming.
        for _ in 0..self.setup.connections_max {
            let Some((stream, peer)) = self.door.accept(self.shared.present.tick()) else { break };
            self.welcome(stream, peer);
        }
        self.door.close();
        for key in self.connections.keys() {
            self.give_turn(key, Connection::go_on);
        }
    }
}
