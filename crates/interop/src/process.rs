//! A foreign program with its whole family, ended when the guard goes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Transport, is_listening, wait};

/// A running program in a process group of its own.
///
/// What it prints goes to `stdout.log` and `stderr.log` in its scratch folder, and is kept to be waited for. Dropping the
/// guard asks the program to end, and makes the group. While a test panics, the last lines are printed; with INTEROP_KEEP
/// in the environment the folder stays.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    printed: Receiver<String>,
    seen: Vec<String>,
    scratch: Option<TempDir>,
}

/// How long a program has to end itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// How many of the last lines a panic message quotes.
const TAIL: usize = 30;

impl Process {
    /// Makes the folder that a program may write to.
    pub fn scratch() -> TempDir {
        tempfile::Builder::new().prefix("interop-").tempdir().expect("a folder for scratch files can be made")
    }

    /// Starts the program; `name` is how panics call it. The scratch folder goes with the guard.
    pub fn start(name: &str, mut command: Command, scratch: TempDir) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{name}: cannot start {command:?}: {e}"));
        let (lines, printed) = mpsc::channel();
        let streams: [(Option<Box<dyn Read + Send>>, _); 2] = [
            (child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>), "stdout.log"),
            (child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>), "stderr.log"),
        ];
        for (stream, log) in streams {
            let log = File::create(scratch.path().join(log)).expect("the scratch folder can be written");
            collect(stream.expect("both streams are piped"), log, lines.clone());
        }
        Self { name: name.to_owned(), child, status: None, printed, seen: Vec::new(), scratch: Some(scratch) }
    }

    /// The folder with its logs and whatever it wrote.
    pub fn folder(&self) -> &Path {
        self.scratch.as_ref().expect("the folder stays until the guard goes").path()
    }

    /// The process id, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that contains `text` (printed before counts too) and returns it. Panics when the program ends
    /// or the time is over.
    pub fn wait_line(&mut self, text: &str, within: Duration) -> String {
        let mut from = 0;
        self.wait(&format!("a line with {text:?}"), within, |seen| {
            let found = seen[from..].iter().find(|line| line.contains(text)).cloned();
            from = seen.len();
            found
        })
    }

    /// Waits until a look at the world says so: an answer to a probe, a file. Panics as [`Self::wait_line`] does.
    pub fn wait_ready(&mut self, what: &str, within: Duration, mut ready: impl FnMut() -> bool) {
        self.wait(what, within, |_| ready().then_some(()));
    }

    /// Waits until it (or anybody) listens at the address, without sending it anything.
    pub fn wait_listening(&mut self, address: std::net::SocketAddr, transport: Transport, within: Duration) {
        let what = format!("a {} socket at {address}", transport.name());
        self.wait_ready(&what, within, || is_listening(address, transport));
    }

    /// Waits for its end. Panics when the time is over.
    pub fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.has_ended() {
                self.drain();
                return status;
            }
            if Instant::now() >= deadline {
                self.give_up(&format!("did not end within {within:?}"));
            }
            self.read_for(Duration::from_millis(10));
        }
    }

    /// Asks it to end (SIGTERM), and makes the whole group when it does not.
    pub fn stop(&mut self) {
        self.stop_within(GRACE);
    }

    /// Does so, and gives it this long to end itself.
    pub fn stop_within(&mut self, grace: Duration) {
        if self.has_ended().is_some() {
            return;
        }
        self.signal("TERM", "");
        if wait::until(grace, || self.has_ended()).is_none() {
            self.signal("KILL", "-");
            let _ = self.child.wait();
        }
    }

    /// Ends it at once (SIGKILL), as a crash does: the program itself, not its children.
    pub fn kill(&mut self) {
        let _it_may_have_ended = self.child.kill();
        self.status = self.child.wait().ok();
    }

    /// Everything it has printed so far, line by line, both streams.
    pub fn lines(&mut self) -> &[String] {
        self.seen.extend(self.printed.try_iter());
        &self.seen
    }

    /// Its last lines, for a panic message.
    pub fn tail(&mut self) -> String {
        let lines = self.lines();
        let last = lines[lines.len().saturating_sub(TAIL)..].join("\n  ");
        format!("its last lines (INTEROP_KEEP=1 keeps all its files):\n  {last}\n")
    }

    fn wait<T>(&mut self, what: &str, within: Duration, mut look: impl FnMut(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.has_ended();
            if ended.is_some() {
                self.drain();
            }
            if let Some(found) = look(self.lines()) {
                return found;
            }
            if let Some(status) = ended {
                self.give_up(&format!("ended ({status}) before there was {what}"));
            }
            if Instant::now() >= deadline {
                self.give_up(&format!("gave no {what} within {within:?}"));
            }
            self.read_for(Duration::from_millis(10));
        }
    }

    fn give_up(&mut self, what: &str) -> ! {
        let tail = self.tail();
        panic!("{} {what}; {tail}", self.name)
    }

    fn has_ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("our own child can be waited for");
        }
        self.status
    }

    /// Takes what is printed within the time; a line ends the wait.
    fn read_for(&mut self, time: Duration) {
        match self.printed.recv_timeout(time) {
            Ok(line) => self.seen.push(line),
            Err(RecvTimeoutError::Timeout) => {}
            // It closed its streams and lives on: nothing to read, but still something to wait for.
            Err(RecvTimeoutError::Disconnected) => wait::pause(),
        }
    }

    /// Reads to the end of both streams; not for ever, since a grandchild may hold them open.
    fn drain(&mut self) {
        while let Ok(line) = self.printed.recv_timeout(Duration::from_millis(500)) {
            self.seen.push(line);
        }
    }

    /// Signals the program, or with the prefix `-` its group. std can only kill; the shell knows the rest (POSIX `kill`).
    pub(crate) fn signal(&self, signal: &str, prefix: &str) {
        let kill = format!("kill -s {signal} -- {prefix}{}", self.child.id());
        let _ = Command::new("/bin/sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let panics = std::thread::panicking();
        if panics {
            let tail = self.tail();
            eprintln!("{}: {tail}", self.name);
        }
        self.stop();
        // Children that outlived their parent.
        self.signal("KILL", "-");
        if panics
            && std::env::var_os("INTEROP_KEEP").is_some()
            && let Some(scratch) = self.scratch.take()
        {
            eprintln!("{}: all its files are in {}", self.name, scratch.keep().display());
        }
    }
}

/// Copies a stream into its log and, line by line, into the channel.
fn collect(stream: Box<dyn Read + Send>, mut log: File, lines: Sender<String>) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let _ = log.write_all(&line);
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            line.clear();
            if lines.send(text).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start("the script", command, Process::scratch())
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_line_is_found_whether_it_was_printed_before_or_after_and_on_either_stream() {
        let mut process = shell("echo one; echo two >&2; exec cat /dev/zero >/dev/null");
        assert_eq!(process.wait_line("two", LONG), "two");
        assert_eq!(process.wait_line("on", LONG), "one");
        assert!(process.folder().join("stdout.log").exists());
    }

    #[test]
    fn a_program_that_ends_early_panics_with_its_last_words() {
        let error = std::panic::catch_unwind(|| shell("echo I give up; exit 3").wait_line("ready", LONG)).unwrap_err();
        let text = error.downcast_ref::<String>().unwrap();
        assert!(text.contains("exit status: 3") && text.contains("I give up"), "{text}");
    }

    #[test]
    fn the_whole_family_ends_with_the_guard_even_when_it_ignores_the_polite_signal() {
        let mut process = shell("trap '' TERM; sh -c 'trap \"\" TERM; echo child $$; exec sleep 1000' & wait");
        let line = process.wait_line("child", LONG);
        let child = line.trim_start_matches("child ").to_owned();
        assert!(Path::new(&format!("/proc/{child}")).exists());
        process.signal("KILL", "");
        drop(process);
        // A killed process may stay as a zombie until init has read its status.
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        };
        assert!(wait::until(LONG, gone).is_some(), "process {child} lives");
    }

    #[test]
    fn the_exit_status_comes_with_everything_that_was_printed() {
        let mut process = shell("echo last; exit 7");
        assert_eq!(process.wait_exit(LONG).code(), Some(7));
        assert_eq!(process.lines(), ["last"]);
    }
}
