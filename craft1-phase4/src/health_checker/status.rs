//! What the checks have shown: plain values, for `GET /metrics` and for whoever asks.
//!
//! What always holds: there is one status for each node of the fleet, in its order. What a node
//! once told of its load goes with the check that fails: an old number that looks like a new one
//! is worse than none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::condition::{Condition, Thresholds};
use crate::nodes::{Fleet, Node};

/// All nodes, and how they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statuses {
    /// One for each node.
    pub nodes: Vec<NodeStatus>,
    /// Rows of the file that are no nodes.
    pub bad_rows: usize,
}

/// A node, and how it is.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeStatus {
    /// Which one.
    pub node: Arc<Node>,
    /// Whether it is up.
    pub condition: Condition,
    /// Its last check; `None` before the first.
    pub last_check: Option<Check>,
    /// How many of its checks have failed.
    pub failed_checks: u64,
}

/// A check that has ended, whatever its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check {
    /// When it ended.
    pub at: SystemTime,
    /// How long it took.
    pub latency: Duration,
    /// What the node told of itself; nothing where the check failed.
    pub usage: Usage,
}

/// How loaded a node says it is. Each of them is there if the node has told it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Of all processors together, from 0 to 1.
    pub cpu_ratio: Option<f64>,
    /// Memory in use.
    pub memory_bytes: Option<u64>,
    /// Disk in use.
    pub disk_bytes: Option<u64>,
}

impl Statuses {
    /// Takes over the fleet of a file. Who stays keeps its status, unless it has moved: another
    /// address is another machine.
    pub fn adopt(&mut self, fleet: Fleet) {
        let known = self.nodes.drain(..).map(|status| (status.node.id.clone(), status));
        let mut known: HashMap<String, NodeStatus> = known.collect();
        let status = |node: Node| match known.remove(&node.id) {
            Some(status) if status.node.address == node.address => {
                NodeStatus { node: Arc::new(node), ..status }
            }
            _ => NodeStatus {
                node: Arc::new(node),
                condition: Condition::default(),
                last_check: None,
                failed_checks: 0,
            },
        };
        self.nodes = fleet.nodes.into_iter().map(status).collect();
        self.bad_rows = fleet.bad_rows.len();
    }
}

impl NodeStatus {
    /// Takes in a check, and says whether its result is news: that the node is up, or that it is
    /// down.
    pub fn note(&mut self, check: Check, is_ok: bool, thresholds: Thresholds) -> bool {
        let was_up = self.condition.is_up();
        self.condition = self.condition.after(is_ok, thresholds);
        self.last_check = Some(check);
        self.failed_checks += u64::from(!is_ok);
        self.condition.is_up() != was_up
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const HEADER: &str = "id,address,role,region,cpu_cores,memory_gib,disk_gib";
    const ONE: NonZeroU32 = NonZeroU32::MIN;
    const AT_ONCE: Thresholds = Thresholds { down_after: ONE, up_after: ONE };

    pub(crate) fn fleet(rows: &[&str]) -> Fleet {
        Fleet::parse(format!("{HEADER}\n{}", rows.join("\n")).as_bytes()).unwrap()
    }

    /// A check that took a second and ended so many seconds after 1970.
    pub(crate) fn check(at_s: u64, usage: Usage) -> Check {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at_s);
        Check { at, latency: Duration::from_secs(1), usage }
    }

    #[test]
    fn says_what_is_news_and_counts_what_fails() {
        let mut statuses = Statuses::default();
        statuses.adopt(fleet(&["a,h:1,web,eu,1,1,1"]));
        let status = &mut statuses.nodes[0];
        for (is_ok, news) in
            [(true, true), (true, false), (false, true), (false, false), (true, true)]
        {
            assert_eq!(status.note(check(1, Usage::default()), is_ok, AT_ONCE), news);
        }
        assert_eq!(status.failed_checks, 2);
    }

    #[test]
    fn who_stays_keeps_its_status_and_who_moves_begins_anew() {
        let mut statuses = Statuses::default();
        statuses.adopt(fleet(&["a,h:1,web,eu,1,1,1", "b,h:2,web,eu,1,1,1", "c,h:3,web,eu,1,1,1"]));
        for status in &mut statuses.nodes {
            status.note(check(7, Usage::default()), true, AT_ONCE);
        }
        statuses.adopt(fleet(&[
            "bad",
            "d,h:4,web,eu,1,1,1",
            "c,h:3,db,us,8,8,8",
            "b,h:9,web,eu,1,1,1",
        ]));
        let seen: Vec<_> = statuses
            .nodes
            .iter()
            .map(|it| (it.node.id.as_str(), it.node.role.as_str(), it.condition.is_up()))
            .collect();
        assert_eq!(seen, [("d", "web", None), ("c", "db", Some(true)), ("b", "web", None)]);
        assert_eq!(statuses.nodes[1].last_check, Some(check(7, Usage::default())));
        assert_eq!(statuses.bad_rows, 1);
    }
}
