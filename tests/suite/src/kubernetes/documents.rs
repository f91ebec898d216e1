//! The documents, as the tests read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::Job,
    core::v1::{Container, PodSpec, Secret},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::settings::project_file;

pub(super) const FOLDERS: [&str; 5] = ["base", "example", "keda", "lake", "prometheus"];

/// All documents, each with its file.
pub(super) fn documents() -> Vec<(String, Value)> {
    let mut documents = Vec::new();
    for folder in FOLDERS {
        let path = format!("deploy/kubernetes/{folder}");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&path);
        for entry in fs::read_dir(folder).expect("a folder") {
            let file = format!("{path}/{}", entry.expect("an entry").file_name().display());
            let found: Vec<Value> = serde_saphyr::from_multiple(&project_file(&file))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(!found.is_empty(), "{file} is empty");
            documents.extend(found.into_iter().map(|document| (file.clone(), document)));
        }
    }
    documents
}

/// The documents of a kind as what Kubernetes takes them for.
pub(super) fn all<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    let of_kind = documents().into_iter().filter(|(_, document)| document["kind"] == kind);
    let all: Vec<T> =
        of_kind.map(|(file, document)| serde_json::from_value(document).expect(&file)).collect();
    assert!(!all.is_empty(), "there should be a {kind}");
    all
}

pub(super) fn kustomization(folder: &str) -> Value {
    let text = project_file(&format!("deploy/kubernetes/{folder}/kustomization.yaml"));
    serde_saphyr::from_str(&text).expect("a kustomization")
}

/// The settings that the base and the lake's component generate, by the name of their config map.
pub(super) fn config_maps() -> BTreeMap<String, BTreeMap<String, String>> {
    let kustomizations = [kustomization("base"), kustomization("lake")];
    let generated =
        kustomizations.iter().map(|one| one["configMapGenerator"].as_array().expect("config maps"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    generated
        .flatten()
        .map(|map| {
            let literals = map["literals"].as_array().expect("literals").iter().map(|literal| {
                let (name, value) = literal.as_str().and_then(|l| l.split_once('=')).expect("NAME=value");
                (name.to_owned(), value.to_owned())
            });
            (text(&map["name"]), literals.collect())
        })
        .collect()
}

/// The pods there are, each with the name of its workload.
pub(super) fn pods() -> Vec<(String, PodSpec)> {
    let deployments = all::<Deployment>("Deployment")
        .into_iter()
        .map(|deployment| (deployment.metadata.name, deployment.spec.and_then(|spec| spec.template.spec)));
    let jobs = all::<Job>("Job")
        .into_iter()
        .map(|job| (job.metadata.name, job.spec.and_then(|spec| spec.template.spec)));
    deployments.chain(jobs).map(|(name, pod)| (name.expect("a name"), pod.expect("a pod"))).collect()
}

pub(super) fn containers(pod: &PodSpec) -> impl Iterator<Item = &Container> {
    pod.init_containers.iter().flatten().chain(&pod.containers)
}

/// What a container finds in its environment.
pub(super) fn environment(container: &Container) -> BTreeMap<String, String> {
    let maps = config_maps();
    let mut environment = BTreeMap::new();
    for source in container.env_from.iter().flatten() {
        let name = &source.config_map_ref.as_ref().expect("a config map").name;
        let map = maps.get(name).unwrap_or_else(|| panic!("no config map {name} is generated"));
        environment.extend(map.clone());
    }
    for variable in container.env.iter().flatten() {
        let from = variable.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
        match &variable.value {
            Some(value) => _ = environment.insert(variable.name.clone(), value.clone()),
            // Of a secret that need not be there.
            None => assert_eq!(from.and_then(|secret| secret.optional), Some(true), "{}", variable.name),
        }
    }
    environment
}

/// The program that a container runs.
pub(super) fn program(container: &Container) -> &str {
    container.command.as_ref().and_then(|command| command.first()).expect("a command")
}

/// A secret's key, and where it is mounted.
pub(super) type Mounted = (String, String, String);

pub(super) fn mounted(pod: &PodSpec) -> Vec<(String, Mounted)> {
    let mut mounted = Vec::new();
    for volume in pod.volumes.iter().flatten() {
        let projected = volume.projected.iter().flat_map(|all| all.sources.iter().flatten());
        let projected = projected.filter_map(|source| source.secret.as_ref());
        let projected = projected.map(|secret| (secret.name.clone(), secret.items.clone()));
        let plain = volume.secret.iter();
        let plain =
            plain.map(|secret| (secret.secret_name.clone().unwrap_or_default(), secret.items.clone()));
        for (secret, items) in projected.chain(plain) {
            for item in items.expect("only what is needed is mounted") {
                mounted.push((volume.name.clone(), (secret.clone(), item.key, item.path)));
            }
        }
    }
    mounted
}

pub(super) fn mounted_files(pod: &PodSpec, container: &Container) -> BTreeSet<String> {
    let volumes = pod.volumes.iter().flatten();
    let scratch: Vec<&str> =
        volumes.filter(|volume| volume.empty_dir.is_some()).map(|volume| volume.name.as_str()).collect();
    let mounts =
        container.volume_mounts.iter().flatten().filter(|mount| !scratch.contains(&mount.name.as_str()));
    mounts
        .flat_map(|mount| {
            assert_eq!(mount.read_only, Some(true));
            let here = mounted(pod).into_iter().filter(|(volume, _)| *volume == mount.name);
            here.map(|(_, (_, _, path))| format!("{}/{path}", mount.mount_path)).collect::<Vec<_>>()
        })
        .collect()
}

/// The keys of each secret in the example.
pub(super) fn example() -> BTreeMap<String, BTreeSet<String>> {
    let secrets = all::<Secret>("Secret").into_iter();
    let keys = |secret: Secret| secret.string_data.into_iter().flatten().map(|(key, _)| key).collect();
    secrets.map(|secret| (secret.metadata.name.clone().expect("a name"), keys(secret))).collect()
}
