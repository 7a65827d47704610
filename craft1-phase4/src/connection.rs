//! One connection: hyper reads its requests and writes their answers, one after the other, until
//! either side is done.
//!
//! What always holds: every request gets one answer, in order, and holds nobody else up while it
//! waits for its body or for the writer. A client holds its connection no longer than the deadlines
//! allow. Once the server is to stop, what was read is answered, the last answer says that the
//! connection closes, and an idle connection is closed at once.
//!
//! hyper 1 is Sean `McArthur`'s. Between it and the socket stands the [`screen`].

mod request;
pub mod screen;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use craft1_phase1::http::response::Content;
use craft1_phase1::http::{Limits, Response};
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::timeouts::Timeouts;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::draining::Draining;
use screen::Screen;
use screen::passage::Passage;

pub use request::Request;

/// What a client that was answered may go on to send before it is cut off.
const LINGER: Duration = Duration::from_secs(1);

/// How long a client that was turned away keeps its socket, so that it can read why.
const DEPARTURE: Duration = Duration::from_millis(200);

/// When a client that was turned away may try again.
const RETRY_AFTER_S: u32 = 1;

/// How much of what a client goes on to send is thrown away at once.
const DISCARD_BYTES: usize = 16 * 1024;

/// What holds for every connection of a server.
#[derive(Debug)]
pub struct Conditions {
    /// The bounds on what is read.
    pub limits: Limits,
    /// The bounds on how long it takes.
    pub timeouts: Timeouts,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// Where it is counted.
    pub telemetry: Telemetry,
    /// Where the end of the server is seen.
    pub draining: Draining,
}

/// Serves one connection from its first byte to its last. `decide` looks at each request and gives
/// its answer, or what the answer has to wait for. By then the request is gone.
pub async fn serve<D, F>(
    stream: TcpStream,
    peer: IpAddr,
    conditions: &'static Conditions,
    decide: D,
) where
    D: Fn(&Request<'_>) -> Result<F, Response>,
    F: Future<Output = Response>,
{
    let passage = Arc::new(Passage::default());
    let screen = Screen::new(stream, Arc::clone(&passage), conditions);
    let exchange = Exchange { peer, passage: &passage, conditions };
    let service = service_fn(|request| exchange.answer(request, &decide));
    let connection = http1::Builder::new()
        // A client that has sent everything may still want its answers.
        .half_close(true)
        // The answers to requests that came together leave together.
        .pipeline_flush(true)
        .serve_connection(screen, service);
    // Looked at once, so that the word wakes this task. The screen sees what it was woken for.
    let mut draining = pin!(conditions.draining.begun());
    poll_fn(|cx| Poll::Ready(draining.as_mut().poll(cx).is_ready())).await;
    // An error is a client that left, or does not take its answer. There is nobody to tell.
    if let Ok(parts) = connection.without_shutdown().await
        && let Some(stream) = parts.io.into_unread()
    {
        linger(stream, LINGER).await;
    }
}

/// Tells a client that there is no room for it.
pub async fn turn_away(mut stream: TcpStream) {
    let refusal = Response::unavailable("too many connections", RETRY_AFTER_S);
    let bytes = refusal.encode(SystemTime::now());
    // A few hundred bytes always fit into the empty buffer of a new socket.
    if stream.write_all(&bytes).await.is_ok() {
        linger(stream, DEPARTURE).await;
    }
}

/// Ends a connection whose client has more to send: we stop sending first, and go on reading for a
/// moment before we close (RFC 9112, section 9.6).
async fn linger(mut stream: TcpStream, duration: Duration) {
    let discard = async {
        stream.shutdown().await?;
        let mut discarded = Vec::with_capacity(DISCARD_BYTES);
        while stream.read_buf(&mut discarded).await? > 0 {
            discarded.clear();
        }
        std::io::Result::Ok(())
    };
    // Whatever ends it first: a client that is gone, or one that goes on.
    let _ = timeout(duration, discard).await;
}

/// A request and its answer.
#[derive(Debug, Clone, Copy)]
struct Exchange<'a> {
    peer: IpAddr,
    passage: &'a Passage,
    conditions: &'static Conditions,
}

impl Exchange<'_> {
    /// The request stays where it is from its head to the decision: it has some three hundred bytes,
    /// and each hand that it goes through would move them.
    async fn answer<F: Future<Output = Response>>(
        self,
        mut request: hyper::Request<Incoming>,
        decide: impl Fn(&Request<'_>) -> Result<F, Response>,
    ) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
        let received = self.receive(&mut request).await;
        let complete = Instant::now();
        let decision = received.and_then(|body| {
            decide(&Request { head: &request, body: &body, peer: self.peer, complete })
        });
        drop(request);
        let response = match decision {
            Ok(word) => word.await,
            Err(response) => response,
        };
        // Counted first, so that a client that asks for the counters finds its last answer there.
        let status = response.status;
        self.conditions.telemetry.answered(status, complete.elapsed());
        Ok(encode(response, self.is_last(status)))
    }

    /// Whether the connection ends behind the answer that is due.
    fn is_last(self, status: u16) -> bool {
        // ANCHOR: is_last
        if !self.passage.answer_is_last() {
            return false;
        }
        // 411: without a length there seems to be no body, and what follows is most likely one.
        let is_unasked = self.conditions.draining.has_begun() || status == 411;
        if is_unasked {
            self.passage.end_unasked();
        }
        is_unasked || self.passage.has_ended()
        // ANCHOR_END: is_last
    }

    async fn receive(self, request: &mut hyper::Request<Incoming>) -> Result<Bytes, Response> {
        if let Some(broken) = self.passage.broken() {
            return Err(broken.into());
        }
        request::receive(request.body_mut()).await.map_err(|error| {
            // What is not ours is hyper's: its limits on chunks are lower where ours say nothing.
            let refuse = || Response::error(400, error, None);
            self.passage.broken().map_or_else(refuse, Response::from)
        })
    }
}

/// A response for hyper, which adds Date and Content-Length. One that `ends` the connection says so
/// (RFC 9112, section 9.6).
fn encode(response: Response, ends: bool) -> hyper::Response<Full<Bytes>> {
    let (media_type, body) = match response.content {
        Some(Content { media_type, bytes }) => (Some(media_type), bytes.into()),
        None => (None, Bytes::new()),
    };
    let mut encoded = hyper::Response::new(Full::new(body));
    *encoded.status_mut() =
        StatusCode::from_u16(response.status).expect("our statuses have three digits");
    let mut field = |name, value: Option<HeaderValue>| {
        if let Some(value) = value {
            encoded.headers_mut().insert(name, value);
        }
    };
    field(CONTENT_TYPE, media_type.map(HeaderValue::from_static));
    field(ALLOW, response.allow.map(HeaderValue::from_static));
    field(RETRY_AFTER, response.retry_after_s.map(HeaderValue::from));
    field(CONNECTION, ends.then_some(HeaderValue::from_static("close")));
    encoded
}
