//! Lab tests: segments are closed by size and by age, all of them together are bounded, and a crash
//! at any step of it loses nothing.

#[expect(dead_code, reason = "each lab uses its part of the rig")]
mod rig;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use craft1_final::writer::Options;
use craft1_final::writer::disk::Disk;
use craft1_phase4::ack::Ack;
use craft1_phase4::segment;
use testkit::{DataFolder, wait_until};

use rig::{Call, Fate, Rig, disk, line, names, options};

/// The length of every line here.
fn line_len() -> u64 {
    line("metric_000").len() as u64
}

fn name(number: usize) -> String {
    format!("metric_{number:03}")
}

/// Segments of three lines, and room for so many segments.
fn three_lines(retained_segments: Option<u64>) -> Options {
    let segment_bytes = 3 * line_len();
    let retain_bytes = retained_segments.map(|count| count * segment_bytes);
    Options { segment_bytes, retain_bytes, ..options(Ack::Stored) }
}

/// Stores metrics with these numbers, one after the other.
fn store(rig: &mut Rig, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        rig.only().send(&name(number));
        assert_eq!(rig.only().verdict().result, Ok(()));
    }
}

fn closed(folder: &DataFolder) -> Vec<PathBuf> {
    segment::closed(&folder.data_file()).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn a_segment_is_closed_before_it_would_grow_beyond_its_bound() {
    let folder = DataFolder::new();
    let mut rig = Rig::start(&folder, three_lines(None), Disk::default());
    store(&mut rig, 0..10);
    let closed = closed(&folder);
    assert_eq!(closed.len(), 3);
    for (index, path) in closed.iter().enumerate() {
        let expected: String = (3 * index..3 * index + 3).map(|it| line(&name(it))).collect();
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
    }
    assert_eq!(fs::read_to_string(folder.data_file()).unwrap(), line(&name(9)));
    assert_eq!(rig.metric("ingest_closed_segments"), 3);
    assert_eq!(rig.metric("ingest_retained_bytes"), 10 * line_len());
    rig.finish();
}

#[test]
fn what_is_longer_than_a_segment_gets_one_of_its_own() {
    let folder = DataFolder::new();
    let watched = disk(|call| {
        assert_ne!(call, Call::Remove, "an empty segment is as good as a new one");
        Fate::Works
    });
    let mut rig = Rig::start(&folder, three_lines(None), watched);
    for long in [1..=5, 7..=11] {
        let short = *long.end() + 1;
        for number in long {
            rig.only().take(&name(number));
        }
        rig.only().flush();
        rig.only().verdict();
        store(&mut rig, [short]);
    }
    let lines =
        closed(&folder).into_iter().map(|path| fs::metadata(path).unwrap().len() / line_len());
    assert_eq!(lines.collect::<Vec<_>>(), [5, 1, 5]);
    rig.finish();
    assert_eq!(names(&folder.data_file()), (1..=12).map(name).collect::<Vec<_>>());
}

#[test]
fn a_segment_is_closed_by_age_also_while_nothing_comes() {
    let folder = DataFolder::new();
    let options = Options { segment_age: Duration::from_millis(1), ..options(Ack::Stored) };
    let mut rig = Rig::start(&folder, options, Disk::default());
    for count in 1..=3 {
        store(&mut rig, [count]);
        wait_until("the segment is closed", || closed(&folder).len() == count);
    }
    wait_until("the new one is empty", || rig.metric("ingest_closed_segments") == 3);
    rig.finish();
    assert_eq!(fs::read(folder.data_file()).unwrap(), b"", "an empty segment does not age");
    assert_eq!(closed(&folder).len(), 3);
}

#[test]
fn a_young_segment_is_carried_on_by_the_next_start_and_an_old_one_is_closed() {
    let folder = DataFolder::new();
    for (age, expected) in [(Duration::from_hours(1), 0), (Duration::from_millis(1), 1)] {
        let options = Options { segment_age: age, ..options(Ack::Stored) };
        let mut rig = Rig::start(&folder, options, Disk::default());
        if expected == 0 {
            store(&mut rig, [1]);
        }
        wait_until("the segment has its age", || closed(&folder).len() == expected);
        rig.finish();
    }
}

#[test]
fn all_segments_together_never_exceed_the_bound_and_the_oldest_go_first() {
    const SEGMENTS: u64 = 4;
    let folder = DataFolder::new();
    let bytes = |folder: &DataFolder| -> u64 {
        let files = closed(folder).into_iter().chain([folder.data_file()]);
        files.map(|path| fs::metadata(path).unwrap().len()).sum()
    };
    let mut rig = Rig::start(&folder, three_lines(Some(SEGMENTS)), Disk::default());
    for number in 0..50 {
        store(&mut rig, [number]);
        assert!(bytes(&folder) <= SEGMENTS * 3 * line_len(), "after {number}");
    }
    let kept = names(&folder.data_file());
    assert_eq!(kept, (50 - kept.len()..50).map(name).collect::<Vec<_>>());
    assert_eq!(closed(&folder).len() as u64, SEGMENTS - 1);
    let deleted = rig.metric("ingest_deleted_segments_total");
    assert_eq!(deleted, 16 - (SEGMENTS - 1));
    assert_eq!(rig.metric("ingest_deleted_bytes_total"), deleted * 3 * line_len());
    assert_eq!(rig.metric("ingest_retained_bytes"), bytes(&folder));
    rig.finish();
    // A tighter bound holds from the start.
    Rig::start(&folder, three_lines(Some(2)), Disk::default()).finish();
    assert_eq!(closed(&folder).len(), 1);
}

#[test]
fn the_open_segment_is_not_deleted_however_tight_the_bound_is() {
    let folder = DataFolder::new();
    let options = Options { retain_bytes: Some(1), ..three_lines(None) };
    let mut rig = Rig::start(&folder, options, Disk::default());
    store(&mut rig, 0..5);
    assert_eq!(names(&folder.data_file()), [name(3), name(4)]);
    rig.finish();
}

#[test]
fn without_a_bound_nothing_is_deleted() {
    let folder = DataFolder::new();
    let mut rig = Rig::start(&folder, three_lines(None), Disk::default());
    store(&mut rig, 0..30);
    rig.finish();
    assert_eq!(names(&folder.data_file()), (0..30).map(name).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_deleted_is_tried_again_with_the_next_segment_and_stops_nobody() {
    let folder = DataFolder::new();
    let is_stuck = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_stuck);
    let stuck = disk(move |call| match call {
        Call::Remove if asked.load(SeqCst) => Fate::Fails(ErrorKind::PermissionDenied),
        _ => Fate::Works,
    });
    let mut rig = Rig::start(&folder, three_lines(Some(2)), stuck);
    store(&mut rig, 0..12);
    assert_eq!(closed(&folder).len(), 3);
    assert!(!rig.writer.status().is_failing());
    let mut text = String::new();
    rig.writer.render(&mut text);
    assert!(text.contains("ingest_writer_failures_total{step=\"delete\"} 2\n"), "{text}");
    is_stuck.store(false, SeqCst);
    store(&mut rig, 12..13);
    assert_eq!(closed(&folder).len(), 1);
    rig.finish();
}

/// An operator may: `docs` say so.
#[test]
fn somebody_else_may_move_closed_segments_away_while_they_are_counted_and_deleted() {
    let folder = DataFolder::new();
    let mut disk = Disk::default();
    let is_first = AtomicBool::new(true);
    disk.remove = Box::new(move |path| {
        fs::remove_file(path)?;
        if is_first.swap(false, SeqCst) { Err(ErrorKind::NotFound.into()) } else { Ok(()) }
    });
    let mut rig = Rig::start(&folder, three_lines(Some(2)), disk);
    // Listed, and not there when it is looked at.
    symlink("elsewhere", folder.path().join("metrics.000001.jsonl")).unwrap();
    store(&mut rig, 0..13);
    assert_eq!(rig.metric("ingest_closed_segments"), 1);
    assert_eq!(rig.metric("ingest_deleted_segments_total"), 2, "of three, one by somebody else");
    let mut text = String::new();
    rig.writer.render(&mut text);
    assert!(text.contains("ingest_writer_failures_total{step=\"delete\"} 0\n"), "{text}");
    rig.finish();
}

#[test]
fn a_segment_that_cannot_be_closed_goes_on_growing_until_it_can() {
    let folder = DataFolder::new();
    let is_stuck = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_stuck);
    let stuck = disk(move |call| match call {
        Call::Close if asked.load(SeqCst) => Fate::Fails(ErrorKind::PermissionDenied),
        _ => Fate::Works,
    });
    let mut rig = Rig::start(&folder, three_lines(None), stuck);
    store(&mut rig, 0..8);
    assert_eq!(closed(&folder), [] as [PathBuf; 0]);
    assert!(!rig.writer.status().is_failing());
    is_stuck.store(false, SeqCst);
    let mut number = 8;
    wait_until("it is closed", || {
        store(&mut rig, [number]);
        number += 1;
        !closed(&folder).is_empty()
    });
    rig.finish();
    assert_eq!(names(&folder.data_file()), (0..number).map(name).collect::<Vec<_>>());
}

#[test]
fn a_segment_that_cannot_be_closed_is_left_alone_for_a_while() {
    let folder = DataFolder::new();
    let closes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&closes);
    let stuck = disk(move |call| match call {
        Call::Close => {
            counted.fetch_add(1, SeqCst);
            Fate::Fails(ErrorKind::PermissionDenied)
        }
        _ => Fate::Works,
    });
    let seldom = Options { retry: Duration::from_hours(1), ..three_lines(None) };
    let mut rig = Rig::start(&folder, seldom, stuck);
    store(&mut rig, 0..20);
    assert_eq!(closes.load(SeqCst), 1);
    rig.finish();
}

#[test]
fn the_name_of_a_new_segment_is_on_the_disk_before_anything_in_it_is_acknowledged() {
    let folder = DataFolder::new();
    let (sender, calls) = std::sync::mpsc::channel();
    let watched = disk(move |call| {
        sender.send(call).unwrap();
        Fate::Works
    });
    let mut rig = Rig::start(&folder, Options { ack: Ack::Durable, ..three_lines(None) }, watched);
    store(&mut rig, 0..3);
    drop(calls.try_iter().collect::<Vec<_>>());
    store(&mut rig, [3]);
    let change = [Call::Close, Call::Open, Call::SyncFolder, Call::Write, Call::Sync];
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), change);
    rig.finish();
}

/// What a crash leaves between closing a segment and writing to the next one.
#[test]
fn a_crash_at_any_step_of_a_change_of_segments_loses_nothing() {
    for (crash, fate) in [
        (Call::Close, Fate::Fails(ErrorKind::Other)),
        (Call::Close, Fate::WorksAndFails),
        (Call::Open, Fate::Fails(ErrorKind::Other)),
        (Call::Open, Fate::WorksAndFails),
        (Call::SyncFolder, Fate::Fails(ErrorKind::Other)),
        (Call::Remove, Fate::Fails(ErrorKind::Other)),
        (Call::Remove, Fate::WorksAndFails),
    ] {
        let folder = DataFolder::new();
        Rig::start(&folder, three_lines(None), Disk::default()).finish();
        let mut has_crashed = false;
        let crashing = disk(move |call| {
            if has_crashed {
                return Fate::Fails(ErrorKind::Other);
            }
            has_crashed = call == crash;
            if has_crashed { fate } else { Fate::Works }
        });
        let mut rig = Rig::start(&folder, three_lines(Some(2)), crashing);
        let mut acknowledged = Vec::new();
        for number in 0..8 {
            rig.only().send(&name(number));
            if rig.only().verdict().result.is_ok() {
                acknowledged.push(name(number));
            }
        }
        let Rig { writer, event_loops } = rig;
        drop(event_loops);
        let _ = writer.finish();
        let mut rig = Rig::start(&folder, three_lines(None), Disk::default());
        store(&mut rig, [99]);
        rig.finish();
        let stored = names(&folder.data_file());
        // With the bound, the oldest segment may be gone.
        acknowledged.retain(|it| *it >= stored[0]);
        acknowledged.push(name(99));
        assert_eq!(stored, acknowledged, "{crash:?} {fate:?}");
        assert!(stored.len() > 3, "{crash:?} {fate:?}: {stored:?}");
    }
}

#[test]
fn what_is_written_is_released_in_pieces_of_whole_pages_and_each_segment_by_itself() {
    const MIB: u64 = 1024 * 1024;
    let folder = DataFolder::new();
    let (sender, released) = mpsc::channel();
    let release = move |_: &File, start, len| sender.send((start / MIB, len)).unwrap();
    let disk = Disk { release: Box::new(release), ..Disk::default() };
    let options = Options { segment_bytes: 100 * MIB, ..options(Ack::Stored) };
    let mut rig = Rig::start(&folder, options, disk);
    let one = line("a");
    let lines = one.repeat(usize::try_from(MIB).unwrap() / one.len());
    for _ in 0..110 {
        rig.only().outbox.lines().extend_from_slice(lines.as_bytes());
        rig.only().outbox.take(1);
        rig.only().flush();
        assert_eq!(rig.only().verdict().result, Ok(()));
    }
    rig.finish();
    // No more than 64 MiB back, and the second segment begins anew.
    let expected = (1..=12).map(|step| (8 * step, (8 * step).min(64))).chain([(8, 8)]);
    let expected: Vec<_> = expected.map(|(end, len)| (end - len, len * MIB)).collect();
    assert_eq!(released.iter().collect::<Vec<_>>(), expected);
}
