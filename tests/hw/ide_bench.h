/* tests/hw/ide_bench.h - a PIIX3 IDE function with drives, and a host that talks to it. */
#ifndef BANTAM_TESTS_IDE_BENCH_H
#define BANTAM_TESTS_IDE_BENCH_H

#include "hw/ide/ide.h"
#include "hw/pci/pci.h"
#include "tests/hw/bench.h"

enum { CMD0 = 0x1f0, CTL0 = 0x3f6, CMD1 = 0x170, CTL1 = 0x376, BM = 0xc000 };
enum { R_DATA, R_FEATURES, R_ERROR = 1, R_NSECTOR, R_LBAL, R_LBAM, R_LBAH, R_DEVICE, R_COMMAND, R_STATUS = 7 };
enum { BSY = 0x80, DRDY = 0x40, DF = 0x20, DRQ = 8, ERR = 1, ABRT = 4, IDNF = 0x10, UNC = 0x40 };
enum { PRDT = 0x10000, DMABUF = 0x100000 };

struct rig {
    struct bench *b;
    struct pci_dev *pci;
    struct device *drive; /* the first one made */
    struct fake_blk *disk;
};

static inline struct device *rig_drive(struct rig *r, const char *cls, const char *props)
{
    return bench_add(r->b, device_class_find(cls), props);
}

static inline void rig_map(struct rig *r)
{
    struct pci_dev *p = r->pci;

    pci_config_write(p->pci, p->devfn, 0x20, BM, 4);
    pci_config_write(p->pci, p->devfn, 0x40, 0x80008000, 4);
    pci_config_write(p->pci, p->devfn, PCI_COMMAND, 5, 2);
}

/* A disk, filled with a pattern that names each sector. */
static inline struct fake_blk *rig_disk(struct rig *r, const char *id, uint64_t size)
{
    struct fake_blk *f = bench_blk(r->b, id, size);

    for (uint64_t i = 0; i + 4 <= size; i += 4)
        st_le32(f->data + i, (uint32_t) (i / 512 * 2654435761u + i % 512));
    return f;
}

static inline struct rig rig_new(uint64_t ram)
{
    struct rig r = { .b = bench_new(ram) };

    bench_add(r.b, device_class_find("i440FX"), NULL);
    r.pci = container_of(bench_add(r.b, device_class_find("piix3-ide"), NULL), struct pci_dev, dev);
    rig_map(&r);
    return r;
}

static inline struct rig rig_hd(uint64_t size, const char *props)
{
    struct rig r = rig_new(16 * MiB);
    char *all = g_strconcat("drive=hd0", props ? "," : "", props, NULL);

    r.disk = rig_disk(&r, "hd0", size);
    r.drive = rig_drive(&r, "ide-hd", all);
    g_free(all);
    return r;
}

static inline struct rig rig_cd(uint64_t size)
{
    struct rig r = rig_new(16 * MiB);

    r.disk = rig_disk(&r, "cd0", size);
    r.disk->blk.removable = r.disk->blk.read_only = true;
    r.drive = rig_drive(&r, "ide-cd", "drive=cd0");
    return r;
}

static inline void rig_free(struct rig *r)
{
    bench_free(r->b);
}

static inline uint8_t status(struct rig *r)
{
    return inb(r->b, CMD0 + R_STATUS);
}

static inline uint8_t alt_status(struct rig *r)
{
    return inb(r->b, CTL0);
}

/* LBA28 task file and command. */
static inline void command28(struct rig *r, uint8_t cmd, uint32_t lba, uint8_t count)
{
    outb(r->b, CMD0 + R_DEVICE, (uint8_t) (0xe0 | (lba >> 24 & 15)));
    outb(r->b, CMD0 + R_NSECTOR, count);
    outb(r->b, CMD0 + R_LBAL, (uint8_t) lba);
    outb(r->b, CMD0 + R_LBAM, (uint8_t) (lba >> 8));
    outb(r->b, CMD0 + R_LBAH, (uint8_t) (lba >> 16));
    outb(r->b, CMD0 + R_COMMAND, cmd);
}

static inline void command48(struct rig *r, uint8_t cmd, uint64_t lba, uint16_t count)
{
    outb(r->b, CMD0 + R_DEVICE, 0xe0);
    outb(r->b, CMD0 + R_NSECTOR, (uint8_t) (count >> 8));
    outb(r->b, CMD0 + R_NSECTOR, (uint8_t) count);
    for (unsigned i = 0; i < 3; i++) {
        outb(r->b, CMD0 + R_LBAL + i, (uint8_t) (lba >> (24 + 8 * i)));
        outb(r->b, CMD0 + R_LBAL + i, (uint8_t) (lba >> (8 * i)));
    }
    outb(r->b, CMD0 + R_COMMAND, cmd);
}

/* One DRQ block. */
static inline void pio_in(struct rig *r, void *buf, size_t n)
{
    for (size_t i = 0; i < n; i += 2)
        st_le16((uint8_t *) buf + i, inw(r->b, CMD0));
}

static inline void pio_out(struct rig *r, const void *buf, size_t n)
{
    for (size_t i = 0; i < n; i += 2)
        outw(r->b, CMD0, ld_le16((const uint8_t *) buf + i));
}

/* A PRD table at PRDT. */
static inline void prd(struct rig *r, unsigned i, uint32_t addr, uint32_t count, bool eot)
{
    uint8_t *p = ram_at(r->b, PRDT + 8 * i);

    st_le32(p, addr);
    st_le32(p + 4, (count & 0xffff) | (eot ? 0x80000000u : 0));
}

static inline void bm_start(struct rig *r, bool to_memory)
{
    outl(r->b, BM + 4, PRDT);
    outb(r->b, BM + 2, 0x06);
    outb(r->b, BM, to_memory ? 0x08 : 0);
    outb(r->b, BM, to_memory ? 0x09 : 1);
}

static inline uint8_t bm_stop(struct rig *r)
{
    uint8_t st = inb(r->b, BM + 2);

    outb(r->b, BM, 0);
    return st;
}

#endif
