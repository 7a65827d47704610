//! Servers that are broken in one way each: the check that is about it fails, and says so.

use super::{exec, graded, has_python, with_outcome};

/// Asserts that the check `name` fails, and that its failure contains all of `words`.
#[track_caller]
fn assert_fails(server: &str, name: &str, words: &[&str]) {
    if !has_python() {
        return;
    }
    let (report, code) = graded(&["--exec", &exec(server), "--only", name]);
    let failed = with_outcome(&report, "failed");
    let names: Vec<_> = failed.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!((names, code), (vec![name], Some(1)), "{report:#}");
    let text = failed[0].to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {:#}", failed[0]);
    }
    let replay = failed[0]["replay"].as_str().unwrap();
    assert!(replay.ends_with(&format!("--phase 0 --only {name} --seed 1")), "{replay}");
}

#[test]
fn that_takes_bare_line_feeds() {
    let sent = r"GET /health HTTP/1.1\\nHost: test\\n\\n";
    let words =
        [sent, "in one piece", "200, Content-Type", "\"expected\":\"400\"", r"split at \\n"];
    assert_fails("bare_line_feed", "contract/refuses-a-bare-line-feed-2-2", &words);
}

#[test]
fn that_ignores_the_length() {
    let words = ["Content-Length: 40", "the end of our side", "202,", "18 bytes are missing"];
    assert_fails("ignores_length", "framing/body-ends-where-it-says", &words);
}

#[test]
fn that_answers_200_instead_of_202() {
    let words = ["\"came_back\":\"200, ", "\"expected\":\"202 with "];
    assert_fails("answers_200", "contract/takes-a-metric-with-name-and-value", &words);
}

#[test]
fn that_stores_only_when_it_ends() {
    let words = ["0 lines in the data file after 5 s", "while the server runs"];
    assert_fails("keeps_in_memory", "kill/stored-survives", &words);
}

#[test]
fn that_loses_what_an_earlier_run_has_stored() {
    let words = ["100 metrics, kill -9, a restart, 1 metric", "1 lines", "open it to append"];
    assert_fails("truncates", "kill/stored-survives", &words);
}

#[test]
fn that_appends_to_a_torn_line() {
    assert_fails(
        "keeps_torn_line",
        "kill/torn-tail",
        &["a file that ends in", "behind its last line feed"],
    );
}

#[test]
fn that_waits_for_the_rest_of_a_request_for_ever() {
    let words = ["and no more", "nothing in 6 s: it still waits", "without a deadline"];
    assert_fails("waits_for_ever", "faults/half-a-request", &words);
}

#[test]
fn whose_deadline_begins_again_with_every_byte() {
    let words = ["a byte each 100 ms", "it still listens", "each byte starts it again"];
    assert_fails("deadline_for_each_read", "faults/slow-loris", &words);
}

#[test]
fn that_crashes_on_a_long_head() {
    let words = [
        "it crashed: it was ended by signal 6 (SIGABRT)",
        "panic: head buffer overflow",
        "bound it",
    ];
    assert_fails("crashes_on_long_head", "faults/header-bomb", &words);
}

#[test]
#[ignore = "slow lane: waits until a server that compiles first would have started"]
fn that_prints_nothing_and_opens_nothing() {
    let words =
        ["it runs, but in 20 s it printed no address and opened no port", "it said nothing"];
    assert_fails("says_nothing", "start/answers", &words);
}

#[test]
fn that_does_not_start() {
    let words = ["it ended with exit code 1 before it listened", "cannot read settings.toml"];
    assert_fails("ends_at_once", "start/answers", &words);
}

#[test]
fn that_hangs_on_a_request() {
    let words = ["no answer before the deadline", "it hangs: GET /health is not answered any more"];
    assert_fails("hangs", "contract/refuses-nan", &words);
}

#[test]
fn that_never_answers() {
    let words = ["GET /health", "no answer before the deadline", "\"expected\":\"an answer\""];
    assert_fails("never_answers", "start/answers", &words);
}

/// Each try takes a deadline, so after three of them the rest of the theme is left.
#[test]
#[ignore = "slow lane: waits for the deadlines of three servers that hang"]
fn that_hangs_again_and_again_is_left() {
    if !has_python() {
        return;
    }
    let (report, _) = graded(&["--exec", &exec("hangs_on_refusal"), "--only", "contract/refuses"]);
    assert_eq!(with_outcome(&report, "failed").len(), 3, "{report:#}");
    let not_run = with_outcome(&report, "not_run");
    assert!(not_run.len() > 80, "{report:#}");
    let reason = "3 servers have crashed or hung in this theme: mend that first";
    assert!(not_run.iter().all(|check| check["reason"] == reason), "{report:#}");
}

#[test]
fn that_throws_away_what_it_cannot_read() {
    let words = ["line 2 is damaged", "the file as it was", "somebody wants to know"];
    assert_fails("skips_damage", "kill/damage-stays", &words);
}

#[test]
fn that_stores_half_a_batch() {
    let words = ["first_half", "the good metric alone", "check all, then store all"];
    assert_fails("stores_half_a_batch", "storage/whole-batch-or-nothing", &words);
}

#[test]
fn that_answers_slow_clients_with_500() {
    let words =
        ["the body in ten pieces", "500, ", "the body is not there", "\"expected\":\"202\""];
    assert_fails("leaks_500", "faults/slow-but-honest", &words);
}

#[test]
fn that_rounds_numbers() {
    assert_fails(
        "rounds_numbers",
        "storage/numbers",
        &["the value ", "shortest text that reads back"],
    );
}

#[test]
#[ignore = "slow lane: waits until a server with a lot to write would have ended"]
fn that_does_not_end_when_it_is_asked_to() {
    assert_fails(
        "ignores_sigterm",
        "start/stops",
        &["after 15 s it still runs", "SIGTERM is not handled"],
    );
}

#[test]
fn that_knows_nan() {
    assert_fails("forgives_json", "contract/refuses-nan", &["NaN", "202, ", "which JSON does not"]);
}
