//! TV18: a secret is named like a variable that programs obey (`LD_PRELOAD`, `NODE_OPTIONS`, `PATH`). The server cannot plant a secret (MG03); a
//! writer can, and then `keyvawlt run` starts nothing unless its user allows the name.

use crate::attack::{Expected, Row, Try};
use crate::black_box::{Machine, text};
use crate::scene::Scene;
use keyvawlt_client::SecretWrite;

pub const ROW: Row = Row {
    id: "TV18",
    title: "Lets a writer plant a variable that makes programs load other code",
    tries: &[Try::new("LD_PRELOAD, NODE_OPTIONS and PATH in the environment that a program is started with", Expected::Defeated(|| Box::pin(planted())))],
};

const USAGE: i32 = 2;

async fn planted() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let write = |name: &str| SecretWrite::new(name, "/tmp/evil.so");
    scene.ada.vault().write(&production, &["GREETING", "LD_PRELOAD", "NODE_OPTIONS", "PATH"].map(write)).await.expect("a writer may");
    let bob = Machine::of(&mut scene);
    let run = async |name: &str| bob.run(&["run", "--only", name, "--", "/bin/sh", "-c", "echo started $GREETING"]).await;
    assert_eq!(text(&run("GREETING").await.stdout), "started /tmp/evil.so\n", "the control: a name that nothing obeys");
    for name in ["LD_PRELOAD", "NODE_OPTIONS", "PATH"] {
        let output = run(name).await;
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(USAGE), ""), "{name} was set");
        assert!(text(&output.stderr).contains("DANGEROUS_NAME"), "{}", text(&output.stderr));
    }
    scene.end().await;
}
