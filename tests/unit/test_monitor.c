/* tests/unit/test_monitor.c - the monitor: commands without a guest, and a session on a socket with line
 * editing. */
#include "vmm/char/backend.h"
#include "vmm/control/monitor.h"
#include "vmm/core/vm.h"
#include "vmm/block/drive.h"
#include "vmm/ui/input.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *dir;

static void expect(struct vm *vm, const char *line, const char *want)
{
    char *got = monitor_execute(vm, line);

    if (!g_pattern_match_simple(want, got))
        g_error("'%s' prints:\n%s\nwant:\n%s", line, got, want);
    g_free(got);
}

static int64_t host_now;
static int64_t source(void *opaque)
{
    (void) opaque;
    return host_now;
}

static struct vm *new_vm(void)
{
    struct vm *vm = vm_new(source, NULL);
    GError *err = NULL;

    g_assert_true(ram_block_alloc(&vm->ram.block, "ram", MiB, NULL, &err));
    vm->ram.below_4g = MiB;
    return vm;
}

static void turn(struct vm *vm)
{
    while (exec_iterate(&vm->main, false)) {}
}

static void test_commands(void)
{
    struct vm *vm = new_vm();
    struct region ram;

    region_init_ram(&ram, "ram", &vm->ram.block, 0, MiB);
    space_add(&vm->mem, &ram, 0, PRIO_RAM, NULL);
    for (unsigned i = 0; i < 64; i++)
        vm->ram.block.host[0x1000 + i] = (uint8_t) i;

    expect(vm, "", "");
    expect(vm, "   # a comment", "");
    expect(vm, "help", "help|? ?command? -- *quit|q*");
    expect(vm, "help cont", "cont|c -- go on\n");
    expect(vm, "? info", "info balloon -- *");
    expect(vm, "help info pci", "info pci -- PCI functions\n");
    expect(vm, "info", "info balloon -- *");
    expect(vm, "inof", "Error: unknown command: 'inof' (did you mean 'info'?)\n");
    expect(vm, "info statsu", "Error: unknown info command: 'statsu' (did you mean 'status'?)\n");
    expect(vm, "stop now", "Error: usage: stop\n");
    expect(vm, "change x", "Error: usage: change device file ?format ?read-only-mode??\n");
    expect(vm, "help \"x", "Error: a quotation mark is missing\n");
    expect(vm, "\xff", "Error: the line is not UTF-8\n");
    expect(vm, "stop/4x", "Error: usage: stop\n");
    expect(vm, "/4x", "Error: unknown command: '/4x'*");

    expect(vm, "info status", "VM status: paused (prelaunch)\n");
    expect(vm, "c", "");
    expect(vm, "info status", "VM status: running\n");
    expect(vm, "stop", "");
    expect(vm, "info status", "VM status: paused\n");
    expect(vm, "system_wakeup", "Error: the guest is not suspended\n");
    vm->state = RUN_SHUTDOWN;
    expect(vm, "cont", "Error: the guest is at 'shutdown': a system_reset is needed first\n");
    vm->state = RUN_PAUSED;
    expect(vm, "system_reset", "");
    g_assert_true(vm->requests & REQ_RESET);
    expect(vm, "info balloon", "Error: No balloon device has been activated\n");
    expect(vm, "balloon 512", "Error: No balloon device has been activated\n");
    expect(vm, "balloon much", "Error: balloon: 'much' is no size*");
    expect(vm, "info kvm", "kvm support: not compiled\n");
    expect(vm, "info registers", "Error: there are no CPUs\n");
    expect(vm, "info pci", "Error: this machine has no PCI bus\n");
    expect(vm, "info uuid", "00000000-0000-0000-0000-000000000000\n");
    vm->uuid = "12345678-1234-1234-1234-123456789abc";
    expect(vm, "info uuid", "12345678-1234-1234-1234-123456789abc\n");
    vm->name = g_strdup("vm1");
    expect(vm, "info name", "vm1\n");
    expect(
        vm, "info mtree",
        "address-space: mem\n  0000000000000000-00000000000fffff (prio 0, ram): ram\naddress-space: pio\n*");
    expect(vm, "info mtree -f", "flat view: mem\n*");
    expect(vm, "info qtree", "bus: isa.0\n  type ISA\nboard:\n");
    expect(vm, "info irq", "ISA lines high:\n");
    expect(vm, "info trace-events v*", "vm : state 0\n");
    expect(vm, "trace-event v* on", "");
    expect(vm, "info trace-events v*", "vm : state 1\n");
    expect(vm, "trace-event v* off", "");
    expect(vm, "info trace-events v*", "vm : state 0\n");
    expect(vm, "trace-event v* maybe", "Error: v*: 'maybe' is neither 'on' nor 'off'\n");
    expect(vm, "log guest_errors", "");
    g_assert_true(vm->log.guest_errors);
    expect(vm, "log none", "");
    g_assert_false(vm->log.guest_errors);
    expect(vm, "log foo", "Error: there is no log item 'foo'; there are: guest_errors, none\n");
    expect(vm, "logfile /nowhere/x", "Error: cannot write '/nowhere/x': No such file or directory\n");

    expect(vm, "xp 0x1000", "0000000000001000: 0x03020100\n");
    expect(vm, "xp /3xh 4096", "0000000000001000: 0x0100 0x0302 0x0504\n");
    expect(vm, "xp/9xb 0x1000+8*2",
           "0000000000001010: 0x10 0x11 0x12 0x13 0x14 0x15 0x16 0x17\n0000000000001018: 0x18\n");
    expect(vm, "xp/2xg 0x1000", "0000000000001000: 0x0706050403020100 0x0f0e0d0c0b0a0908\n");
    expect(vm, "xp/4c 0x103e", "000000000000103e: '>' '?' '\\x00' '\\x00'\n");
    expect(vm, "xp/ob 0x103f", "000000000000103f: 0077\n");
    expect(vm, "xp/0xb 0", "");
    expect(vm, "xp/z 0", "Error: /z: 'z' is no format: x d u o c, and b h w g for the size\n");
    expect(vm, "xp/i 0", "Error: /i: there is no disassembler\n");
    expect(vm, "xp/99999999x 0", "Error: /99999999x: at most 1048576 items\n");
    expect(vm, "xp 0xffffffffffffffff", "ffffffffffffffff: 0x*\n");
    expect(vm, "x/x 0", "Error: there are no CPUs\n");
    expect(vm, "p 1+2*(3-1)", "0x5\n");
    expect(vm, "p/d 2 - 5", "-3\n");
    expect(vm, "print/c 65", "'A'\n");
    expect(vm, "p 1/0", "Error: '1/0' is no expression: division by zero\n");
    expect(vm, "p 1+", "Error: '1+' is no expression: a number is missing\n");
    expect(vm, "p (1", "Error: '(1' is no expression: a ')' is missing\n");
    expect(vm, "p $rip", "Error: '$rip' is no expression: registers*\n");
    char *deep = g_strnfill(3000, '(');
    char *line = g_strconcat("p ", deep, NULL);
    expect(vm, line, "Error: *too deep\n");
    g_free(line);
    g_free(deep);
    expect(vm, "i 0x60", "portb[0x0060] = 0xff\n");
    expect(vm, "i/w 0x60", "portl[0x0060] = 0xffffffff\n");
    expect(vm, "i 0x10000", "Error: 0x10000: ports are 0 to 0xffff\n");
    expect(vm, "i/g 0", "Error: /g: ports are 1, 2 or 4 bytes wide\n");
    expect(vm, "o/h 0x80 0x1234", "");
    expect(vm, "sum 0x1000 3", "32770\n"); /* 0, then 1, then 1 rotated right, plus 2 */
    expect(vm, "sum 1 0xffffffffffffffff", "Error: 0xffffffffffffffff: the end of memory is crossed\n");
    char *file = g_build_filename(dir, "mem", NULL), *data;
    size_t len;
    line = g_strdup_printf("pmemsave 0x1001 4 '%s'", file);
    expect(vm, line, "");
    g_assert_true(g_file_get_contents(file, &data, &len, NULL));
    g_assert_cmpmem(data, len, "\1\2\3\4", 4);
    g_free(line);
    g_free(data);
    line = g_strdup_printf("pmemsave 0xfffff 2 '%s'", file);
    expect(vm, line, "Error: 0x100000 is not in the guest's memory\n");
    g_free(line);
    g_free(file);

    expect(vm, "screendump x", "Error: this machine has no display card\n");
    expect(vm, "screendump x -f gif", "Error: screendump: there is no format 'gif'; use png or ppm\n");
    expect(vm, "screendump a b", "Error: usage: *");
    expect(vm, "sendkey nosuchkey", "Error: *nosuchkey*\n");
    expect(vm, "sendkey ctrl-alt-delete", "Error: there is no keyboard\n");
    expect(vm, "set_link x on", "Error: there is no netdev or NIC 'x'\n");
    expect(vm, "set_link x up", "Error: set_link: 'up' is neither*");
    expect(vm, "chardev-send-break x", "Error: there is no chardev 'x'*");
    expect(vm, "info snapshots", "no drive has an image*");
    expect(vm, "snapshot_blkdev_internal x y", "Error: there is no drive 'x'*");
    expect(vm, "info mice", "No mouse devices connected\n");
    expect(vm, "info memory_size_summary", "base memory: 1048576\nplugged memory: 0\n");
    expect(vm, "watchdog_action bite", "Error: a watchdog has no action 'bite'*");
    expect(vm, "watchdog_action pause", "");
    g_assert_cmpint(vm->on_watchdog, ==, WATCHDOG_PAUSE);
    expect(vm, "sendkey a 0", "Error: *");
    expect(vm, "mouse_move 1 -2", "");
    expect(vm, "mouse_move 1 x", "Error: mouse_move: 'x' is no number\n");
    expect(vm, "mouse_button 99", "Error: *");
    expect(vm, "eject ide1-cd0", "Error: there is no drive 'ide1-cd0'; see 'info block'\n");
    expect(vm, "eject -f", "Error: usage: eject ?-f? device\n");
    expect(vm, "change x y raw fast", "Error: change: 'fast' is not one of: retain, read-only, read-write\n");
    expect(vm, "ringbuf_read x 10", "Error: there is no chardev 'x'; see 'info chardev'\n");

    expect(vm, "quit", "");
    turn(vm);
    g_assert_true(vm->done);
    g_assert_cmpint(vm->exit_code, ==, 0);
    input_free(vm);
    vm_free(vm);
}

static void test_media(void)
{
    struct vm *vm = new_vm();
    struct drive_config cfg;
    char *file = g_build_filename(dir, "cd.iso", NULL), *zeros = g_malloc0(4096), *line;
    GError *err = NULL;

    g_assert_true(g_file_set_contents(file, zeros, 4096, NULL));
    drive_config_init(&cfg);
    cfg.media = MEDIA_CDROM;
    cfg.id = g_strdup("cd0");
    struct blk *blk = drive_open(vm, &cfg, &err);
    g_assert_no_error(err);
    drive_config_clear(&cfg);
    expect(vm, "info block", "cd0: ?not inserted?\n*Removable device: not locked, tray closed*");
    line = g_strdup_printf("change cd0 '%s'", file);
    expect(vm, line, "");
    g_assert_true(blk->present);
    expect(vm, "info block cd0", "cd0: *cd.iso (raw, read-only)\n    Size:             4096 bytes\n*");
    expect(vm, "info block x", "Error: there is no drive 'x'\n");
    expect(vm, "info blockstats", "cd0: rd_bytes=*");
    expect(vm, "change cd0 /nowhere raw read-only", "Error: *nowhere*");
    expect(vm, "block_resize cd0 x", "Error: *");
    expect(vm, "eject cd1", "Error: there is no drive 'cd1' (did you mean 'cd0'?); see 'info block'\n");
    expect(vm, "eject cd0", "");
    g_assert_false(blk->present);
    drive_close_all(vm);
    vm_free(vm);
    g_free(line);
    g_free(file);
    g_free(zeros);
}

/* --- a session -------------------------------------------------------------------------------- */

struct session {
    struct vm *vm;
    struct monitor *mon;
    int fd;
};

static struct session begin(void)
{
    static unsigned n;
    struct session s = { .vm = new_vm() };
    struct chardev_config cfg;
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct opt_monitor om = { .chardev = (char *) "mon0", .readline = true };
    GError *err = NULL;

    g_snprintf(a.sun_path, sizeof a.sun_path, "%s/mon%u", dir, n++);
    chardev_config_init(&cfg);
    cfg.kind = CHARDEV_SOCKET;
    cfg.id = (char *) "mon0";
    cfg.path = a.sun_path;
    cfg.server = true;
    cfg.wait = false;
    g_assert_nonnull(chardev_open(s.vm, &cfg, &err));
    s.mon = monitor_open(s.vm, &om, &err);
    g_assert_no_error(err);
    g_assert_null(monitor_open(s.vm, &om, &err));
    g_assert_cmpstr(err->message, ==, "chardev 'mon0' is already used by 'monitor'");
    g_clear_error(&err);
    s.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(connect(s.fd, (struct sockaddr *) &a, sizeof a), ==, 0);
    return s;
}

static void end(struct session *s)
{
    close(s->fd);
    monitor_close(s->mon);
    chardev_free_all(s->vm);
    vm_free(s->vm);
}

static GString *answer(struct session *s)
{
    GString *out = g_string_new(NULL);
    char buf[4096];

    for (int quiet = 0; quiet < 5; quiet++) {
        turn(s->vm);
        ssize_t n = recv(s->fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n > 0) {
            g_string_append_len(out, buf, n);
            quiet = 0;
        } else {
            g_usleep(2000);
        }
    }
    return out;
}

static void type(struct session *s, const char *text)
{
    g_assert_cmpint(send(s->fd, text, strlen(text), 0), ==, (ssize_t) strlen(text));
}

static void says(struct session *s, const char *typed, const char *want)
{
    type(s, typed);
    GString *got = answer(s);
    if (!g_pattern_match_simple(want, got->str)) {
        char *a = g_strescape(got->str, NULL), *b = g_strescape(want, NULL);
        g_error("typed '%s': got \"%s\", want \"%s\"", typed, a, b);
    }
    g_string_free(got, TRUE);
}

static void test_session(void)
{
    struct session s = begin();

    says(&s, "", "Bantam monitor - type 'help' for more information\r\n(bantam) ");
    says(&s, "p 1\n", "p 1\r\n0x1\r\n(bantam) ");
    says(&s, "p 2\r\n", "p 2\r\n0x2\r\n(bantam) ");
    says(&s, "\n", "\r\n(bantam) ");
    says(&s, "p 3\177\1774\n", "p 3*\r\n*");               /* "p4" is no command; backspaces */
    says(&s, "p 12\033[D\033[D3\n", "*0x138\r\n(bantam) ");  /* left, left: 312 */
    says(&s, "12\001p \005\0103\n", "*0xd\r\n(bantam) ");   /* Ctrl-A, Ctrl-E, backspace: p 13 */
    says(&s, "xx p 7\001\004\004\004\n", "*0x7\r\n(bantam) "); /* Ctrl-D thrice */
    says(&s, "p 1 rubbish\027\n", "*0x1\r\n(bantam) ");      /* Ctrl-W */
    says(&s, "rubbish\025p 9\n", "*0x9\r\n(bantam) ");       /* Ctrl-U */
    says(&s, "\033[A\n", "*0x9\r\n(bantam) ");               /* up */
    says(&s, "\033[A\033[A\033[B\n", "*0x9\r\n(bantam) ");
    says(&s, "p 5\033[A\033[B\n", "*0x5\r\n(bantam) ");      /* up and back: what was typed is kept */
    for (unsigned i = 0; i < 100; i++)
        type(&s, "\033[A"); /* past the oldest */
    says(&s, "\n", "*\r\n*(bantam) ");
    says(&s, "p 8\033[1~\033[3~\033[4~\033OD\033[H\033[F\025p 8\n", "*0x8\r\n(bantam) ");
    says(&s, "info stat\t\n", "*VM status: *");              /* completion */
    says(&s, "info n\t\n", "*");
    says(&s, "system_\t", "*system_reset  system_powerdown  system_wakeup\r\n(bantam) system_");
    says(&s, "\025c\nstop\ninfo status\nc\ninfo status\n",
         "*VM status: paused\r\n*VM status: running\r\n(bantam) ");
    says(&s, "\014", "\033?H\033?2J(bantam) ");
    char *longest = g_strnfill(20000, 'a');
    type(&s, longest); /* a line that is too long is cut, not grown without end */
    g_string_free(answer(&s), TRUE);
    says(&s, "\n", "*Error: unknown command*");
    g_free(longest);
    says(&s, "quit\n", "quit\r\n");
    g_assert_true(s.vm->done);
    end(&s);
}

static void test_reconnect(void)
{
    struct session s = begin();
    struct sockaddr_un a;
    socklen_t len = sizeof a;

    g_string_free(answer(&s), TRUE);
    type(&s, "half a li");
    g_string_free(answer(&s), TRUE);
    getpeername(s.fd, (struct sockaddr *) &a, &len);
    close(s.fd);
    turn(s.vm);
    g_usleep(5000);
    turn(s.vm);
    s.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(connect(s.fd, (struct sockaddr *) &a, len), ==, 0);
    says(&s, "", "Bantam monitor - *\r\n(bantam) "); /* nothing of the old line */
    end(&s);
}

/* A client that sends without end and never reads: our memory stays bounded, and the loop goes on. */
static void test_flood(void)
{
    struct session s = begin();
    size_t sent = 0;

    for (unsigned i = 0; i < 3000; i++) {
        ssize_t n = send(s.fd, "help\n", 5, MSG_DONTWAIT);
        sent += n > 0 ? (size_t) n : 0;
        turn(s.vm);
    }
    g_assert_cmpuint(sent, <, 3000 * 5); /* it was stopped */
    GString *got = answer(&s);           /* and nothing was lost */
    unsigned prompts = 0;
    for (const char *p = got->str; (p = strstr(p, "(bantam) ")); p++)
        prompts++;
    g_assert_cmpuint(prompts, ==, sent / 5 + 1);
    g_string_free(got, TRUE);
    end(&s);
}

static void test_random(void)
{
    struct session s = begin();
    uint8_t buf[256];

    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < sizeof buf; i++) {
            buf[i] = (uint8_t) g_test_rand_int();
            if (buf[i] == '\n' || buf[i] == '\r' || buf[i] == 'q')
                buf[i] = 27;
        }
        if (round % 4 == 0)
            buf[sizeof buf - 1] = '\n';
        g_assert_cmpint(send(s.fd, buf, sizeof buf, 0), ==, sizeof buf);
        turn(s.vm);
        char drop[8192];
        while (recv(s.fd, drop, sizeof drop, MSG_DONTWAIT) > 0) {}
    }
    end(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("bantam-monitor-XXXXXX", NULL);
    g_test_add_func("/monitor/commands", test_commands);
    g_test_add_func("/monitor/media", test_media);
    g_test_add_func("/monitor/session", test_session);
    g_test_add_func("/monitor/reconnect", test_reconnect);
    g_test_add_func("/monitor/flood", test_flood);
    g_test_add_func("/monitor/random", test_random);
    int st = g_test_run();
    char *rm[] = { (char *) "rm", (char *) "-rf", dir, NULL };
    g_spawn_sync(NULL, rm, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(dir);
    return st;
}
