//! A server that does exactly what a script says: how long each answer takes and what it looks like.
//! Plain blocking threads and nothing shared with the generator, so that it can judge it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub(crate) const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";

/// What the server does with a request.
pub(crate) enum Action {
    /// Sends the bytes after a time, and keeps the connection.
    Answer(Duration, Vec<u8>),
    /// Sends the bytes and closes in good order.
    AnswerAndClose(Vec<u8>),
    /// Ends the connection with a TCP reset.
    Reset,
    /// Says nothing and keeps the connection open.
    Silence,
}

impl Action {
    pub(crate) fn accept() -> Self {
        Self::Answer(Duration::ZERO, ACCEPTED.to_vec())
    }

    pub(crate) fn accept_after(delay: Duration) -> Self {
        Self::Answer(delay, ACCEPTED.to_vec())
    }

    pub(crate) fn status(status: u16) -> Self {
        let head = format!("HTTP/1.1 {status} Scripted\r\nContent-Length: 0\r\n\r\n");
        Self::Answer(Duration::ZERO, head.into_bytes())
    }
}

/// What the script knows about a request.
pub(crate) struct Request {
    /// From 0, over all connections.
    pub(crate) number: u64,
    /// When its last byte was read.
    pub(crate) received: Instant,
    /// When the first request of all was read.
    pub(crate) first_received: Instant,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// What the server has seen. The test compares it with what the generator says.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) client_ids: Mutex<BTreeMap<String, u64>>,
    first: Mutex<Option<Instant>>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
}

impl Server {
    /// Runs for as long as the test program does.
    pub(crate) fn start(script: impl Fn(&Request) -> Action + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (script, counts) = (Arc::new(script), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&counts));
                seen.connections.fetch_add(1, Ordering::Relaxed);
                let stream = stream.unwrap();
                thread::spawn(move || serve(stream, &*script, &seen));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::Relaxed)
    }
}

/// Any error ends the connection: the client has gone away.
fn serve(mut stream: TcpStream, script: &dyn Fn(&Request) -> Action, seen: &Seen) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader, seen) {
        match script(&request) {
            Action::Answer(delay, bytes) => {
                thread::sleep((request.received + delay).saturating_duration_since(Instant::now()));
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Action::AnswerAndClose(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Action::Reset => {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
            Action::Silence => {
                let _ = std::io::copy(&mut reader, &mut std::io::sink());
                return;
            }
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>, seen: &Seen) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let body_len = field("Content-Length: ").map_or(0, |len| len.parse().unwrap());
    if let Some(id) = field("X-Client-Id: ") {
        *seen.client_ids.lock().unwrap().entry(id.to_owned()).or_default() += 1;
    }
    let mut body = vec![0; body_len];
    reader.read_exact(&mut body).ok()?;
    let received = Instant::now();
    let first_received = *seen.first.lock().unwrap().get_or_insert(received);
    let number = seen.requests.fetch_add(1, Ordering::Relaxed);
    Some(Request { number, received, first_received, head, body })
}

/// Noise of a shared machine can spoil one run, and not three; an error spoils all of them.
pub(crate) fn one_of_three(check: impl Fn() -> Result<(), String>) {
    let mut failures = Vec::new();
    for _ in 0..3 {
        match check() {
            Ok(()) => return,
            Err(failure) => failures.push(failure),
        }
    }
    panic!("three times wrong: {failures:#?}");
}

/// Within a tenth of what the script says. A busy machine makes answers later; what is wrong by
/// construction, as to leave out the requests that had to wait, is wrong by far more.
pub(crate) fn agree(what: &str, found: f64, expected: f64) -> Result<(), String> {
    if (found / expected - 1.0).abs() <= 0.1 {
        Ok(())
    } else {
        Err(format!("{what} is {found}, the script says {expected}"))
    }
}
