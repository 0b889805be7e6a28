//! Secrets: payload, DEK and name objects of one version.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use keyvawlt_crypto::secret::{CopiedFrom, Payload, SealedVersion, name_hash, open_name, open_version, seal_name, seal_version};
use keyvawlt_crypto::{Key, Zeroizing};
use keyvawlt_ledger::{Fault, Hash, NsId, OrgId, SecretId};
use serde_json::json;

const VERSION: u64 = 4;
const EPOCH: u64 = 2;

struct Place {
    nk: Key,
    org: OrgId,
    ns: NsId,
    id: SecretId,
}

pub fn file() -> File {
    let mut rng = Seeded::new("secret");
    let place = Place { nk: Key::random(&mut rng), org: OrgId(rng.array()), ns: NsId(rng.array()), id: SecretId(rng.array()) };
    let plain = Payload::new("supabase/access_token", b"sbp_0123456789abcdef".to_vec());
    let full = Payload {
        name: "stripe/live".to_owned(),
        value: Zeroizing::new(vec![0xfe; 300]),
        kind: "config".to_owned(),
        note: "from the dashboard".to_owned(),
        tags: vec!["billing".to_owned(), "clé".to_owned()],
        draft_of: Some(SecretId(rng.array())),
        from: Some(CopiedFrom { ns_id: NsId(rng.array()), secret_id: SecretId(rng.array()), version: 9, payload_hash: Hash(rng.array()) }),
    };
    let mut valid = Vec::new();
    for (name, payload) in [("a value alone", &plain), ("every field", &full)] {
        let sealed = seal(&place, VERSION, payload, &mut rng);
        let object =
            seal_name(&place.nk, &place.org, &place.ns, &place.id, EPOCH, &payload.name, &mut rng).expect("a name within the grammar");
        let case = version_case(&place, name, &sealed).bytes("payload_hash", sealed.payload_hash()).bytes("dek_hash", sealed.dek_hash());
        valid.push(case.bytes("name_object", &object).bytes("name_hash", name_hash(&object)).with("content", content(payload)).valid());
    }
    let mut invalid = refused_versions(&place, &plain, &mut rng);
    invalid.extend(refused_names(&place, &mut rng));
    File {
        name: "secret.json",
        about: "payload under a fresh DEK, the DEK under HX(NK, \"kv1/nk/dek\"), the name under HX(NK, \"kv1/nk/name\").",
        valid,
        invalid,
    }
}

fn refused_versions(place: &Place, payload: &Payload, rng: &mut Seeded) -> Vec<serde_json::Value> {
    let sealed = seal(place, VERSION, payload, rng);
    let newer = seal(place, VERSION + 1, payload, rng);
    let case = version_case(place, "", &sealed);
    let open = |version, epoch, sealed: &SealedVersion| open_at(place, version, epoch, sealed);
    let mut refused = vec![
        case.clone().with("version", VERSION + 1).refused("as another version", open(VERSION + 1, EPOCH, &sealed)),
        case.clone().with("epoch", EPOCH + 1).refused("as of another epoch", open(VERSION, EPOCH + 1, &sealed)),
    ];
    let other = Place { ns: NsId([7; 16]), nk: place.nk.clone(), ..*place };
    refused.push(version_case(&other, "", &sealed).refused("in another namespace", open_at(&other, VERSION, EPOCH, &sealed)));
    let other = Place { id: SecretId([7; 16]), nk: place.nk.clone(), ..*place };
    refused.push(version_case(&other, "", &sealed).refused("as another secret", open_at(&other, VERSION, EPOCH, &sealed)));
    let other = Place { org: OrgId([7; 32]), nk: place.nk.clone(), ..*place };
    refused.push(version_case(&other, "", &sealed).refused("in another organization", open_at(&other, VERSION, EPOCH, &sealed)));
    for (name, sealed) in [
        ("a bit of the payload", SealedVersion { payload: flipped(&sealed.payload, 100), ..sealed.clone() }),
        ("a bit of the sealed DEK", SealedVersion { dek: flipped(&sealed.dek, 100), ..sealed.clone() }),
        ("another version's payload with this DEK", SealedVersion { payload: newer.payload.clone(), ..sealed.clone() }),
        ("this payload with another version's DEK", SealedVersion { dek: newer.dek, ..sealed.clone() }),
    ] {
        refused.push(version_case(place, "", &sealed).refused(name, open(VERSION, EPOCH, &sealed)));
    }
    refused
}

fn refused_names(place: &Place, rng: &mut Seeded) -> Vec<serde_json::Value> {
    let object = seal_name(&place.nk, &place.org, &place.ns, &place.id, EPOCH, "stripe/live", rng).expect("a name within the grammar");
    let case = place_case(place, "").bytes("name_object", &object);
    let open = |id: &SecretId, object: &[u8]| open_name(&place.nk, &place.org, &place.ns, id, object);
    let bit = flipped(&object, 90);
    vec![
        case.clone().bytes("secret_id", [7; 16]).refused("another secret's name", open(&SecretId([7; 16]), &object)),
        case.bytes("name_object", &bit).refused("a bit of the name", open(&place.id, &bit)),
    ]
}

fn seal(place: &Place, version: u64, payload: &Payload, rng: &mut Seeded) -> SealedVersion {
    seal_version(&place.nk, &place.org, &place.ns, &place.id, version, EPOCH, payload, rng).expect("a payload within the limits")
}

fn open_at(place: &Place, version: u64, epoch: u64, sealed: &SealedVersion) -> Result<Payload, Fault> {
    open_version(&place.nk, &place.org, &place.ns, &place.id, version, epoch, &sealed.payload, &sealed.dek)
}

fn place_case(place: &Place, name: &str) -> Case {
    Case::new(name).bytes("nk", place.nk.expose()).bytes("org_id", place.org).bytes("ns_id", place.ns).bytes("secret_id", place.id)
}

fn version_case(place: &Place, name: &str, sealed: &SealedVersion) -> Case {
    place_case(place, name).with("version", VERSION).with("epoch", EPOCH).bytes("payload", &sealed.payload).bytes("dek", &sealed.dek)
}

fn content(payload: &Payload) -> serde_json::Value {
    let from = payload.from.as_ref().map(|from| {
        json!({ "ns_id": from.ns_id.to_string(), "secret_id": from.secret_id.to_string(), "version": from.version, "payload_hash": from.payload_hash.to_string() })
    });
    json!({
        "name": payload.name,
        "value": hex::encode(&*payload.value),
        "kind": payload.kind,
        "note": payload.note,
        "tags": payload.tags,
        "draft_of": payload.draft_of.map(|id| id.to_string()),
        "from": from,
    })
}
