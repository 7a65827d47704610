//! Lab tests: the kernel's bound on open files does not stand in front of ours.

mod held;

use std::process::Command;

use held::Held;
use testkit::{DataFolder, Server, get};

const PHASE2: &str = env!("CARGO_BIN_EXE_craft1-phase2");

/// Starts the server from a shell that has set a limit of 64 open files.
fn start_limited(folder: &DataFolder, ulimit: &str, options: &[&str]) -> Server {
    let script = format!(r#"{ulimit} 64; exec "$@""#);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", PHASE2, "--port", "0", "--data-file"]);
    Server::start(command.arg(folder.data_file()).args(options))
}

#[test]
fn a_soft_limit_is_raised_to_what_the_bounds_need() {
    let folder = DataFolder::new();
    let server = start_limited(&folder, "ulimit -S -n", &["--workers", "101"]);
    let held: Vec<_> = (0..100).map(|_| Held::begin(server.address())).collect();
    assert_eq!(get(server.address(), "/health").status, 200, "behind a hundred others");
    for client in held {
        assert_eq!(client.finish().status, 202);
    }
    assert_eq!(server.stop().stderr, [""; 0]);
}

#[test]
fn a_hard_limit_that_is_too_low_is_said_and_the_server_runs_all_the_same() {
    let folder = DataFolder::new();
    let server = start_limited(&folder, "ulimit -n", &["--workers", "8", "--backlog", "8"]);
    assert_eq!(Held::begin(server.address()).finish().status, 202);
    let exit = server.stop();
    exit.assert_success();
    let [line] = &exit.stderr[..] else { panic!("{:?}", exit.stderr) };
    assert!(line.starts_with("this process may open 64 files and may need "), "{line}");
}
