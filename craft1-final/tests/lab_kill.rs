//! Lab tests: a process that is killed has stored what it told its clients, whole and once.

#[expect(dead_code, reason = "each lab uses its part of the rig")]
mod rig;

use std::collections::VecDeque;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use craft1_final::writer::disk::Disk;
use craft1_final::writer::{Options, Waker, Writer};
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use testkit::ending::{self, Ended};
use testkit::{DataFolder, Exit, Server};

use rig::{Rig, line, names, options};

/// Says to this test program that it is the process to be killed, and which file it appends to.
const VICTIM: &str = "CRAFT1_FINAL_VICTIM";

/// Clients of the process that have a request on its way.
const CLIENTS: usize = 64;

#[test]
#[ignore = "it is a process of its own, which the next test starts and kills"]
fn appends_until_it_is_killed() {
    let Ok(place) = env::var(VICTIM) else { return };
    let (ack, data_file) = place.split_once(' ').unwrap();
    let ack = if ack == "stored" { Ack::Stored } else { Ack::Durable };
    let this = thread::current();
    let waker: Waker = Box::new(move || this.unpark());
    // Small, so that segments are closed all the time.
    let options = Options { segment_bytes: 16 * 1024, ..options(ack) };
    let (_writer, mut outboxes) =
        Writer::start(Path::new(data_file), json::parse, options, vec![waker]).unwrap();
    let outbox = &mut outboxes[0];
    let (mut taken, mut waiting) = (0, VecDeque::new());
    loop {
        while waiting.len() < CLIENTS {
            outbox.lines().extend_from_slice(line(&taken.to_string()).as_bytes());
            waiting.push_back((outbox.take(1), taken));
            taken += 1;
        }
        outbox.flush(Instant::now());
        let Some(verdict) = outbox.verdict() else {
            thread::park();
            continue;
        };
        assert_eq!(verdict.result, Ok(()));
        while let Some((_, number)) = waiting.pop_front_if(|(it, _)| *it <= verdict.up_to) {
            println!("told {number}");
        }
    }
}

/// Lets a process append until its clients were told of so many metrics that they are stored, kills
/// it, and returns how many they were told of.
fn killed(folder: &DataFolder, ack: &str, told_min: usize) -> usize {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "appends_until_it_is_killed"])
        .env(VICTIM, format!("{ack} {}", folder.data_file().display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = lines.map_while(Result::ok).filter(|line| line.starts_with("told "));
    let before = told.by_ref().take(told_min).count();
    // SIGKILL: it can do nothing about it.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(before, told_min, "it ended by itself");
    before + told.count()
}

#[test]
fn what_a_killed_process_has_told_is_stored_whole_and_once() {
    for ack in ["stored", "durable"] {
        for told_min in [1, 500, 5_000] {
            let folder = DataFolder::new();
            let told = killed(&folder, ack, told_min);
            Rig::start(&folder, options(Ack::Stored), Disk::default()).finish();
            let stored = names(&folder.data_file());
            let expected = (0..stored.len()).map(|number| number.to_string());
            assert!(stored.iter().eq(expected.collect::<Vec<_>>().iter()), "with a gap or twice");
            let untold = stored.len().checked_sub(told).expect("what was told is stored");
            // The last line can be torn, and its client was told all the same.
            assert!(untold <= CLIENTS + 1, "{untold} are stored that nobody was told of");
        }
    }
}

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

/// Clients have a limit of their own, which is not the lesson here.
fn end_under_load(ack: &str, end: impl FnOnce(Server) -> Exit) -> Ended {
    let folder = DataFolder::new();
    let start = || folder.start(FINAL, &["--ack", ack, "--limit", "100000/1s"]);
    ending::end_under_load(&folder, start, end)
}

#[test]
fn a_server_that_is_killed_under_load_keeps_what_it_answered() {
    for ack in ["stored", "durable"] {
        let Ended { answered, stored, .. } = end_under_load(ack, Server::kill);
        let lost: Vec<_> = answered.difference(&stored).collect();
        assert!(lost.is_empty(), "{ack}: {lost:?}");
        let unanswered = stored.len() - answered.len();
        assert!(unanswered <= ending::CLIENTS, "{unanswered} were stored and not answered");
    }
}

#[test]
fn a_server_that_is_stopped_under_load_stores_what_it_answered_whatever_that_meant() {
    for ack in ["accepted", "stored", "durable"] {
        let Ended { exit, answered, stored } = end_under_load(ack, Server::stop);
        exit.assert_success();
        assert_eq!(answered, stored, "{ack}");
    }
}
