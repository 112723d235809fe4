use std::time::Duration;

/// The bounds that keep a node alive under load. The defaults suit one node of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most connections at one time, lingering ones included; more are closed as soon as they are accepted.
    pub connections: usize,
    /// Most bytes that wait to be written to one connection; a peer that lets more gather loses the connection.
    pub write_queue: usize,
    /// Most datagrams that wait in one socket when the kernel takes no more; further ones are dropped and counted.
    pub datagram_queue: usize,
    /// How long a peer has to accept a connection.
    pub connect_timeout: Duration,
    /// How long the handshake of TLS may take, on either side.
    pub handshake_timeout: Duration,
    /// Most handshakes at one time of connections that were accepted; more are closed as soon as they are accepted.
    pub handshakes: usize,
    /// How long a closed connection may go on without progress until its peer has read everything and closed its side.
    pub linger: Duration,
    /// How long a listener pauses after accepting failed, for instance for want of file descriptors.
    pub accept_pause: Duration,
    /// Size asked of the kernel for the receive and the send buffer of a UDP socket; the kernel may grant less.
    pub udp_buffer: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 16_384,
            write_queue: 4 << 20,
            datagram_queue: 1024,
            connect_timeout: Duration::from_secs(4),
            handshake_timeout: Duration::from_secs(5),
            handshakes: 512,
            linger: Duration::from_secs(5),
            accept_pause: Duration::from_millis(100),
            udp_buffer: 4 << 20,
        }
    }
}
