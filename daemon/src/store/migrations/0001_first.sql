-- Times named *_ms are milliseconds of boot time and go with the boot id beside them; all other
-- times are seconds since 1970 by the wall clock, for people to read.

CREATE TABLE meta (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    instance   TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    -- The latest wall clock seen. Dates that something ends at are judged by it.
    high_water INTEGER NOT NULL DEFAULT 0,
    -- The fingerprint of the sealing key that everything here is sealed under.
    sealed_by  BLOB    NOT NULL,
    -- The key of keyed hashes, sealed; NULL is the one that follows from the sealing key. A new sealing
    -- key leaves it as it was, since what was hashed cannot be hashed anew.
    hash_key   BLOB,
    -- When the last backup was made, by the wall clock.
    backed_up  INTEGER NOT NULL DEFAULT 0,
    -- The last notice that was looked at for letters.
    queued     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- People with a factor. Known by uid and name: a uid that comes back under another name is
-- somebody else.
CREATE TABLE person (
    uid           INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL,
    last_verified INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX person_by_name ON person (name);

-- Confirmed authenticators. last_step is the watermark against replay. drift is how many seconds the
-- authenticator's clock is ahead of ours, as found by a resynchronisation; its steps count by that clock.
-- serial tells the authenticator from all others, in backups and on other hosts too.
CREATE TABLE totp (
    id        INTEGER PRIMARY KEY,
    uid       INTEGER NOT NULL REFERENCES person (uid),
    name      TEXT    NOT NULL,
    secret    BLOB    NOT NULL,
    digits    INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    last_step INTEGER NOT NULL,
    drift     INTEGER NOT NULL DEFAULT 0,
    created   INTEGER NOT NULL,
    last_used INTEGER NOT NULL DEFAULT 0,
    serial    BLOB    NOT NULL UNIQUE DEFAULT (randomblob(16)),
    UNIQUE (uid, name)
) STRICT;

CREATE TABLE recovery_set (
    uid     INTEGER PRIMARY KEY REFERENCES person (uid),
    salt    BLOB    NOT NULL,
    -- By the clock that is never turned back.
    created INTEGER NOT NULL,
    -- 1 for eight-digit codes that came with an imported authenticator: their hashes are keyed, and
    -- they are judged in the lane of the authenticator, because they can be guessed.
    scratch INTEGER NOT NULL DEFAULT 0
) STRICT;

-- sealed is the code itself, and NULL unless the policy of its day said that codes can be viewed.
CREATE TABLE recovery_code (
    id      INTEGER PRIMARY KEY,
    uid     INTEGER NOT NULL REFERENCES recovery_set (uid),
    number  INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    sealed  BLOB,
    used_at INTEGER,
    UNIQUE (uid, number)
) STRICT;

-- What was removed, by the serial of an authenticator or the salt of a set of recovery codes: no older
-- backup brings it back. Triggers see every removal there is.
CREATE TABLE gone (
    serial BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TRIGGER totp_gone AFTER DELETE ON totp BEGIN
    INSERT OR IGNORE INTO gone VALUES (old.serial);
END;
CREATE TRIGGER recovery_set_gone AFTER DELETE ON recovery_set BEGIN
    INSERT OR IGNORE INTO gone VALUES (old.salt);
END;

-- Enrollments from a shell that wait for their first code: one per person. label is the name of the
-- authenticator, caller the uid that began it and must end it; first is 1 where the right to begin it
-- was good for a first factor only.
CREATE TABLE enrollment (
    uid        INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    caller     INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    token      BLOB    NOT NULL UNIQUE,
    secret     BLOB    NOT NULL,
    digits     INTEGER NOT NULL,
    period     INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    boot       BLOB    NOT NULL,
    started_ms INTEGER NOT NULL
) STRICT;

-- The attempt log, one row per login, which is also the state of a login in flight. token is the
-- hash of the login id and is gone once the login is over. phase: 0 asked, 1 verified and waiting
-- for the account phase, 2 skipped and waiting for it, 3 over. asking says what an asked login wants to
-- hear: code, invitation, first-code, read-back or offer. misses are wrong answers to that. later_until
-- is the date (by high_water) until which "later" is an answer; NULL is never.
CREATE TABLE login (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    token        BLOB,
    phase        INTEGER NOT NULL,
    caller       INTEGER NOT NULL,
    user         TEXT    NOT NULL,
    uid          INTEGER,
    ruser        TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    program      TEXT    NOT NULL,
    tty          TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    source_key   TEXT    NOT NULL,
    console      INTEGER NOT NULL,
    person_pays  INTEGER NOT NULL,
    talk         INTEGER NOT NULL,
    policy       TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    factor       TEXT    NOT NULL DEFAULT '',
    reason       TEXT    NOT NULL,
    started      INTEGER NOT NULL,
    boot         BLOB    NOT NULL,
    started_ms   INTEGER NOT NULL,
    rounds       INTEGER NOT NULL DEFAULT 0,
    tries        INTEGER NOT NULL DEFAULT 0,
    last_try     INTEGER NOT NULL DEFAULT 0,
    confirmed    INTEGER NOT NULL DEFAULT 0,
    -- The last notice that this login tells; it counts as told once the account phase confirms it.
    tells        INTEGER NOT NULL DEFAULT 0,
    asking       TEXT    NOT NULL DEFAULT 'code',
    misses       INTEGER NOT NULL DEFAULT 0,
    may_enroll   INTEGER NOT NULL DEFAULT 0,
    later_until  INTEGER,
    -- Its last link in the chain; 0 while it is asked.
    link         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX login_by_token ON login (token) WHERE token IS NOT NULL;
-- What the log is filtered by. Every index ends with the id. Most logins are asked, verified or
-- skipped: who looks for those finds them without one.
CREATE INDEX login_by_user ON login (user, id);
CREATE INDEX login_by_source ON login (source);
CREATE INDEX login_by_service ON login (service);
CREATE INDEX login_by_policy ON login (policy);
CREATE INDEX login_by_started ON login (started);
CREATE INDEX login_by_state ON login (state)
    WHERE state IN ('denied', 'locked', 'would-ask', 'abandoned', 'enrolled');

-- The chain of the attempt log: one link each time that a login that is no longer asked was written.
-- digest is a keyed hash of the row as it was then, mac one of the link before and this one.
CREATE TABLE link (
    seq    INTEGER PRIMARY KEY,
    login  INTEGER NOT NULL,
    digest BLOB    NOT NULL,
    mac    BLOB    NOT NULL
) STRICT;

-- What people did to others and to themselves through the Manager interface. Never changed; mac is a
-- keyed hash of the act before and this one. about is nobody (NULL) where it is about the host.
CREATE TABLE act (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    verb       TEXT    NOT NULL,
    actor      INTEGER NOT NULL,
    actor_name TEXT    NOT NULL,
    loginuid   INTEGER,
    about      INTEGER,
    about_name TEXT    NOT NULL,
    before     TEXT    NOT NULL,
    after      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    mac        BLOB    NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX act_by_actor ON act (actor_name, id);
CREATE INDEX act_by_about ON act (about_name, id);

-- Both ends of both chains, under a keyed hash with the generation, so that no older state of this row
-- fits. Logins up to floor were pruned; those up to accepted are not vouched for. under_way is a keyed hash
-- of all logins that have a token. kept_to is the date that age is counted from, and when it was set.
CREATE TABLE chain (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    links      INTEGER NOT NULL DEFAULT 0,
    link_mac   BLOB    NOT NULL DEFAULT x'',
    first_link INTEGER NOT NULL DEFAULT 0,
    first_mac  BLOB    NOT NULL DEFAULT x'',
    last_login INTEGER NOT NULL DEFAULT 0,
    floor      INTEGER NOT NULL DEFAULT 0,
    accepted   INTEGER NOT NULL DEFAULT 0,
    acts       INTEGER NOT NULL DEFAULT 0,
    act_mac    BLOB    NOT NULL DEFAULT x'',
    first_act  INTEGER NOT NULL DEFAULT 0,
    first_act_mac BLOB NOT NULL DEFAULT x'',
    under_way  BLOB    NOT NULL DEFAULT x'',
    kept_to    INTEGER NOT NULL DEFAULT 0,
    kept_boot  BLOB    NOT NULL DEFAULT x'',
    kept_ms    INTEGER NOT NULL DEFAULT 0,
    -- When the log was found not to be what was written, by the date that is never turned back; 0 is never.
    broken     INTEGER NOT NULL DEFAULT 0,
    mac        BLOB    NOT NULL DEFAULT x''
) STRICT;

-- Enrollments inside logins, each of one login and gone with it. The account phase of that login keeps
-- them; nothing else does. step is that of the first code, -1 before there was one. hashes and sealed
-- hold the recovery codes, one after the other; asked is the one that must be typed back, from 0.
CREATE TABLE pending (
    login      INTEGER PRIMARY KEY,
    uid        INTEGER NOT NULL,
    secret     BLOB    NOT NULL,
    digits     INTEGER NOT NULL,
    period     INTEGER NOT NULL,
    replaces   INTEGER NOT NULL,
    step       INTEGER NOT NULL DEFAULT -1,
    salt       BLOB,
    hashes     BLOB,
    sealed     BLOB,
    asked      INTEGER NOT NULL DEFAULT 0,
    read_back  INTEGER NOT NULL DEFAULT 0,
    boot       BLOB    NOT NULL,
    started_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX pending_by_uid ON pending (uid, login);

-- One-time codes by which an administrator binds somebody's first factor to them, by keyed hash.
CREATE TABLE invitation (
    uid        INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    boot       BLOB    NOT NULL,
    made_ms    INTEGER NOT NULL,
    lives_ms   INTEGER NOT NULL
) STRICT;

-- People who were let in without a factor because a policy gives them time: since when, until when,
-- and how often. Never removed: who is reset later gets no new time.
CREATE TABLE grace (
    uid    INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL,
    began  INTEGER NOT NULL,
    until  INTEGER NOT NULL,
    laters INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Failures by lane. subject is 'uid:N' or 'source:KEY'. The lane 'all' counts a person's failures
-- in a row over all lanes, for the hard cap.
CREATE TABLE tally (
    subject  TEXT    NOT NULL,
    lane     TEXT    NOT NULL,
    failures INTEGER NOT NULL,
    boot     BLOB    NOT NULL,
    last_ms  INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    PRIMARY KEY (subject, lane)
) STRICT, WITHOUT ROWID;
CREATE INDEX tally_by_last ON tally (last);

-- Sources that a person confirmed a login from, by service. The boot time says for how long a policy
-- may let them pass unasked: another boot has forgotten them, and so have other policies than those of
-- this hash. The wall clock makes them known. Of whoever has the uid under another name they are not.
CREATE TABLE known_source (
    uid          INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    confirmed    INTEGER NOT NULL,
    boot         BLOB    NOT NULL,
    confirmed_ms INTEGER NOT NULL,
    rules        TEXT    NOT NULL,
    PRIMARY KEY (uid, source, service)
) STRICT, WITHOUT ROWID;

-- What a person is told at their next login, and by mail where there is an address. told and mailed
-- say when; NULL is "not yet". service and source say where it was done; extra_address is one that is
-- told of this beyond those that count now: the one that counted before.
CREATE TABLE notice (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uid           INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    detail        TEXT    NOT NULL,
    service       TEXT    NOT NULL DEFAULT 'countersignctl',
    source        TEXT    NOT NULL DEFAULT 'local',
    extra_address TEXT,
    told          INTEGER,
    mailed        INTEGER
) STRICT;
CREATE INDEX notice_by_uid ON notice (uid, id);
CREATE INDEX notice_untold ON notice (uid, id) WHERE told IS NULL;

-- What was decided of one person beside the policies. Another name under the uid is somebody else, and
-- so is another uid under the name. until is a date (0: at once, for a requirement, and for a lock, which
-- lasts until it is lifted); an exemption ends after lasts_ms of boot time all the same.
CREATE TABLE override (
    uid      INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('lock', 'exempt', 'require')),
    until    INTEGER NOT NULL,
    boot     BLOB    NOT NULL,
    made_ms  INTEGER NOT NULL,
    lasts_ms INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    by_uid   INTEGER NOT NULL,
    by_name  TEXT    NOT NULL,
    PRIMARY KEY (uid, name, kind)
) STRICT, WITHOUT ROWID;

-- Resets that somebody asked for and nobody has decided yet: one per person. until is a date by the
-- clock that is never turned back.
CREATE TABLE reset_request (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    uid            INTEGER NOT NULL UNIQUE,
    name           TEXT    NOT NULL,
    requester      INTEGER NOT NULL,
    requester_name TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    asked          INTEGER NOT NULL,
    until          INTEGER NOT NULL
) STRICT;
CREATE INDEX reset_request_by_requester ON reset_request (requester);

CREATE TABLE reset_approval (
    id      INTEGER PRIMARY KEY,
    request INTEGER NOT NULL REFERENCES reset_request (id),
    uid     INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    UNIQUE (request, uid)
) STRICT;

-- Logins in which codes can be sent by e-mail: where to, and the one live code as a keyed hash that is
-- bound to the login. Gone with the login, with its use, and when another factor lets the person in.
CREATE TABLE email_login (
    login    INTEGER PRIMARY KEY,
    address  TEXT NOT NULL,
    mailbox  TEXT NOT NULL,
    template TEXT NOT NULL,
    code     BLOB,
    boot     BLOB,
    sent_ms  INTEGER
) STRICT;

-- Letters with codes of the last hour, for the caps per person and for the host.
CREATE TABLE email_sent (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    uid   INTEGER NOT NULL,
    boot  BLOB    NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX email_sent_by_uid ON email_sent (uid, id);

-- Mail addresses that people or administrators have set, each confirmed by a code that was sent to it.
-- Another name under the uid is somebody else. by_name is whoever asked for it.
CREATE TABLE address (
    uid       INTEGER PRIMARY KEY,
    name      TEXT    NOT NULL,
    address   TEXT    NOT NULL,
    confirmed INTEGER NOT NULL,
    by_uid    INTEGER NOT NULL,
    by_name   TEXT    NOT NULL
) STRICT;

-- Addresses that wait for their code, which is kept as a keyed hash: one per person. first is 1 where the
-- right to set it was good for a first factor only.
CREATE TABLE address_pending (
    uid     INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL,
    address TEXT    NOT NULL,
    by_uid  INTEGER NOT NULL,
    by_name TEXT    NOT NULL,
    first   INTEGER NOT NULL,
    code    BLOB    NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0,
    boot    BLOB    NOT NULL,
    sent_ms INTEGER NOT NULL,
    lives_ms INTEGER NOT NULL
) STRICT;

-- Letters with notices that wait: one for each address of a person, which tells the notices from first
-- to last. queued, due and ends are dates by the clock that is never turned back.
CREATE TABLE notice_letter (
    uid     INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    address TEXT    NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0,
    queued  INTEGER NOT NULL,
    due     INTEGER NOT NULL,
    ends    INTEGER NOT NULL,
    PRIMARY KEY (uid, name, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_letter_due ON notice_letter (due);

-- Letters with notices of the last day, for the caps. changes is 0 where it told of mere tries.
CREATE TABLE notice_sent (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT    NOT NULL,
    changes INTEGER NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_sent_by_address ON notice_sent (address, id);
