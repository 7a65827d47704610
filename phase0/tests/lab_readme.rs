//! Lab test: every `console` command of the README does what the README shows.

use std::fs;
use std::process::Command;

use testkit::{DataFolder, get_json, wait_until};

const PHASE0: &str = env!("CARGO_BIN_EXE_phase0");
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// One command and what it must print, where `…` stands for anything.
struct Example {
    command: String,
    output: String,
}

#[test]
fn every_command_of_the_readme_prints_what_it_shows() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE0, &["--no-self-monitor"]);
    let examples = examples(&fs::read_to_string(README).unwrap());
    assert!(examples.len() >= 10, "only {} examples", examples.len());
    for Example { command, output } in examples {
        let here = command.replace("127.0.0.1:8080", &server.address().to_string());
        let quiet = here.replacen("curl ", "curl --silent --show-error ", 1);
        let ran = Command::new("sh").args(["-c", &quiet]).output().expect("a shell");
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
        let printed = String::from_utf8(ran.stdout).unwrap();
        assert!(matches(&printed, &output), "{command}\nprinted\n{printed}\nnot\n{output}");
        let health = || get_json(server.address(), "/health");
        wait_until("what was accepted is stored", || health()["stored"] == health()["accepted"]);
    }
}

fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut in_console = false;
    for line in readme.lines() {
        match (line, line.strip_prefix("$ ")) {
            ("```console", _) => in_console = true,
            ("```", _) => in_console = false,
            (_, Some(command)) if in_console => {
                examples.push(Example { command: command.into(), output: String::new() });
            }
            _ if in_console => {
                let example = examples.last_mut().expect("output stands behind a command");
                example.output += line;
                example.output.push('\n');
            }
            _ => {}
        }
    }
    examples
}

/// Whether the pieces of `pattern` between `…` stand in `text`, in order, from end to end.
fn matches(text: &str, pattern: &str) -> bool {
    let pieces: Vec<_> = pattern.trim_end().split('…').collect();
    let (first, last) = (pieces[0], pieces[pieces.len() - 1]);
    let mut rest = text.trim_end();
    let ends = pieces.len() == 1 && rest == first || pieces.len() > 1;
    if !ends || !rest.starts_with(first) || !rest.ends_with(last) {
        return false;
    }
    pieces.iter().all(|piece| match rest.find(piece) {
        Some(at) => {
            rest = &rest[at + piece.len()..];
            true
        }
        None => false,
    })
}
