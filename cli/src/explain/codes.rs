//! The codes of the protocol: why a statement or an object is refused.

use keyvawlt_client::ledger::Code;

use super::{Texts, texts};

/// One text for the many codes after which the same has to be done.
const ASK_AROUND: &str = "Do not delete this device's state. Give the evidence file to your admin, compare keyvawlt status with a colleague's, and ask the operator what happened at that time.";

/// The texts of a code.
pub(super) fn of(code: Code) -> Texts {
    statements(code).or_else(|| histories(code)).or_else(|| rights(code)).unwrap_or_else(|| contents(code))
}

/// What is wrong with a statement by itself.
fn statements(code: Code) -> Option<Texts> {
    Some(match code {
        Code::Canon => texts(
            "The bytes are not the one form that the protocol allows for what they say.",
            "A defect of the program that wrote them; a code, token or file that was cut off or changed; or somebody who wants two programs to read the same bytes differently.",
            "For a code or token, copy it again, whole. For what the server delivered, give the evidence file to your admin: it names whose signature is under it.",
        ),
        Code::Upgrade => texts(
            "A version, suite or field that this program does not know.",
            "Somebody in the organization, or the server, runs a newer version than you.",
            "Install the newest version of keyvawlt. If that does not help, report it with the evidence file.",
        ),
        Code::Limit => texts(
            "Something is larger, longer or more than the protocol allows.",
            "A value beyond 64 KiB or a name beyond 256 bytes; or a statement made to exhaust whoever reads it.",
            "Make it smaller, or keep it elsewhere and store a reference: docs/protocol.md, section 12, has every limit. For what the server delivered, give the evidence file to your admin.",
        ),
        Code::Sig => texts(
            "A signature does not fit the statement and the key of the one it names.",
            "The statement was changed after it was signed, or was never signed by that member: whoever delivered it made it up or damaged it. No member can cause this alone.",
            ASK_AROUND,
        ),
        Code::WeakKey => texts(
            "A public key is of a kind under which signatures or encryption protect nothing.",
            "No honest program makes such a key: a member, or somebody in a member's place, tried to get one accepted.",
            "Find out who admitted that member, and remove the member. Give the evidence file to your admin.",
        ),
        Code::OrgId => texts(
            "A statement belongs to another organization.",
            "The server mixed up two organizations, or shows you something in place of what you asked for.",
            ASK_AROUND,
        ),
        Code::KeySubst => texts(
            "A public key is not the one that the organization's chain names for that identity.",
            "The server put another key in somebody's place; an admin reset your keys without telling you; or this device holds keys from before a reset.",
            "Compare ten words by voice: keyvawlt whoami on one side, keyvawlt trust list on the other. Do not share anything until they agree. If your own keys were reset, ask the admin who did it, and why.",
        ),
        _ => return None,
    })
}

/// What does not fit what came before.
fn histories(code: Code) -> Option<Texts> {
    Some(match code {
        Code::Rollback => texts(
            "The server shows less, or older, than this device has verified; or a link or version is missing in between.",
            "The server was restored from a backup, or you were led to another server: then links that you have seen are missing there. A defect may lose writes. Or the server hides something on purpose: a removal, or the rotation of a leaked value.",
            "Do not delete this device's state. Give the evidence file to your admin, compare keyvawlt status with a colleague's, and ask the operator what happened at that time. If the operator says, by another way than this server, that it was restored from a backup: keyvawlt org bring-back gives it what this device holds and it lacks.",
        ),
        Code::Fork => texts(
            "Two histories that begin alike and then differ: what the server shows does not contain what was verified.",
            "After a restore from a backup, members wrote on what was left, and you hold what was lost. Or the server shows different members different histories. They can never be joined again.",
            "Stop writing. Compare keyvawlt status with colleagues to see who stands on which side, and keep every evidence file: keyvawlt evidence check shows whether two signed statements contradict each other.",
        ),
        Code::Clock => texts(
            "A statement is dated before the one it follows, or more than ten minutes ahead of this machine's clock.",
            "Usually the clock of this machine, or of whoever wrote, is wrong. Otherwise somebody back-dates a write, to pass for a time when it was allowed.",
            "Set this machine's clock and try again. If it is right, look at who wrote: keyvawlt evidence check names the author.",
        ),
        Code::State => texts(
            "A checkpoint names another state than the one that this device computed from the same links.",
            "Two versions of the program disagree on a rule, which is a defect; or a member vouched for a false state, for newcomers to begin with.",
            "Install the newest version everywhere. If it stays, report it with the evidence file: nothing is trusted until it is understood.",
        ),
        Code::UnknownNamespace => texts(
            "An environment or folder that no link of the organization's chain created.",
            "The server mixed up two environments, or shows one that it made itself, so that you write into it.",
            ASK_AROUND,
        ),
        Code::UnknownOrg => texts(
            "An organization that this account did not found or join.",
            "You were removed from the account's list on another device, or the server offers an organization of its own making.",
            "Join with a code that an admin gave you outside of the server. Without one, there is nothing to do.",
        ),
        Code::NoAccount => texts(
            "The account's sealed data is missing or does not open, although the login was accepted.",
            "The server lost or damaged it, or answers so that you make new keys, which would be worthless. This program never does.",
            "Try from a device that is logged in. If none can open it, ask the operator for a backup; the recovery code and the devices' keys stay good for it.",
        ),
        Code::Part => texts(
            "A change that spans two namespaces is here with one half only.",
            "The server withholds the other half, or lost it: a secret that was moved would look deleted.",
            ASK_AROUND,
        ),
        Code::Stale => texts(
            "What the server shows is older than the organization's policy allows.",
            "Nobody wrote, and the machine that gives the heartbeat stands still; or the server withholds what is new.",
            "See that the heartbeat runs, then ask a colleague whether there is something newer than keyvawlt status shows.",
        ),
        Code::Log => texts(
            "The audit log contradicts itself, or an event that must be in it is missing.",
            "The server dropped or changed events: by a defect, by a restore from a backup, or to hide who read what.",
            ASK_AROUND,
        ),
        _ => return None,
    })
}

/// What the author was not allowed to say.
fn rights(code: Code) -> Option<Texts> {
    Some(match code {
        Code::Authority => texts(
            "The author is not an active member, or has no right to do this.",
            "When you did it: you lack the role or the permission. When the server delivered it: a member tried to take a right, and a server that checks nothing accepted it.",
            "Ask an admin, or an owner where an admin, an owner or the policy is concerned. For what was delivered, keyvawlt evidence check names the author: ask, or remove that member.",
        ),
        Code::Author => texts(
            "Nobody who was a member with these keys at that time signed this write.",
            "Somebody outside the organization, or removed from it, tries to plant something with the server's help.",
            ASK_AROUND,
        ),
        Code::Fence => texts(
            "A write stands on a state from before its author lost the right to write, or a removal does not name what was written last.",
            "A removed writer adds something late, with the server's help. When you did the change: somebody wrote at the same moment.",
            "When you did it, try again. For what was delivered, look at what the removed member wrote last, and give the evidence file to your admin.",
        ),
        Code::Owed => texts(
            "The key of an environment must change before anything new is written there, and did not.",
            "Somebody lost access, and a program went on with the old key: a defect, or a writer who works with whoever lost access.",
            "Any member who writes there makes the new key with the next change. For what was delivered, give the evidence file to your admin.",
        ),
        Code::Invite => texts(
            "The invite is unknown, used, revoked or over, or whoever made it could no longer give it.",
            "It was used already, by you or by somebody else; it is older than its end; or a removed admin tries to come back by an invite he left open.",
            "Ask for a new code. If you did not use the old one, tell the admin: somebody else did.",
        ),
        _ => return None,
    })
}

/// What lies under the signatures.
fn contents(code: Code) -> Texts {
    match code {
        Code::Wrap => texts(
            "The key that was encrypted for you is missing, is not the one its author signed for, or does not open.",
            "The server withholds or exchanges it; or whoever gave you access made a mistake, or did it in bad faith.",
            "Ask whoever gave you access to give it again: keyvawlt grant remove, then keyvawlt grant add. If that does not help, give the evidence file to your admin.",
        ),
        Code::NkCommit => texts(
            "A key opens, but it is not the one that the chain commits to.",
            "Whoever made or gave the key gave you another one than the others have: a defect, or a member who wants to show you other secrets than the team.",
            "Nothing of it was used. Have another member who writes there make a new key, and find out who gave this one: keyvawlt grant list.",
        ),
        Code::Aead => texts(
            "A ciphertext does not open, or not in its place.",
            "A member sealed it badly, or under another key; or sealed account data was damaged. A server that changes ciphertexts is found before this, as E_ROOT.",
            "What a member wrote in bad faith is shown by keyvawlt secrets list and deleted by keyvawlt secrets delete --damaged; the last good version is in keyvawlt secrets history.",
        ),
        Code::Name => texts(
            "A name is malformed, or two live secrets claim it.",
            "Two members gave one name at the same time, or a member did it on purpose so that programs get another value.",
            "Neither is used. Rename or delete one: keyvawlt secrets list shows both, keyvawlt secrets delete --damaged takes an id.",
        ),
        // Everything that is not named in one of the four: the test of the table finds a code that was put nowhere.
        _ => texts(
            "The objects or leaves do not add up to the root that a writer signed.",
            "The server changed, exchanged, dropped or damaged something that is stored: a ciphertext, a name, a date of expiry. Members cannot cause this without a signature.",
            ASK_AROUND,
        ),
    }
}
