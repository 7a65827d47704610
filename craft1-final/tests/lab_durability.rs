//! Lab tests: nothing is acknowledged that is not where the acknowledgement says, whatever the disk
//! refuses; and many requests share a sync.

mod rig;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use craft1_final::writer::disk::Disk;
use craft1_final::writer::failure::{Failure, Step};
use craft1_final::writer::{Options, Ticket};
use craft1_phase1::service::Unstored;
use craft1_phase4::ack::Ack;
use craft1_phase4::segment;
use proptest::prelude::*;
use testkit::{DataFolder, wait_until};

use rig::{Call, EventLoop, Fate, Gate, Rig, disk, dying, line, names, options, text};

#[test]
fn a_verdict_is_given_when_the_lines_are_where_it_says() {
    for (ack, syncs_expected) in [(Ack::Stored, 0), (Ack::Durable, 1)] {
        let folder = DataFolder::new();
        let syncs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&syncs);
        let watched = disk(move |call| {
            counted.fetch_add(usize::from(call == Call::Sync), SeqCst);
            Fate::Works
        });
        let mut rig = Rig::start(&folder, options(ack), watched);
        for round in 1..=5 {
            let ticket = rig.only().send(&format!("metric_{round}"));
            let verdict = rig.only().verdict();
            assert_eq!((verdict.up_to, verdict.result), (ticket, Ok(())));
            assert_eq!(names(&folder.data_file()).len(), round);
            assert_eq!(syncs.load(SeqCst), round * syncs_expected);
        }
        rig.finish();
    }
}

#[test]
fn what_arrives_while_the_disk_syncs_shares_the_next_sync() {
    const REQUESTS: usize = 512;
    let folder = DataFolder::new();
    let (gate, syncs) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
    let (at_the_gate, counted) = (gate.clone(), Arc::clone(&syncs));
    let (sender, synced) = std::sync::mpsc::channel();
    let slow = disk(move |call| {
        if call == Call::Sync && counted.fetch_add(1, SeqCst) == 0 {
            sender.send(()).unwrap();
            at_the_gate.pass();
        }
        Fate::Works
    });
    let mut rig = Rig::start(&folder, options(Ack::Durable), slow);
    let first = rig.only().send("first");
    synced.recv_timeout(testkit::DEADLINE).unwrap();
    // Each in a turn of its own: more turns than chunks are given to a writer that is busy.
    let last = (0..REQUESTS).map(|it| rig.only().send(&format!("metric_{it}"))).last();
    assert_eq!(rig.only().outbox.verdict(), None);
    gate.open();
    assert_eq!(rig.only().verdict().up_to, first);
    while rig.only().verdict().up_to < last.unwrap() {
        rig.only().flush();
    }
    // The first, those of the turns that were handed over, and the rest that was kept back.
    assert_eq!(syncs.load(SeqCst), 3);
    assert_eq!(rig.metric("ingest_syncs_total"), 3);
    assert_eq!(rig.metric("ingest_stored_requests_total"), 1 + REQUESTS as u64);
    assert!(rig.metric("ingest_writes_total") <= 4);
    rig.finish();
}

/// The fate of one call, the `at`th of its kind from the first request on; the others work.
fn once(call: Call, at: usize, fate: Fate) -> Disk {
    let mut calls = 0;
    disk(move |it| {
        calls += usize::from(it == call);
        if it == call && calls == at { fate } else { Fate::Works }
    })
}

/// Two requests, the first of which the disk refuses.
#[track_caller]
fn refuse_once(ack: Ack, disk: Disk) -> DataFolder {
    let folder = DataFolder::new();
    let mut rig = Rig::start(&folder, options(ack), disk);
    rig.only().send("before");
    assert_eq!(rig.only().verdict().result, Ok(()));
    let ticket = rig.only().send("refused");
    let verdict = rig.only().verdict();
    assert_eq!((verdict.up_to, verdict.result), (ticket, Err(Unstored::Unwritable)));
    assert_eq!(rig.metric("ingest_unstored_requests_total"), 1);
    // By itself: nobody sends anything.
    rig.wait_for("the disk is back", |status| !status.is_failing());
    assert_eq!(names(&folder.data_file()), ["before"], "a refused line is taken back");
    rig.only().send("after");
    assert_eq!(rig.only().verdict().result, Ok(()));
    rig.finish();
    assert_eq!(names(&folder.data_file()), ["before", "after"]);
    folder
}

#[test]
fn a_write_that_fails_leaves_nothing_and_is_refused() {
    for ack in [Ack::Stored, Ack::Durable] {
        for fate in [Fate::Fails(ErrorKind::StorageFull), Fate::WorksAndFails] {
            let folder = refuse_once(ack, once(Call::Write, 2, fate));
            assert_eq!(segment::closed(&folder.data_file()).unwrap(), []);
        }
    }
}

#[test]
fn a_write_that_is_cut_short_goes_on_and_where_it_cannot_is_taken_back() {
    let whole = line("refused").len();
    for len in 1..whole {
        let mut calls = 0;
        let torn = disk(move |call| {
            calls += usize::from(call == Call::Write);
            match (call, calls) {
                (Call::Write, 2) => Fate::Short(len),
                (Call::Write, 3) => Fate::Fails(ErrorKind::StorageFull),
                _ => Fate::Works,
            }
        });
        refuse_once(Ack::Stored, torn);
    }
    let folder = DataFolder::new();
    let byte_by_byte = disk(|call| if call == Call::Write { Fate::Short(1) } else { Fate::Works });
    let mut rig = Rig::start(&folder, options(Ack::Stored), byte_by_byte);
    rig.only().send("one");
    rig.only().send("two");
    rig.finish();
    assert_eq!(names(&folder.data_file()), ["one", "two"]);
}

#[test]
fn a_write_that_is_interrupted_is_repeated_and_one_that_takes_nothing_fails() {
    let interrupted = once(Call::Write, 1, Fate::Fails(ErrorKind::Interrupted));
    let folder = DataFolder::new();
    let mut rig = Rig::start(&folder, options(Ack::Stored), interrupted);
    rig.only().send("one");
    assert_eq!(rig.only().verdict().result, Ok(()));
    rig.finish();
    refuse_once(Ack::Stored, once(Call::Write, 2, Fate::Short(0)));
}

#[test]
fn what_cannot_be_taken_back_at_once_is_taken_back_before_anything_else_is_written() {
    for torn_tries in 1..5 {
        let (mut writes, mut cuts) = (0, 0);
        let stuck = disk(move |call| {
            writes += usize::from(call == Call::Write);
            cuts += usize::from(call == Call::Cut);
            match call {
                Call::Write if writes == 2 => Fate::WorksAndFails,
                Call::Cut if cuts <= torn_tries => Fate::Fails(ErrorKind::Other),
                _ => Fate::Works,
            }
        });
        refuse_once(Ack::Stored, stuck);
    }
}

#[test]
fn a_sync_that_fails_closes_the_segment_and_is_not_tried_again_on_it() {
    for fate in [Fate::Fails(ErrorKind::Other), Fate::WorksAndFails] {
        let folder = refuse_once(Ack::Durable, once(Call::Sync, 2, fate));
        let closed = segment::closed(&folder.data_file()).unwrap();
        assert_eq!(closed.len(), 1);
        assert_eq!(std::fs::read_to_string(&closed[0].1).unwrap(), line("before"));
    }
}

#[test]
fn whatever_fails_on_the_way_from_a_failed_sync_to_a_new_segment_is_tried_again() {
    for call in [Call::Cut, Call::Close, Call::Open, Call::SyncFolder] {
        for fate in [Fate::Fails(ErrorKind::Other), Fate::WorksAndFails] {
            for times in 1..=3 {
                let (mut syncs, mut calls) = (0, 0);
                let failing = disk(move |it| {
                    syncs += usize::from(it == Call::Sync);
                    calls += usize::from(it == call);
                    match it {
                        Call::Sync if syncs == 2 => Fate::Fails(ErrorKind::Other),
                        _ if it == call && calls <= times => fate,
                        _ => Fate::Works,
                    }
                });
                let folder = refuse_once(Ack::Durable, failing);
                assert_eq!(segment::closed(&folder.data_file()).unwrap().len(), 1, "{call:?}");
            }
        }
    }
}

#[test]
fn a_disk_that_cannot_sync_at_all_does_not_fill_the_folder() {
    let folder = DataFolder::new();
    let mut syncs = 0;
    let broken = disk(move |call| {
        syncs += usize::from(call == Call::Sync);
        if call == Call::Sync && syncs < 50 { Fate::Fails(ErrorKind::Other) } else { Fate::Works }
    });
    let mut rig = Rig::start(&folder, options(Ack::Durable), broken);
    rig.only().send("refused");
    assert_eq!(rig.only().verdict().result, Err(Unstored::Unwritable));
    rig.wait_for("the disk is back", |status| !status.is_failing());
    assert_eq!(segment::closed(&folder.data_file()).unwrap(), []);
    rig.only().send("one");
    assert_eq!(rig.only().verdict().result, Ok(()));
    rig.finish();
    assert_eq!(names(&folder.data_file()), ["one"]);
}

#[test]
fn while_the_disk_refuses_everybody_is_told_at_once_without_asking_it() {
    let full = ErrorKind::StorageFull;
    for (ack, call, step) in
        [(Ack::Stored, Call::Write, Step::Write), (Ack::Durable, Call::Sync, Step::Sync)]
    {
        let folder = DataFolder::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let refusing = disk(move |it| {
            counted.fetch_add(usize::from(it == call), SeqCst);
            if it == call { Fate::Fails(full) } else { Fate::Works }
        });
        let never = Options { retry: Duration::from_hours(1), ..options(ack) };
        let mut rig = Rig::start(&folder, never, refusing);
        for request in 0..10 {
            rig.only().send(&format!("metric_{request}"));
            assert_eq!(rig.only().verdict().result, Err(Unstored::Unwritable));
        }
        assert_eq!(calls.load(SeqCst), 1);
        assert_eq!(rig.writer.status().failure, Some(Failure { step, kind: full }));
        assert_eq!(rig.metric("ingest_writer_failing"), 1);
        assert_eq!(rig.metric("ingest_queue_size"), 0);
        assert_eq!(rig.metric("ingest_unstored_requests_total"), 10);
        let Rig { writer, event_loops } = rig;
        drop(event_loops);
        assert_eq!(writer.finish().is_ok(), call != Call::Sync);
    }
}

#[test]
fn a_probe_asks_for_as_much_as_was_refused_and_leaves_nothing() {
    let folder = DataFolder::new();
    let room = Arc::new(AtomicUsize::new(100));
    let left = Arc::clone(&room);
    let mut real = Disk::default();
    let path = folder.data_file();
    real.write = Box::new(move |mut file, buffers| {
        let len: usize = buffers.iter().map(|it| it.len()).sum();
        if len > left.load(SeqCst) {
            return Err(ErrorKind::StorageFull.into());
        }
        std::io::Write::write_vectored(&mut file, buffers)
    });
    let probes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&probes);
    real.cut = Box::new(move |file, len| {
        counted.fetch_add(1, SeqCst);
        file.set_len(len)
    });
    let mut rig = Rig::start(&folder, options(Ack::Stored), real);
    rig.only().take("one");
    rig.only().take("two");
    rig.only().flush();
    assert_eq!(rig.only().verdict().result, Err(Unstored::Unwritable));
    // There is room for one line all the time.
    wait_until("a few probes", || probes.load(SeqCst) > 3);
    assert!(rig.writer.status().is_failing());
    room.store(1_000, SeqCst);
    rig.wait_for("the disk is back", |status| !status.is_failing());
    assert_eq!(text(&path), "");
    rig.finish();
}

/// What the disk does with the calls to come, from what proptest makes up.
fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let kind = prop_oneof![Just(ErrorKind::StorageFull), Just(ErrorKind::Other)];
    let fate = prop_oneof![
        6 => Just(Fate::Works),
        2 => kind.prop_map(Fate::Fails),
        1 => Just(Fate::WorksAndFails),
        2 => (0_usize..150).prop_map(Fate::Short),
    ];
    prop::collection::vec(fate, 0..60)
}

/// A disk with these fates until it is told to be calm.
fn failing(fates: Vec<Fate>) -> (Disk, Arc<AtomicBool>) {
    let calm = Arc::new(AtomicBool::new(false));
    let (is_calm, mut fates) = (Arc::clone(&calm), fates.into_iter());
    let next = move |_| fates.next().filter(|_| !is_calm.load(SeqCst)).unwrap_or(Fate::Works);
    (disk(next), calm)
}

/// What a few loops do: how many requests of how many lines they take in each turn.
fn turns() -> impl Strategy<Value = Vec<(usize, Vec<usize>)>> {
    prop::collection::vec((0..LOOPS, prop::collection::vec(1_usize..4, 0..4)), 1..25)
}

const LOOPS: usize = 2;

/// What the clients of all loops know.
#[derive(Default)]
struct Clients {
    /// Names that wait for a verdict, by loop, with their ticket.
    waiting: [VecDeque<(Ticket, Vec<String>)>; LOOPS],
    acknowledged: Vec<String>,
    refused: BTreeSet<String>,
}

impl Clients {
    fn hear(&mut self, number: usize, event_loop: &mut EventLoop) {
        while let Some(verdict) = event_loop.outbox.verdict() {
            while self.waiting[number].front().is_some_and(|(it, _)| *it <= verdict.up_to) {
                let (_, names) = self.waiting[number].pop_front().unwrap();
                match verdict.result {
                    Ok(()) => self.acknowledged.extend(names),
                    Err(_) => self.refused.extend(names),
                }
            }
        }
    }

    /// Plays the turns, the verdicts whenever they come.
    fn play(&mut self, rig: &mut Rig, turns: &[(usize, Vec<usize>)]) {
        let mut serial = 0;
        for (number, requests) in turns {
            let event_loop = &mut rig.event_loops[*number];
            for lines in requests {
                let names: Vec<_> =
                    (serial..serial + lines).map(|it| format!("{number}.{it:04}")).collect();
                serial += lines;
                for name in &names {
                    event_loop.outbox.lines().extend_from_slice(line(name).as_bytes());
                }
                let ticket = event_loop.outbox.take(names.len());
                self.waiting[*number].push_back((ticket, names));
            }
            event_loop.flush();
            self.hear(*number, event_loop);
        }
    }

    /// Until everybody has a verdict.
    fn hear_all(&mut self, rig: &mut Rig) {
        for number in 0..LOOPS {
            let event_loop = &mut rig.event_loops[number];
            wait_until("all verdicts", || {
                event_loop.flush();
                self.hear(number, event_loop);
                self.waiting[number].is_empty()
            });
        }
    }

    /// What must hold of what is stored, whatever has happened.
    fn check(&self, stored: &[String]) {
        let set: BTreeSet<_> = stored.iter().collect();
        assert_eq!(set.len(), stored.len(), "a line is stored twice: {stored:?}");
        for name in &self.acknowledged {
            assert!(set.contains(name), "{name} was acknowledged and is not in {stored:?}");
        }
        let mut by_loop = BTreeMap::<&str, Vec<&str>>::new();
        for name in stored {
            let (number, serial) = name.split_once('.').unwrap();
            by_loop.entry(number).or_default().push(serial);
        }
        assert!(by_loop.values().all(|serials| serials.is_sorted()), "out of order: {stored:?}");
    }
}

/// Small segments, so that they change now and then.
fn small_segments(ack: Ack) -> Options {
    Options { segment_bytes: 400, ..options(ack) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_a_disk_that_fails_at_random_what_is_acknowledged_is_what_is_stored(
        turns in turns(),
        fates in fates(),
        ack in prop_oneof![Just(Ack::Stored), Just(Ack::Durable)],
    ) {
        let folder = DataFolder::new();
        let (failing, calm) = failing(fates);
        let mut rig = Rig::try_start(&folder, small_segments(ack), failing, LOOPS).unwrap();
        let mut clients = Clients::default();
        clients.play(&mut rig, &turns);
        clients.hear_all(&mut rig);
        calm.store(true, SeqCst);
        rig.wait_for("the disk is back", |status| !status.is_failing());
        rig.finish();
        let stored = names(&folder.data_file());
        clients.check(&stored);
        for name in &clients.refused {
            prop_assert!(!stored.contains(name), "{name} was refused and is in {stored:?}");
        }
    }

    #[test]
    fn on_a_disk_that_fails_at_random_everything_accepted_is_stored(
        turns in turns(),
        fates in fates(),
    ) {
        let folder = DataFolder::new();
        let (failing, calm) = failing(fates);
        let options = small_segments(Ack::Accepted);
        let mut rig = Rig::try_start(&folder, options, failing, LOOPS).unwrap();
        let mut clients = Clients::default();
        clients.play(&mut rig, &turns);
        for names in clients.waiting.iter_mut().flat_map(|it| it.drain(..)) {
            clients.acknowledged.extend(names.1);
        }
        wait_until("all is stored", || {
            rig.event_loops.iter_mut().for_each(EventLoop::flush);
            let status = rig.writer.status();
            status.queue_size == 0
        });
        calm.store(true, SeqCst);
        rig.wait_for("the disk is back", |status| !status.is_failing());
        rig.finish();
        let stored = names(&folder.data_file());
        clients.check(&stored);
        prop_assert_eq!(stored.len(), clients.acknowledged.len());
    }

    /// From some call on nothing works any more, and what was not synced is gone, or a part of it.
    #[test]
    fn after_a_power_cut_everything_durable_is_there(
        turns in turns(),
        calls in 1_usize..120,
        last_write in 0_usize..200,
        survives in 0.0..=1.0_f64,
    ) {
        let folder = DataFolder::new();
        let synced_bytes = Arc::new(AtomicU64::new(0));
        let mut rig = {
            let mut dying = dying(calls, last_write);
            let synced_bytes = Arc::clone(&synced_bytes);
            let mut sync = std::mem::replace(&mut dying.sync, Box::new(|_| Ok(())));
            let begin = Arc::clone(&synced_bytes);
            dying.sync = Box::new(move |file| {
                sync(file)?;
                synced_bytes.store(file.metadata()?.len(), SeqCst);
                Ok(())
            });
            let mut open = std::mem::replace(&mut dying.open, Box::new(|_| unreachable!()));
            dying.open = Box::new(move |path| {
                begin.store(0, SeqCst);
                open(path)
            });
            Rig::try_start(&folder, small_segments(Ack::Durable), dying, LOOPS).unwrap()
        };
        let mut clients = Clients::default();
        clients.play(&mut rig, &turns);
        clients.hear_all(&mut rig);
        let Rig { writer, event_loops } = rig;
        drop(event_loops);
        let _ = writer.finish();
        cut_power(&folder, synced_bytes.load(SeqCst), survives);
        // A start cuts what is torn.
        Rig::try_start(&folder, options(Ack::Durable), Disk::default(), 1).unwrap().finish();
        clients.check(&names(&folder.data_file()));
    }
}

/// Of what was not synced, a part survives.
fn cut_power(folder: &DataFolder, synced_bytes: u64, survives: f64) {
    let Ok(file) = OpenOptions::new().write(true).open(folder.data_file()) else { return };
    let unsynced_bytes = file.metadata().unwrap().len() - synced_bytes;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of it")]
    let surviving_bytes = (unsynced_bytes as f64 * survives) as u64;
    file.set_len(synced_bytes + surviving_bytes).unwrap();
}
