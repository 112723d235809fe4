//! Who is let in.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{AppendHeaders, IntoResponse as _, Response};

use crate::problem::Problem;
use crate::server::Shared;
use crate::{Role, Token};

/// Wrong tokens from one address before it is not listened to.
const TRIES: u32 = 10;
/// For how long then, and how long a wrong token counts.
const PAUSE: Duration = Duration::from_secs(60);
/// Addresses whose wrong tokens are counted; when there are more, the oldest is forgotten.
const SOURCES: usize = 1_000;

/// Wrong tokens by address.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    by_source: RwLock<BTreeMap<IpAddr, (u32, Instant)>>,
}

impl Failures {
    fn is_too_many(&self, source: IpAddr, now: Instant) -> bool {
        let known = self.by_source.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&source).is_some_and(|(times, last)| *times >= TRIES && now.duration_since(*last) < PAUSE)
    }

    fn note(&self, source: IpAddr, now: Instant) {
        let mut known = self.by_source.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SOURCES && !known.contains_key(&source) {
            let oldest = known.iter().min_by_key(|(_, (_, last))| *last).map(|(source, _)| *source);
            oldest.map(|source| known.remove(&source));
        }
        let (times, last) = known.entry(source).or_insert((0, now));
        *times = if now.duration_since(*last) < PAUSE { times.saturating_add(1) } else { 1 };
        *last = now;
    }
}

/// Lets in who shows a token that is good for what is asked; GET is looking, everything else is changing.
pub(crate) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let is_looking = request.method() == Method::GET;
    admit(&shared, request, next, is_looking).await
}

/// The same for what only those may see who may change things, and what is written down even if it is only seen.
pub(crate) async fn check_private(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    admit(&shared, request, next, false).await
}

#[expect(clippy::disallowed_methods, reason = "a host of HTTP, with a clock")]
async fn admit(shared: &Shared, request: Request, next: Next, is_looking: bool) -> Response {
    let source = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0; 4]), |info| info.0.ip());
    let what = format!("{} {}", request.method(), request.uri().path());
    let now = Instant::now();

    // 1. Who has guessed too often is not listened to, nor written down: the wrong tokens before have been.
    if shared.failures.is_too_many(source, now) {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens; try again in a minute");
        return (AppendHeaders([(header::RETRY_AFTER, "60")]), problem).into_response();
    }

    // 2. Whose token it is, and whether it is good for this.
    let tokens = shared.tokens();
    let token = shown(&request).and_then(|shown| Token::find(&tokens, shown));
    let who = token.map(|token| token.name.clone());
    let answer = match token {
        None => {
            shared.failures.note(source, now);
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "show a token: Authorization: Bearer TOKEN");
            (AppendHeaders([(header::WWW_AUTHENTICATE, "Bearer")]), problem).into_response()
        }
        Some(token) if !is_looking && token.role < Role::Operate => {
            Problem::new(StatusCode::FORBIDDEN, "this token may look at what is not private, and change nothing")
                .into_response()
        }
        Some(_) if is_looking => return next.run(request).await,
        Some(_) => next.run(request).await,
    };

    // 3. What was changed or refused is written down before anybody hears of it.
    shared.note(who, source, what, answer.status()).await;
    answer
}

fn shown(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "points in time to count from")]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_is_not_listened_to_for_a_minute() {
        let (failures, here, there) = (Failures::default(), IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let now = Instant::now();
        for n in 0..TRIES {
            assert!(!failures.is_too_many(here, now), "{n}");
            failures.note(here, now);
        }
        assert!(failures.is_too_many(here, now + PAUSE / 2));
        assert!(!failures.is_too_many(there, now) && !failures.is_too_many(here, now + PAUSE));
        failures.note(here, now + PAUSE);
        assert!(!failures.is_too_many(here, now + PAUSE), "it counts anew");
    }

    #[test]
    fn addresses_are_bounded() {
        let (failures, now) = (Failures::default(), Instant::now());
        for n in 0..SOURCES as u32 + 7 {
            failures.note(IpAddr::from(n.to_be_bytes()), now + Duration::from_millis(n.into()));
        }
        assert_eq!(failures.by_source.read().unwrap().len(), SOURCES);
    }
}
