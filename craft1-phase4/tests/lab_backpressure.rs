//! Lab tests: there is a bound on connections, whoever comes beyond it is told so at once, and the
//! server goes on accepting when the system has no room.

use std::process::Command;

use testkit::{Client, DataFolder, Response, Server, get, wait_until};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";

/// A connection that is known to the server.
fn inside(server: &Server) -> Client {
    let mut client = Client::connect(server.address()).unwrap();
    client.send(REQUEST).unwrap();
    assert_eq!(client.read_response().unwrap().status, 200);
    client
}

#[track_caller]
fn assert_refused(refusal: &Response, why: &str) {
    assert_eq!((refusal.status, refusal.field("retry-after")), (503, Some("1")));
    let expected = format!(r#"{{"error":"service_unavailable","detail":"{why}"}}"#);
    assert_eq!(refusal.text(), expected);
}

#[test]
fn one_connection_too_many_gets_503_until_a_place_is_free() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--max-connections", "2", "--idle-timeout", "60s"]);
    let (first, mut second) = (inside(&server), inside(&server));
    for _ in 0..20 {
        let mut third = Client::connect(server.address()).unwrap();
        // Whether or not it goes on to send what it came for.
        let _ = third.send(REQUEST);
        let refusal = third.read_response().unwrap();
        assert_refused(&refusal, "too many connections");
        assert_eq!(refusal.field("connection"), Some("close"));
        third.assert_closed();
    }
    second.send(REQUEST).unwrap();
    assert_eq!(second.read_response().unwrap().status, 200, "who is inside is not disturbed");
    drop(first);
    wait_until("a place is free", || get(server.address(), "/health").status == 200);
    // The place of the last one to ask may be taken for a moment longer.
    wait_until("it is told how many were refused", || {
        let telemetry = get(server.address(), "/metrics").text();
        let told =
            telemetry.lines().find_map(|it| it.strip_prefix("ingest_refused_connections_total "));
        told.is_some_and(|count| count.parse::<u64>().unwrap() >= 20)
    });
    server.stop().assert_success();
}

#[test]
fn is_not_ready_before_anybody_is_refused() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--max-connections", "8", "--idle-timeout", "60s"]);
    let ask = || get(server.address(), "/ready");
    let mut clients: Vec<_> = (0..4).map(|_| inside(&server)).collect();
    wait_until("only they are there", || ask().status == 200);
    clients.push(inside(&server));
    assert_refused(&ask(), "nearly all connections are taken");
    assert_eq!(get(server.address(), "/health").status, 200, "it is alive all the same");
    clients.clear();
    wait_until("it is ready again", || ask().status == 200);
}

/// More clients than the system lets the server have descriptors. Those who wait are in the
/// kernel's backlog, and their turn comes.
#[cfg(target_os = "linux")]
#[test]
fn out_of_descriptors_it_serves_those_inside_and_recovers() {
    use std::{fs, time::Duration};

    const DESCRIPTORS_MAX: usize = 48;
    let folder = DataFolder::new();
    let script = format!(r#"ulimit -n {DESCRIPTORS_MAX}; exec "$@""#);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", PHASE4, "--idle-timeout", "60s", "--header-timeout", "60s"]);
    let server =
        Server::start(command.args(["--port", "0", "--data-file"]).arg(folder.data_file()));
    let mut first = inside(&server);
    let mut crowd: Vec<_> =
        (0..DESCRIPTORS_MAX).map(|_| Client::connect(server.address()).unwrap()).collect();
    // The kernel gives the lowest number that is free, so the last one goes last.
    let last_descriptor = format!("/proc/{}/fd/{}", server.pid(), DESCRIPTORS_MAX - 1);
    wait_until("it is out of descriptors", || fs::read_link(&last_descriptor).is_ok());

    let busy_ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        // utime and stime, proc_pid_stat(5): fields 14 and 15, counted behind the name.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    };
    let before = busy_ticks();
    std::thread::sleep(Duration::from_secs(1));
    // A hundredth of a second each. A loop that spins would take all of them.
    assert!(busy_ticks() - before < 50, "it spins");

    first.send(REQUEST).unwrap();
    assert_eq!(first.read_response().unwrap().status, 200, "who is inside is served");
    let mut last = crowd.pop().unwrap();
    last.send(REQUEST).unwrap();
    drop(crowd);
    assert_eq!(last.read_response().unwrap().status, 200, "who had to wait is served");
    let exit = server.stop();
    exit.assert_success();
    let said = "this process may open 48 files and may need ";
    assert!(exit.stderr.iter().any(|line| line.starts_with(said)), "{:?}", exit.stderr);
}
