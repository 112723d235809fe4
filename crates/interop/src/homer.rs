//! Receivers of HEP of another make: Kamailio with `kamailio/homer.cfg` and `kamailio/homer_all.cfg`.

use std::net::SocketAddr;

use crate::Kamailio;

/// Starts one that reads SIP, and returns when it listens. Its log has a line `copy: …` for each copy.
pub fn homer(listen: SocketAddr) -> Kamailio {
    launch(include_str!("../kamailio/homer.cfg"), listen)
}

/// Starts one that takes whatever comes. For each copy its log has a line `copy: TYPE CORRELATION FIRST-LINE`, and behind it the
/// copy itself.
pub fn homer_of_all(listen: SocketAddr) -> Kamailio {
    launch(include_str!("../kamailio/homer_all.cfg"), listen)
}

fn launch(config: &str, listen: SocketAddr) -> Kamailio {
    Kamailio::launch("homer", &config.replace("{{listen}}", &listen.to_string()), listen)
}
