//! What a request costs the heap: nothing, once the buffers have room.
//!
//! The counting allocator is the whole program's. So all of it is one test, and each count is the
//! least of a few: what the test harness allocates meanwhile can only add to it.

use std::time::UNIX_EPOCH;

use craft1_final::answer::{self, Date};
use craft1_final::request::{Parsed, Persistence, Reader};
use craft1_phase1::http::{Limits, Response};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How often each count is taken.
const TRIES: usize = 3;

const REQUESTS: usize = 10_000;

/// Requests with a length, one in chunks, and one without a body; all fields that are lent; digits
/// that come and go; a head that does not repeat itself.
const STREAM: &[u8] = b"\
    POST /metrics HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 2\r\nX-Client-Id: a\r\n\r\n{}\
    POST /metrics HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 10\r\nX-Client-Id: a\r\n\r\n\
    {        }\
    POST /metrics?a=b HTTP/1.1\r\nHost: [::1]:8080\r\nAuthorization: Bearer b\r\nConnection: close\r\n\
    Content-Type: application/json\r\nContent-Encoding: identity\r\nExpect: 100-continue\r\n\
    Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;a=b\r\n}\r\n0\r\nX-Trailer: a\r\n\r\n\
    GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

/// How many blocks `work` takes from the heap.
fn blocks(mut work: impl FnMut()) -> u64 {
    let count = |_| {
        let before = dhat::HeapStats::get().total_blocks;
        work();
        dhat::HeapStats::get().total_blocks - before
    };
    (0..TRIES).map(count).min().expect("one try or more")
}

#[test]
fn ten_thousand_requests_are_read_and_answered_without_an_allocation() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let (limits, date) = (Limits::default(), Date::at(UNIX_EPOCH));
    let (mut reader, mut out) = (Reader::default(), Vec::with_capacity(1024));
    let mut buffer = Vec::with_capacity(STREAM.len());
    let response = Response::new(200, "text/plain", "telemetry");
    let mut answers = 0;
    // Once around, so that what is recycled is there.
    let mut serve = |requests: usize| {
        for _ in (0..requests).step_by(4) {
            buffer.clear();
            buffer.extend_from_slice(STREAM);
            let mut rest = buffer.as_mut_slice();
            while !rest.is_empty() {
                let parsed = reader.read(rest, &limits).expect("well formed");
                let Parsed::Complete { request, consumed } = parsed else { panic!("complete") };
                out.clear();
                match request.call.expect("nothing is repeated").body {
                    Some(body) => {
                        answer::accepted(&mut out, body.len(), &date, request.persistence);
                    }
                    None => answer::response(&mut out, &response, true, &date, Persistence::Stay),
                }
                answers += 1;
                rest = &mut rest[consumed..];
            }
        }
    };
    serve(4);
    assert_eq!(blocks(|| serve(REQUESTS)), 0);
    assert_eq!(answers, 4 + TRIES * REQUESTS);
}
