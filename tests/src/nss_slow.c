/* An account database that takes a minute to say that it does not know bob, and no time for others. */
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum nss_status _nss_slow_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t len, int *err)
{
    (void)pw;
    (void)buf;
    (void)len;
    if (strcmp(name, "bob") == 0)
        sleep(60);
    *err = ENOENT;
    return NSS_STATUS_NOTFOUND;
}
