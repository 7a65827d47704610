//! The server loop of the rivals on tokio and hyper: one current-thread runtime a core, each with
//! a listener of its own, and a task per connection.
//!
//! Tuned as hyper's entry in the `TechEmpower` benchmarks: no work stealing, so no connection ever
//! changes its core; `pipeline_flush`, so that the answers to pipelined requests leave in one
//! write; `TCP_NODELAY`.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_model::limits::BODY_BYTES_MAX;
use tokio::runtime;

use crate::{Intake, Options, Reply, listen};

/// Serves the two routes with `take`, which turns the body of a `POST /metrics` into its answer.
/// Gives the address once the threads have begun.
pub fn start(options: &Options, intake: Intake, take: Take) -> io::Result<SocketAddr> {
    start_service(options, move || {
        service_fn(move |request| async move {
            Ok::<_, Infallible>(response(&route(request, intake, take).await))
        })
    })
}

/// The body of a `POST /metrics` to its answer: the one part in which the hyper rivals differ.
pub type Take = fn(Intake, Bytes) -> Reply;

/// Serves a service of one's own; `new_service` is called once a connection.
pub fn start_service<N, S, B>(options: &Options, new_service: N) -> io::Result<SocketAddr>
where
    N: Fn() -> S + Clone + Send + 'static,
    S: HttpService<Incoming, ResBody = B, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (listeners, address) = listen::listen_per_thread(options)?;
    for listener in listeners {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let new_service = new_service.clone();
        thread::Builder::new()
            .name("server".into())
            .spawn(move || runtime.block_on(accept_all(listener, new_service)))?;
    }
    Ok(address)
}

async fn accept_all<N, S, B>(listener: TcpListener, new_service: N) -> io::Result<()>
where
    N: Fn() -> S,
    S: HttpService<Incoming, ResBody = B, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        // What accept reports concerns one connection: it was reset before it was accepted.
        let Ok((stream, _peer)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), new_service());
        tokio::spawn(connection);
    }
}

async fn route(request: Request<Incoming>, intake: Intake, take: Take) -> Reply {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/metrics") => match read_body(request.into_body()).await {
            Ok(body) => take(intake, body),
            Err(reply) => reply,
        },
        (&Method::GET, "/health") => intake.health(),
        _ => Reply::NotFound,
    }
}

/// The whole body; the buffer it was read into, uncopied, where it came in one piece.
async fn read_body(mut body: Incoming) -> Result<Bytes, Reply> {
    let Some(first) = next_frame(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(more) = next_frame(&mut body).await? {
        if whole.len() + more.len() > BODY_BYTES_MAX {
            return Err(Reply::TooLarge);
        }
        whole.extend_from_slice(&more);
    }
    Ok(whole.freeze())
}

async fn next_frame(body: &mut Incoming) -> Result<Option<Bytes>, Reply> {
    match body.frame().await {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(error)) => Err(Reply::Rejected(error.to_string())),
    }
}

fn response(reply: &Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body())));
    *response.status_mut() = StatusCode::from_u16(reply.status().0).expect("a status of ours");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = reply.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    response
}
