//! `lab check --exec` and `--url` as a program: what it refuses, how it exits, what it leaves behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use testkit::{DataFolder, Server, wait_until};

use super::{check, exec, graded, has_python, output, with_outcome};

#[test]
fn a_wrong_command_line_exits_with_2_and_says_why() {
    for (options, expected) in [
        (&["--exec", ""][..], "--exec needs a command"),
        (&["--exec", "sh 'x"], "a quote does not end"),
        (&["--exec", "sh {prot}"], "there is no placeholder {prot}; there are {port}"),
        (
            &["--exec", "sh", "--only", "nonsense"],
            "phase 0 has no such check; there are conformance",
        ),
        (&["--exec", "sh", "--phase", "7"], "invalid value '7'"),
        (&["--exec", "sh", "--url", "http://127.0.0.1:1"], "cannot be used with"),
        (&["--url", "https://127.0.0.1"], "must be http://HOST:PORT"),
        (&["--phase", "1"], "required"),
    ] {
        let output = output(options);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {errors}");
        assert!(errors.contains(expected), "{options:?}: {errors}");
    }
}

#[test]
fn a_program_that_is_not_there_exits_with_3() {
    let output = output(&["--exec", "no-such-program --port {port}"]);
    assert_eq!(output.status.code(), Some(3));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("there is no program no-such-program: install it"), "{errors}");
}

#[test]
fn nobody_at_the_url_is_a_failure() {
    let output = output(&["--url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("FAILED start/answers"), "{text}");
    assert!(text.contains("the connection was refused") || text.contains("efused"), "{text}");
    assert!(text.contains("156 not run") || text.contains("not run"), "{text}");
}

fn python(server: &str, folder: &DataFolder) -> Server {
    let file = format!("{}/tests/grader/servers/{server}.py", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(file);
    Server::start(
        command.args(["--port", "0", "--timeout", "1s", "--data-file"]).arg(folder.data_file()),
    )
}

#[test]
fn a_server_at_a_url_is_graded_and_goes_on() {
    if !has_python() {
        return;
    }
    let folder = DataFolder::new();
    let server = python("good", &folder);
    let (report, code) = graded(&["--url", &server.url(""), "--only", "t/"]);
    assert_eq!((with_outcome(&report, "failed"), code), (vec![], Some(0)));
    assert!(with_outcome(&report, "passed").len() > 100);
    assert_eq!(testkit::get(server.address(), "/health").status, 200);
    let (report, _) = graded(&["--url", &server.url(""), "--only", "kill/"]);
    let not_run = with_outcome(&report, "not_run");
    assert_eq!(not_run.len(), 3, "{report:#}");
    assert!(not_run.iter().all(|it| it["reason"].as_str().unwrap().contains("use --exec")));
}

/// The server is a child of a shell, says who it is, and is still there when the grader is told to
/// stop.
#[test]
fn ctrl_c_ends_it_the_server_and_its_children() {
    if !has_python() {
        return;
    }
    let folder = DataFolder::new();
    let pid_file = folder.path().join("pid");
    let wrapped = format!(
        "sh -c 'echo $$ >{}; {} & wait'",
        pid_file.display(),
        exec("good").replace('\'', "")
    );
    let mut grader = check(&["--exec", &wrapped, "--only", "contract/"]);
    let mut grader = grader.stdout(Stdio::piped()).spawn().unwrap();
    let read_pid =
        || fs::read_to_string(&pid_file).ok()?.trim().parse().ok().and_then(Pid::from_raw);
    wait_until("the server has been started", || read_pid().is_some());
    let shell = read_pid().unwrap();
    kill_process(Pid::from_child(&grader), Signal::INT).unwrap();
    let lines: Vec<String> =
        BufReader::new(grader.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    assert_eq!(grader.wait().unwrap().code(), Some(1), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("interrupted")), "{lines:#?}");
    wait_until("the server is gone", || test_kill_process(shell).is_err());
}

#[test]
fn nothing_of_a_server_is_left_when_the_grader_has_ended() {
    if !has_python() {
        return;
    }
    let folder = DataFolder::new();
    let port_file = folder.path().join("port");
    let command = format!(
        "sh -c 'echo $0 >{}; {} & wait' {{port}}",
        port_file.display(),
        exec("good").replace('\'', "").replace("{port}", "$0")
    );
    let (report, _) = graded(&["--exec", &command, "--only", "start/answers"]);
    assert_eq!(with_outcome(&report, "passed").len(), 1, "{report:#}");
    let port: u16 = fs::read_to_string(port_file).unwrap().trim().parse().unwrap();
    wait_until("the port is free", || TcpStream::connect(("127.0.0.1", port)).is_err());
}
