//! Who and what there is in an organization, by the names its people gave: finding somebody, and telling who may do what.
//!
//! Invariant: a name that two could mean is refused, with the ids to choose from. Absent: printing, and every change.

use std::collections::BTreeMap;

use keyvawlt_client::ledger::chain::{Questions, class, is_live, permission, role, verified};
use keyvawlt_client::ledger::{IdentityId, NsId};
use keyvawlt_client::{InviteInfo, MemberInfo, Vault};
use serde::Serialize;

use crate::duration::display_ms;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Hexadecimal digits of an id in a table: two ids of one organization that share as many are not met by chance.
const SHORT_ID: usize = 12;
/// The fewest digits that name somebody; fewer are more likely a mistake.
const LEAST_ID: usize = 6;

/// Members, machines and places of one organization.
pub struct Roster {
    members: Vec<MemberInfo>,
    places: BTreeMap<NsId, String>,
    directory: Option<NsId>,
    own: IdentityId,
    now_ms: u64,
}

/// Among whom somebody is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// People.
    People,
    /// Agents, CI jobs, services.
    Machines,
    /// Both.
    All,
}

/// Access to one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Right {
    /// `project/environment`, or the namespace's id where its name cannot be known.
    pub environment: String,
    /// `read`, `write`, `manage`.
    pub permissions: Vec<&'static str>,
    /// When it ends.
    pub expires: Option<String>,
    /// It has ended.
    pub ended: bool,
    /// The same as bits.
    #[serde(skip)]
    pub bits: u8,
}

impl Roster {
    /// As the vault has verified it.
    pub fn of(vault: &Vault) -> Outcome<Self> {
        let directory = vault.chain().head().chain().and_then(|chain| chain.directory);
        Ok(Self { members: vault.members()?, places: vault.place_names()?, directory, own: vault.identity().id(), now_ms: vault.now_ms() })
    }

    /// The people.
    pub fn people(&self) -> impl Iterator<Item = &MemberInfo> {
        self.members.iter().filter(|member| member.role != role::MACHINE)
    }

    /// The machines.
    pub fn machines(&self) -> impl Iterator<Item = &MemberInfo> {
        self.members.iter().filter(|member| member.role == role::MACHINE)
    }

    /// Everybody.
    pub fn all(&self) -> &[MemberInfo] {
        &self.members
    }

    /// Somebody by name, or by the beginning of the id.
    pub fn find(&self, who: &str, among: Among) -> Outcome<MemberInfo> {
        let in_question = |member: &&MemberInfo| match among {
            Among::People => member.role != role::MACHINE,
            Among::Machines => member.role == role::MACHINE,
            Among::All => true,
        };
        let candidates = self.members.iter().filter(in_question).map(|member| (member.name.as_str(), member.id.to_string(), member));
        let (what, list) = match among {
            Among::People => ("member", "keyvawlt member list"),
            Among::Machines => ("machine", "keyvawlt machine list"),
            Among::All => ("member or machine", "keyvawlt member list and keyvawlt machine list"),
        };
        choose(who, what, list, candidates).cloned()
    }

    /// What a place is called.
    pub fn place(&self, ns_id: &NsId) -> String {
        self.places.get(ns_id).cloned().unwrap_or_else(|| ns_id.to_string())
    }

    /// All places by name.
    pub fn places(&self) -> &BTreeMap<NsId, String> {
        &self.places
    }

    /// What somebody may do, by place. The directory of names, which all people read, is left out.
    pub fn rights(&self, member: &MemberInfo) -> Vec<Right> {
        self.named(&member.access)
    }

    /// What the invite promised and nobody has given yet.
    pub fn waiting(&self, member: &MemberInfo) -> Vec<Right> {
        self.named(&member.intended)
    }

    /// What an invite promises.
    pub fn promised(&self, invite: &InviteInfo) -> Vec<Right> {
        self.named(&invite.intended)
    }

    /// Whether somebody joined, and an admin has not yet compared words.
    pub fn is_waiting(&self, member: &MemberInfo) -> bool {
        member.pending || !self.waiting(member).is_empty()
    }

    /// Whether it is who looks.
    pub fn is_own(&self, member: &MemberInfo) -> bool {
        member.id == self.own
    }

    /// Whether who looks may invite, confirm and remove.
    pub fn may_administer(&self) -> bool {
        let own = self.members.iter().find(|member| self.is_own(member));
        own.is_some_and(|own| matches!(own.role, role::OWNER | role::ADMIN) && is_live(own.expires_ms, self.now_ms))
    }

    /// Refuses who may not invite, confirm and remove.
    pub fn require_admin(&self) -> Outcome {
        if self.may_administer() {
            return Ok(());
        }
        Err(Failure::new(Exit::PermissionDenied, "this is for owners and admins").hint("keyvawlt member list shows who they are"))
    }

    /// How many people and machines there are, in words.
    pub fn head_count(&self) -> String {
        let count = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
        let people = count(self.people().count(), "member");
        match self.machines().count() {
            0 => people,
            machines => format!("{people}, {}", count(machines, "machine")),
        }
    }

    /// Whose name it is; the id for somebody who is gone.
    pub fn name(&self, id: &IdentityId) -> String {
        self.members.iter().find(|member| member.id == *id).map_or_else(|| short(&id.to_string()), |member| member.name.clone())
    }

    /// One right, with its place's name.
    pub fn right(&self, ns_id: &NsId, bits: u8, expires_ms: u64) -> Right {
        Right {
            environment: self.place(ns_id),
            permissions: permission_words(bits),
            expires: ends(expires_ms),
            ended: !is_live(expires_ms, self.now_ms),
            bits,
        }
    }

    fn named(&self, access: &[(NsId, u8, u64)]) -> Vec<Right> {
        let mut rights: Vec<Right> = access
            .iter()
            .filter(|(ns_id, ..)| Some(*ns_id) != self.directory)
            .map(|(ns_id, bits, expires_ms)| self.right(ns_id, *bits, *expires_ms))
            .collect();
        rights.sort_by(|a, b| a.environment.cmp(&b.environment));
        rights
    }
}

impl Right {
    /// What somebody may do, as a sentence.
    pub fn sentence(&self, who: &str) -> String {
        let until = self.expires.as_ref().map(|at| format!(" until {at}")).unwrap_or_default();
        format!("{who} may {} in {}{until}", permission_text(self.bits), self.environment)
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.environment, permission_text(self.bits))?;
        match &self.expires {
            Some(at) if self.ended => write!(f, ", ended {at}"),
            Some(at) => write!(f, ", until {at}"),
            None => Ok(()),
        }
    }
}

/// An invite that nobody used, by the name it is for or the beginning of its id.
pub fn find_invite(vault: &Vault, which: &str) -> Outcome<InviteInfo> {
    let open = open_invites(vault)?;
    let candidates = open.iter().map(|invite| (invite.name.as_str(), invite.id.to_string(), invite));
    choose(which, "open invite", "keyvawlt member list", candidates).cloned()
}

/// Invites that nobody used and nobody revoked, those that have ended included.
pub fn open_invites(vault: &Vault) -> Outcome<Vec<InviteInfo>> {
    let mut open = vault.invites()?;
    open.retain(|invite| invite.used_by.is_none() && !invite.revoked);
    Ok(open)
}

/// The one of this name, or else of this beginning of an id.
fn choose<'a, T>(wanted: &str, what: &str, list: &str, candidates: impl Iterator<Item = (&'a str, String, T)>) -> Outcome<T> {
    let candidates: Vec<_> = candidates.collect();
    let (named, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(name, ..)| *name == wanted);
    let by_id = |(_, id, _): &(&str, String, T)| wanted.len() >= LEAST_ID && id.starts_with(wanted);
    let mut found = if named.is_empty() { others.into_iter().filter(by_id).collect() } else { named };
    match found.len() {
        1 => Ok(found.remove(0).2),
        0 => Err(Failure::new(Exit::NotFound, format!("there is no {what} of this name")).on(wanted).hint(format!("see {list}"))),
        _ => {
            let ids: Vec<String> = found.iter().map(|(name, id, _)| format!("{} ({name})", short(id))).collect();
            Err(Failure::usage(format!("more than one {what} could be meant: {}", ids.join(", ")))
                .on(wanted)
                .code("AMBIGUOUS")
                .hint("give the beginning of the id instead of the name"))
        }
    }
}

/// The beginning of an id, enough to name what it belongs to.
pub fn short(id: &str) -> String {
    id.chars().take(SHORT_ID).collect()
}

/// What a role is called.
pub fn role_name(number: u8) -> &'static str {
    match number {
        role::OWNER => "owner",
        role::ADMIN => "admin",
        role::MEMBER => "member",
        role::AUDITOR => "auditor",
        role::MACHINE => "machine",
        role::RECOVERY => "recovery",
        _ => "unknown",
    }
}

/// What a class of environments is called.
pub fn class_name(number: u8) -> &'static str {
    match number {
        class::DEVELOPMENT => "development",
        class::STAGING => "staging",
        class::PRODUCTION => "production",
        _ => "unknown",
    }
}

/// How keys were verified.
pub fn verified_text(number: u8) -> &'static str {
    match number {
        verified::INVITE => "by an invite passed outside of the server",
        verified::WORDS => "by comparing words",
        verified::MADE => "made by the admin's own device",
        _ => "not verified",
    }
}

/// Permission bits, for programs.
pub fn permission_words(bits: u8) -> Vec<&'static str> {
    let words = [(permission::READ, "read"), (permission::WRITE, "write"), (permission::MANAGE, "manage")];
    words.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| word).collect()
}

/// Permission bits as people say it: `write` includes `read`, and `manage` both unless it says otherwise.
pub fn permission_text(bits: u8) -> &'static str {
    match bits {
        0 => "nothing",
        1 => "read",
        4 => "manage, without reading",
        5 => "manage, without writing",
        7 => "manage",
        _ => "write",
    }
}

/// When something ends; nothing for what never does.
pub fn ends(at_ms: u64) -> Option<String> {
    (at_ms != 0).then(|| display_ms(at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(wanted: &str) -> Outcome<u8> {
        let candidates = [
            ("Bob", "aaaaaaaa01".to_owned(), 1),
            ("Bob", "bbbbbbbb02".to_owned(), 2),
            ("Ann", "aaaaaaaa03".to_owned(), 3),
            ("aaaaaa", "c".to_owned(), 4),
        ];
        choose(wanted, "member", "keyvawlt member list", candidates.into_iter())
    }

    #[test]
    fn names_come_before_ids_and_doubt_is_refused() {
        assert_eq!(find("Ann").unwrap(), 3);
        assert_eq!(find("bbbbbb").unwrap(), 2);
        assert_eq!(find("aaaaaa").unwrap(), 4, "a name that looks like an id");
        let doubt = find("Bob").unwrap_err();
        assert_eq!(doubt.exit(), Exit::Usage);
        assert!(doubt.to_string().contains("aaaaaaaa01 (Bob), bbbbbbbb02 (Bob)"), "{doubt}");
        assert!(find("aaaaaaaa").is_err(), "two ids begin so");
        for absent in ["bob", "bbbbb", "", "dddddd"] {
            assert_eq!(find(absent).unwrap_err().exit(), Exit::NotFound, "{absent}");
        }
    }

    #[test]
    fn permissions_have_one_word_each_way() {
        let cases: [(u8, &str, &[&str]); 5] = [
            (1, "read", &["read"]),
            (3, "write", &["read", "write"]),
            (4, "manage, without reading", &["manage"]),
            (5, "manage, without writing", &["read", "manage"]),
            (7, "manage", &["read", "write", "manage"]),
        ];
        for (bits, text, words) in cases {
            assert_eq!((permission_text(bits), permission_words(bits).as_slice()), (text, words));
        }
    }
}
