//! Our nodes as processes (`duologue serve`), against software that we did not write: SIPp as clients, Kamailio as cores,
//! OpenSSL as TLS peer, tshark as observer, and the torture messages of RFC 4475 and RFC 5118.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod chat;
mod cluster;
mod flood;
mod foreign_core;
mod ground;
mod hep;
mod kamailio_in_front;
mod kamailio_ladders;
mod kill9;
mod lab_on_the_wire;
mod load;
mod logs;
mod pcap;
mod secured;
mod secured_peers;
mod sipp_clients;
mod torture;
mod traces;
