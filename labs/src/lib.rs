//! `cargo lab`: the labs of the course, and its phases as complete crates.
//!
//! A lab is cut from a phase as it is today: the learner gets the phase's crate with holes in it, and
//! the same checks run on the starter, the reference, mutants and what the learner wrote.
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
//! | [`anchors`] | the named regions of a source file |
//! | [`catalog`] | what every lab is |
//! | [`workshop`] | the workspace in which a lab is done, and the forms that its crate can have |
//! | [`checking`] | whether a lab is done: builds, runs, reads what tests say |
//! | [`measuring`] | two sides in turns, and their ratio in each round |
//! | [`progress`] | what a learner has done, as a text to be kept |
//! | [`portfolio`] | the same as a page to be shown |
//! | [`mod@verify`] | whether a lab keeps what it promises |
//! | [`desk`] | all that a command needs |
//! | [`snapshot`] | the complete crate of a phase, from the crates up to it |
//! | [`folder`] | writes a generated folder, and never over what somebody changed |
//! | [`place`] | the way from there to the workspace, and its versions |
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
