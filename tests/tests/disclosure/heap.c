/*
 * A PAM application that logs in once and then stays as it is, to be looked into:
 *
 * heap CONFDIR SERVICE USER
 *
 * The answer comes on standard input, is handed to the module once and wiped here.
 */
#define _GNU_SOURCE
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char answer[128];

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
    (void)data;
    struct pam_response *answers = calloc((size_t)count, sizeof *answers);
    if (!answers)
        return PAM_CONV_ERR;
    for (int i = 0; i < count; i++) {
        int style = messages[i]->msg_style;
        if (style == PAM_PROMPT_ECHO_ON || style == PAM_PROMPT_ECHO_OFF) {
            /* The second prompt is the offer of a new phone. */
            answers[i].resp = strdup(answer[0] ? answer : "no");
            explicit_bzero(answer, sizeof answer);
        }
    }
    *responses = answers;
    return PAM_SUCCESS;
}

int main(int count, char **words)
{
    struct pam_conv conversation = {converse, NULL};
    pam_handle_t *handle = NULL;
    char *kept = strdup("the-control-that-stays-in-the-heap");
    if (count != 4 || !kept)
        return 2;
    ssize_t length = read(0, answer, sizeof answer - 1);
    if (length <= 0)
        return 2;
    answer[strcspn(answer, "\n")] = 0;
    int code = pam_start_confdir(words[2], words[3], &conversation, words[1], &handle);
    if (code == PAM_SUCCESS)
        code = pam_authenticate(handle, 0);
    if (code == PAM_SUCCESS)
        code = pam_acct_mgmt(handle, 0);
    /* Before pam_end, as sshd is for as long as the session lasts. */
    char told = code == PAM_SUCCESS ? 'y' : 'n';
    if (write(1, &told, 1) != 1)
        return 2;
    pause();
    return kept[0] == 0;
}
