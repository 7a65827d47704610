//! The wire contract as rows of data.
//!
//! A row is a request and what must come back. A phase runs the table with the capabilities that it
//! has; a row that needs one it lacks is not run, is named in the outcome, and never counts as
//! passed. Each row is sent twice, in one piece and byte by byte, because how bytes arrive must not
//! change what they mean.
//!
//! The rules are those of the design document's wire contract; where one is HTTP's own, the row
//! names its section of RFC 9110 or RFC 9112.

use std::fmt::{self, Write as _};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::DEADLINE;
use crate::client::{Client, Expect, Response};

/// What not every phase can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `GET /alerts`: the states of the alert rules.
    Alerts,
    /// A body in chunks is read (RFC 9112, section 7.1).
    Chunked,
    /// HEAD is answered (RFC 9110, section 9.3.2).
    Head,
    /// Several requests over one connection (RFC 9112, section 9.3).
    KeepAlive,
    /// A bad body's error says at which byte.
    Offset,
    /// `GET /`: a page for people.
    Page,
    /// `GET /query`: stored points.
    Query,
    /// `GET /ready`: whether work is taken.
    Ready,
}

/// One request and what must come back.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it shows, as a claim.
    pub claim: &'static str,
    /// What a phase must have for it.
    pub needs: Option<Capability>,
    /// The bytes to send.
    pub request: Vec<u8>,
    /// Whether our side of the connection ends after the request.
    pub then_finish: bool,
    /// The statuses that are right, in order: one for each answer.
    pub statuses: Vec<u16>,
    /// Text that must be somewhere in the last answer: `Name: value` for a field, else in the body.
    pub contains: Vec<&'static str>,
}

/// What came back instead of what a row expects.
#[derive(Debug)]
pub struct Mismatch {
    /// Bytes that were sent at a time.
    pub piece_len: usize,
    /// The answers, or why there are none.
    pub answers: io::Result<Vec<Response>>,
    /// What is wrong with them.
    pub reason: String,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Claims that hold.
    pub passed: Vec<&'static str>,
    /// Claims that do not, each with what was sent and what came back.
    pub failed: Vec<String>,
    /// Claims that were not tried, for want of a capability.
    pub not_run: Vec<(&'static str, Capability)>,
}

/// Runs the rows that `has` allows against the server at `address`.
pub fn run(address: SocketAddr, has: &[Capability]) -> Outcome {
    let mut outcome = Outcome::default();
    for row in rows() {
        match row.needs {
            Some(need) if !has.contains(&need) => outcome.not_run.push((row.claim, need)),
            _ => match row.try_at(address, DEADLINE) {
                Ok(()) => outcome.passed.push(row.claim),
                Err(mismatch) => outcome.failed.push(mismatch.of(&row)),
            },
        }
    }
    outcome
}

impl Outcome {
    /// Prints what ran and what did not.
    ///
    /// # Panics
    /// If a row failed, or none ran.
    #[track_caller]
    pub fn assert(&self) {
        println!("{self}");
        assert!(self.failed.is_empty() && !self.passed.is_empty(), "{self}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed, not_run) = (self.passed.len(), self.failed.len(), self.not_run.len());
        writeln!(f, "wire contract: {passed} passed, {failed} failed, {not_run} not run")?;
        for (claim, need) in &self.not_run {
            writeln!(f, "  not run: {claim} (needs {need:?})")?;
        }
        self.failed.iter().try_for_each(|failure| writeln!(f, "  failed: {failure}"))
    }
}

/// Longer requests are sent in pieces of this length instead of single bytes.
const SINGLE_BYTES_MAX: usize = 2 * 1024;
const PIECE_LEN: usize = 1_000;

impl Row {
    /// Sends it in one piece and byte by byte, and compares what comes back within `deadline`.
    ///
    /// # Errors
    /// With what came back and what is wrong with it.
    pub fn try_at(&self, address: SocketAddr, deadline: Duration) -> Result<(), Mismatch> {
        let piece_len = if self.request.len() <= SINGLE_BYTES_MAX { 1 } else { PIECE_LEN };
        for piece_len in [self.request.len(), piece_len] {
            let answers = self.exchange(address, piece_len, deadline);
            if let Err(reason) = self.judge(&answers) {
                return Err(Mismatch { piece_len, answers, reason });
            }
        }
        Ok(())
    }

    fn exchange(
        &self,
        address: SocketAddr,
        piece_len: usize,
        deadline: Duration,
    ) -> io::Result<Vec<Response>> {
        let mut client = Client::connect_with_deadline(address, deadline)?;
        // A refusal can come before we have sent everything. Then it is the refusal that counts.
        let _ = client.send_in_pieces(&self.request, piece_len, Duration::ZERO);
        if self.then_finish {
            let _ = client.finish_sending();
        }
        let head_only = self.request.starts_with(b"HEAD ");
        let expect = if head_only { Expect::HeadOnly } else { Expect::Body };
        self.statuses.iter().map(|_| client.read(expect)).collect()
    }

    fn judge(&self, answers: &io::Result<Vec<Response>>) -> Result<(), String> {
        let answers = answers.as_ref().map_err(ToString::to_string)?;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        if statuses != self.statuses {
            return Err(format!("expected {:?}", self.statuses));
        }
        answers.iter().try_for_each(is_well_formed)?;
        let last = answers.last().ok_or("a row without a status")?;
        let mut all = last.text();
        for (name, value) in &last.fields {
            let _ = write!(all, "\n{}: {value}", name.to_ascii_lowercase());
        }
        match self.contains.iter().find(|wanted| !all.contains(**wanted)) {
            None => Ok(()),
            Some(missing) => Err(format!("expected {missing:?} in it")),
        }
    }
}

impl Mismatch {
    fn of(&self, row: &Row) -> String {
        let start = &row.request[..row.request.len().min(300)];
        format!(
            "{}\n    sent, {} bytes a piece: {:?}\n    came back: {:?}\n    {}",
            row.claim,
            self.piece_len,
            String::from_utf8_lossy(start),
            self.answers,
            self.reason,
        )
    }
}

/// What holds for every answer: its media type is named, and an error says in JSON what is wrong.
fn is_well_formed(answer: &Response) -> Result<(), String> {
    let media_type = answer.field("content-type").ok_or("no Content-Type")?;
    if answer.status < 400 || answer.body.is_empty() {
        return Ok(());
    }
    if media_type != "application/json" {
        return Err(format!("an error of type {media_type}"));
    }
    let body: serde_json::Value =
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    match (body["error"].as_str(), body["detail"].as_str()) {
        (Some(error), Some(detail)) if !error.is_empty() && !detail.is_empty() => Ok(()),
        _ => Err("an error without the texts error and detail".into()),
    }
}

/// The whole table.
pub fn rows() -> Vec<Row> {
    [
        good_bodies(),
        bad_bodies(),
        bad_optional_fields(),
        bad_json(),
        bad_batches(),
        routes(),
        bad_framing(),
        bad_request_lines(),
        limits(),
        later_phases(),
    ]
    .concat()
}

fn row(
    claim: &'static str,
    status: u16,
    contains: &[&'static str],
    request: impl Into<Vec<u8>>,
) -> Row {
    let (request, contains) = (request.into(), contains.to_vec());
    Row { claim, needs: None, request, then_finish: false, statuses: vec![status], contains }
}

fn needs(capability: Capability, row: Row) -> Row {
    Row { needs: Some(capability), ..row }
}

fn post(claim: &'static str, status: u16, contains: &[&'static str], body: &str) -> Row {
    row(claim, status, contains, post_bytes(body.as_bytes()))
}

fn post_bytes(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn get(claim: &'static str, status: u16, contains: &[&'static str], path: &str) -> Row {
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    row(claim, status, contains, request)
}

/// `count` metrics in one body, the one at `odd_index` replaced.
fn batch(count: usize, odd: Option<(usize, &str)>) -> String {
    let item = |index| match odd {
        Some((at, item)) if at == index => item.to_string(),
        _ => format!(r#"{{"name":"contract_batch","value":{index}}}"#),
    };
    format!(r#"{{"metrics":[{}]}}"#, (0..count).map(item).collect::<Vec<_>>().join(","))
}

fn with_tags(count: usize) -> String {
    let tags: Vec<_> = (0..count).map(|index| format!(r#""t{index}":"v""#)).collect();
    format!(r#"{{"name":"m","value":1,"tags":{{{}}}}}"#, tags.join(","))
}

fn good_bodies() -> Vec<Row> {
    let accepted =
        |claim, body: &str| post(claim, 202, &["accepted\":1", "status\":\"accepted"], body);
    let long = "n".repeat(255);
    vec![
        accepted("takes a metric with name and value", r#"{"name":"cpu_usage","value":85.5}"#),
        accepted(
            "takes a timestamp in Unix milliseconds",
            r#"{"name":"m","value":1,"timestamp":1758116723123}"#,
        ),
        accepted(
            "takes a timestamp in RFC 3339",
            r#"{"name":"m","value":1,"timestamp":"2025-09-17T13:45:23.123Z"}"#,
        ),
        accepted(
            "takes a timestamp with an offset",
            r#"{"name":"m","value":1,"timestamp":"2025-09-17T15:45:23+02:00"}"#,
        ),
        accepted("takes the type gauge", r#"{"name":"m","value":1,"type":"gauge"}"#),
        accepted("takes the type counter", r#"{"name":"m","value":1,"type":"counter"}"#),
        accepted("takes the type histogram", r#"{"name":"m","value":1,"type":"histogram"}"#),
        accepted("takes 32 tags", &with_tags(32)),
        accepted("takes a name of 255 bytes", &format!(r#"{{"name":"{long}","value":1}}"#)),
        accepted("takes a name beyond ASCII", r#"{"name":"Temperatur_außen_🌡","value":-3.5}"#),
        accepted("takes escapes", r#"{"n\u0061me":"a\/b\u00e9\ud83c\udf21","value":1}"#),
        accepted(
            "takes the smallest and largest numbers",
            r#"{"name":"m","value":-1.7976931348623157e308}"#,
        ),
        accepted(
            "skips unknown fields of any shape",
            r#"{"name":"m","extra":{"a":[1,{"b":null}]},"value":1}"#,
        ),
        accepted(
            "takes white space around everything",
            " {\r\n\t\"name\" : \"m\" ,\n \"value\" : 1 } \n",
        ),
        post("takes a batch of 1", 202, &["accepted\":1"], &batch(1, None)),
        post("takes a batch of 3", 202, &["accepted\":3"], &batch(3, None)),
        post("takes a batch of 1,000", 202, &["accepted\":1000"], &batch(1_000, None)),
        row(
            "takes a media type with a parameter",
            202,
            &[],
            String::from_utf8_lossy(&post_bytes(br#"{"name":"m","value":1}"#))
                .replace("application/json", "Application/JSON; charset=utf-8"),
        ),
        row(
            "takes HTTP/1.0 without Host",
            202,
            &[],
            "POST /metrics HTTP/1.0\r\nContent-Length: 22\r\n\r\n{\"name\":\"m\",\"value\":1}",
        ),
    ]
}

fn bad_bodies() -> Vec<Row> {
    let refused = |claim, body: &str| post(claim, 400, &[], body);
    let named = |name: &str| format!(r#"{{"name":"{name}","value":1}}"#);
    vec![
        refused("refuses an empty body", ""),
        refused("refuses what is not JSON", "cpu_usage=85.5"),
        refused("refuses JSON that is cut off", r#"{"name":"m","value":1"#),
        refused("refuses bytes behind the object", r#"{"name":"m","value":1} x"#),
        refused("refuses an array", r#"[{"name":"m","value":1}]"#),
        refused(
            "refuses an array in the order of the fields",
            r#"[[{"name":"m","value":1}],null,null]"#,
        ),
        refused("refuses a number", "1"),
        refused("refuses null", "null"),
        refused("refuses an empty object", "{}"),
        refused("refuses a metric without a name", r#"{"value":1}"#),
        refused("refuses a metric without a value", r#"{"name":"m"}"#),
        refused("refuses an empty name", &named("")),
        refused("refuses a name of 256 bytes", &named(&"n".repeat(256))),
        refused("counts a name in bytes, not characters", &named(&"é".repeat(128))),
        refused("refuses a control character in a name", &named("a\\u0007b")),
        refused("refuses a name that is a number", r#"{"name":1,"value":1}"#),
        refused("refuses a value that is text", r#"{"name":"m","value":"85.5"}"#),
        refused("refuses a value that is null", r#"{"name":"m","value":null}"#),
        refused("refuses a value that is true", r#"{"name":"m","value":true}"#),
        refused("refuses NaN", r#"{"name":"m","value":NaN}"#),
        refused("refuses Infinity", r#"{"name":"m","value":Infinity}"#),
        refused("refuses -Infinity", r#"{"name":"m","value":-Infinity}"#),
        refused("refuses a number beyond the range of f64", r#"{"name":"m","value":1e999}"#),
        refused("refuses a number with a plus sign", r#"{"name":"m","value":+1}"#),
        refused("refuses a number with a leading zero", r#"{"name":"m","value":01}"#),
        refused("refuses a hexadecimal number", r#"{"name":"m","value":0x1F}"#),
    ]
}

fn bad_optional_fields() -> Vec<Row> {
    let refused = |claim, body: &str| post(claim, 400, &[], body);
    vec![
        refused("refuses a timestamp with a fraction", r#"{"name":"m","value":1,"timestamp":1.5}"#),
        refused("refuses a negative timestamp", r#"{"name":"m","value":1,"timestamp":-1}"#),
        refused(
            "refuses a timestamp after 9999",
            r#"{"name":"m","value":1,"timestamp":253402300800000}"#,
        ),
        refused(
            "refuses a timestamp without a zone",
            r#"{"name":"m","value":1,"timestamp":"2025-09-17T13:45:23"}"#,
        ),
        refused(
            "refuses a timestamp that is digits in quotes",
            r#"{"name":"m","value":1,"timestamp":"1758116723123"}"#,
        ),
        refused(
            "refuses a day that does not exist",
            r#"{"name":"m","value":1,"timestamp":"2025-02-30T00:00:00Z"}"#,
        ),
        refused("refuses a timestamp that is null", r#"{"name":"m","value":1,"timestamp":null}"#),
        refused("refuses an unknown type", r#"{"name":"m","value":1,"type":"summary"}"#),
        refused("refuses a type that is null", r#"{"name":"m","value":1,"type":null}"#),
        refused("refuses 33 tags", &with_tags(33)),
        refused("refuses tags that are a list", r#"{"name":"m","value":1,"tags":["a"]}"#),
        refused("refuses a tag that is a number", r#"{"name":"m","value":1,"tags":{"a":1}}"#),
        refused("refuses an empty tag key", r#"{"name":"m","value":1,"tags":{"":"a"}}"#),
        refused(
            "refuses a tag value of 1,025 bytes",
            &format!(r#"{{"name":"m","value":1,"tags":{{"a":"{}"}}}}"#, "v".repeat(1_025)),
        ),
    ]
}

fn bad_json() -> Vec<Row> {
    let refused = |claim, body: &str| post(claim, 400, &[], body);
    vec![
        refused("refuses a name given twice", r#"{"name":"m","name":"m","value":1}"#),
        refused("refuses a value given twice", r#"{"name":"m","value":1,"value":2}"#),
        refused("refuses a tag given twice", r#"{"name":"m","value":1,"tags":{"a":"1","a":"2"}}"#),
        refused("refuses bad JSON in an unknown field", r#"{"name":"m","value":1,"extra":[1,]}"#),
        refused("refuses a lone surrogate in a name", r#"{"name":"\ud800","value":1}"#),
        row("refuses what is not UTF-8", 400, &[], post_bytes(b"{\"name\":\"\xff\",\"value\":1}")),
        row(
            "refuses what is not UTF-8 in an unknown field",
            400,
            &[],
            post_bytes(b"{\"name\":\"m\",\"value\":1,\"x\":\"\xff\"}"),
        ),
        refused(
            "refuses 100,000 nested arrays",
            &format!("{{\"name\":\"m\",\"value\":{}", "[".repeat(100_000)),
        ),
    ]
}

fn bad_batches() -> Vec<Row> {
    let long = format!(r#"{{"name":"{}","value":1}}"#, "n".repeat(256));
    vec![
        post("refuses a batch of 0", 400, &[], &batch(0, None)),
        post("refuses a batch of 1,001", 400, &["1000"], &batch(1_001, None)),
        post(
            "names the first bad item of a batch",
            400,
            &["metrics[2]"],
            &batch(5, Some((2, r#"{"name":"","value":1}"#))),
        ),
        post(
            "names a bad item at the end",
            400,
            &["metrics[999]"],
            &batch(1_000, Some((999, &long))),
        ),
        post("names an item that is no object", 400, &["metrics[1]"], &batch(3, Some((1, "7")))),
        post(
            "refuses an item that is an array of fields",
            400,
            &["metrics[0]"],
            r#"{"metrics":[["2025-09-17T13:45:23Z","m",1,"gauge",{}]]}"#,
        ),
        post(
            "names an item of the wrong type",
            400,
            &["metrics[0]"],
            &batch(2, Some((0, r#"{"name":"m","value":"x"}"#))),
        ),
        post(
            "refuses metrics that are an object",
            400,
            &[],
            r#"{"metrics":{"name":"m","value":1}}"#,
        ),
        post(
            "refuses metrics given twice",
            400,
            &[],
            r#"{"metrics":[{"name":"m","value":1}],"metrics":[{"name":"m","value":2}]}"#,
        ),
        post(
            "refuses a metric and a batch in one body",
            400,
            &[],
            r#"{"name":"m","value":1,"metrics":[{"name":"n","value":2}]}"#,
        ),
    ]
}

fn routes() -> Vec<Row> {
    let json = "content-type: application/json";
    vec![
        get(
            "shows its telemetry as Prometheus text",
            200,
            &["content-type: text/plain; version=0.0.4", "# TYPE "],
            "/metrics",
        ),
        get("says that it is alive", 200, &[json, "\"queue_size\":"], "/health"),
        get("knows no other path", 404, &[], "/nothing-here"),
        get("takes no path below a route", 404, &[], "/metrics/cpu_usage"),
        row(
            "names the methods that a route has",
            405,
            &["allow: ", "POST", "GET"],
            "DELETE /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        ),
        row(
            "does not take a POST to /health",
            405,
            &["allow: ", "GET"],
            "POST /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
        needs(
            Capability::Query,
            get("finds stored points", 200, &[json, "["], "/query?name=cpu_usage"),
        ),
        needs(
            Capability::Query,
            get(
                "knows no other query parameter",
                400,
                &["unit"],
                "/query?name=cpu_usage&unit=percent",
            ),
        ),
        needs(
            Capability::Query,
            get("knows no other aggregation", 400, &["agg"], "/query?name=cpu_usage&agg=median"),
        ),
        needs(
            Capability::Query,
            get("refuses a start that is no time", 400, &["start"], "/query?start=yesterday"),
        ),
        needs(
            Capability::Query,
            get("refuses a start after the end", 400, &["start"], "/query?start=2&end=1"),
        ),
        needs(
            Capability::Query,
            get("refuses a step of zero", 400, &["step"], "/query?agg=avg&step=0s"),
        ),
        needs(
            Capability::Query,
            get("refuses a step without an aggregation", 400, &["step"], "/query?step=1s"),
        ),
        needs(Capability::Alerts, get("lists its alerts", 200, &[json, "["], "/alerts")),
        needs(
            Capability::Page,
            get("shows a page", 200, &["content-type: text/html", "<!doctype html>"], "/"),
        ),
        needs(Capability::Ready, get("says that it takes work", 200, &[json], "/ready")),
    ]
}

/// RFC 9112. What two readers could understand differently is refused, and the connection closed.
fn bad_framing() -> Vec<Row> {
    let body = r#"{"name":"m","value":1}"#;
    let with = |fields: &str| format!("POST /metrics HTTP/1.1\r\nHost: test\r\n{fields}\r\n{body}");
    let framing = |claim, status, fields: &str| row(claim, status, &[], with(fields));
    vec![
        framing("refuses a POST without a length (RFC 9110, 8.6)", 411, ""),
        framing(
            "refuses two lengths that differ (6.3)",
            400,
            "Content-Length: 22\r\nContent-Length: 23\r\n",
        ),
        framing("refuses a length with a sign (6.2)", 400, "Content-Length: +22\r\n"),
        framing("refuses a negative length (6.2)", 400, "Content-Length: -1\r\n"),
        framing("refuses a length with a blank inside (6.2)", 400, "Content-Length: 2 2\r\n"),
        framing("refuses an empty length (6.2)", 400, "Content-Length:\r\n"),
        framing("refuses a hexadecimal length (6.2)", 400, "Content-Length: 0x16\r\n"),
        framing("refuses a list of lengths (6.3)", 400, "Content-Length: 22, 22\r\n"),
        framing(
            "refuses a length beside a transfer encoding (6.1)",
            400,
            "Content-Length: 22\r\nTransfer-Encoding: chunked\r\n",
        ),
        framing("does not know other transfer encodings (6.1)", 501, "Transfer-Encoding: gzip\r\n"),
        framing("refuses a blank before the colon (5.1)", 400, "Content-Length : 22\r\n"),
        framing("refuses a folded line (5.2)", 400, "Content-Length: 22\r\nX-Folded: a\r\n b\r\n"),
        framing("refuses a line without a colon (5)", 400, "Content-Length: 22\r\nnonsense\r\n"),
        framing("refuses an empty field name (5.1)", 400, "Content-Length: 22\r\n: x\r\n"),
        framing(
            "refuses a control character in a value (RFC 9110, 5.5)",
            400,
            "Content-Length: 22\r\nX-A: a\x01b\r\n",
        ),
        framing(
            "refuses a NUL in a value (RFC 9110, 5.5)",
            400,
            "Content-Length: 22\r\nX-A: a\0b\r\n",
        ),
        framing("refuses two Host fields (3.2)", 400, "Host: other\r\nContent-Length: 22\r\n"),
        framing(
            "refuses a body that is not JSON by its type",
            415,
            "Content-Type: text/plain\r\nContent-Length: 22\r\n",
        ),
    ]
}

/// RFC 9112, sections 2 and 3.
fn bad_request_lines() -> Vec<Row> {
    let first_line = |claim, status, line: &str| {
        row(claim, status, &[], format!("{line}\r\nHost: test\r\n\r\n"))
    };
    let cut = |claim, bytes: &str| Row { then_finish: true, ..row(claim, 400, &[], bytes) };
    vec![
        row("refuses HTTP/1.1 without Host (3.2)", 400, &[], "GET /health HTTP/1.1\r\n\r\n"),
        row("refuses a bare line feed (2.2)", 400, &[], "GET /health HTTP/1.1\nHost: test\n\n"),
        row(
            "refuses one bare line feed among good lines (2.2)",
            400,
            &[],
            "GET /health HTTP/1.1\r\nHost: test\nX-A: b\r\n\r\n",
        ),
        row(
            "refuses a bare carriage return (2.2)",
            400,
            &[],
            "GET /health HTTP/1.1\r\nHost: te\rst\r\n\r\n",
        ),
        row(
            "forgives an empty line before the request (2.2)",
            200,
            &[],
            "\r\nGET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        ),
        first_line("refuses two blanks in the request line (3)", 400, "GET  /health HTTP/1.1"),
        first_line("refuses a request line without a version (3)", 400, "GET /health"),
        first_line("refuses a version that is none (2.3)", 400, "GET /health HTPP/1.1"),
        first_line(
            "does not speak HTTP/2.0 in this form (RFC 9110, 15.6.6)",
            505,
            "GET /health HTTP/2.0",
        ),
        first_line(
            "refuses a method that is no token (RFC 9110, 9.1)",
            400,
            "G@T /health HTTP/1.1",
        ),
        row("refuses garbage", 400, &[], "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n"),
        cut("answers half a head", "GET /health HTTP/1.1\r\nHost: te"),
        cut(
            "answers half a body",
            "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n{\"name\":",
        ),
    ]
}

fn limits() -> Vec<Row> {
    let with_fields = |fields: &str| {
        format!("GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{fields}\r\n")
    };
    let many = |count: usize| {
        (0..count).map(|index| format!("X-{index}: v\r\n")).collect::<Vec<_>>().concat()
    };
    let long_target = |len: usize| format!("/{}", "p".repeat(len - 1));
    let declared = |len: &str| {
        format!("POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: {len}\r\n\r\n")
    };
    let padded = |len: usize| {
        let metric = r#"{"name":"m","value":1}"#;
        format!("{metric}{}", " ".repeat(len - metric.len()))
    };
    let header_section = format!(
        "GET /health HTTP/1.1\r\n{}",
        "X-Filler: 0123456789\r\n".repeat(95)
            + &format!("X-Long: {}\r\n", "v".repeat(8_000)).repeat(5)
    );
    vec![
        post("takes a body of 1 MiB", 202, &[], &padded(1024 * 1024)),
        row("refuses a longer body before it is sent", 413, &[], declared("1048577")),
        row("refuses a length beyond 64 bits", 413, &[], declared("99999999999999999999999")),
        row("takes 100 fields", 200, &[], with_fields(&many(98))),
        row("refuses 101 fields", 431, &[], with_fields(&many(99))),
        row("refuses a header section over 32 KiB", 431, &[], header_section + "\r\n"),
        get("takes a target of 8 KiB", 404, &[], &long_target(8 * 1024)),
        get("refuses a longer target", 414, &[], &long_target(8 * 1024 + 1)),
    ]
}

/// What the phases after phase 0 learn to do.
fn later_phases() -> Vec<Row> {
    let chunks = "POST /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let two = "GET /health HTTP/1.1\r\nHost: test\r\n\r\nGET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    vec![
        needs(
            Capability::Chunked,
            row(
                "reads a body in chunks (7.1)",
                202,
                &["accepted\":1"],
                format!("{chunks}5\r\n{{\"nam\r\n11;x=y\r\ne\":\"m\",\"value\":1}}\r\n0\r\n\r\n"),
            ),
        ),
        needs(
            Capability::Chunked,
            row(
                "refuses a chunk without a length (7.1)",
                400,
                &[],
                format!("{chunks}x\r\n\r\n0\r\n\r\n"),
            ),
        ),
        needs(
            Capability::Head,
            row(
                "answers HEAD without a body (RFC 9110, 9.3.2)",
                200,
                &["content-length: "],
                "HEAD /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
            ),
        ),
        needs(
            Capability::KeepAlive,
            Row {
                statuses: vec![200, 200],
                ..row("answers two requests in order (9.3)", 200, &["\"queue_size\":"], two)
            },
        ),
        needs(
            Capability::Offset,
            post(
                "says at which byte a body is bad",
                400,
                &["\"offset\":21"],
                r#"{"name":"m","value":1x}"#,
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn answer(status: u16, content_type: &str, body: &str) -> Response {
        let fields = vec![("Content-Type".to_string(), content_type.to_string())];
        Response { status, fields, body: body.into() }
    }

    #[test]
    fn every_claim_is_made_once() {
        let rows = rows();
        let claims: HashSet<_> = rows.iter().map(|row| row.claim).collect();
        assert_eq!(claims.len(), rows.len());
    }

    #[test]
    fn a_wrong_status_is_a_failure() {
        let row = get("x", 200, &[], "/");
        assert!(
            row.judge(&Ok(vec![answer(404, "application/json", r#"{"error":"e","detail":"d"}"#)]))
                .is_err()
        );
        assert!(row.judge(&Ok(vec![answer(200, "text/html", "")])).is_ok());
    }

    #[test]
    fn a_missing_text_or_field_is_a_failure() {
        let row = get("x", 200, &["content-type: text/html", "hello"], "/");
        assert!(row.judge(&Ok(vec![answer(200, "text/html", "hello")])).is_ok());
        assert!(row.judge(&Ok(vec![answer(200, "text/plain", "hello")])).is_err());
        assert!(row.judge(&Ok(vec![answer(200, "text/html", "bye")])).is_err());
    }

    #[test]
    fn an_error_that_does_not_say_what_is_wrong_is_a_failure() {
        let row = get("x", 404, &[], "/");
        for body in ["not found", r#"{"error":"not_found"}"#, r#"{"error":"","detail":"d"}"#] {
            assert!(row.judge(&Ok(vec![answer(404, "application/json", body)])).is_err(), "{body}");
        }
    }

    #[test]
    fn a_server_that_closes_without_an_answer_fails_its_rows() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.incoming().for_each(drop));
        let outcome = run(address, &[]);
        assert_eq!(outcome.passed, Vec::<&str>::new());
        assert!(outcome.failed.len() > 100, "{}", outcome.failed.len());
        assert!(outcome.not_run.iter().any(|(_, need)| *need == Capability::Query));
    }
}
