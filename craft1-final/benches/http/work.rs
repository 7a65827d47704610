//! What is measured: a list of things to do, which criterion times (`http.rs`) and valgrind counts
//! (`examples/count_final.rs`).

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::UNIX_EPOCH;

use craft1_final::answer::{self, Date};
use craft1_final::request::{Parsed, Persistence, Reader};
use craft1_phase1::http::{Limits, RequestReader, Status};
use craft1_phase1::service::{Call, Service};
use testkit::Work;

const BODY: &str = r#"{"name":"cpu_usage","value":85.5}"#;

/// What the load generator sends by default.
const START: &str =
    "POST /metrics HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n";

/// Requests that come together in the usual comparison with pipelining.
const PIPELINED: usize = 16;

/// Room for the fields of a request in httparse.
const HEADERS_MAX: usize = 32;

/// All of them, group by group.
pub(crate) fn all() -> Vec<Work> {
    let one = format!("{START}Content-Length: {}\r\n\r\n{BODY}", BODY.len());
    let (first, second) = BODY.split_at(16);
    let chunks =
        format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let chunked = format!("{START}Transfer-Encoding: chunked\r\n\r\n{chunks}");
    [
        ("http read/1 request", one.clone(), 1),
        ("http read/16 pipelined", one.repeat(PIPELINED), PIPELINED),
        ("http read/16 heads that differ", heads_that_differ(), PIPELINED),
        ("http read/20 fields", with_20_fields(), 1),
        ("http read/chunked", chunked, 1),
    ]
    .into_iter()
    .flat_map(|(group, requests, count)| read(group, &requests, count))
    .chain(answers())
    .collect()
}

/// As from a client that numbers its requests, so that no head is known.
fn heads_that_differ() -> String {
    let request = |number| {
        let length = BODY.len();
        format!("{START}X-Request-Id: {number:016x}\r\nContent-Length: {length}\r\n\r\n{BODY}")
    };
    (0..PIPELINED).map(request).collect()
}

fn with_20_fields() -> String {
    let mut request = START.to_string();
    for number in 0..17 {
        let _ = write!(request, "X-Field-{number}: a value as long as many\r\n");
    }
    let _ = write!(request, "Content-Length: {}\r\n\r\n{BODY}", BODY.len());
    request
}

/// httparse is given an easier task: it reads the head, and leaves the target, the rules of the fields
/// and the body to its user, who here asks for nothing but the length.
fn read(group: &str, requests: &str, count: usize) -> [Work; 3] {
    let by_phase1 = requests.as_bytes().to_vec();
    let by_httparse = by_phase1.clone();
    let (by_us, mut buffer) = (by_phase1.clone(), by_phase1.clone());
    let (limits, mut reader) = (Limits::default(), Reader::default());
    let is_changed_by_reading = requests.contains("chunked");
    [
        Work::new(group, "phase 1", count, move || {
            let mut rest = black_box(by_phase1.as_slice());
            while !rest.is_empty() {
                let progress = RequestReader::new(limits).read(rest).expect("well formed");
                let Status::Complete(request) = progress.status else { panic!("incomplete") };
                black_box(Call::try_from(&request).expect("nothing is repeated"));
                rest = &rest[progress.consumed..];
            }
        }),
        Work::new(group, "httparse", count, move || {
            let mut rest = black_box(by_httparse.as_slice());
            while !rest.is_empty() {
                rest = &rest[by_httparse_alone(rest)..];
            }
        }),
        Work::new(group, "ours", count, move || {
            if is_changed_by_reading {
                buffer.copy_from_slice(&by_us);
            }
            let mut rest = black_box(buffer.as_mut_slice());
            while !rest.is_empty() {
                let parsed = reader.read(rest, &limits).expect("well formed");
                let Parsed::Complete { request, consumed } = parsed else { panic!("incomplete") };
                black_box(request.call.expect("nothing is repeated"));
                rest = &mut rest[consumed..];
            }
        }),
    ]
}

/// How long the request is; all that is left where nothing says it.
fn by_httparse_alone(bytes: &[u8]) -> usize {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(bytes).expect("well formed");
    let httparse::Status::Complete(head_len) = status else { panic!("incomplete") };
    let length = request.headers.iter().find(|it| it.name.eq_ignore_ascii_case("Content-Length"));
    let digits = length.map(|it| str::from_utf8(it.value).expect("digits"));
    black_box(&request);
    digits.map_or(bytes.len(), |digits| head_len + digits.parse::<usize>().expect("a length"))
}

fn answers() -> [Work; 2] {
    let (mut out, date) = (Vec::new(), Date::at(UNIX_EPOCH));
    [
        Work::new("http answer/202", "phase 1", 1, || {
            black_box(Service::stored(black_box(1), Ok(())).encode(UNIX_EPOCH));
        }),
        Work::new("http answer/202", "ours", 1, move || {
            out.clear();
            answer::accepted(&mut out, black_box(1), &date, Persistence::Stay);
            black_box(&out);
        }),
    ]
}
