//! Opens connections: all of them before the run, and one where a request finds its link closed.

use std::{io, sync::atomic::Ordering, time::Duration};

use mio::{Events, Interest, Token, event::Event};

use super::{ALARM, EVENTS_MAX, EventLoop};
use crate::{link::Socket, plan::Reuse, run::Error};

/// Connections that are begun together before the run, and the pause between two such groups. The
/// usual queue of a listening socket holds 128.
const CONNECT_BURST: usize = 64;
const CONNECT_BURST_GAP: Duration = Duration::from_millis(1);

impl EventLoop<'_> {
    /// Opens what is to be open before the first request: all connections where they are kept, the
    /// first one where each request has its own, to see that somebody is there.
    pub(super) fn connect_all(&mut self) -> Result<(), Error> {
        let wanted = match self.job.plan.reuse {
            Reuse::KeepAlive { .. } => self.links.len(),
            Reuse::Close => 1,
        };
        let deadline_ns = self.job.shared.now_ns() + self.timeout_ns;
        let mut events = Events::with_capacity(EVENTS_MAX);
        let (mut begun, mut open, mut failed, mut refusal) = (0, 0, 0, None);
        while open + failed < wanted && self.job.shared.now_ns() < deadline_ns {
            if self.job.shared.is_stopped() {
                return Ok(());
            }
            // Not more than one burst unfinished at any time.
            let burst = (wanted - begun).min(CONNECT_BURST - (begun - open - failed));
            for index in begun..begun + burst {
                if let Err(error) = self.dial(index) {
                    (failed, refusal) = (failed + 1, Some(error));
                }
            }
            begun += burst;
            self.poll_for(&mut events, Some(CONNECT_BURST_GAP))?;
            for event in events.iter().filter(|event| event.token() != ALARM) {
                match self.connected(event) {
                    Ok(is_new) => open += usize::from(is_new),
                    Err(error) => (failed, refusal) = (failed + 1, Some(error)),
                }
            }
        }
        let address = self.job.address;
        match refusal {
            Some(source) if open == 0 => Err(Error::CannotConnect { address, source }),
            None if open == 0 => Err(Error::ConnectTimedOut { address }),
            _ => Ok(()),
        }
    }

    /// Whether the event says that a connection has just been established. A server that closes it
    /// again before the first request is noticed here, and the request will open another.
    fn connected(&mut self, event: &Event) -> io::Result<bool> {
        let index = event.token().0;
        let is_new = self.links[index].check_connected().inspect_err(|_| {
            self.links[index].socket = Socket::Closed;
        })?;
        if is_new {
            self.job.shared.opened.fetch_add(1, Ordering::Relaxed);
        }
        if event.is_readable() || event.is_read_closed() {
            self.read(index, self.job.shared.now_ns(), true);
        }
        Ok(is_new)
    }

    /// Opens a link that is closed. On an error the link stays closed.
    pub(super) fn dial(&mut self, index: usize) -> io::Result<()> {
        let mut stream = self.dialer.dial()?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(index), interest)?;
        self.links[index].socket = Socket::Connecting(stream);
        Ok(())
    }
}
