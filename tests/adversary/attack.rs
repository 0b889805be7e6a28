//! What an attack is, and how one is judged: control first, then the lie to everybody, then the lie to one client.

use crate::black_box::{self, BlackBox};
use crate::proxy::{Audience, Who};
use crate::scene::Scene;
use keyvawlt_client::Error;
use keyvawlt_ledger::Code;
use std::pin::Pin;

/// A row of the table.
pub struct Row {
    /// As in the table.
    pub id: &'static str,
    /// What the malicious server does.
    pub title: &'static str,
    /// The ways it was tried.
    pub tries: &'static [Try],
}

/// A row that no play tries: what comes of it, and why there is none.
pub struct Untried {
    /// As in the table.
    pub id: &'static str,
    /// What the malicious server does.
    pub title: &'static str,
    /// `OUT OF SCOPE`, or that it waits.
    pub result: &'static str,
    /// The reason, or the feature it waits for.
    pub why: &'static str,
}

/// One way of trying.
pub struct Try {
    /// How.
    pub what: &'static str,
    /// What must come of it.
    pub result: Expected,
    /// The same lie told to the command line, as a program that is only run.
    pub command_line: Option<fn(Code) -> Playing>,
}

/// What must come of a try.
pub enum Expected {
    /// The client stops with this code, whoever is told the lie.
    Detected(Code, Play),
    /// The same, for a lie that cannot be told to one only: it is part of what everybody verifies.
    DetectedByAll(Code, Play),
    /// It has no effect; the play has its own control.
    Defeated(fn() -> Playing),
    /// It gains something that the play measures, and nothing beyond it.
    Reduced(fn() -> Playing),
    /// Nothing stops it, and the play shows where people see it.
    Visible(fn() -> Playing),
    /// There is no code path for it; the check must find one where it is planted.
    Absent(fn()),
}

/// A play that has begun.
pub type Playing = Pin<Box<dyn Future<Output = ()>>>;

type Play = fn(Telling) -> Playing;

impl Try {
    /// A lie that must be detected with `code`.
    pub const fn detected<A: Attack + 'static>(what: &'static str, code: Code) -> Self {
        Self::new(what, Expected::Detected(code, |telling| Box::pin(play::<A>(telling))))
    }

    /// A lie that must be detected with `code`, and reaches everybody.
    pub const fn detected_by_all<A: Attack + 'static>(what: &'static str, code: Code) -> Self {
        Self::new(what, Expected::DetectedByAll(code, |telling| Box::pin(play::<A>(telling))))
    }

    /// A try with this result, at the client library only.
    pub const fn new(what: &'static str, result: Expected) -> Self {
        Self { what, result, command_line: None }
    }

    /// The same lie is also told to the command line.
    pub const fn and_command_line<B: BlackBox + 'static>(self) -> Self {
        Self { command_line: Some(|code| Box::pin(black_box::play::<B>(code))), ..self }
    }
}

/// Who is told the lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nobody: the control.
    Nobody,
    /// Everybody, and the code that must come of it.
    Everybody(Code),
    /// One client, while the others hear the truth.
    One(Code),
}

/// An attack: the scenario, the lie, and the honest client that must not fall for it.
pub trait Attack: Sized {
    /// What the client must write before it can hear the lie, each time it acts.
    const WRITES: usize = 0;

    /// All that happens before the lie.
    async fn prepare(scene: &mut Scene) -> Self;

    /// The client that a server picks who lies to one only.
    fn victim(&self, scene: &Scene) -> Who;

    /// The lie.
    async fn lie(&mut self, scene: &mut Scene, audience: Audience);

    /// The same move made by somebody who may, where there is a move: it shows in the control that nothing but the lie is refused.
    async fn truth(&mut self, _scene: &mut Scene) {}

    /// What the honest client then does.
    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error>;

    /// What it does next, told that its user insists.
    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.act(scene).await
    }
}

/// One play: the control, or the lie and its detection.
pub async fn play<A: Attack>(telling: Telling) {
    let mut scene = Box::pin(Scene::start()).await;
    let mut attack = Box::pin(A::prepare(&mut scene)).await;
    match telling {
        Telling::Nobody => {
            attack.truth(&mut scene).await;
            attack.act(&mut scene).await.expect("the control: without the lie the client goes on");
        }
        Telling::Everybody(code) => {
            attack.lie(&mut scene, Audience::Everybody).await;
            detect(&mut attack, &mut scene, code).await;
        }
        Telling::One(code) => {
            let victim = attack.victim(&scene);
            attack.lie(&mut scene, Audience::Only(victim)).await;
            detect(&mut attack, &mut scene, code).await;
            scene.others_go_on(victim).await;
        }
    }
    scene.end().await;
}

/// The client stops with the code, at once and when told again, and sends nothing that could change anything.
async fn detect<A: Attack>(attack: &mut A, scene: &mut Scene, code: Code) {
    let before = scene.server.writes();
    expect_code("at first", attack.act(scene).await, code);
    expect_code("when its user insists", attack.insist(scene).await, code);
    assert_eq!(scene.server.writes(), before + 2 * A::WRITES, "the client wrote after the lie");
}

fn expect_code(when: &str, outcome: Result<(), Error>, code: Code) {
    match outcome {
        Err(Error::Verification(fault)) if fault.code == code => {}
        Err(other) => panic!("{when} the client must stop with {code}, but: {other}"),
        Ok(()) => panic!("{when} the client must stop with {code}, but it went on: THE ATTACK SUCCEEDS"),
    }
}
