/* vmm/control/qmp_table.c - every type, command and event: dispatch, checks and introspection come from here.
 *
 * Names and shapes are QEMU's, of the QMP reference; members that stand for what Bantam has not (throttling,
 * dirty bitmaps, encryption) are left out where the reference lets them be left out. */
#include "vmm/control/qmp_impl.h"
#include "vmm/ui/input.h"

#define M(n, t) { n, &(t), REQUIRED, ONE }
#define O(n, t) { n, &(t), OPTIONAL, ONE }
#define MA(n, t) { n, &(t), REQUIRED, ARRAY }
#define OA(n, t) { n, &(t), OPTIONAL, ARRAY }
#define MEMBERS(...) ((const struct qmp_member[]){ __VA_ARGS__, {} })
#define ENUM(id, ...) \
    static const char *const id##_values[] = { __VA_ARGS__, NULL }; \
    static const struct qmp_type id = { #id, QMP_ENUM, .values = id##_values }
#define OBJECT(id, ...) \
    static const struct qmp_member id##_members[] = { __VA_ARGS__, {} }; \
    static const struct qmp_type id = { #id, QMP_OBJECT, .members = id##_members }

/* --- enums ------------------------------------------------------------------------------------------------- */

ENUM(QMPCapability, "oob");
ENUM(RunState, "debug", "inmigrate", "internal-error", "io-error", "paused", "postmigrate", "prelaunch",
     "finish-migrate", "restore-vm", "running", "save-vm", "shutdown", "suspended", "watchdog", "guest-panicked",
     "colo");
ENUM(ShutdownCause, "none", "host-error", "host-qmp-quit", "host-qmp-system-reset", "host-signal", "host-ui",
     "guest-shutdown", "guest-reset", "guest-panic", "subsystem-reset", "snapshot-load");
ENUM(SysEmuTarget, "x86_64");
ENUM(ImageFormat, "ppm", "png");
ENUM(DataFormat, "utf8", "base64");
ENUM(KeyValueKind, "number", "qcode");
ENUM(ReadOnlyMode, "retain", "read-only", "read-write");
ENUM(IoStatus, "ok", "failed", "nospace");
ENUM(DetectZeroes, "off", "on", "unmap");
ENUM(IoOperation, "read", "write");
ENUM(ErrorAction, "ignore", "report", "stop");
ENUM(PanicAction, "pause", "poweroff", "run");
static const struct qmp_type WatchdogActionName = { "WatchdogAction", QMP_ENUM, .values = watchdog_action_names };

static const struct qmp_type QKeyCode = { "QKeyCode", QMP_ENUM, .values = input_key_names };
ENUM(JSONType, "string", "number", "int", "boolean", "null", "object", "array", "value");
ENUM(SchemaMetaType, "builtin", "enum", "array", "object", "alternate", "command", "event");

/* --- objects ----------------------------------------------------------------------------------------------- */

OBJECT(VersionTriple, M("major", qmp_int), M("minor", qmp_int), M("micro", qmp_int));
OBJECT(VersionInfo, M("qemu", VersionTriple), M("package", qmp_str));
OBJECT(CommandInfo, M("name", qmp_str));
OBJECT(StatusInfo, M("running", qmp_bool), M("singlestep", qmp_bool), M("status", RunState));
OBJECT(NameInfo, O("name", qmp_str));
OBJECT(UuidInfo, M("UUID", qmp_str));
OBJECT(KvmInfo, M("enabled", qmp_bool), M("present", qmp_bool));
OBJECT(TargetInfo, M("arch", SysEmuTarget));
OBJECT(MachineInfo, M("name", qmp_str), O("alias", qmp_str), O("is-default", qmp_bool), M("cpu-max", qmp_int),
       M("hotpluggable-cpus", qmp_bool), M("numa-mem-supported", qmp_bool), M("deprecated", qmp_bool),
       O("default-cpu-type", qmp_str), O("default-ram-id", qmp_str), M("acpi", qmp_bool));
OBJECT(CurrentMachineParams, M("wakeup-suspend-support", qmp_bool));
OBJECT(CpuInstanceProperties, O("node-id", qmp_int), O("socket-id", qmp_int), O("die-id", qmp_int),
       O("core-id", qmp_int), O("thread-id", qmp_int));
OBJECT(CpuInfoFast, M("cpu-index", qmp_int), M("qom-path", qmp_str), M("thread-id", qmp_int),
       O("props", CpuInstanceProperties), M("target", SysEmuTarget));
OBJECT(MemoryInfo, M("base-memory", qmp_int), O("plugged-memory", qmp_int));
OBJECT(BalloonInfo, M("actual", qmp_int));
OBJECT(ChardevInfo, M("label", qmp_str), M("filename", qmp_str), M("frontend-open", qmp_bool));
OBJECT(ChardevBackendInfo, M("name", qmp_str));
OBJECT(MouseInfo, M("name", qmp_str), M("index", qmp_int), M("current", qmp_bool), M("absolute", qmp_bool));
OBJECT(IOThreadInfo, M("id", qmp_str), M("thread-id", qmp_int), M("poll-max-ns", qmp_int), M("poll-grow", qmp_int),
       M("poll-shrink", qmp_int), M("aio-max-batch", qmp_int));
OBJECT(ObjectPropertyInfo, M("name", qmp_str), M("type", qmp_str), O("description", qmp_str),
       O("default-value", qmp_any));
ENUM(CommandLineParameterType, "string", "boolean", "number", "size");
OBJECT(CommandLineParameterInfo, M("name", qmp_str), M("type", CommandLineParameterType), O("help", qmp_str),
       O("default", qmp_str));
OBJECT(CommandLineOptionInfo, M("option", qmp_str), MA("parameters", CommandLineParameterInfo));
OBJECT(ObjectTypeInfo, M("name", qmp_str), O("abstract", qmp_bool), O("parent", qmp_str));

OBJECT(PciMemoryRegion, M("bar", qmp_int), M("type", qmp_str), M("address", qmp_int), M("size", qmp_int),
       O("prefetch", qmp_bool), O("mem_type_64", qmp_bool));
OBJECT(PciDeviceClass, O("desc", qmp_str), M("class", qmp_int));
OBJECT(PciDeviceId, M("device", qmp_int), M("vendor", qmp_int), O("subsystem", qmp_int),
       O("subsystem-vendor", qmp_int));
OBJECT(PciDeviceInfo, M("bus", qmp_int), M("slot", qmp_int), M("function", qmp_int), M("class_info", PciDeviceClass),
       M("id", PciDeviceId), O("irq", qmp_int), M("irq_pin", qmp_int), M("qdev_id", qmp_str),
       MA("regions", PciMemoryRegion));
OBJECT(PciInfo, M("bus", qmp_int), MA("devices", PciDeviceInfo));

OBJECT(SnapshotInfo, M("id", qmp_str), M("name", qmp_str), M("vm-state-size", qmp_int), M("date-sec", qmp_int),
       M("date-nsec", qmp_int), M("vm-clock-sec", qmp_int), M("vm-clock-nsec", qmp_int), O("icount", qmp_int));
OBJECT(ImageInfo, M("filename", qmp_str), M("format", qmp_str), O("actual-size", qmp_int),
       M("virtual-size", qmp_int), OA("snapshots", SnapshotInfo));
OBJECT(BlockdevCacheInfo, M("writeback", qmp_bool), M("direct", qmp_bool), M("no-flush", qmp_bool));
OBJECT(BlockDeviceInfo, M("file", qmp_str), O("node-name", qmp_str), M("ro", qmp_bool), M("drv", qmp_str),
       M("backing_file_depth", qmp_int), M("encrypted", qmp_bool), M("detect_zeroes", DetectZeroes),
       M("bps", qmp_int), M("bps_rd", qmp_int), M("bps_wr", qmp_int), M("iops", qmp_int), M("iops_rd", qmp_int),
       M("iops_wr", qmp_int), M("image", ImageInfo), M("cache", BlockdevCacheInfo), M("write_threshold", qmp_int));
OBJECT(BlockInfo, M("device", qmp_str), O("qdev", qmp_str), M("type", qmp_str), M("removable", qmp_bool),
       M("locked", qmp_bool), O("inserted", BlockDeviceInfo), O("tray_open", qmp_bool), O("io-status", IoStatus));
OBJECT(BlockDeviceTimedStats, M("interval_length", qmp_int));
OBJECT(BlockDeviceStats, M("rd_bytes", qmp_int), M("wr_bytes", qmp_int), M("unmap_bytes", qmp_int),
       M("rd_operations", qmp_int), M("wr_operations", qmp_int), M("flush_operations", qmp_int),
       M("unmap_operations", qmp_int), M("rd_total_time_ns", qmp_int), M("wr_total_time_ns", qmp_int),
       M("flush_total_time_ns", qmp_int), M("unmap_total_time_ns", qmp_int), M("wr_highest_offset", qmp_int),
       M("rd_merged", qmp_int), M("wr_merged", qmp_int), M("unmap_merged", qmp_int), O("idle_time_ns", qmp_int),
       M("failed_rd_operations", qmp_int), M("failed_wr_operations", qmp_int), M("failed_flush_operations", qmp_int),
       M("failed_unmap_operations", qmp_int), M("invalid_rd_operations", qmp_int), M("invalid_wr_operations", qmp_int),
       M("invalid_flush_operations", qmp_int), M("invalid_unmap_operations", qmp_int), M("account_invalid", qmp_bool),
       M("account_failed", qmp_bool), MA("timed_stats", BlockDeviceTimedStats));
OBJECT(BlockStats, O("device", qmp_str), O("qdev", qmp_str), O("node-name", qmp_str), M("stats", BlockDeviceStats));

OBJECT(SchemaInfoBuiltin, M("json-type", JSONType));
OBJECT(SchemaInfoEnumMember, M("name", qmp_str));
OBJECT(SchemaInfoEnum, MA("members", SchemaInfoEnumMember), MA("values", qmp_str));
OBJECT(SchemaInfoArray, M("element-type", qmp_str));
OBJECT(SchemaInfoObjectMember, M("name", qmp_str), M("type", qmp_str), O("default", qmp_any));
OBJECT(SchemaInfoObjectVariant, M("case", qmp_str), M("type", qmp_str));
OBJECT(SchemaInfoObject, MA("members", SchemaInfoObjectMember), O("tag", qmp_str),
       OA("variants", SchemaInfoObjectVariant));
OBJECT(SchemaInfoAlternateMember, M("type", qmp_str));
OBJECT(SchemaInfoAlternate, MA("members", SchemaInfoAlternateMember));
OBJECT(SchemaInfoCommand, M("arg-type", qmp_str), M("ret-type", qmp_str), O("allow-oob", qmp_bool));
OBJECT(SchemaInfoEvent, M("arg-type", qmp_str));
static const struct qmp_member SchemaInfo_members[] = { M("name", qmp_str), M("meta-type", SchemaMetaType), {} };
static const struct qmp_variant SchemaInfo_variants[] = {
    { "builtin", &SchemaInfoBuiltin }, { "enum", &SchemaInfoEnum }, { "array", &SchemaInfoArray },
    { "object", &SchemaInfoObject }, { "alternate", &SchemaInfoAlternate }, { "command", &SchemaInfoCommand },
    { "event", &SchemaInfoEvent }, {}
};
static const struct qmp_type SchemaInfo = { "SchemaInfo", QMP_OBJECT, .members = SchemaInfo_members,
                                            .tag = "meta-type", .variants = SchemaInfo_variants };

OBJECT(IntWrapper, M("data", qmp_int));
OBJECT(QKeyCodeWrapper, M("data", QKeyCode));
static const struct qmp_member KeyValue_members[] = { M("type", KeyValueKind), {} };
static const struct qmp_variant KeyValue_variants[] = { { "number", &IntWrapper }, { "qcode", &QKeyCodeWrapper }, {} };
static const struct qmp_type KeyValue = { "KeyValue", QMP_OBJECT, .members = KeyValue_members, .tag = "type",
                                          .variants = KeyValue_variants };

/* --- commands ---------------------------------------------------------------------------------------------- */

const struct qmp_command qmp_commands[] = {
    { "qmp_capabilities", qmp_capabilities, MEMBERS(OA("enable", QMPCapability)) },
    { "query-version", qmp_query_version, NULL, &VersionInfo },
    { "query-commands", qmp_query_commands, NULL, &CommandInfo, ARRAY },
    { "query-qmp-schema", qmp_query_schema, NULL, &SchemaInfo, ARRAY },

    { "query-status", qmp_query_status, NULL, &StatusInfo },
    { "stop", qmp_stop },
    { "cont", qmp_cont },
    { "quit", qmp_quit },
    { "system_reset", qmp_system_reset },
    { "system_powerdown", qmp_system_powerdown },
    { "system_wakeup", qmp_system_wakeup },
    { "inject-nmi", qmp_inject_nmi },
    { "watchdog-set-action", qmp_watchdog_set_action, MEMBERS(M("action", WatchdogActionName)) },
    { "human-monitor-command", qmp_hmp, MEMBERS(M("command-line", qmp_str), O("cpu-index", qmp_int)), &qmp_str },

    { "query-name", qmp_query_name, NULL, &NameInfo },
    { "query-uuid", qmp_query_uuid, NULL, &UuidInfo },
    { "query-kvm", qmp_query_kvm, NULL, &KvmInfo },
    { "query-target", qmp_query_target, NULL, &TargetInfo },
    { "query-machines", qmp_query_machines, NULL, &MachineInfo, ARRAY },
    { "query-current-machine", qmp_query_current_machine, NULL, &CurrentMachineParams },
    { "query-cpus-fast", qmp_query_cpus_fast, NULL, &CpuInfoFast, ARRAY },
    { "query-memory-size-summary", qmp_query_memory_size, NULL, &MemoryInfo },
    { "memsave", qmp_memsave,
      MEMBERS(M("val", qmp_int), M("size", qmp_int), M("filename", qmp_str), O("cpu-index", qmp_int)) },
    { "pmemsave", qmp_pmemsave, MEMBERS(M("val", qmp_int), M("size", qmp_int), M("filename", qmp_str)) },
    { "query-balloon", qmp_query_balloon, NULL, &BalloonInfo },
    { "balloon", qmp_balloon, MEMBERS(M("value", qmp_int)) },
    { "query-iothreads", qmp_query_iothreads, NULL, &IOThreadInfo, ARRAY },

    { "query-block", qmp_query_block, NULL, &BlockInfo, ARRAY },
    { "query-blockstats", qmp_query_blockstats, MEMBERS(O("query-nodes", qmp_bool)), &BlockStats, ARRAY },
    { "query-named-block-nodes", qmp_query_named_block_nodes, MEMBERS(O("flat", qmp_bool)), &BlockDeviceInfo,
      ARRAY },
    { "eject", qmp_eject, MEMBERS(O("device", qmp_str), O("id", qmp_str), O("force", qmp_bool)) },
    { "blockdev-open-tray", qmp_open_tray,
      MEMBERS(O("device", qmp_str), O("id", qmp_str), O("force", qmp_bool)) },
    { "blockdev-close-tray", qmp_close_tray, MEMBERS(O("device", qmp_str), O("id", qmp_str)) },
    { "blockdev-remove-medium", qmp_remove_medium, MEMBERS(M("id", qmp_str)) },
    { "blockdev-change-medium", qmp_change_medium,
      MEMBERS(O("device", qmp_str), O("id", qmp_str), M("filename", qmp_str), O("format", qmp_str),
              O("force", qmp_bool), O("read-only-mode", ReadOnlyMode)) },
    { "block_resize", qmp_block_resize,
      MEMBERS(O("device", qmp_str), O("node-name", qmp_str), M("size", qmp_int)) },

    { "blockdev-snapshot-internal-sync", qmp_snapshot_create, MEMBERS(M("device", qmp_str), M("name", qmp_str)) },
    { "blockdev-snapshot-delete-internal-sync", qmp_snapshot_delete,
      MEMBERS(M("device", qmp_str), O("id", qmp_str), O("name", qmp_str)), &SnapshotInfo },

    { "query-chardev", qmp_query_chardev, NULL, &ChardevInfo, ARRAY },
    { "query-chardev-backends", qmp_query_chardev_backends, NULL, &ChardevBackendInfo, ARRAY },
    { "ringbuf-read", qmp_ringbuf_read,
      MEMBERS(M("device", qmp_str), M("size", qmp_int), O("format", DataFormat)), &qmp_str },
    { "ringbuf-write", qmp_ringbuf_write,
      MEMBERS(M("device", qmp_str), M("data", qmp_str), O("format", DataFormat)) },
    { "chardev-send-break", qmp_chardev_send_break, MEMBERS(M("id", qmp_str)) },
    { "query-mice", qmp_query_mice, NULL, &MouseInfo, ARRAY },
    { "send-key", qmp_send_key, MEMBERS(MA("keys", KeyValue), O("hold-time", qmp_int)) },
    { "screendump", qmp_screendump,
      MEMBERS(M("filename", qmp_str), O("device", qmp_str), O("head", qmp_int), O("format", ImageFormat)) },
    { "set_link", qmp_set_link, MEMBERS(M("name", qmp_str), M("up", qmp_bool)) },
    { "query-pci", qmp_query_pci, NULL, &PciInfo, ARRAY },
    { "device-list-properties", qmp_device_list_properties, MEMBERS(M("typename", qmp_str)), &ObjectPropertyInfo,
      ARRAY },
    { "qom-list-types", qmp_qom_list_types, MEMBERS(O("implements", qmp_str), O("abstract", qmp_bool)),
      &ObjectTypeInfo, ARRAY },
    { "qom-list", qmp_qom_list, MEMBERS(M("path", qmp_str)), &ObjectPropertyInfo, ARRAY },
    { "qom-get", qmp_qom_get, MEMBERS(M("path", qmp_str), M("property", qmp_str)), &qmp_any },
    { "qom-set", qmp_qom_set, MEMBERS(M("path", qmp_str), M("property", qmp_str), M("value", qmp_any)) },
    { "query-command-line-options", qmp_query_options, MEMBERS(O("option", qmp_str)), &CommandLineOptionInfo, ARRAY },
    {}
};

const struct qmp_command *qmp_command_find(const char *name)
{
    for (const struct qmp_command *c = qmp_commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

/* --- events ------------------------------------------------------------------------------------------------ */

static JsonObject *make_cause(const struct vm_event *ev)
{
    JsonObject *o = json_object_new();

    json_object_set_boolean_member(o, "guest", vm_cause_is_guest(ev->cause));
    json_object_set_string_member(o, "reason", vm_cause_text(ev->cause, ev->kind == EVENT_RESET));
    return o;
}

static JsonObject *make_action(const struct vm_event *ev)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "action", ev->action);
    return o;
}

static JsonObject *make_io_error(const struct vm_event *ev)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "device", ev->id);
    json_object_set_string_member(o, "node-name", ev->id);
    json_object_set_string_member(o, "operation", ev->write ? "write" : "read");
    json_object_set_string_member(o, "action", ev->action);
    json_object_set_boolean_member(o, "nospace", ev->on);
    json_object_set_string_member(o, "reason", g_strerror(ev->error));
    return o;
}

static JsonObject *make_tray(const struct vm_event *ev)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "device", ev->id);
    json_object_set_string_member(o, "id", ev->device ? ev->device : "");
    json_object_set_boolean_member(o, "tray-open", ev->on);
    return o;
}

static JsonObject *make_actual(const struct vm_event *ev)
{
    JsonObject *o = json_object_new();

    json_object_set_int_member(o, "actual", ev->value);
    return o;
}

static JsonObject *make_rtc(const struct vm_event *ev)
{
    JsonObject *o = json_object_new();

    json_object_set_int_member(o, "offset", ev->value);
    json_object_set_string_member(o, "qom-path", ev->device ? ev->device : "rtc");
    return o;
}

static JsonObject *make_port(const struct vm_event *ev)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "id", ev->device ? ev->device : "");
    json_object_set_boolean_member(o, "open", ev->on);
    return o;
}

#define CAUSE MEMBERS(M("guest", qmp_bool), M("reason", ShutdownCause))

const struct qmp_event_type qmp_events[N_VM_EVENTS] = {
    [EVENT_STOP] = { "STOP" },
    [EVENT_RESUME] = { "RESUME" },
    [EVENT_SUSPEND] = { "SUSPEND" },
    [EVENT_WAKEUP] = { "WAKEUP" },
    [EVENT_POWERDOWN] = { "POWERDOWN" },
    [EVENT_RESET] = { "RESET", CAUSE, .make = make_cause },
    [EVENT_SHUTDOWN] = { "SHUTDOWN", CAUSE, .make = make_cause },
    [EVENT_GUEST_PANICKED] = { "GUEST_PANICKED", MEMBERS(M("action", PanicAction)), .make = make_action },
    [EVENT_GUEST_CRASHLOADED] = { "GUEST_CRASHLOADED", MEMBERS(M("action", PanicAction)), .make = make_action },
    [EVENT_WATCHDOG] = { "WATCHDOG", MEMBERS(M("action", WatchdogActionName)), true, make_action },
    [EVENT_BLOCK_IO_ERROR] = { "BLOCK_IO_ERROR",
                               MEMBERS(M("device", qmp_str), O("node-name", qmp_str), M("operation", IoOperation),
                                       M("action", ErrorAction), O("nospace", qmp_bool), M("reason", qmp_str)),
                               .make = make_io_error },
    [EVENT_TRAY_MOVED] = { "DEVICE_TRAY_MOVED",
                           MEMBERS(M("device", qmp_str), M("id", qmp_str), M("tray-open", qmp_bool)),
                           .make = make_tray },
    [EVENT_BALLOON_CHANGE] = { "BALLOON_CHANGE", MEMBERS(M("actual", qmp_int)), true, make_actual },
    [EVENT_RTC_CHANGE] = { "RTC_CHANGE", MEMBERS(M("offset", qmp_int), M("qom-path", qmp_str)), true, make_rtc },
    [EVENT_PORT_CHANGE] = { "VSERPORT_CHANGE", MEMBERS(M("id", qmp_str), M("open", qmp_bool)), .make = make_port },
};
