//! A file of options to the arguments that say the same.
//!
//! What always holds: a key is the long name of an option, and its value is checked as that option's
//! is, alone: so an error names the file, the line and the key. A flag is true or false; everything
//! else is a text or a whole number. A path is seen from where the server is started, as on the
//! command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest file. A hundred times as long as one with every option and a comment for each.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What only the command line can say.
const NOT_IN_A_FILE: [&str; 4] = ["config", "check-config", "help", "version"];

/// What is wrong with a file of options.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The system does not let us.
    #[error("{}: cannot read it: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line of it.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong, with the key.
        reason: String,
    },
}

/// The arguments that say what the file at `path` does. `command` knows the options.
///
/// # Errors
/// The first line that is wrong.
pub(super) fn arguments(command: &Command, path: &Path) -> Result<Vec<OsString>, BadConfig> {
    let text = read(path).map_err(|error| BadConfig::Io { path: path.to_owned(), error })?;
    parse(command, &text).map_err(|Wrong { at, reason }| {
        let line = text.get(..at.start).unwrap_or(&text).matches('\n').count() + 1;
        BadConfig::Line { path: path.to_owned(), line, reason }
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 1 MiB"));
    }
    Ok(text)
}

/// What is wrong with the bytes of a text.
struct Wrong {
    at: Range<usize>,
    reason: String,
}

fn parse(command: &Command, text: &str) -> Result<Vec<OsString>, Wrong> {
    let table = DeTable::parse(text).map_err(|error| Wrong {
        at: error.span().unwrap_or_default(),
        reason: error.message().to_owned(),
    })?;
    // In the order of the lines, so that the first error is the first that a reader meets.
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let argument = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        argument(command, key, value)
            .map_err(|(at, reason)| Wrong { at, reason: format!("{}: {reason}", key.get_ref()) })
    };
    let arguments: Vec<_> = entries.into_iter().map(argument).collect::<Result<_, _>>()?;
    Ok(arguments.into_iter().flatten().collect())
}

/// The argument for one entry; none for a flag that is false.
fn argument<K: AsRef<str>>(
    command: &Command,
    key: &Spanned<K>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Option<OsString>, (Range<usize>, String)> {
    let name = key.get_ref().as_ref();
    let at_key = |reason: &str| (key.span(), reason.to_owned());
    let at_value = |reason: String| (value.span(), reason);
    let is_it = |arg: &&Arg| arg.get_long() == Some(name) && !NOT_IN_A_FILE.contains(&name);
    let arg = command.get_arguments().find(is_it);
    let arg = arg.ok_or_else(|| at_key("there is no such option, or not in a file"))?;
    let argument = match (value.get_ref(), arg.get_action().takes_values()) {
        (DeValue::Boolean(false), false) => return Ok(None),
        (DeValue::Boolean(true), false) => format!("--{name}"),
        (DeValue::String(text), true) => format!("--{name}={text}"),
        (DeValue::Integer(number), true) => format!("--{name}={number}"),
        (_, true) => return Err(at_value("expected a text or a whole number".into())),
        (_, false) => return Err(at_value("expected true or false".into())),
    };
    let alone = command.clone().try_get_matches_from([command.get_name(), &argument]);
    alone.map_err(|error| at_value(reason(&error)))?;
    Ok(Some(argument.into()))
}

/// What clap says, without what it adds for the command line.
fn reason(error: &clap::Error) -> String {
    let text = error.to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let words = message.trim_start_matches("error: ").split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Options;
    use super::*;
    use clap::CommandFactory;

    /// The arguments that a file with this text amounts to, or what is wrong with it.
    fn arguments_of(text: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, text).unwrap();
        let arguments = arguments(&Options::command(), &path);
        let prefix = format!("{}/", folder.path().display());
        arguments
            .map(|all| all.into_iter().map(|it| it.into_string().unwrap()).collect())
            .map_err(|error| error.to_string().replace(&prefix, ""))
    }

    #[test]
    fn a_key_is_an_option() {
        let text = "# A comment.\nport = 0\nack = \"durable\"\ninsecure = true\n\
                    skip-damage = false\nlimit = \"5/1h\" # five\nmax-body = 1_000\n";
        let expected =
            ["--port=0", "--ack=durable", "--insecure", "--limit=5/1h", "--max-body=1000"];
        assert_eq!(arguments_of(text).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, expected) in [
            ("\nprot = 1", "a.toml:2: prot: there is no such option, or not in a file"),
            ("config = \"b\"", "a.toml:1: config: there is no such option, or not in a file"),
            ("check-config = true", "a.toml:1: check-config: there is no such option"),
            ("help = true", "a.toml:1: help: there is no such option"),
            ("max_body = 1", "a.toml:1: max_body: there is no such option"),
            ("\n\nport = 65536", "a.toml:3: port: invalid value '65536' for '--port <PORT>'"),
            (
                "max-body = 0",
                "a.toml:1: max-body: invalid value '0' for '--max-body <BYTES>': must",
            ),
            ("ack = \"soon\"", "a.toml:1: ack: invalid value 'soon' for '--ack <LEVEL>' [possible"),
            ("linger = 5", "a.toml:1: linger: invalid value '5' for '--linger <DURATION>'"),
            ("port = true", "a.toml:1: port: expected a text or a whole number"),
            ("port = [1]", "a.toml:1: port: expected a text or a whole number"),
            ("port = 1.5", "a.toml:1: port: expected a text or a whole number"),
            ("insecure = 1", "a.toml:1: insecure: expected true or false"),
            ("insecure = \"true\"", "a.toml:1: insecure: expected true or false"),
            ("[server]\nport = 1", "a.toml:1: server: there is no such option"),
            ("port = 1\nport = 2", "a.toml:2: duplicate key"),
            ("port = ", "a.toml:1: "),
            ("port = 0\nprot = 1\nloops = 0", "a.toml:2: prot: "),
        ] {
            let error = arguments_of(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_value_cannot_smuggle_an_option() {
        assert_eq!(arguments_of("data-file = \"--insecure\"").unwrap(), ["--data-file=--insecure"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = arguments(&Options::command(), Path::new("/nowhere/a.toml")).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/a.toml: cannot read it: "), "{error}");
    }

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let path = Path::new("/dev/zero");
        let error = arguments(&Options::command(), path).unwrap_err();
        assert_eq!(error.to_string(), "/dev/zero: cannot read it: it is longer than 1 MiB");
    }
}
