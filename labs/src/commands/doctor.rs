//! `cargo lab doctor`: whether this machine has what the course needs, and what to do where not.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::Result;
use cargo_metadata::semver::Version;
use serde::Serialize;
use sysinfo::Disks;

use super::Verdict;
use crate::course::Course;
use crate::place;

/// What `doctor` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    state: State,
    /// What there is, or what to do.
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Fine,
    /// Some labs go without it.
    Optional,
    /// Nothing goes without it.
    Missing,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Verdict> {
    let course = super::course()?;
    let mut findings =
        vec![rustc(&course), crates(&course), room(&course.root), port(), clock(&course.root)];
    findings.extend(TOOLS.iter().map(tool));
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &findings)?;
        writeln!(out)?;
    } else {
        for Finding { what, state, detail } in &findings {
            let word = match state {
                State::Fine => "ok      ",
                State::Optional => "optional",
                State::Missing => "MISSING ",
            };
            writeln!(out, "{word}  {what:<14}  {detail}")?;
        }
    }
    let is_ready = findings.iter().all(|finding| finding.state != State::Missing);
    Ok(if is_ready { Verdict::Passed } else { Verdict::NotReady })
}

fn finding(what: &str, is_fine: bool, fine: String, missing: &str) -> Finding {
    let (state, detail) =
        if is_fine { (State::Fine, fine) } else { (State::Missing, missing.to_owned()) };
    Finding { what: what.to_owned(), state, detail }
}

/// What a program says of its version.
fn version_of(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    output.status.success().then_some(line)
}

fn rustc(course: &Course) -> Finding {
    let needed = course.packages().filter_map(|package| package.rust_version.clone()).max();
    let found = version_of("rustc", &["--version"]).unwrap_or_default();
    let version = found.split(' ').nth(1).and_then(|version| Version::parse(version).ok());
    let is_enough = version.is_some_and(|version| needed.as_ref().is_none_or(|it| version >= *it));
    let needed = needed.map_or_else(String::new, |version| version.to_string());
    finding("rustc", is_enough, found, &format!("Rust {needed} or later: rustup update stable"))
}

/// All crates must be there before somebody goes where there is no network.
fn crates(course: &Course) -> Finding {
    let cargo = Command::new(place::cargo())
        .args(["fetch", "--locked", "--offline", "--quiet"])
        .current_dir(&course.root)
        .stderr(Stdio::null())
        .status();
    let is_there = cargo.is_ok_and(|status| status.success());
    finding("crates", is_there, "all are here: no network is needed".into(), "cargo fetch --locked")
}

/// The course and a lab in debug and release, with their dependencies.
const ROOM_BYTES: u64 = 8 << 30;

fn room(root: &Path) -> Finding {
    let disks = Disks::new_with_refreshed_list();
    let ours = disks
        .iter()
        .flat_map(|disks| disks.iter())
        .filter(|disk| root.starts_with(disk.mount_point()));
    let disk = ours.max_by_key(|disk| disk.mount_point().components().count());
    let free = disk.map_or(ROOM_BYTES, sysinfo::Disk::available_space);
    let gib = free >> 30;
    finding(
        "disk",
        free >= ROOM_BYTES,
        format!("{gib} GiB free"),
        &format!(
            "{gib} GiB free, {} are needed: make room, or set CARGO_TARGET_DIR",
            ROOM_BYTES >> 30
        ),
    )
}

fn port() -> Finding {
    let bound = TcpListener::bind(("127.0.0.1", 0)).is_ok();
    let missing = "cannot listen on 127.0.0.1: is a firewall or a sandbox in the way?";
    finding("port", bound, "can listen on 127.0.0.1".into(), missing)
}

/// A clock that stands before the files does not let cargo see what changed.
fn clock(root: &Path) -> Finding {
    let written = fs::metadata(root.join("Cargo.toml")).and_then(|file| file.modified());
    let is_right = written.is_ok_and(|written| written <= SystemTime::now());
    let missing = "it stands before the time at which files were written: set it";
    finding("clock", is_right, "it stands behind all files".into(), missing)
}

/// A program that some labs use.
struct Tool {
    name: &'static str,
    for_what: &'static str,
    install: &'static str,
    only_linux: bool,
}

const fn tool_of(name: &'static str, for_what: &'static str, install: &'static str) -> Tool {
    Tool { name, for_what, install, only_linux: false }
}

const TOOLS: [Tool; 6] = [
    tool_of("git", "seeing what a new version changed", "apt install git, brew install git"),
    tool_of("curl", "talking to a server by hand", "apt install curl, brew install curl"),
    tool_of("python3", "a first server for the grader", "apt install python3, brew install python"),
    Tool { only_linux: true, ..tool_of("strace", "counting system calls", "apt install strace") },
    Tool {
        only_linux: true,
        ..tool_of("valgrind", "counting instructions", "apt install valgrind")
    },
    Tool { only_linux: true, ..tool_of("perf", "flame graphs", "apt install linux-perf") },
];

fn tool(tool: &Tool) -> Finding {
    let Tool { name, for_what, install, only_linux } = tool;
    let (state, detail) = match version_of(name, &["--version"]) {
        Some(version) => (State::Fine, version),
        None if *only_linux && !cfg!(target_os = "linux") => {
            (State::Optional, format!("for {for_what}: only on Linux, and skipped here"))
        }
        None => (State::Optional, format!("for {for_what}: {install}")),
    };
    Finding { what: (*name).to_owned(), state, detail }
}
