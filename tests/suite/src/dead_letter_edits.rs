//! Dead letters that travel to another place, and those that are edited.

use shared::{schema::encode, store::DeadLetterFilter};

use crate::{
    dead_letter_rig::{
        DEAD, FailingWorker, await_dead_letters, empty_rig, leave_dead_letters, message, operator,
        operator_json, settled,
    },
    eventually::eventually,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_travel_to_another_rig() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 5, 50).await;
    let (code, exported, err) = operator(&rig, "dead-letters export").await;
    assert_eq!((code, exported.lines().count()), (0, 50), "{err}");
    let file = std::env::temp_dir().join(format!("dead-letters-{}.ndjson", std::process::id()));
    let mut other = empty_rig().await;

    std::fs::write(&file, &exported[..exported.len() / 2]).expect("a file");
    let import = format!("dead-letters import {} --yes", file.display());
    let (code, _, err) = operator(&other, &import).await;
    assert_eq!(code, 1);
    assert!(err.contains("line 2") && err.contains("Nothing was changed"), "{err}");
    await_dead_letters(&other, 0).await;

    std::fs::write(&file, &exported).expect("a file");
    let imported = operator_json(&other, &import).await;
    assert_eq!(imported["imported"].as_array().map(Vec::len), Some(50));
    let again = operator_json(&other, &import).await;
    assert_eq!(
        (again["imported"].as_array().map(Vec::len), again["there_already"].as_i64()),
        (Some(0), Some(50))
    );
    std::fs::remove_file(&file).expect("a file");
    await_dead_letters(&other, 50).await;
    let counts = |groups: Vec<shared::store::DeadLetterGroup>| {
        groups.into_iter().map(|group| (group.fingerprint, group.letters)).collect::<Vec<_>>()
    };
    let all = DeadLetterFilter::default();
    assert_eq!(
        counts(rig.store.dead_letter_groups(&all, None).await.expect("groups")),
        counts(other.store.dead_letter_groups(&all, None).await.expect("groups"))
    );
    // And they can be sent back there.
    let worker = FailingWorker::of(&other, 0);
    other.start(worker.clone());
    let replay = operator_json(&other, "dead-letters replay --all --yes").await;
    let report = settled(&other, replay["replay_id"].as_i64().expect("a number")).await;
    assert_eq!((report.done, worker.handled().len()), (50, 50));
    other.end(&[]).await;
    rig.end(&[(DEAD, 50)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn editing_is_off_by_default_and_leaves_a_trace() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 1).await;
    let file = std::env::temp_dir().join(format!("edited-{}.json", std::process::id()));
    let body = String::from_utf8(encode(&message(1))).expect("text");
    let edit = format!("dead-letters edit 1 --body {} --yes --by ada", file.display());

    std::fs::write(&file, body.replace('{', "{\"remark\":\"x\",")).expect("a file");
    let (code, _, err) = operator(&rig, &edit).await;
    assert_eq!(code, 2);
    assert!(err.contains("editing is off"), "{err}");
    std::fs::write(&file, body.replace("\"chunk\":1", "\"chunk\":2")).expect("a file");
    let (code, _, err) = operator(&rig, &format!("{edit} --allow-edit")).await;
    assert_eq!(code, 2);
    assert!(err.contains("chunk is locked"), "{err}");
    await_dead_letters(&rig, 1).await;

    worker.fail_with(0);
    std::fs::write(&file, body.replace('{', "{\"remark\":\"x\",")).expect("a file");
    let (code, _, err) = operator(&rig, &format!("{edit} --allow-edit")).await;
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("+  \"remark\": \"x\""), "{err}");
    std::fs::remove_file(&file).expect("a file");
    let dead_letter = rig.store.dead_letter(1).await.expect("a dead letter").expect("it");
    let event = dead_letter.events.iter().find(|event| event.event == "edited").expect("an event");
    assert_eq!(event.by, "ada");
    assert!(event.detail.contains("+  \"remark\": \"x\""), "{}", event.detail);
    eventually("it should be handled", || async {
        if worker.handled().len() == 1 { Ok(()) } else { Err("not yet") }
    })
    .await;
    rig.end(&[]).await;
}
