//! Secrets: described by the example, mounted where they are used, and of users that somebody makes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec, Secret};
use serde_json::Value;

use super::{all, pods};
use crate::settings::project_file;

/// A secret's key, and where it is mounted.
type Mounted = (String, String, String);

fn mounted(pod: &PodSpec) -> Vec<(String, Mounted)> {
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

#[test]
fn every_secret_is_in_the_example_and_each_worker_has_its_own() {
    let example = example();
    for (name, pod) in pods() {
        for (_, (secret, key, _)) in mounted(&pod) {
            let keys = example.get(&secret).unwrap_or_else(|| panic!("the example lacks {secret}"));
            assert!(keys.contains(&key), "the example lacks {key} of {secret}");
            let own = secret == name || secret == "twitch-app" || name == "migrate";
            assert!(own, "{name} mounts the secret of {secret}");
        }
    }
}

#[test]
fn the_example_makes_the_users_that_the_secrets_log_in() {
    let database = &all::<Value>("Cluster")[0];
    let roles = database.pointer("/spec/managed/roles").and_then(Value::as_array).expect("roles");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (users, groups): (Vec<&Value>, Vec<&Value>) = roles.iter().partition(|role| role["login"] == true);
    let groups: BTreeSet<String> = groups.into_iter().map(|role| text(&role["name"])).collect();
    let migrations = ["0009_roles", "0018_lake", "0022_console"];
    let migration: String =
        migrations.iter().map(|name| project_file(&format!("migrations/{name}.sql"))).collect();
    for group in &groups {
        assert!(migration.contains(group.as_str()), "{group} is granted nothing");
    }
    let mut made =
        BTreeSet::from([text(database.pointer("/spec/bootstrap/initdb/owner").expect("an owner"))]);
    for user in users {
        let name = text(&user["name"]);
        assert_eq!(user["inRoles"], serde_json::json!([format!("twitch_{name}")]));
        assert!(groups.contains(&text(&user["inRoles"][0])), "{name}");
        assert_eq!(text(&user["passwordSecret"]["name"]), format!("postgres-{}", name.replace('_', "-")));
        made.insert(name);
    }
    for secret in all::<Secret>("Secret") {
        let Some(url) = secret.string_data.and_then(|mut data| data.remove("database-url")) else { continue };
        let user = url::Url::parse(&url).expect("a URL").username().to_owned();
        assert!(made.contains(&user), "{url}: nobody makes {user}");
    }
}
