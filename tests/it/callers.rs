//! Every rpc of the contract, asked by every kind of caller over the real wire; the outcomes are a table that people review.
//!
//! The list of rpcs is the descriptor set's: a new one without a row, or one that names something without a pair, fails here. For whatever a
//! request names, something absent and something of another organization get the same answer, byte for byte.

mod asking;
mod monitors;
mod notices;
mod pairs;
mod rows;
mod stage;
mod statements;

use crate::world::{World, on_each_store};
use asking::{Ask, CALLER_ORDER, outcome, without_request_id};
use keyvawlt_proto::DESCRIPTORS;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Type;
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use tonic::Code;

on_each_store!(
    every_rpc_answers_every_kind_of_caller_as_reviewed,
    absent_and_forbidden_answer_the_same_bytes,
    a_repeated_request_about_a_channel_is_answered_as_before,
);

/// Names that requests choose themselves, or that nobody knows but those for whom they are.
const CHOSEN: [&str; 3] = ["request_id", "account_id", "link_id"];

async fn every_rpc_answers_every_kind_of_caller_as_reviewed(world: World) {
    let mut stage = Box::pin(Stage::set(world)).await;
    let mut legend: BTreeMap<String, Code> = BTreeMap::new();
    let mut table = header();
    let mut asked = BTreeSet::new();
    for row in rows::rows() {
        let mut line = format!("| {:38} |", row.about);
        for name in CALLER_ORDER {
            stage.refresh().await;
            let caller = stage.caller(name);
            let ask = (row.ask)(&stage, caller);
            asked.insert(ask.rpc());
            let (word, code) = outcome(&ask.send(&stage.channel, caller).await);
            legend.insert(word.clone(), code);
            write!(line, " {word:^11} |").unwrap();
        }
        table.push_str(&line);
        table.push('\n');
    }
    table.push('\n');
    for (word, code) in legend {
        writeln!(table, "* {word}: {code:?}").unwrap();
    }
    assert_eq!(asked, rpcs().keys().map(String::as_str).collect(), "every rpc has a row, and every row an rpc");
    insta::assert_snapshot!("callers", table);
    stage.world.stop().await;
}

async fn absent_and_forbidden_answer_the_same_bytes(world: World) {
    let mut stage = Box::pin(Stage::set(world)).await;
    stage.refresh().await;
    let mut compared = BTreeSet::new();
    for pair in pairs::pairs(&stage) {
        for caller in stage.callers.iter().filter(|caller| pair.asked_by(caller)) {
            let absent = without_request_id(pair.absent.clone().send(&stage.channel, caller).await);
            let forbidden = without_request_id(pair.forbidden.clone().send(&stage.channel, caller).await);
            let what = format!("{} asks {}: {}", caller.name, pair.absent.rpc(), pair.about);
            assert_eq!(absent, forbidden, "{what}");
            assert!(absent.is_err() || absent == Ok(vec![]), "{what}: of what is nowhere, nothing is told");
        }
        compared.insert(pair.absent.rpc());
    }
    let naming = rpcs().into_iter().filter(|(_, names)| *names).map(|(rpc, _)| rpc).collect::<Vec<_>>();
    let missing: Vec<&String> = naming.iter().filter(|rpc| !compared.contains(rpc.as_str())).collect();
    assert!(missing.is_empty(), "rpcs that name something, without a pair: {missing:?}");
    stage.world.stop().await;
}

async fn a_repeated_request_about_a_channel_is_answered_as_before(world: World) {
    let stage = Box::pin(Stage::set(world)).await;
    let asked = async |ask: &Ask, name: &str| ask.clone().send(&stage.channel, stage.caller(name)).await;
    let once = notices::changes_once(&stage, "owner");
    for (ask, of_another) in once.iter().zip(notices::changes_once(&stage, "admin")) {
        let first = asked(ask, "owner").await.expect("an answer");
        assert_eq!(asked(ask, "owner").await.expect("an answer"), first, "{}", ask.rpc());
        let others = asked(&of_another, "admin").await.expect("an answer");
        assert!(others != first || first.is_empty(), "{}: somebody else's request is another one", ask.rpc());
    }
    let deliveries = notices::everybodys_deliveries(&asked(&notices::all_deliveries(&stage), "owner").await.expect("deliveries"));
    assert_eq!(deliveries.iter().map(|it| it.notices).sum::<u64>(), 2, "one trial for each who asked");
    let other = notices::under_the_id_of(&once[0], &once[1]);
    let refused = asked(&other, "owner").await.expect_err("the id is another call's");
    assert!(refused.message().contains("request_id"), "{refused}");
    stage.world.stop().await;
}

#[test]
fn every_rpc_of_the_contract_can_be_asked() {
    assert_eq!(Ask::RPCS.iter().copied().collect::<BTreeSet<_>>(), rpcs().keys().map(String::as_str).collect());
}

/// The contract's rpcs, and whether their requests name something that may or may not exist.
fn rpcs() -> BTreeMap<String, bool> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).expect("the descriptor set");
    let own: Vec<_> = files.file.iter().filter(|file| file.package() == "keyvawlt.v1").collect();
    let names_something = |request: &str| {
        let message = own.iter().flat_map(|file| &file.message_type).find(|message| request.ends_with(&format!(".{}", message.name())));
        let id = |name: &str| (name.ends_with("_id") || name.ends_with("_ids")) && !CHOSEN.contains(&name);
        message.expect("a request").field.iter().any(|field| field.r#type() == Type::Bytes && id(field.name()))
    };
    let methods = own.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
    methods.map(|method| (method.name().to_owned(), names_something(method.input_type()))).collect()
}

fn header() -> String {
    let mut header = format!("| {:38} |", "");
    let mut rule = format!("|:{}|", "-".repeat(39));
    for name in CALLER_ORDER {
        write!(header, " {name:^11} |").unwrap();
        write!(rule, ":{}:|", "-".repeat(11)).unwrap();
    }
    format!("{header}\n{rule}\n")
}
