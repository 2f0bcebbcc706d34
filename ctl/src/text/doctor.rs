//! Everything that `doctor` can find, in the words of `doctor`. docs/DOCTOR.md is the same table, compared in
//! a test. An id never changes its meaning; the worst come first.

use crate::doctor::finding::{Finding, Severity};

macro_rules! findings {
    ($($name:ident $severity:ident $id:literal, $what:literal, $why:literal, $mend:literal;)*) => {
        $(pub(crate) static $name: Finding = Finding {
            id: $id, severity: Severity::$severity, what: $what, why: $why, mend: $mend,
        };)*
        /// All of them.
        pub(crate) static ALL: &[&Finding] = &[$(&$name),*];
    };
}

findings! {
    // ---- the daemon and the bus ----
    BUS_AWAY Problem "bus-away",
        "The system bus cannot be reached.",
        "Nobody who must show a code can log in: the module asks over the bus.",
        "systemctl status dbus";
    DAEMON_AWAY Problem "daemon-away",
        "countersignd does not answer.",
        "Nobody who must show a code can log in. What only the daemon knows was not looked at.",
        "systemctl restart countersignd; journalctl -u countersignd -n 20";
    BUS_OWNER Problem "bus-owner",
        "The name org.countersign1 belongs to somebody else.",
        "The module answers only to the account countersign: every login is refused, and whoever has \
         the name pretends to be us.",
        "busctl status org.countersign1";
    ACCOUNT Problem "account",
        "The account countersign is not what it must be.",
        "The module looks its uid up in /etc/passwd itself, and trusts nobody else on the bus.",
        "systemd-sysusers countersign.conf";
    BUS_POLICY_MISSING Problem "bus-policy-missing",
        "The bus has no policy for org.countersign1.",
        "Without it the daemon may not own its name, and no login finds it.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    UNIT_MASKED Problem "unit-masked",
        "{} is masked.",
        "systemd does not start it, whoever asks.",
        "systemctl unmask {} && systemctl start {}";
    // ---- files ----
    KEY_MISSING Problem "key-missing",
        "There is no sealing key.",
        "The daemon does not start without it, and every factor is sealed with it: only a copy of the \
         key brings them back.",
        "ls -l /etc/countersign/key; systemctl status countersignd";
    KEY_MODE Problem "key-mode",
        "Others can read the sealing key, or the daemon cannot.",
        "The key opens every secret in the database.",
        "chown root:countersign /etc/countersign/key && chmod 640 /etc/countersign/key";
    STATE_MISSING Problem "state-missing",
        "A part of the state is missing.",
        "Key, instance file and database vouch for each other. The daemon takes none of them for new: \
         nobody would have a second factor then.",
        "ls -l /var/lib/countersign; systemctl status countersignd";
    STATE_MODE Problem "state-mode",
        "The state does not belong to the daemon alone.",
        "Whoever writes to the database decides who gets in; whoever reads it learns who logs in when.",
        "chown -R countersign:countersign /var/lib/countersign && chmod -R go= /var/lib/countersign";
    STATE_READ_ONLY Problem "state-read-only",
        "The file system of the state is read-only.",
        "No code can be marked as used, so every login that needs one is refused.",
        "mount -o remount,rw /var/lib/countersign";
    SPACE_LOW Problem "space-low",
        "The file system of the state is nearly full.",
        "When it is full, every login that needs a code is refused.",
        "df -h /var/lib/countersign";
    DAMAGE Problem "database-damaged",
        "The database is damaged.",
        "What cannot be read denies; what is read wrong may do worse.",
        "cp -a /var/lib/countersign /root; countersignctl restore FILE --reason damaged";
    LOG_BROKEN Problem "log-broken",
        "The attempt log is not what was written.",
        "Somebody may hide how they got in. Until it is accepted nothing old is removed.",
        "countersignctl log verify; countersignctl log accept --reason TEXT";
    PROGRAM_MODE Problem "program-mode",
        "A program of ours can be changed by others than root.",
        "Whoever changes it decides who gets in.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    MODULE_MISSING Problem "module-missing",
        "The PAM module is not where this host loads modules from.",
        "A stack line that names a missing module refuses every login.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    MODULE_MACHINE Problem "module-machine",
        "The PAM module is not for this kind of machine, or is cut off.",
        "libpam cannot load it, and refuses every login on a line that names it.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    MODULE_MODE Problem "module-mode",
        "The PAM module can be changed by others than root.",
        "It runs in sshd, login and sudo as root.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    CONFIG_BROKEN Problem "config-broken",
        "The policy file cannot be read as one.",
        "What was in force before stays in force; a daemon that never had another does not start.",
        "countersignctl policy check";
    NOT_IN_FORCE Problem "not-in-force",
        "The policy file is not what is in force.",
        "What the file says is not what happens at logins.",
        "countersignctl policy apply --dry-run";
    SECRET_MODE Problem "mailbox-secret-mode",
        "Others than the mailer can read the secret of a mailbox.",
        "Whoever has it sends mail in our name, and reads what the server keeps.",
        "chown root:countersign-mail /etc/countersign/mailbox.d/*; chmod 640 /etc/countersign/mailbox.d/*";
    // ---- stacks ----
    STACK_BROKEN Problem "stack-broken",
        "The PAM stack of {} has lines that libpam cannot read.",
        "libpam takes such a line for one that fails, or refuses the whole service.",
        "Correct the line in the file.";
    STACK_SKIPPED Problem "stack-skipped",
        "The PAM stack of {} can let people in without our line.",
        "Nobody is asked for a code on that way. The lines show one way that ends well.",
        "Move our line above the one that ends the stack, or let that one say \"requisite\".";
    STACK_IN_SPITE Problem "stack-in-spite",
        "The PAM stack of {} lets people in although our line refuses.",
        "A wrong code, or a daemon that is down, is no obstacle there.",
        "Let our line say \"required\", and nothing else in its place.";
    STACK_DEAD Problem "stack-dead",
        "The PAM stack of {} lets in nobody who was asked for a code.",
        "Every way to our line ends in a refusal.",
        "Put our line behind the lines that check the password, and none that denies after it.";
    STACK_NOT_AFTER_FACTOR Problem "stack-not-after-factor",
        "The PAM stack of {} says after_first_factor, and that is not so.",
        "Strangers who do not know the password learn who has a factor, may set one up, and wear out \
         the tries of others.",
        "Let the line of the password say \"requisite\", or take after_first_factor out.";
    STACK_OPTION Problem "stack-option",
        "Our line for {} has an option that the module refuses.",
        "An option that is not known refuses every login on that line.",
        "Correct it; the options are in pam_countersign(8).";
    STACK_DIGITS Warning "stack-digits",
        "Our line for {} cuts off as many digits as apps set up now do not show.",
        "Password and code come from one box there, and what is cut off is not the code: nobody with \
         such an app gets in.",
        "Let the line say forward_pass=8 where [totp] has digits = 8, and forward_pass where it has 6.";
    PAIR_MISSING Warning "pair-missing",
        "{} asks for no code, and its other half does.",
        "sudo and sudo -i, su and su - have a file each: who is not asked by one uses the other.",
        "countersignctl enable {}";
    POLICY_SERVICE Problem "policy-service",
        "A policy names {}, whose PAM stack never asks us.",
        "The policy reads as if {} were protected, and it is not.",
        "countersignctl enable {}";
    // ---- sshd ----
    SSHD_BROKEN Problem "sshd-broken",
        "sshd cannot read its own configuration.",
        "It does not come up again after the next restart.",
        "sshd -t";
    SSHD_NO_PAM Problem "sshd-no-pam",
        "sshd does not use PAM.",
        "Our module is never loaded, and nobody is asked for a code.",
        "Write \"UsePAM yes\" and run: sshd -t && systemctl reload sshd";
    SSHD_NO_PROMPT Problem "sshd-no-prompt",
        "sshd offers no way to be asked for a code.",
        "The module can ask only by keyboard-interactive. People who must show a code cannot log in.",
        "Write \"KbdInteractiveAuthentication yes\" and run: sshd -t && systemctl reload sshd";
    SSHD_KEY_ALONE Problem "sshd-key-alone",
        "sshd takes a key alone, and nothing asks for more.",
        "Such a login never enters the auth phase, where codes are asked for, and our account line, \
         which would refuse it, is not on its way.",
        "Write \"AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam\" \
         and run: sshd -t && systemctl reload sshd";
    SSHD_GSSAPI_ALONE Problem "sshd-gssapi-alone",
        "sshd takes a Kerberos ticket alone, and nothing asks for more.",
        "Such a login never enters the auth phase, where codes are asked for, and our account line, \
         which would refuse it, is not on its way.",
        "Write \"gssapi-with-mic,keyboard-interactive:pam\" in AuthenticationMethods and run: \
         sshd -t && systemctl reload sshd";
    SSHD_HOSTBASED_ALONE Problem "sshd-hostbased-alone",
        "sshd takes another host's word alone, and nothing asks for more.",
        "Such a login never enters the auth phase, where codes are asked for, and our account line, \
         which would refuse it, is not on its way.",
        "Write \"hostbased,keyboard-interactive:pam\" in AuthenticationMethods and run: \
         sshd -t && systemctl reload sshd";
    SSHD_KEY_REFUSED Warning "sshd-key-refused",
        "sshd takes a key alone, and cannot ask for a code then.",
        "People who must show a code are refused with a key; others are in. Where only they come by \
         it, that is meant.",
        "Write \"AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam\" \
         and run: sshd -t && systemctl reload sshd";
    SSHD_GSSAPI_REFUSED Warning "sshd-gssapi-refused",
        "sshd takes a Kerberos ticket alone, and cannot ask for a code then.",
        "People who must show a code are refused with a ticket; others are in. Where only they come \
         by it, that is meant.",
        "Write \"gssapi-with-mic,keyboard-interactive:pam\" in AuthenticationMethods and run: \
         sshd -t && systemctl reload sshd";
    SSHD_HOSTBASED_REFUSED Warning "sshd-hostbased-refused",
        "sshd takes another host's word alone, and cannot ask for a code then.",
        "People who must show a code are refused from there; others are in. Where only they come \
         by it, that is meant.",
        "Write \"hostbased,keyboard-interactive:pam\" in AuthenticationMethods and run: \
         sshd -t && systemctl reload sshd";
    STACK_NO_ACCOUNT Warning "stack-no-account",
        "The PAM stack of {} has our auth line and no account line.",
        "A login is never confirmed: an enrollment in it is thrown away, and keys are not checked at all.",
        "Add to /etc/pam.d/{}: account required pam_countersign.so";
    STACK_ACCOUNT_SKIPPED Warning "stack-account-skipped",
        "The account phase of {} can end before our line.",
        "On that way a login is not confirmed, and a key is not checked.",
        "Move our account line above the one that ends the stack.";
    STACK_ACCOUNT_EXPIRED Warning "stack-account-expired",
        "The account phase of {} ends before our line when a password has expired.",
        "Whoever changes the password then is in: the login is not confirmed, and a key is not checked.",
        "Move our account line above the one that says new_authtok_reqd=done.";
    STACK_ACCOUNT_ONLY Warning "stack-account-only",
        "The PAM stack of {} has our account line and no auth line.",
        "Nobody is asked for a code there.",
        "Add to /etc/pam.d/{}: auth required pam_countersign.so";
    STACK_PRIVATE_BUS Warning "stack-private-bus",
        "Our line for {} names a bus or an owner.",
        "bus= and owner= are for tests: whoever is behind them decides who gets in.",
        "Take the option out.";
    STACK_INTRICATE Warning "stack-intricate",
        "The PAM stack of {} has too many ways to look at all of them.",
        "Nothing is known of whether it can be passed without a code.",
        "Write it with fewer jumps.";
    SSHD_GRACE Warning "sshd-grace",
        "sshd hangs up before our deadlines end.",
        "Who types slowly, or waits for mail, is cut off without a word.",
        "Write \"LoginGraceTime 120\" and run: sshd -t && systemctl reload sshd";
    SSHD_EMPTY Warning "sshd-empty-passwords",
        "sshd lets people in with an empty password.",
        "The code is then the only factor.",
        "Write \"PermitEmptyPasswords no\" and run: sshd -t && systemctl reload sshd";
    EMPTY_PASSWORD Warning "empty-password",
        "Somebody has an empty password, and PAM takes it for a first factor.",
        "The code is then the only factor, and its owner counts as known before it is asked for.",
        "Take nullok off the line, or lock the account: passwd --lock USER";
    // ---- guards ----
    BUS_POLICY_CHANGED Warning "bus-policy-changed",
        "What the bus says of org.countersign1 is not what we ship.",
        "It is the outer gate: it says who may own the name, and who may call what.",
        "Compare the file with the package, or move it away and run: systemctl reload dbus";
    ACTIVATION_MISSING Warning "activation-missing",
        "The bus cannot start the daemon.",
        "A login that comes before the daemon is refused instead of waiting for it.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    UNIT_REPLACED Warning "unit-replaced",
        "{} is replaced by a file of this host.",
        "The sandbox of the package, and its corrections, do not hold.",
        "systemctl revert {}";
    UNIT_LOOSENED Warning "unit-loosened",
        "A drop-in takes the sandbox of {} apart.",
        "What breaks in would get further than it could.",
        "systemctl revert {}";
    MAIL_ACCOUNT Warning "mail-account",
        "There is no account countersign-mail.",
        "The mailer cannot start: no code and no notice is mailed.",
        "systemd-sysusers countersign.conf";
    POLKIT_ACTIONS_MISSING Warning "polkit-actions-missing",
        "polkit does not know our actions.",
        "Nobody but root can administer, and nobody can enroll from a shell.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    POLKIT_OWNER Warning "polkit-owner",
        "An action has lost its owner annotation.",
        "polkit answers the daemon only for actions that name it: it would say no to everybody.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    POLKIT_DEFAULTS Warning "polkit-defaults",
        "The defaults of polkit actions are not those that we ship.",
        "Whoever may reset a person's factors can become that person.",
        "apt-get install --reinstall countersign, or: dnf reinstall countersign";
    SELINUX_DENIAL Warning "selinux-denial",
        "SELinux forbade something of ours.",
        "What is forbidden here may be a login, or the log of it.",
        "ausearch -m avc -ts today";
    APPARMOR_DENIAL Warning "apparmor-denial",
        "AppArmor forbade something of ours.",
        "What is forbidden here may be a login, or the log of it.",
        "journalctl -k --grep apparmor";
    MAIL_UNREACHABLE Problem "mail-unreachable",
        "The server of mailbox {} cannot be reached.",
        "Codes by e-mail do not arrive, and nobody is told what happened to their factors.",
        "countersignctl email test ADDRESS --mailbox {}";
    // ---- time ----
    CLOCK_UNSYNCHRONISED Warning "clock-unsynchronised",
        "This host's clock is not synchronised.",
        "Codes are made of the time. A clock that drifts by a minute refuses everybody.",
        "timedatectl set-ntp true";
    SKEW Warning "clock-skew",
        "Most phones disagree with this host's clock.",
        "It is the host that is wrong then. A little more, and no code is right any more.",
        "timedatectl status";
    CLOCK_BEHIND Warning "clock-behind",
        "The clock is behind the latest date that was seen.",
        "Deadlines and exemptions are judged by that date, and not by the clock.",
        "countersignctl accept-clock";
    // ---- policies and people ----
    GROUP_UNRESOLVED Warning "group-unresolved",
        "A policy names a group that does not exist here.",
        "Nobody can be shown not to be in it: everybody who may be is asked.",
        "countersignctl policy check";
    MAIL_ONLY Warning "mail-only",
        "E-mail is the only factor of a policy.",
        "Who reads the mail has both factors where the password can be reset by mail, and no code \
         arrives while the server is down.",
        "Write  factors = [\"totp\", \"email\"]  in the policy.";
    PAST_DATE Warning "past-date",
        "People without a factor whose time to get one is over.",
        "They are refused, or must enroll at the next login.",
        "countersignctl invite USER";
    NO_CODES Warning "no-recovery-codes",
        "People without recovery codes.",
        "A lost phone locks them out.",
        "countersignctl recovery-codes USER";
    LOCKED Warning "locked",
        "People who stay locked until somebody helps.",
        "100 wrong answers in a row: they have lost the phone, or somebody else has the password.",
        "countersignctl unlock USER";
    VERSIONS Warning "versions",
        "The daemon that runs is not the one that is installed.",
        "What was mended in between does not hold yet.",
        "systemctl restart countersignd";
    // ---- hints ----
    NOT_ENABLED Hint "not-enabled",
        "No PAM service asks for codes yet.",
        "The package is installed and nothing is switched on.",
        "countersignctl enable sshd";
    NOTHING_ENFORCED Hint "nothing-enforced",
        "No policy asks for a second factor.",
        "Every policy is off, or only reports what it would do.",
        "countersignctl policy check";
    SERVICES_WITHOUT Hint "services-without",
        "Services by which people come in, and that ask for no code.",
        "That may be meant. A service that is reached from outside should ask.",
        "countersignctl enable SERVICE";
    STACK_FACTOR_UNSAID Hint "stack-factor-unsaid",
        "Our line for {} could say after_first_factor.",
        "The password was right whenever the line is reached. Without the word nobody can enroll there, \
         no code is mailed, and nobody is told why a code was refused.",
        "Add after_first_factor to the auth line.";
    SSHD_PASSWORD Hint "sshd-password-method",
        "sshd offers the method \"password\".",
        "It cannot show a second prompt: who must show a code and comes by it is refused.",
        "Write \"PasswordAuthentication no\" and run: sshd -t && systemctl reload sshd";
    FEW_CODES Hint "few-recovery-codes",
        "People with two recovery codes or fewer.",
        "They run out when they are needed most.",
        "countersignctl recovery-codes USER";
    POLICY_NO_SERVICE Hint "policy-no-service",
        "A policy names {}, and this host has no such PAM service.",
        "That may be meant. Where the name is wrong, the service that was meant is not protected by it.",
        "ls /etc/pam.d; countersignctl policy check";
    NOT_LOOKED_AT Hint "not-looked-at",
        "Not looked at: {}.",
        "What is wrong there is not in this report.",
        "When what stood in the way is gone: countersignctl doctor";
    BACKUP_OLD Hint "backup-old",
        "There is no backup that is younger than 30 days.",
        "When this disk is gone, everybody enrolls anew. Restoring a backup keeps used codes used.",
        "countersignctl backup FILE";
    LAPSES Hint "exemption-lapses",
        "Exemptions that end within a week.",
        "From then on these people are asked again.",
        "countersignctl exempt";
    CONFIG_WARNING Hint "config-warning",
        "The policy file says something that is probably not meant.",
        "It is allowed, and in force.",
        "countersignctl policy check";
    POLKIT_ABSENT Hint "polkit-absent",
        "There is no polkit.",
        "Nobody but root can administer, and nobody can enroll from a shell.",
        "apt-get install polkitd, or: dnf install polkit";
    POLKIT_RULES Hint "polkit-rules",
        "Rules of polkit let somebody administer without a password.",
        "That may be meant. Whoever may reset a person's factors can become that person.",
        "Read the rule.";
    JOURNAL_VOLATILE Hint "journal-volatile",
        "The journal is lost at the next boot.",
        "The attempt log stays; its copy in the journal, which shows that nobody changed it, does not.",
        "mkdir -p /var/log/journal && systemctl restart systemd-journald";
    SWAP_PLAIN Hint "swap-plain",
        "Swap is perhaps not encrypted.",
        "The daemon locks itself out of swap by its unit; other programs that held a code do not.",
        "lsblk -o NAME,TYPE,MOUNTPOINTS";
}

// ---- evidence ----

pub(crate) const NO_LINE: &str = "no line is needed at all";
pub(crate) const NO_BACKUP: &str = "none was ever made";
pub(crate) const NO_ADDRESS: &str = "the name has no address";
pub(crate) const NO_SMTP: &str = "what answers is no mail server";
pub(crate) const NOT_IN_PASSWD: &str = "/etc/passwd has no line \"countersign\"";

pub(crate) const THE_CLOCK: &str = "whether the clock is synchronised";
pub(crate) const THE_ROOM: &str = "the room for the state";
pub(crate) const NO_TIMEDATECTL: &str = "timedatectl is not there, or does not answer";

pub(crate) fn times_in_passwd(count: usize) -> String {
    format!("/etc/passwd has {count} lines \"countersign\"")
}

pub(crate) fn asks_and_lacks(asks: &str, lacks: &str) -> String {
    format!("/etc/pam.d/{asks} asks, /etc/pam.d/{lacks} does not")
}

pub(crate) fn step(place: &str, module: &str, code: &str, action: &str) -> String {
    format!("{place} {module}: {code} -> {action}")
}

pub(crate) fn more(count: usize) -> String {
    format!("... and {count} more")
}

pub(crate) fn more_than(seconds: u64) -> String {
    format!("no answer within {seconds} s")
}

pub(crate) fn grace(has: u64, needs: u64) -> String {
    format!("logingracetime {has}, our deadlines come to {needs} s")
}

pub(crate) fn guard(path: &str, mode: u32, uid: u32, gid: u32, most: u32) -> String {
    format!("{path}: mode {mode:04o}, uid {uid}, gid {gid}; at most {most:04o}")
}

pub(crate) fn room(path: &str, mib: u64, files: u64) -> String {
    format!("{path}: {mib} MiB and {files} files left")
}

pub(crate) fn versions(runs: &str, installed: &str) -> String {
    format!("it is {runs}, this is {installed}")
}

/// What is cut off, and what `[totp]` says.
pub(crate) fn digits(line: &str, configured: u8) -> String {
    format!("{line}, and [totp] digits = {configured}")
}

pub(crate) fn skew(phones: &str, ahead: i64) -> String {
    let way = if ahead < 0 { "behind" } else { "ahead" };
    format!("{phones} phones, the middle one {} s {way}", ahead.abs())
}

pub(crate) fn policy_names(policy: &str, service: &str) -> String {
    format!("policy \"{policy}\": services = [... \"{service}\" ...]")
}

pub(crate) fn owner(uid: u32, expected: Option<u32>) -> String {
    let expected = expected.map_or_else(String::new, |uid| format!(", countersign is {uid}"));
    format!("the owner has uid {uid}{expected}")
}

pub(crate) fn mailbox(host: &str, port: u16, why: &str) -> String {
    format!("{host}:{port}: {why}")
}

// ---- the report ----

pub(crate) const WHY: &str = "why";
pub(crate) const MEND: &str = "mend";

pub(crate) fn not_root() -> String {
    "doctor reads what only root can read.\nTry:  sudo countersignctl doctor".to_owned()
}

pub(crate) fn looking_at(section: &str) -> String {
    format!("Looking at {section}")
}

pub(crate) fn counted(problems: usize, warnings: usize, hints: usize) -> String {
    let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    if problems + warnings + hints == 0 {
        return "Nothing was found.".to_owned();
    }
    format!("{}, {}, {}.", count(problems, "problem"), count(warnings, "warning"), count(hints, "hint"))
}
