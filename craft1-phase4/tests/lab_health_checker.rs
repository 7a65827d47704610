//! Lab tests: the health checker over real sockets, and the fleet and the picture that go with it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use clap::Parser;
use craft1_phase4::health_checker::{HealthChecker, Options, Statuses};
use craft1_phase4::nodes::{Fleet, Node};
use tempfile::TempDir;
use testkit::{DEADLINE, wait_until};
use tokio::time::timeout;

const HEADER: &str = "id,address,role,region,cpu_cores,memory_gib,disk_gib\n";

/// A folder with a fleet in it.
struct Place(TempDir);

impl Place {
    fn new(nodes: &[(&str, SocketAddr)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(nodes);
        place
    }

    fn nodes_file(&self) -> PathBuf {
        self.0.path().join("nodes.csv")
    }

    fn write(&self, nodes: &[(&str, SocketAddr)]) {
        let row = |(id, address): &(&str, SocketAddr)| format!("{id},{address},web,eu,4,16,200\n");
        let rows: String = nodes.iter().map(row).collect();
        fs::write(self.nodes_file(), format!("{HEADER}{rows}")).unwrap();
    }

    /// Begins to check, with `options` behind.
    fn check(&self, options: &[&str]) -> HealthChecker {
        #[derive(Parser)]
        struct Program {
            #[command(flatten)]
            options: Options,
        }

        let path = self.nodes_file().display().to_string();
        let words = ["program", "--nodes-file", &path, "--check-interval", "20ms"];
        let program = Program::parse_from([&words[..], options].concat());
        HealthChecker::start(program.options).expect("there is a file")
    }
}

/// A node that answers every request with what `answer` says then, and closes.
fn node(answer: impl Fn() -> &'static str + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer().as_bytes());
        }
    });
    address
}

/// A node that takes connections, answers nothing, and counts those that it has.
fn node_that_hangs() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, SeqCst);
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let _ = stream.read_to_end(&mut Vec::new());
                count.fetch_sub(1, SeqCst);
            });
        }
    });
    (address, open)
}

const WELL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n\
                    {\"status\":\"ok\",\"memory_used_bytes\":4096}";
const ILL: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// Whether each node is up, in the order of the file.
fn conditions(statuses: &Statuses) -> Vec<Option<bool>> {
    statuses.nodes.iter().map(|it| it.condition.is_up()).collect()
}

async fn wait_for(checker: &HealthChecker, expected: &[Option<bool>]) {
    let mut statuses = checker.statuses();
    let is_so = statuses.wait_for(|statuses| conditions(statuses) == expected);
    // The checker may also end, and what it knew last is not what is waited for.
    let waited = timeout(DEADLINE, is_so).await.is_ok_and(|end| end.is_ok());
    assert!(waited, "{:?} is not {expected:?}", conditions(&checker.statuses().borrow()));
}

async fn stop(checker: HealthChecker) {
    timeout(DEADLINE, checker.stop()).await.expect("it stops when it is told to");
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_who_is_well_who_is_ill_who_refuses_and_who_hangs() {
    let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (hanging, open) = node_that_hangs();
    let place = Place::new(&[
        ("well", node(|| WELL)),
        ("ill", node(|| ILL)),
        ("refuses", refusing),
        ("hangs", hanging),
    ]);
    let checker = place.check(&["--check-timeout", "200ms"]);
    wait_for(&checker, &[Some(true), Some(false), Some(false), Some(false)]).await;
    {
        let statuses = checker.statuses();
        let statuses = statuses.borrow();
        let usage = |place: usize| statuses.nodes[place].last_check.unwrap().usage.memory_bytes;
        assert_eq!((usage(0), usage(1), usage(3)), (Some(4096), None, None));
    }
    stop(checker).await;
    wait_until("no connection is left", || open.load(SeqCst) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sees_a_node_go_and_come_back() {
    let is_well = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_well);
    let place = Place::new(&[("a", node(move || if asked.load(SeqCst) { WELL } else { ILL }))]);
    let checker = place.check(&[]);
    wait_for(&checker, &[Some(true)]).await;
    is_well.store(false, SeqCst);
    wait_for(&checker, &[Some(false)]).await;
    assert!(checker.statuses().borrow().nodes[0].failed_checks >= 3, "not by the first failure");
    is_well.store(true, SeqCst);
    wait_for(&checker, &[Some(true)]).await;
    stop(checker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_over_a_fleet_that_changes() {
    let place = Place::new(&[("a", node(|| WELL))]);
    let checker = place.check(&[]);
    wait_for(&checker, &[Some(true)]).await;
    place.write(&[("b", node(|| ILL)), ("c", node(|| WELL))]);
    wait_for(&checker, &[Some(false), Some(true)]).await;
    stop(checker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_closes_what_is_open() {
    let (hanging, open) = node_that_hangs();
    let place = Place::new(&[("hangs", hanging)]);
    let checker = place.check(&["--check-timeout", "1h"]);
    wait_until("the node is asked", || open.load(SeqCst) == 1);
    stop(checker).await;
    wait_until("the connection is closed", || open.load(SeqCst) == 0);
}

fn of_the_repository(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// That of whoever reads this, or one that nobody has (RFC 5737).
fn is_harmless(node: &Node) -> bool {
    let address: Ipv4Addr = node.address.host().parse().unwrap();
    address.is_loopback() || address.is_documentation()
}

#[test]
fn the_fleet_of_the_repository_is_good_and_asks_nobody_by_accident() {
    let text = of_the_repository("datasets/infrastructure/nodes.csv");
    let fleet = Fleet::parse(text.as_bytes()).unwrap();
    assert_eq!(fleet.bad_rows, []);
    assert_eq!(fleet.nodes.len(), 30);
    for node in &fleet.nodes {
        assert!(is_harmless(node), "{node:?}");
    }
}

#[test]
fn every_column_is_documented() {
    let page = of_the_repository("datasets/infrastructure/README.md");
    for column in craft1_phase4::nodes::COLUMNS {
        assert!(page.contains(&format!("\n| `{column}` | ")), "{column} has no row");
    }
}

/// The words behind its arrows.
#[test]
fn the_picture_of_a_round_says_what_its_source_says() {
    let source = of_the_repository("docs/health-check-sequence.puml");
    let picture = of_the_repository("docs/src/images/health-check-sequence.svg");
    let said: Vec<_> = source
        .lines()
        .filter(|line| line.contains("->"))
        .map(|line| line.split_once(" : ").expect("an arrow says something").1)
        .collect();
    assert!(said.len() > 15, "{said:?}");
    for words in said {
        let text = format!(">{words}</text>");
        assert!(picture.contains(&text), "{words:?} is not in the picture: render it anew");
    }
}
