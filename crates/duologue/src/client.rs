//! `duologue client`: a CPM client for a person in a terminal, or for a script.

mod command;
mod screen;
mod sessions;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use engine::{ClientAuth, Clock, Handle, Tls};
use node::{Addresses, Bound, ClientPlan, Seat};
use role_client::{Client, Event, SessionId};
use wire::{Entropy, Instant, Transport};

use self::command::{Command, Wait};
use self::screen::Screen;
use self::sessions::Sessions;
use crate::cli::{self, MsrpTransport};
use crate::tls::{self, Names};

/// How long `/wait` waits when it does not say.
const PATIENCE: Duration = Duration::from_secs(30);
/// What typed lines are.
const TEXT: &str = "text/plain;charset=UTF-8";
/// How long the last session may take to close when the input ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the conversation is driven by.
enum Signal {
    Event(Event),
    Line(String),
    EndOfInput,
}

pub(crate) fn run(options: &cli::Client) -> anyhow::Result<ExitCode> {
    let (queue, signals) = channel();
    let clock = Clock::start();
    let client = start(options, clock, &queue)?;
    read_lines(options, queue)?;
    let mut chat = Chat::new(client, clock, signals, Screen::new(options.json));
    chat.client.call(Client::register)?;
    chat.run()
}

/// Binds, and starts the client in an engine of its own.
fn start(options: &cli::Client, clock: Clock, queue: &Sender<Signal>) -> anyhow::Result<Handle<Client>> {
    let any = std::net::SocketAddr::new(options.listen, 0);
    let is_secure = options.core.transport == Transport::Tls;
    // With TLS nothing leaves in the clear but what is asked for.
    let sip = if is_secure { vec![Transport::Tls] } else { vec![Transport::Udp, Transport::Tcp] };
    let msrp = match options.msrp {
        Some(MsrpTransport::Tls) => [Transport::Tls, Transport::Tcp],
        None if is_secure => [Transport::Tls, Transport::Tcp],
        Some(MsrpTransport::Tcp) | None => [Transport::Tcp, Transport::Tls],
    };
    let with_port = |transport| (transport, any);
    let wanted = Addresses {
        sip: sip.into_iter().map(with_port).collect(),
        msrp: msrp.map(with_port).to_vec(),
        client_auth: ClientAuth::Asked,
    };
    let bound = Bound::bind("client", &wanted, Some(tls(options)?))?;
    let plan = ClientPlan {
        aor: options.aor.clone(),
        password: options.password.clone(),
        core: options.core,
        relay: options.msrp_relay.clone(),
        auto_accept: options.auto_accept,
        expires: 600,
    };
    let queue = queue.clone();
    let tell = move |client: &mut Client| {
        while let Some(event) = client.poll_event() {
            // The conversation may be over already.
            drop(queue.send(Signal::Event(event)));
        }
    };
    let host = engine::Options { on_idle: Some(Box::new(tell)), clock, ..engine::Options::default() };
    let seat = Seat { options: sip_tx::Options::default(), entropy: Entropy::from_os(), host };
    Ok(plan.start(bound, seat)?)
}

/// What the command line says about TLS.
fn tls(options: &cli::Client) -> anyhow::Result<Tls> {
    if options.core.transport == Transport::Tls && options.ca.is_none() {
        cli::refuse("client", "a core over TLS is known by a trust anchor; name a file with --ca");
    }
    let names =
        Names { certificate: options.certificate.as_deref(), key: options.key.as_deref(), ca: options.ca.as_deref() };
    let read = tls::read(names, &|file| std::fs::read(file));
    read.map_err(|wrong| anyhow::anyhow!("--{} {}; {}", wrong.which, wrong.problem, wrong.cure))
}

/// Lines of the script, or what a person types. Reading blocks, so it has a thread of its own, which ends with the process.
fn read_lines(options: &cli::Client, queue: Sender<Signal>) -> anyhow::Result<()> {
    let lines: Box<dyn BufRead + Send> = match &options.script {
        Some(path) => {
            Box::new(BufReader::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?))
        }
        None => Box::new(BufReader::new(stdin())),
    };
    std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            if queue.send(Signal::Line(line)).is_err() {
                return;
            }
        }
        drop(queue.send(Signal::EndOfInput));
    })?;
    Ok(())
}

struct Chat {
    client: Handle<Client>,
    clock: Clock,
    signals: Receiver<Signal>,
    screen: Screen,
    sessions: Sessions,
    /// What was said and has not ended, by its identifier; then what was not sent, oldest first.
    said: BTreeMap<String, String>,
    unsent: VecDeque<(String, String)>,
    /// Invitations that wait for the user.
    ringing: VecDeque<SessionId>,
    /// Lines that wait for a `/wait` before them.
    lines: VecDeque<String>,
    waiting: Option<(Wait, Instant)>,
    /// What happened and no `/wait` has been about: a script may be slower than what it waits for.
    happened: BTreeMap<Wait, u32>,
    /// The same of what was tried and will not happen.
    missed: BTreeMap<Wait, u32>,
    /// No more lines come.
    ended: bool,
    failed: bool,
    /// There was no relay to register behind.
    unreachable: bool,
}

impl Chat {
    fn new(client: Handle<Client>, clock: Clock, signals: Receiver<Signal>, screen: Screen) -> Chat {
        Chat {
            client,
            clock,
            signals,
            screen,
            sessions: Sessions::default(),
            said: BTreeMap::new(),
            unsent: VecDeque::new(),
            ringing: VecDeque::new(),
            lines: VecDeque::new(),
            waiting: None,
            happened: BTreeMap::new(),
            missed: BTreeMap::new(),
            ended: false,
            failed: false,
            unreachable: false,
        }
    }

    fn run(&mut self) -> anyhow::Result<ExitCode> {
        loop {
            if self.waiting.is_none()
                && let Some(line) = self.lines.pop_front()
            {
                if !self.obey(&line)? {
                    break;
                }
                continue;
            }
            if self.waiting.is_none() && self.ended && self.lines.is_empty() {
                break;
            }
            match self.next_signal() {
                Some(Signal::Event(event)) => self.on_event(&event)?,
                Some(Signal::Line(line)) => self.lines.push_back(line),
                Some(Signal::EndOfInput) => self.ended = true,
                None => {
                    self.screen.complain("what /wait waited for did not happen");
                    self.failed = true;
                    break;
                }
            }
        }
        self.leave()?;
        Ok(if self.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// The next thing that happens; `None` when patience with a `/wait` is at an end.
    fn next_signal(&self) -> Option<Signal> {
        match self.waiting {
            None => self.signals.recv().ok(),
            Some((_, until)) => self.signals.recv_timeout(until.saturating_since(self.clock.at())).ok(),
        }
    }

    /// Does what a line says; `false` to leave.
    fn obey(&mut self, line: &str) -> anyhow::Result<bool> {
        match Command::parse(line) {
            Ok(Command::Nothing) => {}
            Ok(Command::Invite(to)) => {
                let peer = to.clone();
                match self.client.call(move |client, now| client.invite(&to, now))? {
                    Some(session) => self.sessions.open(session, &peer, true),
                    None => self.complain("the core cannot be reached"),
                }
            }
            Ok(Command::Say(text)) => self.say(text)?,
            Ok(Command::Accept) => match self.ringing.pop_front() {
                Some(session) => {
                    if let Some(number) = self.sessions.number(session) {
                        self.sessions.switch(number);
                    }
                    self.client.call(move |client, now| client.accept(session, now))?;
                }
                None => self.complain("nobody calls"),
            },
            Ok(Command::Decline) => match self.ringing.pop_front() {
                Some(session) => self.client.call(move |client, now| client.decline(session, now))?,
                None => self.complain("nobody calls"),
            },
            Ok(Command::Close) => match self.sessions.current() {
                Some(session) => self.client.call(move |client, now| client.close(session, now))?,
                None => self.complain("there is no session"),
            },
            Ok(Command::Sessions) => self.screen.sessions(&self.sessions),
            Ok(Command::Switch(number)) => {
                if !self.sessions.switch(number) {
                    self.complain("there is no such session; /sessions lists them");
                }
            }
            Ok(Command::Typing) => match self.sessions.current() {
                Some(session) => self.client.call(move |client, now| client.typing(session, now))?,
                None => self.complain("there is no session"),
            },
            Ok(Command::Resend) => self.resend()?,
            Ok(Command::Wait(wait, patience)) => {
                self.waiting = Some((wait, self.clock.at() + patience.unwrap_or(PATIENCE)));
                self.stop_waiting();
            }
            Ok(Command::Help) => self.screen.help(),
            Ok(Command::Quit) => return Ok(false),
            Err(problem) => self.complain(&problem),
        }
        Ok(true)
    }

    fn say(&mut self, text: String) -> anyhow::Result<()> {
        let Some(session) = self.sessions.current() else {
            self.complain("there is no session: /invite somebody first");
            return Ok(());
        };
        let copy = text.clone();
        match self.client.call(move |client, now| client.send(session, &copy, now))? {
            Some(id) => {
                self.screen.sending(&id);
                self.said.insert(id, text);
            }
            None => self.complain("the session takes no more messages"),
        }
        Ok(())
    }

    /// Sends what was not sent again, in the session that lines go to, under the identifiers that it had: its receiver shows
    /// it once, whatever arrived.
    fn resend(&mut self) -> anyhow::Result<()> {
        let Some(session) = self.sessions.current() else {
            self.complain("there is no session");
            return Ok(());
        };
        for (id, text) in std::mem::take(&mut self.unsent) {
            let (again, copy) = (id.clone(), text.clone());
            let send = move |client: &mut Client, now| client.send_again(session, &again, TEXT, copy.as_bytes(), now);
            if self.client.call(send)? {
                self.screen.sending(&id);
                self.said.insert(id, text);
            } else {
                self.unsent.push_back((id, text));
            }
        }
        if !self.unsent.is_empty() {
            self.complain("the session takes no more messages");
        }
        Ok(())
    }

    fn on_event(&mut self, event: &Event) -> anyhow::Result<()> {
        if let Event::Incoming { session, from, .. } = event {
            self.sessions.open(*session, from, false);
        }
        if let Some(wait) = Wait::missed(event).filter(|_| self.is_ours(event)) {
            *self.missed.entry(wait).or_default() += 1;
        }
        self.screen.show(event, &self.sessions);
        match event {
            Event::Incoming { session, .. } => self.ringing.push_back(*session),
            Event::Established { session } => {
                self.ringing.retain(|s| s != session);
                self.sessions.is_up(*session);
            }
            // MSRP is on a shorter way than the ACK.
            Event::MediaUp { session } => self.sessions.is_up(*session),
            Event::Message { session, message_id, .. } => {
                // It is on the screen now.
                let (session, id) = (*session, message_id.clone());
                self.client.call(move |client, now| client.displayed(session, &id, now))?;
            }
            Event::Closed { session, .. } | Event::Failed { session, .. } => {
                self.ringing.retain(|s| s != session);
                self.sessions.over(*session);
            }
            Event::Sent { message_id, .. } => drop(self.said.remove(message_id)),
            Event::NotSent { message_id, .. } => {
                self.unsent.extend(self.said.remove(message_id).map(|text| (message_id.clone(), text)));
            }
            Event::RegistrationFailed { .. } => self.failed = true,
            Event::RelayFailed { .. } => {
                self.failed = true;
                // It is asked before the core: without it there is nothing to come.
                if self.waiting.is_some_and(|(wait, _)| wait == Wait::Registered) {
                    (self.waiting, self.ended, self.unreachable) = (None, true, true);
                    self.lines.clear();
                }
            }
            Event::Registered { .. }
            | Event::RelayUp
            | Event::ReceiptLost { .. }
            | Event::Unregistered
            | Event::Ringing { .. }
            | Event::Delivered { .. }
            | Event::Displayed { .. }
            | Event::Composing { .. } => {}
        }
        for wait in Wait::ALL.into_iter().filter(|wait| wait.is_over(event)) {
            *self.happened.entry(wait).or_default() += 1;
        }
        self.stop_waiting();
        Ok(())
    }

    /// Whether it is about nobody else's doing: a caller who gives up before the user has answered leaves nothing to wait for.
    fn is_ours(&self, event: &Event) -> bool {
        event.session().is_none_or(|session| self.sessions.current() == Some(session))
    }

    /// A `/wait` is over when what it is about has happened once more than earlier ones were about, and patience with it is
    /// when it will not happen.
    fn stop_waiting(&mut self) {
        let Some((wait, _)) = self.waiting else { return };
        let counts = |counts: &mut BTreeMap<Wait, u32>| {
            counts.get_mut(&wait).filter(|count| **count > 0).map(|count| *count -= 1).is_some()
        };
        if counts(&mut self.happened) {
            self.waiting = None;
        } else if counts(&mut self.missed) {
            self.waiting = Some((wait, self.clock.at()));
        }
    }

    /// A wrong line is the user's to mend; in a script there is nobody to do it.
    fn complain(&mut self, problem: &str) {
        self.screen.complain(problem);
        self.failed = true;
    }

    /// Closes what is open and takes the registration away.
    fn leave(&mut self) -> anyhow::Result<()> {
        let open: Vec<SessionId> = self.sessions.iter().map(|talk| talk.session).collect();
        self.client.call(move |client, now| {
            open.into_iter().for_each(|session| client.close(session, now));
            client.deregister(now);
        })?;
        let until = self.clock.at() + FAREWELL;
        let mut unregistered = self.unreachable;
        while !(self.sessions.len() == 0 && unregistered) {
            match self.signals.recv_timeout(until.saturating_since(self.clock.at())) {
                Ok(Signal::Event(event)) => {
                    self.screen.show(&event, &self.sessions);
                    if let Event::Closed { session, .. } | Event::Failed { session, .. } = &event {
                        self.sessions.over(*session);
                    }
                    unregistered |= matches!(event, Event::Unregistered | Event::RegistrationFailed { .. });
                }
                Ok(Signal::Line(_) | Signal::EndOfInput) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }
}
