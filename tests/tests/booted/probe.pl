#!/usr/bin/perl
# Tries what a taken daemon or mailer would try, one line each: worked or refused, and the errno.
use strict;
use warnings;
use Socket;
use IO::Socket::UNIX;
use POSIX ();

$| = 1;

sub try_it {
    my ($what, $work) = @_;
    # In a child, so that what works here changes nothing for the next. Its end closes the pipe: waiting
    # for a process is none of what the units may do.
    pipe(my $end, my $held) or die "pipe: $!";
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        close $end;
        $! = 0;
        my $worked = eval { local $SIG{ALRM} = sub { die "slow\n" }; alarm 5; my $r = $work->(); alarm 0; $r };
        print "probe $what ", ($worked ? "worked" : "refused"), " ($!)\n";
        POSIX::_exit(0);
    }
    close $held;
    readline($end);
}

# Numbers of x86_64 and aarch64, in this order.
my $column = (POSIX::uname())[4] eq "aarch64" ? 1 : 0;
my %number = (ptrace => [101, 117], mount => [165, 40], unshare => [272, 97], bpf => [321, 280],
    io_uring_setup => [425, 425], userfaultfd => [323, 282], keyctl => [250, 219], shmget => [29, 194],
    process_vm_readv => [310, 270], perf_event_open => [298, 241], memfd_create => [319, 279],
    setuid => [105, 146], setgroups => [116, 159], chroot => [161, 51], settimeofday => [164, 170]);
sub call { my ($name, @arguments) = @_; return syscall($number{$name}[$column], @arguments) != -1 }

sub reads { my ($path) = @_; open(my $f, "<", $path) or return 0; return defined(readline($f)) }
sub writes { my ($path) = @_; open(my $f, ">>", $path) or return 0; close $f; -s $path or unlink $path; return 1 }

# In the place of this process: it speaks for itself where that works.
sub becomes { my ($file, @arguments) = @_; no warnings "exec"; exec { $file } $file, @arguments; return 0 }

try_it("network-tcp", sub { my $s; socket($s, PF_INET, SOCK_STREAM, 0) && connect($s, sockaddr_in(22, INADDR_LOOPBACK)) });
try_it("network-udp6", sub { socket(my $s, 10, SOCK_DGRAM, 0) });
try_it("network-raw", sub { socket(my $s, PF_INET, SOCK_RAW, 1) });
try_it("network-packet", sub { socket(my $s, 17, SOCK_RAW, 0) });
try_it("network-netlink", sub { socket(my $s, 16, SOCK_RAW, 0) });
try_it("write-etc", sub { writes("/etc/countersign/countersign.toml") });
try_it("write-usr", sub { writes("/usr/local/planted") });
try_it("write-log", sub { writes("/var/log/planted") });
try_it("read-home", sub { my $d; opendir($d, "/home/alice") || opendir($d, "/root") });
try_it("read-shadow", sub { reads("/etc/shadow") });
try_it("read-key", sub { reads("/etc/countersign/key") });
try_it("read-mailbox", sub { reads("/etc/countersign/mailbox.d/probe") });
try_it("ptrace-init", sub { call("ptrace", 0x4206, 1, 0, 0) });
try_it("see-init", sub { -d "/proc/1" });
try_it("read-memory-of-init", sub { open(my $f, "<", "/proc/1/mem") });
try_it("mount", sub { my ($a, $b) = ("tmpfs", "/mnt"); call("mount", $a, $b, $a, 0, 0) });
try_it("new-user-namespace", sub { call("unshare", 0x10000000) });
try_it("new-network", sub { call("unshare", 0x40000000) });
try_it("set-clock", sub { call("settimeofday", 0, 0) });
try_it("bpf", sub { my $a = "\0" x 128; $! = 0; call("bpf", 0, $a, 128); $! == POSIX::EPERM() ? 0 : 1 });
try_it("io-uring", sub { my $a = "\0" x 120; call("io_uring_setup", 1, $a) });
try_it("keyring", sub { call("keyctl", 0, -3, 0) });
try_it("shared-memory", sub { call("shmget", 0, 4096, 0600 | 01000) });
try_it("memory-file", sub { my $name = "x"; call("memfd_create", $name, 0) });
try_it("become-root", sub { call("setuid", 0) });
try_it("take-groups", sub { my $list = pack("I", 0); call("setgroups", 1, $list) });
# Beside its own: the first of the list is that, and some systems name it twice.
try_it("keep-groups", sub { my ($own, @others) = split(/ /, $(); scalar grep { $_ != $own } @others });
try_it("change-root", sub { my $path = "/"; call("chroot", $path) });
try_it("exec-shell", sub { becomes("/bin/sh", "-c", "echo 'probe exec-shell worked ()'") });
try_it("exec-from-state", sub {
    my $file = "/var/lib/countersign/planted";
    open(my $f, ">", $file) or return 0;
    open(my $perl, "<", "/usr/bin/perl") or return 0;
    { local $/; print $f readline($perl); }
    close $f;
    chmod 0755, $file;
    return becomes($file, "-e", 'unlink "/var/lib/countersign/planted"; print "probe exec-from-state worked ()\n"');
});
try_it("write-state", sub { writes("/var/lib/countersign/probe") });
try_it("bus", sub { IO::Socket::UNIX->new(Peer => "/run/dbus/system_bus_socket") });
