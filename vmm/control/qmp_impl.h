/* vmm/control/qmp_impl.h - between the files of QMP: the types, the table of commands, a session. */
#ifndef BANTAM_CONTROL_QMP_IMPL_H
#define BANTAM_CONTROL_QMP_IMPL_H

#include "vmm/control/qmp.h"
#include "vmm/control/qmp_json.h"
#include "vmm/core/event.h"

/* The protocol is QEMU's as of this version; clients decide by it what they may ask for. */
enum { QMP_MAJOR = 7, QMP_MINOR = 2, QMP_MICRO = 0 };

/* --- types (qmp_types.c): what introspection shows and arguments are checked by ----------------------- */

enum qmp_meta { QMP_STR, QMP_INT, QMP_NUMBER, QMP_BOOL, QMP_NULL, QMP_ANY, QMP_ENUM, QMP_OBJECT, QMP_ALTERNATE };

struct qmp_member {
    const char *name; /* of an alternate's branch: not used */
    const struct qmp_type *type;
    enum { REQUIRED, OPTIONAL } optional;
    enum { ONE, ARRAY } array;
};

struct qmp_variant {
    const char *value;            /* of the tag; one that is not listed has no more members */
    const struct qmp_type *type;
};

struct qmp_type {
    const char *name;
    enum qmp_meta meta;
    const char *const *values;         /* enum; NULL at the end */
    const struct qmp_member *members;  /* object, alternate; {} at the end; may be NULL */
    const char *tag;                   /* object: a union by this member */
    const struct qmp_variant *variants; /* {} at the end */
};

extern const struct qmp_type qmp_str, qmp_int, qmp_number, qmp_bool, qmp_any;

/* Is the object what the members say?  *err names the member that is missing, of a wrong type, unexpected. */
bool qmp_check(const struct qmp_member *members, JsonObject *o, GError **err);
bool qmp_check_value(const struct qmp_type *type, bool array, JsonNode *v, const char *name, GError **err);

/* --- commands (qmp_table.c) ----------------------------------------------------------------------------- */

struct qmp;
/* False: *err.  *ret stays NULL for an empty object.  Arguments were checked.  Main thread, no lock held. */
typedef bool qmp_fn(struct qmp *q, JsonObject *args, JsonNode **ret, GError **err);

struct qmp_command {
    const char *name;
    qmp_fn *fn;
    const struct qmp_member *args; /* NULL: none */
    const struct qmp_type *ret;    /* NULL: an empty object */
    int ret_array;                 /* ONE, ARRAY */
};
extern const struct qmp_command qmp_commands[]; /* the last has no name */
const struct qmp_command *qmp_command_find(const char *name);

struct qmp_event_type {
    const char *name;
    const struct qmp_member *data; /* NULL: none */
    bool limited;                  /* at most one a second: the last one of it is told */
    JsonObject *(*make)(const struct vm_event *ev);
};
extern const struct qmp_event_type qmp_events[N_VM_EVENTS];

JsonNode *qmp_schema(void); /* query-qmp-schema's answer */

/* --- errors ------------------------------------------------------------------------------------------------ */

enum qmp_class { QMP_GENERIC, QMP_COMMAND_NOT_FOUND, QMP_DEVICE_NOT_FOUND, QMP_DEVICE_NOT_ACTIVE, QMP_KVM_MISSING_CAP };
bool qmp_fail(GError **err, enum qmp_class c, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* --- a session (qmp.c) ------------------------------------------------------------------------------------- */

struct qmp_limit { /* an event of which only one a second is told */
    struct qmp *q;
    GSource *timer;
    JsonNode *waiting; /* NULL: none */
};

struct qmp {
    struct vm *vm;
    struct chardev *chr;
    bool pretty, negotiated;
    GByteArray *in;     /* received, not yet looked at */
    GSource *work;      /* in the main loop, while there is input */
    GString *out;       /* not yet taken by the chardev */
    struct json_reader reader;
    struct vm_listener listener;
    struct qmp_limit limits[N_VM_EVENTS];
    struct tracer trace;
    unsigned dropped;   /* events that a client which does not read has missed */
};

/* --- for the commands -------------------------------------------------------------------------------------- */

const char *qarg_str(JsonObject *args, const char *name); /* NULL: not given */
bool qarg_bool(JsonObject *args, const char *name, bool def);
int64_t qarg_int(JsonObject *args, const char *name, int64_t def);

JsonNode *qmp_object(JsonObject *o); /* takes it */
JsonNode *qmp_array(JsonArray *a);

#define QMP_COMMAND(f) bool f(struct qmp *q, JsonObject *args, JsonNode **ret, GError **err)
QMP_COMMAND(qmp_capabilities); /* qmp.c */
/* qmp_life.c */
QMP_COMMAND(qmp_stop);
QMP_COMMAND(qmp_cont);
QMP_COMMAND(qmp_quit);
QMP_COMMAND(qmp_system_reset);
QMP_COMMAND(qmp_system_powerdown);
QMP_COMMAND(qmp_system_wakeup);
QMP_COMMAND(qmp_inject_nmi);
QMP_COMMAND(qmp_watchdog_set_action);
QMP_COMMAND(qmp_hmp);
QMP_COMMAND(qmp_query_version);
QMP_COMMAND(qmp_query_commands);
QMP_COMMAND(qmp_query_schema);
QMP_COMMAND(qmp_query_status);
QMP_COMMAND(qmp_query_name);
QMP_COMMAND(qmp_query_uuid);
QMP_COMMAND(qmp_query_kvm);
QMP_COMMAND(qmp_query_target);
QMP_COMMAND(qmp_query_machines);
QMP_COMMAND(qmp_query_current_machine);
QMP_COMMAND(qmp_query_cpus_fast);
QMP_COMMAND(qmp_query_memory_size);
QMP_COMMAND(qmp_query_balloon);
QMP_COMMAND(qmp_balloon);
/* qmp_dev.c */
QMP_COMMAND(qmp_query_chardev);
QMP_COMMAND(qmp_query_chardev_backends);
QMP_COMMAND(qmp_ringbuf_read);
QMP_COMMAND(qmp_ringbuf_write);
QMP_COMMAND(qmp_chardev_send_break);
QMP_COMMAND(qmp_query_mice);
QMP_COMMAND(qmp_query_pci);
QMP_COMMAND(qmp_send_key);
QMP_COMMAND(qmp_screendump);
QMP_COMMAND(qmp_memsave);
QMP_COMMAND(qmp_pmemsave);
QMP_COMMAND(qmp_set_link);
/* qmp_qom.c */
QMP_COMMAND(qmp_device_list_properties);
QMP_COMMAND(qmp_qom_list_types);
QMP_COMMAND(qmp_qom_list);
QMP_COMMAND(qmp_qom_get);
QMP_COMMAND(qmp_qom_set);
QMP_COMMAND(qmp_query_options);
/* qmp_block.c */
QMP_COMMAND(qmp_query_block);
QMP_COMMAND(qmp_query_blockstats);
QMP_COMMAND(qmp_query_named_block_nodes);
QMP_COMMAND(qmp_query_iothreads);
QMP_COMMAND(qmp_eject);
QMP_COMMAND(qmp_open_tray);
QMP_COMMAND(qmp_close_tray);
QMP_COMMAND(qmp_remove_medium);
QMP_COMMAND(qmp_change_medium);
QMP_COMMAND(qmp_block_resize);
QMP_COMMAND(qmp_snapshot_create);
QMP_COMMAND(qmp_snapshot_delete);

#endif
