//! The state of an organization as this device verified it, and what there is to do.
//!
//! Invariant: everything here is computed from verified statements; the server's word for it is not asked.

use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::{Questions, role};
use keyvawlt_client::{Environment, SecretInfo, Vault};
use serde::Serialize;

use super::Context;
use super::member::quoted;
use super::{remind, worklog};
use crate::due::{DueItem, WITHIN_MS};
use crate::duration::{display_ms, distance};
use crate::failure::Outcome;
use crate::output::{fields, section};
use crate::roster::{Roster, class_name, open_invites, permission_text, permission_words, role_name};
use crate::vault;

/// Secrets of one kind that are named one by one; keyvawlt remind names them all.
const NAMED: usize = 10;

#[derive(Serialize)]
struct Status {
    organization: Named,
    addr: String,
    you: You,
    verified: Heads,
    members: usize,
    machines: usize,
    environments: Vec<Place>,
    due: Vec<DueItem>,
    to_rotate: usize,
    waiting: Vec<Named>,
    open_invites: Vec<Ending>,
    ending: Vec<Ending>,
}

#[derive(Serialize)]
struct Named {
    id: String,
    name: String,
}

#[derive(Serialize)]
struct You {
    id: String,
    name: String,
    role: Option<&'static str>,
    words: String,
    /// Joined, and no admin has compared words yet.
    waiting: bool,
}

/// How far chain and manifests are verified; to compare with a colleague's.
#[derive(Serialize)]
struct Heads {
    links: u64,
    head: String,
    manifests: Vec<Manifest>,
}

#[derive(Serialize)]
struct Manifest {
    environment: String,
    links: u64,
    head: String,
}

#[derive(Serialize)]
struct Place {
    project: String,
    name: String,
    class: &'static str,
    permissions: Vec<&'static str>,
    secrets: usize,
    last_change: Option<String>,
    key_change_due: bool,
    #[serde(skip)]
    cells: Vec<String>,
}

/// Somebody, something or a right that ends soon, or has ended.
#[derive(Serialize)]
struct Ending {
    name: String,
    what: String,
    expires: String,
    ended: bool,
    #[serde(skip)]
    at_ms: u64,
}

/// `keyvawlt status`
pub async fn status(context: &mut Context) -> Outcome {
    let mut vault = vault::open(context).await?;
    let mut due = remind::due(&mut vault, WITHIN_MS).await?;
    // These are counted, and listed elsewhere with who could read them.
    due.retain(|due| due.why != "work_owed");
    let roster = Roster::of(&vault)?;
    let status = Status::of(&vault, &roster, due, worklog::count(&vault).await?)?;
    context.output.result(&status, || status.text(&roster, vault.now_ms()))?;
    if vault.lacks_a_guardian() {
        context.output.warn("one owner alone guards production: make a second one, or keyvawlt breakglass create");
    }
    if vault.has_earlier_keys() {
        context.output.warn("your keys were rotated, but not here yet: keyvawlt keys rotate continues");
    }
    for key_change in status.environments.iter().filter(|place| place.key_change_due) {
        let place = format!("{}/{}", key_change.project, key_change.name);
        context.output.note(&format!("{place} gets a new key with the next write, since somebody lost access"));
    }
    Ok(())
}

impl Status {
    fn of(vault: &Vault, roster: &Roster, due: Vec<DueItem>, to_rotate: usize) -> Outcome<Self> {
        let now = vault.now_ms();
        let own = vault.identity().id();
        let mut environments = Vec::new();
        for environment in vault.environments()? {
            let secrets = vault.list(&environment.ns_id)?;
            environments.push(place(&environment, &secrets, now));
        }
        let waiting = roster.people().filter(|member| roster.may_administer() && roster.is_waiting(member));
        let invites = open_invites(vault)?.into_iter().map(|invite| ending(invite.name, "invite".to_owned(), invite.expires_ms, now));
        Ok(Self {
            organization: Named { id: vault.org_id().to_string(), name: vault.name()? },
            addr: vault.client().origin().to_owned(),
            you: You {
                id: own.to_string(),
                name: roster.name(&own),
                role: vault.membership().map(|member| role_name(member.role)),
                words: vault.identity().safety_words().join(" "),
                waiting: roster.all().iter().any(|member| roster.is_own(member) && roster.is_waiting(member)),
            },
            verified: heads(vault, roster),
            members: roster.people().count(),
            machines: roster.machines().count(),
            environments,
            due,
            to_rotate,
            waiting: waiting.map(|member| Named { id: member.id.to_string(), name: member.name.clone() }).collect(),
            open_invites: invites.collect(),
            ending: endings(vault, roster, now),
        })
    }

    fn text(&self, roster: &Roster, now: u64) -> String {
        let role = self.you.role.unwrap_or("no member");
        let mut text = fields(&[
            ("organization", vec![self.organization.name.clone()]),
            ("server", vec![self.addr.clone()]),
            ("you", vec![format!("{}, {role}", self.you.name)]),
            ("members", vec![roster.head_count()]),
            ("verified", vec![format!("a chain of {} links; the newest is", self.verified.links), self.verified.head.clone()]),
        ]);
        if !self.environments.is_empty() {
            let rows: Vec<_> = self.environments.iter().map(|place| place.cells.clone()).collect();
            text.push('\n');
            text.push_str(&section(&["environment", "class", "you may", "secrets", "last change"], &rows));
        }
        let todo = self.todo(now);
        text.push_str(if todo.is_empty() { "\nnothing is due\n" } else { "\nto do\n" });
        let todo: Vec<String> = todo.iter().map(|line| format!("  {line}\n")).collect();
        text + &todo.concat()
    }

    /// One line for everything that waits for somebody, the most urgent kinds first.
    fn todo(&self, now: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for due in self.due.iter().take(NAMED) {
            let label = due.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
            lines.push(format!("{} {}{label} {}", due.environment, due.secret, due.words(now)));
        }
        if self.due.len() > NAMED {
            lines.push(format!("{} more secrets are due: keyvawlt remind", self.due.len() - NAMED));
        }
        if self.to_rotate > 0 {
            let secrets = if self.to_rotate == 1 { "1 secret".to_owned() } else { format!("{} secrets", self.to_rotate) };
            lines.push(format!("{secrets} to rotate, since somebody lost access: keyvawlt worklog list"));
        }
        for waiting in &self.waiting {
            lines.push(format!("{} joined: compare words, then keyvawlt member confirm {}", waiting.name, quoted(&waiting.name)));
        }
        if self.you.waiting {
            lines.push(format!("have an admin compare your words, to get access: {}", self.you.words));
        }
        for ending in &self.ending {
            let verb = if ending.ended { "ended" } else { "ends" };
            lines.push(format!("{} {}: {verb} {}", ending.name, ending.what, distance(ending.at_ms, now)));
        }
        lines
    }
}

fn heads(vault: &Vault, roster: &Roster) -> Heads {
    let verified = vault.verified();
    let directory = vault.chain().head().chain().and_then(|chain| chain.directory);
    let place = |ns_id: &NsId| if Some(*ns_id) == directory { "directory of names".to_owned() } else { roster.place(ns_id) };
    let manifest = |head: &keyvawlt_client::ledger::chain::Head| Manifest {
        environment: place(&head.ns_id),
        links: head.mseq,
        head: head.mhash.to_string(),
    };
    let mut manifests: Vec<Manifest> = verified.manifests.iter().map(manifest).collect();
    manifests.sort_by(|a, b| a.environment.cmp(&b.environment));
    Heads { links: verified.links, head: verified.head.to_string(), manifests }
}

fn place(environment: &Environment, secrets: &[SecretInfo], now: u64) -> Place {
    let last_ms = secrets.iter().filter_map(|secret| secret.updated_ms).max();
    let (project, name, class) = (environment.project.clone(), environment.name.clone(), class_name(environment.class));
    let may = permission_text(environment.permissions).to_owned();
    let changed = last_ms.map_or_else(|| "-".to_owned(), |at| distance(at, now));
    Place {
        cells: vec![format!("{project}/{name}"), class.to_owned(), may, secrets.len().to_string(), changed],
        project,
        name,
        class,
        permissions: permission_words(environment.permissions),
        secrets: secrets.len(),
        last_change: last_ms.map(display_ms),
        key_change_due: environment.owed,
    }
}

/// Memberships, machines and single rights that end soon or have ended.
fn endings(vault: &Vault, roster: &Roster, now: u64) -> Vec<Ending> {
    let soon = |at_ms: u64| at_ms != 0 && at_ms <= now + WITHIN_MS;
    let directory = vault.chain().head().chain().and_then(|chain| chain.directory);
    let mut endings = Vec::new();
    // Others' ends concern those who can move them.
    for member in roster.all().iter().filter(|member| roster.may_administer() || roster.is_own(member)) {
        let what = if member.role == role::MACHINE { "(machine)" } else { "(member)" };
        if soon(member.expires_ms) {
            endings.push(ending(member.name.clone(), what.to_owned(), member.expires_ms, now));
        }
        for (ns_id, bits, expires_ms) in &member.access {
            // A machine's access ends with the machine.
            if soon(*expires_ms) && *expires_ms != member.expires_ms && Some(*ns_id) != directory {
                let what = format!("in {} ({})", roster.place(ns_id), permission_text(*bits));
                endings.push(ending(member.name.clone(), what, *expires_ms, now));
            }
        }
    }
    endings.sort_by(|a, b| (a.at_ms, &a.name).cmp(&(b.at_ms, &b.name)));
    endings
}

fn ending(name: String, what: String, at_ms: u64, now: u64) -> Ending {
    Ending { name, what, expires: display_ms(at_ms), ended: at_ms <= now, at_ms }
}
