//! Compares servers so that the result can be believed.
//!
//! Data flows through the files in this order:
//!
//! - `subject.rs`, `workload.rs`, `ablation.rs`: what can be compared, under which load
//! - `build.rs`, `server.rs`, `probe.rs`, `rounds.rs`, `costs.rs`: building, starting, measuring
//! - `comparison.rs`: one whole comparison; `provenance.rs`: where its figures come from
//! - `record.rs`: what is stored; `measure.rs`: the figures in it
//! - `statistics.rs`: when two series of rounds differ; `analysis.rs`: the rule applied to a record
//! - `table.rs`, `report.rs`, `chart.rs`, `render.rs`: the terminal, a page, pictures, the documents
//! - `budget.rs`: what a request may cost; `seed.rs`: what the course's original reached

pub mod ablation;
pub mod analysis;
pub mod budget;
pub mod build;
pub mod chart;
pub mod comparison;
pub mod costs;
mod grid;
pub mod layers;
pub mod measure;
pub mod probe;
pub mod profile;
pub mod provenance;
pub mod record;
pub mod render;
pub mod report;
pub mod rounds;
#[cfg(test)]
mod sample;
pub mod seed;
pub mod server;
pub mod statistics;
pub mod subject;
pub mod table;
pub mod workload;

pub use grid::Colour;
