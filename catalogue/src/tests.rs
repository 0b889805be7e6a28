//! The catalogue of the program against the fixtures beside it, and what a catalogue may not say.

use crate::{Answer, Catalogue, Judgement, Origin, Outcome, PROVIDERS, Provider};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a provider may answer, written from documentation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    about: String,
    /// Made up, in the provider's form.
    key: String,
    answers: Vec<Told>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: String,
    outcome: Outcome,
    #[serde(default)]
    expires_ms: Option<u64>,
}

fn fixture(provider: &Provider) -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{}.json", provider.id));
    serde_json::from_slice(&fs::read(&path).expect("a fixture of each provider")).expect("a fixture")
}

fn catalogue() -> Catalogue {
    Catalogue::builtin().unwrap()
}

#[test]
fn every_answer_of_every_provider_means_what_its_fixture_says() {
    let catalogue = catalogue();
    assert!(catalogue.providers().len() >= 25);
    let mut cases = 0;
    for provider in catalogue.providers() {
        let fixture = fixture(provider);
        assert!(fixture.about.contains("not recorded"));
        assert_eq!(fixture.answers.is_empty(), provider.probe.is_none(), "{}", provider.id);
        let mut outcomes = BTreeSet::new();
        for told in fixture.answers {
            let answer = Answer { status: told.status, headers: told.headers, body: told.body.into_bytes() };
            let expected = Judgement { outcome: told.outcome, expires_ms: told.expires_ms };
            assert_eq!(provider.judge(&answer), expected, "{}: {answer:?}", provider.id);
            outcomes.insert(told.outcome);
            cases += 1;
        }
        if let Some(probe) = &provider.probe {
            let ruled: BTreeSet<Outcome> = probe.rules.iter().map(|rule| rule.outcome).collect();
            assert!(outcomes.is_superset(&ruled), "{}: a rule without a fixture: {ruled:?} {outcomes:?}", provider.id);
        }
    }
    assert!(cases > 300, "{cases}");
}

#[test]
fn each_form_is_recognised_as_its_own_providers_and_no_others() {
    let catalogue = catalogue();
    for provider in catalogue.providers() {
        let key = fixture(provider).key;
        let found = catalogue.recognise(&key).map(|(found, _)| found.id.as_str());
        // A site's token is an address and a token: no form.
        let expected = Some(provider.id.as_str()).filter(|id| !provider.formats.is_empty() && *id != "atlassian");
        assert_eq!(found, expected, "{key}");
    }
    for value in ["", "hunter2", "sk-", "postgres://u:p@db/x", "-----BEGIN PRIVATE KEY-----", "00000000000000000000000000000000"] {
        assert!(catalogue.recognise(value).is_none(), "{value}");
    }
}

#[test]
fn a_checksum_tells_a_mistyped_token() {
    let catalogue = catalogue();
    let github = catalogue.named("GitHub").unwrap();
    let key = fixture(github).key;
    assert!(catalogue.recognise(&key).is_some());
    let mistyped = key.replacen("dK", "dL", 1);
    assert_ne!(mistyped, key);
    assert!(catalogue.recognise(&mistyped).is_none(), "one letter differs");
}

#[test]
fn a_key_is_sent_once_and_only_where_its_provider_is() {
    let catalogue = catalogue();
    for provider in catalogue.providers() {
        let key = fixture(provider).key;
        let here = Origin::parse("http://127.0.0.1:9").unwrap();
        let Ok(request) = provider.request(&key, Some(&here)) else {
            assert!(provider.probe.is_none(), "{}", provider.id);
            continue;
        };
        let headers = request.headers.iter().filter(|(_, value)| value.contains(&key) || value.starts_with("Basic ")).count();
        assert_eq!(headers + usize::from(request.path.contains(&key)), 1, "{}", provider.id);
        assert!(!request.body.contains(&key) && !format!("{request:?}").contains(&key), "{}", provider.id);
        match provider.request(&key, None) {
            Ok(request) => assert!(request.origin.secure && provider.hosts.contains(&request.origin.host), "{}", provider.id),
            Err(why) => assert!(provider.hosts.is_empty() && why.0.contains("--endpoint"), "{}: {why}", provider.id),
        }
    }
}

#[test]
fn what_must_not_be_sent_is_not() {
    let catalogue = catalogue();
    let refused = |provider: &str, key: &str| catalogue.named(provider).unwrap().request(key, None).unwrap_err().0;
    assert!(refused("digitalocean", &format!("dor_v1_{}", "0".repeat(64))).contains("never sent"));
    assert!(refused("stripe", "pk_live_0123456789").contains("public"));
    assert!(refused("openai", "two words").contains("one line"));
    assert!(refused("openai", "line\r\nx-injected: 1").contains("one line"));
    assert!(refused("openai", "").contains("one line"));
    assert!(refused("aws", "AKIAIOSFODNN7EXAMPLE").contains("SigV4"));
}

#[test]
fn an_origin_is_secure_or_on_this_machine() {
    let parsed = |text: &str| Origin::parse(text).map(|origin| origin.authority());
    assert_eq!(parsed("https://gitlab.example"), Ok("gitlab.example".to_owned()));
    assert_eq!(parsed("https://gitlab.example:8443/"), Ok("gitlab.example:8443".to_owned()));
    assert_eq!(parsed("http://127.0.0.1:8080"), Ok("127.0.0.1:8080".to_owned()));
    assert_eq!(parsed("http://[::1]:8080"), Ok("[::1]:8080".to_owned()));
    let refused = [
        "http://gitlab.example",
        "http://localhost:8080",
        "http://192.168.0.1",
        "http://127.0.0.1.example",
        "gitlab.example",
        "ftp://x",
        "https://",
        "https://x/path",
        "https://user@x",
        "https://x?y",
        "https://x:port",
        "https://x\r\ny",
    ];
    for text in refused {
        assert!(Origin::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_catalogue_that_could_do_harm_is_refused() {
    let entry = PROVIDERS.split("[[provider]]").nth(1).unwrap();
    let with = |from: &str, to: &str| {
        assert!(entry.contains(from), "{from}");
        Catalogue::parse(&format!("[[provider]]{}", entry.replace(from, to))).map(|_| ()).map_err(|flaw| flaw.to_string())
    };
    assert_eq!(with("Airtable", "Airtable"), Ok(()));
    let cases = [
        ("Bearer {key}", "Bearer", "exactly one place"),
        ("/v0/meta/whoami\"\nheaders", "/v0/{key}\"\nheaders", "exactly one place"),
        ("path = \"/v0", "path = \"v0", "begins with '/'"),
        ("min_interval_s = 5", "min_interval_s = 1", "min_interval_s"),
        ("outcome = \"valid\"", "outcome = \"limited\"", "means valid"),
        ("outcome = \"valid\"", "outcome = \"splendid\"", "splendid"),
        ("https://api.airtable.com", "http://api.airtable.com", "https"),
        ("hosts = [\"api", "hosts = [\"user@api", "host"),
        ("pat{alnum:14}.{hex:64}", "{alnum:14}", "literal"),
        ("{alnum:14}", "{alnum:9999}", "counts"),
        ("{alnum:14}", "{any:14}", "charset"),
        ("id = \"airtable\"", "id = \"Air Table\"", "lower case"),
        ("rotation =", "rotations =", "unknown field"),
    ];
    for (from, to, expected) in cases {
        let why = with(from, to).unwrap_err();
        assert!(why.contains(expected), "{from} to {to}: {why}");
    }
    let twice = format!("[[provider]]{entry}[[provider]]{entry}");
    assert!(Catalogue::parse(&twice).unwrap_err().to_string().contains("each once"));
}

#[test]
fn an_unknown_answer_never_says_that_a_key_is_dead() {
    for provider in catalogue().providers().iter().filter(|provider| provider.probe.is_some()) {
        for status in [0, 100, 204, 301, 307, 405, 409, 410, 418, 422, 429, 451, 500, 599] {
            let judged = provider.judge(&Answer { status, headers: vec![], body: b"\xff{".to_vec() }).outcome;
            assert!(!matches!(judged, Outcome::Invalid | Outcome::Valid), "{} {status}", provider.id);
        }
    }
}
