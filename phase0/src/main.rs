//! Phase 0: a whole monitoring system in one file.
//!
//! Metrics arrive over HTTP, wait in a queue, are appended to a file, are found again by name and
//! time, and raise alerts. The five sections stand in the order in which the data flows:
//!
//! | section     | here                                 | where it grows up            |
//! |-------------|--------------------------------------|------------------------------|
//! | 1 ingestion | one thread, one request a connection | Craft 1: metrics ingestion   |
//! | 2 queue     | a `VecDeque` under one lock          | Craft 2: a distributed queue |
//! | 3 storage   | JSON lines, one write a metric       | Craft 3: time-series storage |
//! | 4 query     | reads the whole file, every time     | Craft 4: a query engine      |
//! | 5 alerting  | reads the whole file, at every check | Craft 5: alerting            |
//!
//! It is naive on purpose: each `Naive:` comment says what will hurt, and when. It is not careless:
//! every limit has a name, every bad request gets an answer that says what is wrong, and a metric
//! that was answered with 202 is in the file after a clean stop.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt::Display, process, str, thread};

use anyhow::{Context, Result, anyhow, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Parser;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, de::IgnoredAny};
use serde_json::{Value, json, value::RawValue};
use signal_hook::{consts::SIGINT, consts::SIGTERM, iterator::Signals};
use sysinfo::{Disks, Networks};

#[cfg(test)]
mod tests;

/// A monitoring system in one file, watching this machine from the first second.
///
/// It takes metrics at POST /metrics, stores them as JSON lines, answers queries, raises alerts and
/// shows a live page at GET /.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    /// Port to listen on, at 127.0.0.1 only; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// File that metrics are appended to, one JSON object a line
    #[arg(long, value_name = "PATH", default_value = "metrics.jsonl")]
    data_file: PathBuf,
    /// Alert rule: NAME OPERATOR NUMBER [for DURATION]; repeat the option for more rules
    #[arg(long = "rule", value_name = "RULE", value_parser = Rule::parse,
          default_values = ["cpu_usage > 90 for 60s", "memory_usage > 90 for 60s"])]
    rules: Vec<Rule>,
    /// Time between two checks of the alert rules
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = positive_duration)]
    check_interval: Duration,
    /// Time between two samples of this machine's CPU, memory, disks and network
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = positive_duration)]
    sample_interval: Duration,
    /// Do not sample this machine
    #[arg(long)]
    no_self_monitor: bool,
    /// Longest time that a client may take to send its request
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    request_timeout: Duration,
}

const EXAMPLES: &str = r#"Examples:
  phase0                          then open http://127.0.0.1:8080/ in a browser
  phase0 --port 0 --rule "cpu_usage > 80 for 60s" --rule "queue_depth >= 1000"
  curl --json '{"name":"cpu_usage","value":85.5}' http://127.0.0.1:8080/metrics
  curl 'http://127.0.0.1:8080/query?name=cpu_usage&agg=avg&step=10s'

Ctrl-C writes what is queued, says how much, and exits. A second Ctrl-C exits at once."#;

/// What the threads share.
struct System {
    options: Options,
    queue: Queue,
    rules: Mutex<Vec<Rule>>,
    requests_by_status: Mutex<BTreeMap<u16, u64>>,
    accepted: AtomicU64,
    stored: AtomicU64,
    stopping: AtomicBool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let storage = Storage::open(&options.data_file)?;
    let listener = bind(options.port)?;
    let address = listener.local_addr()?;
    // Before the first line: whoever reads it may send a signal at once.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    say(&format!("listening on http://{address}"));
    say("open it in a browser for the live page; Ctrl-C stops");

    let system = System {
        queue: Queue::default(),
        rules: Mutex::new(options.rules.clone()),
        requests_by_status: Mutex::default(),
        accepted: AtomicU64::new(0),
        stored: AtomicU64::new(0),
        stopping: AtomicBool::new(false),
        options,
    };
    let end_of_signals = signals.handle();
    thread::scope(|scope| {
        scope.spawn(|| stop_on_signals(&mut signals, &system, address));
        let sampler = scope.spawn(|| sample_this_machine(&system, address));
        let alerting = scope.spawn(|| watch_rules(&system));
        let consumer = scope.spawn(|| consume(&system, storage));

        serve(&listener, &system);

        // The drain follows the data: what no longer comes in cannot be lost further down.
        drop(listener);
        sampler.thread().unpark();
        alerting.thread().unpark();
        system.queue.close();
        let drained = consumer.join();
        end_of_signals.close();
        drained.map_err(|_| anyhow!("the storage thread panicked"))
    })?;
    let (stored, lost) = (system.stored.load(Relaxed), system.unstored());
    say(&format!("stopped: wrote {stored} metrics to {}", system.options.data_file.display()));
    ensure!(lost == 0, "{lost} accepted metrics could not be written and are lost");
    Ok(())
}

fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let other = port.checked_add(1).unwrap_or(8080);
            anyhow!("port {port} is in use: choose another (--port {other}) or any (--port 0)")
        }
        _ => anyhow!("cannot listen on 127.0.0.1:{port}: {error}"),
    })
}

/// The first signal drains, the second one exits at once and says what is lost.
fn stop_on_signals(signals: &mut Signals, system: &System, address: SocketAddr) {
    for signal in signals.forever() {
        if system.stopping.swap(true, Relaxed) {
            eprintln!("stopped at once: {} accepted metrics are lost", system.unstored());
            process::exit(128 + signal);
        }
        // `accept` waits for a connection and for nothing else. This is one.
        let _ = TcpStream::connect(address);
    }
}

/// Not `println!`, which panics once nobody reads: `phase0 | head -1` must not stop the system.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn positive_duration(text: &str) -> Result<Duration> {
    let duration = humantime::parse_duration(text)?;
    ensure!(duration >= Duration::from_millis(1), "must be at least 1ms");
    Ok(duration)
}

/// A poisoned lock is taken all the same: what these locks guard is whole between two statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// ------------------------------------------------------------------------------------------------
// 1. Ingestion: bytes become a request, a request becomes metrics, metrics go into the queue.
// ------------------------------------------------------------------------------------------------

const TARGET_BYTES_MAX: usize = 8 * 1024;
const HEAD_BYTES_MAX: usize = 32 * 1024;
const FIELDS_MAX: usize = 100;
const BODY_BYTES_MAX: usize = 1024 * 1024;
const BATCH: RangeInclusive<usize> = 1..=1_000;
const NAME_BYTES: RangeInclusive<usize> = 1..=255;
const TAGS_MAX: usize = 32;
const TAG_VALUE_BYTES_MAX: usize = 1024;
/// 1970 to 9999, what RFC 3339 can write.
const UNIX_MS: RangeInclusive<i64> = 0..=253_402_300_799_999;
/// An error repeats at most this much of what the client sent.
const DETAIL_CHARS_MAX: usize = 240;
/// What a refused client may go on to send, in pauses and pieces, before it is cut off.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_READS_MAX: usize = 256;
const CHUNK_BYTES: usize = 16 * 1024;

/// One metric, as it is sent, stored and returned. A known field sent twice is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metric {
    /// Unix milliseconds. Sent as that number or as RFC 3339 text, stored as text.
    #[serde(default = "now", serialize_with = "write_time", deserialize_with = "read_time")]
    timestamp: i64,
    name: String,
    value: f64,
    #[serde(rename = "type", default, skip_serializing_if = "is_default")]
    kind: Kind,
    #[serde(
        default,
        skip_serializing_if = "is_default",
        deserialize_with = "serde_with::rust::maps_duplicate_key_is_error::deserialize"
    )]
    tags: Tags,
}

type Tags = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Gauge,
    Counter,
    Histogram,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn now() -> i64 {
    Utc::now().timestamp_millis()
}

fn rfc3339(unix_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Unix milliseconds from their digits or from RFC 3339 text.
fn parse_time(text: &str) -> Option<i64> {
    let rfc3339 = || Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis());
    text.parse().ok().or_else(rfc3339).filter(|unix_ms| UNIX_MS.contains(unix_ms))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a field by reference")]
fn write_time<S: Serializer>(unix_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*unix_ms))
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let unix_ms = match Value::deserialize(deserializer)? {
        Value::Number(number) => parse_time(&number.to_string()),
        Value::String(text) if text.contains(':') => parse_time(&text),
        _ => None,
    };
    let expected = "timestamp: expected Unix milliseconds or RFC 3339 text, 1970 to 9999";
    unix_ms.ok_or_else(|| D::Error::custom(expected))
}

/// The outside of a body: a batch, or with `name` and `value` a single metric.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    metrics: Option<Vec<&'a RawValue>>,
    name: Option<IgnoredAny>,
    value: Option<IgnoredAny>,
}

/// Takes a body whole or refuses it whole.
///
/// Naive: it is walked twice, and every name and tag is copied. Phase 3 reads it once, in place.
pub(crate) fn parse_batch(body: &[u8]) -> Result<Vec<Metric>> {
    let body = str::from_utf8(body).context("the body is not UTF-8")?;
    let envelope: Envelope<'_> = parse_object(body)?;
    let Some(items) = envelope.metrics else { return Ok(vec![parse_metric(body)?]) };
    ensure!(envelope.name.or(envelope.value).is_none(), "a metric and a batch in the same body");
    ensure!(BATCH.contains(&items.len()), "metrics: {} items, expected 1 to 1000", items.len());
    let parse = |(at, it): (_, &&RawValue)| {
        parse_metric(it.get()).with_context(|| format!("metrics[{at}]"))
    };
    items.iter().enumerate().map(parse).collect()
}

fn parse_metric(text: &str) -> Result<Metric> {
    let metric: Metric = parse_object(text)?;
    let is_name = |text: &str| NAME_BYTES.contains(&text.len()) && !text.contains(char::is_control);
    let short = |value: &String| value.len() <= TAG_VALUE_BYTES_MAX;
    ensure!(is_name(&metric.name), "name: expected 1 to 255 bytes without control characters");
    ensure!(metric.tags.len() <= TAGS_MAX, "tags: more than 32");
    ensure!(metric.tags.keys().all(|key| is_name(key)), "tags: a key is not a valid name");
    ensure!(metric.tags.values().all(short), "tags: a value is longer than 1024 bytes");
    Ok(metric)
}

fn parse_object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    // serde would also fill a struct from an array, field by field.
    ensure!(text.trim_ascii_start().starts_with('{'), "expected a JSON object");
    Ok(serde_json::from_str(text)?)
}

/// An answer, good or bad: what can refuse a request returns `Result<_, Response>`.
#[derive(Debug)]
struct Response {
    status: u16,
    content_type: &'static str,
    extra_field: &'static str,
    body: Vec<u8>,
}

impl Response {
    fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, extra_field: "", body: body.into() }
    }

    fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    fn error(status: u16, detail: impl Display) -> Self {
        let error = reason_phrase(status).to_lowercase().replace(' ', "_");
        let detail: String = detail.to_string().chars().take(DETAIL_CHARS_MAX).collect();
        Self::json(status, &json!({ "error": error, "detail": detail }))
    }

    fn into_bytes(self) -> Vec<u8> {
        let Self { status, content_type, extra_field, body } = self;
        let (reason, body_len) = (reason_phrase(status), body.len());
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n\
             Content-Length: {body_len}\r\n{extra_field}Connection: close\r\n\r\n"
        );
        [head.into_bytes(), body].concat()
    }
}

fn reason_phrase(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason()).unwrap_or_default()
}

fn refuse<T>(status: u16, detail: impl Display) -> Result<T, Response> {
    Err(Response::error(status, detail))
}

// ANCHOR: serve
/// Answers one connection after the other until a signal says stop.
///
/// Naive: one thread, one request at a time. A slow client, or a query over a large file, makes
/// everyone wait. Craft 1 gives each connection a thread, then a pool, then an event loop.
fn serve(listener: &TcpListener, system: &System) {
    for stream in listener.incoming() {
        if system.stopping.load(Relaxed) {
            return;
        }
        match stream {
            // A client that leaves before its answer loses nothing but the answer.
            Ok(stream) => drop(answer(stream, system)),
            // Out of file descriptors, say: accepting again at once would only spin.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}
// ANCHOR_END: serve

fn answer(mut stream: TcpStream, system: &System) -> io::Result<()> {
    stream.set_write_timeout(Some(system.options.request_timeout))?;
    let request = read_request(&mut stream, Instant::now() + system.options.request_timeout);
    let refused_early = request.is_err();
    let response = match request {
        Ok(None) => return Ok(()),
        Ok(Some(request)) => route(&request, system).unwrap_or_else(|refusal| refusal),
        Err(refusal) => refusal,
    };
    *locked(&system.requests_by_status).entry(response.status).or_default() += 1;
    stream.write_all(&response.into_bytes())?;
    if refused_early {
        // Closing while the client still sends would reset the connection, and the client would
        // never see the answer that says why (RFC 9112, section 9.6).
        stream.shutdown(Shutdown::Write)?;
        stream.set_read_timeout(Some(LINGER))?;
        let mut discarded = [0; CHUNK_BYTES];
        let _ = (0..LINGER_READS_MAX).all(|_| matches!(stream.read(&mut discarded), Ok(1..)));
    }
    Ok(())
}

struct Request {
    method: String,
    target: String,
    content_type: Option<String>,
    body: Vec<u8>,
}

/// `None` where the peer closes before its first byte. Ends by the deadline, however slow the peer.
fn read_request(stream: &mut TcpStream, deadline: Instant) -> Result<Option<Request>, Response> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; CHUNK_BYTES]);
    loop {
        if let Some(request) = parse_request(&bytes)? {
            return Ok(Some(request));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        // A time limit of zero would mean none.
        let read = stream.set_read_timeout(Some(left.max(Duration::from_millis(1))));
        match read.and_then(|()| stream.read(&mut chunk)) {
            Ok(0) if bytes.is_empty() => return Ok(None),
            Ok(0) => return refuse(400, "the connection ended inside the request"),
            Ok(len) => bytes.extend_from_slice(&chunk[..len]),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return refuse(408, "the request is too slow"),
                _ => return refuse(400, format!("the connection broke: {error}")),
            },
        }
    }
}

/// `None` while bytes are missing. Strict (RFC 9112): what two readers could understand differently is
/// refused, because behind a proxy that difference lets one client speak in another one's name.
///
/// Naive: a request in many pieces is parsed again for each, and a body in chunks is refused.
fn parse_request(bytes: &[u8]) -> Result<Option<Request>, Response> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let head_len = match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= HEAD_BYTES_MAX => len,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_BYTES_MAX => return Ok(None),
        Ok(_) => return refuse(431, "the header is longer than 32 KiB"),
        Err(httparse::Error::TooManyHeaders) => return refuse(431, "more than 100 header fields"),
        Err(httparse::Error::Version) if bytes.windows(6).any(|it| it == b" HTTP/") => {
            return refuse(505, "expected HTTP/1.1 or HTTP/1.0");
        }
        Err(error) => return refuse(400, format!("malformed request: {error}")),
    };
    let (method, target) = (head.method.unwrap_or_default(), head.path.unwrap_or_default());
    let mut lines = bytes[..head_len].split_inclusive(|byte| *byte == b'\n');
    if !lines.all(|line| line.ends_with(b"\r\n")) {
        return refuse(400, "a line does not end in CR LF");
    }
    if target.len() > TARGET_BYTES_MAX {
        return refuse(414, "the target is longer than 8 KiB");
    }
    let field = |name: &str| {
        let mut found = head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|field| String::from_utf8_lossy(field.value))),
            _ => refuse(400, format!("{name} is given twice")),
        }
    };
    if field("Host")?.is_none() && head.version == Some(1) {
        return refuse(400, "HTTP/1.1 needs a Host field");
    }
    let body_len = match (field("Content-Length")?, field("Transfer-Encoding")?) {
        (Some(_), Some(_)) => return refuse(400, "both Content-Length and Transfer-Encoding"),
        (None, Some(_)) => return refuse(501, "Transfer-Encoding: send Content-Length instead"),
        (None, None) if method == "POST" => return refuse(411, "send Content-Length"),
        (None, None) => 0,
        (Some(digits), None)
            if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) =>
        {
            return refuse(400, "Content-Length is not a row of digits");
        }
        (Some(digits), None) => digits.parse().unwrap_or(usize::MAX),
    };
    if body_len > BODY_BYTES_MAX {
        return refuse(413, "the body is longer than 1 MiB");
    }
    let Some(body) = bytes[head_len..].get(..body_len) else { return Ok(None) };
    let content_type = field("Content-Type")?.map(String::from);
    Ok(Some(Request {
        method: method.into(),
        target: target.into(),
        content_type,
        body: body.into(),
    }))
}

fn route(request: &Request, system: &System) -> Result<Response, Response> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    match (path, request.method.as_str()) {
        ("/metrics", "POST") => ingest(request, system),
        ("/metrics", "GET") => {
            Ok(Response::new(200, "text/plain; version=0.0.4", system.telemetry()))
        }
        ("/query", "GET") => answer_query(query, system),
        ("/alerts", "GET") => Ok(Response::json(200, &json!(*locked(&system.rules)))),
        ("/health", "GET") => Ok(Response::json(200, &system.health())),
        ("/", "GET") => {
            Ok(Response::new(200, "text/html; charset=utf-8", include_str!("page.html")))
        }
        ("/metrics" | "/query" | "/alerts" | "/health" | "/", method) => {
            let allow = if path == "/metrics" { "Allow: GET, POST\r\n" } else { "Allow: GET\r\n" };
            let refusal = Response::error(405, format!("{method} is not for {path}"));
            Err(Response { extra_field: allow, ..refusal })
        }
        _ => refuse(404, "try /, /metrics, /query, /alerts or /health"),
    }
}

// ANCHOR: ingest
fn ingest(request: &Request, system: &System) -> Result<Response, Response> {
    let media_type = request.content_type.as_deref().and_then(|value| value.split(';').next());
    if media_type.is_some_and(|it| !it.trim().eq_ignore_ascii_case("application/json")) {
        return refuse(415, "send Content-Type: application/json");
    }
    let batch = parse_batch(&request.body).or_else(|error| refuse(400, format!("{error:#}")))?;
    let count = batch.len();
    // Counted first: the consumer may have stored it all before the push returns.
    system.accepted.fetch_add(count as u64, Relaxed);
    if system.queue.push_all(batch) == Err(QueueFull) {
        system.accepted.fetch_sub(count as u64, Relaxed);
        let refusal = Response::error(503, "the queue is full: the disk does not keep up");
        return Err(Response { extra_field: "Retry-After: 1\r\n", ..refusal });
    }
    Ok(Response::json(202, &json!({ "status": "accepted", "accepted": count })))
}
// ANCHOR_END: ingest

impl System {
    /// Metrics that were answered with 202 and are not in the file.
    fn unstored(&self) -> u64 {
        // Stored first: read second, it could count a metric that accepted did not have yet.
        let stored = self.stored.load(Relaxed);
        self.accepted.load(Relaxed) - stored
    }

    fn health(&self) -> Value {
        let (accepted, stored) = (self.accepted.load(Relaxed), self.stored.load(Relaxed));
        let queue_size = self.queue.len();
        json!({ "status": "ok", "queue_size": queue_size, "accepted": accepted, "stored": stored })
    }

    /// Its own counters, in the Prometheus text format 0.0.4.
    fn telemetry(&self) -> String {
        let mut lines = vec!["# TYPE ingest_requests_total counter".to_string()];
        for (status, count) in &*locked(&self.requests_by_status) {
            lines.push(format!("ingest_requests_total{{status=\"{status}\"}} {count}"));
        }
        for (name, kind, value) in [
            ("accepted_metrics_total", "counter", self.accepted.load(Relaxed)),
            ("stored_metrics_total", "counter", self.stored.load(Relaxed)),
            ("queue_size", "gauge", self.queue.len() as u64),
        ] {
            lines.push(format!("# TYPE ingest_{name} {kind}\ningest_{name} {value}"));
        }
        lines.join("\n") + "\n"
    }
}

// ------------------------------------------------------------------------------------------------
// 2. Queue: lets the API answer before the disk does.
// ------------------------------------------------------------------------------------------------

/// Some 20 MB. Without a bound, a disk that stops would fill the memory.
const QUEUE_MAX: usize = 100_000;

/// First in, first out; closed once, at the end.
///
/// Naive: every push and every pop takes the one lock, and what is queued dies with the process.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    metrics: VecDeque<Metric>,
    closed: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct QueueFull;

impl Queue {
    // ANCHOR: queue
    /// Takes all of a batch or none of it.
    pub(crate) fn push_all(&self, batch: Vec<Metric>) -> Result<(), QueueFull> {
        let mut state = locked(&self.state);
        if state.metrics.len() + batch.len() > QUEUE_MAX {
            return Err(QueueFull);
        }
        state.metrics.extend(batch);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next metric; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<Metric> {
        let wait = |state: &mut QueueState| state.metrics.is_empty() && !state.closed;
        let state = self.changed.wait_while(locked(&self.state), wait);
        state.unwrap_or_else(PoisonError::into_inner).metrics.pop_front()
    }

    fn close(&self) {
        locked(&self.state).closed = true;
        self.changed.notify_one();
    }
    // ANCHOR_END: queue

    fn len(&self) -> usize {
        locked(&self.state).metrics.len()
    }
}

// ------------------------------------------------------------------------------------------------
// 3. Storage: one background thread moves metrics from the queue to the file.
// ------------------------------------------------------------------------------------------------

/// Longer than any line we write, so that a damaged file cannot fill the memory.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
const WRITE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The open file. Up to `end` it holds whole lines; nobody else writes to it.
struct Storage {
    file: File,
    end: u64,
}

impl Storage {
    /// Opens or creates the file, reports every damaged line and cuts a torn last one.
    fn open(path: &Path) -> Result<Self> {
        let at = path.display();
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = opened.with_context(|| format!("cannot open {at}"))?;
        ensure!(file.metadata()?.is_file(), "{at} is not a regular file");
        ensure!(file.try_lock().is_ok(), "{at} is in use by another process: set --data-file");
        let end = scan(path, |line| {
            if let Err(damage) = line {
                eprintln!("{at}: {damage}; it stays and is skipped");
            }
        })?;
        let torn_bytes = file.metadata()?.len() - end;
        if torn_bytes > 0 {
            eprintln!("{at}: cut 1 torn last line of {torn_bytes} bytes");
            file.set_len(end)?;
        }
        Ok(Self { file, end })
    }

    // ANCHOR: append
    /// Naive: one system call a metric, and no sync: a power cut loses what the kernel still holds.
    fn append(&mut self, metric: &Metric) -> io::Result<()> {
        let line = serde_json::to_string(metric)? + "\n";
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // Half a line may be there. Cut it, or the next try stands behind it.
            self.file.set_len(self.end)?;
            return Err(error);
        }
        self.end += line.len() as u64;
        Ok(())
    }
    // ANCHOR_END: append
}

/// Moves metrics until the queue is closed and empty, or the disk fails while we stop.
fn consume(system: &System, mut storage: Storage) {
    let path = system.options.data_file.display();
    while let Some(metric) = system.queue.pop() {
        while let Err(error) = storage.append(&metric) {
            eprintln!("cannot write {path}: {error}");
            if system.stopping.load(Relaxed) {
                return;
            }
            thread::sleep(WRITE_RETRY_INTERVAL);
        }
        system.stored.fetch_add(1, Relaxed);
    }
    if let Err(error) = storage.file.sync_all() {
        eprintln!("the last writes to {path} may not survive a power cut: {error}");
    }
}

/// Visits each whole line in order, as a metric or as the reason why it is none, and returns where
/// the last one ends. What follows is torn, or is just being written.
fn scan(path: &Path, mut visit: impl FnMut(Result<Metric, String>)) -> io::Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut line, mut line_number, mut position, mut end) = (Vec::new(), 1, 0, 0);
    loop {
        line.clear();
        match (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? {
            0 => return Ok(end),
            len => position += len as u64,
        }
        if line.ends_with(b"\n") {
            let metric = serde_json::from_slice(&line);
            visit(metric.map_err(|error| format!("line {line_number} is damaged ({error})")));
            (line_number, end) = (line_number + 1, position);
        }
    }
}

// ------------------------------------------------------------------------------------------------
// 4. Query: finds metrics by name and time, and aggregates them.
// ------------------------------------------------------------------------------------------------

/// Some 10 MB of JSON.
const POINTS_MAX: usize = 100_000;
const AGGREGATIONS: [&str; 8] = ["avg", "min", "max", "sum", "count", "p50", "p95", "p99"];

/// `GET /query?name=&start=&end=&agg=&step=`, each of them optional.
#[derive(Debug)]
pub(crate) struct Query {
    name: Option<String>,
    /// Unix milliseconds, both ends included.
    time: RangeInclusive<i64>,
    aggregation: Option<String>,
    /// Width of the time buckets; without it there is one bucket.
    step_ms: Option<i64>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (mut name, mut aggregation, mut step_ms) = (None, None, None);
        let (mut start, mut end) = UNIX_MS.into_inner();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            // A plus sign, as in +02:00, arrives as a blank.
            let time = || parse_time(&value.replace(' ', "+"));
            match (&*key, &*value) {
                (_, "") => {}
                ("name", _) => name = Some(value.into_owned()),
                ("start", _) => start = time().context("start: use Unix ms or RFC 3339")?,
                ("end", _) => end = time().context("end: use Unix ms or RFC 3339")?,
                ("agg", known) if AGGREGATIONS.contains(&known) => aggregation = Some(known.into()),
                ("agg", _) => bail!("agg: use one of {}", AGGREGATIONS.join(", ")),
                ("step", _) => {
                    let step = positive_duration(&value).context("step")?;
                    step_ms = Some(i64::try_from(step.as_millis()).context("step")?);
                }
                _ => bail!("unknown parameter {key}: use name, start, end, agg and step"),
            }
        }
        ensure!(start <= end, "start is after end");
        ensure!(step_ms.is_none() || aggregation.is_some(), "step needs agg");
        Ok(Self { name, time: start..=end, aggregation, step_ms })
    }

    // ANCHOR: query
    /// The points, in order of time.
    ///
    /// Naive: every query reads and parses the whole file. Craft 3 keeps an index by time and name.
    pub(crate) fn run(&self, path: &Path) -> io::Result<Vec<Metric>> {
        let named = |point: &Metric| self.name.as_ref().is_none_or(|name| *name == point.name);
        let wanted = |point: &Metric| self.time.contains(&point.timestamp) && named(point);
        let mut points = Vec::new();
        scan(path, |line| points.extend(line.ok().filter(wanted)))?;
        if let Some(aggregation) = &self.aggregation {
            points = self.aggregate(points, aggregation);
        }
        points.sort_by_key(|point| point.timestamp);
        Ok(points)
    }

    /// One point for each name, set of tags and bucket, at the start of the bucket.
    fn aggregate(&self, points: Vec<Metric>, aggregation: &str) -> Vec<Metric> {
        let first = points.iter().map(|point| point.timestamp).min().unwrap_or_default();
        let mut buckets: BTreeMap<(i64, String, Tags), Vec<f64>> = BTreeMap::new();
        for Metric { timestamp, name, tags, value, .. } in points {
            let start = self.step_ms.map_or(first, |step_ms| timestamp - timestamp % step_ms);
            buckets.entry((start, name, tags)).or_default().push(value);
        }
        let point = |((timestamp, name, tags), values)| {
            let value = reduce(aggregation, values);
            Metric { timestamp, name, value, kind: Kind::Gauge, tags }
        };
        buckets.into_iter().map(point).collect()
    }
    // ANCHOR_END: query
}

// ANCHOR: reduce
/// Percentiles by nearest rank: always a value that was measured. `values` is never empty.
fn reduce(aggregation: &str, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    let percentile = |percent: usize| values[(count * percent).div_ceil(100) - 1];
    match aggregation {
        "avg" => values.iter().sum::<f64>() / count as f64,
        "min" => values[0],
        "max" => values[count - 1],
        "sum" => values.iter().sum(),
        "p50" => percentile(50),
        "p95" => percentile(95),
        "p99" => percentile(99),
        _ => count as f64,
    }
}
// ANCHOR_END: reduce

fn answer_query(text: &str, system: &System) -> Result<Response, Response> {
    let query = Query::parse(text).or_else(|error| refuse(400, format!("{error:#}")))?;
    match query.run(&system.options.data_file) {
        Ok(points) if points.len() > POINTS_MAX => {
            refuse(400, "more than 100000 points: narrow the time, or use agg and step")
        }
        Ok(points) => Ok(Response::json(200, &json!(points))),
        Err(error) => refuse(500, format!("cannot read the data file: {error}")),
    }
}

// ------------------------------------------------------------------------------------------------
// 5. Alerting: checks rules against the newest points and prints every change once.
// ------------------------------------------------------------------------------------------------

/// A series without a point for this long is gone and breaks no rule.
const STALE_AFTER: Duration = Duration::from_mins(5);

/// `cpu_usage > 80 for 60s`: true of every point of one series, for that time.
#[derive(Clone, Serialize)]
struct Rule {
    #[serde(rename = "rule")]
    text: String,
    name: String,
    #[serde(skip)]
    breaks: fn(&f64, &f64) -> bool,
    #[serde(skip)]
    threshold: f64,
    #[serde(skip)]
    hold: Duration,
    state: State,
    /// When this state began, in RFC 3339; nothing before the first change.
    since: Option<String>,
    /// The newest value that breaks the rule, while one does.
    value: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Firing,
    Resolved,
}

impl Rule {
    fn parse(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [name, operator, number, hold @ ..] = &words[..] else {
            bail!("expected NAME OPERATOR NUMBER [for DURATION], as in \"cpu_usage > 80 for 60s\"");
        };
        let breaks = match *operator {
            ">" => f64::gt,
            ">=" => f64::ge,
            "<" => f64::lt,
            "<=" => f64::le,
            "==" => f64::eq,
            "!=" => f64::ne,
            _ => bail!("unknown operator {operator}: use > >= < <= == or !="),
        };
        let threshold = number.parse().ok().filter(|it: &f64| it.is_finite());
        let threshold = threshold.with_context(|| format!("{number} is not a finite number"))?;
        let hold = match hold {
            [] => Duration::ZERO,
            ["for", duration @ ..] => humantime::parse_duration(&duration.join(" "))?,
            _ => bail!("after the number there can only be: for DURATION"),
        };
        let (text, name) = (words.join(" "), (*name).to_string());
        Ok(Self { text, name, breaks, threshold, hold, state: State::Ok, since: None, value: None })
    }

    // ANCHOR: alert
    /// Since when, and with what newest value, the series that breaks the rule the longest does so.
    fn broken_since(&self, points: &[Metric]) -> Option<(i64, f64)> {
        let mut series: BTreeMap<&Tags, Option<(i64, f64)>> = BTreeMap::new();
        for point in points.iter().filter(|point| point.name == self.name) {
            let broken = series.entry(&point.tags).or_default();
            let since = broken.map_or(point.timestamp, |(since, _)| since);
            *broken = (self.breaks)(&point.value, &self.threshold).then_some((since, point.value));
        }
        series.into_values().flatten().min_by_key(|(since, _)| *since)
    }

    /// The line to print, if the state changes.
    fn check(&mut self, points: &[Metric], now: i64) -> Option<String> {
        let broken = self.broken_since(points);
        self.value = broken.map(|(_, value)| value);
        let broken_ms = broken.map(|(since, _)| u128::from((now - since).unsigned_abs()));
        let (state, line) = match broken_ms {
            Some(ms) if ms >= self.hold.as_millis() => (State::Firing, "firing"),
            _ if self.state == State::Firing => (State::Resolved, "resolved"),
            _ => return None,
        };
        let changed = state != self.state;
        changed.then(|| {
            (self.state, self.since) = (state, Some(rfc3339(now)));
            let value = self.value.map(|value| format!(" (value {value})")).unwrap_or_default();
            format!("{} alert {line}: {}{value}", rfc3339(now), self.text)
        })
    }
    // ANCHOR_END: alert
}

/// Naive: each check reads the whole file. Craft 5 evaluates its rules on the stream.
fn watch_rules(system: &System) {
    let longest_hold = system.options.rules.iter().map(|rule| rule.hold).max().unwrap_or_default();
    let lookback_ms =
        i64::try_from(longest_hold.saturating_add(STALE_AFTER).as_millis()).unwrap_or(i64::MAX);
    while !system.stopping.load(Relaxed) {
        let now = now();
        let time = now.saturating_sub(lookback_ms)..=now;
        let query = Query { name: None, time, aggregation: None, step_ms: None };
        match query.run(&system.options.data_file) {
            Ok(points) => {
                let mut rules = locked(&system.rules);
                let changes = rules.iter_mut().filter_map(|rule| rule.check(&points, now));
                changes.for_each(|line| say(&line));
            }
            Err(error) => eprintln!("cannot check the rules: {error}"),
        }
        thread::park_timeout(system.options.check_interval);
    }
}

// ------------------------------------------------------------------------------------------------
// The sampler: this machine is the first client, and uses the front door like everyone else.
// ------------------------------------------------------------------------------------------------

fn sample_this_machine(system: &System, address: SocketAddr) {
    if system.options.no_self_monitor {
        return;
    }
    // CPU usage is a difference between two readings, so the first wait is as short as can be.
    let mut wait = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;
    let opened = (sysinfo::System::new(), Disks::new(), Networks::new_with_refreshed_list());
    let (Ok(mut machine), Ok(mut disks), Ok(mut networks)) = opened else {
        return eprintln!("this machine cannot be sampled");
    };
    machine.refresh_cpu_usage();
    while !system.stopping.load(Relaxed) {
        let started = Instant::now();
        thread::park_timeout(wait);
        machine.refresh_cpu_usage();
        machine.refresh_memory();
        disks.refresh(true);
        networks.refresh(true);
        for batch in sensors(&machine, &disks, &networks, started.elapsed()).chunks(*BATCH.end()) {
            let posted = post(address, &json!({ "metrics": batch }).to_string());
            if let Err(error) = posted
                && !system.stopping.load(Relaxed)
            {
                eprintln!("cannot post this machine's metrics: {error:#}");
            }
        }
        wait = system.options.sample_interval;
    }
}

fn sensors(
    machine: &sysinfo::System,
    disks: &Disks,
    networks: &Networks,
    elapsed: Duration,
) -> Vec<Value> {
    let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole.max(1) as f64;
    let (memory, swap) = (machine.used_memory(), machine.used_swap());
    let mut metrics = vec![
        json!({ "name": "cpu_usage", "value": machine.global_cpu_usage() }),
        json!({ "name": "memory_used_bytes", "value": memory }),
        json!({ "name": "memory_usage", "value": percent(memory, machine.total_memory()) }),
        json!({ "name": "swap_usage", "value": percent(swap, machine.total_swap()) }),
    ];
    let mut add = |name: &str, value: f64, tag: &str, of: &str| {
        metrics.push(json!({ "name": name, "value": value, "tags": { tag: of } }));
    };
    for (core, cpu) in machine.cpus().iter().enumerate() {
        add("cpu_core_usage", cpu.usage().into(), "core", &core.to_string());
    }
    for disk in disks.iter().filter(|disk| disk.total_space() > 0) {
        let used = 100.0 - percent(disk.available_space(), disk.total_space());
        add("disk_usage", used, "mount", &disk.mount_point().to_string_lossy());
    }
    for (interface, traffic) in networks {
        let (interface, seconds) = (interface.to_string_lossy(), elapsed.as_secs_f64());
        let (received, sent) = (traffic.received() as f64, traffic.transmitted() as f64);
        add("network_receive_bytes_per_second", received / seconds, "interface", &interface);
        add("network_transmit_bytes_per_second", sent / seconds, "interface", &interface);
    }
    metrics
}

fn post(address: SocketAddr, body: &str) -> Result<()> {
    let (mut stream, body_len) = (TcpStream::connect(address)?, body.len());
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let head =
        format!("POST /metrics HTTP/1.1\r\nHost: {address}\r\nContent-Length: {body_len}\r\n\r\n");
    stream.write_all((head + body).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 202 "), "it answered: {answer}");
    Ok(())
}
