//! Lab tests: what event loops hand over is in the file, whole, once and in order; what waits is
//! bounded; and one writer has the folder.

#[expect(dead_code, reason = "each lab uses its part of the rig")]
mod rig;

use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use craft1_final::writer::disk::Disk;
use craft1_final::writer::failure::{Failure, Step};
use craft1_final::writer::{FinishError, OpenError, Options};
use craft1_phase4::ack::Ack;
use testkit::{DataFolder, Watchdog, wait_until};

use rig::{Call, EventLoop, Fate, Gate, Rig, disk, line, names, options, text};

const ALL: [Ack; 3] = [Ack::Accepted, Ack::Stored, Ack::Durable];

#[test]
fn every_loop_finds_its_lines_in_the_order_in_which_it_took_them() {
    const REQUESTS: usize = 3_000;
    for ack in ALL {
        let folder = DataFolder::new();
        let Rig { writer, event_loops } =
            Rig::try_start(&folder, options(ack), Disk::default(), 3).unwrap();
        let work = |(number, mut event_loop): (usize, EventLoop)| {
            for request in 0..REQUESTS {
                event_loop.take(&format!("loop_{number}.request_{request}"));
                // Turns of different sizes.
                if request % (number + 1) == 0 {
                    event_loop.flush();
                    while event_loop.outbox.verdict().is_some() {}
                }
            }
        };
        thread::scope(|scope| {
            event_loops.into_iter().enumerate().for_each(|it| drop(scope.spawn(move || work(it))));
        });
        assert_eq!(writer.finish().unwrap(), 3 * REQUESTS as u64);
        let names = names(&folder.data_file());
        assert_eq!(names.len(), 3 * REQUESTS);
        for number in 0..3 {
            let prefix = format!("loop_{number}.request_");
            let requests = names.iter().filter_map(|it| it.strip_prefix(&prefix));
            let expected = (0..REQUESTS).map(|request| request.to_string());
            assert!(requests.map(String::from).eq(expected), "loop {number} under {ack:?}");
        }
    }
}

#[test]
fn what_is_undone_or_not_taken_is_not_stored() {
    let folder = DataFolder::new();
    let mut rig = Rig::start(&folder, options(Ack::Stored), Disk::default());
    let outbox = &mut rig.only().outbox;
    outbox.lines().extend_from_slice(b"{\"half\"");
    outbox.undo();
    outbox.lines().extend_from_slice(line("one").as_bytes());
    outbox.lines().extend_from_slice(line("two").as_bytes());
    let ticket = outbox.take(2);
    outbox.lines().extend_from_slice(b"{\"another half\"");
    rig.only().flush();
    assert_eq!(rig.only().verdict().up_to, ticket);
    rig.only().outbox.lines().extend_from_slice(b"{\"the last half\"");
    assert_eq!(rig.finish(), 2);
    assert_eq!(text(&folder.data_file()), line("one") + &line("two"));
}

#[test]
fn a_loop_that_ends_in_the_middle_of_a_turn_leaves_nothing_behind() {
    // Less than a chunk, and more than one.
    for requests in [1, 5_000] {
        let folder = DataFolder::new();
        let mut rig = Rig::start(&folder, options(Ack::Accepted), Disk::default());
        for request in 0..requests {
            rig.only().take(&format!("metric_{request}"));
        }
        assert_eq!(rig.finish(), requests);
        let expected: Vec<_> = (0..requests).map(|it| format!("metric_{it}")).collect();
        assert_eq!(names(&folder.data_file()), expected);
    }
}

#[test]
fn a_loop_that_goes_to_sleep_is_woken_for_what_it_kept_back() {
    let folder = DataFolder::new();
    let gate = Gate::default();
    let at_the_gate = gate.clone();
    let held = disk(move |call| {
        if call == Call::Write {
            at_the_gate.pass();
        }
        Fate::Works
    });
    let mut rig = Rig::start(&folder, options(Ack::Accepted), held);
    rig.only().send("one");
    // The writer has the first, so this stays.
    rig.only().send("two");
    gate.open();
    rig.only().wait();
    rig.only().flush();
    rig.wait_for("both are stored", |status| status.stored_metrics == 2);
    assert_eq!(names(&folder.data_file()), ["one", "two"]);
    rig.finish();
}

#[test]
fn without_room_nothing_is_taken_until_the_writer_goes_on() {
    const QUEUE_BYTES: u64 = 2 * 1024 * 1024;
    for ack in ALL {
        let folder = DataFolder::new();
        let gate = Gate::default();
        let at_the_gate = gate.clone();
        let held = disk(move |call| {
            if call == Call::Write {
                at_the_gate.pass();
            }
            Fate::Works
        });
        let options = Options { queue_bytes: QUEUE_BYTES, ..options(ack) };
        let mut rig = Rig::start(&folder, options, held);
        let (mut taken, mut bytes) = (0, 0);
        while rig.only().outbox.has_room() {
            rig.only().take(&format!("metric_{taken}"));
            taken += 1;
            bytes += line(&format!("metric_{taken}")).len() as u64;
            if taken % 100 == 0 {
                rig.only().flush();
            }
            assert!(bytes <= QUEUE_BYTES, "{bytes} bytes wait");
        }
        rig.only().flush();
        assert!(!rig.only().outbox.has_room() && rig.writer.status().is_nearly_full);
        // Small chunks were given to the writer before it stood still.
        assert!(bytes >= QUEUE_BYTES / 8, "no room although only {bytes} bytes wait");
        gate.open();
        wait_until("there is room again", || {
            while rig.only().outbox.verdict().is_some() {}
            rig.only().flush();
            rig.only().outbox.has_room()
        });
        wait_until("it is not nearly full", || {
            while rig.only().outbox.verdict().is_some() {}
            rig.only().flush();
            !rig.writer.status().is_nearly_full
        });
        assert_eq!(rig.finish(), taken as u64);
        assert_eq!(names(&folder.data_file()).len(), taken);
    }
}

#[test]
fn a_request_that_is_longer_than_a_chunk_is_stored_whole() {
    let folder = DataFolder::new();
    let options = Options { queue_bytes: 0, ..options(Ack::Stored) };
    let mut rig = Rig::start(&folder, options, Disk::default());
    let long = line(&"x".repeat(200)).repeat(5_000);
    for round in 0..3 {
        assert!(rig.only().outbox.has_room(), "round {round}");
        rig.only().outbox.lines().extend_from_slice(long.as_bytes());
        let ticket = rig.only().outbox.take(5_000);
        rig.only().flush();
        let verdict = rig.only().verdict();
        assert_eq!((verdict.up_to, verdict.result), (ticket, Ok(())));
    }
    assert_eq!(rig.finish(), 15_000);
    assert!(text(&folder.data_file()) == long.repeat(3));
}

#[test]
fn what_was_accepted_waits_for_the_disk_and_is_stored_once() {
    let folder = DataFolder::new();
    let is_full = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_full);
    // Each try leaves seven bytes behind.
    let mut calls = 0;
    let full = disk(move |call| match call {
        Call::Write if asked.load(SeqCst) => {
            calls += 1;
            if calls % 2 == 1 { Fate::Short(7) } else { Fate::Fails(ErrorKind::StorageFull) }
        }
        _ => Fate::Works,
    });
    let mut rig = Rig::start(&folder, options(Ack::Accepted), full);
    rig.only().send("one");
    rig.only().send("two");
    rig.wait_for("it fails", |status| status.is_failing());
    let failure = rig.writer.status().failure.unwrap();
    assert_eq!(failure, Failure { step: Step::Write, kind: ErrorKind::StorageFull });
    assert!(failure.to_string().contains("free some space"), "{failure}");
    assert_eq!(rig.writer.status().queue_size, 2);
    is_full.store(false, SeqCst);
    rig.only().wait();
    rig.only().flush();
    rig.wait_for("both are stored", |status| status.stored_metrics == 2);
    assert!(!rig.writer.status().is_failing());
    assert_eq!(rig.finish(), 2);
    assert_eq!(names(&folder.data_file()), ["one", "two"]);
}

#[test]
fn who_ends_while_the_disk_refuses_is_told_what_is_lost() {
    let folder = DataFolder::new();
    let full = disk(|call| match call {
        Call::Write => Fate::Fails(ErrorKind::StorageFull),
        _ => Fate::Works,
    });
    let Rig { writer, mut event_loops } = Rig::start(&folder, options(Ack::Accepted), full);
    event_loops[0].send("one");
    event_loops[0].send("two");
    drop(event_loops);
    let _watchdog = Watchdog::start();
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, FinishError::Lost(2)), "{error:?}");
    assert_eq!(text(&folder.data_file()), "");
}

#[test]
fn the_last_writes_are_synced_and_who_cannot_is_told() {
    for (fate, expected) in [(Fate::Works, true), (Fate::Fails(ErrorKind::Other), false)] {
        let folder = DataFolder::new();
        let syncs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&syncs);
        let failing = disk(move |call| match call {
            Call::Sync => {
                counted.fetch_add(1, SeqCst);
                fate
            }
            _ => Fate::Works,
        });
        let Rig { writer, mut event_loops } = Rig::start(&folder, options(Ack::Stored), failing);
        event_loops[0].send("one");
        drop(event_loops);
        match writer.finish() {
            Ok(stored) => assert!(expected && stored == 1),
            Err(error) => assert!(!expected && matches!(error, FinishError::Unsynced(_))),
        }
        assert_eq!(syncs.load(SeqCst), 1);
        assert_eq!(names(&folder.data_file()), ["one"]);
    }
}

#[test]
fn a_writer_that_ends_before_its_time_says_so() {
    let folder = DataFolder::new();
    let broken = disk(|call| match call {
        Call::Write => panic!("a mistake in the writer"),
        _ => Fate::Works,
    });
    let Rig { writer, mut event_loops } = Rig::start(&folder, options(Ack::Accepted), broken);
    assert_eq!(writer.status().failure, None);
    event_loops[0].send("one");
    wait_until("it has ended", || writer.status().is_failing());
    let failure = writer.status().failure.unwrap();
    assert!(failure.to_string().starts_with("the writer has ended"), "{failure}");
    drop(event_loops);
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, FinishError::Ended(1)), "{error:?}");
}

#[test]
fn a_second_writer_is_told_who_has_the_folder_and_touches_nothing() {
    let folder = DataFolder::new();
    let address = "127.0.0.1:4711".parse().unwrap();
    let first = Options { address, ..options(Ack::Stored) };
    let rig = Rig::start(&folder, first, Disk::default());
    fs::write(folder.data_file(), "half a line").unwrap();
    let error = Rig::try_start(&folder, options(Ack::Stored), Disk::default(), 1).err().unwrap();
    assert!(matches!(error, OpenError::Lock(_)), "{error:?}");
    let (error, pid) = (error.to_string(), std::process::id());
    assert!(error.starts_with(&format!("in use by process {pid} since 2")), "{error}");
    assert!(error.ends_with("listening on 127.0.0.1:4711"), "{error}");
    assert_eq!(text(&folder.data_file()), "half a line");
    rig.finish();
    fs::write(folder.data_file(), "").unwrap();
    Rig::start(&folder, options(Ack::Stored), Disk::default()).finish();
}

#[test]
fn a_server_of_an_earlier_phase_keeps_the_file() {
    let folder = DataFolder::new();
    let held = craft1_phase1::recovery::lock(&folder.data_file()).unwrap();
    let error = Rig::try_start(&folder, options(Ack::Stored), Disk::default(), 1).err().unwrap();
    assert_eq!(error.to_string(), "in use by another process");
    drop(held);
}

#[test]
fn while_there_is_traffic_the_writer_gathers_instead_of_writing_at_once() {
    const LINGER: Duration = Duration::from_millis(200);
    let folder = DataFolder::new();
    let options = Options { linger: LINGER, ..options(Ack::Accepted) };
    let (sender, writes) = mpsc::channel();
    let watched = disk(move |call| {
        if call == Call::Write {
            sender.send(Instant::now()).unwrap();
        }
        Fate::Works
    });
    let begin = Instant::now();
    let mut rig = Rig::start(&folder, options, watched);
    rig.only().send("one");
    let first = writes.recv_timeout(testkit::DEADLINE).unwrap();
    rig.only().wait();
    rig.only().send("two");
    let second = writes.recv_timeout(testkit::DEADLINE).unwrap();
    assert!(first - begin >= LINGER && second - first >= LINGER);
    rig.finish();
}

#[test]
fn counts_what_it_does() {
    let folder = DataFolder::new();
    let mut rig = Rig::start(&folder, options(Ack::Durable), Disk::default());
    rig.only().take("one");
    rig.only().take("two");
    rig.only().flush();
    rig.only().verdict();
    rig.only().send("three");
    rig.only().verdict();
    for (name, expected) in [
        ("ingest_queue_size", 0),
        ("ingest_stored_metrics_total", 3),
        ("ingest_stored_requests_total", 3),
        ("ingest_unstored_requests_total", 0),
        ("ingest_written_chunks_total", 2),
        ("ingest_writes_total", 2),
        ("ingest_syncs_total", 2),
        ("ingest_writer_failing", 0),
        ("ingest_stored_lag_seconds_count", 3),
    ] {
        assert_eq!(rig.metric(name), expected, "{name}");
    }
    let len = fs::metadata(folder.data_file()).unwrap().len();
    assert_eq!(rig.metric("ingest_written_bytes_total"), len);
    assert_eq!(rig.metric("ingest_retained_bytes"), len);
    rig.finish();
}

/// A limit on the size of files cuts a write short and fails the next one, as a full disk does.
#[cfg(target_os = "linux")]
mod full_disk {
    use testkit::{file_size, get, post_json};

    use super::*;

    const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");
    const METRIC: &str = r#"{"name":"m","value":1,"timestamp":1758116723123}"#;

    #[test]
    fn is_answered_503_by_every_route_that_matters_leaves_no_half_a_line_and_passes() {
        for ack in ["stored", "durable"] {
            let folder = DataFolder::new();
            let server = file_size::start(&folder, FINAL, &["--ack", ack]);
            let post = || post_json(server.address(), "/metrics", METRIC);
            let ready = || get(server.address(), "/ready").status;
            assert_eq!(post().status, 202);
            let len = line("m").len();
            for (round, room) in [0, 1, len / 2, len - 1].into_iter().enumerate() {
                file_size::limit(&server, Some((round + 1) * len + room));
                let refusal = post();
                assert_eq!((refusal.status, refusal.field("retry-after")), (503, Some("1")));
                let not_ready = get(server.address(), "/ready");
                assert_eq!(not_ready.status, 503);
                assert!(not_ready.text().contains("ulimit -f"), "{}", not_ready.text());
                assert_eq!(get(server.address(), "/health").status, 200);
                assert_eq!(text(&folder.data_file()), line("m").repeat(round + 1));
                file_size::limit(&server, None);
                wait_until("it is ready again", || ready() == 200);
                assert_eq!(post().status, 202);
            }
            server.stop().assert_success();
            assert_eq!(text(&folder.data_file()), line("m").repeat(5));
        }
    }
}
