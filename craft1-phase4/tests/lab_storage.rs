//! Lab tests: what is handed over is written, whole, once and in order, or it is refused; memory has
//! a bound; and a disk that fails is waited for.

mod disk;

use std::sync::mpsc::{self, Receiver};
use std::{fs, io, thread};

use craft1_phase1::recovery::OpenError;
use craft1_phase1::service::{Health, Unstored};
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use craft1_phase4::writer::{FinishError, Obstacle, Options, Storage, Writer};
use disk::{Call, Disk, Fault, block_on, hand_over, is_answered, number, options, start};
use testkit::{DataFolder, Watchdog, wait_until};

const LINE: &str = "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";

/// Requests that are handed over and answered at once.
#[track_caller]
fn accept(writer: &Writer, lines: impl IntoIterator<Item = String>) {
    for line in lines {
        assert!(matches!(hand_over(writer, &line), Err(Ok(()))), "{line}");
    }
}

fn lines(numbers: impl IntoIterator<Item = usize>) -> impl Iterator<Item = String> {
    numbers.into_iter().map(|number| format!("{number}\n"))
}

#[test]
fn what_is_accepted_is_answered_while_the_disk_hangs_and_written_when_it_does_not() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    disk.hold(true);
    let writer = start(&disk, options(Ack::Accepted));
    accept(&writer, lines(0..1000));
    let waiting = Health { queue_size: 1000, accepted: 1000, stored: 0 };
    assert_eq!(writer.status().health, waiting);
    disk.hold(false);
    wait_until("all are written", || writer.status().health.queue_size == 0);
    assert_eq!(writer.status().health, Health { queue_size: 0, accepted: 1000, stored: 1000 });
    assert_eq!(disk.text(), lines(0..1000).collect::<String>());
}

#[test]
fn many_requests_share_a_write() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let writer = start(&disk, options(Ack::Stored));
    disk.hold(true);
    let mut first = hand_over(&writer, "first\n").unwrap();
    wait_until("it is being written", || disk.calls() == [Call::Append(6)]);
    let others: Vec<_> = (0..99).map(|_| hand_over(&writer, "other\n").unwrap()).collect();
    assert_eq!(is_answered(&mut first), None);
    disk.step();
    wait_until("the others are being written", || disk.calls().len() == 2);
    assert_eq!(is_answered(&mut first), Some(Ok(())));
    disk.hold(false);
    for answer in others {
        assert_eq!(block_on(answer), Ok(()));
    }
    assert_eq!(writer.status().health.stored, 100);
    assert_eq!(disk.calls(), [Call::Append(6), Call::Append(99 * 6)]);
    assert_eq!(number(&writer, "ingest_written_requests_total"), 100);
    assert_eq!(number(&writer, "ingest_write_duration_seconds_count"), 2);
    assert_eq!(number(&writer, "ingest_written_bytes_total"), 600);
}

#[test]
fn nobody_waits_for_company_to_be_stored() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let never = testkit::DEADLINE * 100;
    let writer = start(&disk, Options { linger: never, ..options(Ack::Stored) });
    assert_eq!(block_on(writer.append(b"alone\n".to_vec(), 1)), Ok(()));
    assert_eq!(disk.text(), "alone\n");
}

#[test]
fn a_full_batch_is_written_before_its_time() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let never = testkit::DEADLINE * 100;
    let options = Options { linger: never, batch_bytes_max: 6, ..options(Ack::Accepted) };
    let writer = start(&disk, options);
    accept(&writer, ["one\n", "2\n"].map(String::from));
    accept(&writer, ["three\n".into()]);
    wait_until("the first batch is written", || disk.text() == "one\n2\n");
    assert_eq!(writer.status().health.queue_size, 1, "the second one gathers");
    // The end does not wait either.
    assert_eq!(writer.finish().unwrap(), 3);
    assert_eq!(disk.text(), "one\n2\nthree\n");
}

#[test]
fn a_request_stays_in_one_piece_however_long_it_is() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let writer = start(&disk, Options { batch_bytes_max: 10, ..options(Ack::Accepted) });
    let long = "x".repeat(100) + "\n";
    let given = ["a\n".to_string(), long, "b\n".repeat(4), "c\n".into(), "d\n".into()];
    accept(&writer, given.clone());
    writer.finish().unwrap();
    assert_eq!(disk.text(), given.concat());
    // What stays together in memory is written together.
    assert_eq!(disk.calls()[..4], [2, 101, 10, 2].map(Call::Append));
}

#[test]
fn beyond_the_bounds_the_answer_is_no_and_memory_stays_as_it_is() {
    let _watchdog = Watchdog::start();
    for (bytes, requests) in [(600, usize::MAX / 4), (usize::MAX / 4, 100)] {
        for ack in [Ack::Accepted, Ack::Stored, Ack::Durable] {
            let disk = Disk::new();
            disk.hold(true);
            let bounds = Options {
                queue_bytes_max: bytes,
                queue_requests_max: requests,
                batch_bytes_max: 60,
                ..options(ack)
            };
            let writer = start(&disk, bounds);
            let mut taken = Vec::new();
            let refused = loop {
                match hand_over(&writer, " line\n") {
                    Ok(answer) => taken.push(Some(answer)),
                    Err(Ok(())) => taken.push(None),
                    Err(Err(reason)) => break reason,
                }
                assert!(number(&writer, "ingest_queue_bytes") <= 600);
                let is_nearly_full = taken.len() > 75;
                let obstacle = writer.status().obstacle;
                assert_eq!(obstacle, is_nearly_full.then_some(Obstacle::Queue), "{}", taken.len());
            };
            assert_eq!((refused, taken.len()), (Unstored::QueueFull, 100), "{ack:?}");
            assert_eq!(hand_over(&writer, "x\n").err(), Some(Err(Unstored::QueueFull)));
            let name = "ingest_refused_metrics_total{reason=\"queue_full\"}";
            assert_eq!(number(&writer, name), 2);
            disk.hold(false);
            taken.into_iter().flatten().for_each(|answer| assert_eq!(block_on(answer), Ok(())));
            wait_until("there is room again", || writer.status().obstacle.is_none());
            assert!(!matches!(hand_over(&writer, "again\n"), Err(Err(_))));
            writer.finish().unwrap();
            assert_eq!(disk.text(), " line\n".repeat(100) + "again\n");
        }
    }
}

#[test]
fn a_request_beyond_the_bound_has_room_when_nothing_else_waits() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    disk.hold(true);
    let writer = start(&disk, Options { queue_bytes_max: 10, ..options(Ack::Accepted) });
    let long = "x".repeat(100) + "\n";
    accept(&writer, [long.clone()]);
    assert_eq!(hand_over(&writer, "y\n").err(), Some(Err(Unstored::QueueFull)));
    disk.hold(false);
    wait_until("it is written", || disk.text() == long);
}

#[test]
fn what_was_accepted_outlives_a_full_disk_wherever_it_ends() {
    let _watchdog = Watchdog::start();
    let text: String = lines(0..4).collect();
    for kept in 0..text.len() {
        // Two writes fail in the middle of the batch, and the first cut fails as well.
        let (short, fails, works) = (Fault::Short(kept), Fault::Fails, Fault::None);
        let disk = Disk::new();
        disk.plan([short, fails, works, short, works]);
        let writer = start(&disk, options(Ack::Accepted));
        assert_eq!(block_on(writer.append(text.clone().into(), 4)), Ok(()));
        assert_eq!(block_on(writer.append(b"behind\n".to_vec(), 1)), Ok(()));
        wait_until("the disk is back", || writer.status().health.stored == 5);
        assert_eq!(disk.text(), format!("{text}behind\n"));
        assert_eq!(writer.status().obstacle, None);
        assert_eq!(number(&writer, "ingest_disk_failures_total"), 2);
        writer.finish().unwrap();
    }
}

#[test]
fn while_the_disk_is_full_the_queue_takes_what_it_has_room_for() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    disk.set_broken(true);
    let writer = start(&disk, Options { queue_requests_max: 10, ..options(Ack::Accepted) });
    accept(&writer, lines(0..1));
    wait_until("it is known to be full", || writer.status().is_failing());
    accept(&writer, lines(1..10));
    assert_eq!(hand_over(&writer, "x\n").err(), Some(Err(Unstored::Unwritable)));
    let obstacle = writer.status().obstacle.unwrap().to_string();
    let expected = "the data file cannot be written (no storage space): free space or move \
                    --data-file";
    assert_eq!(obstacle, expected);
    assert_eq!(number(&writer, "ingest_disk_failing"), 1);
    disk.set_broken(false);
    wait_until("it is back", || !writer.status().is_failing());
    assert_eq!(writer.finish().unwrap(), 10);
    assert_eq!(disk.text(), lines(0..10).collect::<String>());
}

#[test]
fn who_waits_to_be_stored_hears_of_a_failed_write_and_nothing_of_it_is_left() {
    let _watchdog = Watchdog::start();
    for ack in [Ack::Stored, Ack::Durable] {
        for kept in 0..LINE.len() {
            let disk = Disk::new();
            let writer = start(&disk, options(ack));
            assert_eq!(block_on(writer.append(LINE.into(), 1)), Ok(()));
            disk.plan([Fault::Short(kept)]);
            assert_eq!(block_on(writer.append(LINE.into(), 1)), Err(Unstored::Unwritable));
            wait_until("the disk is back", || !writer.status().is_failing());
            assert_eq!(disk.text(), LINE);
            assert_eq!(block_on(writer.append(LINE.into(), 1)), Ok(()));
            assert_eq!(disk.text(), LINE.repeat(2));
            assert_eq!(writer.status().health, Health { queue_size: 0, accepted: 2, stored: 2 });
            let name = "ingest_refused_metrics_total{reason=\"unwritable\"}";
            assert_eq!(number(&writer, name), 1);
        }
    }
}

#[test]
fn while_the_disk_fails_nobody_waits_for_it() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let never = testkit::DEADLINE * 100;
    let writer = start(&disk, Options { retry_pause: never, ..options(Ack::Stored) });
    disk.set_broken(true);
    disk.hold(true);
    let first = hand_over(&writer, "first\n").unwrap();
    wait_until("it is being written", || !disk.calls().is_empty());
    let second = hand_over(&writer, "second\n").unwrap();
    disk.hold(false);
    assert_eq!(block_on(first), Err(Unstored::Unwritable));
    assert_eq!(block_on(second), Err(Unstored::Unwritable), "without a try of its own");
    assert_eq!(hand_over(&writer, "third\n").err(), Some(Err(Unstored::Unwritable)));
    assert!(writer.status().is_failing());
    // A write and a cut for the first one, and nothing since.
    assert_eq!(disk.calls(), [Call::Append(6), Call::Cut(0)]);
}

#[test]
fn a_disk_that_is_back_is_found_without_a_request() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    disk.set_broken(true);
    let writer = start(&disk, options(Ack::Stored));
    assert_eq!(block_on(writer.append(LINE.into(), 1)), Err(Unstored::Unwritable));
    wait_until("it is tried again and again", || disk.calls().len() > 10);
    assert!(writer.status().is_failing());
    disk.set_broken(false);
    wait_until("it is back", || !writer.status().is_failing());
    assert_eq!(disk.text(), "", "what was tried with is gone");
    // A full disk has room for a little more at any time.
    let [.., Call::Append(tried_with), Call::Cut(0)] = disk.calls()[..] else {
        panic!("{:?}", disk.calls())
    };
    assert!(tried_with >= 64 * 1024);
}

#[test]
fn nothing_is_written_behind_half_a_line() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    disk.plan([Fault::Short(3)]);
    let writer = start(&disk, options(Ack::Accepted));
    disk.plan([Fault::Fails; 20]);
    accept(&writer, ["first\n".into()]);
    wait_until("it is written after all", || writer.status().health.stored == 1);
    let calls = disk.calls();
    assert_eq!(calls[..21], [&[Call::Append(6)][..], &[Call::Cut(0); 20]].concat());
    assert_eq!(disk.text(), "first\n");
}

#[test]
fn the_end_writes_what_waits_and_takes_nothing_more() {
    let _watchdog = Watchdog::start();
    for ack in [Ack::Accepted, Ack::Stored, Ack::Durable] {
        let disk = Disk::new();
        disk.hold(true);
        let writer = start(&disk, options(ack));
        let mut answers: Vec<_> = (0..10).map(|_| hand_over(&writer, "a\n")).collect();
        let ending = thread::spawn({
            let writer = writer.clone();
            || writer.finish()
        });
        wait_until("it takes nothing more", || match hand_over(&writer, "a\n") {
            Err(Err(reason)) => reason == Unstored::Stopping,
            taken => {
                answers.push(taken);
                false
            }
        });
        disk.hold(false);
        assert_eq!(ending.join().unwrap().unwrap(), answers.len() as u64, "{ack:?}");
        assert_eq!(disk.text(), "a\n".repeat(answers.len()));
        for answer in answers {
            assert_eq!(answer.map_or_else(|result| result, block_on), Ok(()));
        }
        let files = disk.files();
        assert_eq!(files[0].on_disk, files[0].bytes.len(), "it is synced");
    }
}

#[test]
fn the_end_says_what_the_disk_has_refused_to_the_last() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    disk.set_broken(true);
    let writer = start(&disk, options(Ack::Accepted));
    accept(&writer, lines(0..10));
    wait_until("it is tried", || writer.status().is_failing());
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, FinishError::Lost { metrics: 10, .. }), "{error}");
    assert!(error.to_string().starts_with("10 accepted metrics are lost: the data file cannot be"));
}

#[test]
fn a_writer_that_nobody_holds_any_more_writes_what_it_has_taken() {
    let _watchdog = Watchdog::start();
    let disk = Disk::new();
    let never = testkit::DEADLINE * 100;
    let writer = start(&disk, Options { linger: never, ..options(Ack::Accepted) });
    accept(&writer, lines(0..3));
    drop(writer);
    wait_until("it is written", || disk.text() == "0\n1\n2\n");
}

/// A defect: it panics once it is told to.
struct Defective(Receiver<()>);

impl Storage for Defective {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        self.0.recv().unwrap();
        panic!("in the middle of a write");
    }

    fn sync(&mut self) -> io::Result<()> {
        unreachable!()
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        unreachable!()
    }

    fn renew(&mut self) -> io::Result<u64> {
        unreachable!()
    }
}

#[test]
fn a_thread_that_panics_leaves_nobody_waiting() {
    let _watchdog = Watchdog::start();
    let (sender, receiver) = mpsc::channel();
    let writer = Writer::start(Defective(receiver), 0, options(Ack::Stored)).unwrap();
    let answers = ["a\n", "b\n"].map(|line| hand_over(&writer, line).unwrap());
    sender.send(()).unwrap();
    for answer in answers {
        assert_eq!(block_on(answer), Err(Unstored::Unwritable));
    }
    wait_until("nobody is to come", || writer.status().is_failing());
    assert_eq!(hand_over(&writer, "c\n").err(), Some(Err(Unstored::Unwritable)));
    let obstacle = writer.status().obstacle.unwrap().to_string();
    assert_eq!(obstacle, "the writer has ended by a defect: restart the server");
}

fn open(folder: &DataFolder, options: Options) -> Result<(Writer, Vec<String>), OpenError> {
    let mut damages = Vec::new();
    let report = |damage| damages.push(format!("{damage}"));
    let writer = Writer::open(&folder.data_file(), json::parse, options, report)?;
    Ok((writer, damages))
}

#[test]
fn a_file_is_continued_behind_its_last_whole_line() {
    let folder = DataFolder::new();
    for (torn_len, ack) in [(1, Ack::Accepted), (20, Ack::Stored), (LINE.len() - 1, Ack::Durable)] {
        fs::write(folder.data_file(), format!("{LINE}?\n{}", &LINE[..torn_len])).unwrap();
        let (writer, damages) = open(&folder, options(ack)).unwrap();
        assert_eq!(damages.len(), 2);
        assert!(damages[0].starts_with("line 2 is damaged"), "{}", damages[0]);
        assert_eq!(damages[1], format!("cut 1 torn last line of {torn_len} bytes"));
        assert_eq!(block_on(writer.append(LINE.into(), 1)), Ok(()));
        writer.finish().unwrap();
        assert_eq!(fs::read_to_string(folder.data_file()).unwrap(), format!("{LINE}?\n{LINE}"));
    }
}

#[test]
fn a_file_has_one_writer_and_is_free_after_its_end() {
    let folder = DataFolder::new();
    let (first, _) = open(&folder, options(Ack::Stored)).unwrap();
    assert!(matches!(open(&folder, options(Ack::Stored)), Err(OpenError::InUse)));
    first.finish().unwrap();
    open(&folder, options(Ack::Stored)).unwrap();
}

#[test]
fn many_threads_leave_every_request_in_one_piece_and_in_the_order_of_its_sender() {
    const SENDERS: usize = 4;
    const REQUESTS: usize = 200;
    let folder = DataFolder::new();
    for ack in [Ack::Accepted, Ack::Stored] {
        fs::write(folder.data_file(), "").unwrap();
        let small_batches = Options { batch_bytes_max: 1000, ..options(ack) };
        let (writer, _) = open(&folder, small_batches).unwrap();
        let send = |sender| {
            for number in 0..REQUESTS {
                let lines = format!("{sender} {number}\n").repeat(number % 7 + 1);
                assert_eq!(block_on(writer.append(lines.into(), number % 7 + 1)), Ok(()));
            }
        };
        thread::scope(|scope| {
            (0..SENDERS).for_each(|sender| drop(scope.spawn(move || send(sender))));
        });
        writer.finish().unwrap();
        let text = fs::read_to_string(folder.data_file()).unwrap();
        let mut next = [0; SENDERS];
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let sender: usize = line[..1].parse().unwrap();
            assert_eq!(line, format!("{sender} {}", next[sender]));
            let rest: Vec<_> = lines.by_ref().take(next[sender] % 7).collect();
            assert!(rest.len() == next[sender] % 7 && rest.iter().all(|it| *it == line), "{line}");
            next[sender] += 1;
        }
        assert_eq!(next, [REQUESTS; SENDERS]);
    }
}
