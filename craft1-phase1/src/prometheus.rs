//! The text that Prometheus reads: the exposition format 0.0.4.
//!
//! What always holds: every family begins with what it means (`HELP`) and of what kind it is
//! (`TYPE`), as `promtool check metrics` asks for, and no label value can end its line.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>. Names end in their base
//! unit (seconds, bytes) or, where they only ever grow, in `_total`:
//! <https://prometheus.io/docs/practices/naming/>.

use std::fmt::{self, Display, Write as _};

/// What the numbers of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// Begins a family. Its samples come next, and no other's in between. `help` is one line.
pub fn family(text: &mut String, name: &str, kind: Kind, help: &'static str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes a family that is one number: a counter where its name ends in `_total`, else a gauge. The
/// rule of names says which of them ends so, and promtool holds it in both directions.
pub fn number(text: &mut String, name: &str, help: &'static str, value: impl Display) {
    let kind = if name.ends_with("_total") { Kind::Counter } else { Kind::Gauge };
    family(text, name, kind, help);
    let _ = writeln!(text, "{name} {value}");
}

/// A label's value, to be written between quotes.
#[derive(Debug, Clone, Copy)]
pub struct LabelValue<'a>(pub &'a str);

impl Display for LabelValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['\\', '"', '\n']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'\\' => r"\\",
                b'"' => r#"\""#,
                _ => r"\n",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_says_what_it_means_and_of_what_kind_it_is() {
        for (kind, word) in
            [(Kind::Counter, "counter"), (Kind::Gauge, "gauge"), (Kind::Histogram, "histogram")]
        {
            let mut text = String::new();
            family(&mut text, "wait_seconds", kind, "Time spent waiting.");
            let expected =
                format!("# HELP wait_seconds Time spent waiting.\n# TYPE wait_seconds {word}\n");
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn a_number_is_a_family_whose_name_says_whether_it_only_grows() {
        for (name, kind) in [("queue_size", "gauge"), ("cut_total", "counter")] {
            let mut text = String::new();
            number(&mut text, name, "What it is.", 7);
            let head = format!("# HELP {name} What it is.\n# TYPE {name} {kind}\n");
            assert_eq!(text, format!("{head}{name} 7\n"));
        }
    }

    #[test]
    fn what_would_end_a_label_value_is_escaped_and_nothing_else() {
        for (value, escaped) in [
            ("", ""),
            ("eu-1 ü\t{}=,#", "eu-1 ü\t{}=,#"),
            ("a\"b\\c\nd", r#"a\"b\\c\nd"#),
            ("\\n\n", r"\\n\n"),
            ("ü\"", "ü\\\""),
        ] {
            assert_eq!(LabelValue(value).to_string(), escaped);
        }
    }
}
