use super::*;
use crate::words::samples::{self, NOW};

/// Slack's limits, from its reference of blocks.
const MAX_BLOCKS: usize = 50;
const MAX_SECTION: usize = 3000;
const MAX_FIELD: usize = 2000;

#[test]
fn every_message_reads_as_reviewed() {
    for (name, message) in samples::messages() {
        insta::assert_snapshot!(name, serde_json::to_string_pretty(&payload(&message)).unwrap());
    }
}

#[test]
fn every_message_is_within_slacks_limits() {
    for (name, message) in samples::messages() {
        let payload = payload(&message);
        let blocks = payload["blocks"].as_array().unwrap();
        assert!((1..=MAX_BLOCKS).contains(&blocks.len()), "{name}: {}", blocks.len());
        for block in blocks {
            let text = block["text"]["text"].as_str().unwrap_or_default();
            assert!(text.len() <= MAX_SECTION, "{name}: {}", text.len());
            for field in block["fields"].as_array().into_iter().flatten() {
                assert!(field["text"].as_str().unwrap().len() <= MAX_FIELD, "{name}");
            }
        }
        assert!(!payload["text"].as_str().unwrap().is_empty(), "{name}: a text for those that know no blocks");
    }
}

#[test]
fn nothing_an_owner_wrote_becomes_markup_or_a_mention() {
    assert_eq!(
        escape("<!channel> & <https://evil.example|click> *b* `c` ~d~"),
        "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt; ∗b∗ ˋcˋ ∼d∼"
    );
    let hostile = Piece::new("test", Tone::Urgent, "<!channel> *now*").fact("Label", "<@U1> & <#C1>");
    let payload = payload(&Message::one(hostile));
    let mut found = Vec::new();
    collect(&payload, &mut found);
    assert!(found.iter().all(|text| !text.contains('<') && !text.contains('>')), "{found:?}");
    assert!(payload["blocks"][0]["text"]["text"].as_str().unwrap().ends_with("*&lt;!channel&gt; ∗now∗*"));
}

#[test]
fn a_text_without_blocks_names_nobody_and_leads_nowhere() {
    let title = "@channel @all @everyone ![](https://evil.example/p) [Stripe](www.evil.example)";
    let payload = payload(&Message::one(Piece::new("test", Tone::Urgent, title)));
    let text = payload["text"].as_str().unwrap();
    assert_eq!(text, "＠channel ＠all ＠everyone !［］(https:∕∕evil.example/p) ［Stripe］(www․evil.example)");
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(values) => values.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[test]
fn a_hook_that_is_gone_is_closed_whatever_its_status() {
    for (status, word) in [(404, "no_service"), (410, "channel_is_archived"), (404, "channel_not_found\n"), (403, "team_disabled")] {
        assert!(matches!(judge(status, None, word.as_bytes(), NOW), Reception::Closed { why } if why.contains(word.trim())), "{word}");
    }
    assert_eq!(judge(200, None, b"ok", NOW), Reception::Taken);
    assert!(matches!(judge(400, None, b"invalid_blocks", NOW), Reception::Refused { .. }));
    assert!(matches!(judge(404, None, b"", NOW), Reception::Later { .. }));
    assert!(matches!(judge(429, Some("30"), b"", NOW), Reception::Later { wait: Some(wait), .. } if wait.as_secs() == 30));
    assert!(matches!(judge(500, None, b"rollup_error", NOW), Reception::Later { .. }));
}
