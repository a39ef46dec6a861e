/* Processes: going on without the terminal, being polite, and ending a run from outside. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "jobs_priv.h"
#include "mem.h"

/* What the child says to its parent, in one write: shorter than PIPE_BUF, so never in parts. */
typedef struct verdict {
    cn_status status;
    cn_err err;
} verdict;

/* In the parent: how the child's starting went. */
static cn_status await(int from_child, pid_t child, cn_err *err)
{
    verdict v;
    ssize_t n;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    while ((n = read(from_child, &v, sizeof v)) < 0 && errno == EINTR)
        ;
    close(from_child);
    if (n == (ssize_t)sizeof v) {
        if (err && v.status) *err = v.err;
        return v.status;
    }
    cn_status st = cn_fail(err, CN_E_IO, "the new process ended before it had begun");
    return cn_next(err, st, "try it without --detach to see why");
}

/* In the child: no input, no signals of the terminal; a parent that is gone is no reason to
 * die. */
static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) dup2(null, STDIN_FILENO);
    if (null > STDERR_FILENO) close(null);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

cn_status job_detach(job_detached *d, cn_err *err)
{
    int ends[2];
    *d = JOB_ATTACHED;
    if (pipe2(ends, O_CLOEXEC))
        return cn_fail(err, cn_status_of_errno(errno), "a pipe: %s", strerror(errno));
    fflush(NULL); /* or both would write it */
    pid_t child = fork();
    if (child < 0) {
        int saved = errno;
        close(ends[0]);
        close(ends[1]);
        return cn_fail(err, cn_status_of_errno(saved), "a new process: %s", strerror(saved));
    }
    if (child > 0) {
        close(ends[1]);
        d->parent = true;
        return await(ends[0], child, err);
    }
    if (setsid() < 0 ||
        (child = fork()) != 0) /* the leader of a session could get a terminal */
        _exit(child < 0);
    close(ends[0]);
    leave_terminal();
    d->pipe = ends[1];
    return CN_OK;
}

static cn_status into_log(const job *j, cn_err *err)
{
    char *path = cn_path_join(job_dir(j), "log.txt");
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    cn_status st = CN_OK;
    fflush(NULL);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
    if (fd > STDERR_FILENO) close(fd);
    cn_free(path);
    return st;
}

cn_status job_detached_tell(job_detached *d, const job *j, cn_status st, cn_err *err)
{
    verdict v;
    cn_err own = {0};
    if (d->pipe < 0) return CN_OK;
    if (!err) err = &own;
    if (!st) st = into_log(j, err);
    memset(&v, 0, sizeof v);
    v.status = st;
    if (st) v.err = *err;
    ssize_t n = write(d->pipe, &v, sizeof v);
    close(d->pipe);
    d->pipe = -1;
    if (st) _exit(1); /* the parent tells the user */
    if (n == (ssize_t)sizeof v) return CN_OK;
    return cn_fail(err, CN_E_CANCELLED, "who asked for the run is gone");
}

#define IO_CLASS_IDLE (3 << 13) /* of ioprio_set(2), which the C library does not wrap */
enum { IO_WHO_PROCESS = 1 };

void job_be_polite(int nice_value, bool idle_io)
{
    errno = 0;
    int now = getpriority(PRIO_PROCESS, 0);
    if (errno == 0 && nice_value > now) setpriority(PRIO_PROCESS, 0, nice_value);
    if (idle_io) syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_CLASS_IDLE);
}

/* SIGTERM through a handle of the process, taken before the lock was asked a second time: a
 * number that was given to another process meanwhile is never signalled. */
static cn_status terminate(const char *dir, pid_t pid, cn_err *err)
{
    int handle = (int)syscall(SYS_pidfd_open, pid, 0), failed = 0;
    if (jobs_holder_of(dir).pid != pid)
        failed = ESRCH;
    else if (handle >= 0 ? syscall(SYS_pidfd_send_signal, handle, SIGTERM, NULL, 0)
                         : kill(pid, SIGTERM)) /* a kernel without handles */
        failed = errno;
    if (handle >= 0) close(handle);
    if (!failed || failed == ESRCH) return CN_OK; /* it just ended by itself */
    return cn_fail(err, CN_E_REFUSED, "process %d: %s", (int)pid, strerror(failed));
}

cn_status job_cancel(const char *dir, double wait_s, cn_err *err)
{
    jobs_holder h = jobs_holder_of(dir);
    if (!h.held) return cn_fail(err, CN_E_NOT_FOUND, "no process trains in %s", dir);
    if (!h.pid) {
        cn_status st = cn_fail(err, CN_E_REFUSED,
                               "the process that trains in %s is on another machine or in "
                               "another container",
                               dir);
        return cn_next(err, st, "cancel it there");
    }
    cn_status st = terminate(dir, h.pid, err);
    uint64_t start = cn_now_ns();
    while (!st && jobs_holder_of(dir).pid == h.pid) {
        if (cn_seconds_since(start) > wait_s) {
            st = cn_fail(err, CN_E_BUSY, "process %d still runs after %.0f s", (int)h.pid,
                         wait_s);
            return cn_next(err, st, "it was told; give it time to write its checkpoint");
        }
        poll(NULL, 0, 50);
    }
    return st;
}
