//! What is installed to be read: each link leads somewhere, and the way in for bad days is among it.

use super::run;
use countersign_tests::require;
use countersign_tests::scratch::Scratch;
use std::path::Path;

/// Where the links of a page lead, without those to the network and within the page.
fn links(page: &str) -> Vec<&str> {
    let ends = page.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(to, _)| to));
    ends.filter(|to| !to.contains("://") && !to.starts_with('#')).collect()
}

#[test]
fn the_links_of_installed_pages_lead_to_what_is_installed() {
    require!(Tool("make"), Staged("countersignctl"), Staged("THIRD-PARTY"));
    let root = Scratch::new("pages");
    run("make", &["-s", "install", &format!("DESTDIR={}", root.path().display())], &[]);
    let folder = root.join("usr/share/doc/countersign");
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = std::fs::read_to_string(&path).expect("a page");
        assert!(!page.contains('\u{1}'), "{}", path.display());
        for link in links(&page) {
            let file = link.split('#').next().unwrap_or_default();
            let to = match file.strip_prefix('/') {
                Some(absolute) => root.join(absolute),
                None => folder.join(file),
            };
            assert!(to.exists(), "{}: {link}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} links");
    assert!(Path::new(&folder.join("ADMIN-GUIDE.md")).exists());
    let guide = std::fs::read_to_string(folder.join("ADMIN-GUIDE.md")).expect("the guide");
    assert!(guide.contains("\n## A way in when something is gone\n"), "for whoever sits at the console");
}
