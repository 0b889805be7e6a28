//! Newest manifest links, for whoever fences a namespace without reading it.

use super::person::Person;
use super::world::{self, Draft, World};
use super::{begin, commit};
use crate::authorize::authorize;
use crate::namespaces::{HeadPage, ListManifestHeads, list_manifest_heads};
use crate::scratch::on_each_engine;
use crate::{Caller, Error, Result, Store};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{Access, Body, permission, role};
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{IdentityId, NsId, OrgId};

struct Asked<'a> {
    names: &'a [&'a str],
    author: Option<IdentityId>,
    after: Option<NsId>,
    page_bytes: usize,
}

fn of<'a>(names: &'a [&'a str]) -> Asked<'a> {
    Asked { names, author: None, after: None, page_bytes: 1 << 20 }
}

async fn list(store: &Store, org: OrgId, caller: Caller, asked: Asked<'_>) -> Result<HeadPage> {
    let named = asked.names.iter().map(|name| world::ns(name)).collect();
    let tx = store.read().await?;
    let action = ListManifestHeads::by(&caller, org, named, asked.author, asked.after, asked.page_bytes);
    let page = list_manifest_heads(&authorize(&tx, caller, action).await?).await?;
    tx.commit().await?;
    Ok(page)
}

fn positions(page: &HeadPage) -> Vec<(NsId, u64)> {
    let mseq = |(payload, _): &(Vec<u8>, Vec<u8>)| ManifestLink::from_bytes(payload).unwrap().mseq;
    page.heads.iter().map(|head| (head.ns, head.link.as_ref().map_or(0, mseq))).collect()
}

/// Production with a second link, an empty staging, and Ann, an admin who reads neither.
async fn with_ann(store: &Store) -> (World, Person) {
    let (mut world, _) = begin(store).await;
    let ann = Person::named("ann");
    let mut draft = Draft::default();
    world.adds_as(&mut draft, &ann, role::ADMIN);
    world.environment(&mut draft, "staging");
    world.writes(&mut draft, "production", &["d"]);
    commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
    (world, ann)
}

#[tokio::test]
async fn an_admin_gets_heads_of_what_she_does_not_read_page_by_page() {
    on_each_engine(async |store| {
        let (world, ann) = with_ann(store).await;
        let mut all = vec![(world::ns("production"), 2), (world::ns("staging"), 0), (world::ns("directory"), 0)];
        all.sort();
        let names = ["production", "staging", "directory"];
        let page = list(store, world.org(), ann.account(), of(&names)).await.unwrap();
        assert_eq!((positions(&page), page.next), (all.clone(), None));
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let page = list(store, world.org(), ann.account(), Asked { page_bytes: 1, after, ..of(&names) }).await.unwrap();
            paged.extend(positions(&page));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(paged, all);
        let by_owner = Asked { author: Some(world.owner.id), ..of(&[]) };
        let page = list(store, world.org(), ann.account(), by_owner).await.unwrap();
        assert_eq!(positions(&page), [(world::ns("production"), 2)]);
    })
    .await;
}

#[tokio::test]
async fn others_name_what_they_manage_and_nobody_but_themselves() {
    on_each_engine(async |store| {
        let (mut world, ann) = with_ann(store).await;
        let mel = Person::named("mel");
        let mut draft = Draft::default();
        world.adds_as(&mut draft, &mel, role::MEMBER);
        let manages = Access {
            ns_id: world::ns("production"),
            identity_id: mel.id,
            permissions: permission::MANAGE,
            expires_ms: 0,
            wrap: None,
            fences: vec![],
            abandon: false,
        };
        world.says(&mut draft, &Body::Access(manages));
        commit(store, &world, world.owner.account(), draft, 4).await.unwrap();
        let org = world.org();
        assert_eq!(list(store, org, mel.account(), of(&["production"])).await.unwrap().heads.len(), 1);
        let own = Asked { author: Some(mel.id), ..of(&[]) };
        assert!(list(store, org, mel.account(), own).await.unwrap().heads.is_empty());
        for (caller, asked) in [
            (mel.account(), of(&["production", "staging"])),
            (mel.account(), Asked { author: Some(world.owner.id), ..of(&[]) }),
            (mel.account(), Asked { author: Some(world.owner.id), ..of(&["production"]) }),
            (Person::named("stranger").account(), of(&[])),
            // No such namespace, for somebody who may name any.
            (ann.account(), of(&["nowhere", "production"])),
        ] {
            assert!(matches!(list(store, org, caller, asked).await.unwrap_err(), Error::Forbidden));
        }
    })
    .await;
}
