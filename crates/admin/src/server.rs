use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::StatusCode;
use tokio::runtime;
use tokio::sync::{Semaphore, oneshot};

use crate::api;
use crate::guard::Failures;
use crate::problem::Problem;
use crate::{AuditEntry, Operator, Token};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions to the nodes that may wait at a time; more are answered 503.
const QUESTIONS: usize = 16;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) operator: Arc<dyn Operator>,
    pub(crate) failures: Failures,
    tokens: RwLock<Arc<[Token]>>,
    questions: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn tokens(&self) -> Arc<[Token]> {
        Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes into the audit log what was wanted, and what became of it. The log of the process has it in any case.
    #[expect(clippy::disallowed_methods, reason = "a host of HTTP, with the wall clock")]
    pub(crate) async fn note(&self, who: Option<String>, from: IpAddr, what: String, status: StatusCode) {
        tracing::info!(who = who.as_deref().unwrap_or("nobody"), %from, %what, status = status.as_u16(), "admin");
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let entry = AuditEntry { at, who, from: from.to_string(), what, status: status.as_u16() };
        if self.ask(move |operator| operator.audited(entry)).await.is_err() {
            tracing::error!("the audit log has not been written");
        }
    }

    /// Asks the nodes, on a thread that may block, and waits for the answer as long as anybody would.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Operator) -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let busy = |what: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, what);
        let Ok(permit) = Arc::clone(&self.questions).try_acquire_owned() else {
            return Err(busy("too many questions wait already"));
        };
        let operator = Arc::clone(&self.operator);
        let asked = tokio::task::spawn_blocking(move || {
            // Given back when the answer is there, even if nobody waits for it any more.
            let _permit = permit;
            question(&*operator)
        });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_panicked)) => Err(busy("a node has failed")),
            Err(_elapsed) => Err(busy("a node does not answer")),
        }
    }
}

/// What is served; cheap to copy.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

impl Api {
    /// An interface to `operator` for whoever shows one of these tokens.
    pub fn new(operator: Arc<dyn Operator>, tokens: Vec<Token>) -> Api {
        let shared = Shared {
            operator,
            failures: Failures::default(),
            tokens: RwLock::new(tokens.into()),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
        };
        Api { shared: Arc::new(shared) }
    }

    /// Lets others in from now on.
    pub fn set_tokens(&self, tokens: Vec<Token>) {
        *self.shared.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens.into();
    }
}

/// The interface on its sockets, in a thread of its own. Dropping it ends it.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the API on these sockets, and metrics and health without a token on those.
    pub fn start(api: &Api, apis: Vec<TcpListener>, metrics: Vec<TcpListener>) -> io::Result<Server> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(QUESTIONS)
            .thread_name("admin-ask")
            .build()?;
        let routers = [(apis, api::router(&api.shared)), (metrics, api::open_router(&api.shared))];
        let mut served = Vec::new();
        {
            // Registers the sockets with the runtime.
            let _entered = runtime.enter();
            for (listeners, router) in routers {
                for listener in listeners {
                    listener.set_nonblocking(true)?;
                    served.push((tokio::net::TcpListener::from_std(listener)?, router.clone()));
                }
            }
        }
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("admin".to_owned()).spawn(move || {
            for (listener, router) in served {
                runtime.spawn(serve(listener, router));
            }
            // An error is the sender's end, which means the same.
            drop(runtime.block_on(stopped));
            runtime.shutdown_background();
        })?;
        Ok(Server { stop: Some(stop), thread: Some(thread) })
    }
}

async fn serve(listener: tokio::net::TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!(%error, "the admin interface has ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the admin interface has panicked");
        }
    }
}
