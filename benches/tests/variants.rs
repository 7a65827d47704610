//! A variant is its phase with one file exchanged. Compiling it is for who asks for a comparison, so
//! this sees in the default lane that no file of the phase is missing there.

use std::collections::BTreeSet;
use std::fs;

use benches::build::workspace_directory;

#[test]
fn a_variant_has_every_module_of_its_phase() {
    for (variant, phase) in
        [("phase4-in-place", "craft1-phase4"), ("final-channel", "craft1-final")]
    {
        let variant = format!("benches/variants/{variant}/src/lib.rs");
        let expected = modules(&format!("{phase}/src/lib.rs"));
        assert_eq!(modules(&variant), expected, "{variant} is to have the modules of {phase}");
    }
}

/// The public modules that a file declares.
fn modules(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(workspace_directory().join(file)).expect("a file of ours");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("pub mod "));
    names.map(|name| name.trim_end_matches(';').to_owned()).collect()
}
