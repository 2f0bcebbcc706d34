/*
 * A PAM application that is C and nothing else: it logs in so many times and reports what its own
 * process looked like before the first login, after a hundred, and after the last.
 *
 * host REPORT CONFDIR SERVICE USER TIMES
 *
 * Nothing goes to standard output or standard error, so that whatever appears there is a module's.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <locale.h>
#include <malloc.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static FILE *report;
static int environment_reads;

/*
 * Exported (-rdynamic), so that modules are bound to these instead of libc's: no preload needed to
 * see who reads the environment of the process.
 */
static char *look_up(const char *name, const void *caller)
{
    Dl_info who;
    if (dladdr(caller, &who) && who.dli_fname && strstr(who.dli_fname, "countersign")) {
        environment_reads++;
        fprintf(report, "getenv %s\n", name);
    }
    size_t length = strlen(name);
    for (char **pair = environ; pair && *pair; pair++)
        if (!strncmp(*pair, name, length) && (*pair)[length] == '=')
            return *pair + length + 1;
    return NULL;
}

char *getenv(const char *name)
{
    return look_up(name, __builtin_return_address(0));
}

char *secure_getenv(const char *name)
{
    return look_up(name, __builtin_return_address(0));
}

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
    (void)data;
    struct pam_response *answers = calloc((size_t)count, sizeof *answers);
    if (!answers)
        return PAM_CONV_ERR;
    for (int i = 0; i < count; i++)
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_ON || messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            answers[i].resp = strdup("123456");
    *responses = answers;
    return PAM_SUCCESS;
}

/* Stands in for libpam's sleep after a refusal. */
static void no_delay(int code, unsigned microseconds, void *data)
{
    (void)code, (void)microseconds, (void)data;
}

static void log_in(const char *confdir, const char *service, const char *user, int *auth, int *account)
{
    struct pam_conv conversation = {converse, NULL};
    pam_handle_t *handle = NULL;
    *account = -1;
    *auth = pam_start_confdir(service, user, &conversation, confdir, &handle);
    if (*auth != PAM_SUCCESS)
        return;
    pam_set_item(handle, PAM_FAIL_DELAY, (const void *)no_delay);
    *auth = pam_authenticate(handle, 0);
    /* As no host would, even after a refusal: the account phase must bear it. */
    *account = pam_acct_mgmt(handle, 0);
    pam_setcred(handle, PAM_ESTABLISH_CRED);
    pam_end(handle, *account);
}

static void copy_status(const char *when)
{
    char line[512];
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status)) {
        static const char *const kept[] = {"Threads:", "SigBlk:", "SigIgn:", "SigCgt:", "Umask:", "Uid:", "CapEff:", "NoNewPrivs:", "Seccomp:"};
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            if (!strncmp(line, kept[i], strlen(kept[i])))
                fprintf(report, "%s %s", when, line);
    }
    if (status)
        fclose(status);
}

static int descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm) {
        if (fscanf(statm, "%*s %ld", &pages) != 1)
            pages = -1;
        fclose(statm);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The most memory that the process ever had. */
static void peak(const char *when)
{
    char line[512];
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6))
            fprintf(report, "peak %s %ld\n", when, atol(line + 6));
    if (status)
        fclose(status);
}

static void snapshot(const char *when)
{
    copy_status(when);
    fprintf(report, "%s descriptors %d\n", when, descriptors());
    char cwd[4096];
    fprintf(report, "%s cwd %s\n", when, getcwd(cwd, sizeof cwd));
    fprintf(report, "%s locale %s\n", when, setlocale(LC_ALL, NULL));
    for (char **pair = environ; pair && *pair; pair++)
        fprintf(report, "%s environment %s\n", when, *pair);
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;
        if (!sigaction(number, NULL, &action))
            fprintf(report, "%s signal %d %p %x\n", when, number, (void *)action.sa_handler, (unsigned)action.sa_flags);
    }
    stack_t stack;
    if (!sigaltstack(NULL, &stack))
        fprintf(report, "%s altstack %p %x\n", when, stack.ss_sp, (unsigned)stack.ss_flags);
    for (int which = 0; which < RLIM_NLIMITS; which++) {
        struct rlimit limit;
        if (!getrlimit((__rlimit_resource_t)which, &limit))
            fprintf(report, "%s limit %d %llu %llu\n", when, which, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    }
    struct itimerval timer;
    if (!getitimer(ITIMER_REAL, &timer))
        fprintf(report, "%s timer %ld\n", when, timer.it_value.tv_sec);
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    fprintf(report, "%s name %s dumpable %d\n", when, name, prctl(PR_GET_DUMPABLE));
    fprintf(report, "memory %s %ld %zu\n", when, resident_kib(), mallinfo2().uordblks);
}

int main(int argc, char **argv)
{
    if (argc != 6 || !(report = fopen(argv[1], "we")))
        return 2;
    int times = atoi(argv[5]), auth = -1, account = -1;
    /* libpam's own syslog(3) keeps a descriptor: it is there before we count. */
    openlog("host", LOG_NDELAY, LOG_AUTHPRIV);
    snapshot("before");
    peak("before");
    for (int i = 0; i < times; i++) {
        log_in(argv[2], argv[3], argv[4], &auth, &account);
        fprintf(report, "login %d %d\n", auth, account);
        if (i == 99)
            snapshot("warm");
        /* Where a trace begins to count: what is loaded once is loaded. */
        if (i == 0) {
            fflush(report);
            (void)!access("/the/first/login/is/over", F_OK);
        }
    }
    (void)!access("/the/last/login/is/over", F_OK);
    snapshot("after");
    peak("after");
    fprintf(report, "environment reads %d\n", environment_reads);
    fflush(report);
    pid_t child = fork();
    if (!child) {
        log_in(argv[2], argv[3], argv[4], &auth, &account);
        _exit(auth);
    }
    int status = -1;
    waitpid(child, &status, 0);
    fprintf(report, "fork %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    fclose(report);
    return 0;
}
