//! Opening an envelope: an AES key wrapped with RSA-OAEP, and data under that key.
//!
//! | part | bytes |
//! |---|---|
//! | length of the wrapped key | u16, big endian; only where both come as one text |
//! | wrapped key | RSA-OAEP with SHA-256 and MGF1 of SHA-256: an AES key of 16 or 32 bytes |
//! | nonce | 12 |
//! | ciphertext | any |
//! | tag | 16 |
//!
//! Keeps true: every failure is the same value. When the key does not unwrap, data is decrypted all the same,
//! under a key of nobody, and the result dropped: neither the message nor the order of work tells which part
//! was wrong. The private operation runs in constant time by design, and base, exponent and primes are
//! blinded (the `rsa` crate, from 0.10 on, with its feature `getrandom`).

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rsa::PrivateKey;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a nonce.
const NONCE_BYTES: usize = 12;
/// Bytes of the length in front of a wrapped key.
const LENGTH_BYTES: usize = 2;

/// Base64 as people paste it: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A decryption that failed, for whatever reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// Decrypts what two texts of base64 hold, or one.
pub(crate) fn decrypt(
    key: &PrivateKey,
    wrapped: Option<&[u8]>,
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let data = decode(data)?;
    if let Some(wrapped) = wrapped {
        return open(key, &decode(wrapped)?, &data);
    }
    let (length, rest) = data.split_first_chunk::<LENGTH_BYTES>().ok_or(Failed)?;
    let (wrapped, data) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(Failed)?;
    open(key, wrapped, data)
}

fn decode(text: &[u8]) -> Result<Vec<u8>, Failed> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(digits).map_err(|_| Failed)
}

fn open(key: &PrivateKey, wrapped: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let unwrapped = Zeroizing::new(key.oaep_decrypt::<Sha256>(wrapped).unwrap_or_default());
    let nobody = [0; 32];
    let (aes, known): (&[u8], bool) = match unwrapped.len() {
        16 | 32 => (&unwrapped, true),
        _ => (&nobody, false),
    };
    let (nonce, sealed) = data.split_at_checked(NONCE_BYTES).ok_or(Failed)?;
    let nonce = Nonce::try_from(nonce).map_err(|_| Failed)?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let done = match aes.len() {
        16 => Aes128Gcm::new_from_slice(aes).map_err(|_| Failed)?.decrypt_in_place(&nonce, b"", &mut *plain),
        _ => Aes256Gcm::new_from_slice(aes).map_err(|_| Failed)?.decrypt_in_place(&nonce, b"", &mut *plain),
    };
    match done {
        Ok(()) if known => Ok(plain),
        _ => Err(Failed),
    }
}
