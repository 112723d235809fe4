//! An outcome for people.

use std::fmt::Write as _;

use crate::{Latency, Messages, Outcome, Plan, Spent};

/// An outcome as a few lines of text.
pub fn text(outcome: &Outcome, plan: &Plan) -> String {
    let mut out = String::new();
    let o = outcome;
    line(&mut out, &format!("sessions   {} opened, {} closed, {:.0}/s", o.sessions, o.closed, o.sessions_per_s));
    if plan.messages != Messages::None {
        line(
            &mut out,
            &format!(
                "messages   {} sent, {} answered, {} received, {} repeated; {:.0}/s of {} octets over {:.1} s",
                o.sent, o.acknowledged, o.received, o.repeated, o.messages_per_s, plan.size, o.seconds
            ),
        );
    }
    for (name, latency) in [
        ("set-up", &o.set_up),
        ("answer", &o.answer),
        ("delivery", &o.delivery),
        ("lateness", &o.lateness),
        ("close", &o.close),
    ] {
        if latency.count > 0 {
            line(&mut out, &row(name, latency));
        }
    }
    let each = if plan.messages == Messages::None { "session" } else { "message" };
    line(&mut out, &spent("own", &o.own, each));
    if let Some(watched) = &o.watched {
        line(&mut out, &spent("watched", watched, each));
    }
    for (kind, count) in &o.errors {
        line(&mut out, &format!("error      {count} × {kind}"));
    }
    line(&mut out, &format!("lost       {}", o.lost));
    out
}

fn row(name: &str, l: &Latency) -> String {
    let ms = |us: u64| us as f64 / 1000.0;
    format!(
        "{name:<10} p50 {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, most {:.2} ms",
        ms(l.p50_us),
        ms(l.p90_us),
        ms(l.p99_us),
        ms(l.p999_us),
        ms(l.max_us)
    )
}

fn spent(name: &str, spent: &Spent, each: &str) -> String {
    format!(
        "{name:<10} {:.2} µs of CPU per {each} ({:.2} user, {:.2} system), {:.1} MiB, at most {:.1}, {:.1} KiB per session",
        spent.cpu_us_each,
        spent.user_us_each,
        spent.system_us_each,
        spent.memory_kib as f64 / 1024.0,
        spent.peak_kib as f64 / 1024.0,
        spent.memory_per_session_kib
    )
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ok = writeln!(out, "{text}");
}
