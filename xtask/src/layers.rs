//! `cargo xtask layers`: the allowed arrows between our crates, against what cargo sees.

mod sockets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{DependencyKind, Metadata, PackageId};
use serde::Deserialize;

/// `xtask/layers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    may_use: BTreeMap<String, BTreeSet<String>>,
    tests: Tests,
    #[serde(default)]
    keep_out: BTreeMap<String, KeepOut>,
    sockets: Sockets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Tests {
    may_use: BTreeSet<String>,
    test_only: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepOut {
    except: BTreeSet<String>,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sockets {
    names: Vec<String>,
    except: BTreeSet<String>,
}

/// One of our crates as cargo sees it; only what the rules look at.
#[derive(Default)]
struct Member {
    /// Ours, in `[dependencies]` or `[build-dependencies]`.
    uses: BTreeSet<String>,
    /// Ours, in `[dev-dependencies]`.
    tests_use: BTreeSet<String>,
    /// Everything that is linked in, directly or through somebody.
    pulls_in: BTreeSet<String>,
}

/// Checks every arrow of the workspace; the error names crate, arrow and cure.
pub(crate) fn check() -> Result<String> {
    let metadata = crate::metadata()?;
    let path = metadata.workspace_root.join("xtask/layers.toml");
    let table: Table =
        toml::from_str(&fs::read_to_string(&path).with_context(|| path.to_string())?).context("layers.toml")?;
    let members = members(&metadata)?;
    let mut complaints = arrows(&table, &members);
    complaints.extend(kept_out(&table, &members));
    for package in metadata.workspace_packages() {
        if !table.sockets.except.contains(package.name.as_str()) {
            let Some(folder) = package.manifest_path.parent() else { continue };
            complaints.extend(sockets::opened(folder.join("src").as_std_path(), &package.name, &table.sockets.names)?);
        }
    }
    if complaints.is_empty() {
        let arrows: usize = members.values().map(|m| m.uses.len()).sum();
        return Ok(format!("{} crates, {arrows} arrows, all allowed", members.len()));
    }
    bail!("{} arrows or sockets cross a wall:\n  {}", complaints.len(), complaints.join("\n  "))
}

fn members(metadata: &Metadata) -> Result<BTreeMap<String, Member>> {
    let graph = links(metadata)?;
    let ours: BTreeSet<&str> = metadata.workspace_packages().iter().map(|p| p.name.as_str()).collect();
    let mut members = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let mut member = Member { pulls_in: pulled_in(metadata, &graph, &package.id), ..Member::default() };
        for dependency in package.dependencies.iter().filter(|d| ours.contains(d.name.as_str())) {
            let side =
                if dependency.kind == DependencyKind::Development { &mut member.tests_use } else { &mut member.uses };
            side.insert(dependency.name.clone());
        }
        members.insert(package.name.to_string(), member);
    }
    Ok(members)
}

/// Package → packages that it links, tests left aside.
fn links(metadata: &Metadata) -> Result<BTreeMap<&PackageId, Vec<&PackageId>>> {
    let resolve = metadata.resolve.as_ref().context("cargo metadata gave no dependency graph")?;
    let for_build = |d: &&cargo_metadata::NodeDep| d.dep_kinds.iter().any(|k| k.kind != DependencyKind::Development);
    Ok(resolve.nodes.iter().map(|n| (&n.id, n.deps.iter().filter(for_build).map(|d| &d.pkg).collect())).collect())
}

fn pulled_in(metadata: &Metadata, links: &BTreeMap<&PackageId, Vec<&PackageId>>, from: &PackageId) -> BTreeSet<String> {
    let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
    let mut open: Vec<&PackageId> = links.get(from).into_iter().flatten().copied().collect();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(links.get(id).into_iter().flatten());
        }
    }
    metadata.packages.iter().filter(|p| seen.contains(&p.id)).map(|p| p.name.to_string()).collect()
}

/// Arrows that the table does not allow, and lines of the table that name nothing it knows.
fn arrows(table: &Table, members: &BTreeMap<String, Member>) -> Vec<String> {
    let mut complaints = misspelt(table);
    for (name, member) in members {
        let Some(may_use) = table.may_use.get(name) else {
            complaints
                .push(format!("crate {name} has no row under [may-use]; add `{name} = [...]` and say why in docs/adr"));
            continue;
        };
        for used in &member.uses {
            if table.tests.test_only.contains(used) {
                complaints
                    .push(format!("{name} -> {used}: {used} is test support; move it to [dev-dependencies] of {name}"));
            } else if !may_use.contains(used) && !may_use.contains("*") {
                complaints.push(format!(
                    "{name} -> {used} is not allowed; {name} may use {}; {}",
                    list(may_use),
                    cure(name, used)
                ));
            }
        }
        let forbidden =
            |used: &&String| !may_use.contains(*used) && !may_use.contains("*") && !table.tests.may_use.contains(*used);
        for used in member.tests_use.iter().filter(forbidden) {
            complaints.push(format!(
                "{name} -> {used} (tests) is not allowed; tests may also use {}",
                list(&table.tests.may_use)
            ));
        }
    }
    complaints
}

/// Names in the table that are no rows of it: a typing error would otherwise allow nothing, silently.
fn misspelt(table: &Table) -> Vec<String> {
    let named = table.may_use.values().flatten().chain(&table.tests.may_use).chain(&table.tests.test_only);
    let excepted = table.keep_out.values().flat_map(|k| &k.except).chain(&table.sockets.except);
    let unknown: BTreeSet<&String> =
        named.chain(excepted).filter(|n| *n != "*" && !table.may_use.contains_key(*n)).collect();
    unknown
        .into_iter()
        .map(|n| format!("layers.toml names {n}, which has no row under [may-use]; correct the name"))
        .collect()
}

fn kept_out(table: &Table, members: &BTreeMap<String, Member>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, member) in members {
        for (foreign, rule) in &table.keep_out {
            if member.pulls_in.contains(foreign) && !rule.except.contains(name) {
                complaints.push(format!(
                    "{name} pulls in {foreign}: {}; find who brings it with `cargo tree -p {name} -i {foreign} -e normal`",
                    rule.why
                ));
            }
        }
    }
    complaints
}

fn cure(name: &str, used: &str) -> String {
    if name.starts_with("role-") && used.starts_with("role-") {
        return format!("roles never use each other: move what both need to cpm, or let {name} speak SIP to {used}");
    }
    format!(
        "move what {name} needs down to a crate that both may use, or turn the arrow round with an output or a trait"
    )
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        "nothing of ours".to_owned()
    } else {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
