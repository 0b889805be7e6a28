//! TV54: a server is restored from a backup, on purpose or not, and goes on from there. Whoever has seen more stops. What was lost comes back from
//! those who hold it, when they say so, and everybody goes on where he was.

use super::tv01::OlderServer;
use crate::attack::{Expected, Row, Try};
use crate::scene::{CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV54",
    title: "Goes on from a restored backup",
    tries: &[
        Try::detected_by_all::<OlderServer>("everybody is served from the backup", Code::Rollback),
        Try::new("one who has seen more gives back what was lost, and all go on from there", Expected::Defeated(|| Box::pin(repaired()))),
    ],
};

async fn repaired() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let backup = scene.backup().await;
    let lost = format!("{CANARY}, written after the backup");
    scene.ada.write(&production, &lost).await.expect("a newer version");
    scene.ada.vault().create_environment("agents", "staging", 2).await.expect("a newer link");
    scene.bob.read_all(&production).await.expect("Bob has seen both");
    let back = scene.bob.vault().bring_back().await.expect("the control: nothing is lost");
    assert_eq!((back.links, back.writes, back.lacking.len()), (0, 0, 0));

    scene.restore(&backup).await;
    for person in [&mut scene.ada, &mut scene.bob] {
        let outcome = person.read_all(&production).await;
        assert!(matches!(&outcome, Err(Error::Verification(found)) if found.code == Code::Rollback), "{outcome:?}");
    }
    let before = scene.server.writes();
    scene.bob.write(&production, CANARY).await.expect_err("Bob's client does not go back");
    assert_eq!(scene.server.writes(), before, "nothing is given back unasked");
    let back = scene.bob.vault().bring_back().await.expect("Bob gives back what he holds");
    assert_eq!((back.links, back.writes, back.lacking.len()), (1, 2, 0), "{back:?}");
    scene.bob.read_all(&production).await.expect("what Bob has seen is there again");
    // Whatever Bob does not read, Ada holds.
    let back = scene.ada.vault().bring_back().await.expect("Ada gives back the rest");
    assert_eq!((back.links, back.lacking.len()), (0, 0), "{back:?}");
    scene.ada.read_all(&production).await.expect("everything verifies");
    let held = scene.ada.vault().read(&production, crate::scene::CANARY_NAME).expect("the newer version");
    assert_eq!(&*held.value, lost.as_bytes());
    assert!(matches!(scene.ada.write(&production, CANARY).await, Err(Error::Restoring)), "nothing new, until its operator says so");
    scene.end().await;
}
