//! docs/cli.md says what the command line does: its commands are clap's own definition, its tables what the code has.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};
use keyvawlt_cli::args::Cli;
use keyvawlt_cli::exit::Exit;

const BEGIN: &str = "<!-- Written by clap: the test cli/tests/it/manual.rs compares, and says how to renew -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn the_commands_are_those_of_the_binary() {
    let manual = manual();
    let (before, rest) = manual.split_once(BEGIN).expect("a begin mark");
    let (_, after) = rest.split_once(END).expect("an end mark");
    let renewed = format!("{before}{BEGIN}{}{END}{after}", commands());
    if renewed != manual {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli.md");
        fs::write(&path, renewed).unwrap();
        panic!("the command line has changed: cp {} docs/cli.md", path.display());
    }
}

#[test]
fn commands_of_every_depth_are_described() {
    let text = commands();
    for named in ["status", "monitor list", "monitor maintenance add", "secrets draft commit", "remind snooze"] {
        assert!(text.contains(&format!("- `keyvawlt {named}")), "{named}");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_code() {
    let manual = manual();
    let rows: BTreeSet<(u8, String)> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | `"))
        .filter_map(|(number, rest)| Some((number.parse().ok()?, rest.split_once('`')?.0.to_owned())))
        .collect();
    let codes: BTreeSet<(u8, String)> = Exit::ALL.iter().map(|exit| (exit.number(), exit.word().to_owned())).collect();
    assert_eq!(rows, codes);
}

#[test]
fn the_variables_are_those_that_are_read() {
    let manual = manual();
    let named = variables(&manual);
    let mut read = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        // Tests stand at the end of a file, or in a file of their own, and make names up.
        if path.ends_with("tests.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        read.extend(source.split('"').filter(|text| text.starts_with("KEYVAWLT_")).flat_map(variables));
    }
    assert_eq!(named, read);
}

fn manual() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md")).unwrap()
}

fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_uppercase() || character == '_'));
    words.filter(|word| word.starts_with("KEYVAWLT_") && word.len() > "KEYVAWLT_".len()).map(ToOwned::to_owned).collect()
}

pub fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn commands() -> String {
    let mut command = Cli::command();
    command.build();
    let mut text = String::new();
    let global = command.get_arguments().filter(|argument| argument.get_id() != "version").map(flag).collect::<String>();
    let _ = write!(text, "\nEverywhere:\n\n{global}\n");
    for top in command.get_subcommands_mut() {
        let _ = write!(text, "### keyvawlt {}\n\n", top.get_name());
        if top.has_subcommands() {
            let _ = write!(text, "{}.\n\n", about(top));
        }
        leaves(top, &mut text);
        text.push('\n');
    }
    text
}

/// All that can be called at and below a command, however deep.
fn leaves(command: &mut Command, text: &mut String) {
    // One with subcommands may also do something by itself.
    if !command.has_subcommands() || command.get_arguments().any(|argument| !argument.is_global_set() && argument.get_id() != "help") {
        describe(command, text);
    }
    command.get_subcommands_mut().for_each(|command| leaves(command, text));
}

/// One command: how it is called, what it does, and its own flags.
fn describe(command: &mut Command, text: &mut String) {
    let usage = command.render_usage().to_string();
    // Beside its subcommands, the first line is the command alone.
    let alone = if command.has_subcommands() { 1 } else { usize::MAX };
    let usage =
        usage.trim_start_matches("Usage: ").lines().take(alone).map(str::trim).collect::<Vec<_>>().join(" ").replace(" [OPTIONS]", "");
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    let alias = if aliases.is_empty() { String::new() } else { format!(" (also `{}`)", aliases.join("`, `")) };
    let _ = writeln!(text, "- `{usage}`{alias}: {}", about(command));
    let is_own = |argument: &&Arg| !argument.is_global_set() && !argument.is_hide_set() && argument.get_id() != "help";
    let own = command.get_arguments().filter(is_own);
    for argument in own {
        let _ = write!(text, "  {}", flag(argument));
    }
}

fn flag(argument: &Arg) -> String {
    let values: Vec<String> =
        argument.get_possible_values().iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_owned()).collect();
    let defaults: Vec<String> = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let mut details = Vec::new();
    if argument.get_action().takes_values() && !values.is_empty() {
        details.push(values.join(", "));
    }
    if argument.get_action().takes_values() && defaults.iter().any(|default| !default.is_empty()) {
        details.push(format!("default {}", defaults.join(", ")));
    }
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let short = argument.get_short().filter(|_| argument.get_long().is_some()).map(|short| format!("`-{short}`, ")).unwrap_or_default();
    format!("- {short}`{argument}`: {help}{details}\n")
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}
