use super::*;
use crate::{MediaPath, by_id, diagram, diagram_svg, set_up};

const PLAIN: Style = Style { colour: false, charset: Charset::Unicode, width: 100 };

#[test]
fn figure_9_is_drawn_from_its_data() {
    let expected = "
    client-a        core-a          pf-a          core-b          pf-b         client-b
        │              │              │              │              │              │
  1     ├──── BYE ────▶│              │              │              │              │     dialog D
  2     │              ├──── BYE ────▶│              │              │              │     dialog D
  3     │              │◀──── BYE ────┤              │              │              │     dialog D
  4     │              ├──── BYE ─────┼─────────────▶│              │              │     dialog D
  5     │              │              │              ├──── BYE ────▶│              │     dialog D
  6     │              │              │              │◀──── BYE ────┤              │     dialog D
  7     │              │              │              ├──── BYE ─────┼─────────────▶│     dialog D
  8     │              │              │              │◀─────────────┼─── 200 OK ───┤     dialog D
  9     │              │              │              ├─── 200 OK ──▶│              │     dialog D
 10     │              │              │              │◀── 200 OK ───┤              │     dialog D
 11     │              │◀─────────────┼─── 200 OK ───┤              │              │     dialog D
 12     │              ├─── 200 OK ──▶│              │              │              │     dialog D
 13     │              │◀── 200 OK ───┤              │              │              │     dialog D
 14     │◀── 200 OK ───┤              │              │              │              │     dialog D
";
    assert_eq!(format!("\n{}", diagram(by_id("c.2.3.1-figure-9").unwrap(), &PLAIN)), expected);
}

#[test]
fn figure_10_is_drawn_from_its_data_in_ascii_too() {
    let expected = "
    client-a         core-a           pf-a           core-b           pf-b          client-b
        |               |               |               |               |               |
  1     |----- BYE ---->|               |               |               |               |     leg 1
  2     |               |----- BYE ---->|               |               |               |     leg 1
  3     |               |<--- 200 OK ---|               |               |               |     leg 1
  4     |<--- 200 OK ---|               |               |               |               |     leg 1
  5     |               |<---- BYE -----|               |               |               |     leg 2
  6     |               |----- BYE -----+-------------->|               |               |     leg 2
  7     |               |               |               |----- BYE ---->|               |     leg 2
  8     |               |               |               |<--- 200 OK ---|               |     leg 2
  9     |               |<--------------+---- 200 OK ---|               |               |     leg 2
 10     |               |--- 200 OK --->|               |               |               |     leg 2
 11     |               |               |               |<---- BYE -----|               |     leg 3
 12     |               |               |               |----- BYE -----+-------------->|     leg 3
 13     |               |               |               |<--------------+---- 200 OK ---|     leg 3
 14     |               |               |               |--- 200 OK --->|               |     leg 3
";
    let style = Style { charset: Charset::Ascii, ..PLAIN };
    assert_eq!(format!("\n{}", diagram(by_id("c.2.3.1-figure-10").unwrap(), &style)), expected);
}

#[test]
fn what_was_seen_is_drawn_with_times_and_with_what_is_wrong() {
    let flow = by_id("c.2.3.1-figure-10").unwrap();
    let expected = "
          ms  client-a     core-a       pf-a       core-b       pf-b      client-b
                  │           │           │           │           │           │
  1    0.000      ├─── BYE ──▶│           │           │           │           │     leg 1
  2    0.250      │           ├─── BYE ──▶│           │           │           │     leg 1
  5    0.300      │           │◀── BYE ───┤           │           │           │     leg 2  violation
  1  500.000      ├─── BYE ──▶│           │           │           │           │     leg 1  repeated
  3  500.900      │           │◀─ 200 OK ─┤           │           │           │     leg 1
  4  501.150      │◀─ 200 OK ─┤           │           │           │           │     leg 1
 14  501.900      │           │           │           ├─── 481 ──▶│           │     leg 3  violation
  6               │           ├╌╌╌ BYE ╌╌╌┼╌╌╌╌╌╌╌╌╌╌▶│           │           │     leg 2  missing
";
    let observed = broken();
    let rows = rows_seen(flow, &observed, &flow.check(&observed));
    assert_eq!(format!("\n{}", render(&flow.nodes, &rows[..8], &Style { width: 60, ..PLAIN })), expected);
}

/// PF A sends its BYE before it answers, Client A repeats its own, a stray answer comes by, and then nothing.
fn broken() -> Vec<Observed> {
    let flow = by_id("c.2.3.1-figure-10").unwrap();
    let seen = |step: u16, at_us: u64| {
        let arrow = flow.arrow(step).unwrap();
        Observed {
            from: arrow.from.clone(),
            to: arrow.to.clone(),
            message: arrow.message().clone(),
            call_id: arrow.dialog.clone(),
            cseq: "2 BYE".to_owned(),
            from_tag: String::new(),
            branch: String::new(),
            reliable: false,
            at_us,
        }
    };
    let stray = Observed { message: Message::response(481, "BYE"), ..seen(14, 502_000) };
    vec![seen(1, 100), seen(2, 350), seen(5, 400), seen(1, 500_100), seen(3, 501_000), seen(4, 501_250), stray]
}

#[test]
fn colours_change_nothing_but_the_colour() {
    for flow in crate::all() {
        let coloured = diagram(flow, &Style { colour: true, ..PLAIN });
        let mut bare = String::new();
        let mut in_escape = false;
        for c in coloured.chars() {
            match c {
                '\u{1b}' => in_escape = true,
                'm' if in_escape => in_escape = false,
                c if !in_escape => bare.push(c),
                _ => {}
            }
        }
        assert!(coloured.contains('\u{1b}'), "{}", flow.id);
        assert_eq!(bare, diagram(flow, &PLAIN), "{}", flow.id);
    }
}

#[test]
fn every_row_of_every_flow_shows_its_label_at_every_width() {
    for flow in crate::all() {
        for width in [0, 40, 100, 400] {
            let drawn = diagram(flow, &Style { width, ..PLAIN });
            for (line, arrow) in drawn.lines().skip(2).zip(&flow.arrows) {
                assert!(line.contains(&format!(" {} ", arrow.message().short())), "{}: {line}", flow.id);
                assert!(line.contains('▶') != line.contains('◀'), "{}: {line}", flow.id);
            }
            assert_eq!(drawn.lines().count(), 2 + flow.arrows.len());
        }
    }
}

#[test]
fn a_node_without_a_lifeline_is_written_out() {
    let flow = by_id("c.2.3.1-figure-9").unwrap();
    let mut rows = rows(flow);
    rows[0].from = "sbc".to_owned();
    let drawn = render(&flow.nodes, &rows[..1], &PLAIN);
    assert!(drawn.ends_with("sbc -> core-a, BYE  dialog D\n"), "{drawn}");
    assert!(svg("t", &flow.nodes, &rows[..1]).contains("sbc -&gt; core-a, BYE dialog D"));
    assert_eq!(render(&[] as &[&str], &[], &PLAIN), "\n\n");
}

#[test]
fn a_picture_has_each_arrow_and_names_itself() {
    let flow = set_up(MediaPath::On, MediaPath::On);
    let picture = diagram_svg(flow);
    assert_eq!(picture.matches("<polygon").count(), flow.arrows.len());
    assert_eq!(picture.matches("stroke-dasharray").count(), flow.arrows.iter().filter(|arrow| arrow.optional).count());
    assert_eq!(picture.matches("<g ").count(), picture.matches("</g>").count());
    assert!(picture.contains("<title>RFC 3261 §13: Set-up, both PFs on the media path</title>"));
    assert!(picture.contains("prefers-color-scheme:dark"));
}

#[test]
fn what_the_network_says_cannot_break_out_of_the_picture() {
    let flow = by_id("c.2.3.1-figure-9").unwrap();
    let mut rows = rows(flow);
    rows[0].message = Message::request("<\"&\u{1b}>");
    let picture = svg("a < b & \"c\"", &flow.nodes, &rows[..1]);
    assert!(picture.contains("&lt;&quot;&amp;\u{fffd}&gt;"));
    assert!(picture.contains("<title>a &lt; b &amp; &quot;c&quot;</title>"));
    let drawn = render(&flow.nodes, &rows[..1], &PLAIN);
    assert!(!drawn.contains('\u{1b}'), "{drawn}");
}
