//! Figures without a record: what looks measured, in prose, outside every marked region.
//!
//! Looked at is the text that a reader sees; code blocks, code spans, addresses and comments are
//! not. Looked for are numbers with a unit of performance (a rate, micro- or nanoseconds, a share or
//! multiple that compares, a count for each request), and milliseconds in a line about latency.
//! Seconds alone, sizes and counts are how limits and settings are written, so they are let pass.
//!
//! A line that states a limit or a setting all the same is exempt when it says so with one of
//! [`SETTINGS`], or when [`super::marker::EXEMPTION`] stands on it, or alone on the line before its
//! paragraph.

use std::{ops::Range, sync::LazyLock};

use pulldown_cmark::{Event, Tag, TagEnd};
use regex::Regex;

use super::marker::{EXEMPTION, Mistake, Region, parser};

/// Words of lines that state what was decided, not what was measured.
const SETTINGS: &str =
    r"(?i)\b(limit(s|ed|er|ing)?|timeouts?|deadlines?|budgets?|defaults?|intervals?|tolerances?)\b";

/// `12`, `1,234.5`, `~3`, `20k`; not a part of a name, a path or a version.
const NUMBER: &str = r"(?:^|[^\w.,/\-])[~≈−]?\d(?:[\d,.]*\d)?(?:\s?(?:k|M|thousand|million))?";
/// Between a number and its unit: a line may end there, a paragraph not.
const GAP: &str = r"[ \t\u{a0}\u{202f}]*\n?[ \t]*";
/// Nothing of the word may follow.
const END: &str = r"(?:\W|$)";

const RATE: &str = r"(?:(?:[a-z]+|[kmgt]i?b|[kmg]bit)\s?/\s?s|rps|qps|(?:requests?|metrics?|points?|writes?|reads?|messages?|events?|operations?|ops|bytes|[kmg]i?b|lines|connections)\s+(?:a|per|each|every)\s+second)";
const SHORT_TIME: &str = r"(?:CPU-)?(?:µs|μs|ns|microseconds?|nanoseconds?)";
const MILLISECONDS: &str = r"(?:ms|milliseconds?)";
const COMPARED: &str =
    r"(?:faster|slower|quicker|more|less|fewer|cheaper|lower|higher|better|worse)";
const MULTIPLE: &str = r"(?:as\s+(?:fast|slow|many|much|long|cheap|expensive)|the\s+(?:throughput|rate|speed|cost|latency|requests)|speed-?up)";
const WORDS: &str = r"(?:two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|(?:a\s+)?hundred|(?:a\s+)?thousand)";
const EACH: &str = r"(?:syscalls?|system\s+calls?|allocations?|instructions?)\s*(?:/|an?\s|per\s|each\s|for\s+(?:each|every)\s)\s*(?:request|metric)";

/// A line about how long something took.
const LATENCY: &str = r"(?i)\b(latency|latencies|p50|p9\d(\.9+)?|median|percentiles?|took|takes|took|slower|faster|measured|response time)\b";

static MEASURED: LazyLock<Regex> = LazyLock::new(|| {
    let multiple = format!(r"(?:{COMPARED}|{MULTIPLE})");
    let patterns = [
        format!("{NUMBER}{GAP}(?:{RATE}|{SHORT_TIME}){END}"),
        format!(r"{NUMBER}{GAP}(?:%|percent|per\s+cent){GAP}{COMPARED}{END}"),
        format!(r"{NUMBER}{GAP}(?:×|x|times|-?fold){GAP}{multiple}{END}"),
        format!(r"\b{WORDS}\s+times\s+{multiple}{END}"),
        format!(
            r"\b(?:twice|half)\s+(?:as\s+(?:fast|slow|cheap|expensive)|the\s+(?:throughput|speed|cost|latency)){END}"
        ),
        format!(r"order\s+of\s+magnitude\s+{COMPARED}{END}"),
        format!("{NUMBER}{GAP}{EACH}{END}"),
    ];
    regex(&format!("(?i){}", patterns.join("|")))
});
static MILLISECONDS_MEASURED: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!("(?i){NUMBER}{GAP}{MILLISECONDS}{END}")));
static ABOUT_LATENCY: LazyLock<Regex> = LazyLock::new(|| regex(LATENCY));
static ABOUT_SETTINGS: LazyLock<Regex> = LazyLock::new(|| regex(SETTINGS));
/// The head of a column of figures.
static MEASURE_HEAD: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)/\s?s\b|rps|µs|\bns\b|\bms\b|\bp(50|9\d)|latency|per request|/request|a second")
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants, and every test uses them")
}

/// Every figure without a record, in the order of the text.
pub(crate) fn figures_without_record(text: &str, regions: &[Region]) -> Vec<Mistake> {
    let seen = seen_text(text, regions);
    let exempt = exempt_lines(text);
    let mut found: Vec<Range<usize>> =
        MEASURED.find_iter(&seen).map(|found| found.range()).collect();
    let milliseconds = MILLISECONDS_MEASURED.find_iter(&seen).map(|found| found.range());
    found
        .extend(milliseconds.filter(|range| ABOUT_LATENCY.is_match(line_at(&seen, range.end - 1))));
    found.extend(figures_in_columns(text, regions));
    let mut mistakes: Vec<Mistake> = found
        .into_iter()
        .map(|range| trimmed(&seen, range))
        .filter(|range| !exempt.iter().any(|line| line.contains(&range.start)))
        .filter(|range| !ABOUT_SETTINGS.is_match(line_at(&seen, range.start)))
        .map(|range| Mistake::new(range.start, message(&seen[range])))
        .collect();
    mistakes.sort_by_key(|mistake| mistake.offset);
    mistakes.dedup_by_key(|mistake| mistake.offset);
    mistakes
}

fn message(figure: &str) -> String {
    let figure = figure.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{figure:?} looks measured and has no record; mark it, or say {EXEMPTION}")
}

/// The text as it is read, at the same offsets: markup is blank, and what is not prose is a byte
/// that no pattern crosses.
fn seen_text(text: &str, regions: &[Region]) -> String {
    const WALL: u8 = 1;
    let mut seen: Vec<u8> =
        text.bytes().map(|byte| if byte == b'\n' { b'\n' } else { b' ' }).collect();
    let mut is_code = false;
    for (event, range) in parser(text).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => is_code = true,
            Event::End(TagEnd::CodeBlock) => is_code = false,
            Event::Text(_) if !is_code => {
                seen[range.clone()].copy_from_slice(&text.as_bytes()[range]);
            }
            Event::Code(_) => seen[range].fill(WALL),
            Event::Start(Tag::TableCell) => seen[range.start.saturating_sub(1)] = WALL,
            _ => {}
        }
    }
    for region in regions {
        seen[region.whole.clone()].fill(WALL);
    }
    String::from_utf8(seen).expect("texts are copied whole, and all else is ASCII")
}

/// Lines that are declared to state no measurement: that of the comment, or, where the comment has
/// its line to itself, the paragraph after it.
fn exempt_lines(text: &str) -> Vec<Range<usize>> {
    text.match_indices(EXEMPTION)
        .map(|(at, _)| {
            let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let line = line_at(text, at);
            let end = if line.trim() == EXEMPTION { "\n\n" } else { "\n" };
            let len = text[at..].find(end).unwrap_or(text.len() - at);
            start..at + len + 1
        })
        .collect()
}

fn line_at(text: &str, offset: usize) -> &str {
    let start = text[..offset].rfind('\n').map_or(0, |end| end + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |len| offset + len);
    &text[start..end]
}

/// Without the characters around the figure that a pattern needs to see.
fn trimmed(seen: &str, range: Range<usize>) -> Range<usize> {
    let is_outside =
        |character: char| !character.is_alphanumeric() && !"~≈−%×µ".contains(character);
    let found = &seen[range.clone()];
    let start = range.start + found.len() - found.trim_start_matches(is_outside).len();
    start..start + found.trim_matches(is_outside).len()
}

/// Numbers in the columns of a table whose head names a measure, since a column names its unit once.
fn figures_in_columns(text: &str, regions: &[Region]) -> Vec<Range<usize>> {
    let is_marked = |at: usize| regions.iter().any(|region| region.whole.contains(&at));
    let (mut heads, mut in_head, mut column) = (Vec::<String>::new(), false, 0);
    let mut found = Vec::new();
    for (event, range) in parser(text).into_offset_iter() {
        match event {
            Event::Start(Tag::TableHead) => (heads, in_head) = (Vec::new(), true),
            Event::End(TagEnd::TableHead) => in_head = false,
            Event::Start(Tag::TableRow) => column = 0,
            Event::Start(Tag::TableCell) if in_head => heads.push(String::new()),
            Event::End(TagEnd::TableCell) if !in_head => column += 1,
            Event::End(TagEnd::Table) => heads.clear(),
            Event::Text(text) if in_head => {
                heads.iter_mut().last().into_iter().for_each(|head| head.push_str(&text));
            }
            Event::Text(text) => {
                let is_measure = heads.get(column).is_some_and(|head| {
                    MEASURE_HEAD.is_match(head) && !ABOUT_SETTINGS.is_match(head)
                });
                if is_measure
                    && text.contains(|c: char| c.is_ascii_digit())
                    && !is_marked(range.start)
                {
                    found.push(range);
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::marker::regions;

    fn found(text: &str) -> Vec<String> {
        let (regions, mistakes) = regions(text);
        assert_eq!(mistakes, []);
        let figures = figures_without_record(text, &regions);
        figures.into_iter().map(|mistake| mistake.what).collect()
    }

    #[test]
    fn finds_what_looks_measured() {
        for text in [
            "It answers 12,345 requests/s on two cores.",
            "About 20k req/s.",
            "Between 90 and 100 requests a second.",
            "It writes 400 MB/s.",
            "A request costs 12.5 µs.",
            "A request costs **12.5** CPU-µs.",
            "The lock takes 40 ns.",
            "The p99 latency is 3 ms.",
            "That is 30 % faster.",
            "That is 30 percent fewer calls.",
            "That is 3× faster.",
            "That is 2.5 times as many requests.",
            "That is a 3x speedup.",
            "That is three times faster.",
            "It is twice as fast.",
            "It is an order of magnitude slower.",
            "It makes 7 system calls for each request.",
            "It makes 7 allocations per request.",
            "A line that ends in 12\nµs goes on.",
            "| server | requests/s |\n|---|---|\n| a | 12 |\n",
            "- item: [12 µs](https://example.com)",
            "> quoted: 12 µs",
            "# A heading of 12 µs",
        ] {
            assert_eq!(found(text).len(), 1, "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn lets_settings_sizes_and_code_pass() {
        for text in [
            "The page is drawn every two seconds, for 5 s hold time.",
            "It samples every 500 ms.",
            "A body has at most 1 MiB, a header section 32 KiB.",
            "Each line holds 100 characters; that is 2 % of the page.",
            "`--deadline 5µs` or\n\n```text\n12 µs, 5 requests/s\n```\n",
            "    indented 12 µs\n",
            "The limit is 1,000 requests a second for each client.",
            "A timeout of 50 µs.",
            "Rust 1.95 and HTTP/1.1, since 2025-09-17.",
            "Phase 0 has five components and 3 threads.",
            "It took 3 days. More than 10 people asked twice.",
            "Ten times, the server was asked.",
            "| limit | ms |\n|---|---|\n| a | b |\n",
            "<https://example.com/12µs>",
            "A number: 5\n\nms are milliseconds, and latency is another word.",
            "Clients send 10 times.",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_marked_figure_has_a_record() {
        let text = "Phase 0 needs <!-- record: a figure=b -->12 µs<!-- /record --> and more.";
        assert_eq!(found(text), Vec::<String>::new());
        let beside = "Version 2 <!-- record: a figure=b -->12<!-- /record --> µs.";
        assert_eq!(found(beside), Vec::<String>::new());
    }

    #[test]
    fn an_exempt_line_states_no_measurement() {
        let line =
            "Sent are 100 requests/s. <!-- not a measurement -->\nBack come 90 requests/s.\n";
        assert_eq!(found(line).len(), 1);
        let paragraph = "<!-- not a measurement -->\nSent are 100 requests/s,\nor 200 requests/s.\n\nAnd 12 µs.";
        assert_eq!(found(paragraph).len(), 1);
    }

    #[test]
    fn the_figure_is_quoted_as_it_stands() {
        let [what] = &found("It answers ~12,345 requests/s.")[..] else { panic!() };
        assert!(what.starts_with("\"~12,345 requests/s\" looks measured"), "{what}");
    }
}
