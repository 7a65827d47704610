//! The documents of this repository say nothing about speed that no record holds, and nothing stale.

use benches::build::workspace_directory;
use benches::record::results_directory;
use benches::render::{Rendering, stored_records};

#[test]
fn every_figure_has_its_record_and_is_up_to_date() {
    let records = stored_records(&results_directory()).expect("readable records");
    let rendering = Rendering::of(workspace_directory(), records).expect("readable documents");
    let failures: Vec<String> = rendering.failures().iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "run cargo compare render:\n{}", failures.join("\n"));
}
