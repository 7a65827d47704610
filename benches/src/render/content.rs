//! What a marker asks for, made from the records: a table, a figure in a sentence, a chart.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use load_gen::table::decimal;

use super::marker::Marker;
use crate::{
    chart::{Chart, measures},
    measure::Measure,
    record::{AblationRecord, Cost, LayerGroup, Record, WorkloadRecord},
    report::{charts, environment, table::Table, tables},
    seed::Seed,
    statistics::Verdict,
};

/// Where charts of the book are kept, seen from the root.
pub(crate) const CHARTS: &str = "docs/src/images/results";

/// What stands between the comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Within a sentence.
    Inline(String),
    /// Lines of its own.
    Block(String),
    /// A picture that stands in a file of its own.
    Chart {
        /// Within [`CHARTS`].
        file_name: String,
        svg: String,
        /// What the picture shows, for readers who do not see it.
        alternative: String,
    },
}

/// Makes what a marker asks for, or says why it cannot.
pub(crate) fn content(
    marker: &Marker,
    records: &BTreeMap<String, Record>,
) -> Result<Content, String> {
    let record = records.get(&marker.record);
    let record = record.ok_or_else(|| format!("there is no record {:?}", marker.record))?;
    let request = Request { record, fields: &marker.fields };
    match ["table", "figure", "chart"].map(|kind| marker.fields.get(kind)) {
        [Some(table), None, None] => request.table(table).map(Content::Block),
        [None, Some(figure), None] => request.figure(figure).map(Content::Inline),
        [None, None, Some(chart)] => request.chart(chart),
        _ => Err("a marker has one of table=, figure= and chart=".to_owned()),
    }
}

/// A marker whose record is known.
#[derive(Debug, Clone, Copy)]
struct Request<'a> {
    record: &'a Record,
    fields: &'a BTreeMap<String, String>,
}

impl<'a> Request<'a> {
    fn table(self, kind: &str) -> Result<String, String> {
        let table = match kind {
            "staircase" => {
                self.allow(&["table", "workload", "measures", "baseline"])?;
                let workload = self.workload()?;
                if let Some(baseline) = self.get("baseline") {
                    self.in_workload(workload, baseline)?;
                }
                tables::staircase(self.record, workload, &self.measures()?, self.get("baseline"))
            }
            "overview" => {
                self.allow(&["table", "measure"])?;
                tables::overview(self.record, self.measure()?)
            }
            "seed" => {
                self.allow(&["table", "workload", "subject"])?;
                let (workload, subject) = (self.workload()?, self.required("subject")?);
                self.in_workload(workload, subject)?;
                let seed = Seed::of_workspace().map_err(|error| error.to_string())?;
                tables::seed(self.record, workload, subject, &seed)
            }
            "costs" => {
                self.allow(&["table", "workload"])?;
                tables::costs(self.workload()?).ok_or("no costs were counted in this workload")?
            }
            "failures" => {
                self.allow(&["table", "workload"])?;
                let failures = tables::failures(self.record, self.workload()?);
                return Ok(failures.map_or_else(
                    || "No request failed.\n".to_owned(),
                    |table| with_caption(&table),
                ));
            }
            "ablation" => {
                self.allow(&["table", "ablation", "workload", "measure"])?;
                tables::ablation(self.record, self.ablation()?, self.measure()?)
            }
            "layers" => {
                self.allow(&["table", "group", "baseline"])?;
                tables::layers(self.group()?, self.layer("baseline")?)
            }
            "environment" => {
                self.allow(&["table"])?;
                return Ok(environment::table(self.record).markdown());
            }
            "commands" => {
                self.allow(&["table"])?;
                return Ok(format!("```sh\n{}```\n", environment::commands(self.record)));
            }
            other => return Err(unknown("table", other, &TABLES)),
        };
        Ok(with_caption(&table))
    }

    fn figure(self, key: &str) -> Result<String, String> {
        if key == LAYER_NS {
            return self.layer_figure();
        }
        let subject = self.required("subject")?;
        let workload = self.workload()?;
        self.in_workload(workload, subject)?;
        if let Some(measure) = measures::of_cost_key(key) {
            self.allow(&["figure", "workload", "subject"])?;
            let cost = workload.cost(subject, measure).and_then(Cost::per_request);
            let cost = cost.ok_or_else(|| format!("{key} was not counted for {subject}"))?;
            return Ok(measure.format(cost));
        }
        let measure =
            measures::of_key(key).ok_or_else(|| unknown("figure", key, &measure_keys()))?;
        let none = || format!("the record has no {key} of {subject}");
        if let Some(other) = self.get("versus") {
            self.allow(&["figure", "workload", "subject", "versus"])?;
            self.in_workload(workload, other)?;
            let versus = workload.cell(subject, other, measure).and_then(|cell| cell.versus);
            let versus = versus.ok_or_else(none)?;
            return Ok(ratio(versus.ratio, versus.verdict));
        }
        self.allow(&["figure", "workload", "subject", "of"])?;
        let spread = workload.cell(subject, subject, measure).ok_or_else(none)?.spread;
        let figure = match self.get("of").unwrap_or("median") {
            "median" => spread.median,
            "min" => spread.min,
            "max" => spread.max,
            other => return Err(unknown("of", other, &["median", "min", "max"])),
        };
        Ok(measure.format(figure))
    }

    /// What one element costs a layer, or its multiple of another layer's.
    fn layer_figure(self) -> Result<String, String> {
        self.allow(&["figure", "group", "layer", "versus"])?;
        let (group, layer) = (self.group()?, self.layer("layer")?.ok_or("layer= is missing")?);
        let other = self.layer("versus")?;
        let cell = group.cell(layer, other.unwrap_or(layer)).ok_or("the record has no rounds")?;
        Ok(match cell.ratio {
            Some(ratio) => format!("{}\u{a0}×", tables::ratio(ratio.median)),
            None => format!("{}\u{a0}ns", decimal(cell.time_ns.median)),
        })
    }

    /// By its name, with a hyphen for everything that is neither letter nor digit.
    fn group(self) -> Result<&'a LayerGroup, String> {
        let wanted = self.required("group")?;
        let groups = &self.record.layers;
        let ids: Vec<String> = groups.iter().map(|group| slug(&group.id)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = groups.iter().find(|group| slug(&group.id) == wanted);
        found.ok_or_else(|| unknown("group", wanted, &ids))
    }

    /// A layer of the group, named like the group.
    fn layer(self, field: &str) -> Result<Option<&'a str>, String> {
        let Some(wanted) = self.get(field) else { return Ok(None) };
        let benchmarks = &self.group()?.benchmarks;
        let ids: Vec<String> = benchmarks.iter().map(|benchmark| slug(&benchmark.id)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = benchmarks.iter().find(|benchmark| slug(&benchmark.id) == wanted);
        found.map(|found| Some(found.id.as_str())).ok_or_else(|| unknown(field, wanted, &ids))
    }

    fn chart(self, kind: &str) -> Result<Content, String> {
        let nothing = || format!("the record has nothing to draw as {kind}");
        let (chart, of) = if kind == "waterfall" {
            self.allow(&["chart", "ablation", "workload", "measure"])?;
            let (ablation, measure) = (self.ablation()?, self.measure()?);
            let chart = charts::waterfall(self.record, ablation, measure).ok_or_else(nothing)?;
            (chart, format!("{}-{}-{}", ablation.toggle, ablation.workload, measures::key(measure)))
        } else {
            self.allow(&["chart", "workload"])?;
            let workload = self.workload()?;
            let chart = match kind {
                "percentiles" => charts::curves(self.record, workload),
                "outcomes" => charts::outcomes(self.record, workload).ok_or_else(nothing)?,
                key => {
                    let measure = measures::of_key(key);
                    let measure = measure.ok_or_else(|| unknown("chart", key, &chart_kinds()))?;
                    charts::strip(self.record, workload, measure).ok_or_else(nothing)?
                }
            };
            (chart, workload.id.clone())
        };
        let file_name = format!("{}-{of}-{kind}.svg", self.record.name);
        Ok(picture(&chart, file_name))
    }

    fn get(self, key: &str) -> Option<&'a str> {
        self.fields.get(key).map(String::as_str)
    }

    fn required(self, key: &str) -> Result<&'a str, String> {
        self.get(key).ok_or_else(|| format!("{key}= is missing"))
    }

    fn allow(self, known: &[&str]) -> Result<(), String> {
        match self.fields.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(format!("{key}= has no meaning here; {} have", known.join(", "))),
        }
    }

    fn workload(self) -> Result<&'a WorkloadRecord, String> {
        let id = self.required("workload")?;
        let ids: Vec<&str> = self.record.workloads.iter().map(|one| one.id.as_str()).collect();
        self.record.workload(id).ok_or_else(|| unknown("workload", id, &ids))
    }

    fn in_workload(self, workload: &WorkloadRecord, subject: &str) -> Result<(), String> {
        let ids = tables::subjects_of(self.record, workload);
        if ids.contains(&subject) { Ok(()) } else { Err(unknown("subject", subject, &ids)) }
    }

    /// By toggle; by workload too, where the toggle was tried under several.
    fn ablation(self) -> Result<&'a AblationRecord, String> {
        let toggle = self.required("ablation")?;
        let is_wanted = |one: &&AblationRecord| {
            one.toggle == toggle && self.get("workload").is_none_or(|id| id == one.workload)
        };
        let toggles: Vec<&str> =
            self.record.ablations.iter().map(|one| one.toggle.as_str()).collect();
        let found = self.record.ablations.iter().find(is_wanted);
        found.ok_or_else(|| unknown("ablation", toggle, &toggles))
    }

    fn measure(self) -> Result<Measure, String> {
        let key = self.get("measure").unwrap_or_else(|| measures::key(Measure::CpuPerRequest));
        measures::of_key(key).ok_or_else(|| unknown("measure", key, &measure_keys()))
    }

    fn measures(self) -> Result<Vec<Measure>, String> {
        let Some(keys) = self.get("measures") else { return Ok(tables::STAIRCASE.to_vec()) };
        let found = keys.split(',').map(|key| {
            measures::of_key(key).ok_or_else(|| unknown("measure", key, &measure_keys()))
        });
        found.collect()
    }
}

const TABLES: [&str; 9] = [
    "staircase",
    "overview",
    "seed",
    "costs",
    "failures",
    "ablation",
    "layers",
    "environment",
    "commands",
];

/// The figure of a layer.
const LAYER_NS: &str = "layer_ns";

/// `parse/100 metrics, fleet` as `parse-100-metrics-fleet`: a marker's fields end at a space.
fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
}

fn measure_keys() -> Vec<&'static str> {
    Measure::ALL.into_iter().map(measures::key).collect()
}

fn chart_kinds() -> Vec<&'static str> {
    ["percentiles", "outcomes", "waterfall"].into_iter().chain(measure_keys()).collect()
}

fn unknown(field: &str, value: &str, known: &[&str]) -> String {
    format!("there is no {field}={value}; there are {}", known.join(", "))
}

/// The legend of the figures, because a README has no other place for it.
fn with_caption(table: &Table) -> String {
    let mut out = table.markdown();
    write!(out, "\n<sub>{}.</sub>\n", table.caption).expect("a String takes every character");
    out
}

/// `5.55 times`: a ratio never goes without its verdict.
fn ratio(ratio: f64, verdict: Verdict) -> String {
    let times = format!("{} times", tables::ratio(ratio));
    match verdict {
        Verdict::Significant => times,
        Verdict::InsideNoise => format!("{times} (inside the noise)"),
        Verdict::TooFewRounds => format!("{times} (too few rounds to tell)"),
    }
}

fn picture(chart: &Chart, file_name: String) -> Content {
    let text = format!("{}. {}", chart.title, chart.description);
    // Square brackets would end the alternative text.
    let alternative = text.replace(['[', ']', '<', '>'], " ");
    Content::Chart { file_name, svg: chart.standalone(), alternative }
}

impl Content {
    /// The text between the comments of a page in this folder, seen from the root.
    pub(crate) fn markdown(&self, folder: &Path) -> String {
        match self {
            Self::Inline(text) => text.clone(),
            Self::Block(text) => format!("\n\n{text}\n"),
            Self::Chart { file_name, alternative, .. } => {
                let path = chart_path(folder, file_name);
                format!("\n\n![{alternative}]({path})\n\n")
            }
        }
    }
}

/// From a page to a chart: up to what both share, and down again.
fn chart_path(folder: &Path, file_name: &str) -> String {
    let charts: Vec<&str> = CHARTS.split('/').collect();
    let folder: Vec<String> =
        folder.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let shared = folder.iter().zip(&charts).take_while(|(one, other)| one == *other).count();
    let up = folder.iter().skip(shared).map(|_| "..");
    up.chain(charts[shared..].iter().copied()).chain([file_name]).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use load_gen::{Arrivals, Failure, Load};

    use super::*;
    use crate::sample;

    fn made(fields: &str) -> Result<Content, String> {
        let record = sample::record();
        let records = BTreeMap::from([(record.name.clone(), record)]);
        let pairs = fields.split(' ').map(|field| field.split_once('=').unwrap());
        let fields = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        content(&Marker { record: "sample".to_owned(), fields }, &records)
    }

    fn text(fields: &str) -> String {
        made(fields).unwrap().markdown(Path::new(""))
    }

    #[test]
    fn figures_stand_in_sentences() {
        let cpu = "figure=cpu_us_per_request workload=single subject=fast";
        assert_eq!(text(cpu), "49.50");
        assert_eq!(text(&format!("{cpu} of=max")), "50.00");
        assert_eq!(text(&format!("{cpu} versus=slow")), "0.50 times");
        let calls = "figure=syscalls_per_request workload=single subject=fast";
        assert_eq!(text(calls), "4.00");
    }

    #[test]
    fn a_ratio_inside_the_noise_says_so() {
        assert_eq!(ratio(1.02, Verdict::InsideNoise), "1.02 times (inside the noise)");
    }

    #[test]
    fn what_is_not_in_the_record_is_named_with_what_is() {
        for (fields, expected) in [
            ("figure=speed workload=single subject=fast", "there is no figure=speed; there are "),
            (
                "figure=threads workload=huge subject=fast",
                "there is no workload=huge; there are single, batch",
            ),
            (
                "figure=threads workload=single subject=x",
                "there is no subject=x; there are slow, fast",
            ),
            ("figure=threads workload=single", "subject= is missing"),
            ("figure=threads workload=single subject=fast color=red", "color= has no meaning here"),
            (
                "figure=instructions_per_request workload=single subject=fast",
                "instructions_per_request was not counted",
            ),
            ("table=pretty workload=single", "there is no table=pretty; there are staircase"),
            ("chart=waterfall ablation=x", "there is no ablation=x; there are parser"),
            ("chart=outcomes workload=single", "the record has nothing to draw"),
            ("workload=single", "a marker has one of table=, figure= and chart="),
        ] {
            let error = made(fields).unwrap_err();
            assert!(error.starts_with(expected), "{fields}: {error}");
        }
    }

    #[test]
    fn tables_read_well() {
        insta::assert_snapshot!("staircase", text("table=staircase workload=single"));
        insta::assert_snapshot!("costs", text("table=costs workload=single"));
        insta::assert_snapshot!("ablation", text("table=ablation ablation=parser"));
        insta::assert_snapshot!("overview", text("table=overview measure=requests_per_s"));
        insta::assert_snapshot!("seed", text("table=seed workload=single subject=fast"));
        insta::assert_snapshot!("environment", text("table=environment"));
    }

    #[test]
    fn charts_are_files_beside_the_book() {
        let Content::Chart { file_name, svg, .. } =
            made("chart=waterfall ablation=parser").unwrap()
        else {
            panic!("a chart is a chart");
        };
        assert_eq!(file_name, "sample-parser-batch-cpu_us_per_request-waterfall.svg");
        insta::assert_snapshot!("waterfall", without_style(&svg));
        let Content::Chart { svg, .. } = made("chart=cpu_us_per_request workload=single").unwrap()
        else {
            panic!("a chart is a chart");
        };
        insta::assert_snapshot!("strip", without_style(&svg));
    }

    #[test]
    fn an_overview_hides_no_failures() {
        let mut record = sample::record();
        let run = record.workloads[1].runs.iter_mut().find(|run| run.subject == "fast").unwrap();
        run.load.failures.insert(Failure::Reset, 500);
        let rows = tables::overview(&record, Measure::CpuPerRequest).rows;
        assert!(rows[1][2].is_bad && rows[1][2].notes[1].starts_with("failed: "), "{rows:?}");
        assert!(!rows[1][1].is_bad && !rows[0][2].is_bad);
    }

    #[test]
    fn a_table_says_what_was_offered_and_whether_to_each_the_same() {
        let mut record = sample::record();
        let offer = |record: &mut Record, of_slow, of_fast| {
            for run in &mut record.workloads[0].runs {
                let rate = if run.subject == "slow" { of_slow } else { of_fast };
                run.load.plan.load = Load::Open { rate, arrivals: Arrivals::Poisson };
            }
            let workload = record.workload("single").unwrap();
            tables::staircase(record, workload, &[Measure::LatencyP99], None).caption
        };
        let same = offer(&mut record, 5_000.0, 5_000.0);
        assert!(same.ends_with("; offered were 5,000 requests/s, to each the same"), "{same}");
        let different = offer(&mut record, 5_000.0, 9_000.0);
        assert!(different.ends_with("; offered were 5,000 to 9,000 requests/s"), "{different}");
        assert!(!text("table=staircase workload=single").contains("offered"));
    }

    /// The drawing alone, an element a line.
    fn without_style(svg: &str) -> String {
        let (head, rest) = svg.split_once("<style>").unwrap();
        let (_, tail) = rest.split_once("</style>").unwrap();
        format!("{head}{tail}").replace("><", ">\n<")
    }

    #[test]
    fn a_page_refers_to_charts_from_where_it_stands() {
        for (folder, expected) in [
            ("", "docs/src/images/results/a.svg"),
            ("phase0", "../docs/src/images/results/a.svg"),
            ("docs", "src/images/results/a.svg"),
            ("docs/src/craft1", "../images/results/a.svg"),
        ] {
            assert_eq!(chart_path(Path::new(folder), "a.svg"), expected);
        }
    }
}
