use super::*;

fn at(seconds: u64) -> Now {
    Now { at: Instant::ZERO + Duration::from_secs(seconds), utc: Timestamp::from_micros(seconds * 1_000_000) }
}

/// The states that are sent while the user presses a key at each of `keys` (seconds), until `end`.
fn sent(mut composer: Composer, keys: &[u64], end: u64) -> Vec<(u64, ComposingState)> {
    let mut out = Vec::new();
    for second in 0..=end {
        let typed = if keys.contains(&second) { composer.handle_typing(at(second)) } else { None };
        out.extend(typed.map(|n| (second, n.state)));
        while composer.poll_timeout().is_some_and(|due| due <= at(second).at) {
            out.extend(composer.handle_timeout(at(second)).map(|n| (second, n.state)));
        }
    }
    out
}

#[test]
fn one_key_is_active_and_then_idle_after_15_seconds() {
    let expected = [(3, ComposingState::Active), (18, ComposingState::Idle)];
    assert_eq!(sent(Composer::default(), &[3], 300), expected);
    assert_eq!(sent(Composer::default(), &[3, 10, 17], 31), [(3, ComposingState::Active)]);
}

#[test]
fn active_is_repeated_before_the_peer_gives_up_but_not_within_a_minute() {
    let keys: Vec<u64> = (0..300).collect();
    let active = ComposingState::Active;
    assert_eq!(sent(Composer::default(), &keys, 299), [(0, active), (110, active), (220, active)]);
    let hasty = Composer::new(Duration::from_secs(1), "text/plain");
    assert_eq!(sent(hasty, &keys, 130), [(0, active), (60, active), (120, active)]);
}

#[test]
fn a_late_wake_up_sends_idle_and_nothing_else() {
    let mut composer = Composer::default();
    composer.handle_typing(at(0));
    for second in [5, 12, 20, 33, 47, 60, 74, 88, 102] {
        assert_eq!(composer.handle_typing(at(second)), None);
    }
    let last = composer.handle_timeout(at(1000)).unwrap();
    assert_eq!((last.state, last.last_active), (ComposingState::Idle, Some(DateTime::utc(at(102).utc))));
    assert_eq!((composer.poll_timeout(), composer.handle_timeout(at(2000))), (None, None));
}

#[test]
fn a_sent_message_ends_it_without_a_word_and_a_cancelled_one_with_one() {
    let mut composer = Composer::default();
    composer.handle_typing(at(0));
    composer.handle_sent();
    assert_eq!((composer.poll_timeout(), composer.handle_cancelled()), (None, None));
    assert_eq!(composer.handle_typing(at(1)).unwrap().refresh, Some(REFRESH));
    assert_eq!(composer.handle_cancelled().unwrap().state, ComposingState::Idle);
    assert!(!composer.is_active());
}

#[test]
fn the_indicator_ends_with_a_message_with_idle_or_with_silence() {
    let active = IsComposing { refresh: Some(Duration::from_secs(90)), ..IsComposing::new(ComposingState::Active) };
    let mut indicator = TypingIndicator::new();
    assert!(indicator.handle_notification(&active, at(0).at) && !indicator.handle_notification(&active, at(50).at));
    assert!(!indicator.handle_timeout(at(139).at) && indicator.is_active());
    assert!(indicator.handle_timeout(at(140).at) && indicator.poll_timeout().is_none());
    assert!(indicator.handle_notification(&active, at(200).at) && indicator.handle_message());
    assert!(indicator.handle_notification(&active, at(300).at));
    assert!(
        indicator.handle_notification(&IsComposing::new(ComposingState::Idle), at(301).at) && !indicator.is_active()
    );
}

#[test]
fn a_peer_cannot_type_for_ever_on_one_notification() {
    let mut indicator = TypingIndicator::new();
    for (said, held) in [(1, 60), (119, 119), (4_000_000_000, 600)] {
        let refresh = Some(Duration::from_secs(said));
        indicator.handle_notification(&IsComposing { refresh, ..IsComposing::new(ComposingState::Active) }, at(0).at);
        assert_eq!(indicator.poll_timeout(), Some(at(held).at));
    }
}
