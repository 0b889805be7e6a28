//! Compiles the contract with protox: no protoc, no system package.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 10] = [
    "keyvawlt/v1/account.proto",
    "keyvawlt/v1/error_reason.proto",
    "keyvawlt/v1/key_health.proto",
    "keyvawlt/v1/monitor.proto",
    "keyvawlt/v1/namespace.proto",
    "keyvawlt/v1/notification.proto",
    "keyvawlt/v1/organization.proto",
    "keyvawlt/v1/rotation.proto",
    "keyvawlt/v1/server.proto",
    "keyvawlt/v1/statement.proto",
];

#[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through its environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=keyvawlt");
    let descriptors =
        protox::Compiler::new(["."])?.include_imports(true).include_source_info(true).open_files(FILES)?.file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("keyvawlt.bin"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().bytes(".keyvawlt.v1").compile_fds(descriptors)?;
    Ok(())
}
