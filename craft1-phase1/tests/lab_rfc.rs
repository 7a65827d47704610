//! Lab tests: the rules that RFC 9110 (what HTTP means) and RFC 9112 (how HTTP/1.1 is written) have
//! for a small origin server, one test a rule.
//!
//! What always holds: a test names its section and says the rule in our own words. It sends the
//! bytes that are about the rule over a raw socket, and where they are refused, it expects the one
//! refusal that names the rule: a 400 for another reason is a failure.
//!
//! | file | what | sections |
//! |---|---|---|
//! | `messages` | line ends, and what is no HTTP at all | 9112: 2 |
//! | `request_line` | method, version | 9112: 2.3, 3 · 9110: 9.1 |
//! | `target` | the four forms of a target | 9112: 3.2 · 9110: 4.2, 7 |
//! | `host` | Host | 9112: 3.2 |
//! | `fields` | names, values, limits | 9112: 5 · 9110: 5 |
//! | `body_length` | Content-Length and Transfer-Encoding | 9112: 6 · 9110: 8.6 |
//! | `chunks` | a body in chunks, and trailers | 9112: 7.1 |
//! | `content` | Content-Type and Content-Encoding | 9110: 8 |
//! | `methods` | GET, HEAD, OPTIONS and the others | 9110: 9 |
//! | `expect` | Expect: 100-continue | 9110: 10.1.1 |
//! | `answers` | what every answer has | 9112: 4 · 9110: 6.6.1, 8 |
//! | `connections` | how a connection ends | 9112: 9 |

use std::sync::{Arc, Mutex, PoisonError, Weak};

use craft1_phase1::http::Refusal;
use testkit::client::exchange;
use testkit::{Client, DataFolder, Response, Server};

#[path = "lab_rfc/answers.rs"]
mod answers;
#[path = "lab_rfc/body_length.rs"]
mod body_length;
#[path = "lab_rfc/chunks.rs"]
mod chunks;
#[path = "lab_rfc/connections.rs"]
mod connections;
#[path = "lab_rfc/content.rs"]
mod content;
#[path = "lab_rfc/expect.rs"]
mod expect;
#[path = "lab_rfc/fields.rs"]
mod fields;
#[path = "lab_rfc/host.rs"]
mod host;
#[path = "lab_rfc/messages.rs"]
mod messages;
#[path = "lab_rfc/methods.rs"]
mod methods;
#[path = "lab_rfc/request_line.rs"]
mod request_line;
#[path = "lab_rfc/target.rs"]
mod target;

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");

/// A body that is taken.
const METRIC: &str = r#"{"name":"m","value":1}"#;
const METRIC_LEN: usize = METRIC.len();

/// The server of all tests that run at this moment. The last one that lets go of it ends it.
type Shared = Arc<(Server, DataFolder)>;

fn server() -> Shared {
    static SERVER: Mutex<Weak<(Server, DataFolder)>> = Mutex::new(Weak::new());
    let mut running = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let folder = DataFolder::new();
        let started = Arc::new((folder.start(PHASE1, &[]), folder));
        *running = Arc::downgrade(&started);
        started
    })
}

fn connect(server: &Shared) -> Client {
    Client::connect(server.0.address()).unwrap()
}

/// What comes back to these bytes over a connection of its own.
#[track_caller]
fn answer_to(request: impl AsRef<[u8]>) -> Response {
    exchange(server().0.address(), request.as_ref())
}

/// The same, byte for byte.
fn bytes_in_answer_to(request: &str) -> String {
    let server = server();
    let mut client = connect(&server);
    client.send(request.as_bytes()).unwrap();
    String::from_utf8(client.read_to_end().unwrap()).unwrap()
}

#[track_caller]
fn assert_answered(request: impl AsRef<[u8]>, status: u16) {
    let response = answer_to(&request);
    let (sent, text) = (shown(request.as_ref()), response.text());
    assert_eq!(response.status, status, "left came back, right was expected; sent {sent}: {text}");
}

/// Asserts that this rule is the one that the request breaks, and that the connection is of no
/// further use.
#[track_caller]
fn assert_refused(request: impl AsRef<[u8]>, status: u16, rule: Refusal) {
    let response = answer_to(&request);
    let detail = response.json()["detail"].as_str().unwrap_or_default().to_string();
    let sent = shown(request.as_ref());
    assert_eq!(
        (response.status, detail),
        (status, rule.to_string()),
        "left came back, right was expected; sent {sent}"
    );
    assert_eq!(response.field("Connection"), Some("close"), "sent {sent}");
}

/// What was sent, as far as a person wants to read it.
fn shown(request: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 300;
    let bytes = &request[..request.len().min(SHOWN_BYTES_MAX)];
    let rest = request.len() - bytes.len();
    let more = if rest > 0 { format!(" and {rest} bytes more") } else { String::new() };
    format!("\"{}\"{more}", bytes.escape_ascii())
}

/// A request without a body that begins with this line.
fn line(first: &str) -> String {
    format!("{first}\r\nHost: test\r\n\r\n")
}

/// `GET /health` with these field lines behind Host.
fn get(fields: &str) -> String {
    format!("GET /health HTTP/1.1\r\nHost: test\r\n{fields}\r\n")
}

/// `POST /metrics` of [`METRIC`] with these field lines behind Host.
fn post(fields: &str) -> String {
    format!("POST /metrics HTTP/1.1\r\nHost: test\r\n{fields}\r\n{METRIC}")
}

/// `POST /metrics` with these bytes for a body in chunks.
fn post_chunks(chunks: &str) -> String {
    format!("POST /metrics HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}
