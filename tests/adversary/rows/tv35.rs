//! TV35: a client without history starts at a checkpoint, and lists what it reads. Whatever of state, proof, leaves or values is not what the chain
//! that it knows a link of signs, it notices before it uses any of it.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::{ReadListing, ReadStart};
use crate::scene::Scene;
use keyvawlt_client::{Account, Error, MachineToken, SecretWrite, StateDir};
use keyvawlt_ledger::Code;
use keyvawlt_proto::v1;
use std::marker::PhantomData;

pub const ROW: Row = Row {
    id: "TV35",
    title: "Serves a forged state snapshot, or a forged listing, to a client without history",
    tries: &[
        Try::detected::<Machine<OtherEntry>>("an entry of the state is another", Code::State),
        Try::detected::<Machine<LessEntries>>("an entry of the state is missing", Code::State),
        Try::detected::<NewDevice<NoCheckpoint>>("a link that is no checkpoint stands in its place", Code::State),
        Try::detected::<Machine<OtherPin>>("another link stands in the known one's place", Code::Fork),
        Try::detected::<Machine<OtherHistory>>("the checkpoint continues another history", Code::Fork),
        Try::detected::<NewDevice<FalseProof>>("the proof that the checkpoint lies in the known link's history is false", Code::Fork),
        Try::detected::<Machine<LessLeaves>>("a leaf is left out", Code::Root),
        Try::detected::<Machine<OlderVersion>>("a leaf tells an older version", Code::Root),
        Try::detected::<Machine<OtherValue>>("the value of another secret", Code::Root),
        Try::detected::<Machine<OtherManifest>>("the manifest continues another history", Code::Fork),
        Try::detected::<Machine<FalseHead>>("the proof that the manifest contains a head is false", Code::Fork),
        Try::detected::<Machine<EndlessState>>("a state that fills memory, page by page", Code::Limit),
        Try::detected::<Machine<EndlessListing>>("a listing that fills memory, page by page", Code::Limit),
        Try::detected::<Machine<NoManifest>>("a manifest that the chain names is hidden", Code::Rollback),
    ],
};

/// What is wrong with a start or a listing.
trait Lie: Send + Sync + 'static {
    fn start(_answer: &mut v1::ReadStartResponse) {}
    fn listing(_answer: &mut v1::ReadListingResponse) {}
}

struct OtherEntry;
struct LessEntries;
struct NoCheckpoint;
struct FalseProof;
struct OtherPin;
struct OtherHistory;
struct LessLeaves;
struct OlderVersion;
struct OtherValue;
struct OtherManifest;
struct FalseHead;
struct NoManifest;
struct EndlessState;
struct EndlessListing;

/// The last byte of a field is another.
fn spoil(bytes: &mut bytes::Bytes) {
    let mut other = bytes.to_vec();
    *other.last_mut().expect("a field that is not empty") ^= 1;
    *bytes = other.into();
}

impl Lie for OtherEntry {
    fn start(answer: &mut v1::ReadStartResponse) {
        let members = answer.entries.iter_mut().filter(|entry| entry.key.starts_with(b"member/"));
        spoil(&mut members.last().expect("a member").value);
    }
}

impl Lie for LessEntries {
    fn start(answer: &mut v1::ReadStartResponse) {
        answer.entries.retain(|entry| !entry.key.starts_with(b"policy"));
    }
}

impl Lie for NoCheckpoint {
    fn start(answer: &mut v1::ReadStartResponse) {
        answer.checkpoint.clone_from(&answer.pinned);
    }
}

impl Lie for FalseProof {
    fn start(answer: &mut v1::ReadStartResponse) {
        if let Some(first) = answer.path.first_mut() {
            spoil(first);
        }
    }
}

impl Lie for OtherPin {
    fn start(answer: &mut v1::ReadStartResponse) {
        spoil(&mut answer.pinned.as_mut().expect("the known link").signature);
    }
}

impl Lie for OtherHistory {
    fn start(answer: &mut v1::ReadStartResponse) {
        spoil(&mut answer.before);
    }
}

impl Lie for LessLeaves {
    fn listing(answer: &mut v1::ReadListingResponse) {
        answer.secrets.pop();
    }
}

impl Lie for OlderVersion {
    fn listing(answer: &mut v1::ReadListingResponse) {
        answer.secrets.first_mut().expect("a leaf").version -= 1;
    }
}

impl Lie for OtherValue {
    fn listing(answer: &mut v1::ReadListingResponse) {
        let (first, rest) = answer.secrets.split_first_mut().expect("a leaf");
        let other = rest.first_mut().expect("another leaf");
        std::mem::swap(&mut first.payload, &mut other.payload);
        std::mem::swap(&mut first.dek, &mut other.dek);
    }
}

impl Lie for OtherManifest {
    fn listing(answer: &mut v1::ReadListingResponse) {
        spoil(&mut answer.before);
    }
}

impl Lie for FalseHead {
    fn listing(answer: &mut v1::ReadListingResponse) {
        let proof = answer.proofs.first_mut().expect("a proof");
        spoil(proof.path.first_mut().expect("a path"));
    }
}

impl Lie for NoManifest {
    fn listing(answer: &mut v1::ReadListingResponse) {
        *answer = v1::ReadListingResponse::default();
    }
}

/// A page as large as a message may be, with room for what it has already. Cheap to send often.
fn filling() -> bytes::Bytes {
    bytes::Bytes::from(vec![0; keyvawlt_proto::MAX_MESSAGE - (1 << 20)])
}

impl Lie for EndlessState {
    fn start(answer: &mut v1::ReadStartResponse) {
        answer.entries.push(v1::StateEntry { key: bytes::Bytes::from_static(b"policy"), value: filling() });
        "more".clone_into(&mut answer.next_page_token);
    }
}

impl Lie for EndlessListing {
    fn listing(answer: &mut v1::ReadListingResponse) {
        answer.secrets.push(v1::ListedSecret { name: filling(), ..v1::ListedSecret::default() });
        "more".clone_into(&mut answer.next_page_token);
    }
}

/// A machine that has nothing but its token.
struct Machine<L> {
    token: MachineToken,
    state: StateDir,
    lie: PhantomData<L>,
}

/// A machine's token, and writes after the checkpoint it names: everything that the machine reads is anchored there or later.
async fn admit(scene: &mut Scene) -> (MachineToken, StateDir) {
    let production = scene.production;
    let job = scene.job().await;
    for value in ["1", "2"] {
        scene.ada.vault().write(&production, &[SecretWrite::new("first/one", value)]).await.expect("a write");
    }
    // The next link vouches for what Ada holds.
    scene.ada.vault().create_environment("agents", "staging", 2).await.expect("a link");
    job
}

impl<L: Lie> Attack for Machine<L> {
    async fn prepare(scene: &mut Scene) -> Self {
        let (token, state) = admit(scene).await;
        Self { token, state, lie: PhantomData }
    }

    fn victim(&self, _: &Scene) -> Who {
        Who::Machine(self.token.identity().id())
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        // Whoever asks for more hears the beginning again.
        scene.server.requests::<ReadStart>(audience, |request| request.page_token.clear());
        scene.server.requests::<ReadListing>(audience, |request| request.page_token.clear());
        scene.server.answers::<ReadStart>(audience, |_, answer| L::start(answer));
        scene.server.answers::<ReadListing>(audience, |_, answer| L::listing(answer));
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let vault = scene.client().machine(&self.token, &self.state).await?;
        assert!(vault.chain().base() > 0, "it starts at a checkpoint");
        Ok(())
    }
}

/// A person's new device: another one of the account has seen links after the checkpoint.
struct NewDevice<L> {
    account: Account,
    state: StateDir,
    lie: PhantomData<L>,
}

impl<L: Lie> Attack for NewDevice<L> {
    async fn prepare(scene: &mut Scene) -> Self {
        admit(scene).await;
        let account = scene.client().unlock_device(&scene.ada.device, None).await.expect("the account on a new device");
        Self { account, state: scene.empty_state(), lie: PhantomData }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.ada.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ReadStart>(audience, |_, answer| L::start(answer));
    }

    async fn act(&mut self, _: &mut Scene) -> Result<(), Error> {
        let vault = self.account.open(self.account.organizations()[0], &self.state).await?;
        assert!(vault.chain().base() > 0, "it starts at a checkpoint");
        Ok(())
    }
}
