use clap::{CommandFactory, Parser};

use super::*;
use crate::prompt::Source;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("keyvawlt").chain(line.split_whitespace()))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

/// One line of every command that the manual shows.
const DOCUMENTED: &[&str] = &[
    "signup --email a@b.c --password-stdin",
    "verify-email 123456",
    "verify-email",
    "login --addr https://v.example --no-device",
    "login --token-stdin",
    "login --account 05 --password-file p --secret-key-file k",
    "login --kit-file kit.txt --password-stdin",
    "logout",
    "whoami --json",
    "status",
    "version",
    "completion bash",
    "explain",
    "explain E_ROLLBACK",
    "evidence check file.evidence",
    "init --project payments",
    "setup",
    "config debug",
    "org create acme",
    "org list",
    "org show",
    "org use acme",
    "project create payments",
    "project list",
    "env create staging --class staging",
    "env list",
    "secrets list --names-only --env production",
    "secrets get stripe/key --plain",
    "secrets find 0a1b2c3d",
    "secrets get stripe/key --version 3 --field user",
    "secrets set stripe/key",
    "secrets set stripe/key=x",
    "secrets set stripe/key --stdin --expires 90d --label Stripe --if-version 2",
    "secrets set stripe/key --file key.pem --tag a --tag b --note n --provider stripe",
    "secrets edit stripe/key",
    "secrets delete a b --yes",
    "secrets undelete a",
    "secrets history a",
    "secrets rollback a --to 2",
    "member invite --role member --grant payments/production:read --ttl 72h",
    "member list",
    "member show Bob",
    "member invite --name Bob",
    "member confirm Bob --yes",
    "member remove Bob --yes",
    "member revoke-invite Bob --yes",
    "join",
    "join kvi1_x",
    "join --code-stdin",
    "grant add --to Bob --on payments/production --perm write --ttl 4h",
    "grant list --on payments/production",
    "grant add --to Bob --on production:stripe/ --perm read",
    "guard",
    "policy show",
    "policy set --require-confirm yes --max-staleness 24h --add-origin https://v.example:443 --yes",
    "policy set --max-staleness none",
    "env list --archived",
    "env rename payments/staging qa",
    "env archive staging --yes",
    "env restore staging",
    "project rename billing",
    "lock update",
    "lock verify",
    "heartbeat",
    "run --lock ci.lock -- env",
    "run --no-lock -- env",
    "guard stripe/ -e production",
    "unguard stripe/key --yes",
    "machine create ci --on payments/production:stripe/",
    "grant remove --to Bob --on payments/production --yes",
    "machine create ci --env production --perm read --ttl 90d",
    "machine replace ci --overlap 24h --ttl 90d --token-file ci.token",
    "machine list",
    "machine revoke ci --yes",
    "run --env production --env-file .env -- ./agent --flag",
    "run --only A,B --prefix stripe/ --allow-name PATH -- env",
    "run --all -- env -i",
    "export -f shell",
    "export --format json -o out.json --only A,B",
    "import .env --dry-run --on-conflict skip",
    "import - --format json",
    "health check stripe/key --provider stripe",
    "health check --all --no-report --endpoint gitlab=https://gitlab.example",
    "health list",
    "health providers",
    "health watch --interval 30m",
    "offboard Bob --dry-run --with-machines --report bob.md",
    "offboard Bob --report bob --report-format json --yes",
    "worklog list",
    "worklog list --of Bob --fetched --report list.json",
    "worklog assign stripe/key --to Ada --due 7d --note n --remind -e production",
    "worklog resolve stripe/key --reason unused",
    "worklog resolve --of ci --reason replaced",
    "org leave --yes",
    "member set Bob --role admin --ends 90d",
    "member set Bob --ends never",
    "trust verify Bob --words ability",
    "trust verify Bob --yes",
    "trust pin Bob",
    "trust list",
    "keys show",
    "keys rotate --compromised --yes",
    "keys secret-key new --password-stdin --kit-file kit --yes",
    "password change --password-file p",
    "recovery create",
    "recovery use --account 05 --code-file c --password-stdin --yes",
    "device list",
    "device remove 0123456 --yes",
    "org forget 0123456789 --yes",
    "secrets facts a --owner Bob --expires 90d",
    "secrets facts a --clear",
    "secrets set a --random hex:32 --grace 2d --monitor api",
    "secrets facts a --without expires,owner --without grace",
    "secrets facts a --grace none",
    "secrets get a --previous",
    "secrets get a --draft --plain",
    "secrets get keyvawlt://payments/production/stripe/key?version=previous",
    "rotate begin a --random alnum:24 --key build-42 --expires 90d",
    "rotate begin a --stdin --replace",
    "rotate commit a",
    "rotate abort a",
    "rotate list -e production",
    "remind",
    "remind --within 90d --fail-within 14d --mine",
    "remind snooze stripe/key --for 7d -e production",
    "policy set --default-expiry 90d --expiry-in-production refuse --yes",
    "policy set --default-expiry none",
    "breakglass create --split 2/3 --yes",
    "breakglass drill --code-stdin",
    "breakglass use --owner Bob --code-file f --yes",
    "keys show --code",
    "keys recover --identity 05 --email a@b.c --password-stdin",
    "member reset Bob --code-stdin --yes",
    "join kvo1_x",
    "login --link --yes",
    "device approve abandon ability able --name laptop --yes",
    "device approve",
    "monitor add api --url https://api.example.com/health",
    "monitor add api --provider openai --interval 5m --for-all",
    "monitor add api --url https://a.example --method HEAD --expect 200-299,401 --header x-ok --timeout 5s --slow 800",
    "monitor add api --url https://a.example --body ok -e production",
    "monitor set api --url https://b.example --interval 5m --without headers,slow",
    "monitor list --json",
    "monitor show api",
    "monitor pause api",
    "monitor resume api",
    "monitor remove api --yes",
    "monitor incidents --open",
    "monitor incidents api",
    "monitor ack 0123456789",
    "monitor maintenance add deploy --monitor api --to 2h",
    "monitor maintenance add backup --weekly sat,sun --at 02:30 --for 2h --zone Europe/Berlin",
    "monitor maintenance list",
    "monitor maintenance remove 0123456789",
    "notify add webhook deploys --url-file hook.url --kind expiry --kind rotation --on payments/production",
    "notify add slack ops",
    "notify add email oncall@example.com --name oncall --kind monitor",
    "notify verify oncall 0123-4567",
    "notify verify oncall --resend",
    "notify list --json",
    "notify remove ops --yes",
    "notify test deploys",
    "notify pause deploys",
    "notify resume deploys",
    "notify rotate deploys",
    "notify mute expiry monitor",
    "notify unmute expiry",
    "notify preferences",
    "notify preferences --digest 8 --quiet-hours 22:00-07:00 --time-zone Europe/Berlin --on production",
    "notify preferences --digest none --quiet-hours none --everywhere",
    "notify thresholds",
    "notify thresholds 30 7 1 0",
    "notify log --all",
];

#[test]
fn every_documented_command_parses() {
    for line in DOCUMENTED {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let lines = [
        "",
        "help",
        "run",
        "run env",
        "run --all --only A -- env",
        "secrets set a --stdin --file f",
        "secrets set a --expires tomorrow",
        "secrets get a/-b",
        "secrets set a --random",
        "secrets set a --random hex:4",
        "secrets set a --random hex:32 --stdin",
        "secrets set a --grace soon",
        "secrets facts a --clear --without owner",
        "secrets facts a --without name",
        "secrets get a --previous --version 2",
        "secrets get keyvawlt://payments/key",
        "rotate begin",
        "rotate begin a --random hex:32 --file f",
        "remind --fail-within soon",
        "remind snooze a",
        "remind --mine snooze a --for 7d",
        "policy set --expiry-in-production maybe",
        "secrets rollback a",
        "secrets delete",
        "login --token-stdin --password-stdin",
        "login --kit-file k --secret-key-file k",
        "login --link --kit-file k",
        "login --yes",
        "secrets facts a --clear --owner Bob",
        "breakglass create --split 3/2",
        "breakglass create --split 1/2",
        "breakglass create --split two",
        "breakglass use --code-stdin",
        "join CODE --code-stdin",
        "grant add --to a --on b --perm admin",
        "machine create ci --perm manage",
        "env create x --class prod",
        "guard /",
        "policy set --require-confirm maybe",
        "guard a//",
        "unguard",
        "member invite --role machine",
        "health check",
        "health check a --all",
        "health watch --interval soon",
        "offboard",
        "offboard Bob --report-format json",
        "worklog resolve stripe/key",
        "worklog resolve --reason unused",
        "member set Bob",
        "notify add ops",
        "notify add mail ops",
        "notify verify oncall 0123-4567 --resend",
        "notify mute",
        "notify thresholds soon",
        "notify preferences --on production --everywhere",
        "monitor add api",
        "monitor add api --url api.example.com",
        "monitor add api --url https://ada:pw@a.example",
        "monitor add api --url https://a.example --expect 2xx",
        "monitor add api --url https://a.example --interval often",
        "monitor add api --url https://a.example --method POST",
        "monitor add api --url https://a.example --body a --body-without b",
        "monitor maintenance add deploy",
        "monitor maintenance add deploy --weekly sat --at 02:30",
        "monitor maintenance add deploy --weekly sat --at 25:00 --for 1h",
        "monitor maintenance add deploy --to 1h --weekly sat --at 02:30 --for 1h",
    ];
    for line in lines {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_value_has_one_source_and_is_never_repeated() {
    let parsed = |line: &str| match parse(line).unwrap().command {
        Command::Secrets(secrets::Secrets::Set(set)) => set.parse(),
        other => panic!("{other:?}"),
    };
    let source = |line: &str| parsed(line).unwrap().1;
    assert_eq!(source("secrets set a"), secrets::ValueSource::Read(Source::Prompt));
    assert_eq!(source("secrets set a --stdin"), secrets::ValueSource::Read(Source::Stdin));
    match source("secrets set a=canary=1") {
        secrets::ValueSource::Argument(typed) => assert_eq!(typed.0.as_str(), "canary=1"),
        other => panic!("{other:?}"),
    }
    for line in ["secrets set a=canary --stdin", "secrets set a/-b=canary", "secrets set a canary"] {
        let failure = parsed(line).unwrap_err().to_string();
        assert!(!failure.contains("canary"), "{failure}");
        assert!(!format!("{:?}", parse(line).unwrap()).contains("canary"));
    }
}

#[test]
fn flags_may_stand_before_and_after_the_command() {
    for line in ["--env prod --json secrets list", "secrets list --environment prod --json"] {
        let cli = parse(line).unwrap();
        assert_eq!(cli.global.environment.as_deref(), Some("prod"), "{line}");
        assert!(cli.global.json);
    }
    let cli = parse("run -- env --json --env x").unwrap();
    assert!(!cli.global.json);
    assert_eq!(cli.global.environment, None);
}
