//! The best response (RFC 3261 §16.7 steps 6 and 7).

use bytes::Bytes;
use sip::{Name, Response};
use sip_tx::Stack;

use crate::context::{Context, Outcome};

/// What goes upstream when all forks have refused.
pub(crate) struct Best {
    pub(crate) status: u16,
    pub(crate) bytes: Bytes,
    pub(crate) response: Option<Box<Response>>,
}

impl Context {
    /// Chooses, and takes the chosen response out of its fork. `None` when nothing may be sent.
    pub(crate) fn best(&mut self, stack: &mut Stack) -> Option<Best> {
        // 6. 6xx first, then the lowest class; in it, what helps to try again.
        let outcomes = self.forks.iter().filter_map(|fork| fork.outcome.as_ref());
        let chosen = outcomes.map(Outcome::status).enumerate().min_by_key(|(_, status)| rank(*status));
        let (at, status) = chosen?;

        // RFC 4320 §4.2: 408 never answers a non-INVITE request; upstream has given up by then.
        if status == 408 && !self.is_invite() {
            return None;
        }
        let outcome = self.forks[at].outcome.replace(Outcome::Failed(status));
        match outcome {
            // A 503 concerns the next hop of ours, not upstream's next hop, which is us.
            Some(Outcome::Response(response)) if status != 503 => {
                let bytes = self.print_best(&response);
                Some(Best { status, bytes, response: Some(response) })
            }
            Some(Outcome::Response(_) | Outcome::Failed(_) | Outcome::Success) | None => {
                let status = if status == 503 { 500 } else { status };
                let request = &self.incoming.as_ref()?.request;
                let bytes = request.respond(status, &stack.entropy().tag()).finish();
                Some(Best { status, bytes, response: None })
            }
        }
    }

    fn print_best(&self, response: &Response) -> Bytes {
        self.print_response(response, |edit| {
            if !matches!(response.status(), 401 | 407) {
                return;
            }
            // 7. One answer must carry the challenges of all.
            for fork in &self.forks {
                let Some(Outcome::Response(other)) = &fork.outcome else { continue };
                if matches!(other.status(), 401 | 407) {
                    for name in [Name::WwwAuthenticate, Name::ProxyAuthenticate] {
                        for challenge in other.headers(name) {
                            edit.append(name, challenge);
                        }
                    }
                }
            }
        })
    }
}

/// The smaller the better.
const fn rank(status: u16) -> (u16, u16) {
    let within = match status {
        401 | 407 => 0,
        415 | 420 | 484 => 1,
        // These say least: somebody did not answer, or was told not to.
        408 | 487 | 503 => 3,
        _ => 2,
    };
    let class = status / 100;
    (if class == 6 { 0 } else { class }, within)
}
