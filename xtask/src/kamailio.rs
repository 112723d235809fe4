//! `cargo xtask kamailio`: Figures 9 and 10 through two real Kamailio cores, for somebody who wants to see it. CI plays the same.

use anyhow::Result;

use crate::packages;
use crate::steps::{Steps, cargo};

/// Installs what it takes, plays both figures and shows the ladders.
pub(crate) fn command() -> Result<()> {
    let mut steps = Steps::default();
    steps.check("packages", "cargo xtask kamailio", packages::install)?;
    let test = "kamailio_ladders::figures_9_and_10_conform_through_two_kamailio_cores";
    let words = ["test", "-p", "duologue", "--test", "real", "--", "--nocapture", "--exact", test];
    steps.run("figures", cargo(&words))?;
    steps.summary("kamailio");
    Ok(())
}
