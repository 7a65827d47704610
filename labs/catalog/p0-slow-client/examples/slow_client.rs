//! How long an answer of phase 0 takes, alone and beside one slow client: a line of JSON a round, in
//! milliseconds.
//!
//! What always holds: both figures of a round come from the same server, one after the other, and the
//! slow client is inside the server before anything is timed beside it.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::{Client, DataFolder, Server, get};

const ROUNDS: usize = 7;
/// Asked in a moment, and enough for a median that no single hiccup moves.
const ANSWERS_ALONE: usize = 200;
/// Each of them waits for the slow client.
const ANSWERS_BESIDE: usize = 5;
/// Far above an answer, and short enough to wait for some dozens of them.
const REQUEST_TIMEOUT: &str = "200ms";

fn main() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let address = server.address();
    for _ in 0..ROUNDS {
        let alone = median_ms(address, ANSWERS_ALONE);
        let beside = beside_a_slow_client(address, || median_ms(address, ANSWERS_BESIDE));
        println!("{}", json!({ "alone": alone, "beside": beside }));
    }
    server.stop().assert_success();
}

/// An example is not told where the program is. Cargo knows, and is the server's process then.
fn start(folder: &DataFolder) -> Server {
    let cargo = |verb: &str| {
        let mut command = Command::new(env!("CARGO"));
        command.args([verb, "--quiet", "--release", "--bin", "phase0"]);
        command
    };
    // On its own, because compiling takes longer than a server may take to start.
    assert!(
        cargo("build").status().is_ok_and(|status| status.success()),
        "phase0 does not compile"
    );
    let mut command = cargo("run");
    command.args(["--", "--port", "0", "--no-self-monitor", "--check-interval", "1h"]);
    command.args(["--request-timeout", REQUEST_TIMEOUT, "--data-file"]).arg(folder.data_file());
    Server::start(&mut command)
}

/// The median time of so many answers, one after the other.
fn median_ms(address: SocketAddr, count: usize) -> f64 {
    let answer = |_| {
        let asked = Instant::now();
        assert_eq!(get(address, "/health").status, 200);
        asked.elapsed()
    };
    let mut times: Vec<Duration> = (0..count).map(answer).collect();
    times.sort();
    times[count / 2].as_secs_f64() * 1000.0
}

/// Runs `work` while a client does nothing but hold the server up.
fn beside_a_slow_client<T>(address: SocketAddr, work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let slow = begin(address);
        scope.spawn(|| {
            let mut slow = slow;
            while !is_over.load(Relaxed) {
                slow.read_to_end().expect("an answer that says that it is too slow");
                // The server goes on when the old connection closes. By then the new one waits, so
                // that nobody is answered twice before it is the slow client's turn again.
                slow = begin(address);
            }
        });
        let result = work();
        is_over.store(true, Relaxed);
        result
    })
}

/// Half a request.
fn begin(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).expect("a server that listens");
    client.send(b"GET /health HTTP/1.1\r\nHost:").expect("a connection that is open");
    client
}
