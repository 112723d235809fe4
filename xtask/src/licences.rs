//! Licences and duplicates of everything we link, against `deny.toml`.
//!
//! Where `cargo deny` is installed it does the work. Elsewhere the same file is read and its two rules that need no network
//! are checked here, so that they hold on every machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use cargo_metadata::{Metadata, Package};
use serde::Deserialize;

use crate::spdx;
use crate::steps::cargo;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    #[serde(default)]
    skip: Vec<Skip>,
}

/// A duplicate that is tolerated, with the reason and the condition that ends it.
#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    name_and_version: String,
    #[serde(default)]
    reason: String,
}

/// Checks the whole dependency graph.
pub(crate) fn check() -> Result<String> {
    if cargo(&["deny", "--version"]).output().is_ok_and(|o| o.status.success()) {
        let status = cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]).status()?;
        ensure!(status.success(), "cargo deny refused a dependency");
        return Ok("cargo deny is content".to_owned());
    }
    let metadata = crate::metadata()?;
    let path = metadata.workspace_root.join("deny.toml");
    let deny: Deny =
        toml::from_str(&fs::read_to_string(&path).with_context(|| path.to_string())?).context("deny.toml")?;
    let used = used(&metadata);
    let mut complaints = foreign_licences(&used, &deny.licenses.allow);
    complaints.extend(duplicates(used.iter().map(|p| (p.name.as_str(), p.version.to_string())), &deny.bans.skip));
    if complaints.is_empty() {
        return Ok(format!("{} crates, every licence allowed, no unexplained duplicate", used.len()));
    }
    bail!("deny.toml refuses:\n  {}", complaints.join("\n  "))
}

/// The packages that are really built on our platform.
fn used(metadata: &Metadata) -> Vec<&Package> {
    let resolved: BTreeSet<&str> = metadata.resolve.iter().flat_map(|r| &r.nodes).map(|n| n.id.repr.as_str()).collect();
    metadata.packages.iter().filter(|p| resolved.contains(p.id.repr.as_str())).collect()
}

fn foreign_licences(packages: &[&Package], allowed: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        match package.license.as_deref() {
            None => complaints.push(format!("{name} states no licence")),
            Some(licence) => match spdx::satisfied(licence, &|l| allowed.contains(l)) {
                Ok(true) => {}
                Ok(false) => {
                    complaints.push(format!("{name} is licensed `{licence}`, which [licenses] allow does not cover"))
                }
                Err(error) => complaints.push(format!("{name}: {error}")),
            },
        }
    }
    complaints
}

/// Crates that are linked in several versions, one of which may be excused by a `[bans] skip` entry with a reason.
fn duplicates<'a>(packages: impl Iterator<Item = (&'a str, String)>, skip: &[Skip]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, version) in packages {
        versions.entry(name).or_default().insert(version);
    }
    let mut complaints: Vec<String> = skip
        .iter()
        .filter(|s| s.reason.is_empty())
        .map(|s| format!("[bans] skip of {} states no reason", s.name_and_version))
        .collect();
    for (name, versions) in versions {
        let excused = |v: &String| skip.iter().any(|s| covers(&s.name_and_version, name, v));
        let left: Vec<&str> = versions.iter().filter(|v| !excused(v)).map(String::as_str).collect();
        if left.len() > 1 {
            complaints.push(format!(
                "{name} is linked in versions {}; align them, or excuse one under [bans] skip with the reason (cargo tree -d shows who)",
                left.join(" and ")
            ));
        }
    }
    complaints
}

/// `syn@1` covers every 1.x.y, `syn` every version.
fn covers(pattern: &str, name: &str, version: &str) -> bool {
    let (wanted, prefix) = pattern.split_once('@').unwrap_or((pattern, ""));
    wanted == name && (prefix.is_empty() || version == prefix || version.starts_with(&format!("{prefix}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(name: &str, reason: &str) -> Skip {
        Skip { name_and_version: name.to_owned(), reason: reason.to_owned() }
    }

    fn linked() -> impl Iterator<Item = (&'static str, String)> {
        [("syn", "1.0.9"), ("syn", "2.0.1"), ("bytes", "1.10.0")].map(|(n, v)| (n, v.to_owned())).into_iter()
    }

    #[test]
    fn two_versions_of_one_crate_are_refused_until_one_is_excused() {
        let complaints = duplicates(linked(), &[]);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with("syn is linked in versions 1.0.9 and 2.0.1"), "{complaints:?}");
        assert!(duplicates(linked(), &[skip("syn@1", "until foo 3")]).is_empty());
        assert_eq!(duplicates(linked(), &[skip("syn@1.1", "another version")]).len(), 1);
    }

    #[test]
    fn an_excuse_needs_a_reason() {
        let complaints = duplicates(linked(), &[skip("syn@1", "")]);
        assert_eq!(complaints, ["[bans] skip of syn@1 states no reason"]);
    }
}
