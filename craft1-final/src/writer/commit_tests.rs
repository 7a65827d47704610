//! The pause in which a crowd comes together: whoever comes in it shares the sync, and nobody waits
//! who is alone.

use std::sync::{Mutex, PoisonError};

use craft1_phase3::json;
use testkit::{DataFolder, Watchdog};

use super::super::disk::Disk;
use super::super::recovery;
use super::super::segments::Rules;
use super::*;

const LINE: &[u8] = b"{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";

/// As few as are a crowd.
const CROWD: u32 = 16;

/// A chunk of so many requests.
fn chunk(requests: u32) -> Chunk {
    let lines = LINE.repeat(requests as usize);
    Chunk { lines, since: Instant::now(), outbox: 0, requests, metrics: requests }
}

/// What the thread did, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Wrote { requests: usize },
    Synced,
    Waited(Duration),
}

/// What the thread does when these chunks wait, and these come in the first of its pauses. Nobody
/// else comes after that.
fn deeds(ack: Ack, waiting: &[u32], in_the_pause: &'static [u32]) -> Vec<Deed> {
    let _watchdog = Watchdog::start();
    let folder = DataFolder::new();
    let deeds = Arc::new(Mutex::new(Vec::new()));
    let note = |deeds: &Arc<Mutex<Vec<Deed>>>| {
        let deeds = Arc::clone(deeds);
        move |deed| deeds.lock().unwrap_or_else(PoisonError::into_inner).push(deed)
    };
    let mut disk = Disk::default();
    let (on_write, on_sync, on_wait) = (note(&deeds), note(&deeds), note(&deeds));
    let mut write = disk.write;
    disk.write = Box::new(move |file, buffers| {
        let len = write(file, buffers)?;
        on_write(Deed::Wrote { requests: len / LINE.len() });
        Ok(len)
    });
    disk.sync = Box::new(move |_file| {
        on_sync(Deed::Synced);
        Ok(())
    });
    let (mut producer, chunks) = mpsc::channel(64);
    for requests in waiting {
        producer.push(chunk(*requests)).unwrap();
    }
    let mut crowd = Some(producer).filter(|_| !in_the_pause.is_empty());
    let pause = Pause::new(move |duration| {
        on_wait(Deed::Waited(duration));
        if let Some(mut producer) = crowd.take() {
            for requests in in_the_pause {
                producer.push(chunk(*requests)).unwrap();
            }
        }
    });
    let (emptied, _back) = spsc_cached::channel(64);
    let event_loop = EventLoop { emptied, waker: Box::new(|| {}), is_to_be_woken: false };
    let counters = Arc::new(Counters::new(1));
    let open = recovery::open(&folder.data_file(), json::parse, false).unwrap();
    let far_away = Duration::from_hours(1);
    let rules = Rules {
        is_durable: ack == Ack::Durable,
        segment_bytes: u64::MAX,
        segment_age: far_away,
        retain_bytes: None,
        retry: far_away,
    };
    let segments = Segments::new(&folder.data_file(), open, rules, disk, Arc::clone(&counters));
    let pace = Pace { ack, linger: far_away, retry: far_away };
    Committer::new(chunks, vec![event_loop], segments, pace, pause, counters).run().unwrap();
    Arc::into_inner(deeds).unwrap().into_inner().unwrap()
}

/// How the end syncs what nobody has asked to be synced.
const AT_THE_END: Deed = Deed::Synced;

fn crowd(requests: usize) -> [Deed; 2] {
    [Deed::Wrote { requests }, Deed::Synced]
}

#[test]
fn whoever_comes_in_the_pause_behind_a_crowd_shares_a_sync() {
    let found = deeds(Ack::Durable, &[CROWD], &[1, 1, 1]);
    let expected = [&crowd(16)[..], &[Deed::Waited(CROWD_PAUSE)], &crowd(3)].concat();
    assert_eq!(found[..expected.len()], expected);
    let waits = found.iter().filter(|it| matches!(it, Deed::Waited(_))).count();
    assert_eq!(waits, 1, "three are no crowd: {found:?}");
}

#[test]
fn a_crowd_may_come_in_many_chunks_and_goes_on_being_one() {
    let found = deeds(Ack::Durable, &[1; 16], &[1; 16]);
    let pause = [Deed::Waited(CROWD_PAUSE)];
    let expected = [&crowd(16)[..], &pause, &crowd(16), &pause].concat();
    assert_eq!(found[..expected.len()], expected);
}

#[test]
fn who_is_alone_is_never_kept_waiting() {
    for waiting in [&[1][..], &[CROWD - 1], &[1; 3]] {
        let found = deeds(Ack::Durable, waiting, &[]);
        assert!(!found.iter().any(|it| matches!(it, Deed::Waited(_))), "{found:?}");
    }
}

#[test]
fn where_nothing_is_synced_a_crowd_has_nothing_to_share() {
    let found = deeds(Ack::Stored, &[64], &[]);
    assert_eq!(found, [Deed::Wrote { requests: 64 }, AT_THE_END]);
}

#[test]
fn under_accepted_lines_gather_before_each_write() {
    let found = deeds(Ack::Accepted, &[1], &[1, 1]);
    let far_away = Deed::Waited(Duration::from_hours(1));
    assert_eq!(found[..2], [far_away, Deed::Wrote { requests: 3 }]);
}
