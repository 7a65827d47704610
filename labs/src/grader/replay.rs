//! The command that runs one check again, exactly as it was run.

use super::runner::Request;

/// To be pasted into a shell.
pub fn line(request: &Request, check: &str) -> String {
    let [option, target] = request.target.options();
    let seed = request.seed.to_string();
    let phase = request.phase.id();
    let words = [
        "cargo", "lab", "check", option, target, "--phase", phase, "--only", check, "--seed", &seed,
    ];
    shell_words::join(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grader::{phase::Phase, target::Target};

    #[test]
    fn it_can_be_pasted_into_a_shell() {
        let target = Target::exec("python3 'my server.py' --port {port}").unwrap();
        let request = Request { target, phase: Phase::Final, only: vec![], seed: 42 };
        assert_eq!(
            line(&request, "load/answers"),
            r"cargo lab check --exec 'python3 '\''my server.py'\'' --port {port}' --phase final --only load/answers --seed 42"
        );
    }
}
