//! What is in the logs, at their most talkative: nothing that users say to each other, and nothing that proves who they are.

use interop::{Sipp, Traffic, Transport, scenarios};
use serde_json::Value;

use crate::admin::{Stage, error};
use crate::chat;
use crate::ground::SOON;

/// A pager-mode message from where its user is registered, which nobody is there to take.
const MESSAGE: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="message">
  <send retrans="500"><![CDATA[
MESSAGE sip:bob@home2.test SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:dave@home1.test>;tag=m[pid]x[call_number]
To: <sip:bob@home2.test>
Call-ID: [call_id]
CSeq: 1 MESSAGE
P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg
Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"
Content-Type: text/plain
Content-Length: [len]

said-on-a-page]]></send>
  <recv response="100" optional="true"/>
  <recv response="480"/>
</scenario>
"#;

/// What of this Digest credentials have, by a word before it.
fn proofs(traffic: &Traffic, word: &str) -> Vec<String> {
    let values = traffic.messages.split(word).skip(1);
    values.map(|rest| rest.trim_start_matches('"').split(['"', ',', '\r']).next().unwrap().to_owned()).collect()
}

#[test]
fn the_logs_at_their_most_talkative_have_no_words_of_users_and_no_proofs() {
    for format in ["text", "json"] {
        let options = ["--log", "trace", "--log-format", format];
        let mut stage = Stage::over(Transport::Udp, &options, |folder| {
            let database = folder.join("duologue.db");
            format!(
                "[store]\nurl = \"sqlite:{}\"\n[hep]\naddress = \"127.0.0.1:9\"\npassword = \"homers-word\"\n[capture]\n",
                database.display()
            )
        });
        // 1. A user is entered, registers by Digest, and sends a page.
        let password = stage.folder().join("password");
        std::fs::write(&password, "daves-word").unwrap();
        let put = ["user", "put", "sip:dave@home1.test", "--password-file", &password.display().to_string()];
        assert!(stage.ctl(&put).status.success());
        let dave = stage.lease.port();
        let sipp = |name, scenario| Sipp::new(name, scenario, dave).to(stage.cores[0]).login("dave", "daves-word");
        let keys = [("user", "dave"), ("domain", "home1.test"), ("expires", "600")];
        let register = sipp("dave registers", scenarios::REGISTER);
        let registered = keys.into_iter().fold(register, |sipp, (key, value)| sipp.key(key, value)).run();
        sipp("a page", MESSAGE).run();

        // 2. A chat on the media path.
        let bob = "/wait message\nsaid-by-bob\n/wait displayed\n/wait closed\n";
        let bob = chat::client("bob", "home2.test", stage.cores[1], Transport::Udp, bob);
        let is_bob = |known: &Value| known["user"] == "sip:bob@home2.test";
        let is_there = || stage.json(&["registrations"]).as_array().unwrap().iter().any(is_bob).then_some(());
        interop::until(SOON, is_there).unwrap();
        let alice = "/wait registered\n/invite sip:bob@home2.test\n/wait established\nsaid-by-alice\n/wait displayed\n\
                     /wait message\n/close\n/wait closed\n";
        let alice = chat::events(chat::client("alice", "home1.test", stage.cores[0], Transport::Udp, alice));
        assert_eq!(
            (chat::contents(&alice), chat::contents(&chat::events(bob))),
            (vec!["said-by-bob"], vec!["said-by-alice"])
        );

        // 3. Operators, one of whom guesses.
        assert!(stage.ctl_as(&["--token", "looker"], &["sessions"]).status.success());
        assert!(error(&stage.ctl_as(&["--token", "a-guess"], &["sessions"])).contains("(401)"));
        let token = std::fs::read_to_string(stage.folder().join("admin.token")).unwrap().trim().to_owned();

        stage.nodes.stop();
        // The last line: all others have been read.
        stage.nodes.wait_line("stopped", SOON);
        let log = stage.nodes.lines().join("\n");
        assert!(log.contains("TRACE") && log.contains("session on the media path is up"), "{log}");
        let mut secrets: Vec<String> = [
            "said-on-a-page",
            "said-by-bob",
            "said-by-alice",
            "daves-word",
            "alices-word",
            "bobs-word",
            "homers-word",
            "looker\"",
            "a-guess",
            &token,
        ]
        .map(str::to_owned)
        .to_vec();
        for word in ["response=", "nonce="] {
            let found = proofs(&registered, word);
            assert!(!found.is_empty(), "{word}");
            secrets.extend(found);
        }
        // A kernel that says who is not there says it again and again; the log does not.
        assert_eq!(log.matches("copies for Homer cannot be sent").count(), 1);
        for secret in secrets {
            let leaks: Vec<&str> = log.lines().filter(|line| line.contains(&secret)).collect();
            assert!(leaks.is_empty(), "{secret} is in the log: {leaks:#?}");
        }
    }
}
