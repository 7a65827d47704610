//! Names of closed data files: `metrics.000001.jsonl`, `metrics.000002.jsonl` and so on, beside
//! `metrics.jsonl`, which is always the one that is written to.
//!
//! What always holds: numbers grow in the order in which files were closed, a closed file is never
//! written to or overwritten again, and a crash at any moment leaves each file under its old name or
//! its new one. A rename is in the folder and not in the file, so it survives a power cut only once
//! the folder is synced (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Digits that a number is padded to, so that a plain listing of the folder shows a million files
/// in their order. Those that come after have more digits.
const DIGITS: usize = 6;

/// The closed files that belong to `data_file`, ascending by their numbers.
///
/// # Errors
/// Those of reading the folder.
pub fn closed(data_file: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let folder = folder(data_file);
    let mut closed = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if let Some(number) = number_in(&name, data_file) {
            closed.push((number, folder.join(name)));
        }
    }
    closed.sort_unstable();
    Ok(closed)
}

/// Gives the data file its number, the one behind the highest that is there, and returns its new
/// path. Whoever has it open may go on using it.
///
/// # Errors
/// `NotFound` where there is no data file, else those of the folder. The file may have its new name
/// then, and the folder may not be synced.
pub fn close(data_file: &Path) -> io::Result<PathBuf> {
    let last = closed(data_file)?.last().map_or(0, |(number, _)| *number);
    let path = path_of(data_file, last + 1);
    fs::rename(data_file, &path)?;
    sync_folder(data_file)?;
    Ok(path)
}

/// Brings the names in the data file's folder to the disk.
///
/// # Errors
/// Those of the disk.
pub fn sync_folder(data_file: &Path) -> io::Result<()> {
    File::open(folder(data_file))?.sync_all()
}

/// A file name without a folder means the working directory.
fn folder(data_file: &Path) -> &Path {
    data_file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn path_of(data_file: &Path, number: u64) -> PathBuf {
    let mut name = data_file.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{number:0DIGITS$}"));
    if let Some(extension) = data_file.extension() {
        name.push(".");
        name.push(extension);
    }
    data_file.with_file_name(name)
}

/// The number of a closed file; only in the one way in which we write it.
fn number_in(name: &OsStr, data_file: &Path) -> Option<u64> {
    let stem = data_file.file_stem()?.as_encoded_bytes();
    let rest = name.as_encoded_bytes().strip_prefix(stem)?.strip_prefix(b".")?;
    let digits = rest.split(|byte| *byte == b'.').next()?;
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    (number > 0 && path_of(data_file, number).file_name() == Some(name)).then_some(number)
}

#[cfg(test)]
mod tests {
    use testkit::DataFolder;

    use super::*;

    fn names(data_file: &Path) -> Vec<(u64, String)> {
        let closed = closed(data_file).unwrap().into_iter();
        closed
            .map(|(number, path)| {
                assert_eq!(path.parent(), data_file.parent());
                (number, path.file_name().unwrap().to_str().unwrap().to_owned())
            })
            .collect()
    }

    #[test]
    fn closing_gives_the_next_number_and_leaves_what_was_closed_alone() {
        let folder = DataFolder::new();
        let data_file = folder.data_file();
        for number in 1..=3 {
            fs::write(&data_file, format!("{number}\n")).unwrap();
            let path = close(&data_file).unwrap();
            assert!(path.ends_with(format!("metrics.00000{number}.jsonl")), "{path:?}");
            assert!(!data_file.exists());
        }
        for (number, path) in closed(&data_file).unwrap() {
            assert_eq!(fs::read_to_string(path).unwrap(), format!("{number}\n"));
        }
    }

    #[test]
    fn numbers_go_on_behind_the_highest_one_also_where_older_ones_are_gone() {
        let folder = DataFolder::new();
        for (there, next) in
            [("000041", "metrics.000042.jsonl"), ("999999", "metrics.1000000.jsonl")]
        {
            fs::write(folder.path().join(format!("metrics.{there}.jsonl")), "").unwrap();
            fs::write(folder.data_file(), "").unwrap();
            assert!(close(&folder.data_file()).unwrap().ends_with(next));
        }
        let expected =
            [41, 42, 999_999, 1_000_000].map(|it| (it, format!("metrics.{it:06}.jsonl")));
        assert_eq!(names(&folder.data_file()), expected, "in the order of their numbers");
    }

    #[test]
    fn what_is_named_otherwise_is_not_ours() {
        let folder = DataFolder::new();
        for name in [
            "metrics.jsonl",
            "metrics.1.jsonl",
            "metrics.0000001.jsonl",
            "metrics.000000.jsonl",
            "metrics.00000x.jsonl",
            "metrics.+00001.jsonl",
            "metrics.000001.jsonl.gz",
            "metrics.000001",
            "metrics..jsonl",
            "other.000001.jsonl",
            "metrics000001.jsonl",
            "metrics.99999999999999999999999.jsonl",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(names(&folder.data_file()), []);
    }

    #[test]
    fn a_data_file_may_have_any_name() {
        let folder = DataFolder::new();
        for (name, closed_as) in [
            ("metrics", "metrics.000001"),
            ("a.b.jsonl", "a.b.000001.jsonl"),
            (".hidden", ".hidden.000001"),
        ] {
            let data_file = folder.path().join(name);
            fs::write(&data_file, "").unwrap();
            assert_eq!(close(&data_file).unwrap(), folder.path().join(closed_as));
            assert_eq!(names(&data_file), [(1, closed_as.to_owned())]);
        }
    }

    #[test]
    fn a_data_file_that_is_not_there_cannot_be_closed() {
        let error = close(&DataFolder::new().data_file()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_name_alone_means_the_working_directory() {
        assert_eq!(folder(Path::new("metrics.jsonl")), Path::new("."));
        assert_eq!(folder(Path::new("data/metrics.jsonl")), Path::new("data"));
    }
}
