//! Who may hear: people with a live right by the chain's own rules, who entered the organization themselves and proved an address. Nobody can
//! have strangers mailed by adding them to an organization.

use super::Audience;
use crate::error::{Error, Result};
use crate::organizations::rows::Rows;
use crate::policy::Who;
use crate::store::Tx;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Key, Questions as _, View as _, class, permission, role};
use keyvawlt_ledger::{IdentityId, NsId, OrgId};
use keyvawlt_schema::{account, account_key, member};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait, ConnectionTrait as _, EntityTrait, QueryFilter, QuerySelect};
use std::collections::{BTreeMap, BTreeSet};

/// People of one statement.
const PER_STATEMENT: usize = 500;

/// One organization's people, each question to the chain asked once.
pub(super) struct People {
    org: OrgId,
    rows: Rows,
    readers: BTreeMap<NsId, BTreeSet<IdentityId>>,
    admins: Option<BTreeSet<IdentityId>>,
    addresses: BTreeMap<IdentityId, Option<String>>,
}

impl People {
    pub(super) fn of(org: OrgId) -> Self {
        Self { org, rows: Rows::of(org), readers: BTreeMap::new(), admins: None, addresses: BTreeMap::new() }
    }

    /// Whose people they are.
    pub(super) fn org(&self) -> OrgId {
        self.org
    }

    /// An audience, as far as it can be reached and its right about `ns` stands, in order.
    pub(super) async fn reached(&mut self, tx: &Tx, audience: &Audience, ns: Option<&NsId>) -> Result<Vec<IdentityId>> {
        let mut people = match audience {
            Audience::Readers(ns) => self.readers(tx, ns).await?.iter().copied().collect(),
            Audience::Admins => self.admins(tx).await?.iter().copied().collect(),
            Audience::People(people) => self.standing(tx, people, ns).await?,
        };
        self.find_addresses(tx, &people).await?;
        people.retain(|id| self.addresses.get(id).is_some_and(Option::is_some));
        Ok(people)
    }

    /// The address of somebody who was reached.
    pub(super) async fn address(&mut self, tx: &Tx, id: &IdentityId) -> Result<Option<String>> {
        self.find_addresses(tx, &[*id]).await?;
        Ok(self.addresses.get(id).cloned().flatten())
    }

    /// A namespace and what it lies in, itself first.
    pub(super) async fn lineage(&mut self, tx: &Tx, ns: &NsId) -> Result<Vec<NsId>> {
        self.rows.settle(tx, |rows| rows.lineage(ns)).await
    }

    /// Every namespace that somebody reads, or everything when it is nobody: of these and what lies in them, or of all when there are none. Not
    /// the directory: it holds names, which nobody replaces.
    pub(super) async fn readable(&mut self, tx: &Tx, who: Option<&IdentityId>, chosen: &[NsId]) -> Result<Vec<NsId>> {
        self.rows
            .settle(tx, |rows| {
                let under = |key: Key| key.last_id().map(NsId).map(|ns| rows.family(&ns)).unwrap_or_default();
                let found: BTreeSet<NsId> = match who {
                    // What somebody reads lies where, or below where, something was given: the rest is not looked at.
                    Some(id) => rows.scan(&Key::accesses_of(id)).into_iter().flat_map(under).collect(),
                    None => rows.scan(&Key::namespaces()).iter().filter_map(Key::last_id).map(NsId).collect(),
                };
                let wanted = |ns: &NsId| chosen.is_empty() || rows.lineage(ns).iter().any(|level| chosen.contains(level));
                let may = |ns: &NsId| who.is_none_or(|id| reads(rows, ns, id, tx.now_ms()));
                let holds_secrets = |ns: &NsId| rows.ns(ns).is_some_and(|entry| entry.class != class::DIRECTORY);
                found.into_iter().filter(|ns| may(ns) && wanted(ns) && holds_secrets(ns)).collect()
            })
            .await
    }

    async fn readers(&mut self, tx: &Tx, ns: &NsId) -> Result<&BTreeSet<IdentityId>> {
        if !self.readers.contains_key(ns) {
            let found = self.rows.settle(tx, |rows| {
                let holders: BTreeSet<IdentityId> = rows.lineage(ns).iter().flat_map(|level| rows.holders(level)).collect();
                holders.into_iter().filter(|id| is_person(rows, id) && reads(rows, ns, id, tx.now_ms())).collect()
            });
            self.readers.insert(*ns, found.await?);
        }
        Ok(&self.readers[ns])
    }

    async fn admins(&mut self, tx: &Tx) -> Result<&BTreeSet<IdentityId>> {
        if self.admins.is_none() {
            let roles = member::Column::Role.is_in([i16::from(role::OWNER), i16::from(role::ADMIN)]);
            let ids: Vec<Vec<u8>> = member::Entity::find()
                .select_only()
                .column(member::Column::IdentityId)
                .filter(member::Column::OrgId.eq(self.org.0.to_vec()).and(roles))
                .into_tuple()
                .all(tx.db())
                .await?;
            let ids = ids.iter().map(|id| IdentityId::from_slice(id).map_err(Error::from)).collect::<Result<Vec<_>>>()?;
            let found = self.rows.settle(tx, |rows| {
                let administers = |id: &&IdentityId| {
                    let who = rows.member(id).and_then(|member| Who::of_member(&member, tx.now_ms()));
                    matches!(who, Some(Who::Owner | Who::Admin)) && is_person(rows, id)
                };
                ids.iter().filter(administers).copied().collect()
            });
            self.admins = Some(found.await?);
        }
        Ok(self.admins.get_or_insert_default())
    }

    async fn standing(&mut self, tx: &Tx, people: &[IdentityId], ns: Option<&NsId>) -> Result<Vec<IdentityId>> {
        let people: BTreeSet<IdentityId> = people.iter().copied().collect();
        let stands = |rows: &Rows, id: &IdentityId| {
            let member = rows.active_member(id, tx.now_ms()).is_some() && is_person(rows, id);
            member && ns.is_none_or(|ns| reads(rows, ns, id, tx.now_ms()))
        };
        self.rows.settle(tx, |rows| people.iter().filter(|id| stands(rows, id)).copied().collect()).await
    }

    async fn find_addresses(&mut self, tx: &Tx, people: &[IdentityId]) -> Result<()> {
        let unknown: Vec<IdentityId> = people.iter().filter(|id| !self.addresses.contains_key(id)).copied().collect();
        for chunk in unknown.chunks(PER_STATEMENT) {
            self.addresses.extend(chunk.iter().map(|id| (*id, None)));
            self.addresses.extend(proved(tx, &self.org, chunk).await?.into_iter().map(|(id, email)| (id, Some(email))));
        }
        Ok(())
    }
}

fn is_person(rows: &Rows, id: &IdentityId) -> bool {
    rows.member(id).is_some_and(|member| member.kind == kind::PERSON)
}

fn reads(rows: &Rows, ns: &NsId, id: &IdentityId, now_ms: u64) -> bool {
    rows.permissions(ns, id, now_ms) & permission::READ != 0
}

/// The proved addresses of those who entered the organization themselves. Somebody may have begun another account for an identity: what counts is
/// the one whose keys stand in the organization.
async fn proved(tx: &Tx, org: &OrgId, people: &[IdentityId]) -> Result<Vec<(IdentityId, String)>> {
    let of_member = |column: member::Column| Expr::col((member::Entity, column));
    let of_account = |column: account::Column| Expr::col((account::Entity, column));
    let of_key = |column: account_key::Column| Expr::col((account_key::Entity, column));
    let find = Query::select()
        .column((account::Entity, account::Column::IdentityId))
        .column((account::Entity, account::Column::Email))
        .from(member::Entity)
        .inner_join(account::Entity, of_account(account::Column::IdentityId).equals((member::Entity, member::Column::IdentityId)))
        .inner_join(
            account_key::Entity,
            of_key(account_key::Column::AccountId)
                .equals((account::Entity, account::Column::Id))
                .and(of_key(account_key::Column::KeyId).equals((member::Entity, member::Column::KeyId))),
        )
        .and_where(of_member(member::Column::OrgId).eq(org.0.to_vec()))
        .and_where(of_member(member::Column::IdentityId).is_in(people.iter().map(|id| id.0.to_vec())))
        .and_where(of_member(member::Column::Own).eq(true))
        .and_where(of_account(account::Column::EmailVerifiedAt).is_not_null())
        .to_owned();
    let mut found = Vec::new();
    for row in tx.db().query_all(&find).await? {
        let id: Vec<u8> = row.try_get_by_index(0)?;
        found.push((IdentityId::from_slice(&id)?, row.try_get_by_index(1)?));
    }
    Ok(found)
}
