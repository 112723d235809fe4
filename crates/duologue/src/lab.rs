//! `duologue lab`.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write as _, stdout};
use std::process::ExitCode;

use anyhow::Context as _;
use flow::MediaPath;
use flow::ladder::Style;
use lab::{Played, Report, Scenario, Settings};
use wire::{Entropy, Transport};

use crate::cli::{CloseBy, Figure, Lab, Place, SipTransport};

/// Seeds that are drawn stay below this, so that a person can type one.
const SEEDS: u64 = 1_000_000_000;

pub(crate) fn run(options: &Lab) -> anyhow::Result<ExitCode> {
    let transport = match options.transport {
        SipTransport::Udp => Transport::Udp,
        SipTransport::Tcp => Transport::Tcp,
        SipTransport::Tls => Transport::Tls,
    };
    let pcap = options.pcap.as_ref().map(|path| {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        anyhow::Ok((BufWriter::new(file), path))
    });
    let pcap = pcap.transpose()?;
    let seed = options.seed.unwrap_or_else(|| Entropy::from_os().below(SEEDS));
    let settings = Settings { transport, seed, messages: options.messages, size: options.size };

    let mut played = Vec::new();
    for scenario in scenarios(options) {
        let flow = lab::play(&settings, scenario)?;
        if !options.json {
            writeln!(stdout(), "{}", lab::text(&flow.report, &settings, &style()))?;
        }
        played.push(flow);
    }
    if let Some((mut file, path)) = pcap {
        lab::write_pcap(&played, &mut file)
            .and_then(|()| file.flush())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    conclude(options, &played)
}

/// The JSON document or the last line, and the exit status.
fn conclude(options: &Lab, played: &[Played]) -> anyhow::Result<ExitCode> {
    let conforming = played.iter().filter(|played| played.report.conforms).count();
    if options.json {
        let report = Report { flows: played.iter().map(|played| &played.report).collect() };
        writeln!(stdout(), "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(stdout(), "{conforming} of {} flows conform", played.len())?;
    }
    Ok(if conforming == played.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scenarios(options: &Lab) -> Vec<Scenario> {
    let close_by = match options.close_by {
        CloseBy::A => flow::CloseBy::A,
        CloseBy::B => flow::CloseBy::B,
        CloseBy::Both => flow::CloseBy::Both,
    };
    let place = |place: Option<Place>| match place {
        Some(Place::On) => MediaPath::On,
        Some(Place::Off) | None => MediaPath::Off,
    };
    let (off, on) = ((MediaPath::Off, MediaPath::Off), (MediaPath::On, MediaPath::On));
    let places = match options.figure {
        Some(Figure::Nine) => vec![off],
        Some(Figure::Ten) => vec![on],
        None if options.pf_a.or(options.pf_b).is_some() => vec![(place(options.pf_a), place(options.pf_b))],
        Some(Figure::All) | None => vec![off, on],
    };
    places.into_iter().map(|(pf_a, pf_b)| Scenario { pf_a, pf_b, close_by }).collect()
}

fn style() -> Style {
    // https://no-color.org: set and not empty means no colour.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style { colour: stdout().is_terminal() && !plain, ..Style::default() }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn flows(arguments: &str) -> Vec<String> {
        let line = format!("duologue lab {arguments}");
        let Command::Lab(options) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else {
            panic!("not the lab");
        };
        scenarios(&options).iter().map(|scenario| scenario.flow().id.clone()).collect()
    }

    #[test]
    fn options_choose_the_flows() {
        assert_eq!(flows(""), ["c.2.3.1-figure-9", "c.2.3.1-figure-10"]);
        assert_eq!(flows("--figure all"), flows(""));
        assert_eq!(flows("--figure 10"), ["c.2.3.1-figure-10"]);
        assert_eq!(flows("--pf-a on"), ["c.2.3.1-m1"]);
        assert_eq!(flows("--pf-b on"), ["c.2.3.1-m2"]);
        assert_eq!(flows("--pf-a off --close-by b"), ["c.2.3.1-figure-9-b-closes"]);
        assert_eq!(flows("--pf-a on --pf-b on --close-by both"), ["c.2.3.1-figure-10-crossing"]);
    }
}
