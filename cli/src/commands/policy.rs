//! The organization's rules for itself, which everybody's client keeps.

use keyvawlt_client::ledger::chain;
use keyvawlt_client::{Rules, Severity};
use serde::Serialize;

use super::Context;
use crate::args::structure::{Expectation, Policy, PolicySet};
use crate::duration::{Length, display_length};
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::vault;

/// The rules, for programs.
#[derive(Serialize)]
struct Shown {
    require_confirm: bool,
    allow_unverified: bool,
    machine_single_class: bool,
    max_staleness: Option<String>,
    /// Nothing where this identity does not read the organization's directory, or where there is none.
    default_expiry: Option<String>,
    /// `off`, `warn` or `refuse`; nothing where this identity does not read the directory.
    expiry_in_production: Option<&'static str>,
    min_suite: u64,
    origins: Vec<String>,
}

impl Shown {
    fn of(policy: &chain::Policy, rules: Option<Rules>) -> Self {
        Self {
            default_expiry: rules.and_then(|rules| rules.default_expiry_ms).map(display_length),
            expiry_in_production: rules.map(|rules| word_of(rules.expiry_in_production)),
            require_confirm: policy.require_admin_confirm,
            allow_unverified: policy.allow_unverified,
            machine_single_class: policy.machine_single_class,
            max_staleness: policy.max_staleness_ms.map(display_length),
            min_suite: policy.min_suite,
            origins: policy.origins.clone(),
        }
    }

    fn cells(&self) -> Vec<Vec<String>> {
        let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let row = |rule: &str, value: String, meaning: &str| vec![rule.to_owned(), value, meaning.to_owned()];
        vec![
            row("require-confirm", word(self.require_confirm), "a join waits until an admin has compared words"),
            row("allow-unverified", word(self.allow_unverified), "codes of invites may be mailed by the server"),
            row("machine-single-class", word(self.machine_single_class), "no machine has access to production and elsewhere"),
            row(
                "max-staleness",
                self.max_staleness.clone().unwrap_or_else(|| "none".to_owned()),
                "clients warn when nothing newer was signed",
            ),
            row(
                "default-expiry",
                self.default_expiry.clone().unwrap_or_else(|| "none".to_owned()),
                "when a new value ends of which nobody said it",
            ),
            row(
                "expiry-in-production",
                self.expiry_in_production.unwrap_or("unknown, for people only").to_owned(),
                "what clients do about a secret in production without one",
            ),
            row("min-suite", self.min_suite.to_string(), "the lowest cryptographic suite; it only rises"),
            row("origins", self.origins.join(", "), "where the organization's server answers"),
        ]
    }
}

/// `keyvawlt policy`
pub async fn policy(command: Policy, context: &mut Context) -> Outcome {
    match command {
        Policy::Show => show(context).await,
        Policy::Set(wanted) => set(wanted, context).await,
    }
}

async fn show(context: &mut Context) -> Outcome {
    let vault = vault::open(context).await?;
    print(&Shown::of(&vault.policy()?, vault.rules()?), context)
}

fn print(shown: &Shown, context: &mut Context) -> Outcome {
    context.output.table(shown, &["rule", "now", "what it means"], &shown.cells(), "")
}

async fn set(wanted: PolicySet, context: &mut Context) -> Outcome {
    let staleness = wanted.max_staleness.as_deref().map(|text| length_or_none(text, "--max-staleness")).transpose()?;
    let expiry = wanted.default_expiry.as_deref().map(|text| length_or_none(text, "--default-expiry")).transpose()?;
    let mut vault = vault::open(context).await?;
    let before = vault.policy()?;
    let change = |policy: &mut chain::Policy| {
        policy.require_admin_confirm = wanted.require_confirm.unwrap_or(policy.require_admin_confirm);
        policy.allow_unverified = wanted.allow_unverified.unwrap_or(policy.allow_unverified);
        policy.machine_single_class = wanted.machine_single_class.unwrap_or(policy.machine_single_class);
        policy.max_staleness_ms = staleness.unwrap_or(policy.max_staleness_ms);
        policy.min_suite = wanted.min_suite.unwrap_or(policy.min_suite);
        policy.origins.retain(|origin| !wanted.remove_origin.contains(origin));
        let new = wanted.add_origin.iter().filter(|origin| !policy.origins.contains(origin)).cloned().collect::<Vec<_>>();
        policy.origins.extend(new);
    };
    let change_rules = |rules: &mut Rules| {
        rules.default_expiry_ms = expiry.unwrap_or(rules.default_expiry_ms);
        rules.expiry_in_production = wanted.expiry_in_production.map_or(rules.expiry_in_production, Severity::from);
    };
    let (mut after, rules_before) = (before.clone(), vault.rules()?.unwrap_or_default());
    let mut rules = rules_before;
    change(&mut after);
    change_rules(&mut rules);
    if after.origins.is_empty() {
        return Err(Failure::usage("an organization has at least one origin").on("--remove-origin"));
    }
    if after == before && rules == rules_before {
        context.output.note("the policy says so already");
    } else {
        let less = [loosened(&before, &after), loosened_rules(rules_before, rules)].concat();
        if !less.is_empty() {
            context.output.warn(&format!("this protects less than before: {}", less.join("; ")));
        }
        prompt::confirm(context.person.as_mut(), "Change the organization's policy?", wanted.yes)?;
        if after != before {
            after = vault.set_policy(change).await?;
        }
        if rules != rules_before {
            vault.set_rules(change_rules).await?;
        }
    }
    print(&Shown::of(&after, vault.rules()?), context)
}

/// What keeps less of expiries than before is said as well.
fn loosened_rules(before: Rules, after: Rules) -> Vec<&'static str> {
    let rank = |rules: Rules| match rules.expiry_in_production {
        Severity::Off => 0,
        Severity::Warn => 1,
        Severity::Refuse => 2,
    };
    let less = [
        (rank(before) > rank(after), "production gets secrets that never end"),
        (before.default_expiry_ms.is_some() && after.default_expiry_ms.is_none(), "new values no longer end by themselves"),
    ];
    less.into_iter().filter_map(|(is, what)| is.then_some(what)).collect()
}

fn word_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Off => "off",
        Severity::Warn => "warn",
        Severity::Refuse => "refuse",
    }
}

impl From<Expectation> for Severity {
    fn from(expectation: Expectation) -> Self {
        match expectation {
            Expectation::Off => Self::Off,
            Expectation::Warn => Self::Warn,
            Expectation::Refuse => Self::Refuse,
        }
    }
}

/// What protects less than before is said before it is done.
fn loosened(before: &chain::Policy, after: &chain::Policy) -> Vec<&'static str> {
    let less = [
        (before.require_admin_confirm && !after.require_admin_confirm, "joins no longer wait for an admin"),
        (!before.allow_unverified && after.allow_unverified, "the server may mail codes, and use them itself"),
        (before.machine_single_class && !after.machine_single_class, "one machine may have production and the rest"),
        (before.max_staleness_ms.is_some() && after.max_staleness_ms.is_none(), "nobody is warned of silence"),
    ];
    less.into_iter().filter_map(|(is, what)| is.then_some(what)).collect()
}

fn length_or_none(text: &str, flag: &str) -> Outcome<Option<u64>> {
    if text == "none" {
        return Ok(None);
    }
    let length: Result<Length, _> = text.parse();
    length.map(|length| Some(length.ms())).map_err(|why| Failure::usage(why.to_string()).on(flag))
}
