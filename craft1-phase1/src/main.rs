//! Craft 1, phase 1: puts the layers together. All of them are born here; see `lib.rs`.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use craft1_phase1::connection::{Connection, Timeouts};
use craft1_phase1::http::{Framing, Limits, Request, Response, head::Repeated, limits};
use craft1_phase1::service::{Call, Delivery, Health, Service, Unstored};
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::socket::Listener;
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::writer::Writer;
use craft1_phase1::{json, server};
use metrics_model::Timestamp;

/// Takes metrics over HTTP and appends them to a file, with a thread for each connection.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
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
    data_file: PathBuf,
    /// Connections that wait to be accepted; the kernel may allow fewer
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(i32).range(1..))]
    backlog: i32,
    /// Connections that are served at once; one more gets 503
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = positive_count)]
    max_connections: usize,
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

const EXAMPLES: &str = r#"Examples:
  craft1-phase1 --port 8080 --data-file metrics.jsonl
  curl --json '{"name":"cpu_usage","value":85.5}' http://127.0.0.1:8080/metrics
  curl http://127.0.0.1:8080/metrics

Ctrl-C answers the requests that are on their way, and exits. A second Ctrl-C exits at once."#;

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(
        options.bind.is_loopback() || options.insecure,
        "{} can be reached from outside and there is no password: add --insecure to mean it",
        options.bind
    );
    let at = options.data_file.display();
    let writer =
        Writer::open(&options.data_file, json::parse, |damage| eprintln!("{at}: {damage}"))
            .with_context(|| format!("data file {at}"))?;
    let listener = listen(SocketAddr::new(options.bind, options.port), options.backlog)?;
    let address = listener.local_address()?;
    let telemetry = Telemetry::default();
    // Before the first line: whoever reads it may send a signal at once.
    let shutdown = Shutdown::on_signals(|| "0 accepted metrics are lost".into())?;
    say(&format!("listening on http://{address}"));

    let store = |delivery: &Delivery<'_>| match writer.append(delivery, now()) {
        Ok(()) => {
            telemetry.stored(delivery.batch.len());
            Ok(())
        }
        Err(error) => {
            eprintln!("cannot write {at}: {error}");
            Err(Unstored)
        }
    };
    let health = || {
        let stored = telemetry.stored_metrics();
        Health { queue_size: 0, accepted: stored, stored }
    };
    let render = || telemetry.render();
    let service = Service { parse_body: json::parse, health: &health, telemetry: &render };
    let answer = |request: &Request| match call(request) {
        Ok(call) => service.answer(&call, store),
        Err(repeated) => Response::error(400, repeated, None),
    };
    let (limits, timeouts) = options.bounds();
    server::run(listener, &shutdown, options.max_connections, &telemetry, |socket, _peer| {
        let (shutdown, telemetry) = (&shutdown, &telemetry);
        let connection = Connection { socket: &socket, limits, timeouts, shutdown, telemetry };
        // A client that leaves before its answer loses nothing but the answer.
        drop(connection.serve(answer));
    })?;
    writer
        .sync()
        .with_context(|| format!("the last writes to {at} may not survive a power cut"))?;
    say(&format!("stopped: wrote {} metrics to {at}", telemetry.stored_metrics()));
    Ok(())
}

impl Options {
    fn bounds(&self) -> (Limits, Timeouts) {
        let limits = Limits { body_bytes: self.max_body, ..Limits::default() };
        let timeouts = Timeouts {
            header: self.header_timeout,
            body: self.body_timeout,
            write: self.write_timeout,
        };
        (limits, timeouts)
    }
}

fn listen(address: SocketAddr, backlog: i32) -> Result<Listener> {
    Listener::bind(address, backlog).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            let other = port.checked_add(1).unwrap_or(8080);
            anyhow!("port {port} is in use: choose another (--port {other}) or any (--port 0)")
        }
        _ => anyhow!("cannot listen on {address}: {error}"),
    })
}

/// What the routes need of a request.
fn call(request: &Request) -> Result<Call<'_>, Repeated> {
    let head = &request.head;
    Ok(Call {
        method: &head.method,
        path: &head.path,
        content_type: head.fields.single("Content-Type")?,
        content_encoding: head.fields.single("Content-Encoding")?,
        client_id: head.fields.single("X-Client-Id")?,
        body: (head.framing != Framing::None).then_some(&request.body),
    })
}

/// A clock that stands before 1970 was never set.
fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MIN)
}

/// Not `println!`, which panics once nobody reads: `craft1-phase1 | head -1` must not stop it.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn positive_duration(text: &str) -> Result<Duration> {
    let duration = humantime::parse_duration(text)?;
    ensure!(duration >= Duration::from_millis(1), "must be at least 1ms");
    Ok(duration)
}

fn positive_count(text: &str) -> Result<usize> {
    let count = text.parse()?;
    ensure!(count > 0, "must be at least 1");
    Ok(count)
}
