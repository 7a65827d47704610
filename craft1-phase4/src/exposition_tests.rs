//! Pages of small fleets, line by line.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::health_checker::condition::Thresholds;
use crate::health_checker::status::tests::{check, fleet};

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn statuses(rows: &[&str]) -> Statuses {
    let mut statuses = Statuses::default();
    statuses.adopt(fleet(rows));
    statuses
}

fn rendered(statuses: &Statuses) -> String {
    let mut text = String::new();
    render(statuses, &mut text);
    text
}

fn note(statuses: &mut Statuses, at_s: u64, told: Option<Usage>) {
    let check = check(at_s, told.unwrap_or_default());
    let thresholds = Thresholds { down_after: ONE, up_after: ONE };
    statuses.nodes[0].note(check, told.is_some(), thresholds);
}

#[test]
fn says_what_a_node_has_what_it_told_and_when() {
    let mut statuses = statuses(&["a,h:1,web,eu,4,16,200"]);
    let usage = Usage { cpu_ratio: Some(0.25), memory_bytes: Some(7), disk_bytes: Some(9) };
    note(&mut statuses, 1_758_116_723, Some(usage));
    // Here and not in a file, so that it is there wherever this file is.
    insta::assert_snapshot!(rendered(&statuses), @r#"
    # HELP node_up Whether the node answers its checks, damped.
    # TYPE node_up gauge
    node_up{id="a",role="web",region="eu"} 1
    # HELP node_last_check_timestamp_seconds When the last check of the node ended, as seconds since 1970.
    # TYPE node_last_check_timestamp_seconds gauge
    node_last_check_timestamp_seconds{id="a",role="web",region="eu"} 1758116723
    # HELP node_check_latency_seconds How long the last check took.
    # TYPE node_check_latency_seconds gauge
    node_check_latency_seconds{id="a",role="web",region="eu"} 1
    # HELP node_check_failures_total Checks that failed.
    # TYPE node_check_failures_total counter
    node_check_failures_total{id="a",role="web",region="eu"} 0
    # HELP node_cpu_cores Processors that the node has.
    # TYPE node_cpu_cores gauge
    node_cpu_cores{id="a",role="web",region="eu"} 4
    # HELP node_memory_size_bytes Memory that the node has.
    # TYPE node_memory_size_bytes gauge
    node_memory_size_bytes{id="a",role="web",region="eu"} 17179869184
    # HELP node_disk_size_bytes Disk that the node has.
    # TYPE node_disk_size_bytes gauge
    node_disk_size_bytes{id="a",role="web",region="eu"} 214748364800
    # HELP node_cpu_usage_ratio How busy the processors of the node are, from 0 to 1.
    # TYPE node_cpu_usage_ratio gauge
    node_cpu_usage_ratio{id="a",role="web",region="eu"} 0.25
    # HELP node_memory_used_bytes Memory that the node uses.
    # TYPE node_memory_used_bytes gauge
    node_memory_used_bytes{id="a",role="web",region="eu"} 7
    # HELP node_disk_used_bytes Disk that the node uses.
    # TYPE node_disk_used_bytes gauge
    node_disk_used_bytes{id="a",role="web",region="eu"} 9
    # HELP ingest_nodes_file_bad_rows Rows of the file of nodes that are skipped.
    # TYPE ingest_nodes_file_bad_rows gauge
    ingest_nodes_file_bad_rows 0
    "#);
}

#[test]
fn what_nobody_knows_has_no_sample() {
    let mut statuses = statuses(&["a,h:1,web,eu,4,16,200"]);
    let names = |statuses: &Statuses| {
        let text = rendered(statuses);
        let samples = text.lines().filter_map(|line| line.strip_prefix("node_"));
        samples.map(|sample| sample.split('{').next().unwrap().to_string()).collect::<Vec<_>>()
    };
    let of_the_file = ["check_failures_total", "cpu_cores", "memory_size_bytes", "disk_size_bytes"];
    assert_eq!(names(&statuses), of_the_file);
    note(&mut statuses, 1, Some(Usage { memory_bytes: Some(7), ..Usage::default() }));
    let of_the_check = ["up", "last_check_timestamp_seconds", "check_latency_seconds"];
    let told = ["memory_used_bytes"];
    let all = [&of_the_check[..], &of_the_file, &told].concat();
    assert_eq!(names(&statuses), all);
    note(&mut statuses, 2, None);
    assert_eq!(names(&statuses), [&of_the_check[..], &of_the_file].concat());
}

#[test]
fn a_node_that_is_down_is_zero_and_its_failures_are_counted() {
    let mut statuses = statuses(&["a,h:1,web,eu,4,16,200"]);
    note(&mut statuses, 1, None);
    note(&mut statuses, 2, None);
    let text = rendered(&statuses);
    let labels = "{id=\"a\",role=\"web\",region=\"eu\"}";
    for sample in ["up", "check_failures_total", "last_check_timestamp_seconds"] {
        let value = if sample == "up" { 0 } else { 2 };
        let line = format!("\nnode_{sample}{labels} {value}\n");
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_family_has_one_head_and_a_sample_for_each_node_in_the_order_of_the_file() {
    let text = rendered(&statuses(&["b,h:1,web,eu,4,16,200", "a,h:2,db,us,8,32,400"]));
    let expected = "# TYPE node_cpu_cores gauge\n\
                    node_cpu_cores{id=\"b\",role=\"web\",region=\"eu\"} 4\n\
                    node_cpu_cores{id=\"a\",role=\"db\",region=\"us\"} 8\n# ";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn labels_are_escaped_as_the_format_says_and_in_no_other_way() {
    // A blank that does not break, as it comes with a name from a page. Rust would escape it.
    let text = rendered(&statuses(&["\"a\"\"b\",h:1,we\\b,e\u{a0}u,4,16,200"]));
    assert!(text.contains("{id=\"a\\\"b\",role=\"we\\\\b\",region=\"e\u{a0}u\"}"), "{text}");
}

#[test]
fn without_nodes_there_are_no_families_but_the_one_of_the_file() {
    let text = rendered(&statuses(&["bad", "bad"]));
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples, ["ingest_nodes_file_bad_rows 2"]);
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn a_clock_before_1970_shows_no_time() {
    let mut statuses = statuses(&["a,h:1,web,eu,4,16,200"]);
    note(&mut statuses, 0, None);
    let last = statuses.nodes[0].last_check.as_mut().unwrap();
    last.at -= Duration::from_secs(1);
    assert!(!rendered(&statuses).contains("timestamp"));
}
