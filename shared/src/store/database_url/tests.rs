use super::*;

fn address(url: &str) -> Result<Address, String> {
    Address::parse(&url.into()).map_err(|error| error.to_string())
}

fn servers(url: &str) -> Vec<String> {
    let servers = address(url).unwrap().servers();
    servers.into_iter().map(|Server { host, address, port }| format!("{host:?} {address:?} {port}")).collect()
}

#[test]
fn hosts_are_named_as_libpq_names_them() {
    assert_eq!(
        servers("postgres://me:pa%2Fss@h1:6432,[::1]:5433,h3/db?target_session_attrs=read-write"),
        [r#"Tcp("h1") None 6432"#, r#"Tcp("::1") None 5433"#, r#"Tcp("h3") None 5432"#]
    );
    assert_eq!(servers("postgres://me@%2Fvar%2Frun/db"), [r#"Unix("/var/run") None 5432"#]);
    assert_eq!(
        servers("postgres:///db?user=me&host=/var/run,h2&port=1,2"),
        [r#"Unix("/var/run") None 1"#, r#"Tcp("h2") None 2"#]
    );
    assert_eq!(
        servers("postgres://h1,h2/db?hostaddr=10.0.0.1,10.0.0.2&sslmode=disable"),
        [r#"Tcp("h1") Some(10.0.0.1) 5432"#, r#"Tcp("h2") Some(10.0.0.2) 5432"#]
    );
}

#[test]
fn one_understanding_serves_pool_and_migrator() {
    let url = "postgres://me:p%40ss+word@[::1]:5433/d%20b?options=-csearch_path%3Dpulls%20--work_mem=8MB&connect_timeout=2";
    let address = address(url).unwrap();
    assert_eq!(address.patience(), Duration::from_secs(2));
    let settings = [("search_path", "pulls"), ("work_mem", "8MB")];
    assert_eq!(address.settings, settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let server = &address.servers()[0];
    let config = address.config(server, None, "extractor");
    assert_eq!(config.get_password(), Some("p@ss+word".as_bytes()));
    assert_eq!((config.get_dbname(), config.get_options()), (Some("d b"), None));
    let options = address.options(server, None, "operator");
    assert_eq!(
        (options.get_host(), options.get_port(), options.get_username(), options.get_database()),
        ("::1", 5433, "me", Some("d b"))
    );
    assert_eq!(options.get_application_name(), Some("operator"));
}

#[test]
fn what_cannot_be_used_is_named() {
    let cases = [
        ("postgres://h/db?sslcompression=1", "sslcompression"),
        ("postgres://h/db?connect_timeout=soon", "connect_timeout"),
        ("postgres://h/db?target_session_attrs=standby", "\"standby\""),
        ("postgres://h/db?sslnegotiation=direct", "sslnegotiation"),
        ("postgres://h/db?options=-e", "options"),
        ("postgres://h/db?options=-cTimeZone%3DCET", "timezone"),
        ("postgres://h1,h2/db?hostaddr=10.0.0.1", "hostaddr"),
        ("postgres://me@/db", "no host"),
        ("postgres://[::1/db", "]"),
    ];
    for (url, word) in cases {
        let why = address(url).err().unwrap_or_default();
        assert!(why.contains(word), "{url}: {why}");
    }
}

#[test]
fn a_vanished_host_is_noticed_unless_the_url_says_otherwise() {
    let config = |parameters: &str| {
        let address = address(&format!("postgres://me@h/db{parameters}")).unwrap();
        address.config(&address.servers()[0], None, "extractor")
    };
    let seconds = |config: &Config| {
        let times = [
            config.get_tcp_user_timeout().copied(),
            Some(config.get_keepalives_idle()),
            config.get_keepalives_interval(),
        ];
        (times.map(|time| time.map(|time| time.as_secs())), config.get_keepalives_retries())
    };
    assert_eq!(seconds(&config("")), ([Some(30), Some(30), Some(10)], Some(3)));
    let own = "?tcp_user_timeout=7&keepalives_idle=8&keepalives_interval=9&keepalives_retries=2";
    assert_eq!(seconds(&config(own)), ([Some(7), Some(8), Some(9)], Some(2)));
}
