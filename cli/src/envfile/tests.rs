use super::{EnvFile, Malformed, Problem, parse};

fn pairs(text: &str) -> Vec<(String, String)> {
    let EnvFile { entries, .. } = parse(text.as_bytes()).unwrap();
    entries.into_iter().map(|entry| (entry.name, entry.value.as_str().to_owned())).collect()
}

fn one(text: &str) -> String {
    let mut all = pairs(text);
    assert_eq!(all.len(), 1, "{text}");
    assert_eq!(all[0].0, "A", "{text}");
    all.remove(0).1
}

fn refused(text: &str) -> Malformed {
    parse(text.as_bytes()).unwrap_err()
}

#[test]
fn one_line_each() {
    let cases = [
        ("A=b", "b"),
        ("A=", ""),
        ("A= ", ""),
        ("A = b", "b"),
        ("  A=b  ", "b"),
        ("export A=b", "b"),
        ("export\tA='b'", "b"),
        ("A=b c", "b c"),
        ("A=b # comment", "b"),
        ("A= # comment", ""),
        ("A=b#c", "b#c"),
        ("A=#b", "#b"),
        ("A='b' # comment", "b"),
        ("A='b # c'", "b # c"),
        ("A=' b '", " b "),
        ("A='a\\nb'", "a\\nb"),
        ("A='a\\\\b'", "a\\\\b"),
        ("A='a\"b'", "a\"b"),
        ("A=\"a'b\"", "a'b"),
        ("A=\"a\\nb\"", "a\nb"),
        ("A=\"a\\r\\tb\"", "a\r\tb"),
        ("A=\"a\\\"b\"", "a\"b"),
        ("A=\"a\\\\nb\"", "a\\nb"),
        ("A=\"a\\$b\"", "a$b"),
        ("A=\"a\\qb\"", "a\\qb"),
        ("A=`it's \"b\"`", "it's \"b\""),
        ("A=it's", "it's"),
        ("A=b=c", "b=c"),
        ("A=$HOME", "$HOME"),
        ("A=${HOME}", "${HOME}"),
        ("A=${vault:x/y}", "${vault:x/y}"),
        ("A=\"$${vault:x}\"", "$${vault:x}"),
        ("A=\"Bearer ${vault:x}\"", "Bearer ${vault:x}"),
        ("A='ü € 🔑'", "ü € 🔑"),
        ("A='one\ntwo'", "one\ntwo"),
        ("A=\"one\ntwo\"", "one\ntwo"),
        ("\u{feff}A=b", "b"),
        ("A=b\r\n", "b"),
        ("A='one\r\ntwo'\r\n", "one\ntwo"),
        ("# c\n\n#\nA=b\n# c", "b"),
    ];
    for (text, value) in cases {
        assert_eq!(one(text), value, "{text:?}");
    }
}

#[test]
fn several_lines() {
    let text = "A=1\n\nexport B='2\n3' # c\nC.d-e=\"4\"\nexport=5\nexport =6\n_=7";
    let expected = [("A", "1"), ("B", "2\n3"), ("C.d-e", "4"), ("export", "6"), ("_", "7")];
    assert_eq!(pairs(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(parse(text.as_bytes()).unwrap().entries[2].line, 5);
    assert!(pairs("").is_empty());
}

#[test]
fn errors_tell_the_line() {
    let cases = [
        ("A", 1, Problem::Equals),
        ("A=1\nB\n", 2, Problem::Equals),
        ("=x", 1, Problem::Equals),
        ("export A", 1, Problem::Equals),
        ("export A B=1", 1, Problem::Equals),
        ("9A=1", 1, Problem::Name),
        ("A=1\n\nÄ=1", 3, Problem::Name),
        ("A: b", 1, Problem::Name),
        ("A='b", 1, Problem::Unclosed),
        ("A=1\nB=\"x\ny\nC=2", 2, Problem::Unclosed),
        ("A='b'c", 1, Problem::AfterQuote),
        ("A='it\\'s'", 1, Problem::AfterQuote),
        ("A='one\ntwo' x", 2, Problem::AfterQuote),
        ("A=\"\\${vault:x}\"", 1, Problem::EscapedReference),
        ("A=1\rB=2", 1, Problem::CarriageReturn),
        ("A=1\nB=\0", 2, Problem::Nul),
    ];
    for (text, line, problem) in cases {
        assert_eq!(refused(text), Malformed { line, problem }, "{text:?}");
    }
    let malformed = parse(b"A=1\nB=\xff").unwrap_err();
    assert_eq!(malformed, Malformed { line: 2, problem: Problem::Encoding });
    let malformed = parse(&vec![b'\n'; 1024 * 1024 + 1]).unwrap_err();
    assert_eq!(malformed.problem, Problem::TooLarge);
}

#[test]
fn the_last_of_a_name_counts_and_is_told() {
    let file = parse(b"A=1\nB=2\nA=canary\n").unwrap();
    assert_eq!(pairs("A=1\nB=2\nA=3\n")[1], ("A".to_owned(), "3".to_owned()));
    assert_eq!(file.warnings, ["line 3: A was already set on line 1; the last one counts"]);
}

#[test]
fn what_other_readers_read_differently_is_told() {
    assert_eq!(
        parse(b"A=b#c\nB=`x`").unwrap().warnings,
        ["line 1: A: some readers end the value at '#'; quote it", "line 2: B: only some readers know backtick quotes",]
    );
}

#[test]
fn errors_show_no_value() {
    for text in ["A='canary' x", "A='canary", "A=canary\0", "A=\"canary\\${vault:x}\""] {
        assert!(!refused(text).to_string().contains("canary"), "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_input_panics(text in "([A-Z ]{0,3}=?|['\"`\\\\#$\n\r\0]|\\PC){0,24}") {
        let _ = parse(text.as_bytes());
    }
}
