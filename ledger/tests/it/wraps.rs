//! The wraps that must come with a link: all of them, for nobody else, and those it signs.

use crate::people::{Person, bytes};
use crate::world::{READ, World, invite_recipient};
use keyvawlt_ledger::chain::{Access, NamespaceEpoch, WrapNeed, WrapSet, class, role};
use keyvawlt_ledger::wrap::{self, Wrap};
use keyvawlt_ledger::{Code, Hash, IdentityId, KeyId, NsId, merkle};
use std::collections::BTreeMap;

/// A record that answers one recipient of a need.
fn record(world: &World, need: &WrapNeed, recipient: (IdentityId, KeyId)) -> Wrap {
    Wrap {
        org_id: world.org_id(),
        ns_id: need.ns_id,
        epoch: need.epoch,
        recipient_id: recipient.0,
        recipient_key_id: recipient.1,
        granter_id: need.granter.0,
        granter_key_id: need.granter.1,
        nk_commit: need.nk_commit,
        enc: bytes(&format!("enc {}", recipient.0)),
        ct: bytes("ct"),
    }
}

fn batch(wraps: &[Wrap]) -> BTreeMap<(NsId, u64, IdentityId), Wrap> {
    wraps.iter().map(|wrap| ((wrap.ns_id, wrap.epoch, wrap.recipient_id), wrap.clone())).collect()
}

/// An epoch's need for Olga and Bob, with the records that meet it.
fn epoch() -> (World, WrapNeed, Vec<Wrap>) {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let production = world.environment("production", class::PRODUCTION);
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &bob, READ);
    let draft = world.epoch(&production);
    let mut need = world.clone().accepts(&owner, draft.clone()).needs.remove(0);
    let records: Vec<Wrap> = need.recipients.iter().map(|recipient| record(&world, &need, *recipient)).collect();
    let root = wrap::root(&records).expect("in order");
    need = world.accepts(&owner, NamespaceEpoch { wraps: WrapSet { root, count: 2 }, ..draft }).needs.remove(0);
    (world, need, records)
}

#[test]
fn a_complete_set_is_taken_out_of_the_batch() {
    let (world, need, records) = epoch();
    let mut wraps = batch(&records);
    assert_eq!(need.take(&world.org_id(), &mut wraps).unwrap(), records);
    assert!(wraps.is_empty());
    let leaves: Vec<Hash> = records.iter().map(|wrap| merkle::leaf_hash(&wrap.hash().0)).collect();
    let path = merkle::prove(&leaves, 1).unwrap();
    wrap::verify_in_root(records[1].hash(), 1, 2, &path, &need.hash).unwrap();
    assert_eq!(wrap::verify_in_root(records[0].hash(), 1, 2, &path, &need.hash).unwrap_err().code, Code::Wrap);
}

/// 1P06, TV12, TV17
#[test]
fn a_missing_foreign_or_altered_wrap_is_refused() {
    let (world, need, records) = epoch();
    let refuses = |records: &[Wrap]| assert_eq!(need.take(&world.org_id(), &mut batch(records)).unwrap_err().code, Code::Wrap);
    refuses(&records[..1]);
    refuses(&[]);
    let spoils: [fn(&mut Wrap); 9] = [
        |wrap| wrap.org_id.0[0] ^= 1,
        |wrap| wrap.ns_id.0[0] ^= 1,
        |wrap| wrap.epoch += 1,
        |wrap| wrap.recipient_id.0[0] ^= 1,
        |wrap| wrap.recipient_key_id.0[0] ^= 1,
        |wrap| wrap.granter_id.0[0] ^= 1,
        |wrap| wrap.nk_commit.0[0] ^= 1,
        |wrap| wrap.enc[0] ^= 1,
        |wrap| wrap.ct[0] ^= 1,
    ];
    for spoil in spoils {
        let mut altered = records.clone();
        spoil(&mut altered[0]);
        refuses(&altered);
    }
    let mut backwards = records.clone();
    backwards.reverse();
    assert_eq!(wrap::root(&backwards).unwrap_err().code, Code::Wrap);
}

#[test]
fn single_wraps_are_for_the_current_key_of_their_recipient() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let development = world.environment("development", class::DEVELOPMENT);
    let bob = world.adds("bob", role::MEMBER);
    let gives = world.access(&development, &bob, READ);
    let need = world.clone().accepts(&owner, gives.clone()).needs.remove(0);
    assert_eq!((need.granter, &need.recipients[..], need.is_set), ((owner.id, owner.key_id), &[(bob.id, bob.key_id)][..], false));
    let good = record(&world, &need, (bob.id, bob.key_id));
    let need = world.accepts(&owner, Access { wrap: Some(good.hash()), ..gives }).needs.remove(0);
    need.take(&world.org_id(), &mut batch(std::slice::from_ref(&good))).unwrap();
    let stale = Wrap { recipient_key_id: bob.renewed().key_id, ..good };
    assert_eq!(need.take(&world.org_id(), &mut batch(&[stale])).unwrap_err().code, Code::Wrap);
}

#[test]
fn invites_carry_wraps_for_themselves_and_newcomers_wrap_for_themselves() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let invite = world.invite("i", role::MEMBER);
    let carried = world.accepts(&owner, invite.clone()).needs;
    assert_eq!((carried.len(), &carried[0].recipients), (1, &vec![invite_recipient(&invite)]));
    let guest = Person::named("guest");
    let own = world.accepts(&guest, world.join("i", &guest)).needs;
    assert_eq!((own[0].granter, &own[0].recipients), ((guest.id, guest.key_id), &vec![(guest.id, guest.key_id)]));
}
