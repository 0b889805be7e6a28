//! The newest manifest links: what a fence must name, for those who fence namespaces without reading them.
//!
//! A link holds hashes and identifiers; nothing sealed leaves here, so nothing is put on record.

use crate::authorize::{Action, Permit};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::Tx;
use keyvawlt_ledger::{Fault, IdentityId, NsId, OrgId};
use keyvawlt_schema::{manifest_link, namespace};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait, ConnectionTrait as _, EntityTrait, QueryFilter, QuerySelect};
use std::collections::BTreeSet;

/// Namespaces of one statement: eight of the largest links fill a page.
const NAMESPACES_PER_STATEMENT: usize = 8;

/// Asks for newest manifest links.
#[derive(Clone, Debug)]
pub struct ListManifestHeads {
    org: OrgId,
    named: BTreeSet<NsId>,
    author: Option<IdentityId>,
    of_another: bool,
    after: Option<NsId>,
    page_bytes: usize,
}

impl ListManifestHeads {
    /// Of the namespaces `named`, and of those that `author` wrote last; after `after`, about `page_bytes` of them.
    pub fn by(
        caller: &Caller,
        org: OrgId,
        named: BTreeSet<NsId>,
        author: Option<IdentityId>,
        after: Option<NsId>,
        page_bytes: usize,
    ) -> Self {
        let own = caller.identity().map(|(identity, _)| identity);
        Self { org, named, author, of_another: author.is_some() && author != own, after, page_bytes }
    }
}

impl Action for ListManifestHeads {
    fn deeds(&self) -> Vec<Deed> {
        if self.of_another { vec![Deed::ListManifestHeads, Deed::ListLastWritten] } else { vec![Deed::ListManifestHeads] }
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        self.named.iter().copied().collect()
    }
}

/// A namespace's newest manifest link.
#[derive(Clone, Debug)]
pub struct NewestLink {
    /// Which namespace.
    pub ns: NsId,
    /// Payload and signature; `None` where nothing was written yet.
    pub link: Option<(Vec<u8>, Vec<u8>)>,
}

/// A page of newest links.
#[derive(Clone, Debug, Default)]
pub struct HeadPage {
    /// In order of namespaces.
    pub heads: Vec<NewestLink>,
    /// Where the next page begins, if there is one.
    pub next: Option<NsId>,
}

/// Lists newest manifest links, as many as fit, at least one if there is one.
pub async fn list_manifest_heads(permit: &Permit<'_, ListManifestHeads>) -> Result<HeadPage> {
    let (tx, asked) = (permit.tx(), permit.action());
    let mut wanted = asked.named.clone();
    if let Some(author) = &asked.author {
        wanted.extend(last_written_by(tx, &asked.org, author).await?);
    }
    let wanted: Vec<NsId> = wanted.into_iter().filter(|ns| asked.after.is_none_or(|after| *ns > after)).collect();
    let (mut page, mut bytes) = (HeadPage::default(), 0);
    for chunk in wanted.chunks(NAMESPACES_PER_STATEMENT) {
        let heads = read(tx, &asked.org, chunk).await?;
        if heads.len() != chunk.len() {
            return Err(Error::Forbidden);
        }
        for head in heads {
            bytes += head.link.as_ref().map_or(0, |(payload, sig)| payload.len() + sig.len());
            if bytes > asked.page_bytes && !page.heads.is_empty() {
                page.next = page.heads.last().map(|last| last.ns);
                return Ok(page);
            }
            page.heads.push(head);
        }
    }
    Ok(page)
}

/// The namespaces whose newest manifest link somebody wrote.
pub(crate) async fn last_written_by(tx: &Tx, org: &OrgId, author: &IdentityId) -> Result<Vec<NsId>> {
    let theirs = namespace::Column::OrgId.eq(org.0.to_vec()).and(namespace::Column::AuthorId.eq(author.0.to_vec()));
    let rows: Vec<Vec<u8>> =
        namespace::Entity::find().select_only().column(namespace::Column::NsId).filter(theirs).into_tuple().all(tx.db()).await?;
    Ok(rows.iter().map(|id| NsId::from_slice(id)).collect::<Result<_, Fault>>()?)
}

async fn read(tx: &Tx, org: &OrgId, namespaces: &[NsId]) -> Result<Vec<NewestLink>> {
    use manifest_link::Column as Link;
    use namespace::Column as Ns;
    let link = |column: Link| (manifest_link::Entity, column);
    let ns = |column: Ns| (namespace::Entity, column);
    let newest = Expr::col(link(Link::OrgId))
        .equals(ns(Ns::OrgId))
        .and(Expr::col(link(Link::NsId)).equals(ns(Ns::NsId)))
        .and(Expr::col(link(Link::Mseq)).equals(ns(Ns::Mseq)));
    let find = Query::select()
        .column(ns(Ns::NsId))
        .columns([link(Link::Payload), link(Link::Sig)])
        .from(namespace::Entity)
        .left_join(manifest_link::Entity, newest)
        .and_where(Expr::col(ns(Ns::OrgId)).eq(org.0.to_vec()))
        .and_where(Expr::col(ns(Ns::NsId)).is_in(namespaces.iter().map(|id| id.0.to_vec())))
        .order_by(ns(Ns::NsId), sea_orm::Order::Asc)
        .to_owned();
    let mut heads = Vec::with_capacity(namespaces.len());
    for row in tx.db().query_all(&find).await? {
        let (id, payload, sig): (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        heads.push(NewestLink { ns: NsId::from_slice(&id)?, link: payload.zip(sig) });
    }
    Ok(heads)
}
