//! What is laid over the base: scaling, a monitor, and the example with the servers.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use shared::topology::{RetryDelays, StageInfo, queues};

use super::documents::{all, example, kustomization};
use crate::settings::project_file;

#[test]
fn scaling_asks_the_management_api_about_queues_that_are_there() {
    let queues: Vec<String> = queues(&RetryDelays::default()).into_iter().map(|queue| queue.name).collect();
    let scaled = all::<Value>("ScaledObject");
    for object in &scaled {
        let target = object.pointer("/spec/scaleTargetRef/name").and_then(Value::as_str).expect("a target");
        let deployment = all::<Deployment>("Deployment");
        let deployment = deployment.iter().find(|one| one.metadata.name.as_deref() == Some(target));
        let replicas = deployment.and_then(|one| one.spec.as_ref()).expect("a deployment").replicas;
        assert_eq!(replicas, None, "{target}: applying it again would undo the scaling");
        let triggers = object.pointer("/spec/triggers").and_then(Value::as_array).expect("triggers");
        assert_eq!(triggers.len(), 1);
        let (trigger, metadata) = (&triggers[0], &triggers[0]["metadata"]);
        assert_eq!(trigger["type"], "rabbitmq");
        assert_eq!(metadata["protocol"], "http", "AMQP does not tell what is in hand");
        assert_eq!(metadata["mode"], "QueueLength");
        let queue = metadata["queueName"].as_str().expect("a queue");
        assert!(queues.iter().any(|name| name == queue), "{queue} is not in the topology");
        assert_eq!(queue, target, "a stage is scaled by its own queue");
        let value: u16 = metadata["value"].as_str().and_then(|value| value.parse().ok()).expect("a number");
        let stage = StageInfo::find(target).expect("a stage");
        assert!(value > 0 && metadata["excludeUnacknowledged"].is_null(), "{stage:?}");
        let authentication = trigger["authenticationRef"]["name"].as_str().expect("a name");
        assert_host_is_secret(authentication);
    }
    let targets: BTreeSet<_> = scaled.iter().filter_map(|one| one["metadata"]["name"].as_str()).collect();
    assert_eq!(targets, BTreeSet::from(["game-enricher", "channel-enricher", "finalizer"]));
}

/// Shows that an authentication takes the host from a secret that the example describes, and that it speaks HTTP.
fn assert_host_is_secret(name: &str) {
    let all = all::<Value>("TriggerAuthentication");
    let found = all.iter().find(|one| one["metadata"]["name"] == name).expect("an authentication");
    let reference = found.pointer("/spec/secretTargetRef/0").expect("a secret");
    assert_eq!(reference["parameter"], "host");
    let (secret, key) =
        (reference["name"].as_str().expect("a name"), reference["key"].as_str().expect("a key"));
    assert!(example()[secret].contains(key), "the example lacks {key} of {secret}");
}

#[test]
fn prometheus_reads_the_port_that_workers_name() {
    for monitor in all::<Value>("PodMonitor") {
        let endpoint = monitor.pointer("/spec/podMetricsEndpoints/0").expect("an endpoint");
        assert_eq!((&endpoint["port"], &endpoint["path"]), (&"http".into(), &"/metrics".into()));
        let wanted =
            monitor.pointer("/spec/selector/matchLabels").and_then(Value::as_object).expect("labels");
        for deployment in all::<Deployment>("Deployment") {
            let labels = deployment.spec.and_then(|spec| spec.template.metadata?.labels).expect("labels");
            for (label, value) in wanted {
                assert_eq!(labels.get(label).map(String::as_str), value.as_str(), "{label}");
            }
        }
    }
}

#[test]
fn the_example_stands_on_the_base_and_survives_the_loss_of_a_machine() {
    assert_eq!(kustomization("example")["resources"][0], "../base");
    let broker = &all::<Value>("RabbitmqCluster")[0];
    // A majority of three members is left when one is lost.
    assert_eq!(broker.pointer("/spec/replicas"), Some(&3.into()));
    let database = &all::<Value>("Cluster")[0];
    assert_eq!(database.pointer("/spec/instances"), Some(&3.into()));
    let synchronous = database.pointer("/spec/postgresql/synchronous").expect("synchronous replication");
    assert_eq!((&synchronous["number"], &synchronous["dataDurability"]), (&1.into(), &"required".into()));
    // What its secrets are told to lead to is named as the operators name it.
    let told = project_file("deploy/kubernetes/example/kustomization.yaml");
    for (resource, address) in [(broker, "rabbitmq:5672"), (database, "postgres-rw:5432")] {
        let name = resource.pointer("/metadata/name").and_then(Value::as_str).expect("a name");
        assert!(told.contains(address) && address.starts_with(name), "{name}: {address}");
    }
}
