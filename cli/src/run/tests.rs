use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::envfile;

fn request(inherited: &[(&str, &str)], files: &[&str]) -> Request {
    Request {
        command: vec!["true".into()],
        inherited: inherited.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        files: files.iter().map(|text| (PathBuf::from(".env"), envfile::parse(text.as_bytes()).unwrap())).collect(),
        selection: Selection::default(),
        allowed: Allowed::default(),
    }
}

fn secrets() -> Vec<SecretName> {
    ["stripe/key", "supabase/access_token", "supabase/url", "a/b", "a.b", "ld/preload"]
        .map(|name| SecretName::parse(name).unwrap())
        .to_vec()
}

fn vault(name: &SecretName, _: Version) -> Result<Zeroizing<String>, Why> {
    match name.as_str() {
        "gone" => Err(Why::Absent),
        "closed" => Err(Why::Forbidden),
        name => Ok(Zeroizing::new(format!("value of {name}"))),
    }
}

fn started(request: Request) -> Outcome<Vec<(String, String)>> {
    let launch = Plan::new(request)?.resolve(&secrets(), vault)?;
    let text = |text: &OsString| text.to_string_lossy().into_owned();
    Ok(launch.environment().iter().map(|(name, value)| (text(name), text(value))).collect())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn only_references_are_injected() {
    let inherited = [("HOME", "/h"), ("TOKEN", "Bearer ${vault:supabase/access_token}")];
    let request = request(&inherited, &["URL=${vault:supabase/url}\nPLAIN='$HOME'\n"]);
    let expected =
        [("HOME", "/h"), ("PLAIN", "$HOME"), ("TOKEN", "Bearer value of supabase/access_token"), ("URL", "value of supabase/url")];
    assert_eq!(started(request).unwrap(), pairs(&expected));
}

#[test]
fn without_references_the_vault_is_not_needed() {
    assert!(!Plan::new(request(&[("A", "b"), ("B", "$${vault:x}")], &["C=d"])).unwrap().needs_vault());
    let by_reference = Plan::new(request(&[("A", "${vault:x}")], &[])).unwrap();
    assert!(by_reference.needs_vault() && !by_reference.needs_names(), "a damaged name beside it is in nobody's way");
    assert!(Plan::new(request(&[], &["A=${vault:x}"])).unwrap().needs_vault());
    let mut by_name = request(&[], &[]);
    by_name.selection.all = true;
    let by_name = Plan::new(by_name).unwrap();
    assert!(by_name.needs_vault() && by_name.needs_names());
}

#[test]
fn later_files_win_over_earlier_ones_over_names_over_the_inherited() {
    let inherited = [("SUPABASE_URL", "old"), ("STRIPE_KEY", "${vault:gone}"), ("A", "1"), ("B", "1")];
    let mut request = request(&inherited, &["A=2\nSUPABASE_ACCESS_TOKEN=mine", "A=3"]);
    request.selection.prefixes = vec!["s".into()];
    let expected = [
        ("A", "3"),
        ("B", "1"),
        ("STRIPE_KEY", "value of stripe/key"),
        ("SUPABASE_ACCESS_TOKEN", "mine"),
        ("SUPABASE_URL", "value of supabase/url"),
    ];
    assert_eq!(started(request).unwrap(), pairs(&expected));
}

#[test]
fn secrets_are_chosen_by_name_variable_or_prefix() {
    let chosen = |only: &[&str], prefixes: &[&str]| {
        let mut request = request(&[], &[]);
        request.selection.only = only.iter().map(|name| (*name).to_owned()).collect();
        request.selection.prefixes = prefixes.iter().map(|name| (*name).to_owned()).collect();
        started(request).map(|pairs| pairs.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
    };
    assert_eq!(chosen(&["stripe/key"], &[]).unwrap(), ["STRIPE_KEY"]);
    assert_eq!(chosen(&["STRIPE_KEY"], &["stripe/"]).unwrap(), ["STRIPE_KEY"]);
    assert_eq!(chosen(&["STRIPE_KEY"], &["supabase/"]).unwrap(), ["STRIPE_KEY", "SUPABASE_ACCESS_TOKEN", "SUPABASE_URL"]);
    let failure = chosen(&["stripe/kex", "STRIPE_KEY"], &["aws/"]).unwrap_err();
    assert_eq!(failure.exit(), Exit::NotFound);
    assert!(failure.to_string().contains("stripe/kex, aws/"), "{failure}");
    let failure = chosen(&[], &["a"]).unwrap_err();
    assert!(failure.to_string().contains("a.b and a/b both give A_B"), "{failure}");
    assert_eq!(chosen(&["a/b"], &[]).unwrap(), ["A_B"]);
}

#[test]
fn our_own_variables_never_reach_the_child() {
    let inherited = [("KEYVAWLT_TOKEN", "canary"), ("KEYVAWLT_X", "${vault:gone"), ("A", "1")];
    assert_eq!(started(request(&inherited, &[])).unwrap(), pairs(&[("A", "1")]));
    let mut nested = request(&inherited[..1], &[]);
    nested.allowed = Allowed::new(["KEYVAWLT_TOKEN".to_owned()]);
    assert_eq!(started(nested).unwrap(), pairs(&[("KEYVAWLT_TOKEN", "canary")]));
    assert!(started(request(&[], &["KEYVAWLT_TOKEN=x"])).is_err());
}

#[test]
fn dangerous_names_are_refused_unless_inherited_as_they_are() {
    assert!(started(request(&[("PATH", "/bin"), ("LD_PRELOAD", "x.so")], &[])).is_ok());
    for (inherited, file) in [(("NODE_OPTIONS", "${vault:stripe/key}"), ""), (("A", "b"), "PATH=/x")] {
        let failure = started(request(&[inherited], &[file])).unwrap_err();
        assert_eq!(failure.details().code, "DANGEROUS_NAME");
        assert!(failure.to_string().contains("--allow-name"), "{failure}");
    }
    let mut by_name = request(&[], &[]);
    by_name.selection.only = vec!["ld/preload".into()];
    assert!(started(by_name).unwrap_err().to_string().contains("LD_PRELOAD"));
    let mut allowed = request(&[], &["PATH=/x"]);
    allowed.allowed = Allowed::new(["PATH".to_owned()]);
    assert_eq!(started(allowed).unwrap(), pairs(&[("PATH", "/x")]));
}

#[test]
fn references_in_arguments_are_refused() {
    for argument in ["${vault:stripe/key}", "--key=${vault:x}", "${vault:"] {
        let mut request = request(&[], &[]);
        request.command.push(argument.into());
        let failure = started(request).unwrap_err();
        assert_eq!(failure.details().code, "REFERENCE_IN_ARGUMENT");
    }
    let mut request = request(&[], &[]);
    request.command.extend(["$${vault:x}".into(), OsString::from_vec(vec![0xff])]);
    assert!(started(request).is_ok());
}

#[test]
fn every_failure_is_named_before_anything_starts() {
    let inherited = [("A", "${vault:gone}"), ("B", "${vault:closed}"), ("C", "${vault:stripe/key}")];
    let failure = started(request(&inherited, &["D=${vault:gone#x}"])).unwrap_err();
    assert_eq!(failure.exit(), Exit::PermissionDenied);
    let text = failure.to_string();
    for part in ["A (gone): no such", "B (closed): not allowed", "D (gone#x): no such"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("value of"), "{text}");
    let failure = started(request(&[("A", "${vault:x|json}")], &["B=${vault:-}"])).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    assert!(failure.to_string().contains("A: a reference has no filters; B: a name"), "{failure}");
}

#[test]
fn what_is_not_text_passes_through() {
    let mut request = request(&[], &[]);
    let odd = OsString::from_vec(b"\xff${vault:x}".to_vec());
    request.inherited.push(("ODD".into(), odd.clone()));
    let launch = Plan::new(request).unwrap().resolve(&[], vault).unwrap();
    assert_eq!(launch.environment()[OsStr::new("ODD")], odd);
}

#[test]
fn a_launch_shows_no_values() {
    let request = request(&[("A", "${vault:stripe/key}")], &[]);
    let launch = Plan::new(request).unwrap().resolve(&[], vault).unwrap();
    assert_eq!(format!("{launch:?}"), r#"Launch { command: ["true"], names: ["A"] }"#);
}
