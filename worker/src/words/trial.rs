//! A secret that was replaced, and whose new version does not work: the reminder to replace it is not done.

use super::dates::{date, timestamp};
use super::rotation::named;
use crate::message::{Piece, Tone, label};
use keyvawlt_domain::notices::OnTrial;
use keyvawlt_domain::rotation::Trouble;
use keyvawlt_domain::rotation::stages::Stage;

pub(crate) fn piece(failing: &OnTrial) -> Piece {
    let OnTrial { org, ns, secret, version, trouble, stage, .. } = failing;
    let (label, provider) = (label(failing.label.as_deref()), label(failing.provider.as_deref()));
    let name = named(label.as_deref(), secret);
    let (title, word, advice) = match trouble {
        Trouble::MonitorDown(_) => (
            format!("{name} was replaced, but its monitor says that what it opens is down"),
            "monitor-down",
            "Look whether everything that uses the secret has taken the new version up; until its grace ends, the one before can be brought back.",
        ),
        Trouble::KeyRefused(_) => (
            format!("{name} was replaced, but {} refuses the new key", provider.as_deref().unwrap_or("its provider")),
            "key-refused",
            "Look whether the new value is the right one, and not disabled at its provider; store another, or bring back the one before.",
        ),
    };
    let why = match stage {
        Stage::Owner => "You own this secret, or write where it lies and its owner cannot be reached.",
        Stage::Escalated => "It has not worked for a week since it was replaced; you write where it lies, or administer the organization.",
        Stage::Again => {
            "It has not worked for a month since it was replaced; you write where it lies, or administer the organization. This is the last reminder."
        }
    };
    let piece = Piece::new("rotation", Tone::Urgent, &title)
        .line(&format!(
            "Version {version} is current. Its rotation counts as done when the monitor is up and no check finds the key refused."
        ))
        .fact("Since", &date(trouble.since_ms()));
    let piece = match &provider {
        Some(provider) => piece.fact("Provider", provider),
        None => piece,
    };
    piece
        .exact("Secret", &format!("{secret}, version {version}"))
        .exact("Namespace", &ns.to_string())
        .exact("Organization", &org.to_string())
        .advise(advice)
        .command("keyvawlt rotate list")
        .why(why)
        .datum("organization", org.to_string())
        .datum("namespace", ns.to_string())
        .datum("secret", secret.to_string())
        .datum("version", *version)
        .datum("label", label)
        .datum("provider", provider)
        .datum("trouble", word)
        .datum("since", timestamp(trouble.since_ms()))
        .datum("stage", stage.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_domain::jobs::{NsId, OrgId, SecretId};

    /// 23 November 2026, 09:00 UTC.
    const NOW: u64 = 1_795_424_400_000;

    fn said(trouble: Trouble, stage: Stage, label: Option<&str>) -> Piece {
        piece(&OnTrial {
            org: OrgId([0xa1; 32]),
            ns: NsId([0xb2; 16]),
            secret: SecretId([0xc3; 16]),
            version: 3,
            trouble,
            stage,
            label: label.map(ToOwned::to_owned),
            provider: label.map(|_| "stripe".to_owned()),
        })
    }

    #[test]
    fn a_new_version_that_does_not_work_is_said_with_what_is_wrong() {
        insta::assert_snapshot!("trial_monitor_down", format!("{:#?}", said(Trouble::MonitorDown(NOW), Stage::Owner, Some("Stripe live"))));
        insta::assert_snapshot!("trial_key_refused", format!("{:#?}", said(Trouble::KeyRefused(NOW), Stage::Again, None)));
    }
}
