/// What the sockets of one node did since they were bound. Nothing is given up without being counted here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Datagrams read.
    pub datagrams_in: u64,
    /// Datagrams that the kernel took.
    pub datagrams_out: u64,
    /// Bytes of the datagrams read.
    pub datagram_bytes_in: u64,
    /// Bytes of the datagrams that the kernel took.
    pub datagram_bytes_out: u64,
    /// Datagrams given up because the kernel refused them: no route, too long, forbidden.
    pub datagrams_failed: u64,
    /// Datagrams given up because the socket's queue was full.
    pub datagrams_dropped: u64,
    /// Errors that reading from a UDP socket returned, for instance what ICMP reported.
    pub datagram_errors: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once on acceptance, because there were too many, or too many handshakes under way.
    pub refused: u64,
    /// Times that accepting failed, for instance for want of file descriptors.
    pub accept_errors: u64,
    /// Connections opened.
    pub connected: u64,
    /// Connections that could not be opened.
    pub connect_failed: u64,
    /// Accepted or opened connections whose socket is gone.
    pub closed: u64,
    /// Connections that broke: reset, or given up because the peer read too slowly.
    pub broken: u64,
    /// Of those, the ones whose write queue grew beyond the bound.
    pub overflowed: u64,
    /// Closed connections whose peer did not take the rest, or did not close its side, in time.
    pub linger_expired: u64,
    /// Handshakes of TLS that came to nothing: no TLS at all, a peer that is not the one that was wanted, out of time.
    pub handshakes_failed: u64,
    /// Of those, the ones that took too long.
    pub handshakes_expired: u64,
    /// Of those, the ones where the certificate of the peer is not the one that was wanted, or not trusted.
    pub peers_refused: u64,
    /// Bytes read from connections; of TLS, what was inside.
    pub stream_bytes_in: u64,
    /// Bytes of connections that the kernel took; of TLS, what is inside.
    pub stream_bytes_out: u64,
    /// Bytes that were to be written to a connection that had ended or broken.
    pub stream_bytes_dropped: u64,
    /// Bytes that came in after the node had closed the connection.
    pub stream_bytes_ignored: u64,
}
