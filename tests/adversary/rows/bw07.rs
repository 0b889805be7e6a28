//! BW07 (with LP04, 1P04, DL04): the server lowers the cost of guessing the password. Argon2id's parameters and salt are constants of the
//! account's suite: no message names one, and a login asks for nothing before it proves what it knows.

use crate::attack::{Expected, Row, Try};
use crate::contract::names_none_of;
use crate::rpcs::{LogIn, ReadAccount, Rpc as _};
use crate::scene::{PASSWORD, Scene};
use crate::table::block_on;

pub const ROW: Row = Row {
    id: "BW07",
    title: "Lowers the cost of guessing the password (also LP04, 1P04, DL04)",
    tries: &[
        Try::new("the contract names no parameter of a key derivation", Expected::Absent(contract)),
        Try::new("a new machine's login asks for nothing first", Expected::Absent(login)),
    ],
};

fn contract() {
    names_none_of(&["kdf", "argon", "pbkdf", "iteration", "rounds", "memory", "parallel", "salt", "cost"]);
}

fn login() {
    block_on(async {
        let scene = Scene::start().await;
        let before = scene.server.calls().len();
        scene.client().log_in(scene.bob.account.id(), &scene.bob.secret_key, PASSWORD, None).await.expect("a login");
        let paths: Vec<String> = scene.server.calls()[before..].iter().map(|call| call.path.clone()).collect();
        assert_eq!(paths, [LogIn::PATH, ReadAccount::PATH]);
        scene.end().await;
    });
}
