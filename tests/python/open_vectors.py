"""Opens tests/vectors/*.json with other libraries than the project's own. Exits non-zero on any disagreement.

Needs PyPI's `cryptography` >= 47. A valid case must open to what it says; an invalid one must be refused with the code it names.
"""

import json
import pathlib
import sys

import protocol as kv
from canonical import Refused, decode, diagnostic, encode

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
WORDS = (VECTORS.parent.parent / "crypto" / "src" / "words.txt").read_text().split()


def raw(case, *names):
    values = [bytes.fromhex(case[name]) for name in names]
    return values[0] if len(values) == 1 else values


def same(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r} is not {expected!r}")


def cbor(case):
    value = decode(raw(case, "bytes"))
    same(diagnostic(value), case["value"], "value")
    same(encode(value), raw(case, "bytes"), "encoding")


def hashed(case):
    if "context" in case:
        same(kv.ctx(case["label"], b"\xab" * 16, 7, "x"), raw(case, "context"), "context")
    else:
        same(kv.h(case["domain"], raw(case, "input")), raw(case, "hash"), "hash")


def signature(case):
    public, payload, sig = raw(case, "public", "payload", "signature")
    kv.verify(public, case["domain"], payload, sig)
    if "seed" in case:
        seed = raw(case, "seed")
        same(kv.ed25519_public(seed), public, "public key")
        same(kv.ed25519_sign(seed, case["domain"], payload), sig, "signature")


def aead(case):
    key, ctx, sealed = raw(case, "key", "ctx", "sealed")
    same(kv.aead_open(key, ctx, sealed), raw(case, "plaintext"), "plaintext")


def padding(case):
    size = kv.name_size if case["rule"] == "name" else kv.payload_size
    if "content_length" in case:
        same(size(case["content_length"]), case["padded_length"], "length")
        return
    content = kv.unpad(raw(case, "padded"), size)
    same(content, raw(case, "content"), "content")


def identity(case):
    payload, sig = raw(case, "payload", "signature")
    bundle, key_id = kv.verify_bundle(payload, sig)
    seed, identity_id = raw(case, "seed", "identity_id")
    prk = kv.hk(b"kv1/identity", seed, identity_id)
    sign, auth, kem = (kv.hx(prk, label) for label in ("kv1/id/sign", "kv1/id/auth", "kv1/id/kem"))
    same(kem, raw(case, "kem_seed"), "X-Wing private key")
    made = {1: 1, 2: 1, 3: identity_id, 4: case["kind"], 5: kv.ed25519_public(sign), 6: kv.ed25519_public(auth)}
    made |= {7: kv.xwing_private(kem)[1], 8: case["generation"], 9: case["created_ms"]}
    same(bundle, made, "bundle")
    same(encode(made), payload, "payload")
    same(kv.ed25519_sign(sign, 3, payload), sig, "signature")
    same(key_id, raw(case, "key_id"), "key id")
    bits = int.from_bytes(key_id, "big") >> 256 - 110
    same(" ".join(WORDS[bits >> 11 * (9 - place) & 2047] for place in range(10)), case["words"], "safety words")


def namespace(case):
    org, ns = raw(case, "org_id", "ns_id")
    if case["kind"] == "commit":
        kv.check_commit(org, ns, case["epoch"], *raw(case, "nk", "nk_commit"))
    elif case["kind"] == "previous":
        new, old = case["new_epoch"], case["old_epoch"]
        nk_new, sealed, nk_commit = raw(case, "nk_new", "sealed", "nk_commit")
        opened = kv.aead_open(kv.hx(nk_new, "kv1/nk/prev"), kv.ctx("kv1/nk/prev", org, ns, new, old), sealed)
        same(kv.check_commit(org, ns, old, opened, nk_commit), raw(case, "nk_old"), "earlier key")
    elif case["kind"] == "parent":
        nk_parent, parent, sealed, nk_commit = raw(case, "nk_parent", "parent_id", "sealed", "nk_commit")
        ctx = kv.ctx("kv1/nk/child", org, ns, case["epoch"], parent, case["parent_epoch"])
        opened = kv.aead_open(kv.hx(nk_parent, "kv1/nk/child"), ctx, sealed)
        same(kv.check_commit(org, ns, case["epoch"], opened, nk_commit), raw(case, "nk_child"), "child's key")
    else:
        nk, sealed_names = raw(case, "nk", "object")
        epoch, sealed = decode(sealed_names)
        padded = kv.aead_open(kv.hx(nk, "kv1/nk/ns"), kv.ctx("kv1/ns", org, ns, epoch), sealed)
        names = decode(kv.unpad(padded, kv.name_size))
        kv.check_prefix(names[3])
        same(names, {1: case["project"], 2: case["environment"], 3: case["prefix"]}, "names")


def wrap(case):
    if "kem_seed" not in case:
        decode(raw(case, "record"))
        return
    recipient, recipient_key, kem_seed, record = raw(case, "recipient_id", "recipient_key_id", "kem_seed", "record")
    same(kv.unwrap(record, recipient, recipient_key, kem_seed), raw(case, "nk"), "namespace key")
    same(kv.h(0x0121, record), raw(case, "wrap_hash"), "wrap hash")


def secret(case):
    nk, org, ns, secret_id = raw(case, "nk", "org_id", "ns_id", "secret_id")
    content = case.get("content")
    if "name_object" in case:
        epoch, sealed = decode(raw(case, "name_object"))
        padded = kv.aead_open(kv.hx(nk, "kv1/nk/name"), kv.ctx("kv1/name", org, ns, secret_id), sealed)
        name = kv.check_name(kv.unpad(padded, kv.name_size).decode())
        same([epoch, name], [case["epoch"], content["name"]], "name")
        same(kv.h(0x0134, raw(case, "name_object")), raw(case, "name_hash"), "name hash")
    payload, sealed_dek = raw(case, "payload", "dek")
    ctx = kv.ctx("kv1/dek", org, ns, secret_id, case["version"], case["epoch"], kv.h(0x0131, payload))
    dek = kv.aead_open(kv.hx(nk, "kv1/nk/dek"), ctx, sealed_dek)
    padded = kv.aead_open(dek, kv.ctx("kv1/secret", org, ns, secret_id, case["version"]), payload)
    value = decode(kv.unpad(padded))
    expected = {1: content["name"], 2: raw(content, "value"), 3: content["kind"], 4: content["note"], 5: content["tags"]}
    expected[6] = [raw(content, "draft_of")] if content["draft_of"] else []
    origin = content["from"]
    expected[7] = [[*raw(origin, "ns_id", "secret_id"), origin["version"], raw(origin, "payload_hash")]] if origin else []
    same(value, expected, "content")
    same(kv.h(0x0131, payload), raw(case, "payload_hash"), "payload hash")
    same(kv.h(0x0133, sealed_dek), raw(case, "dek_hash"), "DEK hash")


def account(case):
    {
        "secret_key": lambda: same(kv.unspell("KVS1", 16, 4, case["text"]), raw(case, "bytes"), "Secret Key"),
        "recovery_code": lambda: same(kv.unspell("KVR1", 32, 3, case["text"]), raw(case, "bytes"), "recovery code"),
        "root": lambda: password(case),
        "slot": lambda: slot(case),
        "device": lambda: device(case),
        "blob": lambda: blob(case),
        "pins": lambda: pins(case),
        "claim": lambda: claim(case),
        "assertion": lambda: assertion(case),
    }[case["kind"]]()


def password(case):
    secret_key, account_id = raw(case, "secret_key", "account_id")
    root = kv.root_key(case["password"], secret_key, account_id)
    same(root, raw(case, "root"), "root key")
    same(kv.ed25519_public(kv.hx(root, "kv1/login")), raw(case, "login_pk"), "login key")
    same(kv.hx(root, "kv1/slot-id")[:16], raw(case, "slot_id"), "slot id")


def slot(case):
    account_id, slot_id, slot_key, sealed = raw(case, "account_id", "slot_id", "slot_key", "sealed")
    ctx = kv.ctx("kv1/slot", account_id, slot_id)
    opened = kv.aead_open(kv.hx(slot_key, "kv1/slot"), ctx, sealed, "E_NO_ACCOUNT")
    same(opened, raw(case, "account_key"), "account key")
    same(kv.ed25519_public(kv.hx(slot_key, "kv1/login")), raw(case, "login_pk"), "login key")
    same(kv.hx(slot_key, "kv1/slot-id")[:16], slot_id, "slot id")


def device(case):
    lines = dict(line.split(" = ") for line in case["text"].splitlines() if not line.startswith("#"))
    same(list(lines), ["origin", "account", "slot", "key", "secret-key"], "lines")
    same(lines["origin"], case["origin"], "origin")
    same([lines[name] for name in ("account", "slot", "key")], [case[name] for name in ("account_id", "slot_id", "slot_key")], "ids")
    same(kv.unspell("KVS1", 16, 4, lines["secret-key"]), raw(case, "secret_key"), "Secret Key")


def blob(case):
    account_id, key, sealed = raw(case, "account_id", "account_key", "sealed")
    padded = kv.aead_open(key, kv.ctx("kv1/account", account_id, case["generation"]), sealed, "E_NO_ACCOUNT")
    content = decode(kv.unpad(padded, code="E_NO_ACCOUNT"))
    generations = [row[0] for row in content[4]]
    if generations != sorted(set(generations)) or not generations or content[2] != case["generation"]:
        raise Refused("E_NO_ACCOUNT")
    seeds = [[row["generation"], raw(row, "seed"), row["created_ms"], row["kind"]] for row in case["seeds"]]
    orgs = [bytes.fromhex(org) for org in case["org_ids"]]
    same(content, {1: 1, 2: case["generation"], 3: raw(case, "identity_id"), 4: seeds, 5: orgs, 6: case["pins"]}, "blob")


def pins(case):
    account_id, key, sealed = raw(case, "account_id", "account_key", "sealed")
    padded = kv.aead_open(key, kv.ctx("kv1/pins", account_id, case["generation"]), sealed, "E_NO_ACCOUNT")
    opened = kv.unpad(padded, code="E_NO_ACCOUNT")
    same(opened, raw(case, "pins"), "pins")
    content = decode(opened)
    if list(content) != [1, 2, 3] or content[1] != 1 or content[2] != case["generation"]:
        raise Refused("E_NO_ACCOUNT")


def claim(case):
    bundle, key_id = kv.verify_bundle(*raw(case, "bundle_payload", "bundle_signature"))
    payload, sig, account_id = raw(case, "payload", "signature", "account_id")
    kv.verify(bundle[5], 6, payload, sig)
    said = decode(payload)
    if said[:2] != [account_id, key_id]:
        raise Refused("E_KEY_SUBST")
    if said[2:] != [case["origin"]]:
        raise Refused("E_SIG")


def assertion(case):
    claims = kv.verify_token(case["token"], "kv-login+jwt", raw(case, "login_pk"))
    if claims["aud"] != case["origin"] or claims["exp"] <= case["now_s"]:
        raise Refused("E_SIG")
    if claims["exp"] > min(claims["iat"], case["now_s"]) + 60:
        raise Refused("E_CLOCK")
    same([claims["iss"], claims["sub"]], [case["subject"]] * 2, "subject")
    same(len(claims["jti"]), 32, "length of jti")


def codes(case):
    {"machine": machine, "invite": invite, "invite_keys": invite_keys}[case["kind"]](case)


def machine(case):
    version, identity_id, seed, created, org, seq, link_hash, origin = kv.fields(
        kv.unwrap_text("kvm1_", case["text"]), 1, 16, 32, 8, 32, 8, 32
    )
    same([version, identity_id, seed, org, link_hash], [b"\1", *raw(case, "identity_id", "seed", "org_id", "link_hash")], "fields")
    numbers = [int.from_bytes(created, "big"), int.from_bytes(seq, "big"), origin]
    same(numbers, [case["created_ms"], case["seq"], case["origin"]], "numbers and origin")


def invite(case):
    data = kv.unwrap_text("kvi1_", kv.in_fragment(case["text"]))
    version, invite_id, org, key, inviter, inviter_key, seq, link_hash, origin = kv.fields(data, 1, 16, 32, 16, 16, 32, 8, 32)
    expected = raw(case, "invite_id", "org_id", "secret", "inviter_id", "inviter_key_id", "link_hash")
    same([version, invite_id, org, key, inviter, inviter_key, link_hash], [b"\1", *expected], "fields")
    same([int.from_bytes(seq, "big"), origin], [case["seq"], case["origin"]], "position and origin")


def invite_keys(case):
    key, invite_id, org, joiner, sig = raw(case, "secret", "invite_id", "org_id", "joiner_key_id", "join_signature")
    prk = kv.hk(b"kv1/invite", key, invite_id)
    sign, auth, kem = (kv.hx(prk, label) for label in ("kv1/inv/sign", "kv1/inv/auth", "kv1/inv/kem"))
    sign_pk, auth_pk, kem_pk = kv.ed25519_public(sign), kv.ed25519_public(auth), kv.xwing_private(kem)[1]
    if kv.h(0x0104, encode([sign_pk, auth_pk, kem_pk])) != raw(case, "invite_key_id"):
        raise Refused("E_INVITE")
    same([sign_pk, auth_pk, kem, kem_pk], raw(case, "sign_pk", "auth_pk", "kem_seed", "kem_pk"), "keys")
    kv.verify(sign_pk, 4, encode([org, invite_id, joiner]), sig)


def recovery(case):
    kinds = {
        "link_words": link_words,
        "link_text": link_text,
        "link": link,
        "break_glass": break_glass,
        "shares": shares,
        "new_keys": new_keys,
        "return": way_back,
    }
    kinds[case["kind"]](case)


def link_words(case):
    link_id = kv.from_words(case["words"])
    same([link_id, kv.h(0x0105, raw(case, "kem_pk"))[:16]], [raw(case, "link_id")] * 2, "hash of the key")


def link_text(case):
    version, link_id, origin = kv.fields(kv.unwrap_text("kvd1_", case["text"]), 1, 16)
    same([version, link_id, origin], [b"\1", raw(case, "link_id"), case["origin"]], "fields")


def link(case):
    opened = kv.open_link(raw(case, "kem_seed"), case["origin"], raw(case, "sealed"))
    expected = [1, *raw(case, "account_id", "slot_key", "secret_key", "key_id"), case["generation"]]
    same(opened, dict(enumerate(expected, 1)), "what the device is given")


def break_glass(case):
    version, identity_id, seed, *_, origin = kv.fields(kv.unwrap_text("kvb1_", case["text"]), 1, 16, 32, 8, 32, 8, 32)
    same([version, identity_id, seed, origin], [b"\1", *raw(case, "identity_id", "seed"), case["origin"]], "fields")


def shares(case):
    same(kv.combine([kv.unwrap_text("kvp1_", text) for text in case["texts"]]), raw(case, "secret"), "the secret")


def new_keys(case):
    data = kv.unwrap_text("kvn1_", case["text"])
    same([data[:1], kv.verify_bundle(*decode(data[1:]))[1]], [b"\1", raw(case, "key_id")], "keys")


def way_back(case):
    version, org, seq, link_hash, author, origin = kv.fields(kv.unwrap_text("kvo1_", case["text"]), 1, 32, 8, 32, 32)
    same([version, org, link_hash, author], [b"\1", *raw(case, "org_id", "link_hash", "author_key_id")], "fields")
    same([int.from_bytes(seq, "big"), origin], [case["seq"], case["origin"]], "position and origin")


OUTCOMES = ["valid", "invalid", "limited", "quota", "blocked", "throttled", "provider_error", "network_error"]


def health(case):
    payload, sig, public = raw(case, "payload", "signature", "sign_pk")
    if len(payload) > 512:
        raise Refused("E_LIMIT")
    report = decode(payload)
    if list(report) != list(range(1, 11)) or report[1] != 1 or report[6] not in range(1, 9) or not isinstance(report[5], int):
        raise Refused("E_UPGRADE")
    if report[2] != raw(case, "org_id"):
        raise Refused("E_ORG_ID")
    if report[3] != raw(case, "ns_id"):
        raise Refused("E_UNKNOWN_NAMESPACE")
    if report[7] > case["now_ms"] + 600_000:
        raise Refused("E_CLOCK")
    if [report[8], report[9]] != raw(case, "prober_id", "prober_key_id"):
        raise Refused("E_AUTHOR")
    kv.verify(public, 5, payload, sig)
    same([report[4], report[5]], [raw(case, "secret_id"), case["version"]], "secret and version")
    expires = [] if case["expires_ms"] is None else [case["expires_ms"]]
    same([OUTCOMES[report[6] - 1], report[7], report[10]], [case["outcome"], case["at_ms"], expires], "finding")


FILES = {
    "cbor": cbor,
    "hash": hashed,
    "signature": signature,
    "aead": aead,
    "padding": padding,
    "identity": identity,
    "namespace": namespace,
    "wrap": wrap,
    "secret": secret,
    "account": account,
    "codes": codes,
    "recovery": recovery,
    "health": health,
}


def refused_with(check, case):
    """The code of the refusal. What the check compares after opening is not there in an invalid case: reaching it means accepted."""
    try:
        check(case)
    except Refused as refused:
        return refused.code
    except (KeyError, AssertionError, TypeError):
        return "accepted"
    return "accepted"


def run(name, check):
    wrong = []
    content = json.loads((VECTORS / f"{name}.json").read_text())
    for case in content["valid"]:
        try:
            check(case)
        except (Refused, AssertionError, KeyError, ValueError) as error:
            wrong.append(f"{name}: {case['name']}: {type(error).__name__} {error}")
    for case in content["invalid"]:
        code = refused_with(check, case)
        if code != case["error"]:
            wrong.append(f"{name}: {case['name']}: {code} instead of {case['error']}")
    print(f"{name}: {len(content['valid'])} valid, {len(content['invalid'])} invalid, {len(wrong)} disagreements")
    return wrong


def main():
    wrong = [line for name, check in FILES.items() for line in run(name, check)]
    unread = {path.stem for path in VECTORS.glob("*.json")} - set(FILES)
    for line in wrong:
        print(line, file=sys.stderr)
    if unread:
        print(f"not read here: {', '.join(sorted(unread))}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
