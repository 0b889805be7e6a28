//! KV-AEAD-1.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use keyvawlt_crypto::{Key, aead};

pub fn file() -> File {
    let mut rng = Seeded::new("aead");
    let published = Case::new("the protocol's own")
        .bytes("key", [3; 32])
        .bytes("ctx", "ctx")
        .bytes("plaintext", "sk_live_x")
        .bytes("sealed", aead::seal_with_salt(&Key::from_bytes([3; 32]), b"ctx", b"sk_live_x", &[5; 32]));
    let mut valid = vec![published.valid()];
    for (name, length) in [("an empty plaintext", 0), ("one block", 64), ("longer than a block", 100)] {
        let key: [u8; 32] = rng.array();
        let plaintext = vec![0x61; length];
        let sealed = aead::seal(&Key::from_bytes(key), name.as_bytes(), &plaintext, &mut rng);
        let case = Case::new(name).bytes("key", key).bytes("ctx", name).bytes("plaintext", plaintext).bytes("sealed", sealed);
        valid.push(case.valid());
    }
    let key: [u8; 32] = rng.array();
    let ctx = b"kv1/test";
    let sealed = aead::seal(&Key::from_bytes(key), ctx, b"a secret", &mut rng);
    let case = Case::new("").bytes("key", key).bytes("ctx", ctx).bytes("sealed", &sealed);
    let open = |key: &[u8], ctx: &[u8], sealed: &[u8]| aead::open(&Key::from_slice(key).expect("32 bytes"), ctx, sealed);
    let mut invalid = Vec::new();
    for (name, at) in
        [("a bit of the salt", 0), ("a bit of the commitment", 32), ("a bit of the ciphertext", 64), ("a bit of the tag", sealed.len() - 1)]
    {
        let sealed = flipped(&sealed, at);
        invalid.push(case.clone().bytes("sealed", &sealed).refused(name, open(&key, ctx, &sealed)));
    }
    invalid.push(case.clone().bytes("ctx", "kv1/tesu").refused("another context", open(&key, b"kv1/tesu", &sealed)));
    let other = flipped(key, 31);
    invalid.push(case.clone().bytes("key", &other).refused("another key", open(&other, ctx, &sealed)));
    for (name, length) in [("the last byte missing", sealed.len() - 1), ("no ciphertext", 64), ("half a salt", 16), ("nothing", 0)] {
        let cut = &sealed[..length];
        invalid.push(case.clone().bytes("sealed", cut).refused(name, open(&key, ctx, cut)));
    }
    File { name: "aead.json", about: "KV-AEAD-1: sealed = salt(32) || commit(32) || ChaCha20-Poly1305 ciphertext and tag.", valid, invalid }
}
