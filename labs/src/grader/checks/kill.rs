//! `kill -9` and what the next start makes of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use std::{fs, thread};

use testkit::ending::{CLIENTS, Sent, send_until_gone};
use testkit::{DataFolder, Mutator};

use super::storage::{counting, expect_count, wait_for_lines};
use super::stored;
use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::ANSWER_MAX;
use crate::grader::stage::{Stage, words_of};
use crate::grader::table::starts;
use crate::grader::target;
use crate::grader::template::Setting;

/// A line that is stored already.
const LINE: &str = "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";

/// Lines that are there before the kill comes, so that it comes in the middle of work.
const STORED_MIN: usize = 100;

/// Places where a line is torn. Each takes a start and a stop.
const TEARS: usize = 3;

pub(in crate::grader) fn checks() -> Vec<Check> {
    let row = |name, claim, since, try_it, teaches| {
        starts(name, claim, since, try_it, teaches).unless(&[target::needs_data])
    };
    vec![
        row(
            "kill/stored-survives",
            "keeps what is in the file over kill -9 and a restart, and goes on behind it",
            Phase::Zero,
            stored_survives,
            "the file is opened for writing from its beginning: open it to append",
        ),
        row(
            "kill/torn-tail",
            "cuts a last line that a kill has torn, and goes on behind the whole ones",
            Phase::Zero,
            torn_tail,
            "the next line is appended to the torn one and both are lost: at the start, cut the file \
             behind its last line feed",
        ),
        row(
            "kill/damage-stays",
            "reports damage in the middle with its line, and leaves it where it is",
            Phase::Zero,
            damage_stays,
            "a line that cannot be read is skipped or rewritten without a word: somebody wants to know",
        ),
        row(
            "kill/answered-survives",
            "loses nothing that it answered with 202 when kill -9 comes under load",
            Phase::One,
            answered_survives,
            "202 is answered before the line is written to the file",
        ),
    ]
}

fn stored_survives(stage: &Stage<'_>) -> Tried {
    let folder = DataFolder::new();
    let server = stage.start(&folder, Setting::Roomy)?;
    stage.session(&server).accepted(&counting("before", 0, STORED_MIN))?;
    wait_for_lines(&folder, STORED_MIN)?;
    stage.kill(server)?;
    let server = stage.start(&folder, Setting::Roomy)?;
    stage.session(&server).accepted(r#"{"name":"after","value":1}"#)?;
    stage.stop(server)?;
    let lines = stored::lines(&folder.data_file())?;
    let after = |failure| Failure {
        sent: format!("{STORED_MIN} metrics, kill -9, a restart, 1 metric"),
        ..failure
    };
    expect_count(&lines, STORED_MIN + 1).map_err(after).map(|()| None)
}

fn torn_tail(stage: &Stage<'_>) -> Tried {
    let mut random = Mutator::new(stage.seed, &[]);
    for _ in 0..TEARS {
        let torn = &LINE[..=random.below(LINE.len() - 2)];
        let folder = DataFolder::new();
        prepare(&folder, format!("{LINE}{torn}").as_bytes())?;
        let server = stage.start(&folder, Setting::Roomy)?;
        stage.session(&server).accepted(r#"{"name":"after","value":1}"#)?;
        stage.stop(server)?;
        let found = fs::read(folder.data_file()).unwrap_or_default();
        let lines = stored::lines(&folder.data_file());
        let is_right = found.starts_with(LINE.as_bytes())
            && lines.is_ok_and(|it| it.len() == 2 && it[1]["name"] == "after");
        if !is_right {
            let sent = format!(
                "a file that ends in {}, a start, 1 metric, a stop",
                bytes::readable(torn.as_bytes())
            );
            return Err(Failure::new(
                sent,
                bytes::readable(&found),
                "the whole line, and the new one behind it",
            ));
        }
    }
    Ok(None)
}

/// A server may go on without the line, or refuse to start until somebody has looked at it.
fn damage_stays(stage: &Stage<'_>) -> Tried {
    let folder = DataFolder::new();
    let damaged = format!("{LINE}{{\"timestamp\":\0\0\0}}\n{LINE}");
    prepare(&folder, damaged.as_bytes())?;
    let said = match stage.launch(&folder, Setting::Roomy) {
        Ok(server) => words_of(&stage.stop(server)?),
        Err(refusal) => refusal.output(),
    };
    let found = fs::read(folder.data_file()).unwrap_or_default();
    let sent = "a file whose line 2 is damaged, and a start";
    if found != damaged.as_bytes() {
        return Err(Failure::new(sent, bytes::readable(&found), "the file as it was"));
    }
    if said.contains("line 2") {
        return Ok(None);
    }
    let expected = "a message that names line 2, whether it goes on or not";
    Err(Failure::new(sent, format!("it said {}", bytes::readable(said.as_bytes())), expected))
}

fn prepare(folder: &DataFolder, content: &[u8]) -> Result<(), Failure> {
    let written = fs::write(folder.data_file(), content);
    written.map_err(|error| {
        Failure::new("writing a data file", error.to_string(), "a folder to write in")
    })
}

fn answered_survives(stage: &Stage<'_>) -> Tried {
    let folder = DataFolder::new();
    let server = stage.start(&folder, Setting::Roomy)?;
    let address = server.address();
    let (killed, ended) = thread::scope(|scope| {
        let send = |client| scope.spawn(move || send_until_gone(address, client, ANSWER_MAX));
        let clients: Vec<_> = (0..CLIENTS).map(send).collect();
        let until = Instant::now() + 2 * ANSWER_MAX;
        while stored::count(&folder.data_file()) < STORED_MIN && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let killed = stage.kill(server);
        let ended: Vec<Sent> =
            clients.into_iter().filter_map(|client| client.join().ok()).collect();
        (killed, ended)
    });
    killed?;
    if let Some(refusal) = ended.iter().find_map(|it| it.refusal.as_ref()) {
        return Err(Failure::new("metrics from four clients", bytes::response(refusal), "202"));
    }
    // What the kill has torn is cut by the next start.
    stage.stop(stage.start(&folder, Setting::Roomy)?)?;
    let answered = ended.iter().flat_map(|it| it.answered.iter().map(String::as_str)).collect();
    compare(&answered, &stored::lines(&folder.data_file())?)
}

fn compare(answered: &BTreeSet<&str>, lines: &[serde_json::Value]) -> Tried {
    let stored: BTreeSet<&str> = lines.iter().filter_map(|line| line["name"].as_str()).collect();
    let sent = format!("{} metrics answered with 202 by the time of kill -9", answered.len());
    if let Some(lost) = answered.difference(&stored).next() {
        let count = answered.difference(&stored).count();
        return Err(Failure::new(
            sent,
            format!("{count} of them are not in the file, as {lost}"),
            "all of them in the file",
        ));
    }
    if stored.len() != lines.len() {
        let twice = lines.len() - stored.len();
        return Err(Failure::new(
            sent,
            format!("{twice} of them are stored twice"),
            "each of them once",
        ));
    }
    if answered.is_empty() {
        return Err(Failure::new("metrics from four clients", "no 202 at all", "202"));
    }
    Ok(Some(format!("{} answered, all of them stored", answered.len())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_was_answered_is_missing_and_nothing_is_there_twice() {
        let lines =
            |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
        let compare = |answered: &[&'static str], stored: &[&str]| {
            compare(&answered.iter().copied().collect(), &lines(stored))
        };
        assert!(compare(&["a", "b"], &["b", "a"]).is_ok());
        // Stored and not answered: the kill came between the two.
        assert!(compare(&["a"], &["a", "b"]).is_ok());
        assert!(compare(&["a", "b"], &["a"]).unwrap_err().came_back.contains("as b"));
        assert!(compare(&["a"], &["a", "a"]).unwrap_err().came_back.contains("twice"));
        assert!(compare(&[], &[]).is_err());
    }
}
