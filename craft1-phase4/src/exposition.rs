//! How the nodes are, as Prometheus text: the `node_*` metrics of `GET /metrics`.
//!
//! What always holds: every sample names its node by `id`, `role` and `region`; units are seconds
//! and bytes; and what nobody knows has no sample, where a zero would be a lie. What a node has
//! (processors, memory, disk) is what the file says. What it uses is what it told at its last check,
//! and is gone when that failed.

use std::fmt::{Display, Write as _};
use std::time::SystemTime;

use craft1_phase1::prometheus::{self, Kind, LabelValue};

use crate::health_checker::{NodeStatus, Statuses, Usage};
use crate::nodes::Node;

/// Adds everything that is known. A fleet without nodes has no metrics but the count of bad rows.
pub fn render(statuses: &Statuses, text: &mut String) {
    let mut page = Page { nodes: &statuses.nodes, text };
    page.checks();
    page.capacity();
    page.usage();
    let help = "Rows of the file of nodes that are skipped.";
    prometheus::number(text, "ingest_nodes_file_bad_rows", help, statuses.bad_rows);
}

struct Page<'a> {
    nodes: &'a [NodeStatus],
    text: &'a mut String,
}

impl Page<'_> {
    fn checks(&mut self) {
        // ANCHOR: checks
        self.gauge("node_up", "Whether the node answers its checks, damped.", |it| {
            it.condition.is_up().map(u8::from)
        });
        let help = "When the last check of the node ended, as seconds since 1970.";
        self.gauge("node_last_check_timestamp_seconds", help, |it| {
            let since = it.last_check?.at.duration_since(SystemTime::UNIX_EPOCH);
            since.ok().map(|since| since.as_secs_f64())
        });
        self.gauge("node_check_latency_seconds", "How long the last check took.", |it| {
            it.last_check.map(|check| check.latency.as_secs_f64())
        });
        self.family("node_check_failures_total", Kind::Counter, "Checks that failed.", |it| {
            Some(it.failed_checks)
        });
        // ANCHOR_END: checks
    }

    fn capacity(&mut self) {
        let mut has = |name, help, what: fn(&Node) -> u64| {
            self.gauge(name, help, |it| Some(what(&it.node)));
        };
        has("node_cpu_cores", "Processors that the node has.", |it| it.cpu_cores.into());
        has("node_memory_size_bytes", "Memory that the node has.", |it| it.memory_bytes);
        has("node_disk_size_bytes", "Disk that the node has.", |it| it.disk_bytes);
    }

    fn usage(&mut self) {
        fn told(status: &NodeStatus) -> Usage {
            status.last_check.map(|check| check.usage).unwrap_or_default()
        }
        let help = "How busy the processors of the node are, from 0 to 1.";
        self.gauge("node_cpu_usage_ratio", help, |it| told(it).cpu_ratio);
        let help = "Memory that the node uses.";
        self.gauge("node_memory_used_bytes", help, |it| told(it).memory_bytes);
        self.gauge("node_disk_used_bytes", "Disk that the node uses.", |it| told(it).disk_bytes);
    }

    fn gauge<V: Display>(
        &mut self,
        name: &str,
        help: &'static str,
        value: impl Fn(&NodeStatus) -> Option<V>,
    ) {
        self.family(name, Kind::Gauge, help, value);
    }

    /// A sample for each node that has a value. Where none has, there is no family either.
    fn family<V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &'static str,
        value: impl Fn(&NodeStatus) -> Option<V>,
    ) {
        // ANCHOR: family
        let mut samples =
            self.nodes.iter().filter_map(|it| Some((&it.node, value(it)?))).peekable();
        if samples.peek().is_some() {
            prometheus::family(self.text, name, kind, help);
        }
        for (node, value) in samples {
            let [id, role, region] = [&node.id, &node.role, &node.region].map(|it| LabelValue(it));
            let _ = writeln!(
                self.text,
                "{name}{{id=\"{id}\",role=\"{role}\",region=\"{region}\"}} {value}"
            );
        }
        // ANCHOR_END: family
    }
}

#[cfg(test)]
#[path = "exposition_tests.rs"]
mod tests;
