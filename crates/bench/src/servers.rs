use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use interop::{Loopback, Process, Transport, binary, fill, require};
use tempfile::TempDir;

use crate::messages::users;
use crate::workload::Workload;

/// What stands between caller and callee.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Server {
    /// `duologue serve`: a participating function, or the core.
    Duologue,
    /// The same with a journal on the disk of the temporary folder: what is closed stays closed if it dies.
    Durable,
    /// Kamailio with `kamailio.cfg`.
    Kamailio,
    /// OpenSIPS with `opensips.cfg`, or `opensips-b2b.cfg` as a B2BUA.
    OpenSips,
    /// [`crate::null()`].
    Null,
}

impl Server {
    /// As in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Server::Duologue => "duologue",
            Server::Durable => "with journal",
            Server::Kamailio => "kamailio",
            Server::OpenSips => "opensips",
            Server::Null => "null",
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a server is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setting {
    /// A proxy that stays in the dialog.
    OffPath,
    /// A B2BUA.
    OnPath,
    /// A registrar with Digest authentication.
    Registrar,
    /// A proxy that knows the dialogs which pass. What ours always does.
    Dialogs,
}

impl From<Workload> for Setting {
    fn from(workload: Workload) -> Setting {
        match workload {
            Workload::W1 | Workload::W4 => Setting::OffPath,
            Workload::W2 => Setting::OnPath,
            Workload::W5 => Setting::Registrar,
        }
    }
}

/// A server that has opened its socket, and the addresses of its run.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) listen: SocketAddr,
    pub(crate) uac: Loopback,
    pub(crate) uas: Loopback,
    _own: Loopback,
}

pub(crate) const START: Duration = Duration::from_secs(30);

impl Running {
    /// Starts a server that ends by itself after `lifetime`, whatever becomes of who started it.
    pub(crate) fn start(server: Server, setting: Setting, lifetime: Duration) -> Running {
        Running::start_as(server, setting, bounded(lifetime), Process::scratch())
    }

    /// Where a server that is profiled leaves what was counted, in the folder of its process.
    pub(crate) const PROFILE: &str = "callgrind.out";

    /// Starts ours under callgrind.
    pub(crate) fn start_profiled(setting: Setting, lifetime: Duration) -> Running {
        let scratch = Process::scratch();
        // What was counted is written at the end, which takes a while.
        let mut command = bounded_with(lifetime, Duration::from_secs(60));
        let file = scratch.path().join(Running::PROFILE);
        command.arg(require("valgrind")).arg("--tool=callgrind");
        command.arg(format!("--callgrind-out-file={}", file.display()));
        Running::start_as(Server::Duologue, setting, command, scratch)
    }

    fn start_as(server: Server, setting: Setting, mut command: Command, scratch: TempDir) -> Running {
        let (own, uac, uas) = (Loopback::lease(), Loopback::lease(), Loopback::lease());
        let listen = own.at(5060);
        let address = listen.to_string();
        match server {
            Server::Duologue | Server::Durable => {
                let journal = match server {
                    Server::Durable => format!("journal = \"{}/journal\"", scratch.path().display()),
                    Server::Duologue | Server::Kamailio | Server::OpenSips | Server::Null => String::new(),
                };
                duologue(&mut command, setting, [&own, &uac, &uas], &journal, scratch.path());
            }
            Server::Kamailio => kamailio(&mut command, setting, &address, scratch.path()),
            Server::OpenSips => opensips(&mut command, setting, &address, scratch.path()),
            Server::Null => {
                command.arg(std::env::current_exe().expect("a program knows its path")).args(["null", &address]);
            }
        }
        let mut process = Process::start(server.name(), command, scratch);
        process.wait_listening(listen, Transport::Udp, START);
        Running { process, listen, uac, uas, _own: own }
    }

    /// The addresses of caller and callee.
    pub(crate) const fn ends(&self) -> (Ipv4Addr, Ipv4Addr) {
        (self.uac.ip(), self.uas.ip())
    }
}

fn duologue(command: &mut Command, setting: Setting, [own, uac, uas]: [&Loopback; 3], journal: &str, scratch: &Path) {
    let (listen, msrp) = (own.at(5060).to_string(), own.at(2855).to_string());
    let (uac, uas) = (uac.ip().to_string(), uas.ip().to_string());
    let media_path = if setting == Setting::OnPath { "on" } else { "off" };
    let places = [
        ("listen", &*listen),
        ("msrp", &msrp),
        ("uac", &uac),
        ("uas", &uas),
        ("media_path", media_path),
        ("journal", journal),
    ];
    let text = if setting == Setting::Registrar {
        fill(include_str!("../registrar.toml"), &places[..1]) + &subscribers()
    } else {
        fill(include_str!("../duologue.toml"), &places)
    };
    let file = scratch.join("duologue.toml");
    write(&file, &text);
    command.arg(binary("duologue")).args(["--log", "error", "serve", "--config"]).arg(file);
}

fn kamailio(command: &mut Command, setting: Setting, listen: &str, scratch: &Path) {
    let file = scratch.join("kamailio.cfg");
    write(&file, &fill(include_str!("../kamailio.cfg"), &[("listen", listen)]));
    // In front, with its fast allocator (the default one finds errors) and room for all transactions.
    let options = ["-DD", "-E", "-x", "fm", "-X", "fm", "-m", "4096", "-M", "64", "-f"];
    command.arg(require("kamailio")).args(options).arg(file);
    match setting {
        Setting::OffPath | Setting::OnPath => {}
        Setting::Registrar => _ = command.args(["-A", "WITH_REGISTRAR"]),
        Setting::Dialogs => _ = command.args(["-A", "WITH_DIALOG"]),
    }
    command.arg("-P").arg(scratch.join("pid")).arg("-Y").arg(scratch);
}

/// Where Debian's packages of OpenSIPS have its modules.
const OPENSIPS_MODULES: &str = "/usr/lib/x86_64-linux-gnu/opensips/modules/";

fn opensips(command: &mut Command, setting: Setting, listen: &str, scratch: &Path) {
    let modules = std::env::var("OPENSIPS_MODULES").unwrap_or_else(|_| OPENSIPS_MODULES.to_owned());
    let [load_dialog, create_dialog] = match setting {
        Setting::Dialogs => [r#"loadmodule "dialog.so""#, "create_dialog();"],
        Setting::OffPath | Setting::OnPath | Setting::Registrar => ["", ""],
    };
    let places =
        [("listen", listen), ("modules", &modules), ("load_dialog", load_dialog), ("create_dialog", create_dialog)];
    let text = match setting {
        Setting::OnPath => fill(include_str!("../opensips-b2b.cfg"), &places[..2]),
        Setting::OffPath | Setting::Dialogs | Setting::Registrar => fill(include_str!("../opensips.cfg"), &places),
    };
    let file = scratch.join("opensips.cfg");
    write(&file, &text);
    command.arg(require("opensips")).args(["-F", "-m", "4096", "-M", "64", "-f"]).arg(file);
    command.arg("-P").arg(scratch.join("pid"));
}

/// What ends the program after its arguments by itself, whatever becomes of who started it.
pub(crate) fn bounded(lifetime: Duration) -> Command {
    bounded_with(lifetime, Duration::from_secs(5))
}

/// The same, with this much time to end once it is told to.
fn bounded_with(lifetime: Duration, grace: Duration) -> Command {
    let mut command = Command::new("timeout");
    command.arg(format!("--kill-after={}", grace.as_secs())).arg((lifetime.as_secs() + 30).to_string());
    command
}

/// The users of [`crate::messages`], as the configuration has them.
fn subscribers() -> String {
    users().map(|(name, password)| format!("{name} = {{ password = \"{password}\" }}\n")).collect()
}

pub(crate) fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("the scratch folder can be written");
}
