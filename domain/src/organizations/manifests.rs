//! Judging manifest links: by the ledger's rules on the state at the chain's head, over the leaves and tree nodes they need.

use super::batch::Object;
use super::bring_back;
use super::links::{Chain, check_recent};
use super::objects::{Brought, Objects};
use crate::error::{Error, Result};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::chain::{Key, Replica};
use keyvawlt_ledger::manifest::{Anchored, Applied, Leaf, Leaves, ManifestLink, ManifestTip, verify};
use keyvawlt_ledger::merkle::{Frontier, Tree};
use keyvawlt_ledger::{Fault, Hash, IdentityId, NsId, OrgId, SecretId, Signed, facts};
use keyvawlt_schema::{namespace, secret, tree_node};
use sea_orm::sea_query::{ExprTrait as _, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, ConnectionTrait as _, EntityTrait, QueryFilter};
use std::collections::{BTreeMap, BTreeSet};

/// Identifiers, or tree nodes, of one statement.
const ROWS_PER_STATEMENT: usize = 500;
/// Levels of the tree of a full namespace.
const ARMS_PER_STATEMENT: usize = 20;

/// A namespace's manifest as far as a batch touches it.
#[derive(Debug)]
pub(super) struct Manifest {
    /// The history before this batch.
    pub(super) before: Frontier,
    pub(super) tip: ManifestTip,
    pub(super) tree: Tree,
    pub(super) secrets: BTreeMap<SecretId, Secret>,
    pub(super) accepted: Vec<(Signed, Applied)>,
    pub(super) versions: Vec<Version>,
    /// The newest versions before this batch.
    pub(super) kept: BTreeSet<(SecretId, u64)>,
}

/// A secret: its leaf and the objects kept beside it.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) leaf: Leaf,
    pub(super) name: Vec<u8>,
    pub(super) facts: Vec<u8>,
    /// When its key stops working, as the owner says.
    pub(super) expires_ms: Option<u64>,
    /// Written by this batch.
    pub(super) written: bool,
}

/// A new version.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) leaf: Leaf,
    pub(super) payload: Vec<u8>,
    pub(super) dek: Vec<u8>,
}

impl Leaves for Manifest {
    fn leaf(&self, id: &SecretId) -> Option<Leaf> {
        self.secrets.get(id).map(|secret| secret.leaf.clone())
    }
}

/// Judges the manifest links of a batch in order, with the objects they name. Of what is brought back, `past` is the whole chain.
pub(super) async fn extend(
    chain: &mut Chain<'_>,
    links: Vec<(Signed, ManifestLink)>,
    objects: Vec<Object>,
    past: Option<&Replica>,
) -> Result<BTreeMap<NsId, Manifest>> {
    let mut written: BTreeMap<NsId, BTreeSet<SecretId>> = BTreeMap::new();
    for (_, link) in &links {
        written.entry(link.ns_id).or_default().extend(link.ops.iter().map(|leaf| leaf.secret_id));
    }
    let mut manifests = BTreeMap::new();
    for (ns, secrets) in written {
        manifests.insert(ns, load(chain, &ns, secrets).await?);
    }
    let mut objects = Objects::of(objects);
    for (signed, link) in links {
        if let Some(manifest) = manifests.get_mut(&link.ns_id) {
            check_next(manifest, &link)?;
            match past {
                None => append(chain, manifest, signed, &link, &mut objects).await?,
                Some(past) => bring_back::append(chain, manifest, &signed, past, &mut objects)?,
            }
        }
    }
    match past {
        None => objects.finish()?,
        Some(_) => manifests.values().try_for_each(bring_back::check_whole)?,
    }
    Ok(manifests)
}

fn check_next(manifest: &Manifest, link: &ManifestLink) -> Result<()> {
    if link.mseq != manifest.tip.mseq + 1 || link.history != manifest.tip.history.root() {
        let why = format!("the manifest of namespace {} has moved", link.ns_id).into();
        return Err(Error::Conflict { why, current: Some(manifest.tip.mseq) });
    }
    Ok(())
}

async fn append(chain: &mut Chain<'_>, manifest: &mut Manifest, signed: Signed, link: &ManifestLink, objects: &mut Objects) -> Result<()> {
    let (tx, now_ms) = (chain.tx, chain.tx.now_ms());
    let head = chain.tip.next_seq().saturating_sub(1);
    if link.anchor.seq != head || link.anchor.link_hash != chain.tip.link_hash {
        let why = "the organization's chain has moved: a new manifest link is anchored in its newest link".into();
        return Err(Error::Conflict { why, current: Some(head + 1) });
    }
    chain.rows.expect([Key::member(&link.author_id), Key::ns(&link.ns_id)], [Key::accesses(&link.ns_id), Key::prewraps(&link.ns_id)]);
    chain.rows.load(tx).await?;
    let (link_hash, ts_ms) = (chain.tip.link_hash, chain.ts_ms);
    // A verdict over missing entries may have grown the tree: each question gets its own.
    let question = |rows: &super::rows::Rows| {
        let mut tree = manifest.tree.clone();
        let anchored = Anchored { state: rows, link_hash, ts_ms, fences: &[] };
        verify(&anchored, &manifest.tip, &*manifest, &mut tree, &signed, now_ms).map(|applied| (applied, tree))
    };
    let (applied, tree) = chain.rows.settle(tx, question).await??;
    check_recent(link.ts_ms, now_ms)?;
    chain.heads.check_seen(tx, &link.with).await?;
    chain.heads.moved(link.ns_id, applied.tip.mseq, applied.hash);
    for leaf in &applied.link.ops {
        manifest.write(&link.ns_id, leaf, objects)?;
    }
    manifest.accept(signed, applied, tree);
    Ok(())
}

impl Manifest {
    pub(super) fn accept(&mut self, signed: Signed, applied: Applied, tree: Tree) {
        self.tree = tree;
        self.tip = applied.tip.clone();
        self.accepted.push((signed, applied));
    }

    pub(super) fn write(&mut self, ns: &NsId, leaf: &Leaf, objects: &mut Objects) -> Result<()> {
        let brought = objects.take(ns, leaf, self.secrets.get(&leaf.secret_id).map(|before| &before.leaf))?;
        self.put(leaf, brought)
    }

    /// Takes in a leaf with what it brings that was not there.
    pub(super) fn put(&mut self, leaf: &Leaf, brought: Brought) -> Result<()> {
        let before = self.secrets.remove(&leaf.secret_id);
        if let Some((payload, dek)) = brought.version {
            self.versions.push(Version { leaf: leaf.clone(), payload, dek });
        }
        let (old_name, old_facts) = before.map_or((None, None), |before| (Some(before.name), Some(before.facts)));
        let missing = || Error::internal("a leaf without its objects");
        let name = brought.name.or(old_name).ok_or_else(missing)?;
        let facts = brought.facts.or(old_facts).ok_or_else(missing)?;
        // A deleted secret's key, and a draft's, end silently.
        let speaks = !leaf.is_deleted() && !leaf.is_draft();
        let expires_ms = facts::read(&facts)?.and_then(|facts| facts.expires_ms).filter(|_| speaks);
        self.secrets.insert(leaf.secret_id, Secret { leaf: leaf.clone(), name, facts, expires_ms, written: true });
        Ok(())
    }
}

async fn load(chain: &Chain<'_>, ns: &NsId, ids: BTreeSet<SecretId>) -> Result<Manifest> {
    let (tx, org) = (chain.tx, chain.tip.org_id);
    let row = namespace::Entity::find_by_id((org.0.to_vec(), ns.0.to_vec())).one(tx.db()).await?;
    let tip = match row {
        Some(row) => tip_of(org, *ns, &row)?,
        // Created by this batch, or by nobody.
        None => match chain.heads.begun(ns) {
            Some(create_hash) => ManifestTip::before_first(org, *ns, create_hash),
            None => return Err(Error::Forbidden),
        },
    };
    let secrets = load_secrets(tx, org, *ns, ids).await?;
    let touched: Vec<u64> = secrets.values().map(|secret| secret.leaf.index).collect();
    let nodes = load_nodes(tx, org, *ns, Tree::needed(tip.count, &touched)).await?;
    let tree = Tree::with_nodes(tip.count, nodes);
    let kept = secrets.values().map(|secret| (secret.leaf.secret_id, secret.leaf.version)).collect();
    Ok(Manifest { before: tip.history.clone(), tip, tree, secrets, accepted: vec![], versions: vec![], kept })
}

fn tip_of(org_id: OrgId, ns_id: NsId, row: &namespace::Model) -> Result<ManifestTip> {
    let author = if row.author_id.is_empty() { None } else { Some(IdentityId::from_slice(&row.author_id)?) };
    Ok(ManifestTip {
        org_id,
        ns_id,
        mseq: number(row.mseq),
        mhash: Hash::from_slice(&row.mhash)?,
        history: Frontier::from_bytes(&row.history)?,
        anchor_seq: number(row.anchor_seq),
        ts_ms: number(row.ts_ms),
        count: number(row.count),
        live: number(row.live),
        author,
    })
}

async fn load_secrets(tx: &Tx, org: OrgId, ns: NsId, ids: BTreeSet<SecretId>) -> Result<BTreeMap<SecretId, Secret>> {
    let ids: Vec<SecretId> = ids.into_iter().collect();
    let mut secrets = BTreeMap::new();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let wanted = secret::Column::SecretId.is_in(chunk.iter().map(|id| id.0.to_vec()));
        let place = secret::Column::OrgId.eq(org.0.to_vec()).and(secret::Column::NsId.eq(ns.0.to_vec()));
        for row in secret::Entity::find().filter(place.and(wanted)).all(tx.db()).await? {
            let leaf = leaf_of(&row)?;
            let expires_ms = row.expires_at.map(number);
            secrets.insert(leaf.secret_id, Secret { leaf, name: row.name, facts: row.facts, expires_ms, written: false });
        }
    }
    Ok(secrets)
}

fn leaf_of(row: &secret::Model) -> Result<Leaf, Fault> {
    Ok(Leaf {
        index: number(row.idx),
        secret_id: SecretId::from_slice(&row.secret_id)?,
        version: number(row.version),
        epoch: number(row.epoch),
        flags: u8::try_from(row.flags).unwrap_or(u8::MAX),
        mseq: number(row.mseq),
        payload_hash: Hash::from_slice(&row.payload_hash)?,
        dek_hash: Hash::from_slice(&row.dek_hash)?,
        name_hash: Hash::from_slice(&row.name_hash)?,
        facts_hash: Hash::from_slice(&row.facts_hash)?,
    })
}

/// One arm per level: a single condition over levels and indices would make SQLite look at all nodes of the namespace.
pub(super) async fn load_nodes(tx: &Tx, org: OrgId, ns: NsId, needed: BTreeSet<(u8, u64)>) -> Result<Vec<((u8, u64), Hash)>> {
    let mut by_level: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
    for (level, index) in needed {
        by_level.entry(level).or_default().push(column(index));
    }
    let chunks = by_level.iter().flat_map(|(level, indices)| indices.chunks(ROWS_PER_STATEMENT).map(|chunk| (*level, chunk)));
    let arms: Vec<SelectStatement> = chunks.map(|(level, indices)| nodes_of_level(org, ns, level, indices)).collect();
    let mut nodes = Vec::new();
    for arms in arms.chunks(ARMS_PER_STATEMENT) {
        let Some((first, others)) = arms.split_first() else { continue };
        let mut select = first.clone();
        select.unions(others.iter().map(|arm| (UnionType::All, arm.clone())));
        for row in tx.db().query_all(&select).await? {
            let (level, index): (i16, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let hash: Vec<u8> = row.try_get_by_index(2)?;
            nodes.push(((u8::try_from(level).unwrap_or(u8::MAX), number(index)), Hash::from_slice(&hash)?));
        }
    }
    Ok(nodes)
}

fn nodes_of_level(org: OrgId, ns: NsId, level: u8, indices: &[i64]) -> SelectStatement {
    use tree_node::Column;
    let mut select = Query::select();
    select
        .columns([Column::Level, Column::Idx, Column::Hash])
        .from(tree_node::Entity)
        .and_where(Column::OrgId.eq(org.0.to_vec()))
        .and_where(Column::NsId.eq(ns.0.to_vec()))
        .and_where(Column::Level.eq(i16::from(level)))
        .and_where(Column::Idx.is_in(indices.iter().copied()));
    select
}
