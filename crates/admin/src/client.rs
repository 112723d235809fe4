use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use serde_json::Value;
use tokio::runtime;

use crate::exchange;

/// How long an answer may take: longer than the server gives its nodes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Speaks to an admin interface, a question at a time.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    token: Option<String>,
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody is there, or what answers does not speak HTTP.
    #[error("nobody answers at {0}: {1}")]
    Unreachable(SocketAddr, String),
    /// The server refuses, and says why.
    #[error("{detail} ({status})")]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// The server's words.
        detail: String,
    },
}

impl Client {
    /// For the interface at this address.
    pub fn new(server: SocketAddr, token: Option<String>) -> Client {
        Client { server, token }
    }

    /// Asks, and gives the JSON of a good answer; `Null` when that has none.
    pub fn ask(&self, method: &str, path: &str, body: Option<(&'static str, String)>) -> Result<Value, ClientError> {
        let bytes = self.fetch(method, path, body)?;
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Asks, and gives a good answer as it is.
    pub fn fetch(&self, method: &str, path: &str, body: Option<(&'static str, String)>) -> Result<Bytes, ClientError> {
        let unreachable = |error: &dyn std::fmt::Display| ClientError::Unreachable(self.server, error.to_string());
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| unreachable(&error))?;
        let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, self.send(method, path, body)).await });
        let (status, bytes) = answer.map_err(|_| unreachable(&"no answer in 10 s"))?.map_err(|e| unreachable(&e))?;
        if status.is_success() {
            return Ok(bytes);
        }
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let detail = value["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(ClientError::Refused { status: status.as_u16(), detail })
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&'static str, String)>,
    ) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes())?).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (kind, body) = body.unzip();
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        // An operator may want all that a server holds.
        exchange(self.server, request, usize::MAX).await
    }
}
