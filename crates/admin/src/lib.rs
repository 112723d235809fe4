//! The admin interface: an HTTP API for operators with its OpenAPI description, the metrics, and the client of both.
//!
//! It knows neither roles nor sockets of SIP: what it shows and does is an [`Operator`]'s, whose calls may block and are made
//! on threads that may. It runs in a thread of its own, so that an operator who asks for much takes nothing from the nodes.
//!
//! Who asks shows a [`Token`]; only its SHA-256 is known here. Whoever shows none, or a wrong one, is answered 401, written
//! into the audit log, and after a few times not listened to for a while.

mod api;
mod audit;
mod client;
mod exchange;
mod guard;
mod metrics;
mod operator;
mod problem;
mod server;
mod token;

pub use api::description;
pub use audit::AuditEntry;
pub use client::{Client, ClientError};
pub use exchange::exchange;
pub use metrics::{Measurement, Value};
pub use operator::{
    CloseError, NodeStatus, Operator, PcapError, Record, Registration, Session, SessionQuery, StoreProblem, Traffic,
    Unavailable, User, UserEntry,
};
pub use server::{Api, Server};
pub use token::{Role, Token, TokenError};
