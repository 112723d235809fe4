//! PostgreSQL, with a database of the test's own.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Process, Transport, require};

/// A server that can be taken away and brought back. It ends with the guard.
#[derive(Debug)]
pub struct Postgres {
    listen: SocketAddr,
    folder: TempDir,
    /// Who it runs as: it refuses to be root.
    owner: Option<(u32, u32)>,
    /// Whether it speaks TLS.
    is_secured: bool,
    /// `None` while it is away.
    server: Option<Process>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Postgres {
    /// Starts a server with a database of its own that listens there and believes everybody.
    pub fn start(listen: SocketAddr) -> Postgres {
        let mut postgres = Postgres::make(listen);
        postgres.restart();
        postgres
    }

    /// The same with TLS, for a certificate and its key in PEM. Who is called `proven` must come over TLS with a password, by
    /// SCRAM; it still believes all others, with TLS and without.
    pub fn start_secured(listen: SocketAddr, certificate: &str, key: &str) -> Postgres {
        let mut postgres = Postgres::make(listen);
        postgres.write("server.crt", certificate);
        // PostgreSQL takes no key that others could read.
        postgres.write("server.key", key);
        let rules = "hostssl all proven all scram-sha-256\nhost all proven all reject\nhost all all all trust\n";
        postgres.write("pg_hba.conf", rules);
        postgres.is_secured = true;
        postgres.restart();
        postgres
    }

    /// Makes a database.
    fn make(listen: SocketAddr) -> Postgres {
        let folder = Process::scratch();
        let owner = is_root().then(|| account("postgres"));
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).expect("root gives folders away");
        }
        let postgres = Postgres { listen, folder, owner, is_secured: false, server: None };
        let mut command = postgres.command("initdb");
        command.arg("-D").arg(postgres.data()).args(["-U", "duologue", "-A", "trust", "--locale=C", "-E", "UTF8"]);
        let done = command.arg("--no-sync").output().expect("initdb runs");
        assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        postgres
    }

    /// Where it is found.
    pub fn url(&self) -> String {
        format!("postgres://duologue@{}/postgres", self.listen)
    }

    /// Takes the server away, as a machine that loses its power does: it breaks all connections and syncs nothing.
    pub fn crash(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.signal("QUIT", "");
            server.wait_exit(PATIENCE);
        }
    }

    /// Starts the server on what is there, and returns when it answers.
    pub fn restart(&mut self) {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-h", &self.listen.ip().to_string(), "-p", &self.listen.port().to_string()]);
        if self.is_secured {
            command.args(["-c", "ssl=on"]);
        }
        let mut server = Process::start("postgres", command, Process::scratch());
        server.wait_listening(self.listen, Transport::Tcp, PATIENCE);
        server.wait_line("ready to accept connections", PATIENCE);
        self.server = Some(server);
    }

    /// Stops its processes where they are: connections stay, and nobody answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// What a query gives: a line for each row, `|` between columns.
    pub fn query(&self, sql: &str) -> String {
        let mut psql = Command::new(require("psql"));
        psql.args(["--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", &self.url(), "-c", sql]).stdin(Stdio::null());
        let done = psql.output().expect("psql runs");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file of its data, that it alone may read.
    fn write(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        std::fs::write(&path, text).expect("its folder can be written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).expect("root gives files away");
        }
    }

    /// Each of its processes has a group of its own.
    fn signal(&self, signal: &str) {
        let Some(server) = &self.server else { return };
        let id = server.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let kill = format!("kill -s {signal} {id} {children}");
        // Some of them may be gone by now.
        let _done = Command::new("/bin/sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may be frozen; and it would wait for its clients if it were asked politely.
        self.signal("CONT");
        self.signal("QUIT");
    }
}

/// The folder of the server's programs: Debian keeps one for each version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.retain(|folder| folder.join("postgres").is_file());
    folders.sort();
    folders.pop().expect("PostgreSQL is not installed; `cargo xtask test` installs what the tests need")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Who we are owns our folder in /proc.
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}

/// User and group of an account.
fn account(name: &str) -> (u32, u32) {
    let accounts = std::fs::read_to_string("/etc/passwd").expect("a system has accounts");
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name));
    let mut fields = line.unwrap_or_else(|| panic!("there is no account {name}")).split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).expect("an account has numbers");
    (number(), number())
}
