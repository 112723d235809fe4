//! Runs `corpus/cpim/*.toml`: every case has the expected verdict, and no mutation of any of them does harm.

#![expect(clippy::unwrap_used, reason = "a corpus that cannot be read is a failed test")]

mod fields;
mod file;

use cpim::{Awaited, Content, Delivery, Display, Envelope, Imdn, IsComposing, MessageId, Notification, Receipt};
use file::{Case, File, Kind, Verdict};
use wire::Entropy;

#[test]
fn every_case_has_the_expected_verdict() {
    let files = file::load();
    let wrong: Vec<String> = cases(&files)
        .filter_map(|(file, case)| Some(format!("{}/{}: {}", file.name, case.name, run(file, case).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn there_are_enough_cases_and_no_name_twice() {
    let files = file::load();
    let mut names: Vec<_> = cases(&files).map(|(file, case)| (&file.name, &case.name)).collect();
    assert!(cases(&files).all(|(_, case)| !case.why.is_empty()));
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 150, "{count}");
}

#[test]
fn every_cut_and_every_flip_is_read_or_refused() {
    for (file, case) in cases(&file::load()) {
        let octets = case.octets(file);
        // The long ones repeat themselves.
        for at in 0..octets.len().min(500) {
            read_everything(&octets[..at]);
            for flip in [0x01, 0x20, 0x80] {
                let mut flipped = octets[..octets.len().min(1000)].to_vec();
                flipped[at] ^= flip;
                read_everything(&flipped);
            }
        }
    }
}

#[test]
fn pieces_of_all_cases_put_together_are_read_or_refused() {
    let files = file::load();
    let all: Vec<Vec<u8>> = cases(&files).map(|(file, case)| case.octets(file)).collect();
    let mut dice = Entropy::from_seed(3862);
    for _ in 0..20_000 {
        let mut octets = Vec::new();
        for _ in 0..=dice.below(4) {
            let piece = &all[dice.below(all.len() as u64) as usize];
            let from = dice.below(piece.len() as u64 + 1) as usize;
            let length = dice.below(400) as usize;
            octets.extend(piece[from..].iter().take(length));
        }
        read_everything(&octets);
    }
}

fn cases(files: &[File]) -> impl Iterator<Item = (&File, &Case)> {
    files.iter().flat_map(|file| file.cases.iter().map(move |case| (file, case)))
}

/// Asks for everything that can be asked for. What was read must not depend on how often, and the bytes must be there.
fn read_everything(octets: &[u8]) {
    if let Ok(read) = Envelope::parse(octets) {
        assert_eq!(read.as_bytes(), octets);
        assert!(octets.ends_with(read.content().octets()));
        let _ = fields::of_envelope(&read);
    }
    let _ = Envelope::parse_start(octets).map(|read| fields::of_envelope(&read));
    if let Ok(read) = Imdn::parse(octets) {
        assert_eq!(Imdn::parse(read.print().as_bytes()).as_ref().map(Imdn::message_id), Ok(read.message_id()));
    }
    if let Ok(read) = IsComposing::parse(octets) {
        assert_eq!(IsComposing::parse(read.print().as_bytes()).map(|again| again.state), Ok(read.state));
    }
}

fn run(file: &File, case: &Case) -> Result<(), String> {
    let octets = case.octets(file);
    let read = match file.kind {
        Kind::Cpim => Envelope::parse(&octets).map(|read| {
            assert_eq!(read.as_bytes(), octets);
            fields::of_envelope(&read)
        }),
        Kind::Imdn | Kind::Receipt => Imdn::parse(&octets).map(|read| fields::of_imdn(&read)),
        Kind::Composing => IsComposing::parse(&octets).map(|read| fields::of_composing(&read)),
    };
    let read = match (read, case.verdict) {
        (Ok(read), Verdict::Accept) => read,
        (Err(_), Verdict::Refuse) => return Ok(()),
        (Ok(_), Verdict::Refuse) => return Err("was accepted".into()),
        (Err(error), Verdict::Accept) => return Err(format!("was refused: {error}")),
    };
    for (field, expected) in &case.reads {
        let got = read.get(field.as_str()).ok_or(format!("there is no field {field}"))?;
        if got != expected {
            return Err(format!("{field} is {got:?}, not {expected:?}"));
        }
    }
    match &case.receipt {
        Some(receipt) => run_receipt(receipt, &Imdn::parse(&octets).map_err(|e| e.to_string())?),
        None => Ok(()),
    }
}

fn run_receipt(case: &file::ReceiptCase, document: &Imdn) -> Result<(), String> {
    let bob = "sip:bob@home2.example";
    let id = MessageId::parse("m1").map_err(|e| e.to_string())?;
    let mut awaited = Awaited::new(8);
    awaited.sent(id, bob, ());
    for earlier in &case.earlier {
        let notification = match earlier.as_str() {
            "delivered" => Notification::Delivery(Delivery::Delivered),
            "failed" => Notification::Delivery(Delivery::Failed),
            "displayed" => Notification::Display(Display::Displayed),
            other => return Err(format!("there is no status {other}")),
        };
        awaited.on_receipt(&Imdn::new(id, notification), bob);
    }
    let means = match awaited.on_receipt(document, &case.from) {
        Receipt::News(()) => "news",
        Receipt::Old => "old",
        Receipt::Unknown => "unknown",
        Receipt::NotFromRecipient => "not-from-recipient",
    };
    if means == case.means { Ok(()) } else { Err(format!("means {means}, not {}", case.means)) }
}

/// The content as text, whatever it is.
fn lossy(content: &Content<'_>) -> String {
    String::from_utf8_lossy(content.octets()).into_owned()
}
