//! Revisions of organizations, looked up for many callers by one statement: a look-up is most of what "nothing changed" costs.
//!
//! A statement begins after everything it answers was asked: each caller hears what it would have found alone.

use crate::error::{Error, Result};
use crate::store::{Store, number};
use keyvawlt_ledger::assertion::Subject;
use keyvawlt_ledger::{AccountId, OrgId, SlotId};
use keyvawlt_schema::{org, slot};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement, UnionType};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Look-ups of one statement; as many more wait for the next one, and the callers after those wait to be heard.
const MAX_GROUP: usize = 256;

/// Looks revisions up. Cheap to clone; ends when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Revisions {
    queue: mpsc::Sender<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    org: OrgId,
    way_in: Option<WayIn>,
    found: oneshot::Sender<Option<u64>>,
}

type WayIn = (AccountId, SlotId);

impl Revisions {
    /// Starts looking.
    pub fn start(store: Store, tasks: &TaskTracker) -> Self {
        let (queue, waiting) = mpsc::channel(MAX_GROUP);
        tasks.spawn(answer_groups(store, waiting));
        Self { queue }
    }

    /// The organization's revision, unless the caller's way in was removed. It takes no permit: nobody sees it, and it is held against the
    /// revision of a verdict that a permit gave to this very caller.
    pub(crate) async fn find(&self, org: OrgId, subject: Subject) -> Result<Option<u64>> {
        let way_in = match subject {
            Subject::Slot(account, slot) => Some((account, slot)),
            Subject::Identity(..) | Subject::Invite(..) => None,
        };
        let (found, answer) = oneshot::channel();
        self.queue.send(Waiting { org, way_in, found }).await.map_err(|_| Error::Unavailable)?;
        answer.await.map_err(|_| Error::Unavailable)
    }
}

async fn answer_groups(store: Store, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(MAX_GROUP);
    while waiting.recv_many(&mut group, MAX_GROUP).await > 0 {
        match look(&store, &group).await {
            Ok(found) => group.drain(..).for_each(|waiting| found.answer(waiting)),
            Err(error) => {
                tracing::error!(%error, calls = group.len(), "revisions could not be looked up: their calls fail");
                group.clear();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Found {
    revisions: BTreeMap<OrgId, u64>,
    ways_in: BTreeSet<WayIn>,
}

impl Found {
    fn answer(&self, Waiting { org, way_in, found }: Waiting) {
        let enters = way_in.is_none_or(|way_in| self.ways_in.contains(&way_in));
        // The caller may have gone.
        let _ = found.send(self.revisions.get(&org).copied().filter(|_| enters));
    }
}

async fn look(store: &Store, group: &[Waiting]) -> Result<Found> {
    let orgs: BTreeSet<OrgId> = group.iter().map(|waiting| waiting.org).collect();
    let accounts: BTreeSet<AccountId> = group.iter().filter_map(|waiting| waiting.way_in).map(|(account, _)| account).collect();
    let mut find = Query::select();
    find.columns([org::Column::Id, org::Column::Id, org::Column::Change])
        .from(org::Entity)
        .and_where(Expr::col(org::Column::Id).is_in(padded(orgs.iter().map(|org| org.0.to_vec()).collect())));
    if !accounts.is_empty() {
        find.union(UnionType::All, ways_in(padded(accounts.iter().map(|account| account.0.to_vec()).collect())));
    }
    let mut found = Found::default();
    for row in store.read_rows(&find).await? {
        let (first, second): (Vec<u8>, Vec<u8>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        match row.try_get_by_index::<Option<i64>>(2)? {
            Some(change) => drop(found.revisions.insert(OrgId::from_slice(&first)?, number(change))),
            None => drop(found.ways_in.insert((AccountId::from_slice(&first)?, SlotId::from_slice(&second)?))),
        }
    }
    Ok(found)
}

fn ways_in(accounts: Vec<Vec<u8>>) -> SelectStatement {
    let mut find = Query::select();
    find.columns([slot::Column::AccountId, slot::Column::SlotId])
        .expr(Expr::cust("NULL"))
        .from(slot::Entity)
        .and_where(Expr::col(slot::Column::AccountId).is_in(accounts));
    find
}

/// Repeats the last one up to a power of two: a store prepares nine texts of each statement then, and not one for every number of callers.
fn padded(mut ids: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if let Some(last) = ids.last().cloned() {
        ids.resize(ids.len().next_power_of_two(), last);
    }
    ids
}
