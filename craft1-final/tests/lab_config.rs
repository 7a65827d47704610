//! Lab tests: a file of options says what the command line says, and what is wrong with it is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{DataFolder, Server, post_json};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");
const BODY: &str = r#"{"name":"m","value":1}"#;

/// The file that comes with the program.
fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/craft1-final.toml")
}

/// A file with this text in the folder.
fn config(folder: &DataFolder, text: &str) -> PathBuf {
    let path = folder.path().join("options.toml");
    fs::write(&path, text).unwrap();
    path
}

fn with_config(path: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(FINAL);
    command.arg("--config").arg(path).args(options);
    command
}

/// The long names of all options.
fn options() -> Vec<String> {
    let output = Command::new(FINAL).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let name = |line: &str| {
        let name = line.trim_start().trim_start_matches("-h, ").trim_start_matches("-V, ");
        let name = name.strip_prefix("--")?.split([' ', ',']).next()?;
        Some(name.to_owned())
    };
    help.lines().filter_map(name).collect()
}

#[test]
fn the_file_that_comes_with_it_is_good() {
    let exit = Server::run(&mut with_config(&sample(), &["--check-config"]));
    exit.assert_success();
    assert_eq!((exit.stdout, exit.stderr), (vec!["the options are good".into()], vec![]));
}

#[test]
fn the_file_that_comes_with_it_has_every_option_and_shows_the_defaults() {
    let text = fs::read_to_string(sample()).unwrap();
    let keys: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once(" = "))
        .map(|(key, _)| key.to_owned())
        .collect();
    let not_in_a_file = ["config", "check-config", "help", "version"];
    for name in options().iter().filter(|name| !not_in_a_file.contains(&name.as_str())) {
        assert_eq!(keys.iter().filter(|key| *key == name).count(), 1, "{name}");
    }
    // With everything said that is commented out, it is as good, but for tokens that are not here.
    let is_said = |line: &&str| !line.contains("token-file");
    let said: Vec<_> = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|it| it.contains(" = ")).unwrap_or(line))
        .filter(is_said)
        .collect();
    let folder = DataFolder::new();
    let path = config(&folder, &said.join("\n"));
    Server::run(&mut with_config(&path, &["--check-config"])).assert_success();
}

#[test]
fn a_server_takes_its_options_from_the_file() {
    let folder = DataFolder::new();
    let data_file = folder.data_file();
    let text =
        format!("port = 0\ndata-file = {data_file:?}\nlimit = \"2/1h\"\nack = \"durable\"\n");
    let server = Server::start(&mut with_config(&config(&folder, &text), &[]));
    let statuses = [(); 3].map(|()| post_json(server.address(), "/metrics", BODY).status);
    assert_eq!(statuses, [202, 202, 429]);
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 2);
}

#[test]
fn the_command_line_wins() {
    let folder = DataFolder::new();
    let path = config(&folder, "port = 1\nlimit = \"1/1h\"\ndata-file = \"/nowhere/m.jsonl\"\n");
    let mut command = folder.command(FINAL, &["--limiter", "off", "--limit", "3/1h"]);
    let server = Server::start(command.arg("--config").arg(&path));
    for _ in 0..5 {
        assert_eq!(post_json(server.address(), "/metrics", BODY).status, 202);
    }
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 5);
}

#[test]
fn a_file_that_is_wrong_stops_the_start_with_its_place() {
    for (text, expected) in [
        ("port = 0\nprot = 1\n", "options.toml:2: prot: there is no such option"),
        ("port = 0\n\nack = \"soon\"\n", "options.toml:3: ack: invalid value 'soon'"),
        ("port = 70000\n", "options.toml:1: port: invalid value '70000'"),
        ("limit = 5\n", "options.toml:1: limit: invalid value '5'"),
        ("port 0\n", "options.toml:1: "),
    ] {
        let folder = DataFolder::new();
        let path = config(&folder, text);
        for options in [&[][..], &["--check-config"]] {
            let exit = Server::run(&mut with_config(&path, options));
            assert_eq!(exit.status.code(), Some(2), "{text}");
            let error = exit.stderr.join("\n");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

#[test]
fn a_check_finds_what_is_wrong_between_options_and_starts_nothing() {
    let folder = DataFolder::new();
    for text in ["bind = \"0.0.0.0\"", "token-file = \"/nowhere/t\"", "retain = 1"] {
        let path = config(&folder, text);
        let exit =
            Server::run(folder.command(FINAL, &["--check-config"]).arg("--config").arg(path));
        assert_eq!(exit.status.code(), Some(1), "{text}: {:?}", exit.stderr);
        assert!(exit.stdout.is_empty() && !folder.data_file().exists(), "{text}");
    }
}

#[test]
fn its_log_can_be_read_by_programs() {
    let folder = DataFolder::new();
    let exit = folder.start(FINAL, &["--log-format", "json"]).stop();
    exit.assert_success();
    let started = exit.stderr.first().expect("it says that it has started");
    let started: serde_json::Value = serde_json::from_str(started).unwrap();
    assert_eq!((&started["level"], &started["message"]), (&"INFO".into(), &"started".into()));
}

/// Where there is systemd.
#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/craft1-final.service");
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        println!("not run: there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // The program is not installed here, and that is all that may be wrong.
    let about_unit = |line: &&str| line.contains("craft1-final.service");
    let is_known = |line: &str| line.contains("is not executable");
    let unknown: Vec<_> = said.lines().filter(about_unit).filter(|line| !is_known(line)).collect();
    assert_eq!(unknown, [""; 0], "{said}");
}
