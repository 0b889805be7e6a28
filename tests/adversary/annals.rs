//! The annals go on from where they were left: links that were replayed once are not asked for again, and what comes of it is the same.

use crate::proxy::Audience;
use crate::rpcs::ReadChain;
use crate::scene::Scene;
use std::sync::{Arc, Mutex};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annals_go_on_from_where_they_were_left() {
    let mut scene = Scene::start().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    scene.server.answers::<ReadChain>(Audience::Everybody, move |request, _| heard.lock().unwrap().push(request.from_seq));
    let first = scene.ada.vault().annals().await.unwrap();
    assert_eq!(std::mem::take(&mut *asked.lock().unwrap())[0], 0, "of the first links nothing was known");
    assert_eq!(scene.ada.vault().annals().await.unwrap(), first);
    assert_eq!(*asked.lock().unwrap(), [0; 0], "nothing has happened since");
    let production = scene.production;
    scene.bob.read_all(&production).await.unwrap();
    scene.ada.vault().create_environment("agents", "staging", 2).await.unwrap();
    let second = scene.ada.vault().annals().await.unwrap();
    assert!(second.tip().0 > first.tip().0);
    assert_eq!(*asked.lock().unwrap(), [first.tip().0], "only what is new is asked for");
    // Whoever has none makes the same from the beginning.
    scene.bob.read_all(&production).await.unwrap();
    assert_eq!(scene.bob.vault().annals().await.unwrap(), second);
    scene.end().await;
}
