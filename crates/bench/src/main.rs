//! `cargo xtask bench` builds and runs this.
#![expect(clippy::print_stdout, reason = "the results are the output")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bench::{Load, MediaPlan, Options, Pace, Plan, Server, Work};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// What a call costs
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure workloads, ours and others in turn
    Run(Run),
    /// Give our servers their work for a few seconds each, for a guided build to learn from
    Train,
    /// Only the generator, against a server that runs already
    Load(LoadArgs),
    /// Only the floor: a forwarder without state
    Null {
        /// Where it listens
        listen: SocketAddr,
    },
    /// Only the floor of W3: forwards the octets of TCP connections
    Splice {
        /// Where it listens
        listen: SocketAddr,
        /// Where it connects to
        target: SocketAddr,
    },
}

#[derive(Args)]
struct Run {
    /// Which ones (default: all)
    workloads: Vec<Workload>,
    /// Who else runs them
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["kamailio", "null"])]
    against: Vec<Peer>,
    /// How often each server runs
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Measured time of one run in seconds; every round has two runs of each server, of W3 six
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Time before the measurement in seconds; more than 32, or transactions only begin and never end; W3 warms up for 1
    #[arg(long, default_value_t = 35, value_parser = clap::value_parser!(u64).range(0..=600))]
    warm_up: u64,
    /// Sessions held in W6
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000, 100_000])]
    held: Vec<usize>,
    /// How what is measured was built, for the tables
    #[arg(long, default_value = "release build")]
    build: String,
    /// Print one line of JSON as the last line
    #[arg(long)]
    json: bool,
    /// Write the results into this file, in place of the earlier ones
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Workload {
    #[value(name = "message")]
    Message,
    #[value(name = "W1")]
    W1,
    #[value(name = "W2")]
    W2,
    #[value(name = "W3")]
    W3,
    #[value(name = "W4")]
    W4,
    #[value(name = "W5")]
    W5,
    #[value(name = "W6")]
    W6,
    /// Where the instructions of W1, W2 and W5 go
    #[value(name = "profile")]
    Profile,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Peer {
    Kamailio,
    /// The program on the PATH; its modules where Debian has them or in the folder `$OPENSIPS_MODULES`
    Opensips,
    Null,
}

#[derive(Args)]
struct LoadArgs {
    /// The server
    #[arg(long)]
    proxy: SocketAddr,
    /// Its process id: the CPU time of it and its children is measured
    #[arg(long)]
    process: Option<u32>,
    /// Calls at a time
    #[arg(long, default_value_t = 100, conflicts_with = "rate")]
    in_flight: usize,
    /// New calls a second, in place of a number of calls at a time
    #[arg(long)]
    rate: Option<u32>,
    /// Measured time in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Time before in seconds
    #[arg(long, default_value_t = 2)]
    warm_up: u64,
    /// Address of the caller
    #[arg(long, default_value = "127.0.0.3")]
    uac: Ipv4Addr,
    /// Address of the callee
    #[arg(long, default_value = "127.0.0.4")]
    uas: Ipv4Addr,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(run) => measure(&run),
        Command::Train => bench::train(),
        Command::Load(args) => load(&args),
        Command::Null { listen } => {
            ensure!(listen.ip().is_loopback(), "{listen} is no loopback address");
            bench::null(listen)
        }
        Command::Splice { listen, target } => {
            ensure!(
                listen.ip().is_loopback() && target.ip().is_loopback(),
                "{listen} or {target} is no loopback address"
            );
            bench::splice(listen, target)
        }
    }
}

fn measure(run: &Run) -> Result<()> {
    let workloads = if run.workloads.is_empty() { Workload::value_variants() } else { &run.workloads };
    let machine = format!("{}; {}", bench::machine(), run.build);
    let mut results = serde_json::Map::new();
    for workload in workloads {
        let (name, table, json) = match workload {
            Workload::Message => {
                let (table, json) = bench::message_figures()?;
                ("message", table, json)
            }
            Workload::W1 => compared(run, bench::Workload::W1)?,
            Workload::W2 => compared(run, bench::Workload::W2)?,
            Workload::W3 => {
                let servers = std::iter::once(Server::Duologue)
                    .chain(peers(run))
                    .filter(|server| *server != Server::OpenSips)
                    .collect();
                let measured = Duration::from_secs(run.seconds);
                let compared = bench::compare_media(MediaPlan { servers, rounds: run.rounds.into(), measured })?;
                ("W3", bench::media_table(&compared), bench::media_json(&compared))
            }
            Workload::W4 => compared(run, bench::Workload::W4)?,
            Workload::W5 => compared(run, bench::Workload::W5)?,
            Workload::W6 => {
                let settle = Duration::from_secs(run.warm_up);
                let sessions = bench::hold(&run.held, settle, &peers(run).collect::<Vec<_>>())?;
                ("W6", sessions.table(), sessions.json())
            }
            Workload::Profile => ("profile", bench::profile()?, serde_json::Value::Null),
        };
        println!("{name}, {machine}\n\n{table}");
        if let Some(file) = &run.write {
            let text = format!("{machine}.\n\n{table}");
            bench::write_section(file, name, &text).with_context(|| file.display().to_string())?;
        }
        results.insert(name.to_owned(), json);
    }
    if run.json {
        println!("{}", serde_json::json!({ "workloads": results }));
    }
    Ok(())
}

fn compared(run: &Run, workload: bench::Workload) -> Result<(&'static str, String, serde_json::Value)> {
    let compared = bench::compare(plan(run, workload))?;
    Ok((workload.name(), bench::table(&compared), bench::json(&compared)))
}

fn plan(run: &Run, workload: bench::Workload) -> Plan {
    Plan {
        workload,
        servers: [Server::Duologue, Server::Durable]
            .into_iter()
            .chain(peers(run))
            .filter(|server| workload.suits(*server))
            .collect(),
        rounds: run.rounds.into(),
        warm_up: Duration::from_secs(run.warm_up),
        measured: Duration::from_secs(run.seconds),
    }
}

fn peers(run: &Run) -> impl Iterator<Item = Server> {
    run.against.iter().map(|peer| match peer {
        Peer::Kamailio => Server::Kamailio,
        Peer::Opensips => Server::OpenSips,
        Peer::Null => Server::Null,
    })
}

fn load(args: &LoadArgs) -> Result<()> {
    for ip in [args.proxy.ip(), args.uac.into(), args.uas.into()] {
        ensure!(ip.is_loopback(), "{ip} is no loopback address");
    }
    let options = Options {
        proxy: args.proxy,
        process: args.process,
        work: Work::Session,
        pace: args.rate.map_or(Pace::InFlight(args.in_flight), Pace::PerSecond),
        warm_up: Duration::from_secs(args.warm_up),
        measured: Duration::from_secs(args.seconds),
    };
    let outcome = Load::new(options, args.uac, args.uas)?.run()?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
