//! The rivals as programs: started as a comparison starts them, spoken to over a raw socket.
//!
//! All that store must answer alike, or a comparison of them would say nothing. `limit` differs in
//! one thing that has a test of its own: it answers 202 to whatever it is sent.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rivals::writer::QUEUE_REQUESTS_MAX;
use rustix::process::{Pid, Signal, kill_process};

const STORING: [&str; 6] = [
    env!("CARGO_BIN_EXE_hyper-serde"),
    env!("CARGO_BIN_EXE_hyper-sonic"),
    env!("CARGO_BIN_EXE_hyper-simd"),
    env!("CARGO_BIN_EXE_axum"),
    env!("CARGO_BIN_EXE_actix"),
    env!("CARGO_BIN_EXE_may"),
];

const LIMIT: &str = env!("CARGO_BIN_EXE_limit");

/// Long enough for a machine that is busy with other things; a test that needs it has failed.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

const SINGLE: &str = r#"{"name":"cpu_usage","value":85.5}"#;

const BATCH_OF_3: &str = r#"{"metrics":[
    {"name":"cpu_usage","value":75.5,"timestamp":1758116723123},
    {"name":"requests","value":1e21,"timestamp":"2025-09-17T15:45:23.124+02:00","type":"counter"},
    {"name":"größe","value":-0.1,"timestamp":0,"tags":{"host":"web-1","note":"a\"b"}}]}"#;

const STORED_BATCH_OF_3: &str = concat!(
    r#"{"timestamp":"2025-09-17T13:45:23.123Z","name":"cpu_usage","value":75.5}"#,
    "\n",
    r#"{"timestamp":"2025-09-17T13:45:23.124Z","name":"requests","value":1e+21,"type":"counter"}"#,
    "\n",
    r#"{"timestamp":"1970-01-01T00:00:00.000Z","name":"größe","value":-0.1,"#,
    r#""tags":{"host":"web-1","note":"a\"b"}}"#,
    "\n",
);

#[test]
fn stores_a_batch_exactly_by_the_time_it_has_stopped() {
    for program in STORING {
        let server = Server::start(program);
        let answer = server.connect().post(BATCH_OF_3);
        assert_eq!(answer, accepted(3), "{program}");
        let (status, stored) = server.stop();
        assert!(status.success(), "{program}: {status}");
        assert_eq!(stored, STORED_BATCH_OF_3, "{program}");
    }
}

#[test]
fn a_metric_without_a_timestamp_gets_the_time_it_arrived() {
    for program in STORING {
        let server = Server::start(program);
        assert_eq!(server.connect().post(SINGLE), accepted(1), "{program}");
        let (_, stored) = server.stop();
        let (timestamp, rest) = stored.split_at(r#"{"timestamp":"2025-09-17T13:45:23.123Z""#.len());
        assert!(
            timestamp.starts_with(r#"{"timestamp":"2"#) && timestamp.ends_with("Z\""),
            "{program}"
        );
        assert_eq!(rest, ",\"name\":\"cpu_usage\",\"value\":85.5}\n", "{program}");
    }
}

#[test]
fn answers_400_and_stores_nothing_of_a_bad_body() {
    let long_name = format!(r#"{{"name":"{}","value":1}}"#, "n".repeat(256));
    let bad_second = r#"{"metrics":[{"name":"a","value":1},{"name":"","value":1}]}"#;
    let bad_bodies: [(&str, &str); 7] = [
        ("{\"name\":", ""),
        ("", ""),
        (r#"{"name":"cpu_usage","value":NaN}"#, ""),
        (r#"{"name":"cpu_usage","value":1,"type":"guess"}"#, "type: not one of"),
        (&long_name, "name: longer than 255 bytes"),
        (&batch_of(1001), "metrics: more than 1000 items"),
        (bad_second, "metrics[1].name: empty"),
    ];
    for program in STORING {
        let server = Server::start(program);
        let mut client = server.connect();
        for (body, detail) in bad_bodies {
            let (status, answer) = client.post(body);
            assert_eq!(status, 400, "{program}: {body}");
            assert!(answer.contains("\"error\"") && answer.contains(detail), "{program}: {answer}");
        }
        assert_eq!(server.stop().1, "", "{program}");
    }
}

#[test]
fn answers_pipelined_requests_in_order_on_one_connection() {
    for program in STORING {
        let server = Server::start(program);
        let mut client = server.connect();
        let sizes = [1, 3, 2, 40, 1000, 1, 7];
        let requests: String = sizes.iter().map(|size| request(&batch_of(*size))).collect();
        client.send(requests.as_bytes());
        for size in sizes {
            assert_eq!(client.answer(), accepted(size), "{program}");
        }
        let (_, stored) = server.stop();
        assert_eq!(stored.lines().count(), sizes.iter().sum::<usize>(), "{program}");
    }
}

#[test]
fn takes_a_body_that_arrives_in_pieces() {
    for program in STORING {
        let server = Server::start(program);
        let mut client = server.connect();
        let whole = request(&batch_of(1000));
        let (head, rest) = whole.as_bytes().split_at(whole.len() / 3);
        let (middle, end) = rest.split_at(rest.len() / 2);
        for piece in [head, middle, end] {
            client.send(piece);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(client.answer(), accepted(1000), "{program}");
        assert_eq!(client.post(SINGLE), accepted(1), "{program}: the next request");
    }
}

#[test]
fn answers_413_to_a_body_over_1_mib() {
    for program in STORING {
        let server = Server::start(program);
        let mut client = server.connect();
        client.send_unless_closed(request(&" ".repeat(1024 * 1024 + 1)).as_bytes());
        assert_eq!(client.answer().0, 413, "{program}");
    }
}

#[test]
fn knows_health_and_answers_404_elsewhere() {
    for program in STORING {
        let server = Server::start(program);
        let mut client = server.connect();
        client.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer(), (200, r#"{"status":"ok","queue_size":0}"#.into()), "{program}");
        client.send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer().0, 404, "{program}");
        assert_eq!(client.post(SINGLE), accepted(1), "{program}: the connection goes on");
    }
}

/// The data file is a pipe that nobody reads: the writer gets stuck, the channel fills.
#[test]
fn answers_503_when_the_writer_is_stuck_and_keeps_what_it_accepted() {
    const WINDOW: usize = 256;
    for program in STORING {
        let directory = tempfile::tempdir().unwrap();
        let mut pipe = pipe_at(&data_file_in(directory.path()));
        let server = Server::start_in(directory, program, &[]);
        let mut client = server.connect();
        let window = request(SINGLE).repeat(WINDOW);
        let (mut accepted_count, mut busy_count) = (0, 0);
        while busy_count == 0 {
            assert!(accepted_count < 2 * QUEUE_REQUESTS_MAX, "{program}: the queue has no bound");
            client.send(window.as_bytes());
            for _ in 0..WINDOW {
                match client.answer() {
                    (202, _) => accepted_count += 1,
                    (503, _) => busy_count += 1,
                    other => panic!("{program}: {other:?}"),
                }
            }
        }
        assert!(client.retry_after_seen, "{program}: 503 without Retry-After");
        let stored = BufReader::new(&mut pipe).lines().take(accepted_count);
        assert!(stored.map(Result::unwrap).all(|line| line.ends_with("85.5}")), "{program}");
        assert_eq!(client.post(SINGLE), accepted(1), "{program}: back in service");
    }
}

/// Makes a named pipe and opens it for reading; also for writing, so that opening does not wait.
fn pipe_at(path: &Path) -> File {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    File::options().read(true).write(true).open(path).unwrap()
}

#[test]
fn two_threads_share_a_port() {
    for program in STORING.into_iter().chain([LIMIT]) {
        let server = Server::start_with(program, &["--threads", "2"]);
        for _ in 0..20 {
            assert_eq!(server.connect().post(SINGLE), accepted(1), "{program}");
        }
        assert!(server.stop().0.success(), "{program}");
    }
}

#[test]
fn limit_answers_the_same_202_to_every_complete_request() {
    let server = Server::start(LIMIT);
    let mut client = server.connect();
    client.send([request("no JSON"), request(&batch_of(3)), request("")].concat().as_bytes());
    for _ in 0..3 {
        assert_eq!(client.answer(), accepted(1));
    }
    let whole = request(&batch_of(1000));
    let (head, body) = whole.as_bytes().split_at(100);
    client.send(head);
    std::thread::sleep(Duration::from_millis(20));
    client.send(body);
    assert_eq!(client.answer(), accepted(1));
    let data_file = server.data_file();
    assert!(server.stop().0.success());
    assert!(!data_file.exists(), "limit never opens the data file");
}

fn accepted(count: usize) -> (u16, String) {
    (202, format!(r#"{{"status":"accepted","accepted":{count}}}"#))
}

fn batch_of(count: usize) -> String {
    let metrics: Vec<String> = (0..count)
        .map(|number| format!(r#"{{"name":"metric_{number}","value":{number}.5}}"#))
        .collect();
    format!(r#"{{"metrics":[{}]}}"#, metrics.join(","))
}

fn request(body: &str) -> String {
    format!(
        "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A started rival with a data file of its own. Killed when a failed test drops it.
struct Server {
    process: Child,
    authority: String,
    directory: tempfile::TempDir,
}

impl Server {
    fn start(program: &str) -> Self {
        Self::start_with(program, &[])
    }

    fn start_with(program: &str, options: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), program, options)
    }

    fn start_in(directory: tempfile::TempDir, program: &str, options: &[&str]) -> Self {
        let mut process = Command::new(program)
            .arg("--data-file")
            .arg(data_file_in(directory.path()))
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let authority = line.strip_prefix("listening on http://").unwrap_or_else(|| {
            panic!("{program}: the first line of output is {line:?}");
        });
        Self { process, authority: authority.trim_end().into(), directory }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.authority).unwrap();
        stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        Client { stream: BufReader::new(stream), retry_after_seen: false }
    }

    fn data_file(&self) -> PathBuf {
        data_file_in(self.directory.path())
    }

    /// Sends SIGTERM. Gives the exit status and what is in the data file, empty if there is none.
    fn stop(mut self) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let status = self.process.wait().unwrap();
        (status, std::fs::read_to_string(self.data_file()).unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing to kill, which is what an error here says.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn data_file_in(directory: &Path) -> PathBuf {
    directory.join("metrics.jsonl")
}

struct Client {
    stream: BufReader<TcpStream>,
    retry_after_seen: bool,
}

impl Client {
    fn post(&mut self, body: &str) -> (u16, String) {
        self.send(request(body).as_bytes());
        self.answer()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// For a request that a server may answer, and close upon, before it has read everything.
    fn send_unless_closed(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Reads one answer: its status and its body.
    fn answer(&mut self) -> (u16, String) {
        let status = self.line();
        let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut body_len = 0;
        loop {
            let line = self.line().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                body_len = value.trim().parse().unwrap();
            }
            self.retry_after_seen |= line == "retry-after: 1";
        }
        let mut body = vec![0; body_len];
        self.stream.read_exact(&mut body).unwrap();
        (code.unwrap_or_else(|| panic!("{status:?}")), String::from_utf8(body).unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().into()
    }
}
