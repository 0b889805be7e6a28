//! What codes mean, and what kept evidence shows.

use std::path::Path;

use keyvawlt_client::ledger::evidence::{Evidence, Finding};
use keyvawlt_client::ledger::{Code, KeyId};
use keyvawlt_client::safety_words;
use serde::Serialize;

use super::Context;
use crate::exit::Exit;
use crate::explain::{self, Explanation};
use crate::failure::{Failure, Outcome};
use crate::{duration, evidence};

/// `keyvawlt explain`
pub fn explain(code: Option<&str>, context: &mut Context) -> Outcome {
    let Some(code) = code else { return list(context) };
    let found = explain::find(code);
    if found.is_empty() {
        return Err(Failure::new(Exit::NotFound, "there is no such code").on(code).hint("keyvawlt explain lists them all"));
    }
    context.output.result(&found, || found.iter().map(described).collect::<Vec<_>>().join("\n"))
}

fn list(context: &mut Context) -> Outcome {
    let mut all = explain::of_protocol();
    all.extend(explain::of_exits());
    all.extend(explain::of_server().into_iter().filter(|reason| explain::find(reason.code).len() == 1));
    let cells = all.iter().map(|known| {
        let exit = known.exit.map(|exit| exit.to_string()).unwrap_or_default();
        vec![known.code.to_owned(), exit, known.texts.what.to_owned()]
    });
    let cells: Vec<_> = cells.collect();
    context.output.table(&all, &["code", "exit", "what happened"], &cells, "")
}

fn described(known: &Explanation) -> String {
    let exit = known.exit.map(|exit| format!(" (exit {exit})")).unwrap_or_default();
    let texts = known.texts;
    format!(
        "{}{exit}\n  What happened:      {}\n  What it may mean:   {}\n  What to do:         {}\n",
        known.code, texts.what, texts.means, texts.act
    )
}

/// One finding in words.
#[derive(Serialize)]
struct Shown {
    exhibits: Vec<usize>,
    contradiction: bool,
    text: String,
}

/// `keyvawlt evidence check`
pub fn check_evidence(file: &Path, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Report<'a> {
        code: &'a str,
        why: &'a str,
        at: String,
        origin: &'a str,
        client: &'a str,
        org_id: Option<String>,
        links: u64,
        head: String,
        contradiction: bool,
        findings: Vec<Shown>,
        proves: &'static str,
        does_not_prove: &'static str,
    }
    let evidence = evidence::read(file)?;
    let findings = evidence.check();
    let contradiction = findings.iter().any(Finding::is_contradiction);
    let (proves, does_not_prove) = verdict(&evidence, contradiction);
    let report = Report {
        code: &evidence.code,
        why: &evidence.why,
        at: duration::display_ms(evidence.at_ms),
        origin: &evidence.origin,
        client: &evidence.client,
        org_id: evidence.org_id.map(|org_id| org_id.to_string()),
        links: evidence.links,
        head: evidence.head.to_string(),
        contradiction,
        findings: findings.iter().map(shown).collect(),
        proves,
        does_not_prove,
    };
    context.output.result(&report, || {
        let why = if report.why.is_empty() { String::new() } else { format!(": {}", report.why) };
        let mut lines = vec![format!("{} at {} by {}{why}", report.code, report.at, report.client), format!("server {}", report.origin)];
        if let Some(org_id) = &report.org_id {
            lines.push(format!("organization {org_id}, verified through link {} ({})", report.links.saturating_sub(1), report.head));
        }
        lines.extend(report.findings.iter().map(|finding| format!("- {}", finding.text)));
        lines.push(format!("What it shows: {proves}"));
        lines.push(format!("What it does not show: {does_not_prove}"));
        lines.join("\n")
    })
}

fn shown(finding: &Finding) -> Shown {
    let (exhibits, text) = match finding {
        Finding::Signed { exhibit, position, author, key_id } => {
            let text = format!("statement {exhibit} (position {position}) is signed by {author} with the keys {}", words(key_id));
            (vec![*exhibit], text)
        }
        Finding::NotSigned { exhibit, why } => {
            let nobody = if why.code == Code::Sig { ": whoever delivered it made it up or damaged it" } else { "" };
            (vec![*exhibit], format!("statement {exhibit} is not shown to be signed by anybody ({why}){nobody}"))
        }
        Finding::IsHead { exhibit } => (vec![*exhibit], format!("statement {exhibit} is the newest link that the client had verified")),
        Finding::SamePlace { exhibits: (one, other), position, same_author } => {
            let who = if *same_author { "the same keys signed both" } else { "different keys signed them" };
            let text =
                format!("statements {one} and {other} are different and both for position {position}: no history contains both; {who}");
            (vec![*one, *other], text)
        }
        Finding::OtherHistory { exhibits: (one, other) } => {
            let text = format!("statement {other} comes right after {one}, and continues a history without it");
            (vec![*one, *other], text)
        }
    };
    Shown { exhibits, contradiction: finding.is_contradiction(), text }
}

fn words(key_id: &KeyId) -> String {
    safety_words(key_id).join(" ")
}

fn verdict(evidence: &Evidence, contradiction: bool) -> (&'static str, &'static str) {
    if contradiction {
        (
            "two histories that cannot both be this organization's, each signed with the keys named by their words. Compare the words with \
             keyvawlt trust list: then you know whose keys.",
            "who showed the second one, and why. The server does not sign what it delivers; after a restore from a backup honest members sign \
             such statements, too, and so does a client whose change was lost and made again. Ask everybody for keyvawlt status.",
        )
    } else if evidence.exhibits.is_empty() {
        (
            "what the client says it met. It concerns sealed data, or what the server left out; nobody signed that.",
            "anything to somebody who does not trust this device. Compare keyvawlt status with a colleague's.",
        )
    } else {
        (
            "who signed the statements, and up to where this client had verified the organization.",
            "that the refused statement was allowed or not: that needs the state before it, which every member's client has. A signature that does \
             not fit shows that no member is to blame for it.",
        )
    }
}
