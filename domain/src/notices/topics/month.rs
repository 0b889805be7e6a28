//! The month ahead, for one reader: what ends or is due, what is overdue, what is open, and what never ends. True while there is any of it.
//!
//! Every number comes out of an index that holds only what is counted, and counting stops at [`COUNTED`]: a month of a large organization costs
//! what it has to say, not what it stores.

use crate::error::Result;
use crate::store::{Tx, column, number};
use crate::zone::Month;
use keyvawlt_ledger::{NsId, OrgId, SecretId, facts};
use keyvawlt_schema::{incident, monitor, rotation, secret};
use sea_orm::sea_query::{ExprTrait as _, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use std::collections::{BTreeMap, BTreeSet};

/// Of each sort, so many are counted: rows of two identifiers and a moment, a megabyte of them. Nobody acts differently on more.
pub const COUNTED: usize = 10_000;
/// Secrets named of each sort: a table that a phone shows at once.
const SECRETS_NAMED: usize = 4;
/// Services and namespaces named: they stand in one sentence each.
const OTHERS_NAMED: usize = 3;
/// Namespaces of one statement: each is one place in an index.
const PER_STATEMENT: usize = 500;
/// The flags of a secret that lives and is no draft.
const LIVE: i64 = 0;

/// What there is of one sort: how many, and the first of them by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort<T> {
    /// How many; beyond [`COUNTED`], that many.
    pub count: usize,
    /// The first.
    pub named: Vec<T>,
}

/// Why a secret wants something done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wants {
    /// It ends.
    End,
    /// It is as old as its owner wanted it to get.
    Rotation,
}

/// A secret of the month: ids, and what its owner chose to tell the server in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSecret {
    /// In which namespace.
    pub ns: NsId,
    /// Which.
    pub secret: SecretId,
    /// Why.
    pub wants: Wants,
    /// When, epoch milliseconds.
    pub at_ms: u64,
    /// What messages may call it.
    pub label: Option<String>,
}

/// A month, as one reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthAhead {
    /// In which organization.
    pub org: OrgId,
    /// Which.
    pub month: Month,
    /// When it ends where the reader is, epoch milliseconds.
    pub until_ms: u64,
    /// What ends, or gets as old as it should, until then: the next first.
    pub coming: Sort<DueSecret>,
    /// What has, and is there still: the oldest first. What somebody snoozed is left out.
    pub overdue: Sort<DueSecret>,
    /// Secrets that somebody could read who left.
    pub owed: usize,
    /// Services that fail now, by their monitors' names.
    pub failing: Sort<String>,
    /// Secrets without an end, by namespace, most first.
    pub endless: Sort<(NsId, usize)>,
}

impl MonthAhead {
    fn says_something(&self) -> bool {
        let counts = [self.coming.count, self.overdue.count, self.owed, self.failing.count, self.endless.count];
        counts.iter().any(|count| *count > 0)
    }
}

/// The rest of the month in these namespaces; `None` when there is nothing to say.
pub(in super::super) async fn ahead(tx: &Tx, org: &OrgId, namespaces: &[NsId], month: Month, until_ms: u64) -> Result<Option<MonthAhead>> {
    let (now, until) = (column(tx.now_ms()), column(until_ms));
    let there = There { tx, org, namespaces };
    let (ends, rotates) = (secret::Column::ExpiresAt, rotation::Column::RotateAt);
    let coming_ends = there.secrets(ends.gt(now).and(ends.lte(until))).await?;
    let coming_rotations = there.rotations(rotates, Condition::all().add(rotates.gt(now)).add(rotates.lte(until))).await?;
    let overdue_ends = there.secrets(ends.lte(now)).await?;
    let overdue_rotations = there.rotations(rotates, not_snoozed(now).add(rotates.lte(now))).await?;
    let owed = rotation::Column::OwedAt;
    let ahead = MonthAhead {
        org: *org,
        month,
        until_ms,
        coming: there.named(coming_ends, coming_rotations).await?,
        overdue: there.named(overdue_ends, overdue_rotations).await?,
        owed: there.rotations(owed, Condition::all().add(owed.is_not_null())).await?.len(),
        failing: there.failing().await?,
        endless: there.endless().await?,
    };
    Ok(Some(ahead).filter(MonthAhead::says_something))
}

/// A moment, a namespace, and a secret there.
type Spot = (i64, Vec<u8>, Vec<u8>);

/// What one reader reads.
struct There<'a> {
    tx: &'a Tx,
    org: &'a OrgId,
    namespaces: &'a [NsId],
}

impl There<'_> {
    fn pages(&self) -> impl Iterator<Item = Vec<Vec<u8>>> {
        self.namespaces.chunks(PER_STATEMENT).map(|page| page.iter().map(|ns| ns.0.to_vec()).collect())
    }

    async fn secrets(&self, ends: SimpleExpr) -> Result<Vec<Spot>> {
        let mut found = Vec::new();
        for page in self.pages() {
            found.extend(secrets(self.org, page, ends.clone()).into_tuple::<Spot>().all(self.tx.db()).await?);
        }
        Ok(found)
    }

    async fn rotations(&self, moment: rotation::Column, due: Condition) -> Result<Vec<Spot>> {
        let mut found = Vec::new();
        for page in self.pages() {
            found.extend(rotations(self.org, page, moment, due.clone()).into_tuple::<Spot>().all(self.tx.db()).await?);
        }
        found.truncate(COUNTED);
        Ok(found)
    }

    /// Each secret once, under what it wants first.
    async fn named(&self, ends: Vec<Spot>, rotations: Vec<Spot>) -> Result<Sort<DueSecret>> {
        let ends = ends.into_iter().map(|spot| (spot, Wants::End));
        let mut all: Vec<(Spot, Wants)> = ends.chain(rotations.into_iter().map(|spot| (spot, Wants::Rotation))).collect();
        all.sort();
        let mut seen = BTreeSet::new();
        all.retain(|((_, ns, secret), _)| seen.insert((ns.clone(), secret.clone())));
        let mut named = Vec::new();
        for ((at, ns, secret), wants) in all.iter().take(SECRETS_NAMED) {
            let row = secret::Entity::find_by_id((self.org.0.to_vec(), ns.clone(), secret.clone())).one(self.tx.db()).await?;
            let Some(row) = row else { continue };
            let label = facts::read(&row.facts)?.and_then(|facts| facts.label);
            let (ns, secret) = (NsId::from_slice(ns)?, SecretId::from_slice(secret)?);
            named.push(DueSecret { ns, secret, wants: *wants, at_ms: number(*at), label });
        }
        Ok(Sort { count: all.len().min(COUNTED), named })
    }

    /// Where monitors fail now: in these namespaces, and the organization's own.
    async fn failing(&self) -> Result<Sort<String>> {
        let mut monitors: Vec<Vec<u8>> = Vec::new();
        for page in self.pages().chain([vec![Vec::new()]]) {
            monitors.extend(failing(self.org, page).into_tuple::<Vec<u8>>().all(self.tx.db()).await?);
        }
        let mut named = Vec::new();
        for id in monitors.iter().take(OTHERS_NAMED) {
            let monitor = monitor::Entity::find_by_id((self.org.0.to_vec(), id.clone())).one(self.tx.db()).await?;
            named.extend(monitor.map(|monitor| monitor.name));
        }
        Ok(Sort { count: monitors.len().min(COUNTED), named })
    }

    async fn endless(&self) -> Result<Sort<(NsId, usize)>> {
        let mut found: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut count = 0;
        for page in self.pages() {
            let rows = endless(self.org, page).limit((COUNTED - count) as u64);
            for ns in rows.into_tuple::<Vec<u8>>().all(self.tx.db()).await? {
                *found.entry(ns).or_default() += 1;
                count += 1;
            }
            if count == COUNTED {
                break;
            }
        }
        let mut by_size: Vec<(Vec<u8>, usize)> = found.into_iter().collect();
        by_size.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let named = by_size.into_iter().take(OTHERS_NAMED).map(|(ns, count)| Ok((NsId::from_slice(&ns)?, count)));
        Ok(Sort { count, named: named.collect::<Result<_>>()? })
    }
}

/// Nobody put it off beyond now.
fn not_snoozed(now: i64) -> Condition {
    let until = rotation::Column::SnoozedUntil;
    Condition::all().add(Condition::any().add(until.is_null()).add(until.lte(now)))
}

fn secrets(org: &OrgId, page: Vec<Vec<u8>>, ends: SimpleExpr) -> Select<secret::Entity> {
    use secret::Column::{ExpiresAt, Flags, NsId as Ns, OrgId as Org, SecretId as Id};
    let live = Org.eq(org.0.to_vec()).and(Ns.is_in(page)).and(Flags.eq(LIVE));
    let rows = secret::Entity::find().select_only().columns([ExpiresAt, Ns, Id]).filter(live.and(ends));
    rows.order_by_asc(ExpiresAt).limit(COUNTED as u64)
}

fn rotations(org: &OrgId, page: Vec<Vec<u8>>, moment: rotation::Column, due: Condition) -> Select<rotation::Entity> {
    use rotation::Column::{NsId as Ns, OrgId as Org, SecretId as Id};
    let rows = rotation::Entity::find().select_only().columns([moment, Ns, Id]);
    rows.filter(Org.eq(org.0.to_vec()).and(Ns.is_in(page))).filter(due).order_by_asc(moment).limit(COUNTED as u64)
}

fn failing(org: &OrgId, page: Vec<Vec<u8>>) -> Select<incident::Entity> {
    use incident::Column::{IncidentId, MonitorId, NsId as Ns, OpenedAt, OrgId as Org, ResolvedAt};
    let open = Org.eq(org.0.to_vec()).and(Ns.is_in(page)).and(ResolvedAt.is_null());
    let rows = incident::Entity::find().select_only().column(MonitorId).filter(open);
    rows.order_by_asc(OpenedAt).order_by_asc(IncidentId).limit(COUNTED as u64)
}

fn endless(org: &OrgId, page: Vec<Vec<u8>>) -> Select<secret::Entity> {
    use secret::Column::{ExpiresAt, Flags, NsId as Ns, OrgId as Org};
    let live = Org.eq(org.0.to_vec()).and(Ns.is_in(page)).and(ExpiresAt.is_null()).and(Flags.eq(LIVE));
    secret::Entity::find().select_only().column(Ns).filter(live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::chain::ORG;
    use crate::scratch::on_each_engine;
    use sea_orm::{ConnectionTrait as _, DbBackend, QueryTrait as _, Statement};

    /// Nothing is read but what is counted: by the plans of the engine that has no other choice than its indexes.
    #[tokio::test]
    async fn each_number_comes_out_of_an_index_of_what_it_counts() {
        on_each_engine(async |store| {
            let tx = store.read().await.unwrap();
            if tx.db().get_database_backend() != DbBackend::Sqlite {
                return;
            }
            let page = || vec![vec![1; 16], vec![2; 16], vec![3; 16]];
            let (ends, rotates, owed) = (secret::Column::ExpiresAt, rotation::Column::RotateAt, rotation::Column::OwedAt);
            let queries = [
                (
                    secrets(&ORG, page(), ends.gt(1).and(ends.lte(2))).build(DbBackend::Sqlite),
                    "secret_expires (org_id=? AND ns_id=? AND expires_at",
                ),
                (secrets(&ORG, page(), ends.lte(2)).build(DbBackend::Sqlite), "secret_expires (org_id=? AND ns_id=? AND expires_at"),
                (
                    rotations(&ORG, page(), rotates, Condition::all().add(rotates.gt(1)).add(rotates.lte(2))).build(DbBackend::Sqlite),
                    "rotation_rotate (org_id=? AND ns_id=? AND rotate_at",
                ),
                (
                    rotations(&ORG, page(), rotates, not_snoozed(2).add(rotates.lte(2))).build(DbBackend::Sqlite),
                    "rotation_rotate (org_id=? AND ns_id=? AND rotate_at",
                ),
                (
                    rotations(&ORG, page(), owed, Condition::all().add(owed.is_not_null())).build(DbBackend::Sqlite),
                    "rotation_owed (org_id=? AND ns_id=?",
                ),
                (failing(&ORG, page()).build(DbBackend::Sqlite), "incident_open (org_id=? AND ns_id=?"),
                (endless(&ORG, page()).limit(5).build(DbBackend::Sqlite), "secret_endless (org_id=? AND ns_id=? AND flags=?"),
            ];
            for (query, index) in queries {
                let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", query.sql), ..query };
                let rows = tx.db().query_all_raw(explain).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
                assert!(plan[0].contains(index), "{index}: {plan:?}");
            }
        })
        .await;
    }
}
