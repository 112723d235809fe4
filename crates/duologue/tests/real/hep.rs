//! Copies for Homer, as a receiver of another make reads them.

use interop::{Loopback, Transport, homer};

use crate::ground::{self, Place, SOON, serve};

#[test]
fn every_message_is_copied_with_its_place_and_without_its_secrets() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let lease = Loopback::lease();
        let [core_a, core_b, a, b, hep] = lease.ports();
        let mut receiver = homer(hep);
        let config = [
            format!("[hep]\naddress = \"{hep}\"\npassword = \"homers-word\"\n"),
            ground::core("core-a", core_a, a, core_b, transport),
            ground::pf("pf-a", a, Place::On),
            ground::core("core-b", core_b, b, core_a, transport),
            ground::pf("pf-b", b, Place::Off),
        ];
        let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
        let [alice, bob] = ground::session(&lease, core_a, core_b, transport, "a");
        let [first, last] = [&alice, &bob].map(|end| ground::call_ids(end, "BYE sip:").remove(0));
        assert_ne!(first, last, "there is a B2BUA between them");
        // Whoever sends a message and whoever gets it copies it, so the last one is there when all others are.
        for (text, call_id) in [("INVITE", &first), ("BYE", &first), ("INVITE", &last), ("BYE", &last)] {
            receiver.wait_log(&format!("copy: {text} {call_id}"), SOON);
        }
        for call_id in [&first, &last] {
            receiver.wait_log(&format!("copy: 200 BYE {call_id}"), SOON);
        }
        // Over TCP the port is the kernel's choice.
        let source = if transport == Transport::Udp { core_b.to_string() } else { core_b.ip().to_string() };
        let bye = receiver.wait_log(&format!("copy: BYE {last} from {source}"), SOON);
        assert!(bye.contains("body=0"), "{bye}");
        let registers: Vec<&String> = receiver.log().iter().filter(|line| line.contains("copy: REGISTER")).collect();
        let secrets = registers.iter().filter(|line| line.contains("auth='(left out)'")).count();
        assert!(secrets > 0 && registers.iter().all(|line| !line.contains("Digest")), "{registers:#?}");
        let offers = receiver.log().iter().filter(|line| line.contains("copy: INVITE")).collect::<Vec<_>>();
        assert!(offers.iter().all(|line| !line.contains("body=0")), "SDP is copied: {offers:#?}");
    }
}
