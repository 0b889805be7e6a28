//! Others' keys as words to compare by voice, how they were verified, and what this device remembers of that.
//!
//! Invariant: keys that somebody else replaced are told, and count for nothing until their words are compared again.

use keyvawlt_client::ledger::chain::{Annals, KeyPeriod};
use keyvawlt_client::{MemberInfo, Standing, Vault};
use serde::Serialize;

use super::Context;
use super::member::quoted;
use crate::args::leaving::Trust;
use crate::duration::display_ms;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::roster::{Among, Roster, role_name, verified_text};
use crate::vault;

/// `keyvawlt trust`
pub async fn trust(command: Trust, context: &mut Context) -> Outcome {
    match command {
        Trust::List => list(context).await,
        Trust::Verify { member, words, yes } => verify(&member, words, yes, context).await,
        Trust::Pin { member } => pin(&member, context).await,
    }
}

/// One set of keys somebody had.
#[derive(Serialize)]
struct Keys {
    key_id: String,
    generation: u64,
    since: String,
    /// How they came: `founded`, `admitted`, `joined`, `rotated` or `reset`.
    came: &'static str,
    by: String,
    verified: &'static str,
    ended: Option<String>,
    leaked: bool,
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        id: String,
        name: String,
        role: &'static str,
        you: bool,
        key_id: String,
        verified: &'static str,
        words: String,
        /// `own`, `unknown`, `compared`, `seen` or `replaced`.
        here: &'static str,
        /// When they were compared or seen here.
        here_since: Option<String>,
        pending: bool,
        history: Vec<Keys>,
        #[serde(skip)]
        shown: String,
    }
    let vault = vault::open(context).await?;
    let (roster, annals) = (Roster::of(&vault)?, vault.annals().await?);
    let mut rows = Vec::new();
    for member in roster.people() {
        let you = roster.is_own(member);
        let standing = vault.standing(&member.id, annals.keys_of(&member.id))?;
        let (here, here_since) = if you { ("own", None) } else { here(&standing) };
        rows.push(Row {
            id: member.id.to_string(),
            name: member.name.clone(),
            role: role_name(member.role),
            you,
            key_id: member.key_id.to_string(),
            verified: verified_text(member.verified),
            words: member.words.join(" "),
            here,
            here_since,
            pending: roster.is_waiting(member),
            history: annals.keys_of(&member.id).iter().map(|keys| Keys::of(keys, &roster)).collect(),
            shown: if you { "your own".to_owned() } else { told(&standing, &roster) },
        });
    }
    let cells = rows.iter().map(|row| {
        let verified = if row.you { "-" } else { row.verified };
        let keys = row.history.last().map(|keys| format!("{} {}", keys.came, keys.since)).unwrap_or_default();
        vec![row.name.clone(), row.words.clone(), verified.to_owned(), keys, row.shown.clone()]
    });
    let cells: Vec<_> = cells.collect();
    context.output.table(&rows, &["name", "words", "verified", "keys", "this device"], &cells, "")
}

async fn verify(who: &str, words: Option<String>, yes: bool, context: &mut Context) -> Outcome {
    let mut vault = vault::open(context).await?;
    let member = other(&vault, who)?;
    match words {
        Some(words) => {
            let said: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
            if said != member.words {
                return Err(Failure::new(Exit::VerificationFailed, "these are not the words of the keys that the chain has")
                    .on(member.name)
                    .hint("if they were read to you without a mistake, somebody else's keys are in the chain: give no access, and tell your admins"));
            }
        }
        None => {
            let question = format!(
                "{name}'s words are\n  {}\nHave {name} read theirs to you, by telephone or in person (keyvawlt whoami shows them).\nAre the words the same?",
                member.words.join(" "),
                name = member.name
            );
            prompt::confirm(context.person.as_mut(), &question, yes)?;
        }
    }
    remember(&mut vault, &member, true, context)
}

async fn pin(who: &str, context: &mut Context) -> Outcome {
    let mut vault = vault::open(context).await?;
    let member = other(&vault, who)?;
    remember(&mut vault, &member, false, context)
}

fn other(vault: &Vault, who: &str) -> Outcome<MemberInfo> {
    let roster = Roster::of(vault)?;
    let member = roster.find(who, Among::People)?;
    if roster.is_own(&member) {
        return Err(Failure::usage("these are your own keys")
            .on(member.name)
            .hint("keyvawlt whoami shows the words for others to compare"));
    }
    Ok(member)
}

fn remember(vault: &mut Vault, member: &MemberInfo, compared: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Remembered {
        id: String,
        name: String,
        key_id: String,
        compared: bool,
        since: String,
    }
    let pin = vault.remember_keys(&member.id, compared)?;
    let remembered = Remembered {
        id: member.id.to_string(),
        name: member.name.clone(),
        key_id: pin.key_id.to_string(),
        compared: pin.compared,
        since: display_ms(pin.at_ms),
    };
    context.output.result(&remembered, || {
        let how = if remembered.compared { "compared" } else { "seen, not compared" };
        format!("{}'s keys are remembered on this device: {how}", remembered.name)
    })?;
    if member.pending && compared {
        context.output.note(&format!("{name} waits for an admin: keyvawlt member confirm {name}", name = quoted(&member.name)));
    }
    Ok(())
}

/// Refuses somebody whose keys others have replaced since this device's owner knew them.
pub async fn require_known(vault: &Vault, member: &MemberInfo, roster: &Roster) -> Outcome {
    // Most devices remember nobody's: then nothing is asked.
    if !vault.key_pins()?.iter().any(|pin| pin.identity_id == member.id && pin.key_id != member.key_id) {
        return Ok(());
    }
    let annals: Annals = vault.annals().await?;
    let standing = vault.standing(&member.id, annals.keys_of(&member.id))?;
    if !matches!(standing, Standing::Replaced(..)) {
        return Ok(());
    }
    Err(Failure::new(Exit::VerificationFailed, told(&standing, roster)).on(member.name.clone()).hint(format!(
        "compare the words again: keyvawlt trust verify {name}; or accept the keys without: keyvawlt trust pin {name}",
        name = quoted(&member.name)
    )))
}

impl Keys {
    fn of(period: &KeyPeriod, roster: &Roster) -> Self {
        Self {
            key_id: period.key_id.to_string(),
            generation: period.generation,
            since: display_ms(period.since_ms),
            came: came(period.brought_by),
            by: roster.name(&period.by),
            verified: verified_text(period.verified),
            ended: period.ended.as_ref().map(|end| display_ms(end.at_ms)),
            leaked: period.ended.as_ref().is_some_and(|end| end.leaked),
        }
    }
}

fn came(kind: u8) -> &'static str {
    match kind {
        1 => "founded",
        2 => "admitted",
        3 => "joined",
        6 => "rotated",
        7 => "reset",
        _ => "unknown",
    }
}

fn here(standing: &Standing) -> (&'static str, Option<String>) {
    match standing {
        Standing::Unknown => ("unknown", None),
        Standing::Known(pin) | Standing::Continued(pin) if pin.compared => ("compared", Some(display_ms(pin.at_ms))),
        Standing::Known(pin) | Standing::Continued(pin) => ("seen", Some(display_ms(pin.at_ms))),
        Standing::Replaced(pin, _) => ("replaced", Some(display_ms(pin.at_ms))),
    }
}

fn told(standing: &Standing, roster: &Roster) -> String {
    let how = |compared: bool| if compared { "compared" } else { "seen" };
    match standing {
        Standing::Unknown => "not compared".to_owned(),
        Standing::Known(pin) => format!("{} {}", how(pin.compared), display_ms(pin.at_ms)),
        Standing::Continued(pin) => format!("{} {}, replaced by their owner since", how(pin.compared), display_ms(pin.at_ms)),
        Standing::Replaced(pin, newest) => format!(
            "the keys {} here {} are not the present ones, which came {} ({} by {})",
            how(pin.compared),
            display_ms(pin.at_ms),
            display_ms(newest.since_ms),
            came(newest.brought_by),
            roster.name(&newest.by)
        ),
    }
}
