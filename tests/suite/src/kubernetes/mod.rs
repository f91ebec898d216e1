//! `deploy/kubernetes`: every document is what Kubernetes takes, and agrees with the programs and the topology.
//!
//! The base is applied whole; `keda` and `prometheus` are components, for clusters that have those; `example` is an overlay
//! with the servers.

mod components;
mod documents;
mod secrets;

use std::{collections::BTreeSet, process::Command, time::Duration};

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::Job,
    core::v1::{Secret, SecurityContext},
    policy::v1::PodDisruptionBudget,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use shared::topology::all_stages;

use self::documents::{
    FOLDERS, all, containers, documents, environment, kustomization, mounted_files, pods, program,
};
use crate::{process::binary, settings::settings_of};

/// Kubernetes ignores what it does not know, so a typing error would go unnoticed: what is read must be all there is.
fn assert_is<T: DeserializeOwned + Serialize>(file: &str, document: &Value) {
    let read: T = serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(serde_json::to_value(read).expect("JSON"), *document, "{file}");
}

#[test]
fn every_document_is_what_kubernetes_takes() {
    for (file, document) in documents() {
        assert_eq!(
            document.pointer("/metadata/namespace"),
            None,
            "{file}: the namespace is the cluster's affair"
        );
        match document["kind"].as_str().unwrap_or_default() {
            "Deployment" => assert_is::<Deployment>(&file, &document),
            "Job" => assert_is::<Job>(&file, &document),
            "PodDisruptionBudget" => assert_is::<PodDisruptionBudget>(&file, &document),
            "Secret" => assert_is::<Secret>(&file, &document),
            "Kustomization"
            | "Component"
            | "ScaledObject"
            | "TriggerAuthentication"
            | "PodMonitor"
            | "RabbitmqCluster"
            | "Cluster" => {}
            other => panic!("{file} holds a {other:?}"),
        }
    }
}

#[test]
fn what_lies_there_is_applied_but_for_the_example_of_secrets() {
    for folder in FOLDERS {
        let mut applied: BTreeSet<String> = kustomization(folder)["resources"]
            .as_array()
            .expect("resources")
            .iter()
            .map(|file| file.as_str().expect("a name"))
            .filter(|file| !file.starts_with("../"))
            .map(|file| format!("deploy/kubernetes/{folder}/{file}"))
            .collect();
        let own = |file: &String| file.starts_with(&format!("deploy/kubernetes/{folder}/"));
        for (file, document) in documents().into_iter().filter(|(file, _)| own(file)) {
            let example = document["kind"] == "Secret";
            let itself = file.ends_with("/kustomization.yaml");
            assert_ne!(applied.contains(&file), example || itself, "{file}");
        }
        applied.retain(|file| !documents().iter().any(|(there, _)| there == file));
        assert_eq!(applied, BTreeSet::new(), "not there");
    }
}

#[test]
fn each_stage_has_a_workload_that_rolls_without_a_gap_and_drains_with_nodes() {
    let deployments = all::<Deployment>("Deployment");
    let budgets = all::<PodDisruptionBudget>("PodDisruptionBudget");
    let names: BTreeSet<_> = deployments.iter().filter_map(|one| one.metadata.name.clone()).collect();
    let programs = all_stages().map(|stage| stage.name).chain(["console"]);
    assert_eq!(names, programs.map(str::to_owned).collect());
    for deployment in deployments {
        let (name, spec) = (deployment.metadata.name, deployment.spec.expect("a spec"));
        let rolling = spec.strategy.and_then(|strategy| strategy.rolling_update).expect("a rolling update");
        assert_eq!(serde_json::to_value(rolling.max_unavailable).expect("JSON"), 0, "{name:?}");
        let labels = spec.template.metadata.and_then(|metadata| metadata.labels);
        assert_eq!(spec.selector.match_labels, labels, "{name:?} selects its pods");
        let budget = budgets.iter().find(|budget| budget.metadata.name == name).expect("a budget");
        let budget = budget.spec.clone().expect("a spec");
        assert_eq!(budget.selector, Some(spec.selector), "{name:?}");
        assert_eq!(budget.min_available, None, "a single replica would keep its node for ever");
        assert!(budget.max_unavailable.is_some());
    }
}

#[test]
fn a_worker_has_the_time_to_finish_and_is_probed_where_it_listens() {
    for deployment in all::<Deployment>("Deployment") {
        let pod = deployment.spec.and_then(|spec| spec.template.spec).expect("a pod");
        let container = &pod.containers[0];
        let environment = environment(container);
        // The console has nothing in hand.
        if let Some(deadline) = environment.get("SHUTDOWN_DEADLINE") {
            let deadline = humantime::parse_duration(deadline).expect("a duration");
            let grace =
                u64::try_from(pod.termination_grace_period_seconds.expect("a time")).expect("seconds");
            let grace = Duration::from_secs(grace);
            assert!(grace > deadline, "{}: {grace:?}, and it may take {deadline:?}", container.name);
        }

        let port = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some("http"));
        let port = port.expect("a port").container_port;
        assert_eq!(environment["HTTP_LISTEN"], format!("0.0.0.0:{port}"));
        for (probe, path) in [(&container.liveness_probe, "/livez"), (&container.readiness_probe, "/readyz")]
        {
            let get = probe.as_ref().and_then(|probe| probe.http_get.as_ref()).expect("a probe");
            assert_eq!(get.path.as_deref(), Some(path));
            assert_eq!(serde_json::to_value(&get.port).expect("JSON"), "http");
        }
    }
}

#[test]
fn nothing_runs_with_more_rights_than_it_needs() {
    for (name, pod) in pods() {
        assert_eq!(pod.automount_service_account_token, Some(false), "{name}: nobody talks to Kubernetes");
        let security = pod.security_context.as_ref().expect("a security context");
        assert_eq!(security.run_as_non_root, Some(true), "{name}");
        let seccomp = security.seccomp_profile.as_ref().expect("a seccomp profile");
        assert_eq!(seccomp.type_, "RuntimeDefault", "{name}");
        assert_eq!((pod.host_network, pod.host_pid, pod.host_ipc), (None, None, None), "{name}");
        for container in containers(&pod) {
            let SecurityContext {
                allow_privilege_escalation,
                read_only_root_filesystem,
                privileged,
                run_as_non_root,
                capabilities,
                ..
            } = container.security_context.clone().expect("a security context");
            assert_eq!(allow_privilege_escalation, Some(false), "{name}");
            assert_eq!(read_only_root_filesystem, Some(true), "{name}");
            assert_eq!((privileged, run_as_non_root), (None, None), "{name}: as its pod says");
            let capabilities = capabilities.expect("capabilities");
            assert_eq!((capabilities.drop, capabilities.add), (Some(vec!["ALL".to_owned()]), None), "{name}");
            let resources = container.resources.clone().expect("resources");
            assert!(resources.limits.is_some_and(|limits| limits.contains_key("memory")), "{name}");
            assert!(resources.requests.is_some(), "{name}");
        }
    }
}

#[test]
fn a_program_is_told_only_what_it_knows_and_can_read() {
    for (name, pod) in pods() {
        for container in containers(&pod) {
            let (program, environment) = (program(container), environment(container));
            let settings = settings_of(program);
            let files = mounted_files(&pod, container);
            for (variable, value) in &environment {
                assert!(settings.contains(variable), "{variable} is no setting of the {program} in {name}");
                if variable.ends_with("_FILE") {
                    assert!(files.contains(value), "{variable}: {value} is not among {files:?}");
                }
            }
            for secret in ["DATABASE_URL", "AMQP_URL", "TWITCH_CLIENT_SECRET"] {
                assert!(!environment.contains_key(secret), "{name}: {secret} is for a file");
            }
        }
    }
}

#[test]
fn a_workers_values_are_taken() {
    for deployment in all::<Deployment>("Deployment") {
        let pod = deployment.spec.and_then(|spec| spec.template.spec).expect("a pod");
        let container = &pod.containers[0];
        // Reads all settings, and then asks a port at which nobody is.
        let mut command = Command::new(binary(program(container)));
        command.arg("healthcheck").env_clear().envs(environment(container)).env("HTTP_LISTEN", "127.0.0.1:1");
        let asked = command.output().expect("tests/run builds the programs first");
        let said = String::from_utf8_lossy(&asked.stderr);
        assert_eq!(asked.status.code(), Some(1), "{}: {said}", container.name);
    }
}
