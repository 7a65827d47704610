//! The grader: judges any server, in any language, by its sockets alone.
//!
//! What always holds: it knows a server by its address and by the process that it started, never by
//! its source. Every wait has a deadline, everything random comes from one seed, and what cannot be
//! tried is said and never counted as passed. The rules are those of the wire contract, whose rows
//! stand in `testkit`; the idea to test any implementation from outside is that of
//! `CodeCrafters`.
//!
//! | file | what |
//! |---|---|
//! | [`phase`] | what a server can be graded as |
//! | [`target`], [`template`] | which server, and how its command is filled in |
//! | [`check`] | a check and what comes of it |
//! | [`table`] | all checks; what they do is in `checks`, a file a theme |
//! | [`runner`] | runs them |
//! | [`stage`], [`session`] | servers that start and end, servers that answer |
//! | [`report`], [`bytes`], [`replay`] | what is said about it |
//! | [`interrupt`], [`memory`] | Ctrl-C, and what Linux knows of a process |

pub mod bytes;
pub mod check;
mod checks;
pub mod interrupt;
pub mod memory;
pub mod phase;
pub mod replay;
pub mod report;
pub mod runner;
pub mod session;
pub mod stage;
pub mod table;
pub mod target;
pub mod template;
