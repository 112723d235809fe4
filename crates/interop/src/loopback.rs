//! Loopback addresses that belong to one test.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// An address out of 127.64.0.0/10, held by one test for as long as this value lives.
///
/// All of 127.0.0.0/8 is local on Linux. The lease is a bound socket, so it holds between processes and ends with them.
#[derive(Debug)]
pub struct Loopback {
    ip: Ipv4Addr,
    next: Cell<u16>,
    _lease: UdpSocket,
}

/// Bound for the time of the lease; outside the range of ephemeral ports and of [`Loopback::ports`].
const LEASE_PORT: u16 = 65_535;

/// First port that [`Loopback::ports`] gives out; below the ephemeral ports of Linux.
const FIRST_PORT: u16 = 20_000;

impl Loopback {
    /// Leases an address that nobody uses: no other test, and no server on port 5060 of it.
    pub fn lease() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let first = std::process::id().wrapping_mul(2_654_435_761);
        for _ in 0..10_000 {
            let number = first.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(40_503));
            let [_, b, c, d] = number.to_be_bytes();
            let ip = Ipv4Addr::new(127, 64 | (b & 0x3f), c, d.clamp(1, 254));
            if let Ok(lease) = UdpSocket::bind((ip, LEASE_PORT))
                && is_free(SocketAddr::from((ip, 5060)))
            {
                return Self { ip, next: Cell::new(FIRST_PORT), _lease: lease };
            }
        }
        panic!("no free address in 127.64.0.0/10; is something bound to port 5060 of all addresses?")
    }

    /// The address.
    pub const fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// The address with a port of the caller's choice, which must be free for UDP and TCP.
    pub fn at(&self, port: u16) -> SocketAddr {
        let address = SocketAddr::from((self.ip, port));
        assert!(is_free(address), "{address} is taken");
        address
    }

    /// A block of `N` consecutive ports, free for UDP and TCP, that is given out once only.
    pub fn ports<const N: usize>(&self) -> [SocketAddr; N] {
        let size = u16::try_from(N).expect("a block is smaller than the port space");
        loop {
            let first = self.next.get();
            assert!(first < 32_000 - size, "{} has no more ports to give", self.ip);
            let block = std::array::from_fn(|i| SocketAddr::new(self.ip.into(), first + i as u16));
            match block.iter().rposition(|address| !is_free(*address)) {
                None => {
                    self.next.set(first + size);
                    return block;
                }
                Some(taken) => self.next.set(block[taken].port() + 1),
            }
        }
    }

    /// One port, free for UDP and TCP.
    pub fn port(&self) -> SocketAddr {
        let [port] = self.ports::<1>();
        port
    }
}

fn is_free(address: SocketAddr) -> bool {
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leases_are_two_addresses() {
        let (a, b) = (Loopback::lease(), Loopback::lease());
        assert_ne!(a.ip(), b.ip());
        assert!(UdpSocket::bind(a.at(5060)).is_ok());
    }

    #[test]
    fn a_block_of_ports_steps_over_a_port_that_is_taken() {
        let lease = Loopback::lease();
        let _taken = TcpListener::bind((lease.ip(), FIRST_PORT + 1)).unwrap();
        let block = lease.ports::<3>().map(|a| a.port());
        assert_eq!(block, [FIRST_PORT + 2, FIRST_PORT + 3, FIRST_PORT + 4]);
        assert_eq!(lease.port().port(), FIRST_PORT + 5);
    }
}
