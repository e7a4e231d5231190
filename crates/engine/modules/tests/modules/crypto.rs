//! `crypto` against envelopes that the command line of OpenSSL makes.

use crate::servers::{bytes, config};
use bytes::Bytes;
use howk_contract::{ErrorType, ModuleCall, ModuleReply, Modules, Reason, ScriptError};
use howk_modules::{EventModules, KeyError, KeySource, Keyring, MemoryKv, ModuleHost, Settings};
use howk_testing::Folder;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// Keys in every form, made once: RSA takes its time.
struct Keys {
    folder: Folder,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let folder = Folder::new();
    for line in [
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pkcs8.pem",
        "rsa -in pkcs8.pem -traditional -out pkcs1.pem",
        "pkey -in pkcs8.pem -pubout -out public.pem",
        "pkcs8 -topk8 -in pkcs8.pem -passout pass:secret -out encrypted8.pem",
        "rsa -in pkcs8.pem -traditional -aes128 -passout pass:secret -out encrypted1.pem",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out other.pem",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.pem",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec8.pem",
        "ec -in ec8.pem -out ec1.pem",
        "genpkey -algorithm ed25519 -out ed25519.pem",
        "req -x509 -key pkcs8.pem -days 2 -subj /CN=x -out certificate.pem",
    ] {
        folder.openssl(line);
    }
    Keys { folder }
});

impl Keys {
    fn text(&self, name: &str) -> String {
        String::from_utf8(self.folder.read(name)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An AES key under the public key.
    fn wrap(&self, key: &[u8]) -> Vec<u8> {
        let work = Folder::new();
        work.file("key", key);
        work.openssl(&format!(
            "pkeyutl -encrypt -pubin -inkey {} -in key -out wrapped -pkeyopt rsa_padding_mode:oaep -pkeyopt \
             rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256",
            self.path("public.pem").display()
        ));
        work.read("wrapped")
    }
}

/// Nonce, ciphertext and tag. The command line of OpenSSL refuses GCM, so the ciphertext comes from its
/// counter mode, and the tag from GHASH, which is a few lines, over AES blocks that it encrypts.
mod gcm {
    use super::Folder;

    pub(super) fn seal(key: &[u8], nonce: &[u8; 12], plain: &[u8]) -> Vec<u8> {
        let work = Folder::new();
        let bits = key.len() * 8;
        let hex_key = hex(key);
        let counter = |number: u32| hex(&[&nonce[..], &number.to_be_bytes()].concat());
        let ctr = |first: u32, input: &[u8]| {
            if input.is_empty() {
                return Vec::new();
            }
            work.file("in", input);
            work.openssl(&format!("enc -aes-{bits}-ctr -K {hex_key} -iv {} -in in -out out", counter(first)));
            work.read("out")
        };
        let cipher = ctr(2, plain);
        work.file("zero", [0; 16]);
        work.openssl(&format!("enc -aes-{bits}-ecb -nopad -K {hex_key} -in zero -out h"));
        let h = u128::from_be_bytes(work.read("h").try_into().unwrap());
        let mut hash = 0;
        for block in cipher.chunks(16) {
            let mut padded = [0; 16];
            padded[..block.len()].copy_from_slice(block);
            hash = multiply(hash ^ u128::from_be_bytes(padded), h);
        }
        hash = multiply(hash ^ (cipher.len() as u128 * 8), h);
        let tag = ctr(1, &hash.to_be_bytes());
        [&nonce[..], &cipher, &tag].concat()
    }

    /// The product in the field of GHASH (NIST SP 800-38D, section 6.3).
    fn multiply(x: u128, y: u128) -> u128 {
        let (mut z, mut v) = (0, y);
        for bit in (0..128).rev() {
            if x >> bit & 1 == 1 {
                z ^= v;
            }
            v = (v >> 1) ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
        }
        z
    }

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write;
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }
}

fn base64(data: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(data)
}

/// Both parts as one text.
fn joined(wrapped: &[u8], data: &[u8]) -> Vec<u8> {
    [&(wrapped.len() as u16).to_be_bytes(), wrapped, data].concat()
}

fn host(keys: impl IntoIterator<Item = (&'static str, KeySource)>) -> Arc<ModuleHost> {
    let keys = Keyring::new(keys.into_iter().map(|(name, source)| (name.to_owned(), source)));
    let mut settings = Settings::default();
    settings.crypto.calls = 1000;
    ModuleHost::new(settings, Arc::new(MemoryKv::new()), Arc::new(keys)).unwrap()
}

/// A host, and a call that decrypts a text there.
pub(crate) fn sealed(plain: &[u8]) -> (Arc<ModuleHost>, ModuleCall) {
    let (wrapped, data) = (KEYS.wrap(&[3; 32]), gcm::seal(&[3; 32], b"twelve bytes", plain));
    let data = bytes(base64(&joined(&wrapped, &data)));
    let call = ModuleCall::Decrypt { key_name: bytes("key"), symmetric_key: None, data };
    (host([("key", KeySource::file(KEYS.path("pkcs8.pem")))]), call)
}

async fn decrypt(
    event: &EventModules,
    name: &str,
    wrapped: Option<&str>,
    data: &str,
) -> Result<Bytes, ScriptError> {
    let call =
        ModuleCall::Decrypt { key_name: bytes(name), symmetric_key: wrapped.map(bytes), data: bytes(data) };
    match event.call(call).await? {
        ModuleReply::Bytes(plain) => Ok(plain),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn envelopes_of_openssl_open_in_both_forms_with_both_kinds_of_keys() {
    let host = host([
        ("pkcs1", KeySource::file(KEYS.path("pkcs1.pem"))),
        ("pkcs8", KeySource::file(KEYS.path("pkcs8.pem"))),
        ("text", KeySource::pem(KEYS.text("pkcs8.pem"))),
        ("escaped", KeySource::pem(KEYS.text("pkcs1.pem").replace('\n', "\\n"))),
        (
            "around",
            KeySource::pem(format!(
                "Bag Attributes\n{}{}",
                KEYS.text("certificate.pem"),
                KEYS.text("pkcs8.pem")
            )),
        ),
    ]);
    assert_eq!(host.keys().reload(), []);
    let event = host.event(config("c"), "w");
    for (aes, plain) in [
        (&[7; 16][..], &b"credentials"[..]),
        (&[9; 32], b"\0\xff any bytes"),
        (&[9; 32], b""),
        (&[1; 16], &[b'x'; 5000]),
    ] {
        let (wrapped, data) = (KEYS.wrap(aes), gcm::seal(aes, b"twelve bytes", plain));
        for name in ["pkcs1", "pkcs8", "text", "escaped", "around"] {
            let two = decrypt(&event, name, Some(&base64(&wrapped)), &base64(&data)).await.unwrap();
            assert_eq!(two, plain);
            let one = decrypt(&event, name, None, &base64(&joined(&wrapped, &data))).await.unwrap();
            assert_eq!(one, plain);
        }
        // As people paste it: without padding, with line breaks.
        let lines =
            base64(&data).trim_end_matches('=').as_bytes().chunks(20).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let pasted = String::from_utf8(lines.join(&b"\r\n"[..])).unwrap();
        assert_eq!(decrypt(&event, "pkcs8", Some(&base64(&wrapped)), &pasted).await.unwrap(), plain);
    }
}

#[tokio::test]
async fn every_failed_decryption_says_the_same() {
    let host = host([
        ("key", KeySource::file(KEYS.path("pkcs8.pem"))),
        ("other", KeySource::file(KEYS.path("other.pem"))),
    ]);
    let event = host.event(config("c"), "w");
    let aes = [5; 32];
    let (wrapped, data) = (KEYS.wrap(&aes), gcm::seal(&aes, b"twelve bytes", b"plain text"));
    let good = base64(&wrapped);
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        base64(&bytes)
    };
    let mut cases: Vec<(&str, Option<String>, String)> = vec![
        ("other", Some(good.clone()), base64(&data)),
        ("key", Some(good.clone()), String::new()),
        ("key", Some(String::new()), base64(&data)),
        ("key", Some("!!!!".into()), base64(&data)),
        ("key", Some(good.clone()), "a".into()),
        ("key", Some(good.clone()), "\u{e4}".into()),
        ("key", Some(base64(&wrapped[1..])), base64(&data)),
        ("key", Some(base64(&[0; 256])), base64(&data)),
        ("key", Some(base64(&[255; 256])), base64(&data)),
        ("key", Some(base64(&[1; 10_000])), base64(&data)),
        ("key", Some(base64(&KEYS.wrap(&[5; 24]))), base64(&data)),
        ("key", Some(base64(&KEYS.wrap(b""))), base64(&data)),
        ("key", Some(base64(&KEYS.wrap(&[6; 32]))), base64(&data)),
        ("key", Some(base64(&KEYS.wrap(&aes[..16]))), base64(&data)),
        // Under the key of nobody, which data is opened with when its own does not unwrap.
        ("key", Some(base64(&[1; 256])), base64(&gcm::seal(&[0; 32], b"twelve bytes", b"mine"))),
        ("key", None, String::new()),
        ("key", None, base64(&[1])),
        ("key", None, base64(&[255; 300])),
        ("key", None, base64(&joined(&wrapped, &[]))),
        ("key", None, base64(&data)),
    ];
    for length in [0, 1, 11, 12, 27, data.len() - 1] {
        cases.push(("key", Some(good.clone()), base64(&data[..length])));
    }
    for at in [0, 11, 12, data.len() - 16, data.len() - 1] {
        cases.push(("key", Some(good.clone()), flipped(&data, at)));
    }
    for at in [0, 128, 255] {
        cases.push(("key", Some(flipped(&wrapped, at)), base64(&data)));
    }
    let expected = ScriptError::new(ErrorType::ModuleCrypto, "crypto.decrypt_credential: cannot decrypt");
    for (name, wrapped, data) in cases {
        let error = decrypt(&event, name, wrapped.as_deref(), &data).await.unwrap_err();
        assert_eq!(error, expected, "{name} {wrapped:?} {data}");
    }
    decrypt(&event, "key", Some(&good), &base64(&data)).await.unwrap();
}

#[tokio::test]
async fn a_key_of_other_configs_is_as_unknown_as_none() {
    let source = KeySource::file(KEYS.path("pkcs8.pem")).only_for([config("mine")]);
    let host = host([("key", source)]);
    let (wrapped, data) = (base64(&KEYS.wrap(&[5; 16])), base64(&gcm::seal(&[5; 16], b"twelve bytes", b"x")));
    let ask =
        async |id: &str, name: &str| decrypt(&host.event(config(id), "w"), name, Some(&wrapped), &data).await;
    assert_eq!(ask("mine", "key").await.unwrap(), "x");
    let other = ask("other", "key").await.unwrap_err();
    assert_eq!(other.message, "crypto.decrypt_credential: no key is named \"key\" for this config");
    assert!(other.unknown_key && !other.retryable);
    assert_eq!(Reason::of(&other), Reason::CryptoKeyNotFound);
    for name in ["Key", "", "key ", "a\nb\u{1b}[2J", &"x".repeat(100_000)] {
        let error = ask("mine", name).await.unwrap_err();
        assert!(error.unknown_key && error.message.len() < 300, "{}", error.message);
        assert!(!error.message.contains('\n') && !error.message.contains('\u{1b}'), "{}", error.message);
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_read_now_is_worth_another_attempt() {
    let folder = Folder::new();
    let path = folder.path().join("late.pem");
    let host = host([("late", KeySource::file(&path))]);
    let (wrapped, data) = (base64(&KEYS.wrap(&[5; 16])), base64(&gcm::seal(&[5; 16], b"twelve bytes", b"x")));
    let ask = async || decrypt(&host.event(config("c"), "w"), "late", Some(&wrapped), &data).await;

    let failed = host.keys().reload();
    assert!(matches!(&failed[..], [(name, KeyError::Read { .. })] if name == "late"), "{failed:?}");
    let error = ask().await.unwrap_err();
    assert!(error.retryable && !error.unknown_key, "{error:?}");
    assert_eq!(error.message, "crypto.decrypt_credential: key \"late\" cannot be read now");

    folder.file("late.pem", KEYS.text("pkcs1.pem"));
    assert_eq!(host.keys().reload(), []);
    assert_eq!(ask().await.unwrap(), "x");
    // What was read stays until it is to be read again.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask().await.unwrap(), "x");
    assert_eq!(host.keys().reload().len(), 1);
    assert!(ask().await.unwrap_err().retryable);

    // It mends itself, too.
    folder.file("late.pem", KEYS.text("pkcs8.pem"));
    while ask().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[test]
fn what_is_no_private_key_of_rsa_says_what_it_is() {
    let read = |source| {
        let keys = Keyring::new([("key".to_owned(), source)]);
        keys.reload().pop().map(|(_, error)| error)
    };
    let file = |name: &str| read(KeySource::file(KEYS.path(name)));
    assert_eq!(file("pkcs8.pem"), None);
    assert_eq!(file("encrypted8.pem"), Some(KeyError::Encrypted));
    assert_eq!(file("encrypted1.pem"), Some(KeyError::Encrypted));
    assert_eq!(file("public.pem"), Some(KeyError::Public("public key".into())));
    assert_eq!(file("certificate.pem"), Some(KeyError::Public("certificate".into())));
    assert_eq!(file("ec8.pem"), Some(KeyError::NotRsa));
    assert_eq!(file("ec1.pem"), Some(KeyError::NotRsa));
    assert_eq!(file("ed25519.pem"), Some(KeyError::NotRsa));
    assert_eq!(file("short.pem"), Some(KeyError::TooShort(1024)));
    assert!(matches!(file("nobody.pem"), Some(KeyError::Read { .. })));
    assert!(matches!(read(KeySource::file(std::env::temp_dir())), Some(KeyError::Read { .. })));
    let folder = Folder::new();
    for (name, content) in [("binary.pem", vec![255; 100]), ("large.pem", vec![b'x'; 70_000])] {
        assert!(
            matches!(read(KeySource::file(folder.file(name, content))), Some(KeyError::Read { .. })),
            "{name}"
        );
    }
    let pem = KEYS.text("pkcs8.pem");
    assert_eq!(read(KeySource::pem("")), Some(KeyError::NoPem));
    assert_eq!(read(KeySource::pem("-----BEGIN PRIVATE KEY-----")), Some(KeyError::Damaged));
    assert_eq!(read(KeySource::pem(&pem[..pem.len() / 2])), Some(KeyError::Damaged));
    assert_eq!(
        read(KeySource::pem(pem.replace("PRIVATE KEY-----\nMII", "PRIVATE KEY-----\nAAA"))),
        Some(KeyError::Damaged)
    );
    assert_eq!(read(KeySource::pem(pem.replace("PRIVATE", "RSA PRIVATE"))), Some(KeyError::Damaged));
    assert!(!format!("{:?}", KeySource::pem(&pem)).contains("MII"));
}

#[tokio::test]
async fn calls_and_arguments_are_limited() {
    let keys = Keyring::new([("key".to_owned(), KeySource::file(KEYS.path("pkcs8.pem")))]);
    let mut settings = Settings::default();
    settings.crypto.calls = 2;
    settings.crypto.argument_bytes_max = 1000;
    let host = ModuleHost::new(settings, Arc::new(MemoryKv::new()), Arc::new(keys)).unwrap();
    let event = host.event(config("c"), "w");
    let ask = async |data: &str| decrypt(&event, "key", None, data).await.unwrap_err();
    assert!(ask(&"x".repeat(1001)).await.message.contains("more than 1000 bytes"));
    assert!(ask("x").await.message.contains("cannot decrypt"));
    let error = ask("x").await;
    assert_eq!((error.message.as_str(), error.retryable), ("crypto: an event may make 2 calls", false));
}
