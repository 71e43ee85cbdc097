/* tests/unit/test_options_dev.c - the command line's drives, character devices, monitors and devices. */
#include "tests/unit/options_test.h"

/* --- drives --------------------------------------------------------------------------------------------- */

static void test_drives(void)
{
    struct options o;

    good(&o, "disk.img -cdrom cd.iso -fda a.img -fdb b.img -hdd d.img");
    g_assert_cmpstr(drive(&o, "ide0-hd0")->cfg.file, ==, "disk.img");
    g_assert_cmpstr(drive(&o, "ide1-cd0")->cfg.file, ==, "cd.iso");
    g_assert_cmpstr(drive(&o, "ide1-hd1")->cfg.file, ==, "d.img");
    g_assert_cmpstr(drive(&o, "floppy1")->cfg.file, ==, "b.img");
    g_assert_true(o.pc.has_ide[0] && !o.pc.has_ide[1] && o.pc.has_ide[2] && o.pc.has_ide[3] &&
                  o.pc.ide_cdrom[2] && !o.pc.ide_cdrom[3]);
    g_assert_cmpuint(o.drives->len, ==, 5);
    options_free(&o);
    good(&o, "-drive "
             "file=a,,b.img,format=raw,cache=none,aio=native,werror=stop,rerror=report,serial=S1,id=x,"
             "discard=unmap "
             "-drive file=c.img,bus=1,unit=1,readonly=on -drive if=none,id=d0,file=e.img -drive file=f.img "
             "-snapshot");
    g_assert_cmpstr(drive(&o, "x")->cfg.file, ==, "a,b.img");
    g_assert_cmpint(drive(&o, "x")->cfg.cache, ==, CACHE_NONE);
    g_assert_cmpuint(drive(&o, "x")->cfg.index, ==, 0);
    g_assert_true(drive(&o, "x")->cfg.snapshot);
    g_assert_cmpuint(drive(&o, "ide1-hd1")->cfg.index, ==, 3);
    g_assert_true(drive(&o, "ide1-hd1")->cfg.read_only);
    g_assert_cmpint(drive(&o, "d0")->cfg.interface, ==, DRIVE_NONE);
    g_assert_cmpstr(drive(&o, "ide0-hd1")->cfg.file, ==, "f.img");
    options_free(&o);
    good(&o, "-drive file=a.img -hda b.img"); /* without an index: takes what is left */
    g_assert_cmpstr(drive(&o, "ide0-hd0")->cfg.file, ==, "b.img");
    g_assert_cmpstr(drive(&o, "ide0-hd1")->cfg.file, ==, "a.img");
    options_free(&o);
    good(&o, "-hdc c.img"); /* in place of the empty CD-ROM */
    g_assert_false(o.pc.ide_cdrom[2]);
    options_free(&o);
    good(&o, "-drive media=cdrom,index=0 -drive if=floppy,file=f.img,index=1 -nodefaults");
    g_assert_true(o.pc.ide_cdrom[0] && o.pc.has_floppy[1] && !o.pc.has_floppy[0]);
    options_free(&o);
    good(&o, "-drive if=none,id=none0,file=a -drive if=none,file=b");
    g_assert_cmpstr(drive(&o, "none1")->cfg.file, ==, "b");
    options_free(&o);

    bad("-hda a -hda b", "-hda: 'a': ide drive 0 is already taken by 'b' (-hda)");
    bad("a.img -hda b.img", "-hda: 'b.img': ide drive 0 is already taken by 'a.img' (disk image)");
    bad("-drive file=a,index=2 -cdrom b", "-drive: 'a': ide drive 2 is already taken by 'b' (-cdrom)");
    bad("-hda a -hdb b -hdc c -hdd d -drive file=e", "-drive: 'e': no ide slot is free");
    bad("-drive file=a,index=4", "-drive: index=4: there are 4 ide drives, 0 to 3");
    bad("-drive file=a,index=0,unit=1", "-drive: index=0 can't be given with bus= or unit=");
    bad("-drive file=a,bus=2", "-drive: bus=2: there are buses 0 to 1");
    bad("-drive file=a,unit=2", "-drive: unit=2: there are units 0 to 1");
    bad("-drive file=a,if=floppy,index=2", "-drive: index=2: there are 2 floppy drives, 0 to 1");
    bad("-drive file=a,if=none,id=x,index=1",
        "-drive: index, bus and unit mean nothing with if=none; give them to the -device");
    bad("-drive file=a,if=scsi", "-drive: if=scsi is not built; use ide, floppy, or none with a -device");
    bad("-drive if=virtio", "drive 'virtio0': a hard disk needs an image: file=...");
    bad("-drive file=a,if=usb", "-drive: if: 'usb' is not one of: ide, floppy, virtio, none");
    bad("-drive file=a,cahe=none", "-drive: there is no property 'cahe' (did you mean 'cache'?)");
    bad("-drive id=x,file=a,cache=nine",
        "drive 'x': cache: 'nine' is not one of: writeback, none, writethrough, directsync, unsafe");
    bad("-drive id=x,file=a -drive id=x,file=b", "-drive: the id 'x' is already taken by another drive");
    bad("-drive id=x", "drive 'x': a hard disk needs an image: file=...");
    bad("-drive file=a,cyls=4", "-drive: cyls=4: use cyls= of the -device");
    bad("-drive a.img,index=1", "-drive: there is no property 'a.img'; there are: file, file.filename, "
                                "file.driver, format, driver, backing.file.filename, backing.driver, id, if, bus, "
                                "unit, index, media, "
                                "cache, cache.direct, cache.writeback, cache.no-flush, aio, read-only, "
                                "readonly, snapshot, werror, rerror, discard, detect-zeroes, "
                                "locking, file.locking, serial, host, port, path, server.type, server.host, "
                                "server.port, server.path, export, reconnect-delay, file.host, file.port, "
                                "file.path, file.server.type, file.server.host, file.server.port, "
                                "file.server.path, file.export, file.reconnect-delay, "
                                "copy-on-read, throttling.bps-total, "
                                "throttling.bps-read, throttling.bps-write, throttling.iops-total, "
                                "throttling.iops-read, throttling.iops-write, throttling.group, bps, bps_rd, "
                                "bps_wr, iops, iops_rd, iops_wr, x-cut-log, x-inject");
    bad("-hda ''", "-hda: the file name is empty");
    accepted("-cdrom ''");
}

/* --- chardevs and monitors -------------------------------------------------------------------- */

static const struct opt_monitor *monitor(const struct options *o, unsigned i)
{
    g_assert_cmpuint(i, <, o->monitors->len);
    return o->monitors->pdata[i];
}

static void test_serial(void)
{
    struct options o;

    good(&o, "-nographic");
    g_assert_cmpint(chardev(&o, "serial0")->kind, ==, CHARDEV_STDIO);
    g_assert_true(chardev(&o, "serial0")->mux && !chardev(&o, "serial0")->signal);
    g_assert_cmpstr(monitor(&o, 0)->chardev, ==, "serial0");
    options_free(&o);
    good(&o, "-nographic -monitor none");
    g_assert_false(chardev(&o, "serial0")->mux);
    g_assert_true(chardev(&o, "serial0")->signal);
    g_assert_cmpuint(o.monitors->len, ==, 0);
    options_free(&o);
    good(&o, "-nographic -serial file:x");
    g_assert_cmpint(chardev(&o, "compat_monitor0")->kind, ==, CHARDEV_STDIO);
    options_free(&o);
    good(&o, "-nographic -nodefaults");
    g_assert_cmpuint(o.chardevs->len, ==, 0);
    options_free(&o);
    good(&o, "-serial mon:stdio -display none");
    g_assert_cmpuint(o.monitors->len, ==, 1);
    options_free(&o);

    good(&o, "-serial null -serial none -serial unix:/tmp/s,server,nowait -serial "
             "tcp:localhost:4444,server=on,wait=off,nodelay "
             "-monitor telnet::5555,server,nowait -debugcon file:a,b");
    g_assert_true(o.pc.has_serial[0] && !o.pc.has_serial[1] && o.pc.has_serial[2] && o.pc.has_serial[3]);
    const struct chardev_config *c = chardev(&o, "serial2");
    g_assert_cmpstr(c->path, ==, "/tmp/s");
    g_assert_true(c->server && !c->wait && !c->telnet);
    c = chardev(&o, "serial3");
    g_assert_cmpstr(c->host, ==, "localhost");
    g_assert_cmpstr(c->port, ==, "4444");
    g_assert_true(c->server && !c->wait && c->nodelay);
    c = chardev(&o, "compat_monitor0");
    g_assert_null(c->host);
    g_assert_true(c->telnet && c->server && !c->wait);
    g_assert_cmpstr(chardev(&o, "debugcon")->path, ==, "a,b"); /* as QEMU: all of it is the name */
    g_assert_cmpstr(o.debugcon, ==, "debugcon");
    options_free(&o);
    good(&o, "-serial tcp:[::1]:80");
    g_assert_cmpstr(chardev(&o, "serial0")->host, ==, "::1");
    options_free(&o);
    good(&o, "-serial /dev/ttyS0 -serial pty -serial vc:80Cx24C -serial pipe:/tmp/p");
    g_assert_cmpint(chardev(&o, "serial0")->kind, ==, CHARDEV_TTY);
    g_assert_cmpint(chardev(&o, "serial1")->kind, ==, CHARDEV_PTY);
    g_assert_cmpint(chardev(&o, "serial2")->kind, ==, CHARDEV_NULL);
    g_assert_cmpint(chardev(&o, "serial3")->kind, ==, CHARDEV_PIPE);
    options_free(&o);
    good(&o,
         "-serial chardev:c -mon c -chardev stdio,id=c,mux=on,signal=off,logfile=l,logappend=on"); /* defined
                                                                                                      later:
                                                                                                      fine */
    g_assert_cmpstr(o.serial[0], ==, "c");
    g_assert_cmpstr(monitor(&o, 0)->chardev, ==, "c");
    g_assert_true(chardev(&o, "c")->logappend && !chardev(&o, "c")->signal);
    options_free(&o);

    bad("-serial stdoi", "-serial: 'stdoi' is no character device (did you mean 'stdio'?); use for example "
                         "stdio, pty, file:PATH, "
                         "unix:PATH,server=on,wait=off");
    bad("-serial udp::1", "-serial: 'udp::1' is not built; use for example stdio, pty, file:PATH, "
                          "unix:PATH,server=on,wait=off");
    bad("-serial chardev:x", "-serial: there is no chardev with id 'x'");
    bad("-serial tcp:localhost",
        "-serial: 'localhost': a port is missing; write for example tcp:localhost:4444");
    bad("-serial unix:", "-serial: a socket needs either path=... or host=...,port=...");
    bad("-serial file:", "-serial: the path is missing: path=...");
    bad("-serial unix:/x,servr", "-serial: there is no property 'servr' (did you mean 'server'?)");
    bad("-serial unix:/x,wait=off", "-serial: wait is for a server: server=on");
    bad("-serial null -serial null -serial null -serial null -serial null",
        "-serial: a PC has 4 serial ports");
    bad("-serial stdio -monitor stdio", "chardev 'compat_monitor0': stdio is already used by chardev "
                                        "'serial0'; share it by mon:stdio or mux=on");
    bad("-serial chardev:c -serial chardev:c -chardev null,id=c",
        "chardev 'c' is used 2 times; add mux=on to share it");
    bad("-mon x", "-mon: there is no chardev with id 'x'");
    bad("-mon mode=readline", "-mon: which chardev? chardev=id");
    bad("-chardev null,id=x -mon x,pretty=on", "-mon: pretty=on is for mode=control");
    bad("-chardev null,id=x,mux=on -mon x,mode=control",
        "-mon: chardev 'x' is shared (mux=on), and QMP needs one for itself");
    bad("-qmp chardev:x", "-qmp: there is no chardev with id 'x'");
    bad("-debugcon null -debugcon null", "-debugcon can be given once");
    bad("-nographic -daemonize",
        "-nographic and -daemonize can't both be given: a daemon has no terminal; use -display none");
    bad("-serial stdio -daemonize",
        "chardev 'serial0': a daemon has no stdio; leave out -daemonize, or use file: or unix:");
}

static void test_chardev(void)
{
    bad("-chardev stdio", "-chardev stdio: an id is missing: id=...");
    bad("-chardev id=x", "-chardev: which? for example -chardev stdio,id=c0");
    bad("-chardev udp,id=x", "-chardev: chardev 'udp' is not built; there are: null, stdio, file, pty, "
                             "socket, pipe, serial, ringbuf");
    bad("-chardev sokcet,id=x", "-chardev: there is no chardev 'sokcet' (did you mean 'socket'?); there are: "
                                "null, stdio, file, pty, socket, "
                                "pipe, serial, ringbuf");
    bad("-chardev file,id=x", "chardev 'x': the path is missing: path=...");
    bad("-chardev null,id=x -chardev null,id=x", "-chardev: the id 'x' is already taken by another chardev");
    bad("-chardev null,id=x,path=y",
        "chardev 'x': there is no property 'path'; there are: mux, logfile, logappend");
    bad("-chardev null,id=x,logappend=on", "chardev 'x': logappend needs logfile=...");
    bad("-chardev socket,id=x", "chardev 'x': a socket needs either path=... or host=...,port=...");
    bad("-chardev socket,id=x,path=/a,port=1",
        "chardev 'x': a socket needs either path=... or host=...,port=...");
    bad("-chardev socket,id=x,path=/a,nodelay=on",
        "chardev 'x': host, to, nodelay, ipv4 and ipv6 don't go with path=");
    bad("-chardev socket,id=x,port=1,abstract=on", "chardev 'x': abstract goes with path=");
    bad("-chardev socket,id=x,port=1,server=on,reconnect=1",
        "chardev 'x': reconnect is for a client, not with server=on");
    bad("-chardev socket,id=x,port=1,tls-creds=t", "chardev 'x': tls-creds=t: TLS is not built");
    bad("-chardev ringbuf,id=x,size=100", "chardev 'x': size: a power of two up to 64M");
    accepted("-chardev ringbuf,id=x,size=4k -chardev socket,id=y,path=/a,server,nowait,abstract -chardev "
             "file,id=z,path=/z,append=on,input-path=/i "
             "-chardev socket,id=w,host=h,port=http,reconnect=5,websocket=off -chardev "
             "tty,id=t,path=/dev/ttyS0 -chardev pty,id=p");
}

/* --- devices ---------------------------------------------------------------------------------- */

static void test_devices(void)
{
    struct options o;

    good(&o, "-device isa-debug-exit,iobase=0xf4,iosize=4,id=exit");
    const struct opt_device *d = o.devices->pdata[0];
    g_assert_cmpstr(d->cls->name, ==, "isa-debug-exit");
    g_assert_cmpstr(d->id, ==, "exit");
    g_assert_cmpstr(keyvals_get(&d->kv, "iobase"), ==, "0xf4");
    options_free(&o);
    good(&o, "-chardev null,id=c -device isa-serial,chardev=c");
    g_assert_false(o.pc.has_serial[0]); /* no default port beside it, as QEMU */
    options_free(&o);
    good(&o, "-device VGA,vgamem_mb=32");
    g_assert_cmpstr(o.pc.vga, ==, "none"); /* likewise */
    options_free(&o);
    good(&o, "-global VGA.vgamem_mb=32 -global driver=isa-debug-exit,property=iobase,value=0x10");
    g_assert_cmpuint(o.globals->len, ==, 2);
    struct vm *vm = vm_new(NULL, NULL);
    g_assert_true(options_apply_log(&o, vm, NULL));
    struct device *dev = device_new(vm, device_class_find("isa-debug-exit"), NULL);
    char *v = device_get(dev, "iobase");
    g_assert_cmpstr(v, ==, "16");
    g_free(v);
    device_free(dev);
    vm_free(vm);
    options_free(&o);

    bad("-device isa-debug-exti",
        "-device: there is no device 'isa-debug-exti' (did you mean 'isa-debug-exit'?); see -device help");
    bad("-device e1000", "-device: 'e1000' is not built yet; -device help lists what there is");
    bad("-device ''", "-device: which? see -device help");
    bad("-device isa-debug-exit,iobse=1",
        "device 'isa-debug-exit': device 'isa-debug-exit' has no property 'iobse' (did you mean 'iobase'?); "
        "see -device isa-debug-exit,help");
    bad("-device isa-debug-exit,iobase=x,id=e", "device 'e': iobase: 'x' is no number");
    bad("-device isa-debug-exit,id=e -device isa-debug-exit,id=e",
        "-device: the id 'e' is already taken by another device");
    bad("-device isa-serial,chardev=c", "device 'isa-serial': chardev: there is no chardev with id 'c'");
    bad("-device ide-hd,drive=d",
        "device 'ide-hd': drive: there is no drive with id 'd'; add -drive if=none,id=d,file=...");
    bad("-drive id=d,file=x -device ide-hd,drive=d",
        "device 'ide-hd': drive: drive 'd' has its slot by if=; give it if=none");
    bad("-drive id=d,file=x,if=none -device ide-hd,drive=d,id=a -device ide-hd,drive=d,id=b",
        "device 'b': drive 'd' is already used by 'a'");
    bad("-device i8237", "-device: 'i8237' is part of the board and can't be added");
    bad("-global VGA.foo=1", "-global: device 'VGA' has no property 'foo'; see -device VGA,help");
    bad("-global VAG.foo=1", "-global: there is no device 'VAG' (did you mean 'VGA'?); see -device help");
    bad("-global VGA", "-global: 'VGA': write -global DRIVER.PROPERTY=VALUE");
    bad("-global VGA.vgamem_mb=x", "-global: vgamem_mb: 'x' is no number");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/drives", test_drives);
    g_test_add_func("/options/serial", test_serial);
    g_test_add_func("/options/chardev", test_chardev);
    g_test_add_func("/options/devices", test_devices);
    return g_test_run();
}
