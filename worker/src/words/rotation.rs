//! A secret that is to be replaced: because its time has come, or because somebody who could read it lost access.

use super::dates::{date, distance, timestamp};
use crate::message::{Piece, Tone, label};
use keyvawlt_domain::jobs::SecretId;
use keyvawlt_domain::notices::Replacing;
use keyvawlt_domain::rotation::stages::Stage;

/// Enough of an id to find it among a person's own.
const SHORT_ID: usize = 8;

/// It is as old as its owner wanted it to get.
pub(crate) fn piece(replacing: &Replacing, now_ms: u64) -> Piece {
    let when = distance(replacing.due_ms, now_ms);
    let piece = begin("rotation", replacing, &format!("{} was to be replaced {when}", what(replacing)));
    end(piece.fact("Due", &date(replacing.due_ms)), replacing)
        .advise("Make a new key at its provider, and store it as the next version: keyvawlt rotate begin, then commit. keyvawlt remind lists all that is due.")
}

/// Somebody could read it who may no longer.
pub(crate) fn work_owed(replacing: &Replacing) -> Piece {
    let piece = begin("work-owed", replacing, &format!("{} is to be replaced: somebody who could read it lost access", what(replacing)));
    end(piece.fact("Access lost", &date(replacing.due_ms)), replacing).advise(
        "Replace it at its provider and store the new value, or have an admin settle it: keyvawlt worklog list shows who could read it.",
    )
}

fn begin(kind: &'static str, replacing: &Replacing, title: &str) -> Piece {
    let tone = if replacing.stage == Stage::Owner { Tone::Soon } else { Tone::Urgent };
    let piece = Piece::new(kind, tone, title);
    match label(replacing.provider.as_deref()) {
        Some(provider) => piece.fact("Provider", &provider),
        None => piece,
    }
}

fn end(piece: Piece, replacing: &Replacing) -> Piece {
    let Replacing { org, ns, secret, version, due_ms, stage, .. } = replacing;
    let why = match stage {
        Stage::Owner => "You own this secret, or write where it lies and its owner cannot be reached.",
        Stage::Escalated => "Its owner has not replaced it for a week; you write where it lies, or administer the organization.",
        Stage::Again => {
            "Nobody has replaced it for a month; you write where it lies, or administer the organization. This is the last reminder."
        }
    };
    piece
        .exact("Secret", &format!("{secret}, version {version}"))
        .exact("Namespace", &ns.to_string())
        .exact("Organization", &org.to_string())
        .why(why)
        .datum("organization", org.to_string())
        .datum("namespace", ns.to_string())
        .datum("secret", secret.to_string())
        .datum("version", *version)
        .datum("label", label(replacing.label.as_deref()))
        .datum("provider", label(replacing.provider.as_deref()))
        .datum("due_at", timestamp(*due_ms))
        .datum("stage", stage.name())
}

fn what(replacing: &Replacing) -> String {
    named(label(replacing.label.as_deref()).as_deref(), &replacing.secret)
}

/// A secret by its label, else by the beginning of its id.
pub(super) fn named(label: Option<&str>, secret: &SecretId) -> String {
    label.map_or_else(
        || {
            let id = secret.to_string();
            format!("Secret {}", id.get(..SHORT_ID).unwrap_or(&id))
        },
        ToOwned::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_domain::jobs::{NsId, OrgId};

    /// 23 November 2026, 09:00 UTC.
    const NOW: u64 = 1_795_424_400_000;
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    fn replacing(stage: Stage, label: Option<&str>) -> Replacing {
        Replacing {
            org: OrgId([0xa1; 32]),
            ns: NsId([0xb2; 16]),
            secret: SecretId([0xc3; 16]),
            version: 3,
            due_ms: NOW - 8 * DAY_MS,
            stage,
            label: label.map(ToOwned::to_owned),
            provider: label.map(|_| "stripe".to_owned()),
        }
    }

    fn shown(piece: &Piece) -> String {
        format!("{}\n{:#?}\n{:#?}", piece.title(), piece.facts(), piece.data())
    }

    #[test]
    fn a_rotation_that_is_due_is_said_to_its_owner() {
        insta::assert_snapshot!("rotation_owner", shown(&piece(&replacing(Stage::Owner, Some("Stripe live")), NOW)));
    }

    #[test]
    fn what_a_leaver_could_read_is_said_to_who_may_act() {
        insta::assert_snapshot!("work_owed_escalated", shown(&work_owed(&replacing(Stage::Escalated, None))));
    }

    #[test]
    fn every_stage_says_why_it_is_heard_and_a_late_one_is_urgent() {
        let why = |stage| piece(&replacing(stage, None), NOW);
        assert_ne!(shown_why(&why(Stage::Owner)), shown_why(&why(Stage::Escalated)));
        assert!(shown_why(&why(Stage::Again)).contains("the last reminder"));
        assert!(why(Stage::Owner).tone() != why(Stage::Escalated).tone());
    }

    fn shown_why(piece: &Piece) -> String {
        format!("{piece:?}")
    }
}
