//! Hashes of passwords, as text: `$2b$COST$` and, in the alphabet of bcrypt, the salt and the hash.
//!
//! The crate `bcrypt` computes them. Its own text form is left out: with it comes a source of randomness,
//! which there is none of on every target.

use base64ct::{Base64Bcrypt, Encoding};

/// Most bytes of a password that bcrypt looks at.
pub(super) const PASSWORD_BYTES_MAX: usize = 72;
const SALT_CHARS: usize = 22;
const DIGEST_CHARS: usize = 31;

/// A hash in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash {
    cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
}

impl Hash {
    /// Hashes a password of at most [`PASSWORD_BYTES_MAX`] bytes, with a cost below 32.
    pub(super) fn new(password: &[u8], cost: u32, salt: [u8; 16]) -> Self {
        // The zero at the end is part of it where there is room for it.
        let mut ended = [0; PASSWORD_BYTES_MAX];
        let len = password.len().min(PASSWORD_BYTES_MAX);
        ended[..len].copy_from_slice(&password[..len]);
        let output = bcrypt::bcrypt(cost, salt, &ended[..PASSWORD_BYTES_MAX.min(len + 1)]);
        let mut digest = [0; 23];
        digest.copy_from_slice(&output[..23]);
        Self { cost, salt, digest }
    }

    /// Reads the text of a hash; `None` if it is not one. These versions of bcrypt are the same for passwords
    /// that are not longer than it looks at; `2x` names the hashes of a faulty program.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|version| text.strip_prefix(version))?;
        let (cost, rest) = rest.split_once('$')?;
        let (salt_text, digest_text) = rest.split_at_checked(SALT_CHARS)?;
        if cost.len() != 2
            || !cost.bytes().all(|digit| digit.is_ascii_digit())
            || digest_text.len() != DIGEST_CHARS
        {
            return None;
        }
        let (mut salt, mut digest) = ([0; 16], [0; 23]);
        Base64Bcrypt::decode(salt_text, &mut salt).ok()?;
        Base64Bcrypt::decode(digest_text, &mut digest).ok()?;
        Some(Self { cost: cost.parse().ok()?, salt, digest })
    }

    pub(super) fn cost(&self) -> u32 {
        self.cost
    }

    /// True if this is the hash of the password. Takes as long for each that is not.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        let other = Self::new(password, self.cost, self.salt);
        self.digest.iter().zip(other.digest).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }

    pub(super) fn text(&self) -> String {
        let (salt, digest) =
            (Base64Bcrypt::encode_string(&self.salt), Base64Bcrypt::encode_string(&self.digest));
        format!("$2b${:02}${salt}{digest}", self.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of jBCrypt, which other implementations are tested with, too.
    const VECTORS: [(&str, &str); 6] = [
        ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
        ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
        ("abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
        (
            "~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
            "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO",
        ),
        ("a", "$2a$08$cfcvVd2aQ8CMvoMpP2EBfeodLEkkFJ9umNEfPD18.hUF62qqlC/V."),
    ];

    #[test]
    fn hashes_are_those_of_everybody() {
        for (password, text) in VECTORS {
            let hash = Hash::parse(text).expect("a hash");
            assert!(hash.is_of(password.as_bytes()), "{text}");
            assert!(!hash.is_of(b"another one"), "{text}");
            assert_eq!(hash.text(), text.replacen("$2a$", "$2b$", 1));
        }
    }

    #[test]
    fn other_texts_are_no_hashes() {
        let (_, good) = VECTORS[0];
        for at in 0..good.len() {
            assert_eq!(Hash::parse(&good[..at]), None, "{at}");
        }
        for bad in [
            good.replacen("$2a$", "$2x$", 1),
            good.replacen("06", "+6", 1),
            format!("{good}."),
            good.replace('D', "é"),
        ] {
            assert_eq!(Hash::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_long_password_has_no_zero_at_its_end() {
        let password = [b'x'; PASSWORD_BYTES_MAX];
        let hash = Hash::new(&password, 4, [7; 16]);
        assert!(hash.is_of(&password) && !hash.is_of(&password[1..]));
        assert_eq!(Hash::parse(&hash.text()), Some(hash));
        assert_eq!(hash.text().len(), 60);
    }
}
