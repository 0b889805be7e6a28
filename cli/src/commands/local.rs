//! Commands that need neither a login nor a server.

use clap::CommandFactory;
use serde::Serialize;

use super::Context;
use crate::args::structure::Init;
use crate::args::{Cli, Shell};
use crate::failure::Outcome;
use crate::settings::{FileSettings, Origin, REPO_FILE, Section, Setting};

/// The environment `init` names unless another is chosen; it stands in the file, in plain sight.
const FIRST_ENVIRONMENT: &str = "development";

/// `keyvawlt version`
pub fn version(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Version {
        keyvawlt: &'static str,
    }
    let version = Version { keyvawlt: env!("CARGO_PKG_VERSION") };
    context.output.result(&version, || format!("keyvawlt {}", version.keyvawlt))
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
        profile: None,
    };
    let path = context.around.directory.join(REPO_FILE);
    FileSettings::write_repo_file(&path, section.clone(), arguments.force)?;
    context.output.result(&section, || format!("wrote {}; commit it, it holds no secret", path.display()))
}
