use super::*;

fn piece(tone: Tone, title: &str) -> Piece {
    Piece::new("test", tone, title)
}

#[test]
fn what_owners_write_becomes_one_line_that_reads_as_it_is_stored() {
    let hostile = "Stripe\r\nBcc: eve@example.com\u{2028}\u{202e}evil\u{2066}\u{0}";
    assert_eq!(piece(Tone::Soon, hostile).title(), "Stripe  Bcc: eve@example.com evil");
    assert_eq!(label(Some("\u{202e}\n ")), None);
    let long = label(Some(&"x".repeat(200))).unwrap();
    assert_eq!((long.chars().count(), long.ends_with('…')), (MAX_LABEL_CHARS + 1, true));
}

#[test]
fn many_pieces_are_shown_to_a_bound_most_urgent_first_and_the_rest_is_counted() {
    let mut pieces: Vec<Piece> = (0..30).map(|nth| piece(Tone::Soon, &format!("soon {nth}"))).collect();
    pieces.push(piece(Tone::Urgent, "now"));
    let message = Message::many(pieces, 9).unwrap();
    assert_eq!(message.title(), "now, and 39 more");
    assert_eq!((message.shown().len(), message.rest()), (MAX_SHOWN, 31 - MAX_SHOWN + 9));
    assert_eq!((message.shown()[0].title(), message.shown()[1].title()), ("now", "soon 0"));
    assert_eq!(Message::many(vec![], 0), None);
    assert_eq!(Message::many(vec![piece(Tone::Good, "one")], 0).unwrap().title(), "one");
}

#[test]
fn a_title_takes_no_other_thing_for_one_more_of_the_same() {
    let title = |pieces: &[Piece], rest| Message::many(pieces.to_vec(), rest).unwrap().title().to_owned();
    let down = piece(Tone::Urgent, "api is down");
    assert_eq!(title(&[down.clone(), down.clone(), down.clone()], 2), "api is down, and 4 more");
    assert_eq!(title(&[down.clone(), piece(Tone::Good, "web is up again")], 0), "api is down, and another notice");
    let expiry = Piece::new("expiry", Tone::Urgent, "Stripe live has expired");
    assert_eq!(title(&[down, expiry.clone(), expiry], 0), "api is down, and 2 other notices");
}

#[test]
fn advice_and_reasons_that_are_the_same_are_given_once() {
    let told = |command: &str| piece(Tone::Soon, "t").advise("Renew it.").command(command).why("You read it.");
    let message = Message::many(vec![told("a"), told("b"), told("a"), piece(Tone::Soon, "t").advise("Look.")], 0).unwrap();
    let advice = message.advice();
    assert_eq!((advice[0].to_do, &advice[0].commands[..]), ("Renew it.", &["a", "b"][..]));
    assert_eq!((advice[1].to_do, advice[1].commands.len(), advice.len()), ("Look.", 0, 2));
    assert_eq!(message.reasons(), ["You read it."]);
}

#[test]
fn what_all_pieces_say_is_said_once() {
    let of = |version: &str| piece(Tone::Soon, "t").fact("Version", version).exact("Organization", "a1");
    let message = Message::many(vec![of("1"), of("2")], 0).unwrap();
    assert_eq!(message.common().iter().map(|fact| fact.value.as_str()).collect::<Vec<_>>(), ["a1"]);
    assert_eq!(message.shown().iter().map(|piece| piece.facts().len()).collect::<Vec<_>>(), [1, 1]);
    let alone = Message::many(vec![of("1")], 0).unwrap();
    assert_eq!((alone.common().len(), alone.shown()[0].facts().len()), (0, 2));
}

#[test]
fn an_unsubscribe_address_is_an_https_url_that_cannot_break_a_header() {
    let with = |url: &str| Message::one(piece(Tone::Calm, "t")).unsubscribe(url).unsubscribe.is_some();
    assert!(with("https://vault.example.com/unsubscribe/abc-_?x=1"));
    for wrong in ["http://vault.example.com/u", "https://a\r\nBcc: eve", "https://a>,<mailto:eve", "https://ü", "javascript:x", ""] {
        assert!(!with(wrong), "{wrong}");
    }
    assert!(!with(&format!("https://{}", "a".repeat(MAX_URL_BYTES))));
}
