//! `duologue load`.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

use load::{CloseBy, Direct, Messages, Plan, Relay, Sessions, User, Way};

use crate::cli::load::{Closer, Load};

pub(crate) fn run(options: &Load) -> anyhow::Result<ExitCode> {
    let plan = plan(options);
    let outcome = load::run(&plan)?;
    if options.json {
        writeln!(stdout(), "{}", serde_json::to_string(&outcome)?)?;
    } else {
        stdout().write_all(load::text(&outcome, &plan).as_bytes())?;
    }
    Ok(if outcome.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn plan(options: &Load) -> Plan {
    let seconds = Duration::from_secs_f64;
    let messages = match (options.messages, options.window) {
        (Some(rate), _) => Messages::PerSecond(rate),
        (None, Some(window)) => Messages::Window(window),
        (None, None) => Messages::None,
    };
    let sessions = match options.rate {
        Some(rate) => Sessions::PerSecond { rate, hold: seconds(options.hold) },
        None => Sessions::Held(options.sessions),
    };
    Plan {
        way: way(options),
        caller: options.listen,
        callee: options.listen_callee.unwrap_or(options.listen),
        callee_port: options.callee_port.unwrap_or(0),
        sessions,
        messages,
        size: options.size,
        chunk: options.chunk,
        warm_up: seconds(options.warm_up),
        measured: seconds(options.duration),
        close_by: match options.close_by {
            Closer::Caller => CloseBy::Caller,
            Closer::Callee => CloseBy::Callee,
            Closer::Half => CloseBy::Half,
        },
        patience: seconds(options.patience),
        watch: options.watch,
    }
}

/// One of the four is there, which clap has seen to.
fn way(options: &Load) -> Way {
    if let Some(core) = options.core {
        let user = |aor: &Option<String>, core| User {
            aor: aor.clone().unwrap_or_default(),
            password: options.password.clone(),
            core,
        };
        let callee_core = options.to_core.unwrap_or(core);
        return Way::Cores { caller: user(&options.from, core), callee: user(&options.to, callee_core) };
    }
    if let Some(function) = options.function {
        return Way::Direct(Direct { function });
    }
    let relay = options.relay.map(|address| Relay { address, in_path: true });
    let splice = || options.splice.map(|address| Relay { address, in_path: false });
    Way::Relay(relay.or_else(splice).expect("one way is required"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn planned(arguments: &str) -> Result<Plan, clap::Error> {
        let line = format!("duologue load {arguments}");
        let Command::Load(options) = Cli::try_parse_from(line.split_whitespace())?.command else { panic!("not load") };
        Ok(plan(&options))
    }

    #[test]
    fn options_make_a_plan() {
        let plan =
            planned("--function tcp:127.0.0.1:5060 --rate 20 --hold 2.5 --messages 100 --close-by half").unwrap();
        assert!(matches!(plan.way, Way::Direct(_)));
        assert_eq!(plan.sessions, Sessions::PerSecond { rate: 20.0, hold: Duration::from_millis(2500) });
        assert_eq!((plan.messages, plan.close_by), (Messages::PerSecond(100.0), CloseBy::Half));
        let plan = planned("--relay 127.0.0.1:2855 --sessions 10 --window 4").unwrap();
        assert!(matches!(plan.way, Way::Relay(Relay { in_path: true, .. })));
        assert_eq!((plan.sessions, plan.messages), (Sessions::Held(10), Messages::Window(4)));
    }

    #[test]
    fn a_plan_needs_exactly_one_way() {
        for wrong in ["", "--relay 127.0.0.1:1 --function udp:127.0.0.1:1", "--core udp:127.0.0.1:1"] {
            assert_eq!(planned(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
        for wrong in ["--size 10", "--messages -1", "--sessions 0", "--window 0", "--duration 0"] {
            assert!(planned(&format!("--relay 127.0.0.1:1 {wrong}")).is_err(), "{wrong}");
        }
    }
}
