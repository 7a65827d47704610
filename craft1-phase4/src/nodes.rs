//! The fleet: which machines there are, from a CSV file that people edit.
//!
//! What always holds: a bad row costs that row and no other, and is reported by its line; ids are
//! unique; nothing of a node's text can end a line of a log; and however large or strange the file
//! is, what it becomes is bounded.
//!
//! A row is one line: a field in quotes may hold commas and quotes, and no line feed. So a quote
//! that somebody forgot to close costs one row, where it would otherwise swallow the rest of the
//! file (RFC 4180, section 2, allows line feeds in quotes; no column here needs them).

mod file;

use std::collections::HashMap;
use std::num::NonZeroU32;

use csv::{ReaderBuilder, StringRecord, Trim};
use http::uri::Authority;

pub use file::{FleetFile, LoadError};

/// Most nodes: each is ten lines of `GET /metrics`, and a page of some megabytes is the largest
/// that Prometheus takes gladly.
pub const NODES_MAX: usize = 1_000;

/// Longest row in bytes. A real one has about a hundred.
pub const LINE_BYTES_MAX: usize = 1_024;

/// Longest id, role and region in bytes: they are labels, and stand in every sample.
const LABEL_BYTES_MAX: usize = 64;

/// What the first line must name, in any order, with any others beside.
pub const COLUMNS: [&str; 7] =
    ["id", "address", "role", "region", "cpu_cores", "memory_gib", "disk_gib"];

/// What a spreadsheet may put in front of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The machines that a file names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// In the order of the file.
    pub nodes: Vec<Node>,
    /// What was skipped, in the order of the file.
    pub bad_rows: Vec<BadRow>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name, unique in the fleet.
    pub id: String,
    /// Host and port.
    pub address: Authority,
    /// What it is for.
    pub role: String,
    /// Where it stands.
    pub region: String,
    /// How many processors it has.
    pub cpu_cores: u32,
    /// How much memory it has.
    pub memory_bytes: u64,
    /// How much disk it has.
    pub disk_bytes: u64,
}

/// A row that is not a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadRow {
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why a row is not a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It may be anything but a row that somebody wrote.
    #[error("longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// Text is UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Everything behind it would belong to one field.
    #[error("a quote is not closed")]
    OpenQuote,
    /// Too many or too few fields.
    #[error("{found} fields under {expected} columns")]
    Fields {
        /// As many as the first line has.
        expected: usize,
        /// As many as this line has.
        found: usize,
    },
    /// A field cannot be what its column says.
    #[error("{column}: {expected}")]
    Field {
        /// Which one.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The first one counts.
    #[error("id {id} is taken by line {first_line}")]
    TakenId {
        /// The id of both.
        id: String,
        /// Where the other one stands.
        first_line: usize,
    },
    /// [`NODES_MAX`] rows were read.
    #[error("more than {NODES_MAX} rows; this one and all behind it are skipped")]
    TooMany,
}

/// The first line lacks a column, or has it twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the first line must name the column {0}, once")]
pub struct NoColumn(pub &'static str);

impl Fleet {
    /// Reads the text of a file. Lines that are blank are no rows.
    ///
    /// # Errors
    /// Where the first line does not name every one of [`COLUMNS`]: then nobody knows what the
    /// rows mean.
    pub fn parse(text: &[u8]) -> Result<Self, NoColumn> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut lines = text.split(|byte| *byte == b'\n');
        let columns = Columns::find(&fields(lines.next().unwrap_or_default()).unwrap_or_default())?;
        let (mut fleet, mut line_of_id) = (Self::default(), HashMap::new());
        let rows = (2..).zip(lines).filter(|(_, row)| !row.trim_ascii().is_empty());
        for (count, (line, row)) in rows.enumerate() {
            if count == NODES_MAX {
                fleet.bad_rows.push(BadRow { line, reason: Reason::TooMany });
                break;
            }
            match columns.node(row).and_then(|node| unique(node, line, &mut line_of_id)) {
                Ok(node) => fleet.nodes.push(node),
                Err(reason) => fleet.bad_rows.push(BadRow { line, reason }),
            }
        }
        Ok(fleet)
    }
}

/// Where each of [`COLUMNS`] stands in a row.
struct Columns {
    places: [usize; COLUMNS.len()],
    count: usize,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, NoColumn> {
        let mut places = [0; COLUMNS.len()];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            let mut found = header.iter().enumerate().filter(|(_, it)| *it == name);
            match (found.next(), found.next()) {
                (Some((at, _)), None) => *place = at,
                _ => return Err(NoColumn(name)),
            }
        }
        Ok(Self { places, count: header.len() })
    }

    fn node(&self, row: &[u8]) -> Result<Node, Reason> {
        let row = fields(row)?;
        if row.len() != self.count {
            return Err(Reason::Fields { expected: self.count, found: row.len() });
        }
        let [id, address, role, region, cpu_cores, memory_gib, disk_gib] =
            self.places.map(|place| &row[place]);
        Ok(Node {
            id: label("id", id)?,
            address: host_and_port("address", address)?,
            role: label("role", role)?,
            region: label("region", region)?,
            cpu_cores: count("cpu_cores", cpu_cores)?,
            memory_bytes: u64::from(count("memory_gib", memory_gib)?) << 30,
            disk_bytes: u64::from(count("disk_gib", disk_gib)?) << 30,
        })
    }
}

/// The fields of one line.
fn fields(line: &[u8]) -> Result<StringRecord, Reason> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Reason::TooLong);
    }
    // A quote within quotes is written as two, so there is an even number of them, and they cut the
    // line into an odd number of pieces.
    if line.split(|byte| *byte == b'"').count() % 2 == 0 {
        return Err(Reason::OpenQuote);
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .trim(Trim::All)
        .buffer_capacity(LINE_BYTES_MAX)
        .from_reader(line);
    let mut fields = StringRecord::new();
    // From bytes in memory there is one error: text that is none.
    reader.read_record(&mut fields).map_err(|_| Reason::NotUtf8)?;
    Ok(fields)
}

fn label(column: &'static str, text: &str) -> Result<String, Reason> {
    if matches!(text.len(), 1..=LABEL_BYTES_MAX) && !text.contains(char::is_control) {
        Ok(text.into())
    } else {
        Err(Reason::Field { column, expected: "expected 1 to 64 bytes of plain text" })
    }
}

fn host_and_port(column: &'static str, text: &str) -> Result<Authority, Reason> {
    text.parse()
        .ok()
        .filter(|address: &Authority| {
            let has_port = address.port_u16().is_some_and(|port| port > 0);
            has_port && !address.host().is_empty() && !text.contains('@')
        })
        .ok_or(Reason::Field { column, expected: "expected a host and a port, as 10.0.0.7:9100" })
}

fn count(column: &'static str, text: &str) -> Result<u32, Reason> {
    text.parse()
        .map(NonZeroU32::get)
        .map_err(|_| Reason::Field { column, expected: "expected a whole number from 1" })
}

fn unique(
    node: Node,
    line: usize,
    line_of_id: &mut HashMap<String, usize>,
) -> Result<Node, Reason> {
    if let Some(first_line) = line_of_id.get(&node.id) {
        return Err(Reason::TakenId { id: node.id, first_line: *first_line });
    }
    line_of_id.insert(node.id.clone(), line);
    Ok(node)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "id,address,role,region,cpu_cores,memory_gib,disk_gib";
    const ROW: &str = "web-1,10.0.0.7:9100,web,eu-west,4,16,200";

    /// What is wrong with `rows` below a good first line, and how many nodes there are.
    fn read(rows: &[u8]) -> (usize, Vec<String>) {
        let fleet = Fleet::parse(&[HEADER.as_bytes(), b"\n", rows].concat()).unwrap();
        (fleet.nodes.len(), fleet.bad_rows.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_row_is_a_node() {
        let fleet = Fleet::parse(format!("{HEADER}\n{ROW}\n").as_bytes()).unwrap();
        let node = Node {
            id: "web-1".into(),
            address: Authority::from_static("10.0.0.7:9100"),
            role: "web".into(),
            region: "eu-west".into(),
            cpu_cores: 4,
            memory_bytes: 17_179_869_184,
            disk_bytes: 214_748_364_800,
        };
        assert_eq!(fleet, Fleet { nodes: vec![node], bad_rows: vec![] });
    }

    #[test]
    fn columns_are_found_by_name_and_others_do_not_disturb() {
        let text = "rack,disk_gib,memory_gib,cpu_cores,region,role,address,id\n\
                    r7,200,16,4,eu-west,web,10.0.0.7:9100,web-1\n";
        let expected = Fleet::parse(format!("{HEADER}\n{ROW}").as_bytes());
        assert_eq!(Fleet::parse(text.as_bytes()), expected);
    }

    #[test]
    fn without_a_column_nobody_knows_what_the_rows_mean() {
        for name in COLUMNS {
            let lacking = HEADER.replace(name, "other");
            assert_eq!(Fleet::parse(lacking.as_bytes()), Err(NoColumn(name)));
            let repeated = format!("{HEADER},{name}");
            assert_eq!(Fleet::parse(repeated.as_bytes()), Err(NoColumn(name)));
        }
        for nothing in [&b""[..], b"\n", b"\xff\n", ROW.as_bytes()] {
            assert_eq!(Fleet::parse(nothing), Err(NoColumn("id")));
        }
    }

    #[test]
    fn what_spreadsheets_do_to_a_file_does_no_harm() {
        let quoted = r#""web-1","10.0.0.7:9100","web","eu-west","4","16","200""#;
        let expected = Fleet::parse(format!("{HEADER}\n{ROW}").as_bytes());
        for text in [
            format!("\u{feff}{HEADER}\r\n{ROW}\r\n"),
            format!("{HEADER}\n{quoted}\n"),
            format!("{HEADER}\n\n  \n{}\n\n", ROW.replace(',', " , ")),
        ] {
            assert_eq!(Fleet::parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_row_is_named_by_its_line_and_costs_no_other() {
        let long_label = format!("{},10.0.0.7:9100,web,eu-west,4,16,200", "x".repeat(65));
        let long_line = format!("{ROW}{}", " ".repeat(LINE_BYTES_MAX));
        let not_text = "id: expected 1 to 64 bytes of plain text";
        let no_address = "address: expected a host and a port, as 10.0.0.7:9100";
        for (bad, reason) in [
            ("web-1,10.0.0.7:9100,web", "3 fields under 7 columns"),
            ("web-1,10.0.0.7:9100,web,eu-west,4,16,200,9", "8 fields under 7 columns"),
            (",10.0.0.7:9100,web,eu-west,4,16,200", not_text),
            ("\u{7},10.0.0.7:9100,web,eu-west,4,16,200", not_text),
            (&long_label, not_text),
            ("web-1,10.0.0.7:9100,,eu-west,4,16,200", "role: expected 1 to 64 bytes of plain text"),
            ("web-1,10.0.0.7:9100,web,,4,16,200", "region: expected 1 to 64 bytes of plain text"),
            ("web-1,10.0.0.7,web,eu-west,4,16,200", no_address),
            ("web-1,10.0.0.7:0,web,eu-west,4,16,200", no_address),
            ("web-1,10.0.0.7:70000,web,eu-west,4,16,200", no_address),
            ("web-1,:9100,web,eu-west,4,16,200", no_address),
            ("web-1,me@host:9100,web,eu-west,4,16,200", no_address),
            ("web-1,http://host:9100,web,eu-west,4,16,200", no_address),
            ("web-1,host:9100,web,eu-west,0,16,200", "cpu_cores: expected a whole number from 1"),
            ("web-1,host:9100,web,eu-west,4,-1,200", "memory_gib: expected a whole number from 1"),
            ("web-1,host:9100,web,eu-west,4,16,1e3", "disk_gib: expected a whole number from 1"),
            ("\"web-1,host:9100,web,eu-west,4,16,200", "a quote is not closed"),
            (&long_line, "longer than 1024 bytes"),
        ] {
            let rows = format!("{ROW}\n{bad}\n{}\n", ROW.replace("web-1", "web-2"));
            assert_eq!(read(rows.as_bytes()), (2, vec![format!("line 3: {reason}")]), "{bad}");
        }
        assert_eq!(read(b"web-\xff,h:1,web,eu,4,16,200"), (0, vec!["line 2: not UTF-8".into()]));
    }

    #[test]
    fn an_address_may_be_a_name_or_of_either_family() {
        for address in ["web-1.eu.example:80", "127.0.0.1:65535", "[2001:db8::7]:9100"] {
            let row = ROW.replace("10.0.0.7:9100", address);
            assert_eq!(read(row.as_bytes()), (1, vec![]), "{address}");
        }
    }

    #[test]
    fn of_two_with_one_id_the_first_counts() {
        let rows = format!("\n{ROW}\nbad\n{}\n", ROW.replace("web,", "db,"));
        let reports = ["line 4: 1 fields under 7 columns", "line 5: id web-1 is taken by line 3"];
        assert_eq!(read(rows.as_bytes()), (1, reports.map(Into::into).to_vec()));
    }

    #[test]
    fn what_a_file_becomes_is_bounded() {
        let rows = |count: usize| {
            let row = |number| format!("{}\n", ROW.replace("web-1", &format!("web-{number}")));
            (0..count).map(row).collect::<String>()
        };
        assert_eq!(read(rows(NODES_MAX).as_bytes()), (NODES_MAX, vec![]));
        let more = "line 1002: more than 1000 rows; this one and all behind it are skipped";
        assert_eq!(read(rows(NODES_MAX + 5).as_bytes()), (NODES_MAX, vec![more.into()]));
        let bad = "bad\n".repeat(NODES_MAX * 3);
        assert_eq!(read(bad.as_bytes()).1.len(), NODES_MAX + 1, "and so are the reports");
    }

    fn row_or_junk() -> impl Strategy<Value = (bool, String)> {
        let good = "[a-z]{1,9}-[0-9]{1,4}".prop_map(|id| (true, ROW.replace("web-1", &id)));
        let junk = "[^,\n\r]{0,40}".prop_map(|junk| (false, format!("-{junk}")));
        prop_oneof![good, junk]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_stands_between_them_good_rows_are_read(
            rows in prop::collection::vec(row_or_junk(), 0..20)
        ) {
            let text: Vec<&str> = rows.iter().map(|(_, row)| row.as_str()).collect();
            let (nodes, reports) = read(text.join("\n").as_bytes());
            let good: std::collections::HashSet<_> =
                rows.iter().filter(|(is_good, _)| *is_good).map(|(_, row)| row).collect();
            prop_assert_eq!(nodes, good.len());
            prop_assert_eq!(nodes + reports.len(), rows.len());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
            let _ = Fleet::parse(&bytes);
        }
    }
}
