//! `cargo lab`: the phases of a craft as complete crates, and what changes from one to another.
//!
//! A phase's crate holds what is new in it and imports the rest from where it was born. That keeps
//! every layer in one place and makes the difference between two phases the lesson. Who wants to
//! see, run or change all that a phase runs asks for its snapshot.
//!
//! | file | what it does |
//! |---|---|
//! | [`course`] | which phases there are, as cargo sees them |
//! | [`tree`] | a folder of text as a value |
//! | [`rust`] | tokens, imports and modules |
//! | [`snapshot`] | the complete crate of a phase, from the crates up to it |
//! | [`folder`] | writes a snapshot, and never over what somebody changed |
//! | [`grader`] | judges a server by its sockets |
//! | [`diff`] | two trees, file by file and line by line |
//! | [`commands`] | the commands, a file each |
//!
//! What always holds: the crates of the course are only read, and no list of phases, modules or
//! dependencies is typed here. A phase that joins the workspace joins every command.

pub mod anchors;
pub mod catalog;
pub mod checking;
pub mod commands;
pub mod course;
pub mod desk;
pub mod diff;
pub mod folder;
pub mod grader;
pub mod measuring;
pub mod place;
pub mod portfolio;
pub mod progress;
pub mod rust;
pub mod snapshot;
pub mod tree;
pub mod verify;
pub mod workshop;
