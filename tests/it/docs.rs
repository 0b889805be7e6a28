//! What the documents list is what there is: rpcs and reasons in api.md, settings in operations.md, rooms in ARCHITECTURE.md, commands in the README;
//! and their links lead somewhere. Prose is not checked.

use crate::cli::shell::binary;
use keyvawlt_proto::{DESCRIPTORS, v1};
use keyvawlt_server::config::DEFAULTS;
use prost::Message as _;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const DOCUMENTS: [&str; 16] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/protocol.md",
    "docs/threat-model.md",
    "docs/operations.md",
    "docs/webhooks.md",
    "docs/api.md",
    "docs/attacks.md",
    "docs/cli.md",
    "docs/crash.md",
    "docs/errors.md",
    "docs/exploration.md",
    "tests/vectors/README.md",
];

#[test]
fn every_service_rpc_and_reason_is_in_api_md() {
    let text = document("docs/api.md");
    let files = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut rpcs = 0;
    for service in files.file.iter().filter(|file| file.package() == "keyvawlt.v1").flat_map(|file| &file.service) {
        assert!(text.contains(&format!("### {}", service.name())), "{} is missing", service.name());
        for rpc in &service.method {
            assert!(text.contains(&format!("| {} |", rpc.name())), "{} is missing", rpc.name());
            rpcs += 1;
        }
    }
    let listed =
        text.lines().filter(|line| line.starts_with("| ") && line[2..].starts_with(char::is_uppercase) && !line.contains("gRPC code"));
    let reasons = (1..).map_while(|number| v1::ErrorReason::try_from(number).ok());
    let reasons: Vec<&str> = reasons.map(|reason| reason.as_str_name().trim_start_matches("ERROR_REASON_")).collect();
    for reason in &reasons {
        assert!(text.contains(&format!("| {reason} |")), "{reason} is missing");
    }
    assert_eq!(listed.count(), rpcs + reasons.len(), "rows for what does not exist");
}

#[test]
fn every_setting_is_in_operations_md() {
    let text = document("docs/operations.md");
    let text = text.split("\n## ").find(|part| part.starts_with("Settings")).unwrap();
    let mut section = String::new();
    let mut settings = 0;
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        }
        // Settings without a default stand in comments, as the assignments that somebody would write.
        let line = line.trim_start_matches("# ");
        let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_')) else {
            continue;
        };
        assert!(text.contains(&format!("| `{section}{key}` |")), "{section}{key} is missing");
        settings += 1;
    }
    let listed = text.lines().filter(|line| line.starts_with("| `"));
    assert_eq!(listed.count(), settings, "rows for settings that do not exist");
}

#[test]
fn the_table_of_jobs_is_in_operations_md() {
    assert!(document("docs/operations.md").contains(&keyvawlt_domain::jobs::kinds::table()), "see the snapshot in domain/src/jobs");
}

#[test]
fn every_command_of_the_quick_start_is_understood() {
    let mut commands = 0;
    let text = document("README.md");
    for line in text.split("```").skip(1).step_by(2).flat_map(str::lines) {
        let typed = line.split("  #").next().unwrap();
        let typed = typed.strip_prefix("KEYVAWLT_TOKEN=kvm1_… ").unwrap_or(typed);
        let Some(arguments) = typed.strip_prefix("keyvawlt ") else { continue };
        // Everything up to it is read before help is shown; what a program gets is the program's.
        let words = words(arguments);
        let asked = words.split(|word| word == "--").next().unwrap();
        let output = Command::new(binary()).args(asked).arg("--help").env_clear().output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        commands += 1;
    }
    assert!(commands > 10);
}

#[test]
fn every_room_is_in_architecture_md() {
    let text = document("ARCHITECTURE.md");
    let manifest: toml::Table = document("Cargo.toml").parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    assert!(members.len() > 5);
    for member in members.iter().map(|member| member.as_str().unwrap()) {
        assert!(text.contains(&format!("| `{member}/` |")), "{member} is missing");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut links = 0;
    for name in DOCUMENTS {
        for target in document(name).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with('#') || target.contains("://") {
                continue;
            }
            let file = target.split('#').next().unwrap();
            let path = Path::new(ROOT).join(name).parent().unwrap().join(file);
            assert!(path.exists(), "{name} links to {target}, which is not there");
            links += 1;
        }
    }
    assert!(links > 5);
}

/// Words as a shell sees them, as far as the README needs one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(at, part)| if at % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() })
        .collect()
}

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).expect(name)
}
