//! The server within the test's own process, so that the test can bring the application and the disk.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::thread;

use craft1_final::listen;
use craft1_final::server::{self, BUFFER_BYTES_MAX, EventLoop, Handler, Lane, Setup};
use craft1_final::telemetry::{Meter, Telemetry};
use craft1_final::writer::disk::Disk;
use craft1_final::writer::{self, Writer};
use craft1_phase1::http::Limits;
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::timeouts::Timeouts;
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use testkit::{DEADLINE, DataFolder};

/// What a server is made of beside its application.
pub(crate) struct Inside {
    pub(crate) ack: Ack,
    pub(crate) loops: usize,
    pub(crate) disk: Disk,
    pub(crate) buffer_bytes_max: usize,
}

impl Default for Inside {
    fn default() -> Self {
        let (ack, disk) = (Ack::Accepted, Disk::default());
        Self { ack, loops: 1, disk, buffer_bytes_max: BUFFER_BYTES_MAX }
    }
}

/// What became of it.
pub(crate) struct Ended<T> {
    /// What the client returned.
    pub(crate) result: T,
    /// What [`server::run`] did.
    pub(crate) served: io::Result<()>,
    /// What is in the file, line by line.
    pub(crate) stored: Vec<serde_json::Value>,
}

/// Runs a server for as long as `client` does. `handler` makes the application of each loop.
pub(crate) fn serve<'h, T>(
    inside: Inside,
    handler: impl Fn(usize, Rc<Meter>) -> Handler<'h> + Sync,
    client: impl FnOnce(SocketAddr, &Telemetry) -> T,
) -> Ended<T> {
    let Inside { ack, loops, disk, buffer_bytes_max } = inside;
    let folder = DataFolder::new();
    let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let count = NonZeroUsize::new(loops).expect("one loop or more");
    let listeners = listen::bind(any_port, count, 64).unwrap();
    let address = listeners[0].local_addr().unwrap();
    let event_loops: Vec<_> = listeners.into_iter().map(|it| EventLoop::new(it).unwrap()).collect();
    let options = writer::Options { ack, address, ..writer::Options::default() };
    let wakers = event_loops.iter().map(EventLoop::waker).collect();
    let (writer, outboxes) =
        Writer::start_on(disk, &folder.data_file(), json::parse, options, wakers).unwrap();
    let (telemetry, meters) = Telemetry::new(loops, ack);
    let (shutdown, stopper) = Shutdown::by_hand().unwrap();
    let timeouts = Timeouts { header: DEADLINE, body: DEADLINE, write: DEADLINE };
    let setup = Setup {
        limits: Limits::default(),
        timeouts,
        idle: DEADLINE,
        connections_max: 64,
        buffer_bytes_max,
        shutdown: &shutdown,
    };
    let lane = |((event_loop, outbox), meter)| Lane { event_loop, outbox, meter };
    let lanes = event_loops.into_iter().zip(outboxes).zip(meters).map(lane).collect();
    let (result, served) = thread::scope(|scope| {
        let running = scope.spawn(|| server::run(lanes, &setup, &handler));
        let result = client(address, &telemetry);
        drop(stopper);
        (result, running.join().unwrap())
    });
    writer.finish().unwrap();
    Ended { result, served, stored: folder.stored() }
}
