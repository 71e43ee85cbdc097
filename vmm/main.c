/* vmm/main.c - the process: command line, signals, daemon, exit status. */
#include "vmm/base/error.h"
#include "vmm/control/machine.h"
#include "vmm/control/process.h"

#include <stdio.h>
#include <stdlib.h>

static int fail_with(const struct options *o, GError *err)
{
    if (o->timestamps) {
        char *stamp = log_time_of_day();
        fprintf(stderr, "%s ", stamp);
        g_free(stamp);
    }
    if (o->message_names && o->pc.name)
        fprintf(stderr, "%s ", o->pc.name);
    fprintf(stderr, "bantam: %s\n", err->message);
    g_error_free(err);
    return EXIT_USER;
}

static int run(struct options *o, GError **err)
{
    struct process p;
    struct machine m;

    if (!process_begin(&p, o, err))
        return EXIT_USER;
    if (!machine_create(&m, o, err)) {
        process_end(&p);
        return EXIT_USER;
    }
    if (!process_ready(&p, &m, err)) {
        machine_destroy(&m);
        process_end(&p);
        return EXIT_USER;
    }
    if (!o->start_paused)
        vm_cont(m.vm);
    vm_run(m.vm);
    int code = m.vm->exit_code;
    process_unwatch(&p);
    machine_destroy(&m);
    process_end(&p);
    return code;
}

static char *cpu_help(void)
{
    GString *s = g_string_new(NULL);

    kvm_cpu_help(s);
    return g_string_free(s, FALSE);
}

int main(int argc, char **argv)
{
    struct options o = { 0 };
    GError *err = NULL;
    int code = EXIT_OK;

    bool parsed = options_parse(&o, argc, argv, &err);
    if (parsed && !o.text && o.cpu && !strcmp(o.cpu, "help"))
        o.text = cpu_help();
    if (!parsed) {
        code = fail_with(&o, err);
    } else if (o.text) {
        if (fputs(o.text, stdout) < 0 || fflush(stdout) != 0)
            code = EXIT_USER;
    } else {
        code = run(&o, &err);
        if (err)
            code = fail_with(&o, err);
    }
    options_free(&o);
    return code;
}
