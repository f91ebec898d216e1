//! Secrets: from a variable, or from a file that a variable or a flag names.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::PathBuf,
};

use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, UrlParts};

/// A variable that clap must not show as a flag, or must not know.
#[expect(clippy::disallowed_methods, reason = "the one place where variables are read beside clap")]
pub(super) fn variable(name: &OsStr) -> Option<OsString> {
    std::env::var_os(name)
}

/// Takes a secret from the variable `name`, or from `file`.
pub fn secret(name: &str, file: Option<&PathBuf>) -> Result<SecretString, ConfigError> {
    let direct = variable(name.as_ref()).filter(|value| !value.is_empty());
    let value = match (direct, file.filter(|path| !path.as_os_str().is_empty())) {
        (Some(_), Some(_)) => return Err(ConfigError::Twice { name: name.into() }),
        (Some(value), None) => value
            .into_string()
            .map_err(|_| ConfigError::Unusable { name: name.into(), why: "it is not UTF-8".into() })?,
        (None, Some(path)) => fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            name: name.into(),
            path: path.clone(),
            source,
        })?,
        (None, None) => return Err(ConfigError::Missing { name: name.into() }),
    };
    let value = value.trim();
    if value.is_empty() {
        return Err(ConfigError::Unusable { name: name.into(), why: "it is empty".into() });
    }
    if ['"', '\''].iter().any(|&quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote))
    {
        return Err(ConfigError::Unusable {
            name: name.into(),
            why: "it stands in quotes, which an env file makes part of the value: remove them".into(),
        });
    }
    if value.contains(char::is_whitespace) {
        return Err(ConfigError::Unusable {
            name: name.into(),
            why: "it holds a space or a line break: give one word".into(),
        });
    }
    Ok(value.into())
}

/// Takes a secret URL, which may name several hosts; its scheme must be one of `schemes`.
pub(super) fn secret_url(
    name: &str,
    file: Option<&PathBuf>,
    schemes: &[&str],
) -> Result<SecretString, ConfigError> {
    let value = secret(name, file)?;
    let unusable = |why| ConfigError::Unusable { name: name.into(), why };
    let scheme = UrlParts::split(value.expose_secret()).map_err(unusable)?.scheme;
    if schemes.contains(&scheme) {
        Ok(value)
    } else {
        Err(unusable(format!("its scheme is {scheme:?}, and must be one of {}", schemes.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!(
            "config-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_secret_file_is_trimmed_and_checked() {
        let path = file(" s3cret\n");
        assert_eq!(secret("NO_SUCH_VARIABLE", Some(&path)).unwrap().expose_secret(), "s3cret");
        fs::write(&path, "two words").unwrap();
        let error = secret("NO_SUCH_VARIABLE", Some(&path)).unwrap_err().to_string();
        assert!(error.contains("NO_SUCH_VARIABLE") && !error.contains("words"), "{error}");
        fs::remove_file(&path).unwrap();
        let error = secret("NO_SUCH_VARIABLE", Some(&path)).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        let error = secret("NO_SUCH_VARIABLE", None).unwrap_err().to_string();
        assert!(error.contains("NO_SUCH_VARIABLE_FILE"), "{error}");
    }

    #[test]
    fn a_secret_url_is_checked_and_never_shown() {
        let path = file("http://me:pa55@host/");
        let error = secret_url("DATABASE_URL", Some(&path), &["postgres"]).unwrap_err().to_string();
        fs::remove_file(&path).unwrap();
        assert!(error.contains("postgres") && !error.contains("pa55"), "{error}");
    }
}
