//! What is graded: the server that a command starts, or the one that answers at an address.

use std::net::{SocketAddr, ToSocketAddrs};

use super::template::{NotACommand, Placeholder, Template};

/// A server to be graded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A command starts it, as often as it takes.
    Exec(Template),
    /// It runs already, and is neither started nor stopped.
    Url {
        /// As it was written.
        text: String,
        /// Where it listens.
        address: SocketAddr,
    },
}

/// Why there is nothing to grade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// The command is none.
    #[error(transparent)]
    Command(#[from] NotACommand),
    /// The URL is none that can be graded.
    #[error("--url {0:?} must be http://HOST:PORT, as http://127.0.0.1:8080")]
    Url(String),
    /// Nobody knows the host.
    #[error("--url {0:?}: there is no such host")]
    Host(String),
}

impl Target {
    /// The server that `command` starts.
    pub fn exec(command: &str) -> Result<Self, NoTarget> {
        Ok(Self::Exec(Template::parse(command)?))
    }

    /// The server at `url`.
    pub fn url(url: &str) -> Result<Self, NoTarget> {
        let authority =
            url.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let authority = authority.filter(|it| !it.is_empty() && !it.contains(['/', '?', '#', '@']));
        let authority = authority.ok_or_else(|| NoTarget::Url(url.to_owned()))?;
        let has_port =
            authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let mut addresses =
            authority.to_socket_addrs().map_err(|_| NoTarget::Host(url.to_owned()))?;
        let address = addresses.next().ok_or_else(|| NoTarget::Host(url.to_owned()))?;
        Ok(Self::Url { text: url.to_owned(), address })
    }

    /// The options that name it on the command line.
    pub fn options(&self) -> [&str; 2] {
        match self {
            Self::Exec(template) => ["--exec", template.text()],
            Self::Url { text, .. } => ["--url", text],
        }
    }
}

/// Only who starts a server can stop it.
pub fn only_exec(target: &Target) -> Option<String> {
    matches!(target, Target::Url { .. })
        .then(|| "a server at a URL cannot be stopped and started: use --exec".to_owned())
}

/// What is stored can be read only where the grader says where to.
pub fn needs_data(target: &Target) -> Option<String> {
    only_exec(target).or_else(|| lacks(target, &[Placeholder::Data], "its data file is not known"))
}

/// A limit of a thousand requests a second cannot be met on every machine.
pub fn needs_limit(target: &Target) -> Option<String> {
    lacks(target, &[Placeholder::Limit], "its limit for a client cannot be set to five requests")
}

/// A server with room for thousands cannot be filled on every machine.
pub fn needs_room(target: &Target) -> Option<String> {
    let any = [Placeholder::Workers, Placeholder::Backlog, Placeholder::Connections];
    lacks(target, &any, "it cannot be made small enough to be filled")
}

fn lacks(target: &Target, any: &[Placeholder], why: &str) -> Option<String> {
    let Target::Exec(template) = target else {
        return Some(format!("{why} at a URL: use --exec"));
    };
    if any.iter().any(|placeholder| template.has(*placeholder)) {
        return None;
    }
    let all = Placeholder::ALL.iter().filter(|(it, _)| any.contains(it));
    let names: Vec<&str> = all.map(|(_, name)| *name).collect();
    Some(format!("{why}: the command has no {}", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_address_and_nothing_else() {
        for url in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"] {
            let Target::Url { address, .. } = Target::url(url).unwrap() else { panic!() };
            assert_eq!(address, "127.0.0.1:8080".parse().unwrap());
        }
        let Target::Url { address, .. } = Target::url("http://[::1]").unwrap() else { panic!() };
        assert_eq!(address, "[::1]:80".parse().unwrap());
        for url in
            ["127.0.0.1:8080", "https://127.0.0.1", "http://", "http://h/metrics", "http://a@b"]
        {
            assert_eq!(Target::url(url), Err(NoTarget::Url(url.to_owned())));
        }
    }

    #[test]
    fn what_a_target_does_not_let_be_graded_is_said_with_the_way_out() {
        let url = Target::url("http://127.0.0.1:8080").unwrap();
        for obstacle in [only_exec, needs_data, needs_limit, needs_room] {
            assert!(obstacle(&url).unwrap().contains("use --exec"));
        }
        let bare = Target::exec("s --port {port}").unwrap();
        assert_eq!(only_exec(&bare), None);
        for (obstacle, missing) in [
            (needs_data as fn(&Target) -> Option<String>, "the command has no {data}"),
            (needs_limit, "the command has no {limit}"),
            (needs_room, "the command has no {workers} or {backlog} or {connections}"),
        ] {
            assert!(obstacle(&bare).unwrap().ends_with(missing), "{missing}");
        }
        let all = Target::exec("s {port} {data} {limit} {connections}").unwrap();
        assert_eq!([needs_data, needs_limit, needs_room].map(|it| it(&all)), [None, None, None]);
    }
}
