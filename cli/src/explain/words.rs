//! The words of the command line and of the server.

use super::{Texts, texts};
use crate::exit::Exit;

/// The texts of an exit.
pub(super) fn of_exit(exit: Exit) -> Texts {
    match exit {
        Exit::Ok => texts("The command did what it was asked.", "Nothing is wrong.", "Nothing."),
        Exit::Local => texts(
            "Something on this machine failed that no other exit describes.",
            "A file that cannot be read or written, or a rule that does not allow the change.",
            "Read the line: it names the file or the rule, and what comes next.",
        ),
        Exit::Usage => texts(
            "The command line, or a file or variable it reads, is wrong.",
            "A mistyped flag or name, or a text that does not parse.",
            "keyvawlt COMMAND --help shows how it is called; keyvawlt config debug shows where a setting comes from.",
        ),
        Exit::Unauthenticated => texts(
            "Nobody is logged in on this device, or the server does not accept the login any more.",
            "A wrong password, Secret Key or account; a device that was removed; a machine's token that ended or was revoked; or a clock that is off. The server does not say which.",
            "keyvawlt login, with the Emergency Kit at hand. For a machine, ask an admin for a new token. If somebody else removed your device, ask who.",
        ),
        Exit::PermissionDenied => texts(
            "You are logged in, and may not do this, or not see it.",
            "Access was never given, was taken away or has ended; or it is for people and a machine asks.",
            "Ask an admin for access; keyvawlt whoami says who you are.",
        ),
        Exit::NotFound => texts(
            "There is no such thing, or none that you may see. It is one answer on purpose.",
            "A mistyped name, another environment than you think, or access that you do not have.",
            "keyvawlt secrets list or keyvawlt env list shows what there is; keyvawlt config debug says where project and environment come from.",
        ),
        Exit::Conflict => texts(
            "Somebody else changed it first, or the version is not the expected one.",
            "Two people or programs work on the same thing.",
            "Look at it as it is now, then try again.",
        ),
        Exit::RateLimited => texts(
            "The server takes no more calls from here for a while.",
            "A loop without pause, or many programs behind one address.",
            "Wait as long as the message says. Let programs keep what they read instead of asking each time.",
        ),
        Exit::Unreachable => texts(
            "The server does not answer.",
            "It is down, the address is wrong, or the network is in between. A server can always refuse to serve; it cannot make you use something else instead.",
            "Try again later; keyvawlt config debug shows the address and where it comes from.",
        ),
        Exit::CacheUnavailable => texts(
            "There is no server, and what this device keeps is missing or too old to be used.",
            "The device was never online for this environment, or not for long.",
            "Go online once, and run keyvawlt status.",
        ),
        Exit::VerificationFailed => texts(
            "A signature, a hash or a pin does not fit: what was delivered is not what members signed, or not what this device has verified before.",
            "A restored backup, a defect, or an attack. The code in the message says which check failed.",
            "Nothing was used and nothing written. keyvawlt explain CODE with the code of the message, then keyvawlt evidence check with the file it names.",
        ),
        Exit::KeyUnavailable => texts(
            "A key of this device cannot be used.",
            "The key file is missing, damaged, or readable by others.",
            "Restore it with permissions 0600, or keyvawlt login again with the Emergency Kit.",
        ),
        Exit::ApprovalPending => {
            texts("Somebody has to agree first.", "An admin has to compare words, or to confirm you.", "Ask an admin; then do it again.")
        }
        Exit::Due => texts(
            "keyvawlt remind --fail-within found something that is due. What it is stands in what was printed.",
            "A secret expires soon or has expired, is to be rotated, could be read by somebody who left, or has no expiry although the organization refuses that in production.",
            "keyvawlt rotate begin NAME, or keyvawlt secrets set NAME with the new value; keyvawlt secrets facts NAME where only a date is wrong.",
        ),
        Exit::CannotExecute => texts(
            "keyvawlt run found the program and could not start it.",
            "It is not executable, or for another machine.",
            "Look at the file's permissions and its first line.",
        ),
        Exit::CommandNotFound => {
            texts("keyvawlt run did not find the program.", "A mistyped name, or a PATH without it.", "Give the whole path, or set PATH.")
        }
    }
}

/// Words that say more than their exit's.
pub(super) const FINER: &[(&str, Option<Exit>, Texts)] = &[
    (
        "AMBIGUOUS",
        Some(Exit::Usage),
        texts(
            "Two things have this name.",
            "Names are sealed, so the server cannot keep them apart.",
            "Give the id, or its first digits, instead.",
        ),
    ),
    (
        "CLOCK",
        Some(Exit::Local),
        texts(
            "This machine's clock and the server's differ too much: statements carry the time.",
            "A machine that slept or has no time service; or a server whose clock is wrong.",
            "Set the clock right and try again. If it is right, tell the operator.",
        ),
    ),
    (
        "DANGEROUS_NAME",
        Some(Exit::Usage),
        texts(
            "A secret or a line of an env file would set a variable that makes programs load or run other code, such as PATH, LD_PRELOAD or NODE_OPTIONS. Nothing was started.",
            "An unlucky name; or a writer who wants to run something of his own in your program.",
            "Look at who wrote it: keyvawlt secrets history. If it is meant, keyvawlt run --allow-name NAME.",
        ),
    ),
    (
        "GRACE_OVER",
        Some(Exit::NotFound),
        texts(
            "The previous value of a secret is no longer given out as @previous.",
            "It was replaced longer ago than the secret's grace, 7 days where its facts say nothing else.",
            "Use the current value. keyvawlt secrets history shows the versions; keyvawlt secrets facts NAME --grace 14d gives more time, keyvawlt secrets get NAME --version N an old value by its number.",
        ),
    ),
    (
        "INCOMPLETE",
        Some(Exit::NotFound),
        texts(
            "The break-glass identity on paper does not read every environment.",
            "An environment was made, or its access taken away, since the paper was.",
            "Have a manager of each environment that the message names give it access, then drill again.",
        ),
    ),
    (
        "LINK_ENDED",
        Some(Exit::NotFound),
        texts(
            "No device waits with this code, or none answered: codes hold for ten minutes.",
            "The words were mistyped, somebody took too long, or the code was used already.",
            "keyvawlt login --link on the new device shows a new code. If you did not ask for one, somebody else did: let nothing in.",
        ),
    ),
    (
        "KEY_REFUSED",
        Some(Exit::Local),
        texts(
            "A provider does not accept a key that is kept here.",
            "It was revoked or has expired; or the provider refuses more than it should for a while.",
            "Look at the provider. If the key is dead, make a new one there and set it: keyvawlt secrets set NAME.",
        ),
    ),
    (
        "LOGGED_IN",
        Some(Exit::Local),
        texts(
            "Somebody is logged in on this device already.",
            "Another account uses this configuration directory.",
            "keyvawlt logout first, or use another --config-dir.",
        ),
    ),
    (
        "NAME_COLLISION",
        Some(Exit::Usage),
        texts(
            "A secret's name gives no variable's name, or the same one as another secret's.",
            "Names that differ only in what a variable's name cannot have.",
            "Leave one out with --only, or refer to it: NAME=${vault:path} in --env-file.",
        ),
    ),
    (
        "NOT_CONFIRMED",
        Some(Exit::Local),
        texts(
            "The question was not answered with yes.",
            "There was no terminal, or you said no.",
            "Nothing was changed. --yes answers where you are sure.",
        ),
    ),
    (
        "NOT_NAMED",
        Some(Exit::Usage),
        texts(
            "It is not said which one is meant.",
            "There are several, and neither flag, variable nor file names one.",
            "Name it; the message lists the ways.",
        ),
    ),
    (
        "NOT_REPRESENTABLE",
        Some(Exit::Usage),
        texts(
            "A value cannot be written in this format.",
            "It has a line break, or a byte that the format has no way to write.",
            "Choose another format: json can hold everything.",
        ),
    ),
    (
        "NO_TERMINAL",
        Some(Exit::Usage),
        texts("There is a question and nobody to ask.", "The command runs in a script.", "The message names the flag that answers."),
    ),
    (
        "OTHER_SERVER",
        Some(Exit::Usage),
        texts(
            "The login belongs to another server than the one named.",
            "A setting names an address that the login was not made for. The login is not sent there.",
            "Leave the address out, or log in there with another --config-dir.",
        ),
    ),
    (
        "REFERENCE_IN_ARGUMENT",
        Some(Exit::Usage),
        texts(
            "An argument of the program holds a reference to a secret, and arguments can be read by others.",
            "It was written where a variable was meant.",
            "Put the reference into --env-file, and let the program read the variable.",
        ),
    ),
    (
        "RESTORING",
        Some(Exit::Local),
        texts(
            "The server was restored from a backup and takes nothing new.",
            "Its operator set api.restored until members have given back what the backup lacks.",
            "keyvawlt org bring-back, on every device that worked since the backup; the operator ends it in the settings.",
        ),
    ),
    (
        "SERVER_FAULT",
        Some(Exit::Local),
        texts("The server failed inside.", "A defect, or a full disk.", "Try again; give the operator the request_id."),
    ),
    (
        "STORAGE",
        Some(Exit::Local),
        texts(
            "A file of this device cannot be read or written, or is damaged.",
            "A full or broken disk, permissions, or another keyvawlt that holds it.",
            "Read the line: it names the file. What this device has verified protects against a server that goes back in time, so it is never ignored.",
        ),
    ),
    (
        "TOKEN",
        Some(Exit::Unauthenticated),
        texts(
            "The machine's token cannot be used.",
            "It was cut off or changed; or it has ended, or an admin revoked it.",
            "Copy it again, whole; it begins with kvm1_. If it is whole, ask an admin for a new one.",
        ),
    ),
    (
        "UNRESOLVED_REFERENCE",
        None,
        texts(
            "A reference to a secret cannot be resolved, so nothing was started. The exit says why: 2 malformed, 11 not allowed, 12 not there.",
            "A mistyped name, or another environment than you think.",
            "keyvawlt secrets list shows the names.",
        ),
    ),
    (
        "UPGRADE_REQUIRED",
        Some(Exit::Local),
        texts(
            "Client and server speak different versions.",
            "One of them is older.",
            "Install the newest version; ask the operator for the server's.",
        ),
    ),
];

/// The reasons of `google.rpc.ErrorInfo`.
pub(super) const REASONS: &[(&str, Texts)] = &[
    (
        "UNAUTHENTICATED",
        texts(
            "The access token is missing, expired or not this server's, or the assertion was not accepted.",
            "Ten minutes are over; a slot or member was removed; or the clock is off.",
            "Sign a new assertion.",
        ),
    ),
    (
        "FORBIDDEN",
        texts(
            "It does not exist, or the caller may not know whether it does.",
            "Absent and forbidden are one answer on purpose.",
            "Read the chain: it says what the caller may do.",
        ),
    ),
    ("INVALID", texts("A field is malformed.", "A defect of the calling program.", "BadRequest in the details names the field.")),
    ("CONFLICT", texts("Somebody else was first.", "Two clients wrote at the same moment.", "Read what changed, and sign again.")),
    (
        "REFUSED",
        texts(
            "A signed statement breaks a rule of the protocol.",
            "A defect of the calling program, a right it does not have, or a state that is old.",
            "The metadata's code is one of the protocol's, above. Read what changed before anything else.",
        ),
    ),
    ("RATE_LIMITED", texts("Too many calls from this caller or address.", "A loop without pause.", "RetryInfo says when to come back.")),
    (
        "TOO_LARGE",
        texts(
            "Larger than the protocol allows.",
            "A batch beyond 16 MiB, or a field beyond its limit.",
            "Make it smaller: docs/protocol.md, section 12.",
        ),
    ),
    (
        "UPGRADE_REQUIRED",
        texts(
            "Client and server speak different versions.",
            "One of them is older.",
            "The metadata's minimum is the oldest version that this server serves.",
        ),
    ),
    (
        "RESTORING",
        texts(
            "The server was restored from a backup and takes nothing new.",
            "Its operator set api.restored until members have given back what the backup lacks.",
            "keyvawlt org bring-back, on every device that worked since the backup; the operator ends it in the settings.",
        ),
    ),
    (
        "UNAVAILABLE",
        texts("The server cannot answer now.", "It starts, stops, or its database is away.", "Try again, with a pause that grows."),
    ),
    (
        "INTERNAL",
        texts(
            "A fault of the server.",
            "A defect; the log has the details under the request's id.",
            "Try again; tell the operator the request's id.",
        ),
    ),
];
