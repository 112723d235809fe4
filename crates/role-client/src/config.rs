use msrp::Listeners;
use sdp::MsrpUri;
use sip_tx::{Listener, Target};
use sip_ua::Intervals;

/// A fitting [`Config::max_message`]: 10 MiB.
pub const MAX_MESSAGE: usize = 10 << 20;

/// A CPM client: one device of one user.
#[derive(Clone, Debug)]
pub struct Config {
    /// The user's address-of-record, `sip:alice@home1.test`.
    pub aor: String,
    /// The password for Digest authentication.
    pub password: String,
    /// The core that the client registers with and sends everything to.
    pub core: Target,
    /// The sockets that the host has bound for SIP.
    pub listeners: Vec<Listener>,
    /// Where the host listens for MSRP.
    pub msrp: Listeners,
    /// The MSRP relay that sessions go through (RFC 4976), by IP address and with the account of the user; `None` is the
    /// direct way. The client registers only when the relay has granted a path.
    pub relay: Option<MsrpUri>,
    /// Answer invitations without asking the user (`AutAccept` of the RCS provisioning parameters).
    pub auto_accept: bool,
    /// User-Agent.
    pub user_agent: String,
    /// Seconds of registration to ask for.
    pub expires: u32,
    /// How long a session lives without a sign of life.
    pub intervals: Intervals,
    /// Octets of the largest message that is taken, envelope included; a larger one is refused with 413.
    pub max_message: usize,
}
