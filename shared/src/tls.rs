//! Whom a TLS connection trusts: the system's certificate authorities, or those of a file.

use std::{fs, path::Path};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The authorities in a PEM file, as text and parsed. Fails with what is wrong with the file.
pub(crate) fn authorities(file: &Path) -> Result<(String, Vec<CertificateDer<'static>>), String> {
    let named = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("{named} cannot be read: {error}"))?;
    let parsed = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates =
        parsed.map_err(|error| format!("{named} holds a certificate that is broken: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("{named} holds no certificate: it must hold PEM blocks \"CERTIFICATE\""));
    }
    Ok((text, certificates))
}

/// A client that verifies chain and name of whom it talks to: by the authorities in `file`, or by the system's.
/// Fails with what is wrong.
pub(crate) fn client(file: Option<&Path>) -> Result<ClientConfig, String> {
    // Fails only when a provider is installed already, and any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in authorities(file)?.1 {
                let broken =
                    |error| format!("{} holds a certificate that is broken: {error}", file.display());
                roots.add(certificate).map_err(broken)?;
            }
        }
        // Some of a system's certificates may be of a kind nobody can use.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err("the system has no certificate authorities: install them (ca-certificates)".into());
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
