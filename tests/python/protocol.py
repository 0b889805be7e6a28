"""The protocol of docs/protocol.md with other libraries: hashlib, hmac and PyPI's `cryptography`."""

import base64
import hashlib
import json
import pathlib
import re
import unicodedata
import zlib

from canonical import Refused, decode, encode
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SUITE = 1
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
# y of the points of small order on edwards25519, and u of those on curve25519 (RFC 7748), as integers
SMALL_Y = {0, 1, P - 1, P, P + 1} | {
    int.from_bytes(bytes.fromhex(text), "little")
    for text in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
}
SMALL_U = {0, 1, P - 1, P, P + 1} | {
    int.from_bytes(bytes.fromhex(text), "little")
    for text in (
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    )
}


def h(domain, data):
    return hashlib.sha256(b"KVHASH1\0" + domain.to_bytes(2, "big") + data).digest()


def hk(salt, ikm, info, length=32):
    return HKDF(hashes.SHA256(), length, salt, info).derive(ikm)


def hx(key, label):
    return HKDFExpand(hashes.SHA256(), 32, label.encode()).derive(key)


def ctx(label, *fields):
    return encode([label, SUITE, *fields])


# Statements


def check_public_key(public):
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    if y in SMALL_Y or y >= P or not on_curve(y, public[31] >> 7):
        raise Refused("E_WEAK_KEY")


def on_curve(y, sign):
    d = -121665 * pow(121666, P - 2, P) % P
    x2 = (y * y - 1) * pow(d * y * y + 1, P - 2, P) % P
    return x2 == 0 and sign == 0 or pow(x2, (P - 1) // 2, P) == 1


def verify(public, domain, payload, signature):
    verify_raw(public, b"KVSIG1\0" + domain.to_bytes(2, "big") + payload, signature)


def verify_raw(public, message, signature):
    check_public_key(public)
    r, s = (int.from_bytes(half, "little") for half in (signature[:32], signature[32:]))
    r &= (1 << 255) - 1
    if len(signature) != 64 or r in SMALL_Y or r >= P or s >= L:
        raise Refused("E_SIG")
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        raise Refused("E_SIG") from None


def ed25519_public(seed):
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def ed25519_sign(seed, domain, payload):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return key.sign(b"KVSIG1\0" + domain.to_bytes(2, "big") + payload)


def verify_token(token, typ, public):
    signed, _, signature = token.rpartition(".")
    header, claims = (json.loads(unbase64(part)) for part in signed.split("."))
    if header != {"typ": typ, "alg": "EdDSA"}:
        raise Refused("E_SIG")
    verify_raw(public, signed.encode(), unbase64(signature))
    return claims


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify_bundle(payload, signature):
    bundle = decode(payload)
    if not isinstance(bundle, dict) or list(bundle) != list(range(1, 10)):
        raise Refused("E_UPGRADE")
    if bundle[1] != 1 or bundle[2] != SUITE or bundle[4] not in (1, 2, 3):
        raise Refused("E_UPGRADE")
    if [len(bundle[key]) for key in (3, 5, 6, 7)] != [16, 32, 32, 1216]:
        raise Refused("E_UPGRADE")
    check_public_key(bundle[5])
    check_public_key(bundle[6])
    if bundle[5] == bundle[6] or int.from_bytes(bundle[7][-32:], "little") & (1 << 255) - 1 in SMALL_U:
        raise Refused("E_WEAK_KEY")
    verify(bundle[5], 3, payload, signature)
    return bundle, h(0x0103, payload)


# Sealing


def aead_open(key, context, sealed, code="E_AEAD"):
    if len(sealed) < 80:
        raise Refused(code)
    okm = hk(sealed[:32], key, context, 76)
    if okm[44:] != sealed[32:64]:
        raise Refused(code)
    try:
        return ChaCha20Poly1305(okm[:32]).decrypt(okm[32:44], sealed[64:], b"")
    except InvalidTag:
        raise Refused(code) from None


def payload_size(length):
    for size in (256, 512, 1024, 2048, 4096):
        if length + 1 <= size:
            return size
    exponent = (length + 1).bit_length() - 1
    mask = (1 << exponent - exponent.bit_length()) - 1
    return length + 1 + mask & ~mask


def name_size(length):
    return (length // 64 + 1) * 64


def pad(content, size=payload_size):
    return (content + b"\x80").ljust(size(len(content)), b"\0")


def unpad(padded, size=payload_size, code="E_AEAD"):
    content = padded.rstrip(b"\0")[:-1]
    if pad(content, size) != padded:
        raise Refused(code)
    return content


# Identities and wraps


def xwing_private(seed):
    expanded = hashlib.shake_256(seed).digest(96)
    of_mlkem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    of_x25519 = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    public = of_mlkem.public_key().public_bytes_raw() + of_x25519.public_key().public_bytes_raw()
    return hpke.MLKEM768X25519PrivateKey(of_mlkem, of_x25519), public


HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def commit(org, ns, epoch, nk):
    return h(0x0120, encode([org, ns, epoch, hx(nk, "kv1/nk/commit")]))


def check_commit(org, ns, epoch, nk, expected):
    if commit(org, ns, epoch, nk) != expected:
        raise Refused("E_NK_COMMIT")
    return nk


def unwrap(record, recipient, recipient_key, kem_seed):
    wrap = decode(record)
    org, ns, epoch, to, to_key, _, _, nk_commit, enc, ct = wrap
    if len(enc) != 1120 or len(ct) != 48 or to != recipient or to_key != recipient_key:
        raise Refused("E_WRAP")
    try:
        nk = HPKE.decrypt(enc + ct, xwing_private(kem_seed)[0], ctx("kv1/wrap", *wrap[:8]))
    except Exception:  # the library's own errors differ between versions
        raise Refused("E_WRAP") from None
    return check_commit(org, ns, epoch, nk, nk_commit)


# Names


def check_name(name):
    segment = re.compile(r"[^\W]([^\W]|[.-])*", re.UNICODE)
    if len(name.encode()) > 256:
        raise Refused("E_LIMIT")
    if unicodedata.normalize("NFC", name) != name or not all(segment.fullmatch(part) for part in name.split("/")):
        raise Refused("E_NAME")
    return name


def check_prefix(prefix):
    if prefix:
        check_name(prefix.removesuffix("/"))
    return prefix


# Accounts


def root_key(password, secret_key, account_id):
    salt = hk(b"kv1/account", secret_key, ctx("kv1/pw", account_id))
    kdf = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=64 * 1024)
    return kdf.derive(unicodedata.normalize("NFKC", password).encode())


# Texts

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def unspell(prefix, length, check, typed):
    digits = re.sub(r"[\s-]", "", typed).upper()
    if not digits.startswith(prefix):
        raise Refused("E_CANON")
    digits = digits[len(prefix) :].translate(str.maketrans("OIL", "011"))
    if len(digits) * 5 != (length + check) * 8 or any(digit not in CROCKFORD for digit in digits):
        raise Refused("E_CANON")
    number = 0
    for digit in digits:
        number = number << 5 | CROCKFORD.index(digit)
    data = number.to_bytes(length + check, "big")
    if hashlib.sha256(prefix.encode() + data[:length]).digest()[:check] != data[length:]:
        raise Refused("E_CANON")
    return data[:length]


def crc_text(text):
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        digits = BASE62[number % 62] + digits
        number //= 62
    return digits


def unwrap_text(prefix, text):
    body, _, checksum = text.rpartition("_")
    if not text.startswith(prefix) or not body.startswith(prefix) or crc_text(body) != checksum:
        raise Refused("E_CANON")
    return unbase64(body[len(prefix) :])


def fields(data, *lengths):
    taken = []
    for length in lengths:
        if len(data) < length:
            raise Refused("E_CANON")
        taken.append(data[:length])
        data = data[length:]
    if not data or len(data) != 1 + data[0]:
        raise Refused("E_CANON")
    return [*taken, data[1:].decode()]


def in_fragment(text):
    if text.startswith("kvi1_") or not re.search(r"://|[?#]", text):
        return text
    sent, _, fragment = text.partition("#")
    if "kvi1_" in sent:
        raise Refused("E_INVITE")
    return fragment


# Lost devices and owners


def from_words(text):
    """BIP-39: eleven bits a word; behind 128 bits the first four of their SHA-256."""
    listed = (pathlib.Path(__file__).parents[2] / "crypto/src/words.txt").read_text().split()
    words = text.lower().split()
    if len(words) != 12 or any(word not in listed for word in words):
        raise Refused("E_CANON")
    number = 0
    for word in words:
        number = number << 11 | listed.index(word)
    found = (number >> 4).to_bytes(16, "big")
    if hashlib.sha256(found).digest()[0] >> 4 != number & 15:
        raise Refused("E_CANON")
    return found


def open_link(kem_seed, origin, sealed):
    private, public = xwing_private(kem_seed)
    try:
        padded = HPKE.decrypt(sealed, private, ctx("kv1/link", h(0x0105, public)[:16], origin))
    except Exception:  # the library's own errors differ between versions
        raise Refused("E_AEAD") from None
    return decode(unpad(padded))


def times(a, b):
    product = 0
    for bit in range(8):
        product ^= (b >> bit & 1) * (a << bit)
    for bit in range(14, 7, -1):
        product ^= (product >> bit & 1) * (0x11B << (bit - 8))
    return product


def inverse(a):
    return next(b for b in range(1, 256) if times(a, b) == 1)


def combine(shares):
    """Shamir over GF(256): version, set id, threshold, place, then a value for each byte."""
    head = {share[:10] for share in shares}
    places = [share[10] for share in shares]
    if len(head) != 1 or len(set(places)) != len(places) or len(shares) < shares[0][9]:
        raise Refused("E_CANON")
    whole = bytearray(len(shares[0]) - 11)
    for share in shares:
        weight = 1
        for other in places:
            if other != share[10]:
                weight = times(weight, times(other, inverse(other ^ share[10])))
        for at, value in enumerate(share[11:]):
            whole[at] ^= times(weight, value)
    if hashlib.sha256(whole[:-4]).digest()[:4] != whole[-4:]:
        raise Refused("E_CANON")
    return bytes(whole[:-4])
