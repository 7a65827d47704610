//! Lab tests: what happens when the system has no descriptor for one more connection.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use testkit::{Client, DataFolder, Response, Server, get, wait_until};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";

const DESCRIPTORS_MAX: usize = 48;

/// Starts the server from a shell that has set the limit.
fn start_limited(folder: &DataFolder) -> Server {
    let script = format!(r#"ulimit -n {DESCRIPTORS_MAX}; exec "$@""#);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", FINAL, "--loops", "1", "--header-timeout", "60s"]);
    Server::start(command.args(["--port", "0", "--data-file"]).arg(folder.data_file()))
}

fn ask(client: &mut Client) -> Response {
    client.send(REQUEST).unwrap();
    client.read_response().unwrap()
}

/// Connects until the server has no descriptor for anybody.
fn exhaust(server: &Server) -> Vec<Client> {
    let connect = |_| Client::connect(server.address()).unwrap();
    let clients = (0..DESCRIPTORS_MAX).map(connect).collect();
    let last_descriptor = format!("/proc/{}/fd/{}", server.pid(), DESCRIPTORS_MAX - 1);
    wait_until("it is out of descriptors", || fs::read_link(&last_descriptor).is_ok());
    clients
}

#[test]
fn out_of_descriptors_it_serves_those_inside_and_then_those_who_waited() {
    let folder = DataFolder::new();
    let server = start_limited(&folder);
    let mut clients = exhaust(&server);
    assert_eq!(ask(&mut clients[0]).status, 200, "who is inside is served");
    let mut last = clients.pop().unwrap();
    drop(clients);
    assert_eq!(ask(&mut last).status, 200, "who had to wait is served");
    drop(last);
    assert_eq!(get(server.address(), "/health").status, 200);
    server.stop().assert_success();
}

/// How often the server has gone to sleep by itself: once for each time that it looks again. One
/// that tries again at once never sleeps, and is put off by the scheduler instead.
fn switches(server: &Server, kind: &str) -> u64 {
    let of_thread = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let count = status.lines().find_map(|line| line.strip_prefix(kind));
        count.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    threads.map(|thread| of_thread(thread.unwrap())).sum()
}

/// What the server has used of a processor, in ticks of 10 ms.
fn processor_ticks(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = fields.split_whitespace().collect();
    // utime and stime, the 14th and 15th of proc(5), of which two are before the bracket.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn out_of_descriptors_it_does_not_spin() {
    let folder = DataFolder::new();
    let server = start_limited(&folder);
    let _clients = exhaust(&server);
    let ticks_before = processor_ticks(&server);
    let switches_before = switches(&server, "voluntary_ctxt_switches:");
    thread::sleep(Duration::from_secs(1));
    let used = processor_ticks(&server) - ticks_before;
    let slept = switches(&server, "voluntary_ctxt_switches:") - switches_before;
    println!("in a second: {used} ticks of the processor, {slept} times asleep");
    assert!(slept >= 1, "it looks again");
    // One that spins uses all of them, and on a busy machine still a good part.
    assert!(used <= 10, "{used} ticks");
}
