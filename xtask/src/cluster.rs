//! `cargo xtask cluster`: one of two servers dies, for somebody who wants to see it. CI plays the same.

use anyhow::Result;

use crate::packages;
use crate::steps::{Steps, cargo};

/// Installs what it takes, and plays the death of a node with 1,000 sessions.
pub(crate) fn command() -> Result<()> {
    let mut steps = Steps::default();
    steps.check("packages", "cargo xtask cluster", packages::install)?;
    let test = "cluster::a_node_that_dies_is_taken_over_every_end_is_closed_and_each_session_has_one_record";
    let words = ["test", "-p", "duologue", "--test", "real", "--", "--nocapture", "--exact", test];
    steps.run("cluster", cargo(&words))?;
    steps.summary("cluster");
    Ok(())
}
