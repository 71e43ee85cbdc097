/* vmm/control/monitor_impl.h - between the files of the monitor. */
#ifndef BANTAM_CONTROL_MONITOR_IMPL_H
#define BANTAM_CONTROL_MONITOR_IMPL_H

#include "vmm/base/error.h"
#include "vmm/char/backend.h"
#include "vmm/control/monitor.h"

/* --- commands -------------------------------------------------------------------------------------- */

struct hmp { /* what a command gets */
    struct vm *vm;
    GString *out;
    unsigned *mouse_buttons;
    const char *name; /* as typed */
    const char *fmt;  /* "/8xb" without the '/', or NULL */
    int argc;         /* arguments after the name */
    char **argv;
};

struct hmp_cmd {
    const char *name, *alias;
    const char *args; /* for help */
    const char *help;
    int min, max;     /* arguments; max -1: any number */
    /* False: *err is printed.  Main thread, no lock held. */
    bool (*fn)(struct hmp *h, GError **err);
    bool fmt;         /* takes /FMT */
};

extern const struct hmp_cmd hmp_commands[], hmp_info_commands[]; /* the last has no name */
const struct hmp_cmd *hmp_find(const struct hmp_cmd *table, const char *name);

#define hmp_print(h, ...) g_string_append_printf((h)->out, __VA_ARGS__)

/* One line; prints into out. */
void hmp_run(struct vm *vm, const char *line, GString *out, unsigned *mouse_buttons);
/* Names that the word before the cursor may become; caller frees the array and the strings. */
GPtrArray *hmp_complete(struct vm *vm, const char *line, size_t cursor, size_t *word_start);

/* hmp_life.c */
bool hmp_stop(struct hmp *h, GError **err);
bool hmp_cont(struct hmp *h, GError **err);
bool hmp_quit(struct hmp *h, GError **err);
bool hmp_system_reset(struct hmp *h, GError **err);
bool hmp_system_powerdown(struct hmp *h, GError **err);
bool hmp_system_wakeup(struct hmp *h, GError **err);
bool hmp_watchdog_action(struct hmp *h, GError **err);
bool hmp_nmi(struct hmp *h, GError **err);
bool hmp_log(struct hmp *h, GError **err);
bool hmp_logfile(struct hmp *h, GError **err);
bool hmp_trace_event(struct hmp *h, GError **err);

/* hmp_dev.c: input, screen, drives, chardevs */
bool hmp_screendump(struct hmp *h, GError **err);
bool hmp_screentext(struct hmp *h, GError **err);
bool hmp_sendkey(struct hmp *h, GError **err);
bool hmp_mouse_move(struct hmp *h, GError **err);
bool hmp_mouse_button(struct hmp *h, GError **err);
bool hmp_eject(struct hmp *h, GError **err);
bool hmp_change(struct hmp *h, GError **err);
bool hmp_block_resize(struct hmp *h, GError **err);
bool hmp_ringbuf_read(struct hmp *h, GError **err);
bool hmp_snapshot_create(struct hmp *h, GError **err);
bool hmp_snapshot_delete(struct hmp *h, GError **err);
bool hmp_snapshot_apply(struct hmp *h, GError **err);
bool hmp_set_link(struct hmp *h, GError **err);
bool hmp_send_break(struct hmp *h, GError **err);
bool hmp_ringbuf_write(struct hmp *h, GError **err);

/* hmp_net.c */
bool hmp_hostfwd_add(struct hmp *h, GError **err);
bool hmp_hostfwd_remove(struct hmp *h, GError **err);
bool info_network(struct hmp *h, GError **err);
bool info_usernet(struct hmp *h, GError **err);

/* hmp_balloon.c */
bool hmp_balloon(struct hmp *h, GError **err);
bool info_balloon(struct hmp *h, GError **err);

/* hmp_mem.c: memory, ports, expressions */
bool hmp_xp(struct hmp *h, GError **err);
bool hmp_x(struct hmp *h, GError **err);
bool hmp_i(struct hmp *h, GError **err);
bool hmp_o(struct hmp *h, GError **err);
bool hmp_print_expr(struct hmp *h, GError **err);
bool hmp_sum(struct hmp *h, GError **err);
bool hmp_pmemsave(struct hmp *h, GError **err);
bool hmp_memsave(struct hmp *h, GError **err);
bool hmp_number(const char *text, uint64_t *out, GError **err); /* an expression */

/* hmp_info.c */
bool info_status(struct hmp *h, GError **err);
bool info_version(struct hmp *h, GError **err);
bool info_name(struct hmp *h, GError **err);
bool info_uuid(struct hmp *h, GError **err);
bool info_kvm(struct hmp *h, GError **err);
bool info_cpus(struct hmp *h, GError **err);
bool info_registers(struct hmp *h, GError **err);
bool info_pci(struct hmp *h, GError **err);
bool info_mtree(struct hmp *h, GError **err);
bool info_irq(struct hmp *h, GError **err);
bool info_block(struct hmp *h, GError **err);
bool info_iothreads(struct hmp *h, GError **err);
bool info_blockstats(struct hmp *h, GError **err);
bool info_qtree(struct hmp *h, GError **err);
bool info_chardev(struct hmp *h, GError **err);
bool info_trace_events(struct hmp *h, GError **err);
bool info_mice(struct hmp *h, GError **err);
bool info_memory_size(struct hmp *h, GError **err);
bool info_snapshots(struct hmp *h, GError **err);
bool info_boot(struct hmp *h, GError **err);

#endif
