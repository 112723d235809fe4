//! Tests that show something, for somebody who wants to see it. CI plays the same.

use anyhow::Result;

use crate::packages;
use crate::steps::{Steps, cargo};

/// `cargo xtask kamailio`: both figures through two Kamailio cores.
pub(crate) const KAMAILIO: Show =
    Show { name: "kamailio", test: "kamailio_ladders::figures_9_and_10_conform_through_two_kamailio_cores" };

/// `cargo xtask cluster`: one of two servers dies.
pub(crate) const CLUSTER: Show = Show {
    name: "cluster",
    test: "cluster::a_node_that_dies_is_taken_over_every_end_is_closed_and_each_session_has_one_record",
};

/// A command and the test that it plays, with what that prints.
pub(crate) struct Show {
    name: &'static str,
    test: &'static str,
}

impl Show {
    /// Installs what it takes, and plays it.
    pub(crate) fn command(&self) -> Result<()> {
        let mut steps = Steps::default();
        steps.check("packages", &format!("cargo xtask {}", self.name), packages::install)?;
        let words = ["test", "-p", "duologue", "--test", "real", "--", "--nocapture", "--exact", self.test];
        steps.run(self.name, cargo(&words))?;
        steps.summary(self.name);
        Ok(())
    }
}
