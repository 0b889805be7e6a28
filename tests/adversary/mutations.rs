//! Single bits of answers are flipped, wherever they are. Whatever a client then shows is genuine: it stops, or nothing it shows has changed.

use crate::proxy::Audience;
use crate::rpcs::ReadChanges;
use crate::scene::Scene;
use keyvawlt_client::Error;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits to flip, one for each new machine; enough to hit every kind of field of an answer of some 20 KiB, and done in seconds.
const FLIPS: u64 = 128;
/// Multiplier and increment of a generator (Knuth's MMIX): the same bits in every run.
const STEP: (u64, u64) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);

type Shown = BTreeMap<String, (u64, Vec<u8>)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_refused_or_changes_nothing_that_is_shown() {
    let mut scene = Scene::start().await;
    let genuine = open(&mut scene).await.expect("the control: nothing is flipped");
    assert_eq!(genuine.len(), 2);
    let (at, flipped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (place, count) = (Arc::clone(&at), Arc::clone(&flipped));
    scene.server.garbles::<ReadChanges>(Audience::Everybody, move |answer| {
        let place = place.load(Ordering::SeqCst) >> 16;
        let bits = answer.len() as u64 * 8;
        if let Some(bit) = place.checked_rem(bits) {
            answer[usize::try_from(bit / 8).expect("an index")] ^= 1 << (bit % 8);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut refused = 0;
    for _ in 0..FLIPS {
        let place = at.load(Ordering::SeqCst).wrapping_mul(STEP.0).wrapping_add(STEP.1);
        at.store(place, Ordering::SeqCst);
        let Ok(shown) = open(&mut scene).await else {
            refused += 1;
            continue;
        };
        for (name, secret) in shown {
            assert_eq!(genuine.get(&name), Some(&secret), "{name} is not what was written, at bit {}", place >> 16);
        }
    }
    assert!(flipped.load(Ordering::SeqCst) >= FLIPS, "bits were flipped");
    assert!(refused > FLIPS / 2, "most of an answer is signed, sealed or hashed: {refused} of {FLIPS} were refused");
    scene.server.repent();
    scene.end().await;
}

/// What production holds for a machine that remembers nothing.
async fn open(scene: &mut Scene) -> Result<Shown, Error> {
    let state = scene.empty_state();
    let org = scene.bob.account.organizations()[0];
    let vault = scene.bob.account.open(org, &state).await?;
    let secrets = vault.read_all(&scene.production)?;
    Ok(secrets.into_iter().map(|secret| (secret.info.name, (secret.info.version, secret.value.to_vec()))).collect())
}
