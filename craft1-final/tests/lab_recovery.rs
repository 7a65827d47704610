//! Lab tests: what a start makes of the files that it finds.

#[expect(dead_code, reason = "each lab uses its part of the rig")]
mod rig;

use std::fs;
use std::path::Path;

use craft1_final::writer::disk::Disk;
use craft1_final::writer::recovery::Damaged;
use craft1_final::writer::{OpenError, Options};
use craft1_phase4::ack::Ack;
use testkit::DataFolder;

use rig::{Rig, line, names, options, text};

#[track_caller]
fn start(folder: &DataFolder) -> Rig {
    Rig::start(folder, options(Ack::Stored), Disk::default())
}

/// Starts, stores one more metric and ends.
#[track_caller]
fn append(folder: &DataFolder, name: &str) {
    let mut rig = start(folder);
    rig.only().send(name);
    rig.finish();
}

#[track_caller]
fn refusal(folder: &DataFolder) -> Damaged {
    match Rig::try_start(folder, options(Ack::Stored), Disk::default(), 1) {
        Err(OpenError::Damaged(damaged)) => damaged,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it is not refused"),
    }
}

#[test]
fn a_start_carries_on_where_the_last_one_ended() {
    let folder = DataFolder::new();
    let expected: Vec<_> = (0..4).map(|run| format!("run_{run}")).collect();
    for name in &expected {
        append(&folder, name);
    }
    assert_eq!(names(&folder.data_file()), expected);
}

#[test]
fn a_torn_last_line_is_cut_wherever_it_tears() {
    let whole = line("whole");
    for torn_len in 1..whole.len() {
        let folder = DataFolder::new();
        fs::write(folder.data_file(), format!("{whole}{}", &whole[..torn_len])).unwrap();
        append(&folder, "next");
        assert_eq!(names(&folder.data_file()), ["whole", "next"], "torn at {torn_len}");
    }
    // What a power cut can leave of a page: nothing but zeros.
    let folder = DataFolder::new();
    fs::write(folder.data_file(), [whole.as_bytes(), &[0; 4096]].concat()).unwrap();
    append(&folder, "next");
    assert_eq!(names(&folder.data_file()), ["whole", "next"]);
}

#[test]
fn damage_in_the_middle_is_refused_with_its_place_and_nothing_is_touched() {
    let good = line("good");
    for (bad, reason) in [
        ("{\"timestamp\":\0\0\0}", "expected a value"),
        ("", "the body ends in the middle"),
        (&good[..20], "control character in a string"),
        ("{\"name\":\"m\",\"value\":1}", "it has no timestamp"),
        (&good.trim_end().repeat(2), "behind"),
    ] {
        let folder = DataFolder::new();
        // The tail is torn as well, and even that stays.
        let file = format!("{good}{good}{bad}\n{good}{bad}\n{}", &good[..9]);
        fs::write(folder.data_file(), &file).unwrap();
        let damaged = refusal(&folder);
        let (offset, file_name) = (2 * good.len() as u64, folder.data_file());
        assert_eq!(
            (&damaged.file, damaged.line, damaged.offset, damaged.count),
            (&file_name, 3, offset, 2)
        );
        assert!(damaged.reason.contains(reason), "{bad:?}: {}", damaged.reason);
        let message = damaged.to_string();
        let place = format!("{}: line 3 (byte {offset}) is damaged: ", file_name.display());
        assert!(message.starts_with(&place) && message.contains("--skip-damage"), "{message}");
        assert_eq!(text(&folder.data_file()), file);
    }
}

#[test]
fn damage_that_is_to_be_skipped_stays_and_the_rest_goes_on() {
    let good = line("good");
    let folder = DataFolder::new();
    let file = format!("{good}damaged\n{good}");
    fs::write(folder.data_file(), format!("{file}{}", &good[..9])).unwrap();
    let options = Options { skip_damage: true, ..options(Ack::Stored) };
    let mut rig = Rig::start(&folder, options, Disk::default());
    rig.only().send("next");
    rig.finish();
    assert_eq!(text(&folder.data_file()), file + &line("next"));
    assert_eq!(refusal(&folder).line, 2, "it is damaged as before");
}

#[test]
fn a_refused_start_locks_nobody_out() {
    let folder = DataFolder::new();
    fs::write(folder.data_file(), "damaged\n").unwrap();
    refusal(&folder);
    fs::remove_file(folder.data_file()).unwrap();
    append(&folder, "one");
    assert_eq!(names(&folder.data_file()), ["one"]);
}

#[test]
fn closed_segments_are_not_read_through() {
    let folder = DataFolder::new();
    let segment = folder.path().join("metrics.000001.jsonl");
    for text in ["damaged\n", "torn", ""] {
        fs::write(&segment, text).unwrap();
        append(&folder, "next");
        assert_eq!(fs::read_to_string(&segment).unwrap(), text);
    }
}

#[test]
fn what_cannot_be_a_data_file_is_said() {
    for (path, reason) in
        [("no-such-folder/metrics.jsonl", "No such file or directory"), ("", "directory")]
    {
        let folder = DataFolder::new();
        let path = folder.path().join(path);
        let started = craft1_final::writer::Writer::start(
            Path::new(&path),
            craft1_phase3::json::parse,
            options(Ack::Stored),
            Vec::new(),
        );
        let error = started.err().unwrap().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
