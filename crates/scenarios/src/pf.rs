use std::collections::VecDeque;
use std::time::Duration;

use role_participating::Participating;
use wire::{Input, Instant, Node, Now, Output};

/// How a participating function is broken on purpose, to see that the matcher names the right arrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Its own BYEs never leave.
    DropsBye,
    /// What answers a BYE leaves after the BYE of the next leg.
    ForwardsFirst,
    /// Its 200 to BYE never leaves.
    NeverAnswers,
}

/// A participating function, in order or broken.
#[derive(Debug)]
pub struct BrokenPf {
    inner: Participating,
    fault: Option<Fault>,
    held: VecDeque<Output>,
}

impl BrokenPf {
    /// Wraps a participating function.
    pub const fn new(inner: Participating, fault: Option<Fault>) -> BrokenPf {
        BrokenPf { inner, fault, held: VecDeque::new() }
    }

    /// The one inside.
    pub const fn inner(&mut self) -> &mut Participating {
        &mut self.inner
    }

    /// Looks at the one inside.
    pub const fn get(&self) -> &Participating {
        &self.inner
    }
}

fn text(output: &Output) -> &[u8] {
    match output {
        Output::Datagram { data, .. } | Output::Write { data, .. } => data,
        Output::Connect { .. } | Output::Read { .. } | Output::Close { .. } | Output::Keep { .. } => b"",
    }
}

fn is_bye(output: &Output) -> bool {
    text(output).starts_with(b"BYE ")
}

fn answers_bye(output: &Output) -> bool {
    let text = text(output);
    text.starts_with(b"SIP/2.0 200") && text.windows(6).any(|w| w == b" BYE\r\n")
}

impl Node for BrokenPf {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.inner.handle_input(input, now);
    }

    fn handle_lag(&mut self, lag: Duration, now: Now) {
        self.inner.handle_lag(lag, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.inner.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        loop {
            let Some(output) = self.inner.poll_output() else { return self.held.pop_front() };
            match self.fault {
                Some(Fault::DropsBye) if is_bye(&output) => {}
                Some(Fault::NeverAnswers) if answers_bye(&output) => {}
                Some(Fault::ForwardsFirst) if answers_bye(&output) => self.held.push_back(output),
                Some(_) | None => return Some(output),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }
}
