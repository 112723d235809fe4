//! The foreign software that our tests run against, as Debian packages.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// What the tests start, the Debian package that holds it, and what it proves.
const TOOLS: &[Tool] = &[
    Tool { program: "sipp", package: "sip-tester", role: "foreign SIP clients" },
    Tool { program: "kamailio", package: "kamailio", role: "foreign SIP/IP core" },
    Tool { program: "msrp.so", package: "kamailio-extra-modules", role: "foreign MSRP relay" },
    Tool { program: "tshark", package: "tshark", role: "independent view of the wire" },
    Tool { program: "psql", package: "postgresql", role: "the database that servers share" },
    Tool { program: "openssl", package: "openssl", role: "foreign TLS peers" },
    Tool { program: "curl", package: "curl", role: "foreign HTTP client" },
    Tool { program: "valgrind", package: "valgrind", role: "counts instructions and allocations" },
    Tool { program: "systemctl", package: "systemd", role: "starts and watches our service" },
    Tool { program: "ip", package: "iproute2", role: "network namespaces" },
];

struct Tool {
    program: &'static str,
    package: &'static str,
    role: &'static str,
}

/// Makes sure that every tool is there; as root, by installing it.
pub(crate) fn install() -> Result<String> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|t| !is_installed(t.program)).collect();
    if missing.is_empty() {
        return Ok(format!("{} tools are installed", TOOLS.len()));
    }
    for tool in &missing {
        eprintln!("   missing: {} ({}; Debian package {})", tool.program, tool.role, tool.package);
    }
    let packages: Vec<&str> = missing.iter().map(|t| t.package).collect();
    ensure!(is_installed("apt-get"), "install what provides {packages:?} on this system, then run this again");
    if !is_root()? {
        bail!(
            "the tests need more software; install it with:\n  sudo apt-get install --no-install-recommends {}",
            packages.join(" ")
        );
    }
    let _quiet = NoServices::hold()?;
    if !apt_get(&packages)?.success() {
        // The package lists of a fresh machine are empty or old.
        ensure!(Command::new("apt-get").arg("update").status()?.success(), "apt-get update failed");
        ensure!(apt_get(&packages)?.success(), "apt-get could not install {packages:?}");
    }
    if let Some(still) = missing.iter().find(|t| !is_installed(t.program)) {
        bail!("package {} is installed, but {} is not in PATH", still.package, still.program);
    }
    Ok(format!("installed {}", packages.join(" ")))
}

fn apt_get(packages: &[&str]) -> Result<std::process::ExitStatus> {
    Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .context("apt-get")
}

/// Whether a program is in PATH or in one of the system folders, which the PATH of a plain user often leaves out; or a module
/// is in the folder of Kamailio's, which has the name of the architecture in it.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .chain(libraries.map(|folder| folder.path().join("kamailio/modules")))
        .any(|folder| folder.join(program).is_file())
}

pub(crate) fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("id -u")?;
    Ok(id.stdout.trim_ascii() == b"0")
}

/// While it lives, packages that are installed do not start their services: a test tool must not take port 5060.
/// (Debian Policy §9.3.3.1, `policy-rc.d`: 101 means "action not allowed".)
struct NoServices(Option<&'static Path>);

impl NoServices {
    fn hold() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self(None));
        }
        fs::write(policy, "#!/bin/sh\nexit 101\n").with_context(|| policy.display().to_string())?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(Self(Some(policy)))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = self.0
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("   cannot remove {}: {error}; remove it by hand", policy.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_it_is_and_only_there() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program-of-ours"));
    }
}
