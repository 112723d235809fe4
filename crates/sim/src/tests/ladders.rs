use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::toy::{bob_addr, message, pair, ping};
use crate::{Frame, Labeller, Net};

const MS: Duration = Duration::from_millis(1);

/// One lost ping, one answered.
fn net() -> Net {
    let (mut net, alice, _bob) = pair(7);
    net.lose_next(1);
    ping(&mut net, alice);
    net.settle();
    net
}

fn failure(check: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(check)).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn the_ladder_is_printed_in_columns() {
    let ladder = net().ladder();
    assert_eq!(
        ladder,
        "0.000  alice -> bob    PING     (lost)\n0.500  alice -> bob    PING\n0.510  bob   -> alice  200 OK\n"
    );
    net().assert_ladder(&ladder);
}

#[test]
fn spaces_and_blank_lines_do_not_count() {
    net().assert_ladder(
        "\n\n 0.000 alice   -> bob PING (lost)\n\n0.500 alice -> bob PING\n0.510 bob -> alice 200    OK",
    );
}

#[test]
fn a_difference_is_shown_side_by_side_and_ready_to_paste() {
    let net = net();
    let text = failure(|| net.assert_ladder("0.000 alice -> bob PING\n0.500 alice -> bob PING"));
    assert_eq!(
        text,
        "the ladder differs from line 1 on (seed 7)

  expected                 |  actual
! 0.000 alice -> bob PING  |  0.000  alice -> bob    PING     (lost)
  0.500 alice -> bob PING  |  0.500  alice -> bob    PING
!                          |  0.510  bob   -> alice  200 OK

ready to paste:

        0.000  alice -> bob    PING     (lost)
        0.500  alice -> bob    PING
        0.510  bob   -> alice  200 OK
"
    );
}

#[test]
fn a_missing_arrow_is_a_difference() {
    let net = net();
    let text = failure(|| net.assert_ladder(&format!("{}9.000 bob -> alice BYE", net.ladder())));
    assert!(text.contains("differs from line 4 on"), "{text}");
    assert!(text.contains("! 9.000 bob -> alice BYE"), "{text}");
}

#[test]
fn an_empty_ladder_is_asserted_by_empty_text() {
    let (empty, _alice, _bob) = pair(7);
    empty.assert_ladder("");
    assert!(failure(|| net().assert_ladder("")).contains("differs from line 1 on"));
}

#[test]
fn a_view_leaves_out_labels_and_times() {
    let net = net();
    net.ladder_view().without(&["200 OK"]).untimed().assert("alice -> bob PING (lost)\nalice -> bob PING");
    net.ladder_view().only(|arrow| &*arrow.from == "bob").assert("0.510 bob -> alice 200 OK");
    net.assert_ladder_untimed("alice -> bob PING (lost)\nalice -> bob PING\nbob -> alice 200 OK");
    assert!(failure(|| net.assert_ladder_untimed("alice -> bob PING")).contains("differs from line 1 on"));
}

#[test]
fn a_cleared_ladder_starts_at_zero_again() {
    let (mut net, alice, _bob) = pair(7);
    ping(&mut net, alice);
    net.run_for(15 * MS);
    net.clear_ladder();
    let cleared_at = net.now();
    net.run_for(985 * MS);
    ping(&mut net, alice);
    net.settle();
    net.assert_ladder("0.985 alice -> bob PING\n0.995 bob -> alice 200 OK");
    let later = cleared_at + 990 * MS;
    net.ladder_since(later).assert("0.005 bob -> alice 200 OK");
}

#[test]
fn arrows_carry_the_message() {
    let (mut net, alice, _bob) = pair(7);
    net.node_mut(alice, |toy, _| toy.send(bob_addr(), &message("PING 1 SIP/2.0", "hello")));
    net.settle();
    let arrow = &net.arrows()[0];
    assert!(arrow.text().ends_with("\r\n\r\nhello"));
    assert_eq!((arrow.destination, arrow.transport), (bob_addr(), wire::Transport::Udp));
    assert_eq!(arrow.received_at.unwrap() - arrow.sent_at, 10 * MS);
}

struct ByLength;

impl Labeller for ByLength {
    fn frame(&self, buffer: &[u8]) -> Frame {
        Frame::Message(buffer.len())
    }
    fn label(&self, message: &[u8]) -> Option<String> {
        Some(format!("{} bytes", message.len()))
    }
}

#[test]
fn another_labeller_may_name_the_arrows() {
    let (mut net, alice, _bob) = pair(7);
    net.set_labeller(ByLength);
    net.node_mut(alice, |toy, _| toy.send(bob_addr(), &"SIP/2.0 200 OK".into()));
    net.settle();
    net.assert_ladder_untimed("alice -> bob 14 bytes");
}
