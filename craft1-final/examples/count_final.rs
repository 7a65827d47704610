//! Does one thing of the benchmarks so many times and nothing else, so that its instructions can be
//! counted: `valgrind --tool=callgrind count_final "http read/1 request/ours" 100`. Without arguments it
//! prints what it can do. `cargo compare layers` runs it.

#[path = "../benches/http/work.rs"]
mod http;
#[path = "../benches/transcode/work.rs"]
mod transcode;

fn main() {
    testkit::work::count(http::all().into_iter().chain(transcode::all()));
}
