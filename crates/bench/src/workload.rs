use std::fmt;

use crate::load::Work;
use crate::servers::Server;

/// What is compared. The letters are those of `docs/benchmarks.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Workload {
    /// A session through one participating function off the media path.
    W1,
    /// A session through one participating function on the media path.
    W2,
    /// A pager-mode message through one participating function.
    W4,
    /// A registration at the core.
    W5,
}

impl Workload {
    /// As in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Workload::W1 => "W1",
            Workload::W2 => "W2",
            Workload::W4 => "W4",
            Workload::W5 => "W5",
        }
    }

    /// What a call is.
    pub(crate) const fn work(self) -> Work {
        match self {
            Workload::W1 | Workload::W2 => Work::Session,
            Workload::W4 => Work::Message,
            Workload::W5 => Work::Register,
        }
    }

    /// Whether a server can do it: Kamailio is no B2BUA, and a session without legs of ours has nothing to keep. Of OpenSIPS
    /// only what others lack or do otherwise is measured.
    pub const fn suits(self, server: Server) -> bool {
        match server {
            Server::Duologue | Server::Null => true,
            Server::Durable => matches!(self, Workload::W2),
            Server::Kamailio => !matches!(self, Workload::W2),
            Server::OpenSips => matches!(self, Workload::W1 | Workload::W2),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
