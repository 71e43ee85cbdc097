/* tests/unit/test_block_open.c - the user's mistakes, image locks (ours and QEMU's), media, the format guess.
 */
#include "tests/unit/blktest.h"
#include "vmm/block/drive_int.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

struct fix {
    struct vm *vm;
    char *dir, *img;
};

static void setup(struct fix *f, gconstpointer data)
{
    (void) data;
    f->vm = vm_new(NULL, NULL);
    f->dir = scratch_new();
    f->img = make_image(f->dir, "disk.img", 1 << 20);
}

static void teardown(struct fix *f, gconstpointer data)
{
    (void) data;
    vm_lock(f->vm);
    drive_close_all(f->vm);
    vm_unlock(f->vm);
    vm_free(f->vm);
    g_free(f->img);
    scratch_free(f->dir);
}

/* --- mistakes ---------------------------------------------------------------------------------- */

static void test_mistakes(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct vm *vm = f->vm;
    char *empty = make_image(f->dir, "empty.img", 0), *tiny = make_image(f->dir, "tiny.img", 511);
    char *fifo = g_build_filename(f->dir, "fifo", NULL);

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    expect_refused(refused(vm, "id=d,file=%s/none.img", f->dir), "drive 'd': cannot open '/");
    expect_refused(refused(vm, "id=d,file=%s/none.img", f->dir), "No such file or directory");
    expect_refused(refused(vm, "id=d,file=%s", f->dir), "is a directory, not a disk image");
    expect_refused(refused(vm, "id=d,file=%s", empty), "is empty");
    expect_refused(refused(vm, "id=d,file=%s,read-only=on", empty), "is empty");
    expect_refused(refused(vm, "id=d,file=%s", tiny), "has only 511 bytes");
    expect_refused(refused(vm, "id=d,file=%s", fifo), "is a pipe");
    expect_refused(refused(vm, "id=d,file=/dev/zero"), "character device");
    expect_refused(refused(vm, "id=d"), "file= is missing");
    expect_refused(refused(vm, "id=d,file="), "file= is missing");
    expect_refused(refused(vm, "id=d,file=ssh://host/x"), "protocol 'ssh' is not supported");
    expect_refused(refused(vm, "id=d,file=%s,format=qcow2", f->img), "disk.img' is no qcow2 image");
    expect_refused(refused(vm, "id=d,file=%s,format=vmdk", f->img),
                   "format 'vmdk' is not supported yet; convert it");
    expect_refused(refused(vm, "id=d,file=%s,format=rwa", f->img),
                   "there is no format 'rwa' (did you mean 'raw'?)");
    expect_refused(refused(vm, "id=d,file=%s,aio=native", f->img), "aio=native needs O_DIRECT");
    expect_refused(refused(vm, "id=d,file=%s,cache=nothing", f->img), "not one of: writeback, none, ");
    expect_refused(refused(vm, "id=d,file=%s,copy-on-read=on", f->img), "copy-on-read=on is not supported");
    expect_refused(refused(vm, "id=d,file=%s,throttling.iops-total=5", f->img),
                   "throttling is not supported");
    expect_refused(refused(vm, "id=d,file=%s,bps_rd=5", f->img), "throttling is not supported");
    expect_refused(refused(vm, "id=d,file=%s,cahce=none", f->img),
                   "no option 'cahce' (did you mean 'cache'?)");
    expect_refused(refused(vm, "id=d,file=%s,detect-zeroes=unmap", f->img), "needs discard=unmap");
    expect_refused(refused(vm, "id=d,file=%s,x-inject=write:EWHAT", f->img), "x-inject: 'write:EWHAT'");
    expect_refused(refused(vm, "id=d,file=%s,x-cut-log=/none/log", f->img),
                   "drive 'd': x-cut-log: cannot write");
    add_drive(vm, "id=d,file=%s", f->img);
    expect_refused(refused(vm, "id=d,file=%s", f->img), "already a drive with this id");
    struct blk *anon = add_drive(vm, "if=floppy,index=1");
    g_assert_cmpstr(anon->id, ==, "floppy1");
    anon = add_drive(vm, "media=cdrom,bus=1,unit=0");
    g_assert_cmpstr(anon->id, ==, "ide1-cd0");
    g_assert_true(anon->removable && !anon->present && anon->size == 0);
    uint8_t x[512];
    g_assert_cmpint(do_io(anon, BLK_READ, 0, x, 512), ==, ENOMEDIUM);
    g_assert_cmpint(do_io(anon, BLK_FLUSH, 0, NULL, 0), ==, 0);
    g_free(fifo);
    g_free(tiny);
    g_free(empty);
}

/* As an ordinary user: root may write everything. */
static void test_permissions(struct fix *f, gconstpointer unused)
{
    (void) unused;
    g_assert_cmpint(g_chmod(f->img, 0444), ==, 0);
    g_assert_cmpint(g_chmod(f->dir, 0755), ==, 0);
    pid_t pid = fork();
    if (!pid) {
        if (!geteuid() && seteuid(65534))
            _exit(99);
        struct vm *vm = vm_new(NULL, NULL);
        expect_refused(refused(vm, "id=d,file=%s", f->img),
                       "can't be written: Permission denied; use read-only=on or snapshot=on");
        struct blk *blk = add_drive(vm, "id=d,file=%s,read-only=on", f->img);
        uint8_t x[512];
        g_assert_cmpint(do_io(blk, BLK_READ, 0, x, 512), ==, 0);
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, x, 512), ==, EROFS);
        g_assert_cmpint(do_io(blk, BLK_DISCARD, 0, NULL, 512), ==, EROFS);
        close_drive(blk);
        close_drive(add_drive(vm, "id=d,file=%s,snapshot=on", f->img));
        close_drive(add_drive(vm, "id=d,file=%s,media=cdrom", f->img));
        vm_free(vm);
        _exit(0);
    }
    int st;
    g_assert_cmpint(waitpid(pid, &st, 0), ==, pid);
    g_assert_cmpint(st, ==, 0);
}

/* --- locks ------------------------------------------------------------------------------------- */

static void in_child(struct fix *f, const char *opts, const char *want)
{
    pid_t pid = fork();

    if (!pid) { /* a process of its own: nothing of the parent's VM is used */
        struct vm *vm = vm_new(NULL, NULL);
        if (want)
            expect_refused(refused(vm, "id=x,file=%s,%s", f->img, opts), want);
        else
            close_drive(add_drive(vm, "id=x,file=%s,%s", f->img, opts));
        vm_free(vm);
        _exit(0);
    }
    int st;
    g_assert_cmpint(waitpid(pid, &st, 0), ==, pid);
    g_assert_cmpint(st, ==, 0);
}

static void test_locks(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct blk *blk = add_drive(f->vm, "id=d,file=%s,format=raw", f->img);

    in_child(f, "format=raw",
             "is in use by another process; stop that one, or use read-only=on or snapshot=on");
    in_child(f, "format=raw,read-only=on", "is in use by another process that writes to it");
    in_child(f, "format=raw,snapshot=on", "is in use");
    in_child(f, "format=raw,locking=off", NULL);
    expect_refused(refused(f->vm, "id=e,file=%s", f->img), "is in use by drive 'd', and one of them writes");
    close_drive(blk);
    in_child(f, "format=raw", NULL);
    blk = add_drive(f->vm, "id=d,file=%s,format=raw,read-only=on", f->img);
    in_child(f, "format=raw", "is in use");
    in_child(f, "format=raw,read-only=on", NULL);
    in_child(f, "format=raw,snapshot=on", NULL);
    close_drive(add_drive(f->vm, "id=e,file=%s,snapshot=on", f->img));
}

static bool run_ok(const char *fmt, const char *img, char **output)
{
    char *cmd = g_strdup_printf(fmt, img), *out, *errs;
    int st = 0;
    bool ran = g_spawn_command_line_sync(cmd, &out, &errs, &st, NULL);

    g_assert_true(ran);
    *output = g_strconcat(out, errs, NULL);
    g_free(out);
    g_free(errs);
    g_free(cmd);
    return st == 0;
}

static void test_qemu(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *tool = g_find_program_in_path("qemu-img"), *out;

    g_free(tool);
    if (!tool) {
        g_test_skip("no qemu-img here");
        return;
    }
    struct blk *blk = add_drive(f->vm, "id=d,file=%s,format=raw", f->img);
    g_assert_false(run_ok("qemu-img resize -f raw %s 2M", f->img, &out)); /* a second writer */
    g_assert_nonnull(strstr(out, "lock"));
    g_free(out);
    close_drive(blk);
    blk = add_drive(f->vm, "id=d,file=%s,format=raw,read-only=on", f->img);
    g_assert_true(run_ok("qemu-img info -f raw %s", f->img, &out));
    g_free(out);
    g_assert_false(run_ok("qemu-img resize -f raw %s 2M", f->img, &out)); /* a writer while we read */
    g_assert_nonnull(strstr(out, "lock"));
    g_free(out);
    close_drive(blk);
    g_assert_true(run_ok("qemu-img resize -f raw %s 2M", f->img, &out));
    g_free(out);

    /* and QEMU was there first */
    GPid pid;
    char *drive = g_strdup_printf("file=%s,format=raw,if=none", f->img);
    char *argv[] = { (char *) "qemu-system-x86_64",
                     (char *) "-M",
                     (char *) "none",
                     (char *) "-display",
                     (char *) "none",
                     (char *) "-S",
                     (char *) "-monitor",
                     (char *) "none",
                     (char *) "-M",
                     (char *) "pc",
                     (char *) "-accel",
                     (char *) "tcg",
                     (char *) "-drive",
                     drive,
                     (char *) "-device",
                     (char *) "ide-hd,drive=none0",
                     NULL };
    if (g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                      NULL)) {
        bool saw = false;
        for (int i = 0; i < 200 && !saw; i++) {
            GError *err = NULL;
            char *opts = g_strdup_printf("id=q,file=%s,format=raw", f->img);
            struct blk *b = try_drive(f->vm, opts, &err);
            if (b)
                close_drive(b);
            else
                saw = strstr(err->message, "is in use by another process") != NULL;
            g_clear_error(&err);
            g_free(opts);
            g_usleep(50000);
            if (waitpid(pid, NULL, WNOHANG) == pid) /* it may have met our lock in turn */
                g_assert_true(g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                                            NULL, NULL, &pid, NULL));
        }
        g_assert_true(saw);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    g_free(drive);
}

/* --- media ------------------------------------------------------------------------------------- */

struct tray {
    bool locked;
    unsigned changes, asked, resizes;
    bool present;
};

static void on_media(void *opaque, bool present)
{
    struct tray *t = opaque;

    t->changes++;
    t->present = present;
}

static bool is_locked(void *opaque)
{
    return ((struct tray *) opaque)->locked;
}

static void asked(void *opaque)
{
    ((struct tray *) opaque)->asked++;
}

static void resized(void *opaque)
{
    ((struct tray *) opaque)->resizes++;
}

static const struct blk_dev_ops tray_ops = {
    .media_changed = on_media, .tray_locked = is_locked, .eject_request = asked, .resized = resized
};

static void test_media(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct device dev = { .name = "cd" };
    struct tray t = { 0 };
    struct blk *blk = add_drive(f->vm, "id=cd,media=cdrom");
    char *other = make_image(f->dir, "other.iso", 2 << 20);
    struct drive_info info;
    GError *err = NULL;
    uint8_t x[512];

    vm_lock(f->vm);
    g_assert_true(blk_attach(blk, &dev, &tray_ops, &t, &err));
    g_assert_true(drive_change_medium(blk, f->img, NULL, DRIVE_MODE_RETAIN, &err));
    g_assert_true(blk->present && blk->read_only && blk->size == 1 << 20 && t.changes == 1 && t.present);
    vm_unlock(f->vm);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, x, 512), ==, 0);
    vm_lock(f->vm);
    t.locked = true;
    g_assert_false(drive_eject(blk, false, &err));
    g_assert_nonnull(strstr(err->message, "locked the tray"));
    g_clear_error(&err);
    g_assert_cmpuint(t.asked, ==, 1);
    g_assert_false(drive_change_medium(blk, other, NULL, DRIVE_MODE_RETAIN, &err));
    g_clear_error(&err);
    g_assert_true(drive_eject(blk, true, &err));
    g_assert_true(!blk->present && blk->tray_open && blk->size == 0 && t.changes == 2 && !t.present);
    g_assert_true(drive_query(blk, &info) && !info.file);
    t.locked = false;
    g_assert_false(drive_change_medium(blk, "/none.iso", NULL, DRIVE_MODE_RETAIN, &err));
    g_clear_error(&err);
    g_assert_true(drive_change_medium(blk, other, "raw", DRIVE_MODE_READ_WRITE, &err));
    g_assert_true(blk->present && blk->read_only && blk->size == 2 << 20 && !blk->tray_open);
    g_assert_true(drive_query(blk, &info));
    g_assert_cmpstr(info.file, ==, other);
    g_assert_cmpstr(info.format, ==, "raw");
    g_assert_cmpstr(info.io_status, ==, "ok");
    blk_set_tray(blk, true, true); /* the guest's own eject */
    g_assert_true(!blk->present && blk->tray_open);
    blk_detach(blk);

    /* a floppy stays writable, also when it is put in again */
    blk = add_drive(f->vm, "id=fd,if=floppy,file=%s", f->img);
    g_assert_false(drive_change_medium(blk, "/none.img", NULL, DRIVE_MODE_RETAIN, &err));
    g_clear_error(&err);
    g_assert_true(blk->present);
    vm_unlock(f->vm);
    in_child(f, "format=raw", "is in use"); /* the lock is back after the failure */
    vm_lock(f->vm);
    g_assert_true(drive_change_medium(blk, f->img, NULL, DRIVE_MODE_RETAIN, &err));
    g_assert_true(blk->present && !blk->read_only);
    vm_unlock(f->vm);
    in_child(f, "format=raw", "is in use");
    vm_lock(f->vm);
    g_assert_true(drive_change_medium(blk, f->img, NULL, DRIVE_MODE_READ_ONLY, &err));
    g_assert_true(blk->read_only);
    vm_unlock(f->vm);

    blk = add_drive(f->vm, "id=hd,file=%s", other);
    vm_lock(f->vm);
    g_assert_true(blk_attach(blk, &dev, &tray_ops, &t, &err));
    g_assert_false(blk_attach(blk, &dev, &tray_ops, &t, &err));
    g_clear_error(&err);
    g_assert_false(drive_eject(blk, true, &err));
    g_assert_nonnull(strstr(err->message, "is not removable"));
    g_clear_error(&err);
    g_assert_true(drive_resize(blk, 3 << 20, &err));
    g_assert_true(blk->size == 3 << 20 && t.resizes == 1);
    g_assert_false(drive_resize(blk, 1000, &err));
    g_clear_error(&err);
    vm_unlock(f->vm);
    g_assert_cmpint(do_io(blk, BLK_READ, (3 << 20) - 512, x, 512), ==, 0);
    g_free(other);
}

/* --- the format guess -------------------------------------------------------------------------- */

static void test_probe(struct fix *f, gconstpointer unused)
{
    (void) unused;
    static const struct { const char *name, *magic; size_t len, at; } formats[] = {
        { "qcow2", "QFI\xfb\0\0\0\3", 8, 0 }, { "qcow", "QFI\xfb\0\0\0\1", 8, 0 },
        { "vmdk", "KDMV", 4, 0 }, { "vdi", "\x7f\x10\xda\xbe", 4, 64 },
        { "vhdx", "vhdxfile", 8, 0 }, { "luks", "LUKS\xba\xbe", 6, 0 },
    };
    uint8_t sector[512] = { 0 }, zero[512] = { 0 }, two[1024] = { 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        struct blk *blk = add_drive(f->vm, "id=d,file=%s", f->img);
        memset(sector, 0, 512);
        memcpy(sector + formats[i].at, formats[i].magic, formats[i].len);
        memcpy(two, sector, 512);
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, sector, 512), ==, EPERM); /* guessed: no such header */
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, two, 1024), ==, EPERM);
        g_assert_cmpint(do_io(blk, BLK_WRITE, 512, sector, 512), ==, 0); /* elsewhere it means nothing */
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, zero, 512), ==, 0);
        close_drive(blk);
        blk = add_drive(f->vm, "id=d,format=raw,file=%s", f->img);
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, sector, 512), ==, 0); /* told so: anything */
        close_drive(blk);
        char *want = g_strdup_printf(i ? "is a %s image, which is not supported yet; "
                                             "convert it: qemu-img convert -O raw"
                                       : "%s image '", formats[i].name);
        expect_refused(refused(f->vm, "id=d,file=%s", f->img), want);
        g_free(want);
        blk = add_drive(f->vm, "id=d,format=raw,file=%s", f->img);
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, zero, 512), ==, 0);
        close_drive(blk);
    }
}

/* --- block devices ----------------------------------------------------------------------------- */

static void test_loop(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *out = NULL, *dev = NULL;

    if (geteuid() || !run_ok("losetup -f --show -b 4096 %s", f->img, &dev)) {
        g_test_skip("cannot make a loop device here");
        g_free(dev);
        return;
    }
    g_strstrip(dev);
    const char *const modes[] = { "cache=none,aio=native", "cache=none,aio=threads", "cache=writeback",
                                  "cache=none,aio=io_uring", "cache=writeback,aio=io_uring" };
    uint8_t *buf = g_malloc(8192), *back = g_malloc(8192);
    for (int m = 0; m < (have_uring() ? 5 : 3); m++) {
        struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", dev, modes[m]);
        g_assert_cmpuint(blk->size, ==, 1 << 20);
        for (int i = 0; i < 8192; i++)
            buf[i] = (uint8_t) g_random_int();
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, buf, 8192), ==, 0);
        g_assert_cmpint(do_io(blk, BLK_WRITE, 1536, buf, 4096), ==, 0); /* sectors of 512 on a disk of 4096 */
        memmove(buf + 1536, memcpy(back, buf, 4096), 4096);
        g_assert_cmpint(do_io(blk, BLK_READ, 512, back, 7680), ==, 0);
        g_assert_cmpmem(back, 7680, buf + 512, 7680);
        g_assert_cmpint(do_io(blk, BLK_WRITE_ZEROES, 1024, NULL, 512), ==, 0);
        memset(buf + 1024, 0, 512);
        g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
        g_assert_cmpint(do_io(blk, BLK_DISCARD, 65536, NULL, 65536), ==, 0);
        g_assert_cmpint(do_io(blk, BLK_READ, 512, back, 7680), ==, 0);
        g_assert_cmpmem(back, 7680, buf + 512, 7680);
        close_drive(blk);
    }
    g_free(buf);
    g_free(back);
    g_assert_true(run_ok("losetup -d %s", dev, &out));
    g_free(out);
    g_free(dev);
}

/* As a container forbids it. */
static void test_no_uring(struct fix *f, gconstpointer unused)
{
    (void) unused;
    pid_t pid = fork();

    if (!pid) {
        struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog prog = { G_N_ELEMENTS(code), code };
        struct drive_info info;
        struct exec e;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
            _exit(77);
        char *msg = refused(f->vm, "id=d,file=%s,aio=io_uring", f->img);
        g_assert_nonnull(strstr(msg, "drive 'd': aio=io_uring: "));
        g_assert_nonnull(strstr(msg, "use aio=native or aio=threads"));
        struct blk *blk = add_drive(f->vm, "id=d,file=%s,cache=none", f->img);
        exec_init(&e, f->vm, "iothread0", false);
        blk_set_exec(blk, &e); /* where it would have been the best */
        g_assert_true(drive_query(blk, &info));
        g_assert_cmpstr(info.aio, ==, "native");
        _exit(0);
    }
    int st;
    g_assert_cmpint(waitpid(pid, &st, 0), ==, pid);
    if (WIFEXITED(st) && WEXITSTATUS(st) == 77)
        g_test_skip("seccomp does not work here");
    else
        g_assert_cmpint(st, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/block/open/mistakes", struct fix, NULL, setup, test_mistakes, teardown);
    g_test_add("/block/open/no-io_uring", struct fix, NULL, setup, test_no_uring, teardown);
    g_test_add("/block/open/permissions", struct fix, NULL, setup, test_permissions, teardown);
    g_test_add("/block/open/locks", struct fix, NULL, setup, test_locks, teardown);
    g_test_add("/block/open/qemu-locks", struct fix, NULL, setup, test_qemu, teardown);
    g_test_add("/block/open/media", struct fix, NULL, setup, test_media, teardown);
    g_test_add("/block/open/probe", struct fix, NULL, setup, test_probe, teardown);
    g_test_add("/block/open/loop-4096", struct fix, NULL, setup, test_loop, teardown);
    return g_test_run();
}
