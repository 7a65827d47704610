//! What the health checker logs. A file with one test, because which events are enabled is known to
//! the whole process, and another test that logs would change it meanwhile.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use craft1_phase4::health_checker::condition::Thresholds;
use craft1_phase4::health_checker::{HealthChecker, Plan, Usage};
use craft1_phase4::nodes::Node;
use tokio::time::{sleep, timeout};
use tracing_subscriber::fmt::MakeWriter;

/// What takes a log, and keeps it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim_start().to_string()).collect()
    }
}

/// Checks that are told of by their count: the first two are well, then it hangs three times, and
/// again, for one check, once it is well again.
async fn probe(_: Arc<Node>, count: usize) -> io::Result<Usage> {
    match count {
        2..=4 => std::future::pending().await,
        7 => Err(io::Error::other("once")),
        _ => Ok(Usage::default()),
    }
}

#[tokio::test(start_paused = true)]
async fn tells_what_is_news_and_nothing_twice() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let nodes_file = folder.path().join("nodes.csv");
    let rows = "id,address,role,region,cpu_cores,memory_gib,disk_gib\n\
                a,10.0.0.7:9100,web,eu-west,4,16,200\nbad\n";
    fs::write(&nodes_file, rows).unwrap();
    let plan = Plan {
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        concurrency: 1.try_into().unwrap(),
        rate_per_s: 1.try_into().unwrap(),
        thresholds: Thresholds {
            down_after: 3.try_into().unwrap(),
            up_after: 2.try_into().unwrap(),
        },
    };
    let count = AtomicUsize::new(0);
    let probe = move |node| probe(node, count.fetch_add(1, SeqCst));
    let jitter = |_| Duration::ZERO;
    let checker = HealthChecker::spawn(nodes_file.clone(), plan, probe, SystemTime::now, jitter);
    sleep(Duration::from_secs(95)).await;
    fs::remove_file(&nodes_file).unwrap();
    sleep(Duration::from_secs(50)).await;
    timeout(Duration::from_hours(1), checker.stop()).await.expect("it stops when it is told to");
    let at = nodes_file.display();
    let expected = [
        format!("WARN skipped a row path=\"{at}\" line=3 reason=1 fields under 7 columns"),
        format!("INFO read the fleet path=\"{at}\" nodes=1 skipped=1"),
        "INFO node is up id=\"a\" role=\"web\" region=\"eu-west\" latency=0ns".into(),
        "WARN node is down id=\"a\" role=\"web\" region=\"eu-west\" address=10.0.0.7:9100 \
         reason=\"no answer within 2s\""
            .into(),
        "INFO node is up id=\"a\" role=\"web\" region=\"eu-west\" latency=0ns".into(),
        format!(
            "WARN no fleet in the file of nodes; mend the file path=\"{at}\" \
             error=cannot read: No such file or directory (os error 2) kept=1"
        ),
    ];
    assert_eq!(log.lines(), expected);
}
