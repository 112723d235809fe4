//! The file of session records: one line of JSON for each, rotated, each session once.

mod losses;
mod writer;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use cpim::DateTime;
use cpm::{Closing, MediaPath, SessionCase, SessionRecord, Traffic};
use engine::{CallError, Caller, Gauge, OnIdle};
use role_participating::Participating;
use serde::Serialize;

use losses::Losses;
use writer::Writer;

/// Where the records of a participating function go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordsPlan {
    /// The file that is written to; older ones are `PATH.1`, `PATH.2` and so on.
    pub path: PathBuf,
    /// Octets from which a file is closed and the next begun.
    pub max_octets: u64,
    /// Files that are kept, the one that is written to among them.
    pub files: usize,
}

/// Where records go besides the file.
pub trait RecordSink: Send {
    /// Takes records, all or none. Records that it has already, it may be handed again.
    fn add(&mut self, records: &[SessionRecord]) -> Result<(), String>;

    /// What it is, for the log.
    fn name(&self) -> String;
}

/// Records that may wait for the file. What is beyond waits in the node.
const QUEUE: usize = 4_096;

/// Records that may wait for one that does not take them; what is beyond waits in the node.
const WAITING: usize = 65_536;

/// The sinks, and the thread that feeds them. Dropped after the engine, it writes what is left.
pub(crate) struct Records {
    queue: Option<Receiver<SessionRecord>>,
    send: SyncSender<SessionRecord>,
    gauges: Gauges,
    sinks: Vec<Box<dyn RecordSink>>,
    /// Closed when the thread is to end.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What waits: for the thread, and in it.
#[derive(Clone)]
struct Gauges {
    queued: Gauge,
    waiting: Gauge,
}

impl Gauges {
    fn new() -> Gauges {
        Gauges { queued: Gauge::new("records_queued", QUEUE), waiting: Gauge::new("records_unwritten", WAITING) }
    }
}

impl Records {
    /// Opens the file, if there is to be one. The keys that it has already are not written again.
    pub(crate) fn open(plan: Option<RecordsPlan>, others: Vec<Box<dyn RecordSink>>) -> io::Result<Records> {
        let (send, queue) = sync_channel(QUEUE);
        let file = plan.map(RecordsFile::open).transpose()?;
        let file = file.map(|file| Box::new(file) as Box<dyn RecordSink>);
        let sinks = file.into_iter().chain(others).collect();
        Ok(Records { queue: Some(queue), send, gauges: Gauges::new(), sinks, stop: None, thread: None })
    }

    /// The records that wait outside the node.
    pub(crate) fn gauges(&self) -> [Gauge; 2] {
        [self.gauges.queued.clone(), self.gauges.waiting.clone()]
    }

    /// Takes the node's records, for [`engine::Options::on_idle`].
    pub(crate) fn taker(&self) -> OnIdle<Participating> {
        let (send, queued) = (self.send.clone(), self.gauges.queued.clone());
        let (mut waits, mut losses) = (None, Losses::default());
        Box::new(move |pf| {
            while let Some(record) = waits.take().or_else(|| pf.take_record()) {
                queued.comes();
                match send.try_send(record) {
                    Ok(()) => {}
                    Err(TrySendError::Full(record)) => {
                        queued.taken(1);
                        waits = Some(record);
                        return losses.look(pf.totals().1);
                    }
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
            losses.end(pf.totals().1);
        })
    }

    /// Begins to write, and tells the node what is written.
    pub(crate) fn start(&mut self, name: &str, pf: Caller<Participating>) -> io::Result<()> {
        let Some(queue) = self.queue.take() else { return Ok(()) };
        let writer = Writer::new(std::mem::take(&mut self.sinks), self.gauges.clone());
        // The node's end of the queue is the only one: when the engine is gone, the thread ends.
        let (unused, _) = sync_channel(0);
        self.send = unused;
        let (stop, stopped) = sync_channel(0);
        self.stop = Some(stop);
        let tell = move |keys: &[u64]| {
            let keys = keys.to_vec();
            pf.cast(move |pf, _| keys.into_iter().for_each(|key| pf.record_written(key))) != Err(CallError::Full)
        };
        let thread = thread::Builder::new().name(format!("{name}-records"));
        self.thread = Some(thread.spawn(move || writer.run(&queue, &stopped, tell))?);
        Ok(())
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes records has panicked");
        }
    }
}

/// For a node whose records nobody wants: its journal forgets them.
pub(crate) fn discard_records() -> OnIdle<Participating> {
    Box::new(|pf| {
        while let Some(record) = pf.take_record() {
            pf.record_written(record.key);
        }
    })
}

impl RecordSink for RecordsFile {
    fn add(&mut self, records: &[SessionRecord]) -> Result<(), String> {
        self.append(records).map_err(|error| error.to_string())
    }

    fn name(&self) -> String {
        self.plan.path.display().to_string()
    }
}

/// The files.
struct RecordsFile {
    plan: RecordsPlan,
    file: File,
    octets: u64,
    /// Keys that were written by an earlier life.
    known: BTreeSet<u64>,
}

impl RecordsFile {
    fn open(plan: RecordsPlan) -> io::Result<RecordsFile> {
        if let Some(folder) = plan.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut known = BTreeSet::new();
        for path in [numbered(&plan.path, 1), plan.path.clone()] {
            read_keys(&path, &mut known)?;
        }
        let mut file = open_file(&plan.path)?;
        let octets = cut_last_line(&plan.path, &mut file)?;
        Ok(RecordsFile { plan, file, octets, known })
    }

    /// Writes records whose keys are not there yet, and makes them durable.
    fn append(&mut self, records: &[SessionRecord]) -> io::Result<()> {
        let mut text = Vec::new();
        for record in records.iter().filter(|record| !self.known.contains(&record.key)) {
            serde_json::to_writer(&mut text, &Line::of(record))?;
            text.push(b'\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        if self.octets > 0 && self.octets + text.len() as u64 > self.plan.max_octets {
            self.rotate()?;
        }
        // What a write that failed has left of a line is cut before the next one.
        self.file.set_len(self.octets)?;
        self.file.seek(SeekFrom::Start(self.octets))?;
        self.file.write_all(&text)?;
        self.file.sync_data()?;
        self.octets += text.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for n in (0..self.plan.files).rev() {
            let (from, to) = (numbered(&self.plan.path, n), numbered(&self.plan.path, n + 1));
            let done = if n + 1 == self.plan.files { fs::remove_file(&from) } else { fs::rename(&from, &to) };
            match done {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        (self.file, self.octets) = (open_file(&self.plan.path)?, 0);
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}

/// `PATH` for 0, `PATH.1` and so on.
fn numbered(path: &Path, n: usize) -> PathBuf {
    if n == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

/// A line that was not finished was not reported as written either: it comes again.
fn cut_last_line(path: &Path, file: &mut File) -> io::Result<u64> {
    let bytes = fs::read(path)?;
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1) as u64;
    file.set_len(end)?;
    Ok(end)
}

fn read_keys(path: &Path, known: &mut BTreeSet<u64>) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let key = line.strip_prefix(br#"{"key":""#).and_then(|rest| rest.get(..16));
        let key = key.and_then(|key| std::str::from_utf8(key).ok()).and_then(|key| u64::from_str_radix(key, 16).ok());
        known.extend(key.filter(|_| line.ends_with(b"}")));
    }
    Ok(())
}

/// A record as it is written, for whoever reads it.
#[derive(Serialize)]
pub struct Line<'a> {
    key: String,
    served_user: &'a str,
    case: SessionCase,
    peer: &'a str,
    conversation_id: &'a str,
    contribution_id: &'a str,
    media_path: MediaPath,
    started: String,
    ended: String,
    /// Whose close it was, or what took its place.
    closed_by: &'static str,
    /// Why the network closed, if it did.
    released: Option<&'static str>,
    cause: Option<&'a str>,
    /// What the last BYE to the side that did not close was answered.
    bye: Option<u16>,
    sent: Traffic,
    received: Traffic,
}

impl Line<'_> {
    /// A record.
    pub fn of(record: &SessionRecord) -> Line<'_> {
        Line {
            key: format!("{:016x}", record.key),
            served_user: &record.served_user,
            case: record.case,
            peer: &record.peer,
            conversation_id: &record.conversation_id,
            contribution_id: &record.contribution_id,
            media_path: record.media_path,
            started: DateTime::utc(record.started).to_string(),
            ended: DateTime::utc(record.ended).to_string(),
            closed_by: record.closing.as_str(),
            released: if let Closing::Released(why) = record.closing { Some(why.as_str()) } else { None },
            cause: record.cause.as_deref(),
            bye: record.bye,
            sent: record.sent,
            received: record.received,
        }
    }
}

/// What is logged meanwhile, a line each.
#[cfg(test)]
fn logged(work: impl FnOnce()) -> Vec<String> {
    /// Takes a line at a time.
    struct Lines(std::sync::mpsc::Sender<String>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            drop(self.0.send(String::from_utf8_lossy(line).trim_end().to_owned()));
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (send, lines) = std::sync::mpsc::channel();
    let to = move || Lines(send.clone());
    let format = tracing_subscriber::fmt().with_writer(to).with_ansi(false).with_target(false).without_time();
    tracing::subscriber::with_default(format.finish(), work);
    lines.try_iter().collect()
}

#[cfg(test)]
mod tests;
