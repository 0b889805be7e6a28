//! Commands that need neither a login nor a server.

use std::time::Duration;

use clap::CommandFactory;
use keyvawlt_client::Client;
use serde::Serialize;

use super::Context;
use crate::args::structure::Init;
use crate::args::{Cli, Shell};
use crate::failure::Outcome;
use crate::login::{Files, Login};
use crate::settings::{FileSettings, Origin, REPO_FILE, Section, Setting};
use crate::vault;

/// The environment `init` names unless another is chosen; it stands in the file, in plain sight.
const FIRST_ENVIRONMENT: &str = "development";

/// How long `version` waits for the server: it is asked in passing.
const VERSION_PATIENCE: Duration = Duration::from_secs(2);

/// `keyvawlt version`. What it cannot find out about the server is no failure.
pub async fn version(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Version {
        keyvawlt: &'static str,
        addr: Option<String>,
        server: Option<String>,
    }
    let known = addr_of_server(context);
    let (addr, server) = match known {
        None => (None, None),
        Some(client) => {
            let asked = tokio::time::timeout(VERSION_PATIENCE, client.check()).await;
            (Some(client.origin().to_owned()), asked.ok().and_then(Result::ok).map(|info| info.version))
        }
    };
    let version = Version { keyvawlt: env!("CARGO_PKG_VERSION"), addr, server };
    context.output.result(&version, || {
        let server = match (&version.addr, &version.server) {
            (Some(addr), Some(server)) => format!("\nserver {server} at {addr}"),
            (Some(addr), None) => format!("\nserver at {addr}: no answer"),
            (None, _) => String::new(),
        };
        format!("keyvawlt {}{server}", version.keyvawlt)
    })
}

/// The server that the settings or the login name.
fn addr_of_server(context: &mut Context) -> Option<Client> {
    let settings = context.settings().ok()?;
    let login = Files::of(&settings).login(&settings).ok();
    vault::client(context, &settings, login.as_ref().map(Login::origin)).ok()
}

/// `keyvawlt completion`
pub fn completion(shell: Shell, context: &mut Context) -> Outcome {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "keyvawlt", &mut script);
    context.output.raw(&script)
}

/// `keyvawlt config debug`
pub fn config_debug(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        setting: String,
        value: String,
        source: String,
    }
    let rows = context.settings()?.rows();
    let json: Vec<Row> = rows.iter().cloned().map(|[setting, value, source]| Row { setting, value, source }).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    context.output.table(&json, &["setting", "value", "source"], &rows, "")
}

/// `keyvawlt init`
pub fn init(arguments: &Init, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    settings.require_project()?;
    let value = |setting: &Option<Setting<String>>| setting.as_ref().map(|it| it.value.clone());
    let section = Section {
        addr: (settings.addr.origin != Origin::Default).then(|| settings.addr.value.clone()),
        org: value(&settings.org),
        project: value(&settings.project),
        environment: value(&settings.environment).or(Some(FIRST_ENVIRONMENT.to_owned())),
        ..Section::default()
    };
    let path = context.around.directory.join(REPO_FILE);
    FileSettings::write_repo_file(&path, section.clone(), arguments.force)?;
    context.output.result(&section, || format!("wrote {}; commit it, it holds no secret", path.display()))
}
