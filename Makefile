# Two commands for newcomers: `make demo` and `make test`. Recipes of more than a line are in scripts/.

# Another one, as /usr/local, works; what Linux-PAM, the bus and polkit read goes below /usr all the same.
PREFIX = /usr
SYSCONFDIR = /etc
# Debian's zsh looks where packages may put completions, and nowhere else below /usr/share.
ZSHDIR = $(PREFIX)/share/zsh/$(if $(wildcard /etc/debian_version),vendor-completions,site-functions)
# Where Linux-PAM looks for modules; as found, unless given.
PAMDIR =
DESTDIR =

STAGE = target/stage

.PHONY: help build stage lint test test-long demo generate fuzz bench deb rpm install uninstall
help:
	@echo 'make demo            try it: a real ssh login with a code, in private namespaces'
	@echo 'make demo SCRIPT=1   the same, unattended'
	@echo 'make test            install what is needed, lint, build, run every test'
	@echo 'make test-long       what chance may find, for hours: odd calls, damaged databases, callers who hang up'
	@echo 'make build           what is shipped, into $(STAGE)'
	@echo 'make lint            formatting, clippy, dependencies, scripts, packaging'
	@echo 'make generate        the manual and the description of the bus, after a change of either'
	@echo 'make deb             the Debian package, into target/deb'
	@echo 'make rpm             the RPM package, into target/rpm'
	@echo 'make fuzz            the reader of the policy file, for SECONDS=60'
	@echo 'make bench           against pam_google_authenticator and pam_oath'
	@echo 'make install         DESTDIR= PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) PAMDIR='
	@echo 'make uninstall       the same; the PAM lines first, and what people enrolled stays'

build: stage
stage:
	@scripts/stage

lint:
	@scripts/lint

test:
	@scripts/as-root scripts/test

# After `make test`, which builds what these need and runs each of them for some seconds.
test-long:
	@scripts/as-root env COUNTERSIGN_LONG=1 cargo nextest run --profile long -p countersign-tests -E 'test(inp_06) | test(inp_07) | test(prv_02)'

demo:
	@scripts/as-root scripts/demo $(if $(SCRIPT),--script)

# What is made from other files and committed; the tests say when it is stale.
generate:
	@scripts/generate

deb: stage
	@scripts/deb

rpm: stage
	@scripts/rpm

fuzz:
	@scripts/fuzz $(or $(SECONDS),60)

bench:
	@scripts/as-root scripts/bench

# Installs what `make build` left in $(STAGE), by the list packaging/FILES; builds nothing, so it can
# run as root. The configuration is only put where none is.
install:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' PAMDIR='$(PAMDIR)' ZSHDIR='$(ZSHDIR)' packaging/install install
	@echo 'Installed. Then, once and as root:'
	@echo '  systemd-sysusers && systemd-tmpfiles --create && systemctl reload dbus'
	@echo '  countersignd --init'
	@echo '  systemctl daemon-reload && systemctl enable --now countersignd'

# Takes the PAM lines out first. Configuration, key and state stay: they are people's.
uninstall:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' PAMDIR='$(PAMDIR)' ZSHDIR='$(ZSHDIR)' packaging/install uninstall
	@echo 'Uninstalled. Left: $(SYSCONFDIR)/countersign and /var/lib/countersign, with what people enrolled.'
