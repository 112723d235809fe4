//! Every stored message, cut off at every octet and with every octet damaged.

#[path = "support/corpus.rs"]
pub mod corpus;
#[path = "support/harness.rs"]
pub mod harness;

#[test]
fn a_message_cut_off_anywhere_never_panics() {
    for (_, bytes) in corpus::messages() {
        for len in 0..bytes.len() {
            harness::message(&bytes[..len]);
        }
    }
}

#[test]
fn a_message_with_any_octet_damaged_never_panics() {
    let damages: [fn(u8) -> u8; 3] = [|b| b ^ 0x20, |_| 0, |_| 0xFF];
    for (_, bytes) in corpus::messages() {
        // Damage to the body is not looked at; the longest message damages the same way all along.
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
        for at in (0..head.min(2500)).step_by(if bytes.len() > 2500 { 7 } else { 1 }) {
            for damage in damages {
                let mut damaged = bytes.clone();
                damaged[at] = damage(damaged[at]);
                harness::message(&damaged);
            }
        }
    }
}

#[test]
fn every_line_of_every_message_meets_every_parser() {
    for (_, bytes) in corpus::messages() {
        for line in bytes.split(|b| *b == b'\n') {
            for (_, target) in harness::TARGETS {
                target(line);
            }
        }
    }
}
