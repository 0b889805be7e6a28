//! Policy: one pure match over who asks, what they hold, and what they want. Printed as a matrix that a test keeps true.
//!
//! It is the first of two judges: whatever changes an organization is judged again by the ledger's rules over the signed statement, which are
//! finer. What passes here may still be refused there, never the other way.

use keyvawlt_ledger::chain::{Body, Member, is_live, permission, role};

/// Who asks, as far as policy is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A person with an account, in no organization, or in none that the call names.
    Person,
    /// A machine or recovery identity, likewise.
    Outsider,
    /// The bearer of an open invite.
    Invite,
    /// Has joined, and waits for confirmation.
    Pending,
    /// An active member.
    Owner,
    /// An active member.
    Admin,
    /// An active member.
    Member,
    /// An active member.
    Machine,
    /// An active member.
    Auditor,
    /// An active member.
    Recovery,
}

impl Who {
    /// Everyone, in the matrix's order.
    pub const ALL: [Who; 10] = [
        Who::Person,
        Who::Outsider,
        Who::Invite,
        Who::Pending,
        Who::Owner,
        Who::Admin,
        Who::Member,
        Who::Machine,
        Who::Auditor,
        Who::Recovery,
    ];

    /// What a chain's member entry makes of somebody at a moment; `None` for those who are no longer, or not any more.
    pub fn of_member(member: &Member, now_ms: u64) -> Option<Self> {
        if !is_live(member.expires_ms, now_ms) {
            return None;
        }
        match member.role {
            role::REMOVED => None,
            _ if member.pending => Some(Who::Pending),
            role::OWNER => Some(Who::Owner),
            role::ADMIN => Some(Who::Admin),
            role::MEMBER => Some(Who::Member),
            role::MACHINE => Some(Who::Machine),
            role::AUDITOR => Some(Who::Auditor),
            role::RECOVERY => Some(Who::Recovery),
            _ => None,
        }
    }

    /// Whether the organization knows this caller: a denial is then worth a record.
    pub fn is_member(self) -> bool {
        self >= Who::Pending
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// One's own account, by any of the account's rpcs.
    UseAccount,
    /// A new organization.
    CreateOrganization,
    /// What a server that was restored from a backup lacks, whoever signed it.
    BringBack,
    /// One's organizations.
    ListOrganizations,
    /// The organization's links.
    ReadChain,
    /// What changed in namespaces.
    ReadChanges,
    /// All of a namespace, from nothing.
    ReadListing,
    /// An earlier version of a secret.
    ReadVersion,
    /// The newest manifest links of namespaces.
    ListManifestHeads,
    /// Where somebody else wrote last.
    ListLastWritten,
    /// Silence about a secret that is to be replaced.
    SnoozeReminder,
    /// What happened.
    ListAuditEvents,
    /// Monitors of namespaces, and of the organization.
    ReadMonitors,
    /// A namespace's monitors, incidents and maintenances.
    ChangeMonitors,
    /// The organization's own.
    ChangeOrgMonitors,
    /// A finding about a key.
    ReportKeyHealth,
    /// Findings about keys.
    ListKeyHealth,
    /// Which keys to check next.
    LeaseKeyChecks,
    /// One's own notices: preferences and record, and what the organization has decided.
    UseNotices,
    /// The organization's channels and thresholds.
    ManageNotices,
    /// What was delivered to everybody.
    ListAllDeliveries,
    /// An organization link of this type.
    CommitLink(u8),
    /// A manifest link.
    CommitManifest,
}

impl Deed {
    /// Everything, in the matrix's order.
    pub fn all() -> Vec<Deed> {
        use Deed::{
            ChangeMonitors, ChangeOrgMonitors, CommitLink, CommitManifest, CreateOrganization, LeaseKeyChecks, ListAllDeliveries,
            ListAuditEvents, ListKeyHealth, ListLastWritten, ListManifestHeads, ListOrganizations, ManageNotices, ReadChain, ReadChanges,
            ReadListing, ReadMonitors, ReadVersion, ReportKeyHealth, SnoozeReminder, UseAccount, UseNotices,
        };
        let mut all = vec![
            UseAccount,
            CreateOrganization,
            Deed::BringBack,
            ListOrganizations,
            ReadChain,
            ReadChanges,
            ReadListing,
            ReadVersion,
            ListManifestHeads,
            ListLastWritten,
            SnoozeReminder,
            ListAuditEvents,
            ReadMonitors,
            ChangeMonitors,
            ChangeOrgMonitors,
            ReportKeyHealth,
            ListKeyHealth,
            LeaseKeyChecks,
            UseNotices,
            ManageNotices,
            ListAllDeliveries,
        ];
        all.extend(Body::KINDS.iter().map(|(kind, _)| CommitLink(*kind)));
        all.push(CommitManifest);
        all
    }

    /// Its name in the matrix and in audit events.
    pub fn name(self) -> String {
        match self {
            Deed::CommitLink(kind) => {
                let name = Body::KINDS.iter().find(|(number, _)| *number == kind).map_or("unknown", |(_, name)| name);
                format!("Commit {name}")
            }
            Deed::CommitManifest => "Commit manifest link".to_owned(),
            deed => format!("{deed:?}"),
        }
    }

    /// The rpcs it stands behind.
    pub fn rpcs(self) -> &'static [&'static str] {
        match self {
            Deed::UseAccount => &[
                "VerifyEmail",
                "ResendEmailCode",
                "ReadAccount",
                "UpdateAccount",
                "AddSlot",
                "RemoveSlot",
                "ListSlots",
                "ReadLinkOffer",
                "AnswerLink",
            ],
            Deed::CreateOrganization => &["CreateOrganization"],
            Deed::ListOrganizations => &["ListOrganizations"],
            Deed::ReadChain => &["ReadChain", "ReadStart", "ReadBundles"],
            Deed::ReadChanges => &["ReadChanges"],
            Deed::ReadListing => &["ReadListing"],
            Deed::ReadVersion => &["ReadVersion"],
            Deed::ListManifestHeads | Deed::ListLastWritten => &["ListManifestHeads"],
            Deed::SnoozeReminder => &["SnoozeReminder"],
            Deed::ListAuditEvents => &["ListAuditEvents"],
            Deed::ReportKeyHealth => &["ReportKeyHealth"],
            Deed::ListKeyHealth => &["ListKeyHealth"],
            Deed::LeaseKeyChecks => &["LeaseKeyChecks"],
            Deed::ReadMonitors => &["ListMonitors", "GetMonitor", "ListIncidents", "GetIncident", "ListMaintenances"],
            Deed::ChangeMonitors | Deed::ChangeOrgMonitors => &[
                "CreateMonitor",
                "UpdateMonitor",
                "PauseMonitor",
                "ResumeMonitor",
                "DeleteMonitor",
                "AcknowledgeIncident",
                "AddMaintenance",
                "RemoveMaintenance",
            ],
            Deed::UseNotices => &["GetPreferences", "SetPreferences", "GetThresholds", "ListDeliveries"],
            Deed::ManageNotices => &[
                "SetThresholds",
                "ListChannels",
                "AddChannel",
                "RemoveChannel",
                "PauseChannel",
                "ResumeChannel",
                "RotateChannelSecret",
                "TestChannel",
                "SendChannelCode",
                "VerifyChannel",
            ],
            Deed::ListAllDeliveries => &["ListDeliveries"],
            Deed::CommitLink(_) | Deed::CommitManifest | Deed::BringBack => &["Commit"],
        }
    }
}

/// The rpcs anyone may call: they name no tenant, and prove what they need themselves.
pub const OPEN_RPCS: [&str; 5] = ["SignUp", "LogIn", "OfferLink", "ReadLinkAnswer", "GetServerInfo"];

/// Whether it is allowed. `bits` are the caller's permissions in every namespace the call names; all of them when it names none.
pub fn allows(who: Who, bits: u8, deed: Deed) -> bool {
    use Who::{Admin, Auditor, Invite, Machine, Member, Owner, Pending, Person, Recovery};
    let reads = bits & permission::READ != 0;
    match deed {
        Deed::UseAccount | Deed::CreateOrganization | Deed::ListOrganizations => who == Person,
        Deed::ReadChain => who.is_member() || who == Invite,
        // The bearer of an invite gets the links, and what is wrapped to the invite; `bits` say that it is.
        Deed::ReadChanges => reads && (who.is_member() || who == Invite),
        Deed::ReadListing | Deed::ReadVersion => reads && who.is_member(),
        // Whoever removes somebody fences namespaces without reading them; so does who manages one.
        Deed::ListManifestHeads => {
            matches!(who, Owner | Admin | Recovery) || (matches!(who, Member | Machine | Auditor) && bits & permission::MANAGE != 0)
        }
        Deed::ListLastWritten => matches!(who, Owner | Admin | Recovery),
        Deed::BringBack => who.is_member() && who != Pending,
        // It silences others too: for people who could replace the secret instead.
        Deed::SnoozeReminder => matches!(who, Owner | Admin | Member) && bits & permission::WRITE != 0,
        Deed::ListAuditEvents => matches!(who, Owner | Admin | Auditor),
        // Whoever reads a key can check it, too, and hears what others found out.
        Deed::ReadMonitors | Deed::ReportKeyHealth | Deed::ListKeyHealth | Deed::LeaseKeyChecks => {
            reads && who.is_member() && who != Pending
        }
        // Whoever writes an environment's secrets may say what is looked at for them, a pipeline too.
        Deed::ChangeMonitors => matches!(who, Owner | Admin | Member | Machine) && bits & permission::WRITE != 0,
        Deed::ChangeOrgMonitors => matches!(who, Owner | Admin),
        // Only people are told anything.
        Deed::UseNotices => matches!(who, Owner | Admin | Member | Auditor),
        Deed::ManageNotices => matches!(who, Owner | Admin),
        Deed::ListAllDeliveries => matches!(who, Owner | Admin | Auditor),
        Deed::CommitManifest => matches!(who, Owner | Admin | Member | Machine | Recovery),
        Deed::CommitLink(kind) => match kind {
            // MemberAdd, KeyReset.
            2 | 7 => matches!(who, Owner | Admin | Recovery),
            // MemberJoin.
            3 => who == Invite,
            // MemberSet, MemberRemove, KeyRotate, Access, Checkpoint: also on oneself.
            4 | 5 | 6 | 13 | 15 => who.is_member() && who != Pending,
            // Invite, InviteRevoke.
            8 | 9 => matches!(who, Owner | Admin),
            // NamespaceCreate, NamespaceSet.
            10 | 11 => matches!(who, Owner | Admin | Member | Recovery),
            // NamespaceEpoch: where it is owed, any writer.
            12 => matches!(who, Owner | Admin | Member | Machine | Recovery),
            // PolicySet.
            14 => who == Owner,
            // Genesis comes with CreateOrganization; others do not exist.
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const ALL_BITS: u8 = permission::READ | permission::WRITE | permission::MANAGE;

    #[test]
    fn the_matrix_is_the_reviewed_one() {
        let mut matrix = format!("{:32}", "");
        for who in Who::ALL {
            write!(matrix, "{:>10}", format!("{who:?}").to_lowercase()).unwrap();
        }
        matrix.push('\n');
        for deed in Deed::all() {
            write!(matrix, "{:32}", deed.name()).unwrap();
            for who in Who::ALL {
                let cell = match (allows(who, 0, deed), allows(who, permission::READ, deed), allows(who, ALL_BITS, deed)) {
                    (false, false, false) => "✘",
                    (true, true, true) => "✔",
                    (false, true, true) => "✔ read",
                    (false, false, true) if allows(who, permission::MANAGE, deed) => "✔ manage",
                    (false, false, true) if allows(who, permission::WRITE, deed) => "✔ write",
                    _ => "?",
                };
                write!(matrix, "{cell:>10}").unwrap();
            }
            matrix.push('\n');
        }
        insta::assert_snapshot!(matrix);
    }
}
