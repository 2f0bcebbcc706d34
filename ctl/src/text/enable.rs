//! The sentences of `enable`, `confirm` and `disable`. Somebody reads them at three in the morning, over ssh.

mod confirm;
mod disable;
mod files;
mod plan;
mod shown;
mod sshd;
mod tool;
mod trial;

pub(crate) use confirm::*;
pub(crate) use disable::*;
pub(crate) use files::*;
pub(crate) use plan::*;
pub(crate) use shown::*;
pub(crate) use sshd::*;
pub(crate) use tool::*;
pub(crate) use trial::*;

pub(crate) const NOT_ROOT: &str = "this changes files in /etc that belong to root.\nTry again with sudo.";
pub(crate) const AFTER_KEY_IS_SSHD: &str = "--after-key is a recipe for sshd alone: a key, then a code, and no password.\n\
    Type:  countersignctl enable sshd --after-key";
pub(crate) const FORCE_NEEDS_YES: &str = "--force asks first, and nobody can be asked here. Nothing was changed.\n\
    Look at what it would force with --dry-run, then add --yes.";
pub(crate) const NOTHING_CHANGED: &str = "nothing was changed.";
pub(crate) const REFUSED: &str = "nothing was changed, because of the problems above. Mend them, or, knowing\n\
    them, do it in spite of them:  --force";
pub(crate) const EVERY_SERVICE: &str = "every service";
pub(crate) const TRYING: &str = "Trying the change on a copy";
pub(crate) const NOTHING_TO_CHANGE: &str = "Nothing to change.";
pub(crate) const DRY_RUN: &str = "This was a dry run; nothing was changed.";
