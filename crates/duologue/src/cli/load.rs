//! The options of `duologue load`.

use std::net::{IpAddr, SocketAddr};

use clap::{ArgGroup, Args, ValueEnum};

use super::core_address;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("way").required(true).args(["core", "function", "relay", "splice"])))]
pub(crate) struct Load {
    /// Through cores: both users register, and sessions go from one to the other. Transport, IP address, port
    #[arg(long, value_name = "ADDRESS", value_parser = core_address, requires_all = ["from", "to"], help_heading = "Way")]
    pub(crate) core: Option<sip_tx::Target>,
    /// Straight through one participating function, at its originating URI; it must trust the addresses of both ends
    #[arg(long, value_name = "ADDRESS", value_parser = core_address, help_heading = "Way")]
    pub(crate) function: Option<sip_tx::Target>,
    /// Without SIP, through an MSRP relay that stands in the path (RFC 4976) and asks for no authentication
    #[arg(long, value_name = "IP:PORT", help_heading = "Way")]
    pub(crate) relay: Option<SocketAddr>,
    /// Without SIP, through what forwards the octets of TCP connections to --callee-port
    #[arg(long, value_name = "IP:PORT", requires = "callee_port", help_heading = "Way")]
    pub(crate) splice: Option<SocketAddr>,

    /// Who calls, such as sip:alice@home1.test
    #[arg(long, value_name = "USER", help_heading = "Users")]
    pub(crate) from: Option<String>,
    /// Who is called
    #[arg(long, value_name = "USER", help_heading = "Users")]
    pub(crate) to: Option<String>,
    /// The password of both users; better in the environment than on the command line
    #[arg(long, env = "DUOLOGUE_PASSWORD", hide_env_values = true, default_value = "", help_heading = "Users")]
    pub(crate) password: String,
    /// The core of who is called, if it is another one
    #[arg(long, value_name = "ADDRESS", value_parser = core_address, requires = "core", help_heading = "Users")]
    pub(crate) to_core: Option<sip_tx::Target>,
    /// The IP address of the caller; the kernel chooses the ports
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", help_heading = "Users")]
    pub(crate) listen: IpAddr,
    /// The IP address of the callee, if it is another one
    #[arg(long, value_name = "IP", help_heading = "Users")]
    pub(crate) listen_callee: Option<IpAddr>,
    /// The MSRP port of the callee, for a way that has to know it
    #[arg(long, value_name = "PORT", help_heading = "Users")]
    pub(crate) callee_port: Option<u16>,

    /// Sessions that are held for the whole run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = sessions, conflicts_with = "rate")]
    pub(crate) sessions: usize,
    /// New sessions a second instead, each closed after --hold
    #[arg(long, value_name = "PER SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// How long a session that comes at a rate is held, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = rate, requires = "rate")]
    pub(crate) hold: f64,
    /// Who closes the sessions; `half` is each of both half of them
    #[arg(long, value_enum, default_value = "caller", value_name = "WHO")]
    pub(crate) close_by: Closer,

    /// Messages a second over all sessions, in open model: the schedule waits for nothing
    #[arg(long, value_name = "PER SECOND", value_parser = rate)]
    pub(crate) messages: Option<f64>,
    /// Messages without an answer in each session instead, in closed loop: the most that the server takes
    #[arg(long, value_name = "N", conflicts_with = "messages", value_parser = window)]
    pub(crate) window: Option<usize>,
    /// Octets of each message
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = size)]
    pub(crate) size: usize,
    /// Octets of the largest chunk of a message; those above 2048 are sent so that they can be interrupted
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = chunk)]
    pub(crate) chunk: usize,
    /// Time that is measured, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = rate)]
    pub(crate) duration: f64,
    /// Time before it that is not, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    pub(crate) warm_up: f64,
    /// How long to wait for what is under way, in seconds, at each step from registration to close
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = rate)]
    pub(crate) patience: f64,
    /// A process whose CPU time and memory are measured, with those of its descendants
    #[arg(long, value_name = "PID")]
    pub(crate) watch: Option<u32>,
    /// Print the result as one JSON object on one line, and nothing else, on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Closer {
    Caller,
    Callee,
    Half,
}

/// A day is more than anybody measures, and a million a second more than anybody sends.
const MOST: f64 = 1_000_000.0;

fn rate(text: &str) -> Result<f64, String> {
    seconds(text).ok().filter(|number| *number > 0.0).ok_or_else(|| format!("write a number above 0, at most {MOST}"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=MOST).contains(number));
    number.ok_or_else(|| format!("write a number from 0 to {MOST}"))
}

fn sessions(text: &str) -> Result<usize, String> {
    number(text, 1, 50_000)
}

fn window(text: &str) -> Result<usize, String> {
    number(text, 1, 10_000)
}

fn size(text: &str) -> Result<usize, String> {
    number(text, ::load::SMALLEST, 100 << 20)
}

fn chunk(text: &str) -> Result<usize, String> {
    number(text, 1, 100 << 20)
}

fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("write a number from {least} to {most}"))
}
