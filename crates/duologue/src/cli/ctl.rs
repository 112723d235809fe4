//! The command line of `duologue ctl`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Args, Debug)]
pub(crate) struct Ctl {
    /// Where the admin interface listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090", env = "DUOLOGUE_ADMIN", global = true)]
    pub(crate) server: SocketAddr,
    /// The token to show; better in the environment than on the command line
    #[arg(long, env = "DUOLOGUE_TOKEN", hide_env_values = true, global = true)]
    pub(crate) token: Option<String>,
    /// The file with the token; otherwise /var/lib/duologue/admin.token or ./admin.token, if one of them can be read
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// How to print the answer
    #[arg(long, short, value_enum, default_value = "table", global = true)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For machines.
    Json,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Task {
    /// List the sessions that participating functions hold
    Sessions {
        /// Those of this served user only, such as sip:alice@home1.test
        #[arg(long, value_name = "URI")]
        user: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u32,
    },
    /// Show one session
    Session {
        /// As `sessions` names it
        id: String,
    },
    /// Close a session on all its legs, where the participating function is on the media path
    Close {
        /// As `sessions` names it
        id: String,
    },
    /// Write the SIP and MSRP messages of a session, on all its legs, as a capture file for Wireshark
    ///
    /// They are those that its participating function sent and received, as far as the section `capture` of the configuration keeps them.
    Pcap {
        /// As `sessions` names it
        id: String,
        /// Where to write; otherwise to standard output, unless it is a terminal
        #[arg(long, short, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// List the contacts that are registered at the cores
    Registrations,
    /// List the users, those of the configuration file and those of the store
    Users,
    /// Enter a user into the store, or take one out
    User {
        #[command(subcommand)]
        task: User,
    },
    /// List records of sessions, the one that ended last first
    Records {
        /// Those of this served user only, such as sip:alice@home1.test
        #[arg(long, value_name = "URI")]
        user: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// List the nodes, and whether they take new work
    Nodes,
    /// Check a configuration, or read the running one's file again
    Config {
        #[command(subcommand)]
        task: Config,
    },
    /// Show what is logged, or change it until the process ends
    LogFilter {
        /// Such as `info` or `info,net=debug`
        filter: Option<String>,
    },
    /// List what was changed or refused by way of the admin interface
    Audit,
    /// Print the OpenAPI description of the admin interface
    Openapi,
}

#[derive(Subcommand, Debug)]
pub(crate) enum User {
    /// Enter a user, in place of the one with the same address if there is one
    Put {
        /// Such as sip:alice@home1.test
        user: String,
        /// The file with the password; - for standard input
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
        /// The telephone number in global form, such as +15550001
        #[arg(long)]
        number: Option<String>,
        /// What differs from the default profile, as JSON with the words of the configuration file
        #[arg(long, value_name = "JSON", value_parser = json)]
        profile: Option<serde_json::Value>,
    },
    /// Take a user out
    Remove {
        /// Such as sip:alice@home1.test
        user: String,
    },
}

/// A text that is JSON; one that came as it is would be a string.
fn json(text: &str) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::from_str(text)
}

#[derive(Subcommand, Debug)]
pub(crate) enum Config {
    /// Say what is wrong with a file, or that it is right
    Check {
        /// The file; - for standard input
        file: PathBuf,
    },
    /// Read the file again and apply what can be applied while the nodes run
    Reload,
}
