//! TV41: somebody who writes in one guarded folder plants a name that others use, or makes a version from before the guarding mean a value of his.
//! Names are relative to the folder; one that two secrets claim is nobody's; and what a secret says of its past is held against the manifest there.

use crate::attack::{Attack, Expected, Row, Try};
use crate::folder::{Change, Folder};
use crate::proxy::{Audience, Who};
use crate::scene::{CANARY, OTHER_NAME, Scene};
use keyvawlt_client::{Error, SecretWrite};
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV41",
    title: "Lets a writer of one guarded folder plant names that others use, or versions from before it was guarded",
    tries: &[
        Try::new("a secret that is called as one of the environment", Expected::Defeated(|| Box::pin(outside()))),
        Try::detected_by_all::<Twice>("a second secret of a name in the folder", Code::Name),
        Try::detected_by_all::<FalsePast<FORGOTTEN>>("a version that says nothing of where the secret was", Code::Name),
        Try::detected_by_all::<FalsePast<SHIFTED>>("a version that says it was another version there", Code::Name),
    ],
};

const FORGOTTEN: u8 = 1;
const SHIFTED: u8 = 2;

/// A folder's writer calls a secret as he likes: it is below the folder.
async fn outside() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    scene.ada.vault().write(&production, &[SecretWrite::new("DATABASE_URL", CANARY)]).await.expect("the genuine one");
    let mut folder = Folder::guard(&mut scene).await;
    folder.writes(&mut scene, "stripe/new", Some(Change::Name("DATABASE_URL"))).await;
    scene.bob.vault().sync().await.expect("what is properly signed is taken in");
    let read = scene.bob.vault().read(&production, "DATABASE_URL").expect("the genuine one");
    assert_eq!(&*read.value, CANARY.as_bytes());
    let planted = scene.bob.vault().list(&production).expect("all names").into_iter().find(|info| info.name == "stripe/DATABASE_URL");
    assert_eq!(planted.map(|info| info.ns_id), Some(folder.ns_id), "it was planted, and lies below the folder");
    scene.end().await;
}

/// Two secrets of one name.
struct Twice(Folder);

impl Attack for Twice {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(Folder::guard(scene).await)
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let taken = OTHER_NAME.strip_prefix(crate::folder::FOLDER).expect("a name in the folder");
        self.0.writes(scene, "stripe/new", Some(Change::Name(taken))).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        self.0.writes(scene, "stripe/new", None).await;
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.vault().sync().await?;
        scene.bob.vault().read(&production, OTHER_NAME).map(|_| ())
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.vault().write(&production, &[SecretWrite::new(OTHER_NAME, CANARY)]).await.map(|_| ())
    }
}

/// Bob's program asks for version 2, which was written before the guarding, as often as the folder's own versions.
struct FalsePast<const HOW: u8>(Folder);

impl<const HOW: u8> Attack for FalsePast<HOW> {
    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        scene.ada.vault().write(&production, &[SecretWrite::new(OTHER_NAME, CANARY)]).await.expect("version 2");
        Self(Folder::guard(scene).await)
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let change: fn(&mut keyvawlt_crypto::secret::Payload) = match HOW {
            FORGOTTEN => |payload| payload.from = None,
            _ => |payload| payload.from.as_mut().expect("a past").version = 1,
        };
        self.0.writes(scene, OTHER_NAME, Some(Change::Payload(change))).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        self.0.writes(scene, OTHER_NAME, None).await;
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.vault().sync().await?;
        let old = scene.bob.vault().read_version(&production, OTHER_NAME, 2).await?;
        assert_eq!(&*old.value, CANARY.as_bytes(), "version 2 is Ada's");
        Ok(())
    }
}
