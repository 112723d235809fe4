//! What the parser costs per message: nanoseconds, allocations, and, with valgrind, instructions.
//!
//! `cargo bench -p sip` prints a table, `cargo bench -p sip -- --json` one line of JSON. Instructions are counted by
//! running this program under callgrind with N and with 2N iterations and taking the difference.
#![expect(clippy::print_stdout, reason = "the results are the output")]
#![expect(clippy::disallowed_methods, reason = "measuring time takes a clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot read its own samples is broken")]

use std::env;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use sip::{Address, Either, Limits, Message, Name};

/// The messages measured.
const SAMPLES: [(&str, &[u8]); 3] = [
    ("invite-900", include_bytes!("../tests/samples/invite-900.sip")),
    ("bye-406", include_bytes!("../tests/samples/bye-406.sip")),
    ("cpm-invite-2200", include_bytes!("../tests/samples/cpm-invite-2200.sip")),
];

/// What is done with one.
type Level = fn(&Bytes);

const LEVELS: [(&str, Level); 3] = [("index", index), ("typed", typed), ("forward", forward)];

/// L1: parse, which also checks what every element needs.
fn index(bytes: &Bytes) {
    black_box(parse(bytes));
}

/// L2: and read what a proxy looks at.
fn typed(bytes: &Bytes) {
    let message = parse(bytes);
    black_box(message.via());
    black_box((message.from(), message.to()));
    black_box((message.from_tag(), message.to_tag(), message.call_id(), message.cseq(), message.max_forwards()));
    if let Some(route) = message.values(Name::Route).next() {
        black_box(Address::parse(route).unwrap().uri().is_loose());
    }
    black_box(message);
}

/// L3: and forward it as a proxy does.
fn forward(bytes: &Bytes) {
    let Either::Request(request) = parse(bytes).split() else { unreachable!("samples are requests") };
    black_box((request.via(), request.from_tag(), request.to_tag(), request.cseq()));
    if let Some(route) = request.values(Name::Route).next() {
        black_box(Address::parse(route).unwrap().uri().is_loose());
    }
    let mut edit = request.edit();
    edit.uri(b"sip:bob@192.0.2.77:5060;transport=udp");
    edit.prepend(Name::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK3f2a9c81d0e7b654;rport");
    edit.prepend(Name::RecordRoute, "<sip:192.0.2.1:5060;lr>");
    edit.remove_top(Name::Route, 1);
    edit.set(Name::MaxForwards, "69");
    black_box(edit.finish());
}

fn parse(bytes: &Bytes) -> Message {
    Message::parse(bytes.clone(), &Limits::default()).unwrap()
}

fn repeat(level: Level, bytes: &Bytes, count: u64) {
    for _ in 0..count {
        level(black_box(bytes));
    }
}

/// The best of several rounds: the others measure what else the machine did.
fn nanoseconds(level: Level, bytes: &Bytes) -> u64 {
    const COUNT: u64 = 20_000;
    let round = || {
        let start = Instant::now();
        repeat(level, bytes, COUNT);
        start.elapsed().as_nanos() as u64 / COUNT
    };
    (0..10).map(|_| round()).min().unwrap_or_default()
}

fn allocations(level: Level, bytes: &Bytes) -> u64 {
    allocation_counter::measure(|| level(bytes)).count_total
}

fn instructions(level: usize, sample: usize) -> Option<u64> {
    const COUNT: u64 = 500;
    let once = callgrind(level, sample, COUNT)?;
    let twice = callgrind(level, sample, 2 * COUNT)?;
    Some(twice.saturating_sub(once) / COUNT)
}

/// The instructions of a whole run of this program; `None` without valgrind.
fn callgrind(level: usize, sample: usize, count: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().ok()?)
        .args(["--only", &level.to_string(), &sample.to_string(), &count.to_string()])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, after) = text.rsplit_once("Collected :")?;
    after.split_whitespace().next()?.parse().ok()
}

struct Row {
    level: &'static str,
    sample: &'static str,
    bytes: usize,
    nanoseconds: u64,
    allocations: u64,
    instructions: Option<u64>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (s, (sample, text)) in SAMPLES.into_iter().enumerate() {
        let bytes = Bytes::from_static(text);
        for (l, (name, level)) in LEVELS.into_iter().enumerate() {
            rows.push(Row {
                level: name,
                sample,
                bytes: text.len(),
                nanoseconds: nanoseconds(level, &bytes),
                allocations: allocations(level, &bytes),
                instructions: instructions(l, s),
            });
        }
    }
    rows
}

fn json(rows: &[Row]) -> String {
    let row = |r: &Row| {
        let instructions = r.instructions.map_or("null".to_owned(), |n| n.to_string());
        format!(
            r#"{{"sample":"{}","bytes":{},"level":"{}","ns":{},"allocations":{},"instructions":{instructions}}}"#,
            r.sample, r.bytes, r.level, r.nanoseconds, r.allocations
        )
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    format!(r#"{{"bench":"sip-message","rows":[{}]}}"#, rows.join(","))
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [only, level, sample, count] = &args[..]
        && only == "--only"
    {
        let (_, level) = LEVELS[level.parse::<usize>().unwrap()];
        let (_, text) = SAMPLES[sample.parse::<usize>().unwrap()];
        return repeat(level, &Bytes::from_static(text), count.parse().unwrap());
    }
    let rows = rows();
    if args.iter().any(|a| a == "--json") {
        return println!("{}", json(&rows));
    }
    println!("{:<16} {:>6} {:<8} {:>7} {:>7} {:>13}", "sample", "octets", "level", "ns", "allocs", "instructions");
    for r in &rows {
        let instructions = r.instructions.map_or("no valgrind".to_owned(), |n| n.to_string());
        let (ns, allocs) = (r.nanoseconds, r.allocations);
        println!("{:<16} {:>6} {:<8} {ns:>7} {allocs:>7} {instructions:>13}", r.sample, r.bytes, r.level);
    }
}
