//! One check of one node: `GET /health` over a connection of its own.
//!
//! What always holds: nothing of a check outlives it, because the connection is driven by the same
//! future that waits for the answer; and a node can make us hold only so many bytes. How long it
//! may take is not decided here.
//!
//! A connection that was kept from the last check would not show whether the node still takes any.
//!
//! A node is healthy if its status is 2xx. If its body is a JSON object, these are taken from it,
//! each if it is there and can be true, and all else is ignored:
//!
//! | key | value |
//! |---|---|
//! | `cpu_usage_ratio` | of all processors together, from 0 to 1 |
//! | `memory_used_bytes` | a whole number |
//! | `disk_used_bytes` | a whole number |

use std::convert::Infallible;
use std::future::{self, Future};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::status::Usage;
use crate::nodes::Node;

/// What is asked for.
const PATH: &str = "/health";

/// Longest body: what a node says of itself has a few hundred bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest head: hyper's smallest, which is far more than a node needs.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nobody listens there, or the name is not known.
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    /// What came is not a whole answer.
    #[error("no HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    /// The node itself says that it is not well.
    #[error("answered with {0}")]
    Status(StatusCode),
    /// It does not answer what it was asked.
    #[error("answered with more than {BODY_BYTES_MAX} bytes")]
    TooLong,
}

/// Asks a node how it is.
pub async fn probe(node: Arc<Node>) -> Result<Usage, ProbeError> {
    let socket = TcpStream::connect(node.address.as_str()).await?;
    let (sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(socket)).await?;
    // Where the connection ends first, the answer says so; its own result would say it twice.
    let drive = async {
        let _ = connection.await;
        future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = ask(sender, &node) => answer,
        never = drive => match never {},
    }
}

fn ask(
    mut sender: http1::SendRequest<Empty<Bytes>>,
    node: &Node,
) -> impl Future<Output = Result<Usage, ProbeError>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = http::Uri::from_static(PATH);
    let address = http::HeaderValue::from_str(node.address.as_str());
    request.headers_mut().insert(HOST, address.expect("an authority is visible ASCII"));
    for (name, value) in [(CONNECTION, "close"), (USER_AGENT, "craft1-health-checker")] {
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    async move {
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(ProbeError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.downcast() {
            Ok(error) => ProbeError::Http(*error),
            Err(_) => ProbeError::TooLong,
        })?;
        Ok(usage(&body.to_bytes()))
    }
}

/// What a body tells. One that is not JSON tells nothing, and that is no failure.
fn usage(body: &[u8]) -> Usage {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let ratio = told["cpu_usage_ratio"].as_f64();
    Usage {
        cpu_ratio: ratio.filter(|ratio| (0.0..=1.0).contains(ratio)),
        memory_bytes: told["memory_used_bytes"].as_u64(),
        disk_bytes: told["disk_used_bytes"].as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::Handle;

    use super::super::status::tests::fleet;
    use super::*;

    #[test]
    fn takes_what_is_there_and_can_be_true() {
        let all = Usage { cpu_ratio: Some(0.25), memory_bytes: Some(7), disk_bytes: Some(0) };
        let nothing = Usage::default();
        for (body, expected) in [
            (r#"{"cpu_usage_ratio":0.25,"memory_used_bytes":7,"disk_used_bytes":0,"x":[1]}"#, all),
            (r#"{"memory_used_bytes":7}"#, Usage { memory_bytes: Some(7), ..nothing }),
            (r#"{"cpu_usage_ratio":1}"#, Usage { cpu_ratio: Some(1.0), ..nothing }),
            (r#"{"cpu_usage_ratio":1.01,"memory_used_bytes":-1,"disk_used_bytes":"7"}"#, nothing),
            (r#"{"cpu_usage_ratio":-0.1,"memory_used_bytes":1.5,"disk_used_bytes":null}"#, nothing),
            (r#"{"status":"ok","queue_size":0}"#, nothing),
            ("[1,2]", nothing),
            ("fine", nothing),
            ("", nothing),
        ] {
            assert_eq!(usage(body.as_bytes()), expected, "{body}");
        }
    }

    /// What a check says of a node that sends `answer` and closes, and what the node was sent.
    async fn check(answer: &[u8]) -> (Result<Usage, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let row = format!("a,{address},web,eu,1,1,1");
        let node = fleet(&[&row]).nodes.remove(0);
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let tasks = Handle::current().metrics().num_alive_tasks();
            assert_eq!(tasks, 0, "a check is one future");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            socket.write_all(answer).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        let (result, request) = tokio::join!(probe(Arc::new(node)), serve);
        (result.map_err(|error| error.to_string()), request.replace(&address.to_string(), "NODE"))
    }

    #[tokio::test]
    async fn asks_for_health_and_takes_the_answer() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{\"memory_used_bytes\":7}";
        let (result, request) = check(answer).await;
        assert_eq!(result, Ok(Usage { memory_bytes: Some(7), ..Usage::default() }));
        assert!(request.starts_with("GET /health HTTP/1.1\r\n"), "{request}");
        for field in ["host: NODE\r\n", "connection: close\r\n"] {
            assert!(request.contains(field), "{request}");
        }
    }

    #[tokio::test]
    async fn any_2xx_is_healthy_whatever_its_body() {
        for answer in [
            &b"HTTP/1.1 204 No Content\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
            b"HTTP/1.1 200 OK\r\n\r\nto the end",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ] {
            assert_eq!(check(answer).await.0, Ok(Usage::default()));
        }
    }

    #[tokio::test]
    async fn every_other_status_is_a_failure() {
        for (line, told) in [
            ("503 Service Unavailable", "answered with 503 Service Unavailable"),
            ("301 Moved Permanently", "answered with 301 Moved Permanently"),
            ("404 Not Found", "answered with 404 Not Found"),
        ] {
            let answer = format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(check(answer.as_bytes()).await.0, Err(told.into()));
        }
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_a_failure() {
        for answer in [
            &b""[..],
            b"HTTP/1.1 20",
            b"220 mail.example ready\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
        ] {
            let told = check(answer).await.0.unwrap_err();
            assert!(told.starts_with("no HTTP answer: "), "{told}");
        }
    }

    #[tokio::test]
    async fn a_head_beyond_the_limit_is_a_failure() {
        let answer = |len: usize| {
            let long = "x".repeat(len);
            format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {long}\r\n\r\n")
        };
        assert!(check(answer(HEAD_BYTES_MAX / 2).as_bytes()).await.0.is_ok());
        let told = check(answer(HEAD_BYTES_MAX).as_bytes()).await.0.unwrap_err();
        assert!(told.starts_with("no HTTP answer: "), "{told}");
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_a_failure() {
        let answer = |len: usize| format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(len));
        assert!(check(answer(BODY_BYTES_MAX).as_bytes()).await.0.is_ok());
        let told = check(answer(BODY_BYTES_MAX + 1).as_bytes()).await.0.unwrap_err();
        assert_eq!(told, "answered with more than 65536 bytes");
    }

    #[tokio::test]
    async fn where_nobody_listens_there_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let row = format!("a,{},web,eu,1,1,1", listener.local_addr().unwrap());
        drop(listener);
        let told = probe(Arc::new(fleet(&[&row]).nodes.remove(0))).await.unwrap_err().to_string();
        assert!(told.starts_with("cannot connect: "), "{told}");
    }
}
