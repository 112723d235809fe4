//! `duologue`: the one binary. `lab` plays a session between two operators on this machine and says whether it went as
//! the specification has it; `serve` runs nodes from a configuration file; `client` is a CPM client; `load` puts load on a server;
//! `ctl` speaks to the admin interface of `serve`.

mod cli;
mod client;
mod ctl;
mod lab;
mod load;
mod logs;
mod print;
mod serve;
mod tls;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// A server allocates and frees in small pieces at every message, and keeps some of them for 64*T1.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Lab(options) => logs::start(&cli.logs, "warn").and_then(|_| lab::run(&options)),
        Command::Client(options) => logs::start(&cli.logs, "warn").and_then(|_| client::run(&options)),
        Command::Load(options) => logs::start(&cli.logs, "warn").and_then(|_| load::run(&options)),
        Command::Serve(options) => logs::start(&cli.logs, "info").and_then(|logs| serve::run(&options, logs)),
        Command::Ctl(options) => ctl::run(&options),
        Command::Token { name, role } => print::token(&name, role),
        Command::Completions { shell } => print::completions(shell),
        Command::Man => print::man(),
    };
    outcome.unwrap_or_else(|error| {
        cli::complain(&error);
        ExitCode::FAILURE
    })
}
