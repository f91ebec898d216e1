//! Secrets: described by the example, mounted where they are used, and of users that somebody makes.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

use super::documents::{all, example, mounted, pods};
use crate::settings::project_file;

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
