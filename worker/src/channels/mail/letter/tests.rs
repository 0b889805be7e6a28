use super::*;
use crate::words::samples;

/// Gmail cuts a mail off at 102 KB.
const MAX_HTML_BYTES: usize = 100_000;

#[test]
fn every_mail_reads_as_reviewed() {
    for (name, message) in samples::messages() {
        let letter = Letter::of(&message, Templates::default());
        let shown = format!("Subject: {}\n\n{}\n---- html\n{}", letter.subject, letter.text, letter.html.unwrap());
        insta::assert_snapshot!(name, shown);
    }
}

#[test]
fn the_longest_mail_is_shown_whole_by_those_who_cut() {
    for (name, message) in samples::messages() {
        let letter = Letter::of(&message, Templates::default());
        assert!(letter.html.unwrap().len() < MAX_HTML_BYTES, "{name}");
    }
}

#[test]
fn both_forms_say_the_same() {
    for (name, message) in samples::messages() {
        let Letter { text, html, .. } = Letter::of(&message, Templates::default());
        let html = html.unwrap().replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&").replace("&#39;", "'");
        for piece in message.shown() {
            let said = piece.facts().iter().chain(message.common()).map(|fact| &fact.value).chain(piece.lines());
            for words in said {
                assert!(text.contains(words.as_str()) && html.contains(words.as_str()), "{name}: {words}");
            }
            assert!(text.contains(piece.title()) && html.contains(piece.title()), "{name}");
        }
    }
}

#[test]
fn a_template_that_fails_takes_the_form_and_not_the_words() {
    let failing: Render = |_| Err(askama::Error::Fmt);
    let message = &samples::messages().into_iter().find(|(name, _)| *name == "digest").unwrap().1;
    let whole = Letter::of(message, Templates::default());
    let without_html = Letter::of(message, Templates { text: text_of, html: failing });
    assert_eq!((&without_html.text, without_html.html), (&whole.text, None));
    assert_eq!((whole.lacks, without_html.lacks), (None, Some("its HTML template failed, so it went out as text")));
    let plain = Letter::of(message, Templates { text: failing, html: failing });
    assert_eq!((plain.subject, plain.html, plain.lacks.is_some()), (whole.subject, None, true));
    for piece in message.shown() {
        assert!(plain.text.contains(piece.title()));
        assert!(piece.facts().iter().all(|fact| plain.text.contains(&fact.value)));
    }
    assert!(plain.text.contains(message.advice()[0].to_do) && plain.text.contains(samples::UNSUBSCRIBE));
}
