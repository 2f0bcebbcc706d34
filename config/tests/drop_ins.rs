//! BYP-05 for `conf.d`: which files are read beside the main one.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use countersign_config::{Config, load, read};

const MAIN: &str = "[[policy]]\nname = \"main\"\ngroups = [\"wheel\"]\n";

/// A folder of this test's own with a main file in it, removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-drop-ins-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("conf.d")).expect("a temporary folder");
        mode(&path, 0o700);
        mode(&path.join("conf.d"), 0o755);
        let folder = Self(path);
        folder.file("countersign.toml", MAIN);
        folder
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("a file");
        mode(&path, 0o644);
        path
    }

    /// A drop-in with one policy.
    fn policy(&self, file: &str, name: &str) -> PathBuf {
        let text = format!("[[policy]]\nname = \"{name}\"\ngroups = [\"{name}\"]\n");
        self.file(&format!("conf.d/{file}"), text)
    }

    fn uid(&self) -> u32 {
        fs::metadata(&self.0).expect("the folder is there").uid()
    }

    fn accepted(&self) -> Config {
        load(&self.0.join("countersign.toml"), Some(self.uid())).expect("valid")
    }

    fn policies(&self) -> Vec<String> {
        self.accepted().policies.into_iter().map(|policy| policy.name).collect()
    }

    /// The messages with DIR for the folder.
    fn refused(&self) -> String {
        match load(&self.0.join("countersign.toml"), Some(self.uid())) {
            Ok(config) => panic!("accepted {:?}", config.sources),
            Err(problems) => problems.to_string().replace(&*self.0.to_string_lossy(), "DIR"),
        }
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

#[test]
fn byp_05_drop_ins_are_read_by_name() {
    let folder = Folder::new("order");
    assert_eq!(folder.policies(), ["main"]);
    folder.policy("20-b.toml", "b");
    folder.policy("10-c.toml", "c");
    folder.policy("9-a.toml", "a");
    // None of these is a drop-in.
    for name in [".hidden.toml", "30.toml~", "30.toml.dpkg-new", "30.TOML", "toml", ".toml", "README"] {
        folder.file(&format!("conf.d/{name}"), "this is not TOML");
    }
    assert_eq!(folder.policies(), ["main", "c", "b", "a"]);
    let sources = folder.accepted().sources;
    assert!(sources[0].ends_with("/countersign.toml"), "{sources:?}");
    assert!(sources[1].ends_with("/conf.d/10-c.toml"), "{sources:?}");

    let files = read(&folder.0.join("countersign.toml"), Some(folder.uid())).expect("readable");
    assert_eq!(files.iter().map(|(name, _)| name).collect::<Vec<_>>(), sources.iter().collect::<Vec<_>>());
    assert_eq!(files[0].1, MAIN.as_bytes());
    assert_eq!(countersign_config::parse_all(&files).expect("valid"), folder.accepted());
}

#[test]
fn byp_05_a_missing_or_empty_folder_is_fine() {
    let folder = Folder::new("missing");
    let empty = folder.accepted().hash;
    fs::remove_dir(folder.0.join("conf.d")).expect("rmdir");
    assert_eq!(folder.policies(), ["main"]);
    assert_eq!(folder.accepted().hash, empty);
}

#[test]
fn byp_05_a_drop_in_changes_the_hash() {
    let folder = Folder::new("hash");
    let none = folder.accepted().hash;
    let path = folder.policy("1.toml", "a");
    let one = folder.accepted().hash;
    fs::rename(&path, folder.0.join("conf.d/2.toml")).expect("rename");
    let renamed = folder.accepted().hash;
    assert!(none != one && one != renamed && none != renamed);
}

#[test]
fn byp_05_conf_d_that_is_no_folder() {
    let folder = Folder::new("no-folder");
    let conf_d = folder.0.join("conf.d");
    fs::remove_dir(&conf_d).expect("rmdir");
    let expected = "DIR/conf.d: is not a folder; put a folder there, not a file or a link, or take it away";
    let file = folder.file("conf.d", "");
    assert_eq!(folder.refused(), expected);
    fs::remove_file(file).expect("rm");
    symlink("/etc", &conf_d).expect("symlink");
    assert_eq!(folder.refused(), expected);
    fs::remove_file(&conf_d).expect("rm");
    symlink("nowhere", &conf_d).expect("symlink");
    assert_eq!(folder.refused(), expected);
}

#[test]
fn byp_05_a_folder_that_others_may_write() {
    let folder = Folder::new("folder-modes");
    let conf_d = folder.0.join("conf.d");
    for (bits, who) in [(0o775, "its group"), (0o757, "others"), (0o1777, "its group and others")] {
        mode(&conf_d, bits);
        assert_eq!(
            folder.refused(),
            format!(
                "DIR/conf.d: is writable by {who} (mode {bits:04o}), so anyone of them could put a file there; \
                 chmod go-w DIR/conf.d"
            )
        );
    }
    mode(&conf_d, 0o755);
    if folder.uid() == 0 {
        std::os::unix::fs::chown(&conf_d, Some(65534), None).expect("chown");
        assert!(folder.refused().starts_with("DIR/conf.d: belongs to uid 65534, not to root"));
    }
}

/// All of them at once, and nothing else is looked at.
#[test]
fn byp_05_every_drop_in_that_is_not_trusted() {
    let folder = Folder::new("files");
    mode(&folder.policy("1.toml", "a"), 0o666);
    symlink("/dev/null", folder.0.join("conf.d/2.toml")).expect("symlink");
    fs::create_dir(folder.0.join("conf.d/3.toml")).expect("mkdir");
    fs::hard_link(folder.policy("4", "d"), folder.0.join("conf.d/4.toml")).expect("hard link");
    nix::unistd::mkfifo(&folder.0.join("conf.d/5.toml"), nix::sys::stat::Mode::S_IRUSR).expect("mkfifo");
    folder.file("conf.d/6.toml", vec![b'#'; 1024 * 1024 + 1]);
    folder.policy("7.toml", "g");
    let odd = folder.0.join("conf.d").join(std::ffi::OsStr::from_bytes(b"8\xff.toml"));
    fs::write(odd, "").expect("a file");
    assert_eq!(
        folder.refused(),
        "DIR/conf.d/1.toml: is writable by its group and others (mode 0666); chmod go-w DIR/conf.d/1.toml\n\
         DIR/conf.d/2.toml: is a symbolic link; put the file itself there\n\
         DIR/conf.d/3.toml: is a directory, not a regular file; put an ordinary file there\n\
         DIR/conf.d/4.toml: has 2 names (hard links); \
         make it a file of its own: copy it, then move the copy over it\n\
         DIR/conf.d/5.toml: is a FIFO, not a regular file; put an ordinary file there\n\
         DIR/conf.d/6.toml: is larger than 1048576 bytes; a configuration is a few hundred lines at most\n\
         DIR/conf.d/8\u{fffd}.toml: has a name that is not UTF-8; rename it"
    );
}

#[test]
fn byp_05_a_mistake_in_a_drop_in_is_shown_there() {
    let folder = Folder::new("mistake");
    folder.file("conf.d/1.toml", "[[policy]]\nname = \"x\"\ngruops = [\"a\"]\n");
    assert_eq!(folder.refused(), "DIR/conf.d/1.toml:3:1: policy.gruops: unknown key; did you mean groups?");
    fs::remove_file(folder.0.join("conf.d/1.toml")).expect("rm");
    for number in 0..101 {
        folder.file(&format!("conf.d/{number}.toml"), "");
    }
    assert_eq!(folder.refused(), "DIR/conf.d: holds 101 files; use at most 100");
}
