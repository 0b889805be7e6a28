//! Padding of payloads and names.

use super::{Case, File};
use keyvawlt_crypto::pad;

pub fn file() -> File {
    let mut valid = Vec::new();
    for length in [0, 1, 255, 256, 511, 512] {
        let content = vec![0x61; length];
        let case = Case::new(&format!("a payload of {length} bytes")).with("rule", "payload").bytes("content", &content);
        valid.push(case.bytes("padded", &*pad::pad(&content)).valid());
    }
    for length in [1023, 1024, 2047, 2048, 4095, 4096, 5000, 8191, 65_535, 65_536, 70_000] {
        let padded = pad::pad(&vec![0x61; length]).len();
        let case = Case::new(&format!("the size of a payload of {length} bytes")).with("rule", "payload");
        valid.push(case.with("content_length", length).with("padded_length", padded).valid());
    }
    for name in ["", "supabase/access_token"] {
        let case = Case::new(&format!("the name {name:?}")).with("rule", "name").bytes("content", name);
        valid.push(case.bytes("padded", &*pad::pad64(name.as_bytes())).valid());
    }
    for length in [63, 64, 256] {
        let padded = pad::pad64(&vec![0x61; length]).len();
        let case = Case::new(&format!("the size of a name of {length} bytes")).with("rule", "name");
        valid.push(case.with("content_length", length).with("padded_length", padded).valid());
    }
    let mut longer = pad::pad(b"x").to_vec();
    longer.resize(512, 0);
    let mut other_mark = pad::pad(b"x").to_vec();
    other_mark[1] = 0x81;
    let invalid = [
        ("a larger size than needed", longer),
        ("no mark", vec![0; 256]),
        ("another mark", other_mark),
        ("a size that is none", b"x\x80\x00".to_vec()),
        ("nothing", vec![]),
    ]
    .map(|(name, padded)| Case::new("").with("rule", "payload").bytes("padded", &padded).refused(name, pad::unpad(&padded)));
    File { name: "padding.json", about: "content || 80 || 00…, to one of few sizes.", valid, invalid: invalid.to_vec() }
}
