//! BYP-05: which files are read at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_config::load;

const VALID: &str = "[[policy]]\nname = \"p\"\n";

/// A folder of this test's own, removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        mode(&path, 0o700);
        Self(path)
    }

    fn file(&self, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join("countersign.toml");
        fs::write(&path, bytes).expect("a file");
        mode(&path, 0o644);
        path
    }

    fn uid(&self) -> u32 {
        fs::metadata(&self.0).expect("the folder is there").uid()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

/// The message without the path in front of it.
fn refused(folder: &Folder, path: &Path) -> String {
    match load(path, Some(folder.uid())) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(problems) => problems.to_string().replace(&*folder.0.to_string_lossy(), "DIR"),
    }
}

#[test]
fn byp_05_a_good_file_is_read() {
    let folder = Folder::new("good");
    let path = folder.file(VALID);
    let config = load(&path, Some(folder.uid())).expect("valid");
    assert_eq!(config.policies[0].name, "p");
    mode(&path, 0o640);
    assert!(load(&path, Some(folder.uid())).is_ok());
}

#[test]
fn byp_05_missing_and_strange_paths() {
    let folder = Folder::new("missing");
    let path = folder.0.join("countersign.toml");
    assert_eq!(
        refused(&folder, &path),
        "DIR/countersign.toml: does not exist; install the default one, or name another file"
    );
    assert!(refused(&folder, &folder.0.join("none/countersign.toml")).contains("does not exist"));
    assert!(refused(&folder, &folder.0.join("..")).contains("is not the path of a file"));
    let file = folder.file(VALID);
    assert!(refused(&folder, &file.join("x")).contains("below something that is no directory"));
}

#[test]
fn byp_05_only_regular_files_with_one_name() {
    let folder = Folder::new("kinds");
    let target = folder.file(VALID);

    let link = folder.0.join("link.toml");
    symlink(&target, &link).expect("symlink");
    assert_eq!(refused(&folder, &link), "DIR/link.toml: is a symbolic link; put the file itself there");

    let dir = folder.0.join("dir.toml");
    fs::create_dir(&dir).expect("mkdir");
    mode(&dir, 0o755);
    assert!(refused(&folder, &dir).contains("is a directory, not a regular file"));

    let socket = folder.0.join("socket.toml");
    let _listener = UnixListener::bind(&socket).expect("bind");
    assert!(fs::metadata(&socket).expect("bound").file_type().is_socket());
    assert!(refused(&folder, &socket).contains("is a socket or a device, not a regular file"));

    fs::hard_link(&target, folder.0.join("second")).expect("hard link");
    assert!(refused(&folder, &target).contains("has 2 names (hard links)"));
}

#[test]
fn byp_05_a_fifo_does_not_hang() {
    let folder = Folder::new("fifo");
    let fifo = folder.0.join("fifo.toml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).expect("mkfifo");
    let started = Instant::now();
    assert!(refused(&folder, &fifo).contains("is a FIFO, not a regular file"));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn byp_05_a_device_is_not_read() {
    let message = load(Path::new("/dev/zero"), None).expect_err("a device").to_string();
    assert!(message.contains("/dev/zero: "), "{message}");
    assert!(message.contains("device") || message.contains("folder"), "{message}");
}

#[test]
fn byp_05_files_that_others_may_write() {
    let folder = Folder::new("modes");
    let path = folder.file(VALID);
    for (bits, who) in [(0o664, "its group"), (0o646, "others"), (0o666, "its group and others")] {
        mode(&path, bits);
        assert_eq!(
            refused(&folder, &path),
            format!(
                "DIR/countersign.toml: is writable by {who} (mode {bits:04o}); \
                 chmod go-w DIR/countersign.toml"
            )
        );
    }
}

#[test]
fn byp_05_folders_that_others_may_write() {
    let folder = Folder::new("folder-modes");
    let path = folder.file(VALID);
    for bits in [0o770, 0o702, 0o1777] {
        mode(&folder.0, bits);
        let message = refused(&folder, &path);
        assert!(message.contains("its folder DIR is writable by"), "{message}");
        assert!(message.ends_with("; chmod go-w DIR"), "{message}");
    }
}

#[test]
fn byp_05_files_of_somebody_else() {
    let folder = Folder::new("owner");
    let path = folder.file(VALID);
    if folder.uid() == 0 {
        std::os::unix::fs::chown(&path, Some(65534), None).expect("chown");
        let message = load(&path, None).expect_err("foreign").to_string();
        assert!(message.contains("belongs to uid 65534, not to root; chown root "), "{message}");
        let message = load(&path, Some(12)).expect_err("foreign").to_string();
        assert!(message.contains("belongs to uid 65534, not to root or uid 12"), "{message}");
        // The folder is still root's: both owners are accepted side by side.
        assert!(load(&path, Some(65534)).is_ok());
        std::os::unix::fs::chown(&folder.0, Some(65534), None).expect("chown");
        let message = load(&path, None).expect_err("foreign").to_string();
        assert!(message.contains("its folder"), "{message}");
    } else {
        let message = load(&path, None).expect_err("foreign").to_string();
        assert!(message.contains("not to root"), "{message}");
    }
}

#[test]
fn byp_05_sizes_and_encodings() {
    let folder = Folder::new("bytes");
    let path = folder.file(vec![b'#'; 1024 * 1024 + 1]);
    assert!(refused(&folder, &path).contains("is larger than 1048576 bytes"));
    let path = folder.file(vec![b'#'; 10 * 1024 * 1024]);
    assert!(refused(&folder, &path).contains("is larger than 1048576 bytes"));
    let path = folder.file(b"");
    assert!(refused(&folder, &path).contains("has no [[policy]]"));
    let path = folder.file(b"\xef\xbb\xbf[[policy]]\nname = \"p\"\n");
    assert!(refused(&folder, &path).contains("toml:1:1: begins with a byte order mark (BOM); "));
    let path = folder.file(b"\xff\xfe[\0[\0");
    assert!(refused(&folder, &path).contains("toml:1:1: is UTF-16; "));
    let path = folder.file(b"[[policy]]\nname = \"\xc3\xa4\xff\"\n");
    assert!(refused(&folder, &path).contains("toml:2:10: is not valid UTF-8; save it as UTF-8"));
}

#[test]
fn byp_05_hostile_paths_do_not_reach_the_terminal_raw() {
    let message = load(Path::new("/nowhere/\u{1b}[2J\n.toml"), None).expect_err("missing");
    assert!(!message.to_string().contains(['\u{1b}', '\n']));
}

/// A relative path is looked up in the working folder, which is judged like any other.
#[test]
fn byp_05_relative_paths() {
    let message = load(Path::new("no-such-file.toml"), None).expect_err("missing").to_string();
    assert!(message.starts_with("no-such-file.toml: "), "{message}");
}
