//! The examples of a README, run as its reader would run them.
//!
//! An example is a line of a fenced `console` block that begins with `$ `; the lines below it are
//! what it prints, with `…` for anything. Other blocks, `sh` among them, are for commands that go
//! on for long or print what nobody can foresee.
//!
//! What always holds: the examples run in order, in the folder of the data file, against one server
//! that stands in for the `127.0.0.1:8080` of the text. When one begins, all that the ones before it
//! sent is stored.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::{DEADLINE, DataFolder, Server, get_json, wait_until};

/// Where the server of the text listens.
const ADDRESS: &str = "127.0.0.1:8080";

/// Runs every example of `readme` and returns how many there are.
///
/// # Panics
/// If a command fails, or prints something else than the text shows.
#[track_caller]
pub fn run(readme: &str, folder: &DataFolder, server: &Server) -> usize {
    let examples = examples(readme);
    for example in &examples {
        example.check(folder.path(), server.address());
        wait_until("what was accepted is stored", || {
            let health = get_json(server.address(), "/health");
            health["stored"] == health["accepted"]
        });
    }
    examples.len()
}

/// One command, and what it must print.
#[derive(Debug, Default, PartialEq, Eq)]
struct Example {
    command: String,
    output: String,
}

impl Example {
    #[track_caller]
    fn check(&self, folder: &Path, address: SocketAddr) {
        let Self { command, output } = self;
        let curl = format!("curl --silent --show-error --max-time {} ", DEADLINE.as_secs());
        let script = command.replace(ADDRESS, &address.to_string()).replace("curl ", &curl);
        let shell = Command::new("sh").args(["-c", &script]).current_dir(folder).output();
        let ran = shell.expect("a shell");
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
        let printed = String::from_utf8_lossy(&ran.stdout);
        let is_as_shown = matches(printed.trim_end(), output.trim_end());
        assert!(is_as_shown, "{command}\nprinted\n{printed}\nnot\n{output}");
    }
}

#[track_caller]
fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut in_console = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            in_console = line == "```console";
        } else if in_console && let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example { command: command.into(), ..Example::default() });
        } else if in_console {
            let example = examples.last_mut().expect("output stands below its command");
            example.output.push_str(line);
            example.output.push('\n');
        }
    }
    examples
}

/// Whether `text` is `pattern`, where each `…` stands for anything.
fn matches(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn an_example_is_a_command_of_a_console_block_with_the_lines_below_it() {
        let readme = "text\n```sh\n$ not this\n```\n```console\n$ one\n1\n\n$ two\n```\nafter\n\
                      ```console\n$ three\n3…\n```\n";
        let example = |command: &str, output: &str| Example {
            command: command.into(),
            output: output.into(),
        };
        let expected = [example("one", "1\n\n"), example("two", ""), example("three", "3…\n")];
        assert_eq!(examples(readme), expected);
    }

    #[test]
    fn an_ellipsis_stands_for_anything_and_everything_else_for_itself() {
        for (text, pattern) in
            [("", ""), ("abc", "abc"), ("abc", "…"), ("abc", "a…"), ("abc", "…c"), ("abc", "a…b…c")]
        {
            assert!(matches(text, pattern), "{text:?} is {pattern:?}");
        }
        for (text, pattern) in [
            ("abc", ""),
            ("abc", "ab"),
            ("abc", "b…"),
            ("abc", "…b"),
            ("aba", "ab…ba"),
            ("abc", "a…c…b…c"),
        ] {
            assert!(!matches(text, pattern), "{text:?} is not {pattern:?}");
        }
    }

    /// What answers every request with `health`.
    fn server(health: &'static str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 1024]);
                let len = health.len();
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{health}");
            }
        });
        let script = format!("echo listening on http://{address}; exec sleep 60");
        Server::start(Command::new("sh").args(["-c", &script]))
    }

    fn run_alone(readme: &str) -> usize {
        run(readme, &DataFolder::new(), &server(r#"{"accepted":1,"stored":1}"#))
    }

    #[test]
    fn examples_run_in_the_data_folder_against_the_server() {
        let readme = "```console\n$ echo a line > metrics.jsonl\n$ cat metrics.jsonl\na line\n\
                      $ curl http://127.0.0.1:8080/health\n{\"accepted\":1,…}\n```\n";
        assert_eq!(run_alone(readme), 3);
    }

    #[test]
    #[should_panic(expected = "printed\ntwo\n\nnot\none")]
    fn another_output_than_shown_fails() {
        run_alone("```console\n$ echo two\none\n```\n");
    }

    #[test]
    #[should_panic(expected = "false: ")]
    fn a_command_that_fails_fails() {
        run_alone("```console\n$ false\n```\n");
    }
}
