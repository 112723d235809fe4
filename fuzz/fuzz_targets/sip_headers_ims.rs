#![no_main]

#[path = "../../crates/sip/tests/support/harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (_, target) = harness::TARGETS.into_iter().find(|(name, _)| *name == "headers_ims").expect("the harness has it");
    target(data)
});
