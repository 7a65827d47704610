//! Who sends when, on a clock that the tests move: no socket, no waiting, exact numbers.

use super::*;
use crate::plan::Arrivals;
use proptest::prelude::*;

const ALONE: Lane = Lane { index: 0, count: 1 };
const MS: u64 = 1_000_000;

fn pacer(plan: &Plan) -> Pacer {
    let links = u32::try_from(plan.connections).unwrap();
    Pacer::new(plan, ALONE, links, Timeline::new(plan, 0))
}

fn open(rate: f64, connections: usize, until: Until) -> Plan {
    let load = Load::Open { rate, arrivals: Arrivals::Constant };
    Plan { connections, load, until, ..Plan::default() }
}

fn closed(think: Duration, connections: usize, until: Until) -> Plan {
    Plan { load: Load::Closed { think }, connections, until, ..Plan::default() }
}

fn started(pacer: &mut Pacer, now_ns: u64) -> Vec<Start> {
    while pacer.admit(now_ns).is_some() {}
    std::iter::from_fn(|| pacer.start(now_ns)).collect()
}

/// Runs against a server that answers each request after a time of its own and stands still during
/// `stall`. Returns the latencies in milliseconds.
fn simulate(plan: &Plan, service_ms: u64, stall: std::ops::Range<u64>) -> Vec<u64> {
    let mut pacer = pacer(plan);
    let mut in_flight: Vec<(u64, Start)> = Vec::new();
    let mut latencies = Vec::new();
    for now_ms in 0.. {
        let now_ns = now_ms * MS;
        let (done, going): (Vec<_>, Vec<_>) =
            in_flight.into_iter().partition(|(done_ms, _)| *done_ms <= now_ms);
        in_flight = going;
        for (_, start) in done {
            latencies.push((now_ns - start.intended_ns) / MS);
            pacer.release(start.link, now_ns, 0);
        }
        for start in started(&mut pacer, now_ns) {
            let done_ms = now_ms + service_ms;
            let done_ms = if stall.contains(&done_ms) { stall.end } else { done_ms };
            in_flight.push((done_ms, start));
        }
        if in_flight.is_empty() && pacer.is_done(now_ns) {
            break;
        }
    }
    latencies
}

#[test]
fn an_open_loop_counts_the_stall_against_every_request_that_it_delayed() {
    let plan = open(100.0, 5, Until::Elapsed(Duration::from_secs(10)));
    let latencies = simulate(&plan, 10, 4_000..5_000);
    assert_eq!(latencies.len(), 1_000);
    // 100 arrivals fall into the stalled second. Five connections of 10 ms serve 500 requests a
    // second, so while the queue shrinks by 400 a second 25 more arrive and wait.
    let delayed = latencies.iter().filter(|ms| **ms > 10).count();
    assert!((122..=126).contains(&delayed), "{delayed}");
    assert!((1_000..=1_010).contains(latencies.iter().max().unwrap()));
}

#[test]
fn a_closed_loop_sees_the_stall_once_a_connection() {
    let plan = closed(Duration::ZERO, 5, Until::Elapsed(Duration::from_secs(10)));
    let latencies = simulate(&plan, 10, 4_000..5_000);
    assert_eq!(latencies.iter().filter(|ms| **ms > 10).count(), 5);
}

#[test]
fn an_open_loop_sends_by_the_clock_and_waits_for_a_slot() {
    let mut pacer = pacer(&open(1_000.0, 2, Until::Requests(5)));
    let first = started(&mut pacer, 3 * MS);
    let expected = [(0, 0), (1, MS)].map(|(link, intended_ns)| Start { link, intended_ns });
    assert_eq!(first, expected);
    pacer.release(1, 9 * MS, 0);
    assert_eq!(started(&mut pacer, 9 * MS), [Start { link: 1, intended_ns: 2 * MS }]);
    assert!(!pacer.is_done(9 * MS));
    pacer.release(0, 9 * MS, 0);
    pacer.release(1, 9 * MS, 0);
    assert_eq!(started(&mut pacer, 9 * MS).len(), 2);
    assert!(pacer.is_done(9 * MS));
}

#[test]
fn an_open_loop_says_when_it_is_next_due() {
    let mut pacer = pacer(&open(1_000.0, 2, Until::Elapsed(Duration::from_millis(2))));
    assert_eq!(pacer.next_ns(), Some(0));
    started(&mut pacer, 0);
    assert_eq!(pacer.next_ns(), Some(MS));
    started(&mut pacer, MS);
    assert_eq!(pacer.next_ns(), None);
}

#[test]
fn requests_that_wait_too_long_are_given_up() {
    let mut pacer = pacer(&open(1_000.0, 1, Until::Requests(4)));
    assert_eq!(started(&mut pacer, 10 * MS).len(), 1);
    assert_eq!(pacer.expire(3 * MS).collect::<Vec<_>>(), [MS, 2 * MS]);
    assert_eq!(pacer.expire(3 * MS).next(), None);
    assert_eq!(pacer.stop(10 * MS), 1);
    assert!(pacer.is_done(10 * MS));
}

#[test]
fn the_queue_of_waiting_requests_is_bounded() {
    let mut pacer = pacer(&open(1e7, 1, Until::Elapsed(Duration::from_millis(200))));
    let refused = std::iter::from_fn(|| pacer.admit(u64::MAX))
        .filter(|admitted| matches!(admitted, Admitted::Refused(_)))
        .count();
    assert_eq!(refused, 2_000_000 - WAITING_MAX);
}

#[test]
fn a_closed_loop_keeps_every_slot_busy() {
    let reuse = Reuse::KeepAlive { pipeline: 3 };
    let plan = Plan { connections: 2, reuse, ..Plan::default() };
    let mut pacer = pacer(&plan);
    let links: Vec<u32> = started(&mut pacer, 0).iter().map(|start| start.link).collect();
    assert_eq!(links, [0, 0, 0, 1, 1, 1]);
    pacer.release(1, MS, 0);
    assert_eq!(started(&mut pacer, MS), [Start { link: 1, intended_ns: MS }]);
}

#[test]
fn a_thinking_client_pauses_between_answer_and_request() {
    let plan = closed(Duration::from_millis(10), 1, Until::Requests(2));
    let mut pacer = pacer(&plan);
    let first_ns = pacer.next_ns().unwrap();
    assert!(first_ns <= 10 * MS);
    assert_eq!(started(&mut pacer, first_ns).len(), 1);
    pacer.release(0, 20 * MS, 0);
    assert_eq!(pacer.next_ns(), Some(30 * MS));
    assert_eq!(started(&mut pacer, 29 * MS), []);
    assert_eq!(started(&mut pacer, 30 * MS).len(), 1);
}

#[test]
fn each_connection_sends_its_own_number_of_requests() {
    let plan = closed(Duration::ZERO, 3, Until::RequestsEach(2));
    let mut pacer = pacer(&plan);
    let mut sent = [0; 3];
    for now_ns in 0..10 {
        for start in started(&mut pacer, now_ns) {
            sent[start.link as usize] += 1;
            pacer.release(start.link, now_ns, 0);
            // The third connection is slow.
            if start.link == 2 {
                break;
            }
        }
    }
    assert_eq!(sent, [2, 2, 2]);
    assert!(pacer.is_done(10));
}

#[test]
fn the_warm_up_does_not_use_up_the_number_of_requests() {
    let warm_up = Duration::from_millis(5);
    let plan = Plan { warm_up, ..closed(Duration::ZERO, 1, Until::Requests(1)) };
    let mut pacer = pacer(&plan);
    for now_ns in [0, MS, 2 * MS] {
        assert_eq!(started(&mut pacer, now_ns).len(), 1);
        pacer.release(0, now_ns, 0);
    }
    assert!(!pacer.is_done(4 * MS));
    assert_eq!(started(&mut pacer, 5 * MS).len(), 1);
    assert!(pacer.is_done(5 * MS));
}

#[test]
fn a_ramp_starts_the_connections_one_after_another() {
    let plan = Plan { ramp: Duration::from_millis(40), connections: 4, ..Plan::default() };
    let mut pacer = pacer(&plan);
    for (now_ms, expected) in [(0, 1), (9, 0), (10, 1), (29, 1), (40, 1)] {
        assert_eq!(started(&mut pacer, now_ms * MS).len(), expected, "after {now_ms} ms");
    }
}

#[test]
fn a_failed_connect_pauses_its_slot() {
    let mut pacer = pacer(&closed(Duration::ZERO, 1, Until::Requests(9)));
    assert_eq!(started(&mut pacer, 0).len(), 1);
    pacer.release(0, 0, 100 * MS);
    assert_eq!(pacer.next_ns(), Some(100 * MS));
}

#[test]
fn nothing_starts_after_the_end() {
    let mut pacer = pacer(&closed(Duration::ZERO, 1, Until::Elapsed(Duration::from_millis(1))));
    assert_eq!(started(&mut pacer, MS), []);
    assert!(pacer.is_done(MS));
}

proptest! {
    #[test]
    fn shares_add_up(total in 0_u64..1_000_000, count in 1_usize..64) {
        let sum: u64 = (0..count).map(|index| share(total, Lane { index, count })).sum();
        prop_assert_eq!(sum, total);
    }

    #[test]
    fn an_open_loop_starts_what_it_admits_in_order(
        rate in 10.0_f64..5_000.0,
        slots in 1_usize..20,
        steps in prop::collection::vec((1_u64..50, 0_usize..30), 1..60),
    ) {
        let mut pacer = pacer(&open(rate, slots, Until::Elapsed(Duration::from_secs(1))));
        let mut busy: VecDeque<u32> = VecDeque::new();
        let mut intended = Vec::new();
        let mut now_ns = 0;
        for (step_ms, answers) in steps {
            now_ns += step_ms * MS;
            for link in busy.drain(..answers.min(busy.len())).collect::<Vec<_>>() {
                pacer.release(link, now_ns, 0);
            }
            for start in started(&mut pacer, now_ns) {
                intended.push(start.intended_ns);
                busy.push_back(start.link);
            }
            prop_assert!(busy.len() <= slots);
        }
        let lane = Lane { index: 0, count: 1 };
        let schedule = Schedule::new(rate, Arrivals::Constant, Duration::ZERO, 1, lane);
        let expected: Vec<u64> = schedule.take(intended.len()).collect();
        prop_assert_eq!(intended, expected);
    }
}
