//! Speaks HTTP to the collector: a request and a connection for each batch.

use std::error::Error;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use serde_json::Value;
use tokio::runtime::{self, Runtime};

use super::TracesPlan;

/// What a collector says about a batch is short.
const LONGEST_ANSWER: usize = 64 << 10;

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Posted {
    /// The collector has it, but for so many spans.
    Taken { rejected: u64 },
    /// It may be taken another time.
    Again(String),
    /// It never will be.
    Refused(String),
}

pub(super) struct Collector {
    plan: TracesPlan,
    /// Of the calling thread alone.
    runtime: Runtime,
}

impl Collector {
    pub(super) fn new(plan: &TracesPlan) -> std::io::Result<Collector> {
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Collector { plan: plan.clone(), runtime })
    }

    /// Waits for an answer as long as that.
    pub(super) fn post(&self, body: Vec<u8>, patience: Duration) -> Posted {
        let answer = self.runtime.block_on(async { tokio::time::timeout(patience, self.exchange(body)).await });
        match answer {
            Ok(Ok((status, answer))) => judge(status, &answer),
            Ok(Err(error)) => Posted::Again(error.to_string()),
            Err(_late) => Posted::Again(format!("no answer in {} s", patience.as_secs())),
        }
    }

    async fn exchange(&self, body: Vec<u8>) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
        let request = Request::post(&self.plan.path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("duologue/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))?;
        admin::exchange(self.plan.address, request, LONGEST_ANSWER).await
    }
}

/// The OTLP specification names the statuses after which a batch is sent again.
fn judge(status: StatusCode, answer: &[u8]) -> Posted {
    if status.is_success() {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let rejected = &answer["partialSuccess"]["rejectedSpans"];
        // JSON of Protocol Buffers writes such a number as a string, and takes both.
        let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
        return Posted::Taken { rejected: rejected.unwrap_or(0) };
    }
    match status.as_u16() {
        429 | 502 | 503 | 504 => Posted::Again(status.to_string()),
        _ => Posted::Refused(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_collector_that_does_not_answer_is_not_waited_for_long() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let plan = TracesPlan { address: silent.local_addr().unwrap(), path: "/v1/traces".to_owned() };
        let posted = Collector::new(&plan).unwrap().post(b"{}".to_vec(), Duration::from_millis(20));
        assert_eq!(posted, Posted::Again("no answer in 0 s".to_owned()));
    }

    #[test]
    fn what_a_collector_says_decides_whether_it_is_asked_again() {
        let judged = |status, text: &str| judge(StatusCode::from_u16(status).unwrap(), text.as_bytes());
        let taken = |rejected| Posted::Taken { rejected };
        assert_eq!(judged(200, "{}"), taken(0));
        assert_eq!(judged(200, ""), taken(0));
        assert_eq!(judged(200, r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"old"}}"#), taken(3));
        assert_eq!(judged(200, r#"{"partialSuccess":{"rejectedSpans":2}}"#), taken(2));
        for status in [429, 502, 503, 504] {
            assert!(matches!(judged(status, ""), Posted::Again(_)), "{status}");
        }
        for status in [302, 400, 404, 413, 500] {
            assert!(matches!(judged(status, ""), Posted::Refused(_)), "{status}");
        }
    }
}
