use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A request of HTTP/1.1 and its answer, over a connection of their own; longer answers are none. It waits as long as it is let.
pub async fn exchange(
    server: SocketAddr,
    mut request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
    request.headers_mut().insert(header::HOST, HeaderValue::try_from(server.to_string())?);
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut exchange = pin!(async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, Limited::new(answer.into_body(), longest).collect().await?.to_bytes()))
    });
    // The connection does the work of both directions as long as it is asked to. Where the server closes it behind its answer,
    // it may end first: whatever was to come has come by then.
    tokio::select! {
        answered = &mut exchange => answered,
        _ended = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use tokio::runtime;

    use super::*;

    const LONGEST: usize = 16;

    /// What becomes of a request that is answered so, where the server closes the connection at once.
    fn answered(answer: &'static str) -> Result<(u16, String), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1_024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Both).unwrap();
            String::from_utf8_lossy(&request[..read]).contains(&format!("host: {server}\r\n"))
        });
        let request = Request::get("/").body(Full::default()).unwrap();
        let runtime = runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let answered = runtime.block_on(exchange(server, request, LONGEST));
        assert!(thread.join().unwrap(), "the request names the server");
        let text = |(status, body): (StatusCode, Bytes)| (status.as_u16(), String::from_utf8_lossy(&body).into_owned());
        answered.map(text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_that_has_come_is_taken_even_if_the_connection_has_ended_behind_it() {
        // Which of both is seen first, the answer or the end, is a matter of luck.
        for _ in 0..100 {
            let whole = answered("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwell");
            assert_eq!(whole, Ok((200, "well".to_owned())));
            // The end of the connection is the end of the body.
            assert_eq!(answered("HTTP/1.1 503 Away\r\n\r\nlater"), Ok((503, "later".to_owned())));
        }
    }

    #[test]
    fn an_answer_that_is_broken_off_missing_or_too_long_is_none() {
        for _ in 0..20 {
            let broken = answered("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nwell");
            assert!(broken.is_err(), "{broken:?}");
            assert!(answered("").is_err());
            let long = answered("HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n01234567890123456");
            assert_eq!(long, Err("length limit exceeded".to_owned()));
        }
    }
}
