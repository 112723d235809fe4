//! Numbers and addresses in text. Every message that is forwarded has some, and `Display` takes several times as long.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Writes a number in decimal.
pub(crate) fn push_decimal(out: &mut String, n: u32) {
    out.extend(Decimal::of(n.into()).as_bytes().iter().map(|digit| char::from(*digit)));
}

/// A number in decimal, for a header field that is put together of pieces.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: [u8; Decimal::MAX],
    start: usize,
}

impl Decimal {
    /// Digits of the greatest number.
    const MAX: usize = 20;

    /// Writes a number.
    pub fn of(mut n: u64) -> Decimal {
        let (mut digits, mut start) = ([b'0'; Decimal::MAX], Decimal::MAX - 1);
        digits[start] += (n % 10) as u8;
        while n >= 10 {
            n /= 10;
            start -= 1;
            digits[start] += (n % 10) as u8;
        }
        Decimal { digits, start }
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

impl AsRef<[u8]> for Decimal {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Writes an IP address as `Display` does, an IPv6 one without brackets.
pub(crate) fn push_ip(out: &mut String, ip: IpAddr) {
    let IpAddr::V4(v4) = ip else {
        return write!(out, "{ip}").expect("a String takes any text");
    };
    for (i, octet) in v4.octets().into_iter().enumerate() {
        if i > 0 {
            out.push('.');
        }
        push_octet(out, octet);
    }
}

fn push_octet(out: &mut String, octet: u8) {
    let digit = |n: u8| char::from(b'0' + n % 10);
    if octet >= 100 {
        out.push(digit(octet / 100));
    }
    if octet >= 10 {
        out.push(digit(octet / 10));
    }
    out.push(digit(octet));
}

/// Writes address and port as `Display` does.
pub fn push_addr(out: &mut String, addr: SocketAddr) {
    if !addr.is_ipv4() {
        return write!(out, "{addr}").expect("a String takes any text");
    }
    push_ip(out, addr.ip());
    out.push(':');
    push_decimal(out, addr.port().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_displayed() {
        for n in [0, 7, 10, 99, 100, 3600, 4_294_967_296, u64::MAX] {
            assert_eq!(Decimal::of(n).as_bytes(), n.to_string().as_bytes());
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_displayed() {
        for text in ["0.0.0.0:0", "127.0.0.1:5060", "255.200.19.7:65535", "[::1]:5060", "[2001:db8::7]:80"] {
            let addr: SocketAddr = text.parse().unwrap();
            let (mut whole, mut ip) = (String::new(), String::new());
            push_addr(&mut whole, addr);
            push_ip(&mut ip, addr.ip());
            assert_eq!((whole.as_str(), ip), (text, addr.ip().to_string()));
        }
    }
}
