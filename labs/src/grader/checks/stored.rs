//! What a server has stored: the lines of its data file, judged by the contract.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::grader::bytes;
use crate::grader::check::Failure;

/// Names that a stored line may have.
const NAMES: [&str; 6] = ["timestamp", "name", "value", "type", "tags", "client"];

/// The lines of a data file. A file that is not there has none.
///
/// # Errors
/// Where a line is not what the contract says, with its number.
pub(super) fn lines(file: &Path) -> Result<Vec<Value>, Failure> {
    parse(&fs::read(file).unwrap_or_default())
}

/// How many whole lines there are at this moment.
pub(super) fn count(file: &Path) -> usize {
    fs::read(file)
        .unwrap_or_default()
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .count()
}

fn parse(file: &[u8]) -> Result<Vec<Value>, Failure> {
    let Some(whole) = file.strip_suffix(b"\n") else {
        return if file.is_empty() {
            Ok(vec![])
        } else {
            Err(wrong(file, "its end: the last line has no line feed"))
        };
    };
    let lines = whole.split(|byte| *byte == b'\n').enumerate();
    lines
        .map(|(index, line)| {
            parse_line(line).map_err(|what| wrong(line, &format!("line {}: {what}", index + 1)))
        })
        .collect()
}

fn wrong(line: &[u8], what: &str) -> Failure {
    let expected = r#"one object a line, as {"timestamp":"2025-09-17T13:45:23.123Z","name":"m","value":1.0}, with type, tags and client where there are any"#;
    Failure::new(
        "looked into the data file",
        format!("{what}\n{}", bytes::readable(line)),
        expected,
    )
}

fn parse_line(line: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("no JSON: {error}"))?;
    let fields = value.as_object().ok_or("no object")?;
    if let Some(unknown) = fields.keys().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("nobody knows the field {unknown:?}"));
    }
    match value["timestamp"].as_str() {
        Some(text) if is_timestamp(text) => {}
        _ => return Err("the timestamp is not 2025-09-17T13:45:23.123Z".to_owned()),
    }
    let has_type = value
        .get("type")
        .is_none_or(|it| ["counter", "histogram", "gauge"].iter().any(|kind| it == kind));
    let is_whole = value["name"].is_string()
        && value["value"].is_number()
        && value.get("tags").is_none_or(Value::is_object)
        && value.get("client").is_none_or(Value::is_string);
    if is_whole && has_type {
        Ok(value)
    } else {
        Err("a field is missing or of the wrong type".to_owned())
    }
}

/// RFC 3339 in UTC, to the millisecond.
fn is_timestamp(text: &str) -> bool {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits =
        |(byte, form): (u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == *form };
    text.len() == FORM.len() && text.bytes().zip(FORM).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"timestamp":"2025-09-17T13:45:23.123Z","name":"m","value":1.0,"type":"counter","tags":{"a":"b"},"client":"x"}"#;

    #[test]
    fn good_lines_are_read() {
        assert_eq!(parse(b"").unwrap().len(), 0);
        assert_eq!(parse(format!("{GOOD}\n{GOOD}\n").as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let line = |change: (&str, &str)| format!("{GOOD}\n{}\n", GOOD.replace(change.0, change.1));
        for (text, reason) in [
            (GOOD.to_owned(), "the last line has no line feed"),
            (format!("{GOOD}\n\n"), "line 2: no JSON"),
            (format!("{GOOD}\n[]\n"), "line 2: no object"),
            (line(("123Z", "123456Z")), "line 2: the timestamp"),
            (line(("17T13", "17 13")), "line 2: the timestamp"),
            (line(("\"2025-09-17T13:45:23.123Z\"", "1758116723123")), "line 2: the timestamp"),
            (line(("1.0", "\"1.0\"")), "line 2: a field is missing or of the wrong type"),
            (line(("counter", "summary")), "line 2: a field"),
            (line(("\"client\"", "\"cluent\"")), "line 2: nobody knows the field \"cluent\""),
        ] {
            let failure = parse(text.as_bytes()).unwrap_err();
            assert!(failure.came_back.contains(reason), "{reason}: {failure:?}");
        }
    }
}
