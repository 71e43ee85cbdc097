/* vmm/control/qmp_life.c - QMP commands: run, stop, reset, end; what the machine is; memory and balloon. */
#include "vmm/control/action.h"
#include "vmm/control/monitor.h"
#include "vmm/control/qmp_impl.h"
#include "vmm/core/balloon.h"

#define UNUSED (void) q, (void) args, (void) ret, (void) err

QMP_COMMAND(qmp_stop)
{
    UNUSED;
    if (vm_running(q->vm))
        vm_stop(q->vm, RUN_PAUSED);
    return true;
}

QMP_COMMAND(qmp_cont)
{
    UNUSED;
    return action_cont(q->vm, err);
}

QMP_COMMAND(qmp_quit)
{
    UNUSED;
    vm_request_exit(q->vm, CAUSE_HOST_MONITOR, EXIT_OK);
    return true;
}

QMP_COMMAND(qmp_system_reset)
{
    UNUSED;
    vm_request_reset(q->vm, CAUSE_HOST_MONITOR);
    return true;
}

QMP_COMMAND(qmp_system_powerdown)
{
    UNUSED;
    vm_request_powerdown(q->vm);
    return true;
}

QMP_COMMAND(qmp_system_wakeup)
{
    UNUSED;
    return action_wakeup(q->vm, err);
}

QMP_COMMAND(qmp_inject_nmi)
{
    UNUSED;
    return action_nmi(q->vm, err);
}

QMP_COMMAND(qmp_watchdog_set_action)
{
    UNUSED;
    return action_watchdog(q->vm, qarg_str(args, "action"), err);
}

QMP_COMMAND(qmp_hmp)
{
    UNUSED;
    if (qarg_int(args, "cpu-index", 0) != 0)
        return fail(err, "Parameter 'cpu-index' expects 0: no monitor command depends on the CPU");
    char *out = monitor_execute(q->vm, json_object_get_string_member(args, "command-line"));
    char *text = g_utf8_make_valid(out, -1); /* a guest's screen, a file's name */
    *ret = json_node_init_string(json_node_alloc(), text);
    g_free(text);
    g_free(out);
    return true;
}

/* --- what there is ----------------------------------------------------------------------------------------- */

QMP_COMMAND(qmp_query_commands)
{
    UNUSED;
    JsonArray *a = json_array_new();
    for (const struct qmp_command *c = qmp_commands; c->name; c++) {
        JsonObject *o = json_object_new();
        json_object_set_string_member(o, "name", c->name);
        json_array_add_object_element(a, o);
    }
    *ret = qmp_array(a);
    return true;
}

QMP_COMMAND(qmp_query_schema)
{
    UNUSED;
    *ret = qmp_schema();
    return true;
}

QMP_COMMAND(qmp_query_status)
{
    UNUSED;
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "status", run_state_names[q->vm->state]);
    json_object_set_boolean_member(o, "singlestep", FALSE); /* of TCG */
    json_object_set_boolean_member(o, "running", vm_running(q->vm));
    *ret = qmp_object(o);
    return true;
}

QMP_COMMAND(qmp_query_name)
{
    UNUSED;
    JsonObject *o = json_object_new();
    if (q->vm->name)
        json_object_set_string_member(o, "name", q->vm->name);
    *ret = qmp_object(o);
    return true;
}

QMP_COMMAND(qmp_query_uuid)
{
    UNUSED;
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "UUID", q->vm->uuid ? q->vm->uuid : "00000000-0000-0000-0000-000000000000");
    *ret = qmp_object(o);
    return true;
}

QMP_COMMAND(qmp_query_kvm)
{
    UNUSED;
    JsonObject *o = json_object_new();
    json_object_set_boolean_member(o, "enabled", q->vm->accel != NULL);
    json_object_set_boolean_member(o, "present", TRUE);
    *ret = qmp_object(o);
    return true;
}

QMP_COMMAND(qmp_query_target)
{
    UNUSED;
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "arch", "x86_64");
    *ret = qmp_object(o);
    return true;
}

static void add_machine(JsonArray *a, const char *name, bool is_default)
{
    JsonObject *o = json_object_new();

    json_object_set_boolean_member(o, "hotpluggable-cpus", FALSE);
    json_object_set_string_member(o, "name", name);
    json_object_set_boolean_member(o, "numa-mem-supported", FALSE);
    if (is_default)
        json_object_set_boolean_member(o, "is-default", TRUE);
    json_object_set_int_member(o, "cpu-max", PC_MAX_CPUS);
    json_object_set_boolean_member(o, "deprecated", FALSE);
    json_object_set_boolean_member(o, "acpi", TRUE);
    json_array_add_object_element(a, o);
}

QMP_COMMAND(qmp_query_machines)
{
    UNUSED;
    JsonArray *a = json_array_new();

    add_machine(a, "pc", true);
    add_machine(a, "microvm", false);
    *ret = qmp_array(a);
    return true;
}

QMP_COMMAND(qmp_query_current_machine)
{
    UNUSED;
    JsonObject *o = json_object_new();
    json_object_set_boolean_member(o, "wakeup-suspend-support", TRUE);
    *ret = qmp_object(o);
    return true;
}

QMP_COMMAND(qmp_query_cpus_fast)
{
    UNUSED;
    const struct accel_ops *a = q->vm->accel;
    const struct vm_topology *t = &q->vm->topology;
    JsonArray *list = json_array_new();
    int tid;

    for (unsigned i = 0; a && a->cpu_thread && (tid = a->cpu_thread(q->vm->accel_opaque, i)) >= 0; i++) {
        JsonObject *o = json_object_new();
        char *path = g_strdup_printf("/machine/unattached/cpu[%u]", i);
        json_object_set_int_member(o, "thread-id", tid);
        if (t->threads) {
            JsonObject *p = json_object_new();
            unsigned core = i / t->threads, die = core / t->cores;
            json_object_set_int_member(p, "core-id", core % t->cores);
            json_object_set_int_member(p, "thread-id", i % t->threads);
            if (t->dies > 1)
                json_object_set_int_member(p, "die-id", die % t->dies);
            json_object_set_int_member(p, "socket-id", die / t->dies);
            json_object_set_object_member(o, "props", p);
        }
        json_object_set_string_member(o, "qom-path", path);
        json_object_set_string_member(o, "target", "x86_64");
        json_object_set_int_member(o, "cpu-index", i);
        json_array_add_object_element(list, o);
        g_free(path);
    }
    *ret = qmp_array(list);
    return true;
}

/* --- memory ------------------------------------------------------------------------------------------------ */

QMP_COMMAND(qmp_query_memory_size)
{
    UNUSED;
    JsonObject *o = json_object_new();
    json_object_set_int_member(o, "base-memory", (gint64) q->vm->ram.block.size);
    json_object_set_int_member(o, "plugged-memory", 0);
    *ret = qmp_object(o);
    return true;
}

static bool not_negative(JsonObject *args, const char *name, GError **err)
{
    return qarg_int(args, name, 0) >= 0 || fail(err, "Parameter '%s' expects a number that is not negative", name);
}

QMP_COMMAND(qmp_pmemsave)
{
    UNUSED;
    return not_negative(args, "size", err) &&
           action_pmemsave(q->vm, (uint64_t) qarg_int(args, "val", 0), (uint64_t) qarg_int(args, "size", 0),
                           qarg_str(args, "filename"), err);
}

QMP_COMMAND(qmp_memsave)
{
    UNUSED;
    int64_t cpu = qarg_int(args, "cpu-index", 0);
    if (cpu < 0 || cpu > UINT16_MAX)
        return fail(err, "Parameter 'cpu-index' expects a CPU number");
    return not_negative(args, "size", err) &&
           action_memsave(q->vm, (unsigned) cpu, (uint64_t) qarg_int(args, "val", 0),
                          (uint64_t) qarg_int(args, "size", 0), qarg_str(args, "filename"), err);
}

static bool has_balloon(struct qmp *q, GError **err)
{
    return q->vm->balloon || qmp_fail(err, QMP_DEVICE_NOT_ACTIVE, "No balloon device has been activated");
}

QMP_COMMAND(qmp_query_balloon)
{
    UNUSED;
    uint64_t actual = 0;

    vm_lock(q->vm);
    bool ok = has_balloon(q, err) && balloon_actual(q->vm, &actual, err);
    vm_unlock(q->vm);
    if (ok) {
        JsonObject *o = json_object_new();
        json_object_set_int_member(o, "actual", (gint64) actual);
        *ret = qmp_object(o);
    }
    return ok;
}

QMP_COMMAND(qmp_balloon)
{
    UNUSED;
    int64_t value = qarg_int(args, "value", 0);

    vm_lock(q->vm);
    bool ok = has_balloon(q, err) && (value > 0 || fail(err, "Parameter 'value' expects a size")) &&
              balloon_set_target(q->vm, (uint64_t) value, err);
    vm_unlock(q->vm);
    return ok;
}
