//! Machine tokens and invites: their texts, and an invite's keys.

use super::seeded::Seeded;
use super::{Case, File};
use keyvawlt_crypto::{Identity, InviteCode, InviteKeys, MachineToken, Zeroizing};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{Domain, Hash, IdentityId, InviteId, KeyId, OrgId, chain, sign};

const ORIGIN: &str = "https://vault.example.com:443";

pub fn file() -> File {
    let mut rng = Seeded::new("codes");
    let mut file = File {
        name: "codes.json",
        about: "prefix || base64url(fields) || _ || crc32 of all that in base62; the keys of an invite and its join signature.",
        valid: vec![],
        invalid: vec![],
    };
    machine(&mut rng, &mut file);
    let code = invite_code(&mut rng);
    invite_texts(&code, &mut file);
    invite_keys(&code, &mut rng, &mut file);
    file
}

fn machine(rng: &mut Seeded, file: &mut File) {
    let identity = Identity::make(kind::MACHINE, 1_790_000_000_000, rng);
    let token = MachineToken::new(&identity, OrgId(rng.array()), 41, Hash(rng.array()), ORIGIN);
    let text = token.encode().expect("an origin");
    let case = Case::new("a machine token")
        .with("kind", "machine")
        .with("text", text.as_str())
        .bytes("identity_id", token.identity_id)
        .bytes("seed", token.seed.expose())
        .with("created_ms", token.created_ms)
        .bytes("org_id", token.org_id)
        .with("seq", token.seq)
        .bytes("link_hash", token.link_hash)
        .with("origin", ORIGIN);
    file.valid.push(case.bytes("key_id", identity.key_id()).valid());
    let mistakes = [
        ("a changed character", swapped(&text, 60)),
        ("a changed checksum", swapped(&text, text.len() - 1)),
        ("cut off", text[..text.len() - 9].to_owned()),
        ("without its prefix", text[5..].to_owned()),
        ("another kind of code", text.replacen("kvm1_", "kvi1_", 1)),
        ("nothing", String::new()),
    ];
    for (name, text) in mistakes {
        let case = Case::new("").with("kind", "machine").with("text", text.as_str());
        file.invalid.push(case.refused(name, MachineToken::parse(&text)));
    }
}

fn invite_code(rng: &mut Seeded) -> InviteCode {
    InviteCode {
        invite_id: InviteId(rng.array()),
        org_id: OrgId(rng.array()),
        secret: Zeroizing::new(rng.array()),
        inviter_id: IdentityId(rng.array()),
        inviter_key_id: KeyId(rng.array()),
        seq: 12,
        link_hash: Hash(rng.array()),
        origin: ORIGIN.to_owned(),
    }
}

fn invite_texts(code: &InviteCode, file: &mut File) {
    let text = code.encode().expect("an origin");
    let case = |name: &str, text: &str| {
        Case::new(name)
            .with("kind", "invite")
            .with("text", text)
            .bytes("invite_id", code.invite_id)
            .bytes("org_id", code.org_id)
            .bytes("secret", *code.secret)
            .bytes("inviter_id", code.inviter_id)
            .bytes("inviter_key_id", code.inviter_key_id)
            .with("seq", code.seq)
            .bytes("link_hash", code.link_hash)
            .with("origin", ORIGIN)
            .valid()
    };
    file.valid.push(case("an invite code", &text));
    file.valid.push(case("in the fragment of a link", &format!("{ORIGIN}/join#{}", *text)));
    let mistakes = [
        ("a changed character in an invite code", swapped(&text, 60)),
        ("in a query string", format!("{ORIGIN}/join?code={}", *text)),
        ("in a path", format!("{ORIGIN}/{}", *text)),
        ("a link without a code", format!("{ORIGIN}/join")),
    ];
    for (name, text) in mistakes {
        let case = Case::new("").with("kind", "invite").with("text", text.as_str());
        file.invalid.push(case.refused(name, InviteCode::parse(&text)));
    }
}

fn invite_keys(code: &InviteCode, rng: &mut Seeded, file: &mut File) {
    let keys = code.keys();
    let joiner = KeyId(rng.array());
    let signature = keys.join_signature(&code.org_id, &joiner);
    let case = Case::new("an invite's keys")
        .with("kind", "invite_keys")
        .bytes("secret", *code.secret)
        .bytes("invite_id", code.invite_id)
        .bytes("org_id", code.org_id)
        .bytes("joiner_key_id", joiner)
        .bytes("sign_pk", keys.sign_pk())
        .bytes("auth_pk", keys.auth_pk())
        .bytes("kem_seed", keys.kem_seed().expose())
        .bytes("kem_pk", keys.kem_pk())
        .bytes("invite_key_id", keys.key_id())
        .bytes("join_signature", signature);
    file.valid.push(case.clone().valid());
    let verify = |org_id: &OrgId, joiner: &KeyId| {
        let statement = chain::join_statement(org_id, &code.invite_id, joiner);
        sign::verify(&keys.sign_pk(), Domain::InviteJoin, &statement, &signature)
    };
    let other = KeyId([7; 32]);
    file.invalid.push(case.clone().bytes("joiner_key_id", other).refused("a join by other keys", verify(&code.org_id, &other)));
    let elsewhere = OrgId([7; 32]);
    file.invalid.push(case.clone().bytes("org_id", elsewhere).refused("a join elsewhere", verify(&elsewhere, &joiner)));
    let wrong = InviteKeys::derive(&[7; 16], code.invite_id);
    file.invalid.push(case.bytes("secret", [7; 16]).refused("another secret's keys", wrong.check_against(&keys.key_id())));
}

/// The text with one letter or digit replaced by another.
fn swapped(text: &str, at: usize) -> String {
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
