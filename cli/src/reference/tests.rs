use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{Malformed, Part, Reference, SecretName, Template, Version, Why, resolve};

fn reference(name: &str, field: Option<&str>, version: Option<Version>) -> Part {
    Part::Reference(Reference { name: SecretName::parse(name).unwrap(), field: field.map(str::to_owned), version })
}

fn literal(text: &str) -> Part {
    Part::Literal(text.to_owned())
}

#[test]
fn forty_cases() {
    let long = format!("${{vault:{}}}", "a".repeat(257));
    let longest = "a".repeat(256);
    let longest_text = format!("${{vault:{longest}}}");
    let cases: [(&str, Result<Vec<Part>, Malformed>); 40] = [
        ("", Ok(vec![])),
        ("plain", Ok(vec![literal("plain")])),
        ("${HOME}", Ok(vec![literal("${HOME}")])),
        ("$vault:x", Ok(vec![literal("$vault:x")])),
        ("${vault}", Ok(vec![literal("${vault}")])),
        ("${VAULT:x}", Ok(vec![literal("${VAULT:x}")])),
        ("${vault:x}", Ok(vec![reference("x", None, None)])),
        ("${vault:supabase/access_token}", Ok(vec![reference("supabase/access_token", None, None)])),
        ("${vault:a/b/c/d}", Ok(vec![reference("a/b/c/d", None, None)])),
        ("${vault:_x}", Ok(vec![reference("_x", None, None)])),
        ("${vault:9}", Ok(vec![reference("9", None, None)])),
        ("${vault:a.b-c_d}", Ok(vec![reference("a.b-c_d", None, None)])),
        ("${vault:a..b}", Ok(vec![reference("a..b", None, None)])),
        ("${vault:x#user}", Ok(vec![reference("x", Some("user"), None)])),
        ("${vault:x#user.name-1}", Ok(vec![reference("x", Some("user.name-1"), None)])),
        ("${vault:x@3}", Ok(vec![reference("x", None, Some(Version::Number(3)))])),
        ("${vault:x@current}", Ok(vec![reference("x", None, Some(Version::Current))])),
        ("${vault:x@previous}", Ok(vec![reference("x", None, Some(Version::Previous))])),
        ("${vault:a/x#f@12}", Ok(vec![reference("a/x", Some("f"), Some(Version::Number(12)))])),
        ("Bearer ${vault:x}", Ok(vec![literal("Bearer "), reference("x", None, None)])),
        ("${vault:u}:${vault:p}@h", Ok(vec![reference("u", None, None), literal(":"), reference("p", None, None), literal("@h")])),
        ("${vault:a}${vault:b}", Ok(vec![reference("a", None, None), reference("b", None, None)])),
        ("$${vault:x}", Ok(vec![literal("${vault:x}")])),
        ("$$${vault:x}", Ok(vec![literal("$${vault:x}")])),
        ("a$${vault:x}${vault:y}", Ok(vec![literal("a${vault:x}"), reference("y", None, None)])),
        ("$${vault:", Ok(vec![literal("${vault:")])),
        (&longest_text, Ok(vec![reference(&longest, None, None)])),
        ("${vault:x}}", Ok(vec![reference("x", None, None), literal("}")])),
        ("ü${vault:x}ü", Ok(vec![literal("ü"), reference("x", None, None), literal("ü")])),
        ("${vault:", Err(Malformed::Unclosed)),
        ("${vault:x", Err(Malformed::Unclosed)),
        ("${vault:}", Err(Malformed::Path)),
        ("${vault:/x}", Err(Malformed::Path)),
        ("${vault:-x}", Err(Malformed::Path)),
        ("${vault:a b}", Err(Malformed::Path)),
        ("${vault:x:-fallback}", Err(Malformed::Default)),
        ("${vault:x|json}", Err(Malformed::Filter)),
        ("${vault:x#}", Err(Malformed::Field)),
        ("${vault:x@007}", Err(Malformed::Version)),
        (&long, Err(Malformed::TooLong)),
    ];
    for (text, expected) in cases {
        let parsed = Template::parse(text);
        assert_eq!(parsed.clone().map(|template| template.parts), expected, "{text}");
        if let Ok(template) = parsed {
            assert_eq!(template.to_string(), text);
        }
    }
    for text in ["a//b", "a/", ".a", "a/.b", "ä", "a:b", "a}b", "", "a\nb"] {
        assert_eq!(SecretName::parse(text), Err(Malformed::Path), "{text}");
    }
    for version in ["0", "-1", "+1", "", "latest", "18446744073709551616"] {
        assert_eq!(Reference::parse(&format!("x@{version}")), Err(Malformed::Version), "{version}");
    }
}

fn any_reference() -> impl Strategy<Value = Part> {
    let version = prop_oneof![
        Just(None),
        Just(Some(Version::Current)),
        Just(Some(Version::Previous)),
        (1u64..).prop_map(|number| Some(Version::Number(number))),
    ];
    let segment = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}";
    (proptest::collection::vec(segment, 1..4), proptest::option::of(segment), version)
        .prop_map(|(segments, field, version)| reference(&segments.join("/"), field.as_deref(), version))
}

/// Literals that do not end in `$`: before a reference that would be the escape.
fn any_template() -> impl Strategy<Value = Template> {
    let text = prop_oneof!["[ -~]{0,6}", "\\PC{0,6}", Just("${vault:".to_owned())];
    proptest::collection::vec((text, any_reference()), 0..4).prop_map(|pairs| {
        let mut parts = Vec::new();
        for (text, reference) in pairs {
            let text = text.trim_end_matches('$');
            if !text.is_empty() {
                parts.push(literal(text));
            }
            parts.push(reference);
        }
        Template { parts }
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(template in any_template()) {
        prop_assert_eq!(Template::parse(&template.to_string()), Ok(template));
    }

    #[test]
    fn what_parses_prints_the_same(text in "([$]{0,3}[{]?vault:|[$]{1,3}[{]vault:[a-z]{1,3}[}]|[a-z#@}]|\\PC){0,8}") {
        if let Ok(template) = Template::parse(&text) {
            prop_assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn json_stays_json_and_carries_the_value(value in "\\PC{0,12}|[\"\\\\\n\t]{0,6}") {
        let template = Template::parse(r#"{"Authorization":"Bearer ${vault:x}","n":[1]}"#).unwrap();
        let filled = resolve(&[("H".into(), template)], |_, _| Ok(Zeroizing::new(value.clone()))).unwrap();
        let json: serde_json::Value = serde_json::from_str(&filled[0].1).unwrap();
        prop_assert_eq!(&json["Authorization"], &format!("Bearer {value}"));
    }
}

fn vault(name: &SecretName, version: Version) -> Result<Zeroizing<String>, Why> {
    match (name.as_str(), version) {
        ("plain", Version::Current) => Ok("canary-plain".to_owned().into()),
        ("plain", Version::Number(1)) => Ok("canary-old".to_owned().into()),
        ("plain", Version::Previous) => Err(Why::GraceOver("2026-11-23".to_owned())),
        ("plain", _) => Err(Why::NoSuchVersion),
        ("login", _) => Ok(r#"{"user":"u","port":5432,"tls":true,"deep":{},"f":1.5}"#.to_owned().into()),
        ("nested", _) => Ok("${vault:plain}".to_owned().into()),
        ("nul", _) => Ok("canary\0".to_owned().into()),
        ("closed", _) => Err(Why::Forbidden),
        _ => Err(Why::Absent),
    }
}

fn resolve_all(values: &[(&str, &str)]) -> Result<Vec<(String, String)>, super::Unresolved> {
    let templates: Vec<_> = values.iter().map(|(name, value)| ((*name).to_owned(), Template::parse(value).unwrap())).collect();
    resolve(&templates, vault).map(|pairs| pairs.into_iter().map(|(name, value)| (name, value.as_str().to_owned())).collect())
}

fn resolve_one(value: &str) -> Result<String, Why> {
    match resolve_all(&[("A", value)]) {
        Ok(mut pairs) => Ok(pairs.remove(0).1),
        Err(mut unresolved) => Err(unresolved.failures.remove(0).2),
    }
}

#[test]
fn references_are_replaced_where_they_stand() {
    assert_eq!(resolve_one("${vault:plain}").unwrap(), "canary-plain");
    assert_eq!(resolve_one("Bearer ${vault:plain}!").unwrap(), "Bearer canary-plain!");
    assert_eq!(resolve_one("${vault:plain@1}${vault:plain@current}").unwrap(), "canary-oldcanary-plain");
    assert_eq!(resolve_one("$${vault:plain}").unwrap(), "${vault:plain}");
    assert_eq!(resolve_one("no reference").unwrap(), "no reference");
}

#[test]
fn fields_are_members_of_a_json_object() {
    assert_eq!(resolve_one("${vault:login#user}:${vault:login#port}").unwrap(), "u:5432");
    assert_eq!(resolve_one("${vault:login#tls}").unwrap(), "true");
    assert_eq!(resolve_one("${vault:login#nobody}"), Err(Why::NoSuchField));
    assert_eq!(resolve_one("${vault:login#deep}"), Err(Why::FieldNotScalar));
    assert_eq!(resolve_one("${vault:login#f}"), Err(Why::FieldNotScalar));
    assert_eq!(resolve_one("${vault:plain#user}"), Err(Why::NotAnObject));
}

#[test]
fn what_a_secret_contains_is_not_resolved_again() {
    assert_eq!(resolve_one("${vault:nested}").unwrap(), "${vault:plain}");
}

#[test]
fn inside_json_only_strings_are_escaped() {
    let object = resolve_one(r#"{"whole":${vault:login},"text":"${vault:login}"}"#).unwrap();
    let json: serde_json::Value = serde_json::from_str(&object).unwrap();
    assert_eq!(json["whole"]["port"], 5432);
    assert!(json["text"].as_str().unwrap().starts_with("{\"user\""));
    assert_eq!(resolve_one("'${vault:login#user}\"").unwrap(), "'u\"");
}

#[test]
fn all_failures_come_together_and_name_no_value() {
    let unresolved = resolve_all(&[
        ("GOOD", "${vault:plain}"),
        ("GONE", "x ${vault:gone} ${vault:other/gone}"),
        ("CLOSED", "${vault:closed}"),
        ("OLD", "${vault:plain@9}"),
        ("REPLACED", "${vault:plain@previous}"),
        ("NUL", "${vault:nul}"),
    ])
    .unwrap_err();
    let reasons: Vec<_> = unresolved.failures.iter().map(|(name, _, why)| (name.as_str(), why.clone())).collect();
    assert_eq!(
        reasons,
        [
            ("GONE", Why::Absent),
            ("GONE", Why::Absent),
            ("CLOSED", Why::Forbidden),
            ("OLD", Why::NoSuchVersion),
            ("REPLACED", Why::GraceOver("2026-11-23".to_owned())),
            ("NUL", Why::Nul),
        ]
    );
    let text = unresolved.to_string();
    assert!(text.contains("GONE (other/gone): no such secret"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn one_secret_is_asked_for_once() {
    let mut asked = Vec::new();
    let template = Template::parse("${vault:a}${vault:a@current}${vault:a#b}${vault:a@2}").unwrap();
    let filled = resolve(&[("A".into(), template)], |name, version| {
        asked.push((name.to_string(), version));
        Ok(Zeroizing::new(r#"{"b":"c"}"#.to_owned()))
    });
    assert!(filled.is_ok());
    assert_eq!(asked, [("a".into(), Version::Current), ("a".into(), Version::Number(2))]);
}
