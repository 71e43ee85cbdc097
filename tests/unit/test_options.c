/* tests/unit/test_options.c - the command line: what is accepted and what it means, and every refusal's
 * words. */
#include "tests/unit/options_test.h"

/* --- lists ------------------------------------------------------------------------------------------- */

static void test_keyvals(void)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "a", "first=a;" },
        { "a,b=c", "first=a;b=c;" },
        { "b=c,a", "b=c;a=on!;" },
        { "a,,b,c=d,,e,,", "first=a,b;c=d,e,;" },
        { "a,flag,noother", "first=a;flag=on!;noother=on!;" },
        { "a=b=c", "a=b=c;" },
        { "a=", "a=;" },
        { "a,", "first=a;" },
        { "a,,,b", "first=a,;b=on!;" },
        { ",b=c", "first=;b=c;" },
    };
    struct keyvals kv;
    GError *err = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        GString *s = g_string_new(NULL);
        g_assert_true(keyvals_parse(&kv, "-x", cases[i][0], "first", NULL));
        for (unsigned k = 0; k < kv.n; k++)
            g_string_append_printf(s, "%s=%s%s;", kv.items[k].key, kv.items[k].value,
                                   kv.items[k].bare ? "!" : "");
        g_assert_cmpstr(s->str, ==, cases[i][1]);
        g_string_free(s, TRUE);
        keyvals_clear(&kv);
    }
    g_assert_true(keyvals_parse(&kv, "-x", "a_b=1,a-b=2", NULL, NULL)); /* alike, and the last one wins */
    g_assert_cmpstr(keyvals_get(&kv, "a-b"), ==, "2");
    keyvals_clear(&kv);
    g_assert_false(keyvals_parse(&kv, "-x", "a,=b", "first", &err));
    g_assert_cmpstr(err->message, ==, "-x: a name is missing before '=' in 'a,=b'");
    g_clear_error(&err);
    char *esc = keyval_escape("a,b,,c");
    g_assert_cmpstr(esc, ==, "a,,b,,,,c");
    g_free(esc);
}

/* --- the machine --------------------------------------------------------------------------------------- */

static void test_defaults(void)
{
    struct options o;

    good(&o, "");
    g_assert_cmpuint(o.pc.ram_size, ==, 128 * MiB);
    g_assert_cmpuint(o.pc.cpus, ==, 1);
    g_assert_cmpstr(o.pc.bios, ==, "bios-256k.bin");
    g_assert_cmpstr(o.pc.vga, ==, "std");
    g_assert_cmpstr(o.pc.boot_order, ==, "cad");
    g_assert_true(o.pc.has_ide[2] && o.pc.ide_cdrom[2] && o.pc.has_floppy[0] && o.pc.has_serial[0] &&
                  o.pc.acpi);
    g_assert_true(o.pc.pit_lost_tick_delay && o.debug_threads);
    g_assert_cmpuint(o.drives->len, ==, 2);
    g_assert_cmpuint(o.monitors->len, ==, 0);
    g_assert_cmpstr(drive(&o, "ide1-cd0")->cfg.file, ==, NULL);
    g_assert_cmpint(drive(&o, "floppy0")->cfg.interface, ==, DRIVE_FLOPPY);
    g_assert_cmpint(chardev(&o, "serial0")->kind, ==, CHARDEV_NULL);
    options_free(&o);
    good(&o, "-nodefaults");
    g_assert_false(o.pc.has_ide[2] || o.pc.has_floppy[0] || o.pc.has_serial[0]);
    g_assert_cmpstr(o.pc.vga, ==, "none");
    g_assert_cmpuint(o.drives->len + o.chardevs->len, ==, 0);
    options_free(&o);
    good(&o, "--nodefaults --m 64 -vga std"); /* both kinds of dashes */
    g_assert_cmpuint(o.pc.ram_size, ==, 64 * MiB);
    g_assert_cmpstr(o.pc.vga, ==, "std");
    options_free(&o);
    accepted("-no-user-config -nodefconfig -enable-kvm -k de -nic none -net none -parallel none -vnc none "
             "-display none "
             "-sandbox off -msg timestamp=on -S -no-fd-bootchk -qmp none -qmp-pretty none");
}

static void test_unknown(void)
{
    bad("-xyzzyx", "there is no option '-xyzzyx'; see bantam -help");
    bad("--xyzzyx", "there is no option '--xyzzyx'; see bantam -help");
    bad("-nograpic", "there is no option '-nograpic' (did you mean '-nographic'?)");
    bad("-kernal x", "there is no option '-kernal' (did you mean '-kernel'?)");
    bad("-m", "-m: an argument is missing: -m [size=]SIZE");
    bad("a.img b.img", "'b.img': there is already a disk image, 'a.img'; add others with -hdb or -drive");
    bad("''", "the name of a disk image is empty");
    bad("-blockdev x", "-blockdev: not built yet; use -drive");
    bad("-blockdev", "-blockdev: not built yet; use -drive");
    bad("-usb", "-usb: there is no USB controller yet; the keyboard and mouse are PS/2");
    bad("-audiodev sdl,id=a", "-audiodev: sound is not built yet");
    bad("-qmp mon:stdio", "-qmp: 'mon:stdio' would share the device, and QMP needs one for itself");
    bad("-qmp stdoi", "-qmp: 'stdoi' is no character device (did you mean 'stdio'?); use for example "
                      "stdio, pty, file:PATH, unix:PATH,server=on,wait=off");
    bad("-vnc :1", "-vnc: a VNC server is not built yet; use -display none");
    bad("-display sdl", "-display: 'sdl' is not built yet; use -display none");
    bad("-display gtk,gl=on", "-display: 'gtk' is not built yet; use -display none");
    bad("-display foo", "-display: there is no display 'foo'; use -display none");
    bad("-vga cirrus", "-vga: 'cirrus' is not built; use -vga std");
    bad("-vga sdt", "-vga: there is no card 'sdt' (did you mean 'std'?); use std or none");
    bad("-sandbox on", "-sandbox: not built; leave it out");
    bad("-parallel stdio", "-parallel: a parallel port is not built; use -parallel none");
    bad("-numa node", "-numa: NUMA is not built; use -m and -smp");
    bad("-d in_asm",
        "-d: 'in_asm' looks into an emulated CPU, which KVM has not; use guest_errors or trace:PATTERN");
    bad("-d guest_error",
        "-d: there is no log item 'guest_error' (did you mean 'guest_errors'?); see -d help");
}

static void test_memory(void)
{
    struct options o;

    static const struct {
        const char *line;
        uint64_t size;
    } sizes[] = { { "-m 512", 512 * MiB },        { "-m 1G", GiB },
                  { "-m 1.5G", GiB + 512 * MiB }, { "-m size=65536k", 64 * MiB },
                  { "-m 0x40", 64 * MiB },        { "-m 100 -m 200M", 200 * MiB },
                  { "-m 5000M", 5000 * MiB },     { "-m 1G,slots=0,maxmem=1G", GiB } };
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        good(&o, sizes[i].line);
        g_assert_cmpuint(o.pc.ram_size, ==, sizes[i].size);
        options_free(&o);
    }
    bad("-m 0", "-m: 0 is too little: a PC has at least 1M");
    bad("-m 4k", "-m: 4k is too little: a PC has at least 1M");
    bad("-m 99T", "-m: 99T is too much: at most 1020G");
    bad("-m 99999999999999999999", "-m: '99999999999999999999' is no size; write for example 512M or 4G");
    bad("-m 1E", "-m: 1E is too much: at most 1020G");
    bad("-m lots", "-m: 'lots' is no size; write for example 512M or 4G");
    bad("-m -1", "-m: '-1' is no size; write for example 512M or 4G");
    bad("-m ''", "-m: the argument is empty; write -m [size=]SIZE");
    bad("-m 1G,slots=2,maxmem=4G", "-m: slots=2: memory can't be added to a running guest yet; leave it out");
    bad("-m 1G,maxmem=4G", "-m: maxmem=4G: memory can't be added to a running guest yet; leave it out");
    bad("-m 1G,maxmem=512M", "-m: maxmem=512M is less than size=1G");
    bad("-m 1G,sise=2", "-m: there is no property 'sise' (did you mean 'size'?)");
    bad("-m 1G,foo=2", "-m: there is no property 'foo'; there are: size, maxmem, slots");
    bad("-m size", "-m: 'size' is no size; write for example 512M or 4G");
    bad("-m 1G,slots", "-m: 'slots' needs a value: slots=...");

    good(&o, "-machine max-ram-below-4g=2G -m 4G");
    g_assert_cmpuint(o.pc.max_ram_below_4g, ==, 2 * GiB);
    options_free(&o);
    bad("-machine max-ram-below-4g=5G", "-machine: max-ram-below-4g=5G: 1M to 4G, in whole megabytes");

    good(&o, "-m 1G -mem-path /dev/shm -mem-prealloc");
    g_assert_cmpstr(o.ram.path, ==, "/dev/shm");
    g_assert_true(o.ram.prealloc && o.ram.merge && o.ram.dump && !o.ram.memfd);
    options_free(&o);
    good(&o, "-object memory-backend-memfd,id=mem,size=1G,share=on,hugetlb=off -machine "
             "pc,memory-backend=mem,mem-merge=off");
    g_assert_cmpuint(o.pc.ram_size, ==, GiB);
    g_assert_true(o.ram.memfd && o.ram.share && !o.ram.merge);
    options_free(&o);
    good(&o, "-object memory-backend-file,id=m.0,size=64M,mem-path=/tmp/a,,b,prealloc=on -machine "
             "memory-backend=m.0 -m 64");
    g_assert_cmpstr(o.ram.path, ==, "/tmp/a,b");
    g_assert_true(o.ram.prealloc && !o.ram.share);
    options_free(&o);
    bad("-object memory-backend-ram,id=a,size=1G",
        "-object a: nothing uses it; add -machine memory-backend=a");
    bad("-machine memory-backend=x", "-machine: memory-backend=x: there is no -object with this id");
    bad("-object memory-backend-ram,id=a", "-object a: the size is missing: size=1G");
    bad("-object memory-backend-ram,size=1G", "-object memory-backend-ram: an id is missing: id=...");
    bad("-object memory-backend-file,id=a,size=1G", "-object a: the file is missing: mem-path=...");
    bad("-object memory-backend-ram,id=a,size=1G,mem-path=/x",
        "-object a: mem-path belongs to memory-backend-file");
    bad("-object memory-backend-ram,id=a,size=1G,policy=bind",
        "-object a: policy=bind: NUMA placement is not built");
    bad("-object memory-backend-ram,id=a,size=1G -object memory-backend-ram,id=a,size=1G",
        "-object: the id 'a' is already taken by another object");
    good(&o, "-object iothread,id=t,poll-max-ns=1000,poll-grow=3 -object iothread,id=u");
    g_assert_cmpuint(o.iothreads->len, ==, 2);
    const struct opt_iothread *t = o.iothreads->pdata[0], *u = o.iothreads->pdata[1];
    g_assert_cmpuint(t->cfg.poll_max_ns, ==, 1000);
    g_assert_cmpuint(t->cfg.poll_grow, ==, 3);
    g_assert_cmpuint(u->cfg.poll_max_ns, ==, IOTHREAD_POLL_AUTO);
    options_free(&o);
    good(&o, "-object rng-random,id=r -object rng-random,id=s,filename=/dev/hwrng -object rng-builtin,id=t");
    g_assert_cmpstr(((struct opt_rng *) o.rngs->pdata[0])->filename, ==, "/dev/urandom");
    g_assert_cmpstr(((struct opt_rng *) o.rngs->pdata[1])->filename, ==, "/dev/hwrng");
    g_assert_null(((struct opt_rng *) o.rngs->pdata[2])->filename);
    options_free(&o);
    bad("-object rng-builtin,id=r,filename=/dev/x", "-object r: filename=/dev/x: belongs to rng-random");
    bad("-object iothread,id=t,poll-max-ns=x", "-object t: poll-max-ns: 'x' is no number");
    bad("-object iothread,id=t,aio-max-batch=4",
        "-object t: aio-max-batch=4: batches are as large as the queue asks for");
    bad("-object iothread,id=memory -object memory-backend-ram,id=memory,size=1G",
        "-object: the id 'memory' is already taken by another object");
    bad("-object memory-backend-rom,id=t",
        "-object: 'memory-backend-rom' is not built (did you mean 'memory-backend-ram'?); there are "
        "filter-dump, iothread, memory-backend-file, memory-backend-memfd, memory-backend-ram, rng-builtin, "
        "rng-random");
    bad("-object memory-backend-ram,id=9a,size=1G",
        "-object: '9a' is no id: an id begins with a letter, then letters, digits, '-', '.', '_'");
    bad("-object memory-backend-ram,id=a,size=1G -machine memory-backend=a -m 2G",
        "-m: 2G is not the size of memory backend 'a', 1073741824 bytes; leave -m out");
    bad("-object memory-backend-ram,id=a,size=1G -machine memory-backend=a -mem-path /x",
        "-mem-path and -machine memory-backend= can't both be given");
}

static void test_smp(void)
{
    struct options o;

    static const struct {
        const char *line;
        unsigned cpus, max, sockets, dies, cores, threads;
    } cases[] = {
        { "-smp 1", 1, 1, 1, 1, 1, 1 },
        { "-smp 8", 8, 8, 1, 1, 8, 1 },
        { "-smp cpus=8,sockets=2", 8, 8, 2, 1, 4, 1 },
        { "-smp 8,sockets=2,cores=2,threads=2", 8, 8, 2, 1, 2, 2 },
        { "-smp 8,cores=2,threads=2", 8, 8, 2, 1, 2, 2 },
        { "-smp 8,sockets=2,cores=2", 8, 8, 2, 1, 2, 2 },
        { "-smp 8,threads=2", 8, 8, 1, 1, 4, 2 },
        { "-smp sockets=2,cores=3,threads=2", 12, 12, 2, 1, 3, 2 },
        { "-smp 2,maxcpus=8", 2, 8, 1, 1, 8, 1 },
        { "-smp maxcpus=4", 4, 4, 1, 1, 4, 1 },
        { "-smp 8,dies=2", 8, 8, 1, 2, 4, 1 },
        { "-smp 8,sockets=2,dies=2,cores=2,threads=1", 8, 8, 2, 2, 2, 1 },
        { "-smp 2,clusters=1", 2, 2, 1, 1, 2, 1 },
        { "-smp 255", 255, 255, 1, 1, 255, 1 },
        { "-smp 4 -smp cores=2", 4, 4, 2, 1, 2, 1 },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        good(&o, cases[i].line);
        g_assert_cmpuint(o.pc.cpus, ==, cases[i].cpus);
        g_assert_cmpuint(o.pc.max_cpus, ==, cases[i].max);
        g_assert_cmpuint(o.pc.sockets, ==, cases[i].sockets);
        g_assert_cmpuint(o.pc.dies, ==, cases[i].dies);
        g_assert_cmpuint(o.pc.cores, ==, cases[i].cores);
        g_assert_cmpuint(o.pc.threads, ==, cases[i].threads);
        options_free(&o);
    }
    bad("-smp 0", "-smp: cpus: 0 is out of range: 1 to 255");
    bad("-smp 256", "-smp: cpus: 256 is out of range: 1 to 255");
    bad("-smp 2,cores=0", "-smp: cores: 0 is out of range: 1 to 255");
    bad("-smp -1", "-smp: cpus: '-1' is no number");
    bad("-smp two", "-smp: cpus: 'two' is no number");
    bad("-smp 2,clusters=2", "-smp: clusters: 2 is out of range: 1 to 1");
    bad("-smp 8,maxcpus=4", "-smp: maxcpus (4) is less than cpus (8)");
    bad("-smp 8,sockets=3", "-smp: sockets (3) * dies (1) * cores (2) * threads (1) must be maxcpus (8)");
    bad("-smp 8,sockets=1,cores=2,threads=2",
        "-smp: sockets (1) * dies (1) * cores (2) * threads (2) must be maxcpus (8)");
    bad("-smp sockets=255,cores=255,threads=255", "-smp: 16581375 CPUs are too many: at most 255");
    bad("-smp 1,cores=200", "-smp: sockets (0) * dies (1) * cores (200) * threads (1) must be maxcpus (1)");
    bad("-smp 2,core=2", "-smp: there is no property 'core' (did you mean 'cores'?)");
}

static void test_machine(void)
{
    struct options o;

    accepted(
        "-machine pc -M pc-i440fx-7.2,usb=off,vmport=off,dump-guest-core=off,kernel_irqchip=on,hpet=off");
    accepted("-M type=pc,accel=kvm:tcg");
    accepted("-machine pc,accel=tcg:kvm -name guest=x,debug-threads=on");
    accepted("-accel kvm,kernel-irqchip=on -accel tcg,thread=multi");
    good(&o, "-machine pc,acpi=off,vmport=auto,smm=off,graphics=off");
    g_assert_false(o.pc.acpi);
    g_assert_true(o.nographic);
    options_free(&o);
    good(&o, "-no-acpi -no-hpet -cpu host,-avx,kvm=off");
    g_assert_false(o.pc.acpi || o.pc.hpet);
    g_assert_cmpstr(o.cpu, ==, "host,-avx,kvm=off");
    options_free(&o);
    bad("-M q35", "-machine: 'q35' is not built; use 'pc' (i440FX), which runs the same guests");
    bad("-M pc-q35-7.2",
        "-machine: 'pc-q35-7.2' is not built; use 'pc' (i440FX), which runs the same guests");
    bad("-M isapc", "-machine: 'isapc' is not built; use 'pc'");
    bad("-M microvm", "-machine: microvm has no firmware: add -kernel FILE");
    bad("-M microvm,pic=off -kernel k", "-machine: pic=off: the interrupt controllers are KVM's; leave it out");
    bad("-M microvm -kernel k -hda x", "drive 'ide0-hd0': microvm has no IDE and no floppy controller; use if=none and "
        "-device virtio-blk-device,drive=ide0-hd0");
    good(&o, "-global virtio-mmio.force-legacy=off -global virtio-pci.disable-modern=on");
    g_assert_cmpuint(o.globals->len, ==, 2);
    options_free(&o);
    bad("-global virtio-pci.force-legacy=off", "-global: device 'virtio-rng-pci' has no property 'force-legacy'; see "
        "-device virtio-rng-pci,help");
    bad("-M pc,pit=off", "-machine: pit=off: this chip is part of the PC; it is microvm that can do without");
    good(&o, "-M microvm,rtc=off,pit=off -kernel k");
    g_assert_true(o.pc.is_microvm && o.pc.microvm.isa_serial && !o.pc.microvm.rtc && !o.pc.microvm.pit);
    g_assert_cmpstr(o.pc.vga, ==, "none");
    options_free(&o);
    bad("-M virt", "-machine: there is no machine 'virt'; use 'pc'");
    bad("-M pcc", "-machine: there is no machine 'pcc' (did you mean 'pc'?); use 'pc'");
    bad("-M pc,usb=on", "-machine: usb=on: there is no USB controller");
    bad("-M pc,vmport=on", "-machine: vmport=on: the VMware port is not built yet; leave it out");
    bad("-M pc,smm=on", "-machine: smm=on: system management mode is not built; leave it out");
    bad("-M pc,pcspk-audiodev=a", "-machine: pcspk-audiodev=a: sound is not built yet");
    bad("-M pc,kernel_irqchip=split", "-machine: kernel-irqchip=split is not built; use 'on'");
    bad("-M pc,kernel_irqchip=off", "-machine: kernel-irqchip=off is not built; use 'on'");
    bad("-M pc,acpj=off", "-machine: there is no property 'acpj' (did you mean 'acpi'?)");
    bad("-accel tcg", "accelerator 'tcg' is not built: guests run on KVM; use -accel kvm, or leave it out");
    bad("-M accel=hvf", "accelerator 'hvf' is not built: guests run on KVM; use -accel kvm, or leave it out");
    bad("-accel kwm", "-accel: there is no accelerator 'kwm' (did you mean 'kvm'?); use 'kvm'");
    bad("-accel kvm -M accel=kvm", "-accel and -machine accel= can't both be given");
    bad("-accel kvm,kernel-irqchip=split", "-accel: kernel-irqchip=split is not built; use 'on'");
    good(&o, "-accel kvm,device=/dev/kvm2");
    g_assert_cmpstr(o.accel_device, ==, "/dev/kvm2");
    options_free(&o);
    bad("-accel kvm,thread=multi", "-accel: thread=multi: belongs to tcg");
    bad("-cpu ''", "-cpu: '' has no model name; write for example -cpu host");
    good(&o, "-cpu help");
    g_assert_cmpstr(o.cpu, ==, "help");
    options_free(&o);

    good(&o, "-uuid 12345678-1234-1234-1234-123456789abc -name vm1,process=bantam-vm1 -overcommit "
             "mem-lock=on,cpu-pm=on");
    g_assert_true(o.pc.has_uuid && o.mlock && o.cpu_pm);
    g_assert_cmpstr(o.pc.name, ==, "vm1");
    g_assert_cmpstr(o.process_name, ==, "bantam-vm1");
    options_free(&o);
    bad("-uuid 1234",
        "-uuid: '1234' is no UUID; write 8 hexadecimal digits, 4, 4, 4 and 12, with '-' between");
    bad("-overcommit mem-lock=maybe", "-overcommit: mem-lock: 'maybe' is neither 'on' nor 'off'");

    good(&o, "-global kvm-pit.lost_tick_policy=discard");
    g_assert_false(o.pc.pit_lost_tick_delay);
    options_free(&o);
    good(&o, "-no-kvm-pit-reinjection");
    g_assert_false(o.pc.pit_lost_tick_delay);
    options_free(&o);
    bad("-global kvm-pit.lost_tick_policy=slew",
        "-global: kvm-pit.lost_tick_policy: 'slew' is not one of: delay, discard");
}

static void test_rtc_boot(void)
{
    struct options o;

    good(&o, "-rtc base=2006-06-17T16:01:21,clock=vm,driftfix=slew");
    g_assert_cmpint(o.pc.rtc_base, ==, RTC_BASE_DATETIME);
    g_assert_cmpint(o.pc.rtc_datetime, ==, 1150560081);
    g_assert_cmpint(o.pc.rtc_clock, ==, RTC_CLOCK_VM);
    g_assert_true(o.pc.rtc_slew);
    options_free(&o);
    good(&o, "-rtc 2006-06-17");
    g_assert_cmpint(o.pc.rtc_datetime, ==, 1150502400);
    options_free(&o);
    good(&o, "-rtc localtime");
    g_assert_cmpint(o.pc.rtc_base, ==, RTC_BASE_LOCALTIME);
    options_free(&o);
    bad("-rtc base=now",
        "-rtc: base: 'now' is no date; write utc, localtime, 2006-06-17 or 2006-06-17T16:01:21");
    bad("-rtc 2006-02-30",
        "-rtc: base: '2006-02-30' is no date; write utc, localtime, 2006-06-17 or 2006-06-17T16:01:21");
    bad("-rtc clock=atomic", "-rtc: clock: 'atomic' is not one of: host, rt, vm");

    good(&o, "-boot order=dc,once=a,menu=on,splash-time=500,reboot-timeout=1000,strict=on");
    g_assert_cmpstr(o.pc.boot_order, ==, "dc");
    g_assert_cmpstr(o.pc.boot_once, ==, "a");
    g_assert_true(o.pc.boot_menu && o.pc.boot_strict);
    g_assert_cmpint(o.pc.splash_time, ==, 500);
    g_assert_cmpint(o.pc.reboot_timeout, ==, 1000);
    options_free(&o);
    good(&o, "-boot d");
    g_assert_cmpstr(o.pc.boot_order, ==, "d");
    options_free(&o);
    accepted("-boot reboot-timeout=-1");
    bad("-boot z", "-boot: order: 'z' is no boot device: a, b floppies; c disk; d CD-ROM; n network");
    bad("-boot cc", "-boot: order: 'c' is there twice");
    bad("-boot menu=maybe", "-boot: menu: 'maybe' is neither 'on' nor 'off'");
    bad("-boot splash-time=x", "-boot: splash-time: 'x' is no number");
    bad("-boot c,splash=/nowhere/x.jpg",
        "-boot: splash: cannot open '/nowhere/x.jpg': No such file or directory");

    good(&o, "-kernel k -initrd 'a x,b' -append 'console=ttyS0 a,b'");
    g_assert_cmpstr(o.pc.append, ==, "console=ttyS0 a,b");
    g_assert_cmpstr(o.pc.initrd, ==, "a x,b");
    g_assert_null(o.pc.bios);
    options_free(&o);
    good(&o, "-M pc,kernel=k,append=x -bios b");
    g_assert_cmpstr(o.pc.kernel, ==, "k");
    g_assert_cmpstr(o.pc.bios, ==, "b");
    options_free(&o);
    good(&o, "-demo");
    g_assert_true(o.pc.demo);
    options_free(&o);
    bad("-initrd x", "-initrd is for -kernel, which is missing");
    bad("-append x", "-append is for -kernel, which is missing");
    bad("-demo -kernel x", "-demo boots the built-in guest; leave out -kernel");
    bad("-kernel ''", "-kernel: the file name is empty");
    bad("-dtb x", "-dtb: a PC has no device tree; leave it out");
}

static void test_firmware(void)
{
    struct options o;
    char *dir = g_dir_make_tmp("bantam-options-XXXXXX", NULL), *file = g_build_filename(dir, "f", NULL),
         *line;

    g_assert_true(g_file_set_contents(file, "\x7f\x04\0\1\0\0", 6, NULL));
    line = g_strdup_printf("-L '%s' -fw_cfg opt/a,file=%s -fw_cfg name=opt/b,string=a,,b -smbios file=%s",
                           dir, file, file);
    good(&o, line);
    g_assert_cmpuint(o.pc.fw_cfg->len, ==, 2);
    const struct pc_fw_cfg_item *item = &g_array_index(o.pc.fw_cfg, struct pc_fw_cfg_item, 1);
    g_assert_cmpstr(item->name, ==, "opt/b");
    g_assert_cmpmem(item->data, item->len, "a,b", 3);
    g_assert_cmpuint(o.pc.smbios.files->len, ==, 1);
    g_assert_true(g_str_has_prefix(o.pc.firmware_path, dir));
    options_free(&o);
    g_free(line);
    g_unlink(file);
    g_rmdir(dir);
    g_free(file);
    g_free(dir);

    good(&o, "-smbios type=0,vendor=v,release=1.2 -smbios type=1,manufacturer=m,product=p,serial=s,family=f "
             "-smbios type=3,sku=k "
             "-smbios type=17,loc_pfx=l,part=q -smbios type=11,value=one,value=two -smbios type=2,location=x "
             "-smbios type=4,part=y");
    g_assert_cmpstr(o.pc.smbios.type0[0], ==, "v");
    g_assert_cmpstr(o.pc.smbios.type0[3], ==, "1.2");
    g_assert_cmpstr(o.pc.smbios.type1[1], ==, "p");
    g_assert_cmpstr(o.pc.smbios.type1[6], ==, "f");
    g_assert_cmpstr(o.pc.smbios.type3[4], ==, "k");
    g_assert_cmpstr(o.pc.smbios.type17[5], ==, "q");
    g_assert_cmpstr(o.pc.smbios.type2[5], ==, "x");
    g_assert_cmpstr(o.pc.smbios.oem_strings->pdata[1], ==, "two");
    options_free(&o);
    bad("-smbios vendor=x", "-smbios: type= or file= is missing");
    bad("-smbios type=9", "-smbios type=9: only types 0, 1, 2, 3, 4, 11 and 17 can be set; others by file=");
    bad("-smbios type=0,product=x",
        "-smbios type=0: there is no property 'product'; there are: vendor, version, date, release");
    bad("-smbios type=0,release=x", "-smbios type=0: release: 'x' is no release; write for example 1.0");
    bad("-smbios type=1,uuid=x", "-smbios type=1: uuid: 'x' is no UUID");
    bad("-smbios type=0,uefi=on", "-smbios type=0: uefi=on: the firmware is a BIOS");
    bad("-smbios file=/nowhere", "-smbios: cannot open '/nowhere': No such file or directory");
    bad("-fw_cfg string=x", "-fw_cfg: a name is missing: -fw_cfg name=opt/...,file=...");
    bad("-fw_cfg opt/x", "-fw_cfg: 'opt/x' needs either file= or string=");
    bad("-fw_cfg opt/x,file=/a,string=b", "-fw_cfg: 'opt/x' needs either file= or string=");
    bad("-fw_cfg opt/x,string=a -fw_cfg opt/x,string=b", "-fw_cfg: 'opt/x' is there twice");
    bad("-fw_cfg opt/x,file=/nowhere", "-fw_cfg: cannot open '/nowhere': No such file or directory");
    bad("-L /nowhere", "-L: '/nowhere' is no directory");
}

/* --- life and logging ------------------------------------------------------------------------- */

static void test_life(void)
{
    struct options o;

    good(&o, "-no-reboot -no-shutdown -S -pidfile p -D log -d guest_errors,trace:pit* -trace rtc* -trace "
             "enable=vga,file=t");
    g_assert_cmpint(o.on_reboot, ==, ACTION_SHUTDOWN);
    g_assert_cmpint(o.on_shutdown, ==, ACTION_PAUSE);
    g_assert_true(o.start_paused && o.guest_errors);
    g_assert_cmpstr(o.pidfile, ==, "p");
    g_assert_cmpstr(o.log_file, ==, "t");
    g_assert_cmpuint(o.traces->len, ==, 3);
    options_free(&o);
    good(&o,
         "-action reboot=shutdown,panic=pause -action shutdown=pause,watchdog=none -watchdog-action pause");
    g_assert_cmpint(o.on_reboot, ==, ACTION_SHUTDOWN);
    g_assert_cmpint(o.on_panic, ==, ACTION_PAUSE);
    g_assert_cmpint(o.on_watchdog, ==, WATCHDOG_PAUSE);
    options_free(&o);
    bad("-action reboot=halt", "-action: reboot: 'halt' is not one of: reset, shutdown");
    bad("-action shutdown=reset", "-action: shutdown: 'reset' is not one of: poweroff, pause");
    bad("-action panic=reset", "-action: panic: 'reset' is not one of: pause, shutdown, exit-failure, none");
    bad("-trace events=/nowhere",
        "-trace: events: Failed to open file “/nowhere”: No such file or directory");
}

static void test_help(void)
{
    static const char *const lines[] = { "-help",         "-h",
                                         "--help",        "-version",
                                         "-device help",  "-device VGA,help",
                                         "-machine help", "-M ?",
                                         "-accel help",   "-drive help",
                                         "-chardev help", "-object help",
                                         "-trace help",   "-d help",
                                         "-vga help",     "-smp help",
                                         "-m help",       "-rtc help",
                                         "-boot help",    "-display help",
                                         "-L help",       "-action help" };
    struct options o;

    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        good(&o, lines[i]);
        if (!o.text || strlen(o.text) < 4)
            g_error("'%s' has no help", lines[i]);
        g_assert_true(g_str_has_suffix(o.text, "\n"));
        options_free(&o);
    }
    good(&o, "-help -xyzzyx"); /* what comes later does not matter */
    g_assert_nonnull(strstr(o.text, "-device NAME"));
    options_free(&o);
    good(&o, "-device VGA,help");
    g_assert_nonnull(strstr(o.text, "vgamem_mb=<uint32>"));
    g_assert_nonnull(strstr(o.text, "addr="));
    options_free(&o);
}

/* Every option that -help shows has its place in the manual page. */
static void test_manual(void)
{
    const char *src = g_getenv("BANTAM_SRC");
    char *path = g_build_filename(src ? src : ".", "docs", "bantam.1", NULL), *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (unsigned i = 0; options_name(i); i++) {
        char **parts = g_strsplit(options_name(i), "-", -1), *esc = g_strjoinv("\\-", parts),
             *want = g_strdup_printf("\\-%s", esc);
        g_strfreev(parts);
        if (options_is_documented(i) && !strstr(text, want))
            g_error("docs/bantam.1 has no %s", want);
        g_free(want);
        g_free(esc);
    }
    g_free(text);
    g_free(path);
}

/* Any bytes on the command line: an answer, and no crash. */
static void test_random(void)
{
    static const char *const words[] = { "-m",       "-smp",     "-drive",  "-device", "-chardev",
                                         "-serial",  "-machine", "-global", "-object", "-boot",
                                         "-rtc",     "-smbios",  "-fw_cfg", "-accel",  "-action",
                                         "-monitor", "-mon",     "-trace",  "-name" };
    static const char *const bits[] = { ",",      ",,",        "=",  "id=",   "a",     "file=",
                                        "1",      "0",         "-1", "size=", "type=", "on",
                                        "off",    "help",      "no", "pc",    "VGA",   "unix:",
                                        "tcp:",   ":",         ".",  "stdio", "mon:",  "chardev:",
                                        "[",      "]",         "4G", "\xff",  "%s",    "memory-backend-ram",
                                        "drive=", "isa-serial" };

    for (unsigned round = 0; round < 5000; round++) {
        char *argv[8] = { (char *) "bantam" };
        struct options o;
        GError *err = NULL;
        int argc = 1;
        for (unsigned i = 0; i < 3; i++) {
            GString *s = g_string_new(NULL);
            argv[argc++] = g_strdup(words[g_test_rand_int_range(0, G_N_ELEMENTS(words))]);
            for (int n = g_test_rand_int_range(0, 8); n; n--)
                g_string_append(s, bits[g_test_rand_int_range(0, G_N_ELEMENTS(bits))]);
            argv[argc++] = g_string_free(s, FALSE);
        }
        bool ok = options_parse(&o, argc, argv, &err);
        g_assert_true(ok == !err);
        g_clear_error(&err);
        options_free(&o);
        while (argc > 1)
            g_free(argv[--argc]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/keyvals", test_keyvals);
    g_test_add_func("/options/defaults", test_defaults);
    g_test_add_func("/options/unknown", test_unknown);
    g_test_add_func("/options/memory", test_memory);
    g_test_add_func("/options/smp", test_smp);
    g_test_add_func("/options/machine", test_machine);
    g_test_add_func("/options/rtc-boot", test_rtc_boot);
    g_test_add_func("/options/firmware", test_firmware);
    g_test_add_func("/options/life", test_life);
    g_test_add_func("/options/help", test_help);
    g_test_add_func("/options/manual", test_manual);
    g_test_add_func("/options/random", test_random);
    return g_test_run();
}
