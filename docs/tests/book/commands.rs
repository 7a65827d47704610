//! Commands: what a reader copies into a terminal.
//!
//! What always holds: a command of a `sh` block that calls cargo names a package, a lab, a server or
//! a load that there is, and its program takes its options; a script is there. What stands behind `$`
//! in a `console` block is run, against the server of the last `cargo run` above it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use testkit::{DataFolder, readme};

use crate::page::{Block, Book, Page, root};
use crate::programs;

/// Options of a server that the examples bring along themselves.
const OWN_OPTIONS: [&str; 2] = ["--port", "--data-file"];

/// Verbs of `cargo lab` that take the name of a lab.
const TAKE_A_LAB: [&str; 4] = ["start", "show", "reset", "solution"];

/// Options of `cargo compare` that take names.
const TAKE_NAMES: [&str; 3] = ["--workload", "--toggle", "--rival"];

/// Everything that `cargo compare` knows by name.
static NAMES: LazyLock<String> = LazyLock::new(|| output_of("compare", &["list".to_owned()]));

/// Commands that would fail for whoever copies them.
pub(crate) fn misunderstood(book: &Book) -> Vec<String> {
    let mut findings = Vec::new();
    for page in &book.pages {
        for command in page.blocks().iter().filter(|it| it.language == "sh").flat_map(commands_of) {
            if let Some(reason) = reason(&command) {
                let command = shell_words::join(&command);
                findings.push(format!("{}: {command}: {reason}", page.path.display()));
            }
        }
    }
    findings
}

/// The words of each line that calls cargo or a script, without its comment.
fn commands_of(block: &Block) -> Vec<Vec<String>> {
    let is_ours = |line: &&str| line.starts_with("cargo ") || line.starts_with("scripts/");
    let words = |line: &str| {
        let command = line.split(" # ").next().unwrap_or(line);
        shell_words::split(command).unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    block.text.lines().filter(is_ours).map(words).collect()
}

fn reason(command: &[String]) -> Option<String> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match &words[..] {
        [script, ..] if script.starts_with("scripts/") => {
            (!root().join(script).is_file()).then(|| "there is no such script".to_owned())
        }
        ["cargo", "run", ..] => {
            let Some((program, options)) = run_of(command) else {
                return Some("which package?".to_owned());
            };
            refused(&program, &options)
        }
        ["cargo", "lab", rest @ ..] => {
            let lab = match rest {
                [verb, lab, ..] if TAKE_A_LAB.contains(verb) && !lab.starts_with('-') => Some(lab),
                _ => None,
            };
            if let Some(lab) = lab.filter(|lab| !root().join("labs/catalog").join(lab).is_dir()) {
                return Some(format!("there is no lab {lab}"));
            }
            refused("lab", &command[2..])
        }
        ["cargo", "load", ..] => refused("load_test", &command[2..]),
        ["cargo", "compare", rest @ ..] => {
            unknown_name(rest).or_else(|| refused("compare", &command[2..]))
        }
        ["cargo", "test" | "bench", rest @ ..] => {
            let package = rest.iter().skip_while(|it| **it != "-p").nth(1)?;
            (!is_package(package)).then(|| format!("there is no package {package}"))
        }
        _ => None,
    }
}

/// Whether cargo knows it: packages of the workspace are called as their folders are, but for this
/// one.
fn is_package(name: &str) -> bool {
    let manifest = |folder: &str| root().join(folder).join(name).join("Cargo.toml");
    name == env!("CARGO_PKG_NAME")
        || ["", "support", "benches"].iter().any(|folder| manifest(folder).is_file())
}

/// What a program says to these arguments, if it does not take them. It does nothing else, because
/// it is asked for its help.
fn refused(program: &str, arguments: &[String]) -> Option<String> {
    let Some(path) = programs::find(program) else { return Some("no such program".to_owned()) };
    let output = Command::new(path).args(arguments).arg("--help").stdin(Stdio::null()).output();
    let output = output.expect("a program that was just built");
    let says = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (!output.status.success()).then(says)
}

/// A server, a load or a toggle that nobody knows.
fn unknown_name(words: &[&str]) -> Option<String> {
    if matches!(words, ["layers" | "report" | "render" | "list" | "budget", ..]) {
        return None;
    }
    let is_known = |name: &str| {
        let parts = NAMES.split(|it: char| !(it.is_alphanumeric() || "-_".contains(it)));
        name == "all" || parts.into_iter().any(|it| it == name)
    };
    let mut names = Vec::new();
    let mut rest = words.iter().skip_while(|it| **it == "profile");
    while let Some(word) = rest.next() {
        if TAKE_NAMES.contains(word) {
            names.extend(rest.next()?.split(','));
        } else if !word.starts_with('-') {
            names.push(word);
        }
    }
    let unknown = names.into_iter().find(|name| !is_known(name));
    unknown.map(|name| format!("there is no {name}; see cargo compare list"))
}

fn output_of(program: &str, arguments: &[String]) -> String {
    let path = programs::find(program).expect("a program of the workspace");
    let output = Command::new(path).args(arguments).stdin(Stdio::null()).output();
    String::from_utf8_lossy(&output.expect("a program that was just built").stdout).into_owned()
}

/// Package and options of a `cargo run`.
fn run_of(command: &[String]) -> Option<(String, Vec<String>)> {
    let package = command.iter().skip_while(|word| *word != "-p").nth(1)?;
    let options = command.iter().skip_while(|word| *word != "--").skip(1);
    Some((package.clone(), options.cloned().collect()))
}

/// Runs what stands behind `$`, page by page, and returns how many that were.
pub(crate) fn run_examples(book: &Book) -> usize {
    book.pages.iter().flat_map(examples).map(|examples| examples.run(&DataFolder::new())).sum()
}

/// The examples below a `cargo run`, up to the next.
#[derive(Debug, PartialEq, Eq)]
struct Examples {
    program: String,
    options: Vec<String>,
    /// Blocks as [`readme::run`] reads them.
    text: String,
}

impl Examples {
    fn run(&self, folder: &DataFolder) -> usize {
        let program = programs::find(&self.program).expect("its command was understood");
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let server = folder.start(program.to_str().expect("a path of ours"), &options);
        readme::run(&self.text, folder, &server)
    }
}

/// # Panics
/// If a page has an example and no server above it.
fn examples(page: &Page) -> Vec<Examples> {
    let mut found: Vec<Examples> = Vec::new();
    for block in page.blocks() {
        let runs =
            || commands_of(&block).into_iter().filter(|it| it.get(1).is_some_and(|it| it == "run"));
        match &*block.language {
            "sh" => found.extend(runs().filter_map(|command| {
                let (program, options) = run_of(&command)?;
                Some(Examples { program, options: without_own(options), text: String::new() })
            })),
            "console" => {
                let examples = found.last_mut().unwrap_or_else(|| {
                    panic!("{}: an example without a server", page.path.display())
                });
                examples.text.extend(["```console\n", &block.text, "```\n"]);
            }
            _ => {}
        }
    }
    found.retain(|examples| !examples.text.is_empty());
    found
}

fn without_own(options: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut options = options.into_iter();
    while let Some(option) = options.next() {
        if OWN_OPTIONS.contains(&&*option) {
            options.next();
        } else {
            kept.push(option);
        }
    }
    kept
}

#[test]
fn an_example_belongs_to_the_server_above_it() {
    let text = "```sh\ncargo run -p phase0 -- --port 8080 --rule \"a > 1\"   # here\n```\n\n\
                ```console\n$ one\n1\n```\n\nand\n\n```console\n$ two\n```\n\n\
                ```sh\ncargo run --release -p craft1-final\ncargo test -p book\n```\n";
    let page = crate::page::page("docs/src/a.md", text);
    let expected = Examples {
        program: "phase0".into(),
        options: vec!["--rule".into(), "a > 1".into()],
        text: "```console\n$ one\n1\n```\n```console\n$ two\n```\n".into(),
    };
    assert_eq!(examples(&page), [expected]);
}

#[test]
fn a_command_that_would_fail_is_found() {
    for good in [
        "cargo run -p craft1-phase2 -- --limiter log --limit 3/1m",
        "cargo lab start p0-queue",
        "cargo load 8080 50 10",
        "cargo compare phase0 --workload batch,single --quick",
        "cargo compare profile phase0",
        "cargo compare layers craft1-phase3 --filter x",
        "cargo bench -p phase0",
        "scripts/demo.sh",
    ] {
        assert_eq!(reason(&shell_words::split(good).unwrap()), None, "{good}");
    }
    for bad in [
        "cargo run -p craft1-phase2 -- --limit much",
        "cargo run -p phase9",
        "cargo lab begin p0-queue",
        "cargo lab start p0-nothing",
        "cargo load --everything 8080",
        "cargo compare phase9",
        "cargo compare --toggle nothing",
        "cargo test -p nothing",
        "scripts/nothing.sh",
    ] {
        assert!(reason(&shell_words::split(bad).unwrap()).is_some(), "{bad}");
    }
    assert!(!Path::new("metrics.jsonl").exists(), "help was asked for, and nothing else was done");
}
