//! A terminal, by tmux: what stands on its screen, and keys that are pressed.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::copy::Copy;

/// A tmux server of its own. Dropping it ends it.
pub(crate) struct Terminal {
    socket: String,
}

/// For what is compiled in between.
const DEADLINE: Duration = Duration::from_mins(5);

const LOOK: Duration = Duration::from_millis(100);

impl Terminal {
    /// Runs `cargo lab` there, and says how it ended and how it left the terminal.
    pub(crate) fn run(copy: &Copy, arguments: &str) -> Self {
        let terminal = Self { socket: format!("walk-{}", std::process::id()) };
        let script = format!(
            "{} lab {arguments}; echo \"ended with $?, and the terminal is \
             $(stty -a | grep -o -- '-*icanon')\"; sleep 600",
            env!("CARGO")
        );
        let mut tmux = terminal.tmux();
        tmux.args(["new-session", "-d", "-x", "120", "-y", "200", "bash", "-c", &script]);
        let status = copy.alone(tmux.current_dir(&copy.folder)).status();
        assert!(status.is_ok_and(|status| status.success()), "tmux does not start");
        terminal
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-f", "/dev/null", "-L", &self.socket]);
        tmux
    }

    /// Waits until this stands on the screen, and then clears it.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let until = Instant::now() + DEADLINE;
        loop {
            let screen = self.tmux().args(["capture-pane", "-p", "-J"]).output().unwrap().stdout;
            let screen = String::from_utf8_lossy(&screen);
            if screen.contains(text) {
                break;
            }
            assert!(Instant::now() < until, "no {text:?} on the screen:\n{}", screen.trim_end());
            thread::sleep(LOOK);
        }
        self.tmux().args(["send-keys", "-R"]).status().unwrap();
    }

    pub(crate) fn press(&self, key: &str) {
        self.tmux().args(["send-keys", key]).status().unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").status();
    }
}
