# Two commands for newcomers: `make demo` and `make test`. Recipes of more than a line are in scripts/.

# Linux-PAM and the system bus look for their files below /usr, hence no /usr/local.
PREFIX = /usr
SYSCONFDIR = /etc
# Debian's zsh looks where packages may put completions, and nowhere else below /usr/share.
ZSHDIR = $(PREFIX)/share/zsh/$(if $(wildcard /etc/debian_version),vendor-completions,site-functions)
MULTIARCH = $(shell gcc -print-multiarch 2>/dev/null)
PAMDIR = $(PREFIX)/$(if $(MULTIARCH),lib/$(MULTIARCH),$(if $(wildcard /usr/lib64/security),lib64,lib))/security
DESTDIR =

STAGE = target/stage

.PHONY: help build stage lint test demo generate fuzz bench deb install
help:
	@echo 'make demo            try it: a real ssh login with a code, in private namespaces'
	@echo 'make demo SCRIPT=1   the same, unattended'
	@echo 'make test            install what is needed, lint, build, run every test'
	@echo 'make build           what is shipped, into $(STAGE)'
	@echo 'make lint            formatting, clippy, dependencies, scripts, packaging'
	@echo 'make generate        the manual and the description of the bus, after a change of either'
	@echo 'make deb             the Debian package, into target/deb'
	@echo 'make fuzz            the reader of the policy file, for SECONDS=60'
	@echo 'make bench           against pam_google_authenticator and pam_oath'
	@echo 'make install         DESTDIR= PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR)'

build: stage
stage:
	@scripts/stage

lint:
	@scripts/lint

test:
	@scripts/as-root scripts/test

demo:
	@scripts/as-root scripts/demo $(if $(SCRIPT),--script)

# What is made from other files and committed; the tests say when it is stale.
generate:
	@scripts/generate

deb: stage
	@scripts/deb

fuzz:
	@scripts/fuzz $(or $(SECONDS),60)

bench:
	@scripts/as-root scripts/bench

# Installs what `make build` left in $(STAGE); builds nothing, so it can run as root.
# The configuration is only put where none is.
install:
	install -D -m 644 $(STAGE)/pam_countersign.so $(DESTDIR)$(PAMDIR)/pam_countersign.so
	install -D -m 755 $(STAGE)/countersignd $(DESTDIR)$(PREFIX)/sbin/countersignd
	install -D -m 755 $(STAGE)/countersign-mailer $(DESTDIR)$(PREFIX)/sbin/countersign-mailer
	install -D -m 755 $(STAGE)/countersignctl $(DESTDIR)$(PREFIX)/bin/countersignctl
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|=/usr/sbin/|=$(PREFIX)/sbin/|' packaging/usr/lib/systemd/system/countersignd.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/countersignd.service
	sed 's|=/usr/sbin/|=$(PREFIX)/sbin/|' packaging/usr/lib/systemd/system/countersign-mailer.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/countersign-mailer.service
	install -D -m 644 packaging/usr/lib/sysusers.d/countersign.conf \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/countersign.conf
	install -D -m 644 packaging/usr/lib/tmpfiles.d/countersign.conf \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/countersign.conf
	install -D -m 644 packaging/usr/share/dbus-1/system.d/org.countersign1.conf \
		$(DESTDIR)$(PREFIX)/share/dbus-1/system.d/org.countersign1.conf
	install -D -m 644 packaging/usr/share/polkit-1/actions/org.countersign1.policy \
		$(DESTDIR)$(PREFIX)/share/polkit-1/actions/org.countersign1.policy
	install -D -m 644 packaging/usr/share/dbus-1/system.d/org.countersign1.Mailer.conf \
		$(DESTDIR)$(PREFIX)/share/dbus-1/system.d/org.countersign1.Mailer.conf
	install -D -m 644 packaging/usr/share/pam-configs/countersign \
		$(DESTDIR)$(PREFIX)/share/pam-configs/countersign
	install -D -m 644 packaging/usr/share/dbus-1/system-services/org.countersign1.service \
		$(DESTDIR)$(PREFIX)/share/dbus-1/system-services/org.countersign1.service
	install -D -m 644 packaging/usr/share/dbus-1/system-services/org.countersign1.Mailer.service \
		$(DESTDIR)$(PREFIX)/share/dbus-1/system-services/org.countersign1.Mailer.service
	install -D -m 644 packaging/usr/share/countersign/templates/code.txt \
		$(DESTDIR)$(PREFIX)/share/countersign/templates/code.txt
	for page in $(wildcard packaging/usr/share/man/man*/*); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/$${page#packaging/usr/}; done
	install -D -m 644 packaging/usr/share/bash-completion/completions/countersignctl \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/countersignctl
	install -D -m 644 packaging/usr/share/zsh/site-functions/_countersignctl \
		$(DESTDIR)$(ZSHDIR)/_countersignctl
	install -D -m 644 packaging/usr/share/fish/vendor_completions.d/countersignctl.fish \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/countersignctl.fish
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/countersign
	test -e $(DESTDIR)$(SYSCONFDIR)/countersign/countersign.toml || \
		install -m 644 config/countersign.toml $(DESTDIR)$(SYSCONFDIR)/countersign/countersign.toml
	@echo 'Installed. Then, once and as root:'
	@echo '  systemd-sysusers && systemd-tmpfiles --create && systemctl reload dbus'
	@echo '  countersignd --init'
	@echo '  systemctl daemon-reload && systemctl enable --now countersignd'
