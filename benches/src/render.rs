//! Fills the marked regions of Markdown files from records, and finds what has no record.
//!
//! | marker | what it becomes |
//! |---|---|
//! | `table=staircase workload=W [measures=M,…] [baseline=S]` | medians, ranges and ratios by server |
//! | `table=overview [measure=M]` | every workload at a glance: medians and ratios of one measure |
//! | `table=seed workload=W subject=S` | a server beside what the course's original reached |
//! | `table=costs workload=W`, `table=failures workload=W` | counted costs, requests by outcome |
//! | `table=ablation ablation=T [workload=W] [measure=M]` | what each step bought |
//! | `table=layers group=G [baseline=L]` | what layers cost by themselves |
//! | `figure=layer_ns group=G layer=L [versus=L]` | a layer's time, or its multiple of another's |
//! | `table=environment`, `table=commands` | machine and build; how to measure it again |
//! | `figure=M workload=W subject=S [of=median\|min\|max]` | one figure in a sentence |
//! | `figure=M workload=W subject=S versus=S` | a ratio with its verdict |
//! | `chart=M workload=W`, `chart=percentiles …`, `chart=outcomes …` | a picture in `docs/src/images/results` |
//! | `chart=waterfall ablation=T [workload=W] [measure=M]` | a waterfall |
//!
//! Each stands in `<!-- record: NAME … --> … <!-- /record -->`; `M` is a name of
//! [`crate::chart::measures`], `G` and `L` are criterion's names with hyphens. A line that states a limit or a setting, and looks measured all the
//! same, says so with `<!-- not a measurement -->`. What always holds: nothing outside the comments
//! is touched, rendering twice is rendering once, and equal records give equal bytes.

mod content;
mod marker;
mod prose;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use self::{
    content::{CHARTS, Content, content},
    marker::{Mistake, Region, regions},
};
use crate::record::{Record, RecordError};

/// Where the files of a repository should not be as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Seen from the root.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// A repository with all its files as they should be.
#[derive(Debug, Default)]
pub struct Rendering {
    /// Files that differ from what they should be, seen from the root, with what they should hold.
    pub changes: BTreeMap<PathBuf, String>,
    /// What rendering does not repair: markers that cannot be filled, figures without a record.
    pub findings: Vec<Finding>,
    /// Why each changed Markdown file counts as stale, where it does.
    stale: Vec<Finding>,
}

impl Rendering {
    /// Reads the Markdown files and charts under `root`, and fills them from these records.
    pub fn of(root: &Path, records: Vec<Record>) -> Result<Self, RenderError> {
        let records = records.into_iter().map(|record| (record.name.clone(), record)).collect();
        let mut rendering = Self::default();
        let mut charts = BTreeSet::new();
        for file in markdown_files(root)? {
            let text = read(root, &file)?;
            let page = Page::of(&file, &text, &records);
            for (chart, svg) in page.charts {
                rendering.compare_chart(root, &chart, svg)?;
                charts.insert(chart);
            }
            rendering.findings.extend(page.findings);
            if page.text != text {
                rendering.stale.extend(page.stale);
                rendering.changes.insert(file, page.text);
            }
        }
        rendering.findings.extend(orphans(root, &charts)?);
        Ok(rendering)
    }

    /// Everything that a check fails on, by file and line: what rendering would change, and what it
    /// cannot repair.
    pub fn failures(&self) -> Vec<Finding> {
        let mut failures: Vec<Finding> = self.findings.iter().chain(&self.stale).cloned().collect();
        failures.sort();
        failures
    }

    /// Writes what differs.
    pub fn write(&self, root: &Path) -> Result<(), RenderError> {
        for (file, text) in &self.changes {
            let path = root.join(file);
            let folder = path.parent().unwrap_or(root);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .map_err(|source| RenderError::File { file: file.clone(), source })?;
        }
        Ok(())
    }

    fn compare_chart(&mut self, root: &Path, chart: &Path, svg: String) -> Result<(), RenderError> {
        let stored = match fs::read_to_string(root.join(chart)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => {
                Some(other.map_err(|source| RenderError::File { file: chart.into(), source })?)
            }
        };
        if stored.as_ref() != Some(&svg) {
            let what = if stored.is_some() { "is stale" } else { "is missing" };
            let what = format!("{what}; run cargo compare render");
            self.stale.push(Finding { file: chart.into(), line: 1, what });
            self.changes.insert(chart.into(), svg);
        }
        Ok(())
    }
}

/// One Markdown file with its regions filled.
#[derive(Debug, Default)]
struct Page {
    text: String,
    charts: BTreeMap<PathBuf, String>,
    findings: Vec<Finding>,
    stale: Vec<Finding>,
}

impl Page {
    fn of(file: &Path, text: &str, records: &BTreeMap<String, Record>) -> Self {
        let (regions, mut mistakes) = regions(text);
        mistakes.extend(prose::figures_without_record(text, &regions));
        let mut page = Self::default();
        let mut done = 0;
        for region in &regions {
            match page.fill(file, text, region, records) {
                Ok(filled) => {
                    page.text.push_str(&text[done..region.content.start]);
                    page.text.push_str(&filled);
                    done = region.content.end;
                    if filled != text[region.content.clone()] {
                        let what = "is stale; run cargo compare render";
                        page.stale.push(finding(
                            file,
                            text,
                            Mistake::new(region.whole.start, what),
                        ));
                    }
                }
                Err(what) => mistakes.push(Mistake::new(region.whole.start, what)),
            }
        }
        page.text.push_str(&text[done..]);
        page.findings = mistakes.into_iter().map(|one| finding(file, text, one)).collect();
        page
    }

    fn fill(
        &mut self,
        file: &Path,
        text: &str,
        region: &Region,
        records: &BTreeMap<String, Record>,
    ) -> Result<String, String> {
        let content = content(&region.marker, records)?;
        let line_start = text[..region.whole.start].rfind('\n').map_or(0, |end| end + 1);
        let before = &text[line_start..region.whole.start];
        match &content {
            Content::Inline(_) if region.begins_line => {
                return Err(
                    "a figure cannot begin a line, because Markdown would take the line for HTML"
                        .to_owned(),
                );
            }
            Content::Inline(_) if text[region.content.clone()].contains('\n') => {
                return Err("a figure stands on one line".to_owned());
            }
            Content::Block(_) | Content::Chart { .. } if !before.trim().is_empty() => {
                return Err("a table or chart begins a line".to_owned());
            }
            Content::Chart { file_name, svg, .. } => {
                self.charts.insert(Path::new(CHARTS).join(file_name), svg.clone());
            }
            Content::Inline(_) | Content::Block(_) => {}
        }
        Ok(content.markdown(file.parent().unwrap_or(Path::new(""))))
    }
}

fn finding(file: &Path, text: &str, mistake: Mistake) -> Finding {
    let line = 1 + text[..mistake.offset].matches('\n').count();
    Finding { file: file.to_owned(), line, what: mistake.what }
}

/// Charts that no marker asks for: their record went, or their page.
fn orphans(root: &Path, charts: &BTreeSet<PathBuf>) -> Result<Vec<Finding>, RenderError> {
    let entries = match fs::read_dir(root.join(CHARTS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| RenderError::File { file: CHARTS.into(), source })?,
    };
    let files =
        entries.map_while(Result::ok).map(|entry| Path::new(CHARTS).join(entry.file_name()));
    let orphans = files.filter(|file| !charts.contains(file));
    let what = "no chart= marker asks for this file; remove it";
    Ok(orphans.map(|file| Finding { file, line: 1, what: what.to_owned() }).collect())
}

/// All Markdown files that git does not ignore, in order, seen from the root.
fn markdown_files(root: &Path) -> Result<BTreeSet<PathBuf>, RenderError> {
    let mut files = BTreeSet::new();
    for entry in ignore::WalkBuilder::new(root).require_git(false).build() {
        let path = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "md")
            && let Ok(file) = path.strip_prefix(root)
        {
            files.insert(file.to_owned());
        }
    }
    Ok(files)
}

fn read(root: &Path, file: &Path) -> Result<String, RenderError> {
    let text = fs::read_to_string(root.join(file));
    text.map_err(|source| RenderError::File { file: file.to_owned(), source })
}

/// Every stored record; none where there is no folder yet.
pub fn stored_records(directory: &Path) -> Result<Vec<Record>, RecordError> {
    if directory.is_dir() { Record::load_all(directory) } else { Ok(Vec::new()) }
}

/// Why files cannot be rendered.
#[derive(Debug, Error)]
pub enum RenderError {
    /// A file cannot be read or written.
    #[error("{}", file.display())]
    File {
        /// Seen from the root.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A folder cannot be walked.
    #[error("cannot list the files")]
    Walk(#[from] ignore::Error),
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
