//! What the `main.rs` of every phase needs and none of them teaches: options, the listener with a
//! message for people, and a line on standard output.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow, ensure};
use metrics_model::Timestamp;

use crate::http::{Limits, limits};
use crate::socket::Listener;
use crate::timeouts::Timeouts;

/// Where the server listens and where it stores.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address to listen on; another than this machine's own needs --insecure
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Let everybody who can reach the address send metrics: there is no password in this phase
    #[arg(long)]
    insecure: bool,
    /// File that metrics are appended to, one JSON object a line
    #[arg(long, value_name = "PATH", default_value = "metrics.jsonl")]
    pub data_file: PathBuf,
    /// Connections that the kernel keeps until they are accepted; it may allow fewer
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(i32).range(1..))]
    listen_backlog: i32,
}

impl Place {
    /// Opens the port.
    ///
    /// # Errors
    /// With what to do about it, where there is something.
    pub fn listen(&self) -> Result<Listener> {
        ensure!(
            self.bind.is_loopback() || self.insecure,
            "{} can be reached from outside and there is no password: add --insecure to mean it",
            self.bind
        );
        let address = SocketAddr::new(self.bind, self.port);
        Listener::bind(address, self.listen_backlog).map_err(|error| cannot_listen(address, &error))
    }
}

/// What to do where an address cannot be listened on.
pub fn cannot_listen(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            let other = port.checked_add(1).unwrap_or(8080);
            anyhow!("port {port} is in use: choose another (--port {other}) or any (--port 0)")
        }
        _ => anyhow!("cannot listen on {address}: {error}"),
    }
}

/// What a client may send, and how long it may take.
#[derive(Debug, clap::Args)]
pub struct Bounds {
    /// Longest body, in bytes; a longer one gets 413
    #[arg(long, value_name = "BYTES", default_value_t = limits::BODY_BYTES_MAX, value_parser = positive_count)]
    max_body: usize,
    /// Longest time for a request's head to arrive; a slower one gets 408
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    header_timeout: Duration,
    /// Longest time for a request's body to arrive; a slower one gets 408
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    body_timeout: Duration,
    /// Longest time for a client to take its answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    write_timeout: Duration,
}

impl Bounds {
    /// As the layers want them.
    pub fn split(&self) -> (Limits, Timeouts) {
        let limits = Limits { body_bytes: self.max_body, ..Limits::default() };
        let timeouts = Timeouts {
            header: self.header_timeout,
            body: self.body_timeout,
            write: self.write_timeout,
        };
        (limits, timeouts)
    }
}

/// The time for metrics that bring none. A clock that stands before 1970 was never set.
pub fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MIN)
}

/// Not `println!`, which panics once nobody reads: `craft1-phase1 | head -1` must not stop it.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// For clap: a duration with its unit, `250ms` or `10s`.
pub fn positive_duration(text: &str) -> Result<Duration> {
    let duration = humantime::parse_duration(text)?;
    ensure!(duration >= Duration::from_millis(1), "must be at least 1ms");
    Ok(duration)
}

/// For clap: a count that is not zero.
pub fn positive_count(text: &str) -> Result<usize> {
    let count = text.parse()?;
    ensure!(count > 0, "must be at least 1");
    Ok(count)
}
