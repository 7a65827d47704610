//! What is stored, and when.

use std::time::{Duration, Instant};
use std::{fmt::Write as _, thread};

use serde_json::Value;
use testkit::{DataFolder, Mutator};

use super::stored;
use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::{ANSWER_MAX, Session, post_with};
use crate::grader::stage::Stage;
use crate::grader::table::starts;
use crate::grader::target;
use crate::grader::template::Setting;

/// Batches of the clean stop, and the metrics in each of them.
const BATCHES: usize = 20;
const BATCH: usize = 500;

/// Random numbers that are stored and read again.
const NUMBERS: usize = 100;

pub(in crate::grader) fn checks() -> Vec<Check> {
    let row = |name, claim, since, try_it, teaches| {
        starts(name, claim, since, try_it, teaches).unless(&[target::needs_data])
    };
    vec![
        row(
            "storage/form",
            "stores every field in the form of the contract",
            Phase::Zero,
            form,
            "what is stored is what was sent: store the metric in one form, with the time in UTC",
        ),
        row(
            "storage/numbers",
            "stores numbers so that they come back bit for bit",
            Phase::Zero,
            numbers,
            "numbers are rounded when they are written: write the shortest text that reads back as \
             the same f64, and keep the sign of -0.0",
        ),
        row(
            "storage/whole-batch-or-nothing",
            "stores nothing of a batch that has a bad item",
            Phase::Zero,
            whole_batch,
            "items are stored while the batch is still being checked: check all, then store all",
        ),
        row(
            "storage/appears",
            "stores what it has accepted without waiting for its end",
            Phase::Zero,
            appears,
            "lines stay in a buffer of the process: flush it when the queue is empty",
        ),
        row(
            "storage/clean-stop",
            "has stored all that it accepted, in order and once, when SIGTERM has ended it",
            Phase::Zero,
            clean_stop,
            "the process ends before its queue is empty: stop accepting, drain, flush, then exit",
        ),
        row(
            "storage/answered-is-stored",
            "has stored a metric when it answers 202",
            Phase::One,
            answered_is_stored,
            "the answer is sent before the line is written",
        ),
    ]
}

/// Runs a server over one data file, and what it has stored after a clean stop.
fn stored_after(
    stage: &Stage<'_>,
    ask: impl FnOnce(&Session) -> Result<(), Failure>,
) -> Result<Vec<Value>, Failure> {
    let folder = DataFolder::new();
    let server = stage.start(&folder, Setting::Roomy)?;
    ask(&stage.session(&server))?;
    stage.stop(server)?;
    stored::lines(&folder.data_file())
}

fn form(stage: &Stage<'_>) -> Tried {
    let full = r#"{"value":75.5,"tags":{"host":"a","core":"0"},"type":"counter","name":"cpu\u005fusäge",
                   "timestamp":"2025-09-17T15:45:23.123+02:00","unit":"percent"}"#;
    let plain = r#"{"name":"m","value":1,"type":"gauge","tags":{},"timestamp":1758116723000}"#;
    let lines = stored_after(stage, |session| {
        session.accepted(full)?;
        session.accepted(plain)
    })?;
    let expected = serde_json::json!([
        { "timestamp": "2025-09-17T13:45:23.123Z", "name": "cpu_usäge", "value": 75.5,
          "type": "counter", "tags": { "host": "a", "core": "0" } },
        { "timestamp": "2025-09-17T13:45:23.000Z", "name": "m", "value": 1.0 },
    ]);
    let found: Vec<Value> = lines.into_iter().map(plainly).collect();
    if Value::Array(found.clone())
        == Value::Array(expected.as_array().into_iter().flatten().cloned().map(plainly).collect())
    {
        return Ok(None);
    }
    let sent = format!("{full}\nand {plain}");
    let text =
        |lines: &[Value]| lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    Err(Failure::new(sent, text(&found), text(expected.as_array().map_or(&[], |it| it))))
}

/// Without what says nothing, and with a value that is compared as a number: 1 and 1.0 are equal.
fn plainly(mut line: Value) -> Value {
    if line["tags"].as_object().is_some_and(serde_json::Map::is_empty) {
        line.as_object_mut().map(|fields| fields.remove("tags"));
    }
    if line["type"] == "gauge" {
        line.as_object_mut().map(|fields| fields.remove("type"));
    }
    line["value"] = line["value"].as_f64().into();
    line
}

/// Numbers that are easy to get wrong, and random ones of every size.
fn awkward(seed: u64) -> Vec<String> {
    let known = [
        "0.1",
        "-0.0",
        "5e-324",
        "1.7976931348623157e308",
        "9007199254740993",
        "0.30000000000000004",
        "123456789012345678901234567890",
        "2.2250738585072011e-308",
        "1e23",
        "-1.5E-10",
    ];
    let mut mutator = Mutator::new(seed, &[]);
    let mut random = || {
        let bits = (0..8).fold(0, |bits, _| bits << 8 | mutator.below(256) as u64);
        Some(f64::from_bits(bits)).filter(|it| it.is_finite()).map(|it| format!("{it:e}"))
    };
    known.map(str::to_owned).into_iter().chain((0..NUMBERS).filter_map(|_| random())).collect()
}

fn numbers(stage: &Stage<'_>) -> Tried {
    let numbers = awkward(stage.seed);
    let items: Vec<String> =
        numbers.iter().map(|number| format!(r#"{{"name":"n","value":{number}}}"#)).collect();
    let body = format!(r#"{{"metrics":[{}]}}"#, items.join(","));
    let lines = stored_after(stage, |session| session.accepted(&body))?;
    expect_count(&lines, numbers.len())?;
    for (line, number) in lines.iter().zip(&numbers) {
        let (sent, found) = (number.parse::<f64>().unwrap_or_default(), line["value"].as_f64());
        if found.map(f64::to_bits) != Some(sent.to_bits()) {
            return Err(Failure::new(
                format!("the value {number}"),
                line.to_string(),
                format!("{sent:?}"),
            ));
        }
    }
    Ok(None)
}

fn whole_batch(stage: &Stage<'_>) -> Tried {
    let good = r#"{"name":"first_half","value":1}"#;
    let bad = format!(r#"{{"metrics":[{},{{"name":"","value":1}}]}}"#, [good; 9].join(","));
    let lines = stored_after(stage, |session| {
        session.expect(&post_with("", &bad), 400)?;
        session.accepted(r#"{"name":"whole","value":1}"#)
    })?;
    if lines.len() == 1 && lines[0]["name"] == "whole" {
        return Ok(None);
    }
    let found: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let sent = format!("{}\nand then one good metric", bytes::readable(bad.as_bytes()));
    Err(Failure::new(
        sent,
        format!("stored:\n{}", found.join("\n")),
        "stored: the good metric alone",
    ))
}

fn appears(stage: &Stage<'_>) -> Tried {
    let folder = DataFolder::new();
    let server = stage.start(&folder, Setting::Roomy)?;
    stage.session(&server).accepted(r#"{"name":"appears","value":1}"#)?;
    wait_for_lines(&folder, 1)?;
    stage.stop(server).map(|_| None)
}

/// Waits until the file has so many lines.
pub(super) fn wait_for_lines(folder: &DataFolder, count: usize) -> Result<(), Failure> {
    let until = Instant::now() + ANSWER_MAX;
    while stored::count(&folder.data_file()) < count {
        if Instant::now() >= until {
            let found = stored::count(&folder.data_file());
            let came_back =
                format!("{found} lines in the data file after {} s", ANSWER_MAX.as_secs());
            let expected = format!("{count} lines while the server runs");
            return Err(Failure::new(
                format!("{count} metrics, answered 202"),
                came_back,
                expected,
            ));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A body with `count` metrics whose values count on from `first`.
pub(super) fn counting(name: &str, first: usize, count: usize) -> String {
    let mut body = String::from(r#"{"metrics":["#);
    for value in first..first + count {
        let comma = if value == first { "" } else { "," };
        let _ = write!(body, r#"{comma}{{"name":"{name}","value":{value}}}"#);
    }
    body + "]}"
}

fn clean_stop(stage: &Stage<'_>) -> Tried {
    let lines = stored_after(stage, |session| {
        (0..BATCHES)
            .try_for_each(|batch| session.accepted(&counting("drain", batch * BATCH, BATCH)))
    })?;
    expect_count(&lines, BATCHES * BATCH)?;
    match lines
        .iter()
        .enumerate()
        .find(|(index, line)| line["value"].as_f64() != Some(*index as f64))
    {
        None => Ok(None),
        Some((index, line)) => {
            let sent = format!("values 0 to {}, in order", BATCHES * BATCH - 1);
            Err(Failure::new(
                sent,
                format!("line {} is {line}", index + 1),
                format!("value {index}"),
            ))
        }
    }
}

/// As many lines as metrics were accepted.
pub(super) fn expect_count(lines: &[Value], count: usize) -> Result<(), Failure> {
    if lines.len() == count {
        return Ok(());
    }
    let sent = format!("{count} metrics, all answered 202");
    Err(Failure::new(
        sent,
        format!("{} lines in the data file", lines.len()),
        format!("{count} lines"),
    ))
}

fn answered_is_stored(stage: &Stage<'_>) -> Tried {
    let folder = DataFolder::new();
    let server = stage.start(&folder, Setting::Roomy)?;
    let session = stage.session(&server);
    for number in 1..=20 {
        session.accepted(r#"{"name":"stored","value":1}"#)?;
        let found = stored::count(&folder.data_file());
        if found != number {
            let sent = format!("{number} metrics one after the other, each answered 202");
            return Err(Failure::new(
                sent,
                format!("{found} lines"),
                format!("{number} lines at this moment"),
            ));
        }
    }
    stage.stop(server).map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_seed_and_finite() {
        assert_eq!(awkward(3), awkward(3));
        assert_ne!(awkward(3), awkward(4));
        assert!(awkward(3).len() > NUMBERS);
        assert!(awkward(3).iter().all(|number| number.parse::<f64>().unwrap().is_finite()));
    }

    #[test]
    fn lines_that_mean_the_same_are_equal() {
        let line = |text: &str| plainly(serde_json::from_str(text).unwrap());
        let plain = line(r#"{"name":"m","value":1}"#);
        assert_eq!(line(r#"{"name":"m","value":1.0,"type":"gauge","tags":{}}"#), plain);
        assert_ne!(line(r#"{"name":"m","value":1.5}"#), plain);
    }

    #[test]
    fn a_counting_batch_is_json() {
        let body: Value = serde_json::from_str(&counting("n", 5, 3)).unwrap();
        assert_eq!(body["metrics"][2]["value"], 7);
        assert_eq!(body["metrics"].as_array().unwrap().len(), 3);
    }
}
