/* vmm/control/hmp.c - the table of monitor commands, and running a line. */
#include "vmm/control/monitor_impl.h"

static bool hmp_help(struct hmp *h, GError **err);
static bool hmp_info(struct hmp *h, GError **err);

const struct hmp_cmd hmp_commands[] = {
    { "help", "?", "[command]", "what commands there are", 0, 2, hmp_help },
    { "info", NULL, "[what]", "show the state of something; 'info' alone lists what", 0, -1, hmp_info },
    { "stop", "s", "", "pause the guest", 0, 0, hmp_stop },
    { "cont", "c", "", "go on", 0, 0, hmp_cont },
    { "quit", "q", "", "end the virtual machine at once", 0, 0, hmp_quit },
    { "system_reset", NULL, "", "press the reset button", 0, 0, hmp_system_reset },
    { "system_powerdown", NULL, "", "press the power button", 0, 0, hmp_system_powerdown },
    { "system_wakeup", NULL, "", "wake the guest from S3", 0, 0, hmp_system_wakeup },
    { "nmi", NULL, "", "send a non-maskable interrupt to all CPUs", 0, 1, hmp_nmi },
    { "watchdog_action", NULL, "action", "what a watchdog does: reset, shutdown, poweroff, pause, none ...", 1, 1,
      hmp_watchdog_action },
    { "screendump", NULL, "file [-f png|ppm]", "save the picture of the screen", 1, 3, hmp_screendump },
    { "screentext", NULL, "[file]", "print (or save) the text of a text screen", 0, 1, hmp_screentext },
    { "sendkey", NULL, "keys [hold_ms]", "press keys: 'sendkey ctrl-alt-delete'", 1, 2, hmp_sendkey },
    { "mouse_move", NULL, "dx dy [dz]", "move the mouse", 2, 3, hmp_mouse_move },
    { "mouse_button", NULL, "state", "mouse buttons: 1 left, 2 right, 4 middle, added", 1, 1,
      hmp_mouse_button },
    { "eject", NULL, "[-f] device", "eject a medium (-f: even if the guest locked it)", 1, 2, hmp_eject },
    { "change", NULL, "device file [format [read-only-mode]]",
      "insert another medium; mode: retain, read-only, read-write", 2, 4, hmp_change },
    { "block_resize", NULL, "device size", "change the size of an image: 'block_resize ide0-hd0 20G'", 2, 2,
      hmp_block_resize },
    { "hostfwd_add", NULL, "[netdev] [tcp|udp]:[host]:port-[guest]:port", "forward a port of the host to the guest",
      1, 2, hmp_hostfwd_add },
    { "hostfwd_remove", NULL, "[netdev] [tcp|udp]:[host]:port", "stop that", 1, 2, hmp_hostfwd_remove },
    { "set_link", NULL, "name on|off", "pull or plug the cable of a netdev or NIC", 2, 2, hmp_set_link },
    { "snapshot_blkdev_internal", NULL, "device name", "make a snapshot inside a drive's image", 2, 2,
      hmp_snapshot_create },
    { "snapshot_delete_blkdev_internal", NULL, "device name", "delete a snapshot inside a drive's image", 2, 2,
      hmp_snapshot_delete },
    { "snapshot_apply_blkdev_internal", NULL, "device name", "put a stopped guest's drive back to a snapshot", 2, 2,
      hmp_snapshot_apply },
    { "xp", NULL, "/fmt addr", "dump physical memory: /COUNT, then x d u o c, then b h w g", 1, 1, hmp_xp,
      true },
    { "x", NULL, "/fmt addr", "dump virtual memory of CPU 0, as xp", 1, 1, hmp_x, true },
    { "balloon", NULL, "target", "memory the guest shall have, in MiB or with a suffix: 'balloon 512'", 1, 1,
      hmp_balloon },
    { "i", NULL, "/fmt port", "read an I/O port: 'i/b 0x60'", 1, 1, hmp_i, true },
    { "o", NULL, "/fmt port value", "write an I/O port", 2, 2, hmp_o, true },
    { "print", "p", "/fmt expr", "print a value", 1, -1, hmp_print_expr, true },
    { "sum", NULL, "addr size", "checksum of physical memory", 2, 2, hmp_sum },
    { "pmemsave", NULL, "addr size file", "save physical memory to a file", 3, 3, hmp_pmemsave },
    { "memsave", NULL, "addr size file", "save virtual memory of CPU 0 to a file", 3, 3, hmp_memsave },
    { "ringbuf_read", NULL, "chardev size", "what was written to a ringbuf", 2, 2, hmp_ringbuf_read },
    { "ringbuf_write", NULL, "chardev data", "send to the user of a ringbuf", 2, 2, hmp_ringbuf_write },
    { "chardev-send-break", NULL, "chardev", "a break to the user of a chardev", 1, 1, hmp_send_break },
    { "log", NULL, "items", "what to log: guest_errors, or none", 1, 1, hmp_log },
    { "logfile", NULL, "file", "log and traces go to this file from now on", 1, 1, hmp_logfile },
    { "trace-event", NULL, "pattern on|off", "trace devices by name: 'trace-event serial* on'", 2, 3,
      hmp_trace_event },
    {}
};

const struct hmp_cmd hmp_info_commands[] = {
    { "balloon", NULL, "", "memory the guest has, and what it tells of it", 0, 0, info_balloon },
    { "block", NULL, "", "drives and their media", 0, 2, info_block },
    { "blockstats", NULL, "", "what drives have read and written", 0, 0, info_blockstats },
    { "boot", NULL, "", "the firmware's boot order", 0, 0, info_boot },
    { "chardev", NULL, "", "character devices", 0, 0, info_chardev },
    { "cpus", NULL, "", "CPUs and their threads", 0, 0, info_cpus },
    { "iothreads", NULL, "", "threads of disks and NICs, and how they wait", 0, 0, info_iothreads },
    { "irq", NULL, "", "interrupt controllers and lines", 0, 0, info_irq },
    { "kvm", NULL, "", "the accelerator", 0, 0, info_kvm },
    { "memory_size_summary", NULL, "", "how much memory there is", 0, 0, info_memory_size },
    { "mice", NULL, "", "pointing devices", 0, 0, info_mice },
    { "mtree", NULL, "[-f]", "memory and port regions (-f: what is visible of them)", 0, 1, info_mtree },
    { "name", NULL, "", "the guest's name", 0, 0, info_name },
    { "network", NULL, "", "network cards and backends", 0, 0, info_network },
    { "pci", NULL, "", "PCI functions", 0, 0, info_pci },
    { "pic", NULL, "", "the same as irq", 0, 0, info_irq },
    { "qtree", NULL, "", "devices, their buses and properties", 0, 0, info_qtree },
    { "registers", NULL, "[-a]", "CPU registers", 0, 1, info_registers },
    { "snapshots", NULL, "", "snapshots inside the drives' images", 0, 0, info_snapshots },
    { "status", NULL, "", "running or paused, and why", 0, 0, info_status },
    { "trace-events", NULL, "[pattern]", "what can be traced, and what is", 0, 1, info_trace_events },
    { "usernet", NULL, "", "connections through user backends", 0, 0, info_usernet },
    { "uuid", NULL, "", "the machine's UUID", 0, 0, info_uuid },
    { "version", NULL, "", "the version of this program", 0, 0, info_version },
    {}
};

const struct hmp_cmd *hmp_find(const struct hmp_cmd *table, const char *name)
{
    for (; table->name; table++)
        if (!strcmp(table->name, name) || (table->alias && !strcmp(table->alias, name)))
            return table;
    return NULL;
}

static bool fail_unknown(const char *kind, const struct hmp_cmd *table, const char *name, GError **err)
{
    GPtrArray *names = g_ptr_array_new();

    for (; table->name; table++)
        g_ptr_array_add(names, (gpointer) table->name);
    g_ptr_array_add(names, NULL);
    char *hint = nearest_hint(name, (const char *const *) names->pdata);
    fail(err, "unknown %s: '%s'%s", kind, name, hint);
    g_free(hint);
    g_ptr_array_free(names, TRUE);
    return false;
}

static void print_cmd(struct hmp *h, const char *prefix, const struct hmp_cmd *c)
{
    hmp_print(h, "%s%s%s%s%s%s -- %s\n", prefix, c->name, c->alias ? "|" : "", c->alias ? c->alias : "",
              *c->args ? " " : "", c->args, c->help);
}

static bool hmp_help(struct hmp *h, GError **err)
{
    if (h->argc && !strcmp(h->argv[0], "info")) {
        for (const struct hmp_cmd *c = hmp_info_commands; c->name; c++)
            if (h->argc < 2 || !strcmp(c->name, h->argv[1]))
                print_cmd(h, "info ", c);
        return true;
    }
    if (h->argc) {
        const struct hmp_cmd *c = hmp_find(hmp_commands, h->argv[0]);
        if (!c)
            return fail_unknown("command", hmp_commands, h->argv[0], err);
        print_cmd(h, "", c);
        return true;
    }
    for (const struct hmp_cmd *c = hmp_commands; c->name; c++)
        print_cmd(h, "", c);
    return true;
}

static bool call(const struct hmp_cmd *c, const char *prefix, struct hmp *h, GError **err)
{
    if (h->argc < c->min || (c->max >= 0 && h->argc > c->max) || (h->fmt && !c->fmt))
        return fail(err, "usage: %s%s%s%s", prefix, c->name, *c->args ? " " : "", c->args);
    return c->fn(h, err);
}

static bool hmp_info(struct hmp *h, GError **err)
{
    if (!h->argc) {
        for (const struct hmp_cmd *c = hmp_info_commands; c->name; c++)
            print_cmd(h, "info ", c);
        return true;
    }
    const struct hmp_cmd *c = hmp_find(hmp_info_commands, h->argv[0]);
    if (!c)
        return fail_unknown("info command", hmp_info_commands, h->argv[0], err);
    h->argc--;
    h->argv++;
    return call(c, "info ", h, err);
}

static bool run(struct hmp *h, char **argv, int argc, GError **err)
{
    char *slash = strchr(argv[0], '/');

    if (slash && slash != argv[0]) {
        *slash = 0;
        h->fmt = slash + 1;
    }
    const struct hmp_cmd *c = hmp_find(hmp_commands, argv[0]);
    if (!c)
        return fail_unknown("command", hmp_commands, argv[0], err);
    h->name = argv[0];
    h->argv = argv + 1;
    h->argc = argc - 1;
    if (c->fmt && !h->fmt && h->argc && h->argv[0][0] == '/') {
        h->fmt = h->argv[0] + 1;
        h->argv++;
        h->argc--;
    }
    return call(c, "", h, err);
}

void hmp_run(struct vm *vm, const char *line, GString *out, unsigned *mouse_buttons)
{
    struct hmp h = { .vm = vm, .out = out, .mouse_buttons = mouse_buttons };
    GError *err = NULL;
    char **argv;
    int argc;

    while (g_ascii_isspace(*line))
        line++;
    if (!*line || *line == '#')
        return;
    if (!g_utf8_validate(line, -1, NULL)) {
        hmp_print(&h, "Error: the line is not UTF-8\n");
        return;
    }
    if (!g_shell_parse_argv(line, &argc, &argv, &err)) {
        hmp_print(&h, "Error: a quotation mark is missing\n");
        g_error_free(err);
        return;
    }
    if (!run(&h, argv, argc, &err)) {
        hmp_print(&h, "Error: %s\n", err->message);
        g_error_free(err);
    }
    g_strfreev(argv);
}

char *monitor_execute(struct vm *vm, const char *line)
{
    GString *out = g_string_new(NULL);
    unsigned buttons = 0;

    hmp_run(vm, line, out, &buttons);
    return g_string_free(out, FALSE);
}

/* --- completion ------------------------------------------------------------------------------------ */

static void add_names(GPtrArray *to, const struct hmp_cmd *table, const char *prefix)
{
    for (; table->name; table++)
        if (g_str_has_prefix(table->name, prefix))
            g_ptr_array_add(to, g_strdup(table->name));
}

static void add_drives(GPtrArray *to, struct vm *vm, const char *prefix)
{
    GHashTableIter it;
    void *key, *val;

    g_hash_table_iter_init(&it, vm->blks);
    while (g_hash_table_iter_next(&it, &key, &val))
        if (g_str_has_prefix(key, prefix))
            g_ptr_array_add(to, g_strdup(key));
}

GPtrArray *hmp_complete(struct vm *vm, const char *line, size_t cursor, size_t *word_start)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    size_t start = cursor;

    while (start && !g_ascii_isspace(line[start - 1]))
        start--;
    *word_start = start;
    char *word = g_strndup(line + start, cursor - start), *before = g_strstrip(g_strndup(line, start));
    if (!*before)
        add_names(found, hmp_commands, word);
    else if (!strcmp(before, "help") || !strcmp(before, "?"))
        add_names(found, hmp_commands, word);
    else if (!strcmp(before, "info") || !strcmp(before, "help info"))
        add_names(found, hmp_info_commands, word);
    else if (!strcmp(before, "eject") || !strcmp(before, "eject -f") || !strcmp(before, "change") ||
             !strcmp(before, "block_resize"))
        add_drives(found, vm, word);
    g_free(word);
    g_free(before);
    return found;
}
