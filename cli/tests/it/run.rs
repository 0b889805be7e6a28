//! `keyvawlt run` as programs and shells see it: environment, exit codes, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const KEYVAWLT: &str = env!("CARGO_BIN_EXE_keyvawlt");

fn run(arguments: &[&str]) -> Command {
    let mut command = Command::new(KEYVAWLT);
    command.env_clear().env("PATH", "/usr/bin:/bin").arg("run").args(arguments);
    command
}

fn error(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "something was started");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_childs_exit_code_is_ours() {
    for code in [0, 1, 2, 17, 126, 255] {
        let status = run(&["--", "sh", "-c", &format!("exit {code}")]).status().unwrap();
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn a_child_killed_by_a_signal_is_128_more_to_a_shell() {
    let status = run(&["--", "sh", "-c", "kill -TERM $$"]).status().unwrap();
    assert_eq!(status.signal(), Some(15));
    // Rust programs ignore SIGPIPE; a child must not inherit that.
    let status = run(&["--", "sh", "-c", "kill -PIPE $$; exit 3"]).status().unwrap();
    assert_eq!(status.signal(), Some(13));
    let script = "\"$0\" run -- sh -c 'kill -INT $$'; echo $?";
    let output = Command::new("sh").args(["-c", script, KEYVAWLT]).output().unwrap();
    assert_eq!(output.stdout, b"130\n");
}

#[test]
fn what_cannot_be_started_is_126_or_127() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "x").unwrap();
    for (program, code) in [("/nonexistent/x", 127), ("nonexistent-x", 127), (plain.to_str().unwrap(), 126)] {
        let output = run(&["--", program]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{program}");
        let text = error(&output);
        assert!(text.starts_with("keyvawlt: error[C"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

/// A child that says `ready`, waits, and on the signal says `got` and ends with 42.
fn waiting(signal: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let script = format!("trap 'echo got; exit 42' {signal}; echo ready; while :; do sleep 0.02; done");
    let mut child = run(&["--", "sh", "-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, lines)
}

#[test]
fn signals_reach_the_child() {
    let signals = [
        ("INT", Signal::INT),
        ("TERM", Signal::TERM),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("WINCH", Signal::WINCH),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("CONT", Signal::CONT),
    ];
    for (name, signal) in signals {
        let (mut child, mut lines) = waiting(name);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "got\n", "{name}");
        assert_eq!(child.wait().unwrap().code(), Some(42), "{name}");
    }
}

#[test]
fn the_child_is_this_very_process_and_has_our_streams() {
    let mut child = run(&["--", "sh", "-c", "echo $$; cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"through").unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{id}\nthrough"));
}

#[test]
fn env_files_add_and_our_own_variables_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a.env"), dir.path().join("b.env"));
    std::fs::write(&first, "A='1 ü'\nB=1\n").unwrap();
    std::fs::write(&second, "B=2\nB=\"$${vault:x}\"\n").unwrap();
    let files = ["--env-file", first.to_str().unwrap(), "--env-file", second.to_str().unwrap()];
    let output =
        run(&[&files[..], &["--", "env"]].concat()).env("KEYVAWLT_TOKEN", "canary").env("KEYVAWLT_ADDR", "http://x").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=1 ü", "B=${vault:x}", "PATH=/usr/bin:/bin"]);
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(warning.contains("line 2: B was already set on line 1"), "{warning}");
}

#[test]
fn it_runs_in_an_empty_environment() {
    let output = Command::new(KEYVAWLT).env_clear().args(["run", "--", "/usr/bin/env"]).output();
    let output = output.unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn mistakes_are_told_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    let with_file = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(&["--env-file", file.to_str().unwrap(), "--", "echo", "started"]).output().unwrap()
    };
    let cases = [
        ("A=1\nB='canary", "line 2: the quote that begins here is never closed"),
        ("LD_PRELOAD=/tmp/canary.so", "LD_PRELOAD; if you mean it: --allow-name LD_PRELOAD"),
        ("A=${vault:x:-canary}", "A: a reference has no default"),
    ];
    for (text, expected) in cases {
        let output = with_file(text);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let text = error(&output);
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    let output = run(&["--", "echo", "x${vault:a}"]).output().unwrap();
    assert!(error(&output).starts_with("keyvawlt: error[REFERENCE_IN_ARGUMENT]"));
    let output = run(&["--env-file", "/nonexistent/.env", "--", "echo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("/nonexistent/.env"));
}
