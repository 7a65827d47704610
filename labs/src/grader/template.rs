//! The command that starts a server: words, and placeholders for what the grader decides.
//!
//! What always holds: words are split as a shell splits them, and nothing else of a shell happens.
//! A server that lets its limits be set by placeholders can be graded at its limits in moments;
//! one that does not is graded everywhere else.

use std::path::Path;
use std::process::Command;

/// Stands in a command for something that the grader decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// A free port.
    Port,
    /// The file to store in.
    Data,
    /// Most requests of one client, as `COUNT/WINDOW`.
    Limit,
    /// Connections that are served at once.
    Workers,
    /// Connections that wait for a worker.
    Backlog,
    /// Connections that may be open.
    Connections,
    /// Longest time for a request to arrive, as `10s`.
    Timeout,
}

impl Placeholder {
    /// Each with its name in a command.
    pub const ALL: [(Self, &str); 7] = [
        (Self::Port, "{port}"),
        (Self::Data, "{data}"),
        (Self::Limit, "{limit}"),
        (Self::Workers, "{workers}"),
        (Self::Backlog, "{backlog}"),
        (Self::Connections, "{connections}"),
        (Self::Timeout, "{timeout}"),
    ];
}

/// How a server is set up for a check, where its command lets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Room and patience for everybody.
    Roomy,
    /// Room for [`ROOM`] connections, and patience.
    Narrow,
    /// Five requests an hour for each client.
    Limited,
    /// Five requests in two seconds for each client.
    Refilling,
    /// A second for a request to arrive.
    Impatient,
}

/// Connections that a server in the setting [`Setting::Narrow`] has room for: two workers and four
/// that wait, or as many as may be open.
pub const ROOM: usize = 6;

impl Setting {
    fn value(self, placeholder: Placeholder) -> &'static str {
        match (placeholder, self) {
            (Placeholder::Limit, Self::Limited) => "5/1h",
            (Placeholder::Limit, Self::Refilling) => "5/2s",
            (Placeholder::Limit, _) => "100000/1s",
            (Placeholder::Workers, Self::Narrow) => "2",
            (Placeholder::Workers, _) => "64",
            (Placeholder::Backlog, Self::Narrow) => "4",
            (Placeholder::Connections, Self::Narrow) => "6",
            (Placeholder::Backlog | Placeholder::Connections, _) => "1024",
            (Placeholder::Timeout, Self::Impatient) => "1s",
            (Placeholder::Timeout, Self::Narrow) => "60s",
            (Placeholder::Timeout, _) => "10s",
            (Placeholder::Port | Placeholder::Data, _) => "",
        }
    }
}

/// A command with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    words: Vec<String>,
}

/// Why a text is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACommand {
    /// A quote that does not end.
    #[error("--exec: a quote does not end")]
    Quote,
    /// No words.
    #[error("--exec needs a command, as \"python3 my_server.py --port {{port}}\"")]
    Empty,
    /// A placeholder that nobody knows.
    #[error("--exec: there is no placeholder {0}; there are {known}", known = known())]
    Unknown(String),
}

fn known() -> String {
    Placeholder::ALL.map(|(_, name)| name).join(", ")
}

impl Template {
    /// Splits a text into words.
    pub fn parse(text: &str) -> Result<Self, NotACommand> {
        let words = shell_words::split(text).map_err(|_| NotACommand::Quote)?;
        if words.is_empty() {
            return Err(NotACommand::Empty);
        }
        let is_known = |name: &str| Placeholder::ALL.iter().any(|(_, it)| *it == name);
        let unknown = words.iter().flat_map(|word| placeholders(word)).find(|name| !is_known(name));
        match unknown.map(str::to_owned) {
            Some(unknown) => Err(NotACommand::Unknown(unknown)),
            None => Ok(Self { text: text.to_owned(), words }),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The program that it runs.
    pub fn program(&self) -> &str {
        &self.words[0]
    }

    /// Whether it lets the grader decide this.
    pub fn has(&self, placeholder: Placeholder) -> bool {
        let name = name(placeholder);
        self.words.iter().any(|word| word.contains(name))
    }

    /// Its words, with everything decided.
    pub fn words(&self, port: u16, data: &Path, setting: Setting) -> Vec<String> {
        let fill = |word: &String| {
            Placeholder::ALL.iter().fold(
                word.clone(),
                |word, (placeholder, name)| match placeholder {
                    Placeholder::Port => word.replace(name, &port.to_string()),
                    Placeholder::Data => word.replace(name, &data.to_string_lossy()),
                    other => word.replace(name, setting.value(*other)),
                },
            )
        };
        self.words.iter().map(fill).collect()
    }

    /// The command itself.
    pub fn command(&self, port: u16, data: &Path, setting: Setting) -> Command {
        let words = self.words(port, data, setting);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

fn name(placeholder: Placeholder) -> &'static str {
    Placeholder::ALL.iter().find(|(it, _)| *it == placeholder).map_or("", |(_, name)| name)
}

/// What stands in braces and is one word of small letters. JSON in an option is none.
fn placeholders(word: &str) -> impl Iterator<Item = &str> {
    word.match_indices('{').filter_map(|(at, _)| {
        let len = word[at..].find('}')? + 1;
        let inside = &word[at + 1..at + len - 1];
        let is_name = !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_lowercase());
        is_name.then_some(&word[at..at + len])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, setting: Setting) -> Vec<String> {
        Template::parse(text).unwrap().words(4711, Path::new("/data/m.jsonl"), setting)
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let expected = ["my server", "--port=4711", "it's", "", "/data/m.jsonl"];
        let text = r#"'my server' --port={port} "it's" '' {data}"#;
        assert_eq!(words(text, Setting::Roomy), expected);
    }

    #[test]
    fn limits_are_set_where_the_command_lets_them() {
        let text = "s {limit} {workers} {backlog} {connections} {timeout}";
        for (setting, expected) in [
            (Setting::Roomy, "s 100000/1s 64 1024 1024 10s"),
            (Setting::Narrow, "s 100000/1s 2 4 6 60s"),
            (Setting::Limited, "s 5/1h 64 1024 1024 10s"),
            (Setting::Refilling, "s 5/2s 64 1024 1024 10s"),
            (Setting::Impatient, "s 100000/1s 64 1024 1024 1s"),
        ] {
            assert_eq!(words(text, setting).join(" "), expected);
        }
        assert!(Template::parse(text).unwrap().has(Placeholder::Limit));
        assert!(!Template::parse(text).unwrap().has(Placeholder::Data));
    }

    #[test]
    fn what_is_no_command_is_refused_with_a_way_out() {
        for (text, reason) in [
            ("", "needs a command"),
            ("  ", "needs a command"),
            ("python3 'server.py", "a quote does not end"),
            ("s --port {prot}", "there is no placeholder {prot}; there are {port}, {data}"),
        ] {
            let error = Template::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn braces_that_are_no_placeholder_stay() {
        let text = r#"s '{"a":{}}' '{A}' {port} '}{'"#;
        assert_eq!(words(text, Setting::Roomy), ["s", r#"{"a":{}}"#, "{A}", "4711", "}{"]);
    }
}
