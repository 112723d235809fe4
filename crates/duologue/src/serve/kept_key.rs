//! The secret of nodes whose configuration has none: drawn once, and kept with the state.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use node::RouteKey;

use super::admin;
use super::config::{Plan, SHORTEST_KEY};

/// Its name in the state directory.
const FILE: &str = "route.key";

/// Where systemd, or whoever starts us, wants state to be. Of several folders the first is ours.
pub(super) fn state_directory() -> Option<PathBuf> {
    let all = std::env::var_os("STATE_DIRECTORY")?;
    let first = all.to_str().and_then(|all| all.split(':').next()).map_or_else(|| PathBuf::from(&all), PathBuf::from);
    (!first.as_os_str().is_empty()).then_some(first)
}

/// Gives nodes without a `key` the one that is kept in `state`. Without such a folder each draws its own, for this life.
pub(super) fn give(plan: &mut Plan, state: Option<&Path>) -> anyhow::Result<()> {
    let cores = plan.cores.iter_mut().map(|core| (&core.name, &mut core.role.route_key));
    let pfs = plan.pfs.iter_mut().map(|pf| (&pf.name, &mut pf.role.route_key));
    let mut kept = None;
    for (node, key) in cores.chain(pfs).filter(|(_, key)| key.is_none()) {
        let Some(state) = state else {
            tracing::warn!(%node, "no `key` and no STATE_DIRECTORY: requests of sessions from before a restart will be refused");
            continue;
        };
        if kept.is_none() {
            kept = Some(read_or_draw(&state.join(FILE))?);
        }
        key.clone_from(&kept);
    }
    Ok(())
}

fn read_or_draw(path: &Path) -> anyhow::Result<RouteKey> {
    let shown = path.display();
    let secret = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => draw(path)
            .with_context(|| format!("cannot keep a key in {shown}; let this user write there, or set `key`"))?,
        read => read.with_context(|| format!("cannot read the key in {shown}; let this user read it, or set `key`"))?,
    };
    let secret = secret.trim();
    ensure!(
        secret.len() >= SHORTEST_KEY,
        "the key in {shown} is too short; remove the file, and another one is drawn, or set `key`"
    );
    Ok(RouteKey::from_secret(secret.as_bytes()))
}

/// Draws one and keeps it, unless another process was faster: then it is that one's.
fn draw(path: &Path) -> io::Result<String> {
    // The file has its name when it is whole: a crash leaves no half of a key.
    let new = path.with_extension(format!("{}.new", std::process::id()));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
    writeln!(file, "{}", admin::secret())?;
    file.sync_all()?;
    let linked = fs::hard_link(&new, path);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => fs::read_to_string(path),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn plan(keys: [&str; 2]) -> Plan {
        let text = format!(
            "[[core]]\nname = \"core\"\nlisten = [\"udp:127.0.0.1:0\"]\ndomain = \"home1.test\"\n{}\n\
             [[pf]]\nname = \"pf\"\nlisten = [\"udp:127.0.0.1:0\"]\nmsrp = \"127.0.0.1:0\"\nmedia_path = \"off\"\n\
             trusted = [\"127.0.0.1\"]\n{}\n",
            keys[0], keys[1]
        );
        Plan::read(&text, &|_| None, &|_| Err(io::ErrorKind::NotFound.into())).unwrap()
    }

    fn given(keys: [&str; 2], state: Option<&Path>) -> [Option<RouteKey>; 2] {
        let mut plan = plan(keys);
        give(&mut plan, state).unwrap();
        [plan.cores[0].role.route_key, plan.pfs[0].role.route_key]
    }

    fn refusal(state: &Path) -> String {
        format!("{:#}", give(&mut plan(["", ""]), Some(state)).unwrap_err())
    }

    const OWN: &str = "key = \"0123456789abcdef\"";

    #[test]
    fn it_is_drawn_once_for_nodes_that_have_none_and_is_the_same_at_the_next_start() {
        let state = tempfile::tempdir().unwrap();
        let first = given(["", ""], Some(state.path()));
        assert!(first[0].is_some() && first[0] == first[1]);
        assert_eq!(given(["", ""], Some(state.path())), first);
        assert_ne!(given(["", ""], Some(tempfile::tempdir().unwrap().path())), first);
        let own = given([OWN, ""], Some(state.path()));
        assert_eq!(own, [Some(RouteKey::from_secret(b"0123456789abcdef")), first[1]]);
        let files: Vec<_> = fs::read_dir(state.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, [FILE], "and nothing else is left");
        assert_eq!(fs::metadata(state.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn nothing_is_kept_where_nobody_needs_it_or_there_is_no_place() {
        let state = tempfile::tempdir().unwrap();
        assert!(given([OWN, OWN], Some(state.path())).iter().all(Option::is_some));
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
        assert_eq!(given(["", ""], None), [None, None]);
    }

    #[test]
    fn a_file_that_is_no_key_is_named_with_the_cure() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join(FILE);
        fs::write(&file, "short\n").unwrap();
        let expected = format!("the key in {} is too short; remove the file", file.display());
        assert!(refusal(state.path()).starts_with(&expected), "{}", refusal(state.path()));
        fs::remove_file(&file).unwrap();
        // For root nothing is unreadable but what is no file.
        fs::create_dir(&file).unwrap();
        let expected = format!("cannot read the key in {}; let this user read it, or set `key`: ", file.display());
        assert!(refusal(state.path()).starts_with(&expected), "{}", refusal(state.path()));
        let nowhere = state.path().join("none");
        let expected = format!("cannot keep a key in {}", nowhere.join(FILE).display());
        assert!(refusal(&nowhere).starts_with(&expected), "{}", refusal(&nowhere));
        // A link to nowhere is not followed.
        let linked = tempfile::tempdir().unwrap();
        symlink("/nonexistent/key", linked.path().join(FILE)).unwrap();
        assert!(refusal(linked.path()).contains("cannot keep a key"), "{}", refusal(linked.path()));
    }
}
