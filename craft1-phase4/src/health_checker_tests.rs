//! The checker with its clock in our hands: hours of checks, exact to the millisecond.

use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::condition::{Condition, Thresholds};
use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// What a node does when it is asked.
#[derive(Clone, Copy)]
enum Answer {
    Well,
    Failing,
    After(Duration),
    Never,
    Panic,
}

use Answer::{Failing, Never, Well};

/// A fleet that is asked by function calls.
struct Lab {
    folder: TempDir,
    begun: Instant,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Who was asked, and how many milliseconds after the beginning.
    calls: Mutex<Vec<(String, u128)>>,
    inside: AtomicUsize,
    inside_max: AtomicUsize,
}

/// A check that has begun and not ended.
struct Inside(Arc<Seen>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

impl Lab {
    fn new(ids: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lab = Self { folder, begun: Instant::now(), seen: Arc::default() };
        lab.write(&ids.iter().map(|id| row(id)).collect::<Vec<_>>());
        lab
    }

    fn nodes_file(&self) -> PathBuf {
        self.folder.path().join("nodes.csv")
    }

    fn write(&self, rows: &[String]) {
        let header = "id,address,role,region,cpu_cores,memory_gib,disk_gib";
        fs::write(self.nodes_file(), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    }

    /// Begins to check. `answer` says what the node of this id does when it is asked for the n-th
    /// time, from 0.
    fn check(
        &self,
        plan: Plan,
        answer: impl Fn(&str, usize) -> Answer + Send + 'static,
    ) -> HealthChecker {
        self.check_with_jitter(plan, answer, |_| Duration::ZERO)
    }

    fn check_with_jitter(
        &self,
        plan: Plan,
        answer: impl Fn(&str, usize) -> Answer + Send + 'static,
        jitter: impl Fn(Duration) -> Duration + Send + 'static,
    ) -> HealthChecker {
        let (seen, begun) = (Arc::clone(&self.seen), self.begun);
        let probe = move |node: Arc<Node>| {
            let mut calls = seen.calls.lock().unwrap();
            let count = calls.iter().filter(|(id, _)| *id == node.id).count();
            calls.push((node.id.clone(), begun.elapsed().as_millis()));
            let inside = Inside(Arc::clone(&seen));
            seen.inside_max.fetch_max(seen.inside.fetch_add(1, SeqCst) + 1, SeqCst);
            let answer = answer(&node.id, count);
            async move {
                let _inside = inside;
                match answer {
                    Well => {}
                    Failing => return Err(BoxError::from("it says no")),
                    Answer::After(wait) => sleep(wait).await,
                    Never => std::future::pending().await,
                    Answer::Panic => panic!("a defect of the probe"),
                }
                Ok(Usage { memory_bytes: Some(7), ..Usage::default() })
            }
        };
        HealthChecker::spawn(self.nodes_file(), plan, probe, now, jitter)
    }

    fn calls(&self) -> Vec<(String, u128)> {
        self.seen.calls.lock().unwrap().clone()
    }

    fn call_times(&self) -> Vec<u128> {
        self.calls().into_iter().map(|(_, at_ms)| at_ms).collect()
    }

    fn inside(&self) -> usize {
        self.seen.inside.load(SeqCst)
    }
}

fn row(id: &str) -> String {
    format!("{id},10.0.0.7:9100,web,eu-west,4,16,200")
}

/// A wall clock that stands.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + HOUR
}

/// A round every 10 seconds; a node has 2; the limits are out of the way.
fn plan() -> Plan {
    let three = NonZeroU32::new(3).unwrap();
    Plan {
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        concurrency: NonZeroU16::MAX,
        rate_per_s: NonZeroU16::MAX,
        thresholds: Thresholds { down_after: three, up_after: NonZeroU32::new(2).unwrap() },
    }
}

/// Whether each node is up, as letters in the order of the file.
fn conditions(checker: &HealthChecker) -> String {
    let letter = |status: &NodeStatus| match status.condition {
        Condition::Unknown => '?',
        Condition::Up { .. } => 'U',
        Condition::Down { .. } => 'd',
    };
    checker.statuses().borrow().nodes.iter().map(letter).collect()
}

async fn stop(checker: HealthChecker) {
    timeout(HOUR, checker.stop()).await.expect("it stops when it is told to");
}

async fn wait_ms(wait_ms: u64) {
    sleep(Duration::from_millis(wait_ms)).await;
}

#[tokio::test(start_paused = true)]
async fn checks_at_once_and_at_every_interval_until_it_is_stopped() {
    let lab = Lab::new(&["a"]);
    let checker = lab.check(plan(), |_, _| Well);
    assert_eq!(conditions(&checker), "", "nothing is known before");
    wait_ms(25_000).await;
    assert_eq!(lab.call_times(), [0, 10_000, 20_000]);
    assert_eq!(conditions(&checker), "U");
    let statuses = checker.statuses();
    stop(checker).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    sleep(HOUR).await;
    assert_eq!(lab.calls().len(), 3);
    let usage = Usage { memory_bytes: Some(7), ..Usage::default() };
    let check = Check { at: now(), latency: Duration::ZERO, usage };
    assert_eq!(statuses.borrow().nodes[0].last_check, Some(check), "what it knew stays readable");
}

#[tokio::test(start_paused = true)]
async fn a_checker_that_is_dropped_ends() {
    let lab = Lab::new(&["a"]);
    let checker = lab.check(plan(), |_, _| Never);
    wait_ms(1).await;
    assert_eq!(lab.inside(), 1);
    drop(checker);
    wait_ms(1).await;
    assert_eq!((lab.inside(), Handle::current().metrics().num_alive_tasks()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn goes_down_and_comes_back_after_so_many_in_a_row() {
    let lab = Lab::new(&["a"]);
    let history = b"+---+++--+";
    let answer = |_: &str, count| if history.get(count) == Some(&b'+') { Well } else { Failing };
    let checker = lab.check(plan(), answer);
    let mut seen = String::new();
    wait_ms(5_000).await;
    for _ in history {
        seen += &conditions(&checker);
        wait_ms(10_000).await;
    }
    assert_eq!(seen, "UUUddUUUUU");
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_flaps_stays_what_it_is_and_its_failures_are_counted() {
    let lab = Lab::new(&["was-up", "was-down"]);
    let answer =
        |id: &str, count| if (count % 2 == 0) == (id == "was-up") { Well } else { Failing };
    let checker = lab.check(plan(), answer);
    sleep(HOUR).await;
    assert_eq!(conditions(&checker), "Ud");
    let failed =
        checker.statuses().borrow().nodes.iter().map(|it| it.failed_checks).collect::<Vec<_>>();
    assert_eq!(failed, [180, 180]);
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_failing_node_told_before_is_forgotten() {
    let lab = Lab::new(&["a"]);
    let checker = lab.check(plan(), |_, count| if count == 0 { Well } else { Failing });
    let usage = |checker: &HealthChecker| {
        checker.statuses().borrow().nodes[0].last_check.unwrap().usage.memory_bytes
    };
    wait_ms(1).await;
    assert_eq!(usage(&checker), Some(7));
    wait_ms(10_000).await;
    assert_eq!((usage(&checker), conditions(&checker)), (None, "U".into()));
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn checks_begin_evenly_and_never_faster_than_the_rate() {
    let lab = Lab::new(&["a", "b", "c", "d", "e"]);
    let plan = Plan { rate_per_s: NonZeroU16::new(4).unwrap(), ..plan() };
    let checker = lab.check(plan, |_, _| Well);
    wait_ms(15_000).await;
    let expected = [0, 250, 500, 750, 1_000, 10_000, 10_250, 10_500, 10_750, 11_000];
    assert_eq!(lab.call_times(), expected);
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_also_where_checks_wait_for_a_place() {
    let lab = Lab::new(&["a", "b", "c", "d"]);
    let plan = Plan {
        rate_per_s: NonZeroU16::new(10).unwrap(),
        concurrency: NonZeroU16::new(2).unwrap(),
        ..plan()
    };
    // Both places are taken for longer than the rate makes the third one wait, and become free at
    // nearly the same time.
    let answer = |id: &str, _| match id {
        "a" => Answer::After(Duration::from_millis(250)),
        "b" => Answer::After(Duration::from_millis(160)),
        _ => Well,
    };
    let checker = lab.check(plan, answer);
    wait_ms(5_000).await;
    assert_eq!(lab.call_times(), [0, 100, 250, 350]);
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_are_asked_at_once_than_there_are_places() {
    let lab = Lab::new(&["a", "b", "c", "d", "e", "f"]);
    let plan = Plan { concurrency: NonZeroU16::new(2).unwrap(), ..plan() };
    let checker = lab.check(plan, |_, _| Answer::After(Duration::from_millis(500)));
    wait_ms(1_400).await;
    assert_eq!((lab.seen.inside_max.load(SeqCst), lab.calls().len()), (2, 6));
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_hangs_costs_one_place_for_the_timeout_and_nothing_else() {
    let lab = Lab::new(&["hangs", "b", "c"]);
    let answer = |id: &str, _| if id == "hangs" { Never } else { Well };
    let plan = Plan { concurrency: NonZeroU16::new(2).unwrap(), ..plan() };
    let checker = lab.check(plan, answer);
    wait_ms(1_000).await;
    assert_eq!((conditions(&checker), lab.inside()), ("?UU".into(), 1));
    wait_ms(1_100).await;
    assert_eq!((conditions(&checker), lab.inside()), ("dUU".into(), 0));
    let latency = checker.statuses().borrow().nodes[0].last_check.unwrap().latency;
    assert_eq!(latency, Duration::from_secs(2));
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_check_begins_when_it_is_sent() {
    let lab = Lab::new(&["a", "b", "c"]);
    let plan = Plan { concurrency: NonZeroU16::MIN, ..plan() };
    let checker = lab.check(plan, |_, _| Answer::After(Duration::from_millis(1_500)));
    wait_ms(5_000).await;
    assert_eq!(conditions(&checker), "UUU", "the last has waited for 3 seconds to be asked");
    for status in &checker.statuses().borrow().nodes {
        assert_eq!(status.last_check.unwrap().latency, Duration::from_millis(1_500));
    }
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn a_round_that_takes_too_long_puts_the_next_one_off() {
    let lab = Lab::new(&["a"]);
    let plan = Plan { timeout: HOUR, ..plan() };
    let slow_at_first =
        |_: &str, count| if count == 0 { Answer::After(Duration::from_secs(25)) } else { Well };
    let checker = lab.check(plan, slow_at_first);
    wait_ms(50_000).await;
    assert_eq!(lab.call_times(), [0, 25_000, 35_000, 45_000]);
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn a_round_begins_as_late_as_the_jitter_says() {
    let lab = Lab::new(&["a"]);
    let parts = Mutex::new([1.0, 0.0, 0.5].into_iter());
    let jitter = move |most: Duration| most.mul_f64(parts.lock().unwrap().next().unwrap());
    let checker = lab.check_with_jitter(plan(), |_, _| Well, jitter);
    wait_ms(25_000).await;
    assert_eq!(lab.call_times(), [1_000, 10_000, 20_500]);
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_changes_is_checked_from_the_next_round_on() {
    let lab = Lab::new(&["a", "b"]);
    let checker = lab.check(plan(), |id, _| if id == "a" { Failing } else { Well });
    wait_ms(1_000).await;
    assert_eq!(conditions(&checker), "dU");
    lab.write(&[row("new"), "bad".into(), row("a")]);
    wait_ms(1_000).await;
    assert_eq!(conditions(&checker), "dU", "not before the round");
    wait_ms(10_000).await;
    assert_eq!(conditions(&checker), "Ud");
    assert_eq!(checker.statuses().borrow().bad_rows, 1);
    let mut calls = BTreeMap::new();
    for (id, _) in lab.calls() {
        *calls.entry(id).or_insert(0) += 1;
    }
    assert_eq!(calls, BTreeMap::from([("a".into(), 2), ("b".into(), 1), ("new".into(), 1)]));
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_changes_in_the_middle_of_a_round_does_not_mix_nodes_up() {
    let lab = Lab::new(&["hangs", "b"]);
    let plan = Plan { timeout: Duration::from_secs(15), ..plan() };
    let checker = lab.check(plan, |id, _| if id == "hangs" { Never } else { Well });
    wait_ms(5_000).await;
    lab.write(&[row("b")]);
    // The second round is due at 10 s. The first one ends at 15.
    wait_ms(12_000).await;
    assert_eq!((conditions(&checker), lab.inside()), ("U".into(), 0));
    assert_eq!(checker.statuses().borrow().nodes[0].failed_checks, 0);
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn without_its_file_it_goes_on_with_the_fleet_that_it_knows() {
    let lab = Lab::new(&["a"]);
    let checker = lab.check(plan(), |_, _| Well);
    wait_ms(1_000).await;
    fs::remove_file(lab.nodes_file()).unwrap();
    wait_ms(20_000).await;
    assert_eq!((conditions(&checker), lab.calls().len()), ("U".into(), 3));
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_comes_later_is_checked_from_then_on() {
    let lab = Lab::new(&[]);
    fs::remove_file(lab.nodes_file()).unwrap();
    let checker = lab.check(plan(), |_, _| Well);
    wait_ms(15_000).await;
    assert_eq!(conditions(&checker), "");
    lab.write(&[row("a")]);
    wait_ms(10_000).await;
    assert_eq!(conditions(&checker), "U");
    stop(checker).await;
}

#[tokio::test(start_paused = true)]
async fn stopping_in_the_middle_of_checks_waits_for_none_and_leaves_none() {
    let lab = Lab::new(&["a", "b", "c"]);
    let plan = Plan { timeout: HOUR, concurrency: NonZeroU16::new(2).unwrap(), ..plan() };
    let checker = lab.check(plan, |_, _| Never);
    wait_ms(1_000).await;
    assert_eq!((lab.inside(), lab.calls().len()), (2, 2), "the third waits for a place");
    let stopping = Instant::now();
    stop(checker).await;
    assert_eq!(stopping.elapsed(), Duration::ZERO);
    assert_eq!((lab.inside(), Handle::current().metrics().num_alive_tasks()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_costs_its_own_check() {
    let lab = Lab::new(&["a", "b"]);
    let answer = |id: &str, count| if (id, count) == ("a", 0) { Answer::Panic } else { Well };
    let checker = lab.check(plan(), answer);
    wait_ms(1_000).await;
    assert_eq!(conditions(&checker), "?U");
    wait_ms(10_000).await;
    assert_eq!(conditions(&checker), "UU");
    stop(checker).await;
}
