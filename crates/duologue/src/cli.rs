//! The command line.

pub(crate) mod ctl;
pub(crate) mod load;

use std::io::Write as _;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::logs::journal;

/// Exit status for wrong options and wrong configuration, as clap has it.
pub(crate) const USAGE: u8 = 2;

/// The open CPM server, and the microscope that comes with it.
#[derive(Parser, Debug)]
#[command(name = "duologue", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logs: Logs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// What to log, such as `info` or `info,net=debug`; otherwise RUST_LOG says
    #[arg(long, value_name = "FILTER", global = true, help_heading = "Logs, on standard error")]
    pub(crate) log: Option<String>,
    /// How to log
    #[arg(long, value_enum, default_value = "text", global = true, help_heading = "Logs, on standard error")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Play a session between two operators on this machine: register, set up, close, and check every message
    ///
    /// Six nodes on loopback sockets with ports that the kernel chooses. Ends by itself; the exit status is 0 only if every
    /// flow conformed.
    Lab(Lab),
    /// Run the nodes of a configuration file: SIP/IP cores and participating functions
    Serve(Serve),
    /// Be a CPM client: register, chat, close
    ///
    /// Every line is a message, but for /invite URI, /accept, /decline, /close, /sessions, /switch N, /typing, /resend, /quit
    /// and /help.
    Client(Box<Client>),
    /// Put load on a server: sessions and their messages with both ends here, and what they meet
    ///
    /// Needs one of --core, --function, --relay and --splice. Ends by itself; the exit status is 0 only if everything arrived,
    /// once, and every session was opened and closed.
    Load(Box<load::Load>),
    /// Ask a running `serve` for its sessions, registrations and logs, and tell it what to do
    Ctl(ctl::Ctl),
    /// Make a token for the admin interface, and the line for its configuration
    Token {
        /// Whose it is, for the audit log
        name: String,
        /// What it is good for
        #[arg(long, value_enum, default_value = "read")]
        role: TokenRole,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in roff
    Man,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TokenRole {
    /// Look.
    Read,
    /// Look and change.
    Operate,
}

#[derive(Args, Debug)]
pub(crate) struct Client {
    /// The user's address-of-record, such as sip:alice@home1.test
    #[arg(value_name = "USER")]
    pub(crate) aor: String,
    /// The user's password; better in the environment than on the command line
    #[arg(long, env = "DUOLOGUE_PASSWORD", hide_env_values = true)]
    pub(crate) password: String,
    /// The core to register with: transport, IP address, port
    #[arg(long, value_name = "ADDRESS", default_value = "udp:127.0.0.1:5060", value_parser = core_address)]
    pub(crate) core: sip_tx::Target,
    /// What the media of our invitations runs over: MSRP over tcp or tls. As the core's transport, if that is not said
    #[arg(long, value_enum, value_name = "TRANSPORT")]
    pub(crate) msrp: Option<MsrpTransport>,
    /// The trust anchors in PEM: over TLS, one of them must vouch for the user's domain
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<String>,
    /// The client's own certificate in PEM; otherwise one is made, which is enough for MSRP
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<String>,
    /// The private key of the certificate
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<String>,
    /// The MSRP relay that sessions go through (RFC 4976), with the user's name and password
    #[arg(long, value_name = "URI", value_parser = relay_uri)]
    pub(crate) msrp_relay: Option<role_client::MsrpUri>,
    /// The IP address to listen on; the kernel chooses the ports
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) listen: std::net::IpAddr,
    /// Accept every invitation
    #[arg(long)]
    pub(crate) auto_accept: bool,
    /// Read lines from a file; `/wait WHAT [SECONDS]` waits for relay-up, registered, incoming, established, message, sent,
    /// not-sent, composing, delivered, displayed or closed, and fails if it does not come
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Print what happens as one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `msrp://127.0.0.1:2855;tcp`.
fn relay_uri(text: &str) -> Result<role_client::MsrpUri, String> {
    let cure = "write msrp://, an IP address and a port and ;tcp, such as msrp://127.0.0.1:2855;tcp";
    let is_fine = |uri: &role_client::MsrpUri| {
        let has_address = uri.host_ip().is_some();
        has_address && !uri.is_tls() && uri.session_id().is_none()
    };
    role_client::MsrpUri::parse(text).ok().filter(is_fine).ok_or_else(|| cure.to_owned())
}

/// `udp:127.0.0.1:5060`.
fn core_address(text: &str) -> Result<sip_tx::Target, String> {
    let cure = "write a transport, an IP address and a port, such as udp:127.0.0.1:5060 or tls:[::1]:5061";
    let (transport, addr) = text.split_once(':').ok_or(cure)?;
    let transport = match transport {
        "udp" => wire::Transport::Udp,
        "tcp" => wire::Transport::Tcp,
        "tls" => wire::Transport::Tls,
        _ => return Err(cure.to_owned()),
    };
    addr.parse().map(|addr| sip_tx::Target::new(transport, addr)).map_err(|_| cure.to_owned())
}

#[derive(Args, Debug)]
pub(crate) struct Lab {
    /// Both participating functions off the media path (9), on it (10), or one after the other (all, the default)
    #[arg(long, value_enum, conflicts_with_all = ["pf_a", "pf_b"])]
    pub(crate) figure: Option<Figure>,
    /// Participating function A's place on the media path; off if only B's is given
    #[arg(long, value_enum, value_name = "PLACE")]
    pub(crate) pf_a: Option<Place>,
    /// Participating function B's place on the media path; off if only A's is given
    #[arg(long, value_enum, value_name = "PLACE")]
    pub(crate) pf_b: Option<Place>,
    /// Who closes the session; `both` at the same moment
    #[arg(long, value_enum, default_value = "a", value_name = "WHO")]
    pub(crate) close_by: CloseBy,
    /// Transport of SIP; with tls, MSRP runs over TLS as well, with certificates that are made for the run
    #[arg(long, value_enum, default_value = "udp")]
    pub(crate) transport: SipTransport,
    /// CPIM messages that each client sends before the close
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) messages: u64,
    /// Size of each message in octets
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub(crate) size: u64,
    /// Write what was on the wire as a capture file for Wireshark and tshark; TLS is shown decrypted, as TCP
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Print the result as one JSON document, and nothing else, on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Same number, same tags, branches and identifiers; otherwise drawn and printed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Figure {
    #[value(name = "9")]
    Nine,
    #[value(name = "10")]
    Ten,
    All,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Place {
    Off,
    On,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum CloseBy {
    A,
    B,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum MsrpTransport {
    Tcp,
    Tls,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum SipTransport {
    Udp,
    Tcp,
    Tls,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/duologue/duologue.toml")]
    pub(crate) config: PathBuf,
    /// Read the configuration, say what is wrong with it or that it is right, and end
    #[arg(long)]
    pub(crate) check: bool,
    /// Print the documented default configuration and end
    #[arg(long, conflicts_with_all = ["config", "check"])]
    pub(crate) print_defaults: bool,
}

/// Ends as clap does for a wrong option of the subcommand `name`: the reason, the usage, status 2.
pub(crate) fn refuse(name: &str, reason: &str) -> ! {
    let mut command = Cli::command();
    command.build();
    let error = match command.find_subcommand_mut(name) {
        Some(subcommand) => subcommand.error(ErrorKind::InvalidValue, reason),
        None => command.error(ErrorKind::InvalidValue, reason),
    };
    error.exit()
}

/// Tells a person what went wrong.
pub(crate) fn complain(error: &anyhow::Error) {
    let priority = if journal::is_listening() { journal::ERROR } else { "" };
    for line in format!("error: {error:#}").lines() {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{priority}{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: &str) -> String {
        let error = Cli::try_parse_from(format!("duologue {arguments}").split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{arguments}");
        error.to_string()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_option_is_named_with_the_right_ones() {
        let all = refusal("lab --figure 11");
        assert!(all.contains("'11'") && all.contains("[possible values: 9, 10, all]"), "{all}");
        assert!(refusal("lab --close-by c").contains("[possible values: a, b, both]"));
        assert!(refusal("lab --transport sctp").contains("[possible values: udp, tcp, tls]"));
        assert!(refusal("lab --pf-a maybe").contains("[possible values: off, on]"));
        assert!(refusal("lab --seed x").contains("'--seed <N>'"));
        assert!(refusal("lab --pcapp x").contains("'--pcap'"));
        assert!(refusal("play").contains("'play'"));
    }

    #[test]
    fn a_figure_and_a_place_contradict_each_other() {
        for place in ["--pf-a on", "--pf-b off"] {
            let text = refusal(&format!("lab --figure 9 {place}"));
            assert!(text.contains("'--figure <FIGURE>' cannot be used with") && text.contains(&place[..6]), "{text}");
        }
    }
}
