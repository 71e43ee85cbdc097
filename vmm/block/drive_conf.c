/* vmm/block/drive_conf.c - the options of -drive. */
#include "vmm/block/drive_int.h"
#include "vmm/block/nbd.h"

static const char *const if_names[] = { "ide", "floppy", "virtio", "none", NULL };
static const char *const media_names[] = { "disk", "cdrom", NULL };
static const char *const cache_names[] = { "writeback", "none", "writethrough", "directsync", "unsafe",
                                          NULL };
static const char *const aio_names[] = { "threads", "native", "io_uring", "auto", NULL };
static const char *const discard_names[] = { "ignore", "unmap", NULL };
static const char *const zeroes_names[] = { "off", "on", "unmap", NULL };

#define T struct drive_config
/* As QEMU's blockdev-add has them, for the drive itself and for its file.* */
#define NBD_OPTIONS(pre) \
    PROP_STR(T, nbd_host, NULL, .name = pre "host", .desc = "of an NBD server"), \
    PROP_STR(T, nbd_port, NULL, .name = pre "port", .desc = "of an NBD server"), \
    PROP_STR(T, nbd_path, NULL, .name = pre "path", .desc = "socket of an NBD server"), \
    PROP_STR(T, nbd_type, NULL, .name = pre "server.type", .desc = "of an NBD server: inet, unix"), \
    PROP_STR(T, nbd_host, NULL, .name = pre "server.host", .desc = "the same as host"), \
    PROP_STR(T, nbd_port, NULL, .name = pre "server.port", .desc = "the same as port"), \
    PROP_STR(T, nbd_path, NULL, .name = pre "server.path", .desc = "the same as path"), \
    PROP_STR(T, nbd_export, NULL, .name = pre "export", .desc = "name of an NBD server's export"), \
    PROP_U32(T, reconnect_delay, 0, .name = pre "reconnect-delay", .max = 86400, \
             .desc = "seconds that requests wait for a lost NBD server")
#define THROTTLE(n) PROP_STR(T, throttling, NULL, .name = n, .desc = "not supported")

const struct prop drive_props[] = {
    PROP_STR(T, file, NULL, .desc = "image file or block device"),
    PROP_STR(T, file, NULL, .name = "file.filename", .desc = "the same"),
    PROP_STR(T, protocol, NULL, .name = "file.driver", .desc = "file, host_device or nbd; by the name when not given"),
    PROP_STR(T, format, NULL, .desc = "image format; looked for when not given"),
    PROP_STR(T, format, NULL, .name = "driver", .desc = "the same"),
    PROP_STR(T, backing_file, NULL, .name = "backing.file.filename",
             .desc = "backing file, instead of the one that a qcow2 image names"),
    PROP_STR(T, backing_format, NULL, .name = "backing.driver", .desc = "format of the backing file"),
    PROP_STR(T, id, NULL, .desc = "name, for -device drive= and the monitor"),
    PROP_ENUM(T, interface, DRIVE_IDE, if_names, .name = "if", .desc = "what the drive is attached to"),
    PROP_U32(T, bus, DRIVE_UNSET, .desc = "number of the bus (IDE: 0 or 1)"),
    PROP_U32(T, unit, DRIVE_UNSET, .desc = "number on the bus"),
    PROP_U32(T, index, DRIVE_UNSET, .desc = "number among the drives of this interface"),
    PROP_ENUM(T, media, MEDIA_DISK, media_names, .desc = "a disk, or a CD-ROM whose medium can be changed"),
    PROP_ENUM(T, cache, CACHE_WRITEBACK, cache_names, .desc = "host cache, and what a flush means"),
    PROP_ONOFFAUTO(T, cache_direct, OOA_AUTO, .name = "cache.direct", .desc = "O_DIRECT; auto: as cache="),
    PROP_ONOFFAUTO(T, cache_writeback, OOA_AUTO, .name = "cache.writeback",
                   .desc = "guest sees a write cache; auto: as cache="),
    PROP_ONOFFAUTO(T, cache_no_flush, OOA_AUTO, .name = "cache.no-flush",
                   .desc = "ignore flushes; auto: as cache="),
    PROP_ENUM(T, aio, AIO_AUTO, aio_names,
              .desc = "how the host does its I/O; native needs cache=none or directsync; auto: the best that works"),
    PROP_BOOL(T, read_only, false, .name = "read-only", .desc = "the guest can't write"),
    PROP_BOOL(T, read_only, false, .name = "readonly", .desc = "the same"),
    PROP_BOOL(T, snapshot, false, .desc = "keep writes in a temporary file and drop them at the end"),
    PROP_ENUM(T, werror, POLICY_AUTO, blk_werror_names, .desc = "when a write fails; auto: enospc"),
    PROP_ENUM(T, rerror, POLICY_AUTO, blk_rerror_names, .desc = "when a read fails; auto: report"),
    PROP_ENUM(T, discard, 0, discard_names, .desc = "what a guest's discard does to the image"),
    PROP_ENUM(T, detect_zeroes, 0, zeroes_names, .name = "detect-zeroes",
              .desc = "write zeros as holes or zero ranges"),
    PROP_ONOFFAUTO(T, locking, OOA_AUTO,
                   .desc = "keep others from writing the image; auto: where the file system can"),
    PROP_ONOFFAUTO(T, locking, OOA_AUTO, .name = "file.locking", .desc = "the same"),
    PROP_STR(T, serial, NULL, .desc = "serial number that the guest sees"),
    NBD_OPTIONS(""), NBD_OPTIONS("file."),
    PROP_BOOL(T, copy_on_read, false, .name = "copy-on-read", .desc = "not supported"),
    THROTTLE("throttling.bps-total"), THROTTLE("throttling.bps-read"), THROTTLE("throttling.bps-write"),
    THROTTLE("throttling.iops-total"), THROTTLE("throttling.iops-read"), THROTTLE("throttling.iops-write"),
    THROTTLE("throttling.group"), THROTTLE("bps"), THROTTLE("bps_rd"), THROTTLE("bps_wr"), THROTTLE("iops"),
    THROTTLE("iops_rd"), THROTTLE("iops_wr"),
    PROP_STR(T, cut_log, NULL, .name = "x-cut-log",
             .desc = "for tests: record writes and flushes into this file"),
    PROP_STR(T, inject, NULL, .name = "x-inject",
             .desc = "for tests: OP:ERRNO:FIRST-LAST[:FILE] makes sectors fail"),
    {}
};
#undef T

void drive_config_init(struct drive_config *cfg)
{
    memset(cfg, 0, sizeof *cfg);
    props_set_defaults(drive_props, cfg);
}

void drive_config_clear(struct drive_config *cfg)
{
    props_free(drive_props, cfg);
}

bool drive_config_set(struct drive_config *cfg, const char *key, const char *value, GError **err)
{
    const struct prop *p = prop_find(drive_props, key);

    if (!p) {
        const char *names[G_N_ELEMENTS(drive_props)] = { 0 };
        for (size_t i = 0; drive_props[i].type != PT_END; i++)
            names[i] = drive_props[i].name;
        char *hint = nearest_hint(key, names);
        fail(err, "drive: there is no option '%s'%s", key, hint);
        g_free(hint);
        return false;
    }
    return prop_parse(NULL, p, cfg, value, err) || fail_prefix(err, "drive");
}

bool drive_config_finish(struct drive_config *cfg, GError **err)
{
    GError *e = NULL;
    char *address = nbd_address_of(cfg, &e);

    if (e) {
        g_propagate_error(err, e);
        return false;
    }
    if (address) {
        g_free(cfg->file);
        cfg->file = address;
        if (cfg->format && !strcmp(cfg->format, "nbd")) { /* itself the drive, without a format on top */
            g_free(cfg->format);
            cfg->format = g_strdup("raw");
        }
        g_clear_pointer(&cfg->protocol, g_free);
        g_clear_pointer(&cfg->nbd_type, g_free);
        g_clear_pointer(&cfg->nbd_host, g_free);
        g_clear_pointer(&cfg->nbd_port, g_free);
        g_clear_pointer(&cfg->nbd_path, g_free);
        g_clear_pointer(&cfg->nbd_export, g_free);
    }
    return true;
}

bool drive_config_check(const struct drive_config *cfg, const char *who, GError **err)
{
    bool direct = cfg->cache_direct == OOA_AUTO ? cfg->cache == CACHE_NONE || cfg->cache == CACHE_DIRECTSYNC
                                                : cfg->cache_direct == OOA_ON;

    if (cfg->aio == AIO_NATIVE && !direct)
        return fail(err,
                    "%s: aio=native needs O_DIRECT: use cache=none or cache=directsync, or aio=threads", who);
    if (cfg->protocol && strcmp(cfg->protocol, "file") && strcmp(cfg->protocol, "host_device") &&
        strcmp(cfg->protocol, "nbd"))
        return fail(err, "%s: file.driver: '%s' is not one of: file, host_device, nbd", who, cfg->protocol);
    if (cfg->copy_on_read)
        return fail(err,
                    "%s: copy-on-read=on is not supported yet: it only serves images with a backing file",
                    who);
    if (cfg->throttling)
        return fail(err,
                    "%s: throttling is not supported; limit the process by a control group (systemd-run -p "
                    "IOReadBandwidthMax=...)", who);
    if (cfg->detect_zeroes == 2 && !cfg->discard)
        return fail(err, "%s: detect-zeroes=unmap needs discard=unmap", who);
    return true;
}
