//! Offboarding: somebody and the machines he let in go in one step, and everything they could decrypt is listed, to be rotated.
//!
//! Invariant: a rehearsal shows the same and sends nothing.

use std::fmt::Write as _;

use keyvawlt_client::ledger::IdentityId;
use keyvawlt_client::{MemberInfo, Removal, Vault};
use serde::Serialize;

use super::Context;
use super::member::{cannot_go, quoted};
use super::worklog::Loss;
use crate::args::leaving::Offboard;
use crate::duration::display_ms;
use crate::failure::{Failure, Outcome};
use crate::output::section;
use crate::prompt;
use crate::roster::{Among, Roster, role_name};
use crate::rotation::{self, COLUMNS};
use crate::vault;

/// What happened, or would happen.
#[derive(Serialize)]
struct Offboarded {
    organization: String,
    member: Gone,
    /// Machines that go with the member.
    machines: Vec<Gone>,
    /// Machines the member let in that stay.
    staying: Vec<Gone>,
    at: String,
    by: String,
    dry_run: bool,
    #[serde(flatten)]
    loss: Loss,
    /// Whether the server was asked what it delivered.
    traced: bool,
}

#[derive(Serialize)]
struct Gone {
    id: String,
    name: String,
    role: &'static str,
}

/// `keyvawlt offboard`
pub async fn offboard(arguments: Offboard, context: &mut Context) -> Outcome {
    let report = arguments.report.report()?;
    let mut vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(&arguments.member, Among::People)?;
    if roster.is_own(&member) {
        return Err(Failure::usage("nobody offboards himself").on(member.name).hint("keyvawlt org leave, or have another admin do it"));
    }
    roster.require_admin()?;
    let admitted = vault.machines_admitted_by(&member.id).await?;
    let machines: Vec<&MemberInfo> = roster.machines().filter(|machine| admitted.contains(&machine.id)).collect();
    let (going, staying) = if arguments.with_machines { (machines, vec![]) } else { (vec![], machines) };
    let leaving: Vec<IdentityId> = std::iter::once(&member).chain(going.iter().copied()).map(|leaver| leaver.id).collect();
    let removal = if arguments.dry_run {
        vault.rehearse_offboarding(&leaving).await.map(|(removal, _)| removal)
    } else {
        ask(&member, &going, &vault, arguments.yes, context)?;
        vault.offboard(&leaving).await
    };
    let mut removal = removal.map_err(|error| cannot_go(error, &member))?;
    let traced = trace(&vault, &mut removal, context).await?;
    let told = Offboarded {
        organization: vault.name()?,
        member: gone(&member),
        machines: going.iter().map(|machine| gone(machine)).collect(),
        staying: staying.iter().map(|machine| gone(machine)).collect(),
        at: display_ms(vault.now_ms()),
        by: roster.name(&vault.identity().id()),
        dry_run: arguments.dry_run,
        loss: Loss::of(&removal, &vault, &roster)?,
        traced,
    };
    let now = vault.now_ms();
    context.output.result(&told, || told.text(now))?;
    told.advise(context);
    if let Some(report) = report {
        report.write(&told, || told.markdown(now), context)?;
    }
    Ok(())
}

fn ask(member: &MemberInfo, going: &[&MemberInfo], vault: &Vault, yes: bool, context: &mut Context) -> Outcome {
    let machines: Vec<String> = going.iter().map(|machine| format!(", and the machine {}", machine.name)).collect();
    let question =
        format!("Remove {} ({}){} from {}, with all access?", member.name, role_name(member.role), machines.concat(), vault.name()?);
    prompt::confirm(context.person.as_mut(), &question, yes)
}

/// Asks what was delivered. They are gone whether or not the server answers.
async fn trace(vault: &Vault, removal: &mut Removal, context: &mut Context) -> Outcome<bool> {
    match vault.trace(&mut removal.worklist).await {
        Ok(()) => Ok(true),
        Err(error) => {
            context.output.warn(&format!("what was delivered could not be asked: {}", Failure::from(error)));
            Ok(false)
        }
    }
}

fn gone(member: &MemberInfo) -> Gone {
    Gone { id: member.id.to_string(), name: member.name.clone(), role: role_name(member.role) }
}

impl Offboarded {
    fn text(&self, now: u64) -> String {
        let names: Vec<&str> = std::iter::once(&self.member).chain(&self.machines).map(|gone| gone.name.as_str()).collect();
        let names = names.join(", ");
        let mut text = if self.dry_run { format!("would remove {names}; nothing was changed\n") } else { format!("removed {names}\n") };
        if !self.loss.rekeyed.is_empty() {
            let _ = writeln!(text, "new keys: {}", self.loss.rekeyed.join(", "));
        }
        if self.loss.rotate.is_empty() {
            text.push_str("there is nothing that you read to rotate\n");
            return text;
        }
        let rows = self.loss.rotate.iter().map(|item| {
            let mut cells = item.cells(now);
            cells.push(item.fetched(now));
            cells
        });
        let mut columns = COLUMNS.to_vec();
        columns.push("on record");
        let _ = writeln!(text, "\nthese could be decrypted; rotate them at their providers:");
        text.push_str(&section(&columns, &rows.collect::<Vec<_>>()));
        text
    }

    fn advise(&self, context: &mut Context) {
        self.loss.warn(&self.member.name, context);
        if !self.staying.is_empty() {
            let names: Vec<&str> = self.staying.iter().map(|machine| machine.name.as_str()).collect();
            context.output.warn(&format!(
                "{} let in machines that stay, whose tokens he may have: {}. --with-machines takes them along; keyvawlt machine replace gives them new tokens",
                self.member.name,
                names.join(", ")
            ));
        }
        if !self.loss.rotate.is_empty() && !self.dry_run {
            context.output.note(&format!("keyvawlt worklog list --of {} shows what is left", quoted(&self.member.name)));
        }
        if !self.loss.rotate.is_empty() {
            context.output.note("what is on record is the server's word: it could hide a delivery, and all of these could be fetched");
        }
    }

    fn markdown(&self, now: u64) -> String {
        let list = |places: &[String]| match places {
            [] => "none".to_owned(),
            places => places.iter().map(|place| rotation::cell(place)).collect::<Vec<_>>().join(", "),
        };
        let names = |gone: &[Gone]| list(&gone.iter().map(|gone| format!("{} ({})", gone.name, gone.id)).collect::<Vec<_>>());
        let mut text = format!("# Offboarding of {}\n\n", rotation::cell(&self.member.name));
        if self.dry_run {
            text.push_str("A rehearsal: nothing was changed.\n\n");
        }
        let _ = write!(
            text,
            "* Organization: {}\n* Member: {} ({}), identity {}\n* Machines removed: {}\n* Machines staying: {}\n* At: {}, by {}\n\
             * New keys: {}\n* New keys due with the next write: {}\n* Readable by the member and not by the author of this report: {}\n\n",
            rotation::cell(&self.organization),
            rotation::cell(&self.member.name),
            self.member.role,
            self.member.id,
            names(&self.machines),
            names(&self.staying),
            self.at,
            rotation::cell(&self.by),
            list(&self.loss.rekeyed),
            list(&self.loss.key_change_due),
            list(&self.loss.unseen),
        );
        text.push_str(
            "## Secrets to rotate\n\nEach could be decrypted. What is on record is the server's word: it could hide a delivery.\n\n",
        );
        text.push_str(&rotation::markdown(&self.loss.rotate, now));
        text
    }
}
