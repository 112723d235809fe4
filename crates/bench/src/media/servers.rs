use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use interop::{Loopback, Process, Transport, binary, fill, require};
use load::{Direct, Relay, Way};

use crate::servers::{START, Server, bounded, write};

/// A server that has opened its socket, and the addresses of its run.
pub(crate) struct Running {
    pub(crate) process: Process,
    way: Way,
    caller: Loopback,
    callee: Loopback,
    callee_port: u16,
    _own: Loopback,
}

impl Running {
    /// Starts a server that ends by itself after `lifetime`, whatever becomes of who started it.
    pub(crate) fn start(server: Server, lifetime: Duration) -> Running {
        let (own, caller, callee) = (Loopback::lease(), Loopback::lease(), Loopback::lease());
        let (sip, msrp) = (own.at(5060), own.at(2855));
        let scratch = Process::scratch();
        let mut command = bounded(lifetime);
        let through = |in_path| Way::Relay(Relay { address: msrp, in_path });
        let mut callee_port = 0;
        let (listen, transport, way) = match server {
            Server::Duologue | Server::Durable => {
                let texts = [sip.to_string(), msrp.to_string(), caller.ip().to_string(), callee.ip().to_string()];
                let names = ["listen", "msrp", "caller", "callee"];
                let places: Vec<(&str, &str)> = names.into_iter().zip(texts.iter().map(String::as_str)).collect();
                let file = scratch.path().join("duologue.toml");
                write(&file, &fill(include_str!("../../duologue-msrp.toml"), &places));
                command.arg(binary("duologue")).args(["--log", "error", "serve", "--config"]).arg(file);
                let function = Direct::over_udp(sip);
                (sip, Transport::Udp, Way::Direct(function))
            }
            Server::Kamailio => {
                let file = scratch.path().join("kamailio.cfg");
                write(&file, &fill(include_str!("../../kamailio-msrp.cfg"), &[("listen", &msrp.to_string())]));
                command.arg(require("kamailio"));
                command.args(["-DD", "-E", "-x", "fm", "-X", "fm", "-m", "1024", "-M", "64", "-f"]).arg(file);
                command.arg("-P").arg(scratch.path().join("pid")).arg("-Y").arg(scratch.path());
                (msrp, Transport::Tcp, through(true))
            }
            Server::OpenSips => unreachable!("its relay is not measured"),
            Server::Null => {
                callee_port = callee.at(2855).port();
                let to = SocketAddr::from((callee.ip(), callee_port));
                command.arg(std::env::current_exe().expect("a program knows its path"));
                command.args(["splice", &msrp.to_string(), &to.to_string()]);
                (msrp, Transport::Tcp, through(false))
            }
        };
        let mut process = Process::start(server.name(), command, scratch);
        process.wait_listening(listen, transport, START);
        Running { process, way, caller, callee, callee_port, _own: own }
    }

    /// The addresses of caller and callee.
    pub(crate) const fn ends(&self) -> (Ipv4Addr, Ipv4Addr) {
        (self.caller.ip(), self.callee.ip())
    }

    pub(crate) fn way(&self) -> Way {
        self.way.clone()
    }

    pub(crate) const fn callee_port(&self) -> u16 {
        self.callee_port
    }
}
