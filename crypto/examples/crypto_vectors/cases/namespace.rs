//! Namespace keys: commitments, previous and parent seals, sealed names.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use keyvawlt_crypto::{Key, nk};
use keyvawlt_ledger::{Hash, NsId, OrgId};

struct Keys {
    org: OrgId,
    ns: NsId,
    parent: NsId,
    old: Key,
    new: Key,
    of_parent: Key,
}

pub fn file() -> File {
    let mut rng = Seeded::new("namespace");
    let keys = Keys {
        org: OrgId(rng.array()),
        ns: NsId(rng.array()),
        parent: NsId(rng.array()),
        old: Key::random(&mut rng),
        new: Key::random(&mut rng),
        of_parent: Key::random(&mut rng),
    };
    let mut file = File {
        name: "namespace.json",
        about: "Commitment H(0x0120, [org_id, ns_id, epoch, HX(NK, \"kv1/nk/commit\")]); seals of an earlier key, of a child's key, of names.",
        valid: vec![],
        invalid: vec![],
    };
    commitments(&keys, &mut file);
    previous(&keys, &mut rng, &mut file);
    parent(&keys, &mut rng, &mut file);
    names(&keys, &mut rng, &mut file);
    file
}

fn case(keys: &Keys, kind: &str) -> Case {
    Case::new(kind).with("kind", kind).bytes("org_id", keys.org).bytes("ns_id", keys.ns)
}

fn commitments(keys: &Keys, file: &mut File) {
    let commit = nk::commit(&keys.org, &keys.ns, 2, &keys.new);
    let case = case(keys, "commit").with("epoch", 2).bytes("nk", keys.new.expose()).bytes("nk_commit", commit);
    file.valid.push(case.clone().valid());
    let checked = |ns: &NsId, epoch, nk: &Key| nk::check_commit(&keys.org, ns, epoch, nk, &commit);
    file.invalid.push(case.clone().with("epoch", 3).refused("the same key in another epoch", checked(&keys.ns, 3, &keys.new)));
    file.invalid
        .push(case.clone().bytes("ns_id", keys.parent).refused("the same key in another namespace", checked(&keys.parent, 2, &keys.new)));
    file.invalid.push(case.bytes("nk", keys.old.expose()).refused("another key", checked(&keys.ns, 2, &keys.old)));
}

fn previous(keys: &Keys, rng: &mut Seeded, file: &mut File) {
    let expected = nk::commit(&keys.org, &keys.ns, 1, &keys.old);
    let sealed = nk::seal_previous(&keys.new, &keys.org, &keys.ns, 2, 1, &keys.old, rng);
    let open =
        |key: &Key, new_epoch, sealed: &[u8], expected: &Hash| nk::open_previous(key, &keys.org, &keys.ns, new_epoch, 1, sealed, expected);
    let case = case(keys, "previous")
        .bytes("nk_new", keys.new.expose())
        .with("new_epoch", 2)
        .with("old_epoch", 1)
        .bytes("sealed", &sealed)
        .bytes("nk_commit", expected);
    file.valid.push(case.clone().bytes("nk_old", keys.old.expose()).valid());
    file.invalid
        .push(case.clone().with("new_epoch", 3).refused("a previous seal moved to another epoch", open(&keys.new, 3, &sealed, &expected)));
    file.invalid.push(
        case.clone()
            .bytes("nk_new", keys.old.expose())
            .refused("a previous seal under another key", open(&keys.old, 2, &sealed, &expected)),
    );
    let bit = flipped(&sealed, 70);
    file.invalid.push(case.clone().bytes("sealed", &bit).refused("a bit of a previous seal", open(&keys.new, 2, &bit, &expected)));
    let planted = nk::seal_previous(&keys.new, &keys.org, &keys.ns, 2, 1, &keys.of_parent, rng);
    file.invalid.push(
        case.bytes("sealed", &planted)
            .refused("a previous seal of a key that was never committed to", open(&keys.new, 2, &planted, &expected)),
    );
}

fn parent(keys: &Keys, rng: &mut Seeded, file: &mut File) {
    let expected = nk::commit(&keys.org, &keys.ns, 2, &keys.new);
    let seal = |child: &Key, rng: &mut Seeded| nk::seal_parent(&keys.of_parent, &keys.org, &keys.ns, 2, &keys.parent, 5, child, rng);
    let open = |key: &Key, parent_epoch, sealed: &[u8]| {
        nk::open_parent(key, &keys.org, &keys.ns, 2, &keys.parent, parent_epoch, sealed, &expected)
    };
    let sealed = seal(&keys.new, rng);
    let case = case(keys, "parent")
        .bytes("nk_parent", keys.of_parent.expose())
        .with("epoch", 2)
        .bytes("parent_id", keys.parent)
        .with("parent_epoch", 5)
        .bytes("sealed", &sealed)
        .bytes("nk_commit", expected);
    file.valid.push(case.clone().bytes("nk_child", keys.new.expose()).valid());
    file.invalid
        .push(case.clone().with("parent_epoch", 6).refused("a parent seal of another parent epoch", open(&keys.of_parent, 6, &sealed)));
    let planted = seal(&keys.old, rng);
    file.invalid.push(case.bytes("sealed", &planted).refused("a parent seal of another key", open(&keys.of_parent, 2 + 3, &planted)));
}

fn names(keys: &Keys, rng: &mut Seeded, file: &mut File) {
    let names = nk::NsNames { project: "payments".to_owned(), environment: "production".to_owned(), prefix: "stripe/".to_owned() };
    let object = nk::seal_ns_names(&keys.new, &keys.org, &keys.ns, 2, &names, rng);
    let open = |ns: &NsId, object: &[u8]| nk::open_ns_names(&keys.new, &keys.org, ns, object);
    let case = case(keys, "names").bytes("nk", keys.new.expose()).bytes("object", &object);
    let spelled = case.clone().with("project", "payments").with("environment", "production").with("prefix", "stripe/");
    file.valid.push(spelled.valid());
    file.invalid.push(case.clone().bytes("ns_id", keys.parent).refused("names of another namespace", open(&keys.parent, &object)));
    let mut other_epoch = object.clone();
    other_epoch[1] = 3;
    file.invalid
        .push(case.clone().bytes("object", &other_epoch).refused("names said to be of another epoch", open(&keys.ns, &other_epoch)));
    let bad = nk::NsNames { prefix: "/etc/".to_owned(), ..names };
    let bad = nk::seal_ns_names(&keys.new, &keys.org, &keys.ns, 2, &bad, rng);
    file.invalid.push(case.bytes("object", &bad).refused("a prefix outside the grammar", open(&keys.ns, &bad)));
}
