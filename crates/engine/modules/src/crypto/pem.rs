//! RSA private keys out of PEM: PKCS#1 and PKCS#8.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::PrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

/// Fewest bits of a key: what is shorter is no longer taken for safe.
const BITS_MIN: u32 = 2048;

/// Reason for which a text or a file gives no private key. The messages are for operators, and hold nothing
/// of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read {path}: {why}")]
    Read {
        /// The file.
        path: String,
        /// Words of the system.
        why: String,
    },
    /// A text without a private key in PEM.
    #[error(
        "it has no PEM block of a private key (\"-----BEGIN PRIVATE KEY-----\" or \"... RSA PRIVATE KEY ...\")"
    )]
    NoPem,
    /// The key is encrypted.
    #[error("the private key is encrypted; decrypt it first: openssl pkey -in KEY -out PLAIN")]
    Encrypted,
    /// A public key, or a certificate.
    #[error("it has a {0}, and a private key is needed")]
    Public(String),
    /// A key of another kind.
    #[error("the private key is not one of RSA")]
    NotRsa,
    /// A block with no key in it.
    #[error("the private key is damaged")]
    Damaged,
    /// The key is too short.
    #[error("the key has {0} bits, and needs {BITS_MIN}")]
    TooShort(u32),
}

/// Reads the first private key of a text. Text around it is skipped, as `openssl pkcs12` writes some.
pub(super) fn private_key(text: &str) -> Result<PrivateKey, KeyError> {
    // In variables of the environment line breaks are often written as "\n".
    let unescaped = Zeroizing::new(text.replace("\\n", "\n"));
    let (label, body) = first_private_block(&unescaped)?;
    if label == "ENCRYPTED PRIVATE KEY" || body.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    let digits: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    let der = Zeroizing::new(STANDARD.decode(digits.as_bytes()).map_err(|_| KeyError::Damaged)?);
    let key = match label {
        "RSA PRIVATE KEY" => PrivateKey::from_pkcs1_der(&der).map_err(|_| KeyError::Damaged)?,
        "PRIVATE KEY" => {
            let info =
                rsa::pkcs8::PrivateKeyInfoRef::try_from(der.as_slice()).map_err(|_| KeyError::Damaged)?;
            if info.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
                return Err(KeyError::NotRsa);
            }
            PrivateKey::from_pkcs8_der(&der).map_err(|_| KeyError::Damaged)?
        }
        _ => return Err(KeyError::NotRsa),
    };
    match key.n().bit_width() {
        bits @ ..BITS_MIN => Err(KeyError::TooShort(bits)),
        _ => Ok(key),
    }
}

/// Label and body of the first block of a private key.
fn first_private_block(text: &str) -> Result<(&str, &str), KeyError> {
    let mut other = KeyError::NoPem;
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let Some((label, after)) = begun.split_once("-----") else { break };
        let Some((body, after)) = after.split_once("-----END ") else { return Err(KeyError::Damaged) };
        if label.ends_with("PRIVATE KEY") {
            return Ok((label, body));
        }
        if label.ends_with("PUBLIC KEY") || label.ends_with("CERTIFICATE") {
            other = KeyError::Public(label.to_lowercase());
        }
        rest = after;
    }
    Err(other)
}
