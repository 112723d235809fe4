//! Results as a section of `docs/benchmarks.md` and as JSON.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json as value};

use crate::compare::{Compared, Round, Spread};
use crate::load::Outcome;
use crate::servers::Server;

/// A figure of one run.
type Figure = fn(&Outcome) -> f64;
/// One of the two runs of a round.
type Pick = fn(&Round) -> &Outcome;

const PICKS: [(&str, Pick); 2] = [("100 in flight", |r| &r.saturated), ("2,000 calls/s", |r| &r.paced)];

/// The section for a workload.
pub fn table(compared: &Compared) -> String {
    let mut out = String::from(
        "| calls | server | calls/s | CPU µs per call | user | system | set-up p50, p99 ms | close p50, p99 ms | errors | repeated | memory MiB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (name, pick) in PICKS {
        for server in &compared.plan.servers {
            row(&mut out, name, *server, &compared.of(*server), pick);
        }
    }
    out.push('\n');
    for peer in compared.plan.servers.iter().filter(|server| **server != Server::Duologue) {
        let [saturated, paced] = PICKS.map(|(_, pick)| compared.ratios(*peer, pick));
        line(
            &mut out,
            &format!(
                "- CPU per call, duologue by {peer}: {} with 100 in flight, {} at 2,000 calls/s",
                spread(saturated),
                spread(paced)
            ),
        );
    }
    let load = Spread::of(compared.rounds.iter().map(|round| round.load_average));
    let plan = &compared.plan;
    line(
        &mut out,
        &format!(
            "- {} rounds; each run warmed up for {} s and measured for {} s; load average before a run {:.1} to {:.1}",
            plan.rounds,
            plan.warm_up.as_secs(),
            plan.measured.as_secs(),
            load.min,
            load.max
        ),
    );
    out
}

fn row(out: &mut String, name: &str, server: Server, rounds: &[&Round], pick: Pick) {
    let over = |figure: Figure| Spread::of(rounds.iter().map(|round| figure(pick(round))));
    let cpu = over(|o| o.cpu_us);
    let ms = |figure: Figure| over(figure).median / 1000.0;
    let setup = [ms(|o| o.setup.p50_us as f64), ms(|o| o.setup.p99_us as f64)];
    // A call that is one request has no set-up.
    let setup = if setup[0] > 0.0 { format!("{:.2}, {:.2}", setup[0], setup[1]) } else { "–".to_owned() };
    let sum = |figure: fn(&Outcome) -> u64| rounds.iter().map(|round| figure(pick(round))).sum::<u64>();
    line(
        out,
        &format!(
            "| {name} | {server} | {:.0} | {:.1} ({:.1} to {:.1}) | {:.1} | {:.1} | {setup} | {:.2}, {:.2} | {} | {} | {:.0} |",
            over(|o| o.calls_per_s).median,
            cpu.median,
            cpu.min,
            cpu.max,
            over(|o| o.user_us).median,
            over(|o| o.system_us).median,
            ms(|o| o.close.p50_us as f64),
            ms(|o| o.close.p99_us as f64),
            sum(|o| o.errors),
            sum(|o| o.retransmissions),
            over(|o| o.memory_kib as f64).median / 1024.0,
        ),
    );
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ok = writeln!(out, "{text}");
}

pub(crate) fn spread(spread: Spread) -> String {
    format!("{:.2} ({:.2} to {:.2})", spread.median, spread.min, spread.max)
}

/// `{"ours":{…},"against":{"kamailio":{…,"cpu_ratio":…}}}`: medians over the rounds, of the closed loop; under `paced` those
/// at 2,000 calls/s.
pub fn json(compared: &Compared) -> Value {
    let mut against = Map::new();
    for peer in compared.plan.servers.iter().filter(|server| **server != Server::Duologue) {
        let mut figures = both(&compared.of(*peer));
        let [saturated, paced] = PICKS.map(|(_, pick)| compared.ratios(*peer, pick));
        add_ratio(&mut figures, saturated);
        if let Some(Value::Object(figures)) = figures.get_mut("paced") {
            add_ratio(figures, paced);
        }
        against.insert(peer.name().to_owned(), Value::Object(figures));
    }
    value!({ "ours": both(&compared.of(Server::Duologue)), "against": against, "rounds": compared.plan.rounds })
}

fn add_ratio(figures: &mut Map<String, Value>, ratio: Spread) {
    figures.insert("cpu_ratio".to_owned(), value!(ratio.median));
    figures.insert("cpu_ratio_min".to_owned(), value!(ratio.min));
    figures.insert("cpu_ratio_max".to_owned(), value!(ratio.max));
}

fn both(rounds: &[&Round]) -> Map<String, Value> {
    let [(_, saturated), (_, paced)] = PICKS;
    let mut figures = medians(rounds, saturated);
    figures.insert("paced".to_owned(), Value::Object(medians(rounds, paced)));
    figures
}

fn medians(rounds: &[&Round], pick: Pick) -> Map<String, Value> {
    let figures: [(&str, Figure); 11] = [
        ("cpu_us", |o| o.cpu_us),
        ("user_us", |o| o.user_us),
        ("system_us", |o| o.system_us),
        ("calls_per_s", |o| o.calls_per_s),
        ("setup_p50_us", |o| o.setup.p50_us as f64),
        ("setup_p99_us", |o| o.setup.p99_us as f64),
        ("close_p50_us", |o| o.close.p50_us as f64),
        ("close_p99_us", |o| o.close.p99_us as f64),
        ("errors", |o| o.errors as f64),
        ("retransmissions", |o| o.retransmissions as f64),
        ("memory_kib", |o| o.memory_kib as f64),
    ];
    let median = |figure: Figure| Spread::of(rounds.iter().map(|round| figure(pick(round)))).median;
    figures.into_iter().map(|(name, figure)| (name.to_owned(), value!(rounded(median(figure))))).collect()
}

pub(crate) fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// What was measured on, and when: one line.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after_colon = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).map(str::to_owned).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cpu = after_colon(&read("/proc/cpuinfo"), "model name");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel: Vec<&str> = kernel.trim().split(['.', '-']).take(2).collect();
    let date = Command::new("date").args(["-u", "+%F"]).output().map(|o| o.stdout).unwrap_or_default();
    format!("{}: {cores} × {cpu}, Linux {}", String::from_utf8_lossy(&date).trim(), kernel.join("."))
}

/// Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->` of a file.
pub fn write_section(file: &Path, name: &str, text: &str) -> io::Result<()> {
    let old = fs::read_to_string(file)?;
    let new = replaced(&old, name, text).ok_or_else(|| {
        let what = format!("{} has no place <!-- {name} --> … <!-- /{name} -->", file.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })?;
    fs::write(file, new)
}

fn replaced(old: &str, name: &str, text: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = old.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}{}\n{close}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_rest_stays() {
        let old = "a\n<!-- W1 -->\nold\n<!-- /W1 -->\nb\n<!-- W2 -->\n<!-- /W2 -->\n";
        let new = "a\n<!-- W1 -->\nnew\n<!-- /W1 -->\nb\n<!-- W2 -->\n<!-- /W2 -->\n";
        assert_eq!(replaced(old, "W1", "new\n").as_deref(), Some(new));
        assert_eq!(replaced(old, "W3", "new"), None);
    }
}
