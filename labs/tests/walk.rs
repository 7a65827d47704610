//! A whole walk, as a learner goes it, in a copy of the repository: look whether the machine is
//! ready, start a lab, see its checks fail as announced, write the solution, see them pass, measure,
//! compare, go on, and make the page that shows it. Then the same with `--watch`, in a terminal.
//!
//! The copy is kept from run to run, so that only what changed is compiled again.

#[path = "walk/copy.rs"]
mod copy;
#[path = "walk/terminal.rs"]
mod terminal;

use std::collections::BTreeSet;

use labs::catalog::{AtFirst, Catalog, Lab};
use labs::course::Course;
use labs::workshop::{Form, crate_of};
use serde_json::Value;

use copy::Copy;
use terminal::Terminal;

const ID: &str = "p0-request-log";

const SOURCE: &str = "mylabs/p0-request-log/src/main.rs";

fn lab() -> Lab {
    let root = Course::of_workspace().unwrap().root;
    Catalog::read(&root.join("labs/catalog")).unwrap().find(ID).unwrap().clone()
}

/// The source of the lab, as its solution has it.
fn solution() -> String {
    let course = Course::of_workspace().unwrap();
    let package = course.packages().find(|package| *package.name == "phase0").unwrap();
    let solution = crate_of(&lab(), package, Form::Solution).unwrap();
    solution.get("src/main.rs").unwrap().to_owned()
}

/// The names of the checks that failed.
fn red(reports: &Value) -> BTreeSet<&str> {
    let checks = reports[0]["checks"].as_array().unwrap();
    let red = checks.iter().filter(|check| check["outcome"] != "passed");
    red.map(|check| check["name"].as_str().unwrap()).collect()
}

#[test]
#[ignore = "slow lane: compiles the labs and phase 0 in a copy of the repository; needs tmux"]
fn a_learner_goes_from_doctor_to_report() {
    let copy = Copy::new();
    assert!(copy.lab(&["doctor"]).expect(0).contains("ok        port"));
    assert!(copy.lab(&["check"]).expect_error(2).contains("no lab was started yet"));

    let started = copy.lab(&["start", ID]).expect(0);
    assert!(started.contains("It is in mylabs/p0-request-log"), "{started}");
    let page = lab().page;
    let announced = page.checks.iter().filter(|check| check.at_first == AtFirst::Red);
    let announced: BTreeSet<&str> = announced.map(|check| &*check.name).collect();
    assert_eq!(red(&copy.lab(&["check", "--json"]).expect_json(1)), announced);
    let failure = copy.lab(&["check", "--only", "lines", "--seed", "7"]).expect(1);
    for expected in ["likely  ", "hint    cargo lab hint", "--only lines --seed 7"] {
        assert!(failure.contains(expected), "{failure}");
    }
    assert!(copy.lab(&["solution"]).expect_error(2).contains("opens when the checks pass"));
    assert!(copy.lab(&["hint"]).expect(0).contains("hint 1 of 3"));

    copy.write(SOURCE, "fn main() { broken }");
    let broken = copy.lab(&["check"]).expect(1);
    assert!(broken.contains("cannot find value `broken`"), "{broken}");
    copy.write(SOURCE, &solution());
    assert!(copy.lab(&["start", ID]).expect(0).contains("What you wrote is still in"));
    assert!(copy.lab(&["check", "--only", "silent"]).expect(0).contains("ok    silent"));
    let passed = copy.lab(&["check", "--previous"]).expect(0);
    assert!(passed.contains("next: cargo lab start "), "{passed}");
    assert!(copy.lab(&["diff"]).expect(0).contains("+    log_requests: bool,"));
    assert!(copy.lab(&["diff", ID, "--solution"]).expect(0).contains("are the same"));
    assert!(copy.lab(&["solution", ID]).expect(0).contains("+    log_requests: bool,"));

    let measured = copy.lab(&["bench", "--json"]).json_of([0, 4]);
    assert_eq!(measured["measured"][0]["rounds"], 5, "{measured:#}");
    assert!(copy.lab(&["bench", "--vs", "phase:1"]).expect_error(2).contains("no benchmark"));

    assert!(copy.lab(&[]).expect(0).contains("1 of "));
    copy.lab(&["report"]).expect(0);
    assert!(copy.read("mylabs/report.html").contains("A line for each request"));
    copy.lab(&["progress", "--export", "mylabs/kept.toml"]).expect(0);
    assert!(copy.lab(&["reset"]).expect(0).contains(".attic"));
    assert_ne!(copy.read(SOURCE), solution(), "the starter is back");
    assert!(copy.lab(&["progress", "--import", "mylabs/kept.toml"]).expect(0).contains("passed"));
    assert!(copy.is_untouched(), "the course itself was changed");

    watches_while_the_learner_writes(&copy);
}

fn watches_while_the_learner_writes(copy: &Copy) {
    copy.write(SOURCE, &solution());
    let terminal = Terminal::run(copy, "check --watch");
    terminal.wait_for("watching.");
    copy.write(SOURCE, "fn main() { broken }");
    terminal.wait_for("it does not compile");
    copy.write(SOURCE, &solution());
    terminal.wait_for("next: cargo lab start");
    terminal.press("h");
    terminal.wait_for("hint 2 of 3");
    terminal.press("l");
    terminal.wait_for("A line for each request");
    terminal.press("c");
    terminal.wait_for("checking p0-request-log");
    terminal.wait_for("watching.");
    terminal.press("n");
    terminal.wait_for("It is in mylabs/p0-");
    terminal.wait_for("watching.");
    terminal.press("q");
    terminal.wait_for("ended with 1, and the terminal is icanon");
}
