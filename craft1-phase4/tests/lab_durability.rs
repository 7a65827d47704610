//! Lab tests: at `durable`, what was acknowledged is on the disk, for the price of one sync for
//! many, and a sync that fails is believed.

mod disk;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use craft1_phase1::recovery::OpenError;
use craft1_phase1::service::Unstored;
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use craft1_phase4::writer::{DiskFile, FinishError, Options, Storage, Writer};
use disk::{Answer, Call, Disk, Fault, block_on, hand_over, is_answered, number, options, start};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use testkit::ending::{self, CLIENTS, Ended};
use testkit::{DataFolder, Exit, Server, Watchdog, wait_until};

#[test]
fn nobody_is_answered_before_the_sync_is_done() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let writer = start(&disk, options(Ack::Durable));
    disk.hold(true);
    let mut answer = hand_over(&writer, "a\n").unwrap();
    wait_until("it is being written", || disk.calls() == [Call::Append(2)]);
    disk.step();
    wait_until("it is being synced", || disk.calls() == [Call::Append(2), Call::Sync]);
    assert_eq!(disk.text(), "a\n");
    assert_eq!(is_answered(&mut answer), None);
    assert_eq!(writer.status().health.stored, 0);
    disk.hold(false);
    assert_eq!(block_on(answer), Ok(()));
    assert_eq!(disk.files()[0].on_disk, 2);
}

#[test]
fn a_hundred_that_come_during_a_sync_share_the_next_one() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let writer = start(&disk, options(Ack::Durable));
    disk.hold(true);
    let first = hand_over(&writer, "a\n").unwrap();
    wait_until("it is being written", || disk.calls() == [Call::Append(2)]);
    disk.step();
    wait_until("it is being synced", || disk.calls().len() == 2);
    let others: Vec<_> = (0..100).map(|_| hand_over(&writer, "b\n").unwrap()).collect();
    disk.hold(false);
    for answer in others.into_iter().chain([first]) {
        assert_eq!(block_on(answer), Ok(()));
    }
    assert_eq!(disk.calls(), [Call::Append(2), Call::Sync, Call::Append(200), Call::Sync]);
    assert_eq!(number(&writer, "ingest_sync_duration_seconds_count"), 2);
    assert_eq!(disk.files()[0].on_disk, 202);
}

#[test]
fn a_failed_sync_is_never_asked_again_and_nothing_of_its_batch_is_kept() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let writer = start(&disk, options(Ack::Durable));
    assert_eq!(block_on(writer.append(b"good\n".to_vec(), 1)), Ok(()));
    disk.plan([Fault::None, Fault::Fails]);
    assert_eq!(block_on(writer.append(b"bad\n".to_vec(), 1)), Err(Unstored::Unwritable));
    wait_until("the disk is back", || !writer.status().is_failing());
    assert_eq!(block_on(writer.append(b"better\n".to_vec(), 1)), Ok(()));
    let [old, new] = &disk.files()[..] else { panic!("one file was put aside") };
    assert_eq!((&*old.bytes, old.on_disk), (&b"good\n"[..], 5));
    assert_eq!((&*new.bytes, new.on_disk), (&b"better\n"[..], 7));
    let at_once = [Call::Append(4), Call::Sync, Call::Cut(5), Call::Renew];
    assert_eq!(disk.calls()[2..6], at_once);
    assert_eq!(number(&writer, "ingest_renewed_data_files_total"), 1);
    assert_eq!(number(&writer, "ingest_refused_metrics_total{reason=\"unwritable\"}"), 1);
}

#[test]
fn a_file_that_cannot_be_put_aside_is_not_written_to() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let writer = start(&disk, options(Ack::Durable));
    assert_eq!(block_on(writer.append(b"good\n".to_vec(), 1)), Ok(()));
    // The sync, the cut three times, the renewal twice with a cut before each.
    let (works, fails) = (Fault::None, Fault::Fails);
    disk.plan([works, fails, fails, fails, fails, works, fails, works, fails]);
    assert_eq!(block_on(writer.append(b"bad\n".to_vec(), 1)), Err(Unstored::Unwritable));
    wait_until("the disk is back", || !writer.status().is_failing());
    let (cut, renew) = (Call::Cut(5), Call::Renew);
    let expected = [cut, cut, cut, cut, renew, cut, renew, cut, renew];
    assert_eq!(disk.calls()[4..13], expected);
    assert_eq!(disk.files()[0].bytes, b"good\n");
}

#[test]
fn a_disk_that_cannot_sync_is_not_taken_for_back() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let writer = start(&disk, options(Ack::Durable));
    let (works, fails) = (Fault::None, Fault::Fails);
    // A batch, and then each probe of a new file: written, and not synced.
    disk.plan([works, fails, works, works].repeat(5));
    assert_eq!(block_on(writer.append(b"bad\n".to_vec(), 1)), Err(Unstored::Unwritable));
    wait_until("the disk is back", || !writer.status().is_failing());
    let syncs = disk.calls().iter().filter(|call| **call == Call::Sync).count();
    assert_eq!(syncs, 6, "the last of them worked");
    assert!(disk.files().iter().all(|file| file.bytes.is_empty()));
}

#[test]
fn below_durable_the_end_says_that_the_sync_failed_and_keeps_what_it_promised() {
    let _watchdog = Watchdog::start();
    for ack in [Ack::Accepted, Ack::Stored] {
        let disk = Disk::new();
        let writer = start(&disk, options(ack));
        assert_eq!(block_on(writer.append(b"a\n".to_vec(), 1)), Ok(()));
        wait_until("it is written", || writer.status().health.stored == 1);
        disk.plan([Fault::Fails]);
        let error = writer.finish().unwrap_err();
        assert!(matches!(error, FinishError::NotSynced(_)), "{error}");
        assert_eq!(disk.calls(), [Call::Append(2), Call::Sync]);
        assert_eq!(disk.text(), "a\n");
    }
}

/// A real data file whose syncs fail while the switch is on.
struct Unsyncable(DiskFile, Arc<AtomicBool>);

impl Storage for Unsyncable {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.1.load(SeqCst) { Err(io::Error::other("broken")) } else { self.0.sync() }
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.0.cut(len)
    }

    fn renew(&mut self) -> io::Result<u64> {
        self.0.renew()
    }
}

fn start_unsyncable(folder: &DataFolder) -> (Writer, Arc<AtomicBool>) {
    let (file, end) = DiskFile::open(&folder.data_file(), json::parse, drop).unwrap();
    let switch = Arc::new(AtomicBool::new(false));
    let storage = Unsyncable(file, Arc::clone(&switch));
    (Writer::start(storage, end, options(Ack::Durable)).unwrap(), switch)
}

fn names(folder: &DataFolder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn text(folder: &DataFolder, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn a_file_whose_sync_failed_becomes_a_closed_segment_with_all_that_was_synced() {
    let _watchdog = Watchdog::start();
    let folder = DataFolder::new();
    let (writer, is_broken) = start_unsyncable(&folder);
    for number in 1..=2 {
        assert_eq!(block_on(writer.append(format!("good {number}\n").into(), 1)), Ok(()));
        is_broken.store(true, SeqCst);
        assert_eq!(block_on(writer.append(b"bad\n".to_vec(), 1)), Err(Unstored::Unwritable));
        is_broken.store(false, SeqCst);
        wait_until("the disk is back", || !writer.status().is_failing());
    }
    assert_eq!(block_on(writer.append(b"good 3\n".to_vec(), 1)), Ok(()));
    let [first, second, active] = ["metrics.000001.jsonl", "metrics.000002.jsonl", "metrics.jsonl"];
    assert_eq!(names(&folder), [first, second, active]);
    for (number, name) in [first, second, active].iter().enumerate() {
        assert_eq!(text(&folder, name), format!("good {}\n", number + 1));
    }
    let other = DiskFile::open(&folder.data_file(), json::parse, drop);
    assert!(matches!(other, Err(OpenError::InUse)), "the new file is locked as well");
    writer.finish().unwrap();
}

#[test]
fn a_disk_that_fails_for_long_does_not_fill_the_folder() {
    let _watchdog = Watchdog::start();
    let folder = DataFolder::new();
    let (writer, is_broken) = start_unsyncable(&folder);
    assert_eq!(block_on(writer.append(b"good\n".to_vec(), 1)), Ok(()));
    is_broken.store(true, SeqCst);
    assert_eq!(block_on(writer.append(b"bad\n".to_vec(), 1)), Err(Unstored::Unwritable));
    wait_until("many files are begun", || number(&writer, "ingest_renewed_data_files_total") > 10);
    is_broken.store(false, SeqCst);
    wait_until("the disk is back", || !writer.status().is_failing());
    assert_eq!(names(&folder), ["metrics.000001.jsonl", "metrics.jsonl"]);
    assert_eq!(text(&folder, "metrics.000001.jsonl"), "good\n");
    writer.finish().unwrap();
}

#[test]
fn renewing_goes_on_where_it_failed() {
    let folder = DataFolder::new();
    let path = folder.data_file();
    let (mut file, _) = DiskFile::open(&path, json::parse, drop).unwrap();
    file.append(b"old\n").unwrap();
    // Somebody else is quicker to take the name, once.
    let closed = folder.path().join("metrics.000001.jsonl");
    fs::rename(&path, &closed).unwrap();
    let other = take(&path);
    assert_eq!(file.renew().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    drop(other);
    assert_eq!(file.renew().unwrap(), 7, "what the other one wrote is not ours to cut");
    file.append(b"new\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs\nnew\n");
    assert_eq!(fs::read_to_string(closed).unwrap(), "old\n");
}

/// As another server does that starts at a bad moment.
fn take(path: &Path) -> File {
    let mut file = File::create(path).unwrap();
    file.lock().unwrap();
    file.write_all(b"theirs\n").unwrap();
    file
}

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

fn end_under_load(ack: &str, end: impl FnOnce(Server) -> Exit) -> Ended {
    let folder = DataFolder::new();
    let options = ["--ack", ack, "--limit", "100000/1s"];
    ending::end_under_load(&folder, || folder.start(PHASE4, &options), end)
}

#[test]
fn a_kill_under_load_loses_nothing_that_was_answered() {
    for ack in ["stored", "durable"] {
        let Ended { answered, stored, .. } = end_under_load(ack, Server::kill);
        let lost: Vec<_> = answered.difference(&stored).collect();
        assert!(lost.is_empty(), "{ack}: {lost:?}");
        let unanswered = stored.len() - answered.len();
        assert!(unanswered <= CLIENTS, "{ack}: {unanswered} were stored and not answered");
    }
}

#[test]
fn a_stop_under_load_stores_what_it_answered_and_answers_what_it_stored() {
    for ack in ["accepted", "stored", "durable"] {
        let Ended { exit, answered, stored } = end_under_load(ack, Server::stop);
        exit.assert_success();
        assert_eq!(answered, stored, "{ack}");
        let said = format!("stopped: wrote {} metrics to ", stored.len());
        let last = exit.stdout.last().unwrap();
        assert!(last.starts_with(&said), "{last}");
    }
}

/// What a random test does.
#[derive(Debug, Clone)]
enum Step {
    /// Hands over a request of so many lines.
    HandOver(usize),
    /// Waits until everybody has an answer.
    WaitForAnswers,
    /// Lets the next operations of the disk fail, or work.
    Plan(Vec<Fault>),
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::Fails),
        1 => (0..20_usize).prop_map(Fault::Short),
    ];
    prop_oneof![
        6 => (1..4_usize).prop_map(Step::HandOver),
        1 => Just(Step::WaitForAnswers),
        1 => vec(fault, 0..6).prop_map(Step::Plan),
    ]
}

/// A request, and what became of it once that is known.
struct Request<'w> {
    lines: String,
    answer: Result<Answer<'w>, Result<(), Unstored>>,
}

impl Request<'_> {
    fn wait(&mut self) -> Result<(), Unstored> {
        if let Ok(answer) = &mut self.answer {
            self.answer = Err(block_on(answer));
        }
        self.answer.as_ref().err().copied().expect("it is answered now")
    }
}

fn run<'w>(writer: &'w Writer, disk: &Disk, steps: &[Step]) -> Vec<Request<'w>> {
    let mut requests: Vec<Request<'_>> = Vec::new();
    for step in steps {
        match step {
            Step::HandOver(count) => {
                let id = requests.len();
                let lines = format!("request {id}\n").repeat(*count);
                let answer = hand_over(writer, &lines);
                requests.push(Request { lines, answer });
            }
            Step::WaitForAnswers => {
                for request in &mut requests {
                    assert_ne!(request.wait(), Err(Unstored::Stopping));
                }
            }
            Step::Plan(faults) => disk.plan(faults.iter().copied()),
        }
    }
    requests
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_what_was_acknowledged_is_there_once_and_in_order_and_nothing_else_is(
        ack in select(&[Ack::Accepted, Ack::Stored, Ack::Durable][..]),
        steps in vec(step(), 0..60),
    ) {
        let _watchdog = Watchdog::start();
        let disk = Disk::new();
        let bounds = Options { queue_requests_max: 12, batch_bytes_max: 16, ..options(ack) };
        let writer = start(&disk, bounds);
        let requests = run(&writer, &disk, &steps);
        let (mut acknowledged, mut refused) = (String::new(), String::new());
        for mut request in requests {
            *if request.wait().is_ok() { &mut acknowledged } else { &mut refused } += &request.lines;
        }
        disk.set_broken(false);
        wait_until("the disk is back", || !writer.status().is_failing());
        let reasons = ["unwritable", "queue_full"];
        let name = |reason| format!("ingest_refused_metrics_total{{reason=\"{reason}\"}}");
        let refused_metrics: u64 = reasons.map(|it| number(&writer, &name(it))).iter().sum();
        prop_assert_eq!(refused_metrics, refused.lines().count() as u64);
        prop_assert_eq!(writer.finish().unwrap(), acknowledged.lines().count() as u64);
        let files = disk.files();
        let stored: Vec<_> = files.iter().flat_map(|it| it.bytes.clone()).collect();
        prop_assert_eq!(String::from_utf8(stored).unwrap(), acknowledged);
        let on_disk = files.iter().all(|it| it.on_disk == it.bytes.len());
        prop_assert!(on_disk, "{:?}", files);
    }
}
