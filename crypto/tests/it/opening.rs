//! Every valid vector opens, from the committed file alone.

use crate::hex_json::{array, bytes, number, read, text};
use keyvawlt_crypto::wraps::unwrap_nk;
use keyvawlt_crypto::{Identity, Key, aead, nk, secret};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Hash, IdentityId, KeyId, NsId, OrgId, SecretId};
use serde_json::Value;

fn valid(file: &str) -> Vec<Value> {
    read(file)["valid"].as_array().expect("valid cases").clone()
}

fn key(case: &Value, field: &str) -> Key {
    Key::from_bytes(array(case, field))
}

#[test]
fn the_published_vector_of_kv_aead_1_holds() {
    let expected = concat!(
        "0505050505050505050505050505050505050505050505050505050505050505",
        "d0f6e6eaeb68aaf3aea5815151590cb0af37fb66729915dc7ece071db934d2d9",
        "f2c12c7c8394ff332495b71e240ca3bb72d9297b78b6e23cdd"
    );
    let sealed = aead::seal_with_salt(&Key::from_bytes([3; 32]), b"ctx", b"sk_live_x", &[5; 32]);
    assert_eq!(hex::encode(&sealed), expected);
    assert_eq!(text(&valid("aead.json")[0], "sealed"), expected);
}

#[test]
fn sealed_data_opens() {
    for case in valid("aead.json") {
        let opened = aead::open(&key(&case, "key"), &bytes(&case, "ctx"), &bytes(&case, "sealed")).unwrap();
        assert_eq!(*opened, bytes(&case, "plaintext"), "{}", case["name"]);
    }
}

#[test]
fn identities_follow_from_their_seeds() {
    for case in valid("identity.json") {
        let kind = u8::try_from(number(&case, "kind")).unwrap();
        let id = IdentityId(array(&case, "identity_id"));
        let identity = Identity::derive(key(&case, "seed"), id, kind, number(&case, "generation"), number(&case, "created_ms"));
        assert_eq!(identity.signed_bundle().payload(), bytes(&case, "payload"), "{}", case["name"]);
        assert_eq!(identity.signed_bundle().sig.to_vec(), bytes(&case, "signature"), "{}", case["name"]);
        assert_eq!(identity.safety_words().join(" "), text(&case, "words"));
    }
}

#[test]
fn wraps_open_to_the_committed_key() {
    for case in valid("wrap.json") {
        let wrap = Wrap::from_bytes(&bytes(&case, "record")).unwrap();
        let (id, key_id) = (IdentityId(array(&case, "recipient_id")), KeyId(array(&case, "recipient_key_id")));
        assert_eq!(unwrap_nk(&wrap, &id, &key_id, &key(&case, "kem_seed")).unwrap(), key(&case, "nk"), "{}", case["name"]);
        assert_eq!(wrap.hash().to_string(), text(&case, "wrap_hash"));
    }
}

#[test]
fn seals_open_to_the_committed_key() {
    for case in valid("namespace.json") {
        let (org, ns) = (OrgId(array(&case, "org_id")), NsId(array(&case, "ns_id")));
        match text(&case, "kind") {
            "commit" => assert_eq!(nk::commit(&org, &ns, number(&case, "epoch"), &key(&case, "nk")), Hash(array(&case, "nk_commit"))),
            "previous" => {
                let (new, old) = (number(&case, "new_epoch"), number(&case, "old_epoch"));
                let commit = Hash(array(&case, "nk_commit"));
                let opened = nk::open_previous(&key(&case, "nk_new"), &org, &ns, new, old, &bytes(&case, "sealed"), &commit);
                assert_eq!(opened.unwrap(), key(&case, "nk_old"));
            }
            "parent" => {
                let (parent, commit) = (NsId(array(&case, "parent_id")), Hash(array(&case, "nk_commit")));
                let (epoch, of_parent) = (number(&case, "epoch"), number(&case, "parent_epoch"));
                let sealed = bytes(&case, "sealed");
                let opened = nk::open_parent(&key(&case, "nk_parent"), &org, &ns, epoch, &parent, of_parent, &sealed, &commit);
                assert_eq!(opened.unwrap(), key(&case, "nk_child"));
            }
            _ => {
                let names = nk::open_ns_names(&key(&case, "nk"), &org, &ns, &bytes(&case, "object")).unwrap();
                assert_eq!(
                    [names.project, names.environment, names.prefix],
                    ["project", "environment", "prefix"].map(|field| text(&case, field).to_owned())
                );
            }
        }
    }
}

#[test]
fn secrets_open() {
    for case in valid("secret.json") {
        let (org, ns, id) = (OrgId(array(&case, "org_id")), NsId(array(&case, "ns_id")), SecretId(array(&case, "secret_id")));
        let nk = key(&case, "nk");
        let (payload, dek) = (bytes(&case, "payload"), bytes(&case, "dek"));
        let opened = secret::open_version(&nk, &org, &ns, &id, number(&case, "version"), number(&case, "epoch"), &payload, &dek).unwrap();
        let content = &case["content"];
        assert_eq!(*opened.value, bytes(content, "value"));
        assert_eq!([&opened.name, &opened.kind, &opened.note], ["name", "kind", "note"].map(|field| text(content, field)));
        assert_eq!(secret::open_name(&nk, &org, &ns, &id, &bytes(&case, "name_object")).unwrap(), opened.name);
    }
}
