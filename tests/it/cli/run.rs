//! `keyvawlt run`: an agent gets the secrets it names, and nothing starts otherwise.

use super::shell::{Line, Shell, text};
use crate::world::{Engine, World};
use keyvawlt_client::ledger::chain::permission;
use keyvawlt_client::{NewMachine, SecretWrite};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// An agent's machine: a home without login, a token for production, and what lies in its repository.
struct Agent {
    shell: Shell,
    token: String,
}

impl Agent {
    async fn on(world: &World) -> Self {
        let mut ada = world.resident("ada").await;
        let mut vault = ada.account.found("Acme", &ada.state).await.unwrap();
        vault.create_project("agents", &[("development", 1), ("production", 3)]).await.unwrap();
        let production = vault.environment("agents", "production").unwrap().ns_id;
        for value in ["sbp_1", "sbp_2"] {
            vault.write(&production, &[SecretWrite::new("supabase/access_token", value)]).await.unwrap();
        }
        let others =
            [("db", r#"{"user":"u","password":"p\"q"}"#.as_bytes()), ("nul", b"a\0b"), ("bytes", b"\xff"), ("LD_PRELOAD", b"x.so")];
        let others = others.map(|(name, value)| SecretWrite::new(name, value));
        vault.write(&production, &others).await.unwrap();
        let machine = NewMachine { name: "agent".to_owned(), access: vec![(production, permission::READ)], ttl_ms: DAY_MS };
        let token = vault.create_machine(&machine).await.unwrap().encode().unwrap().to_string();
        let agent = Self { shell: Shell::new(world, "agent"), token };
        agent.file("agent", "#!/bin/sh\nprintf '%s\\n' \"$SUPABASE_ACCESS_TOKEN\"; env | grep -c KEYVAWLT; exit 7\n");
        std::fs::set_permissions(agent.shell.home().join("agent"), std::fs::Permissions::from_mode(0o755)).unwrap();
        agent.file(".env", "SUPABASE_ACCESS_TOKEN=${vault:supabase/access_token}\n");
        agent
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.shell.home().join(name), text).unwrap();
    }

    fn run(&self, words: &str) -> Line {
        self.shell.run(words).var("KEYVAWLT_TOKEN", &self.token)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_gets_what_its_env_file_names_and_its_exit_code_is_ours() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let agent = Agent::on(&world).await;
    let output = agent.run("run --env production --env-file .env -- ./agent").output().await;
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), ("sbp_2\n0\n", ""));
    assert_eq!(output.status.code(), Some(7));
    // A token in a file does as well, and the machine needs no name for its organization.
    agent.file("token", &agent.token);
    let by_file = agent.shell.run("run --env production --env-file .env -- ./agent").var("KEYVAWLT_TOKEN_FILE", "token").output().await;
    assert_eq!((text(&by_file.stdout).as_str(), by_file.status.code()), ("sbp_2\n0\n", Some(7)));
    // Versions, fields, several in one value; and only what is named arrives.
    agent.file("more.env", "OLD=${vault:supabase/access_token@1}\nURL=pg://${vault:db#user}:${vault:db#password}@h\nPLAIN=$${vault:db}\n");
    let more = agent.run("run --env production --env-file more.env -- env").ok().await;
    let mut lines: Vec<&str> = more.lines().filter(|line| !line.starts_with("HOME=")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["OLD=sbp_1", "PATH=/usr/bin:/bin", "PLAIN=${vault:db}", "URL=pg://u:p\"q@h"]);
    // References in the inherited environment are resolved too.
    let inherited = agent.run("run --env production -- printenv T").var("T", "<${vault:supabase/access_token}>").ok().await;
    assert_eq!(inherited, "<sbp_2>\n");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_go_to_the_agent_itself() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let agent = Agent::on(&world).await;
    agent.file("agent", "#!/bin/sh\ntrap 'echo $SUPABASE_ACCESS_TOKEN; exit 42' TERM\necho $$; while :; do sleep 0.02; done\n");
    let mut child = agent.run("run --env production --env-file .env -- ./agent").start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = lines.next_line().await.unwrap().unwrap();
    assert_eq!(pid, child.id().unwrap().to_string(), "the agent replaced the command line");
    let kill = |signal: &'static str| tokio::process::Command::new("kill").args(["-s", signal, &pid]).status();
    assert!(kill("TERM").await.unwrap().success());
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "sbp_2");
    assert_eq!(child.wait().await.unwrap().code(), Some(42));
    agent.file("agent", "#!/bin/sh\nkill -KILL $$\n");
    let killed = agent.run("run --env production --env-file .env -- ./agent").output().await;
    assert_eq!(killed.status.signal(), Some(9));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_injected_by_name_only_when_asked_for() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let agent = Agent::on(&world).await;
    let show = "-- printenv SUPABASE_ACCESS_TOKEN DB";
    let cases = [
        ("--only supabase/access_token", "sbp_2\n"),
        ("--only SUPABASE_ACCESS_TOKEN,db", "sbp_2\n{\"user\":\"u\",\"password\":\"p\\\"q\"}\n"),
        ("--prefix supabase/", "sbp_2\n"),
        ("", ""),
    ];
    for (choice, printed) in cases {
        let output = agent.run(&format!("run --env production {choice} {show}")).output().await;
        assert_eq!(text(&output.stdout), printed, "{choice}: {}", text(&output.stderr));
    }
    // A variable of the env file wins over a secret of the same name.
    agent.file("own.env", "DB=mine\n");
    assert_eq!(agent.run("run --env production --only db --env-file own.env -- printenv DB").ok().await, "mine\n");
    for choice in ["--all", "--only LD_PRELOAD"] {
        let refused = agent.run(&format!("run --env production {choice} -- echo started")).fails(2).await;
        assert!(refused.contains("error[DANGEROUS_NAME]") && refused.contains("--allow-name LD_PRELOAD"), "{refused}");
    }
    let allowed =
        agent.run("run --env production --only LD_PRELOAD --allow-name LD_PRELOAD -- sh -c").arg("echo $LD_PRELOAD").output().await;
    assert_eq!(text(&allowed.stdout), "x.so\n");
    agent.file("preload.env", "LD_PRELOAD=${vault:db}\n");
    assert!(agent.run("run --env production --env-file preload.env -- echo started").fails(2).await.contains("DANGEROUS_NAME"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_starts_unless_everything_resolves() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let agent = Agent::on(&world).await;
    agent.file(
        "bad.env",
        "A=${vault:nope}\nB=${vault:supabase/access_token@9}\nC=${vault:bytes}\nD=${vault:nul}\nE=\"${vault:db#nope}\"\nF=${vault:db}\n",
    );
    let refused = agent.run("run --env production --env-file bad.env -- echo started").fails(12).await;
    let told = [
        "A (nope): no such secret, or no access to it",
        "B (supabase/access_token@9): no such version",
        "C (bytes): the value is not UTF-8 text",
        "D (nul): the value contains a NUL byte",
        "E (db#nope): the JSON object has no such field",
    ];
    for reason in told {
        assert!(refused.contains(reason), "{refused}");
    }
    assert!(refused.starts_with("keyvawlt: error[UNRESOLVED_REFERENCE]: nothing was started") && refused.lines().count() == 1, "{refused}");
    let elsewhere = agent.run("run --env development --env-file .env -- echo started").fails(12).await;
    assert!(elsewhere.contains("there is no such environment, or none that you may see"), "{elsewhere}");
    let missing = agent.run("run --env production --only nope,db -- echo started").fails(12).await;
    assert!(missing.contains("no such secrets, or no access to them: nope"), "{missing}");
    assert!(agent.run("run --env-file .env -- echo started").fails(2).await.contains("error[NOT_NAMED]"));
    let argument = agent.run("run --env production -- echo ${vault:db}").fails(2).await;
    assert!(argument.contains("REFERENCE_IN_ARGUMENT"), "{argument}");
    assert!(agent.shell.run("run --env production --env-file .env -- echo started").fails(10).await.contains("nobody is logged in"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_secret_needs_no_server() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let agent = Agent::on(&world).await;
    agent.file("plain.env", "A=1\n");
    // Nobody listens there, nobody is logged in, and the token is none.
    let line =
        agent.shell.run("run --env-file plain.env -- printenv A").var("KEYVAWLT_ADDR", "http://127.0.0.1:9").var("KEYVAWLT_TOKEN", "x");
    assert_eq!(line.ok().await, "1\n");
    assert!(!agent.shell.config_dir().exists());
    world.stop().await;
}
