/* tests/hw/test_ide_dma.c - bus-master DMA, and what a hostile or broken guest does with it.  From
 * "Programming Interface
 * for Bus Master IDE Controller" 1.0 and the PIIX3's datasheet. */
#include "tests/hw/ide_bench.h"

enum { ACT = 1, BMERR = 2, BMINT = 4 };

static void fill(struct rig *r, uint64_t at, size_t n, uint8_t v)
{
    memset(ram_at(r->b, at), v, n);
}

static void expect_idle(struct rig *r) /* a command works */
{
    uint8_t buf[512];

    command28(r, 0x20, 3, 1);
    bench_run(r->b);
    g_assert_cmphex(status(r), ==, 0x58);
    pio_in(r, buf, 512);
    g_assert_cmpmem(buf, 512, r->disk->data + 3 * 512, 512);
    g_assert_cmphex(status(r), ==, 0x50);
}

static void test_config(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);
    struct pci_dev *p = r.pci;

    g_assert_cmphex(pci_config_read(p->pci, p->devfn, 0, 4), ==, 0x70108086);
    g_assert_cmphex(pci_config_read(p->pci, p->devfn, 8, 4), ==, 0x01018000);
    g_assert_cmphex(pci_config_read(p->pci, p->devfn, 0x20, 4), ==, BM | 1);
    g_assert_cmphex(pci_config_read(p->pci, p->devfn, 6, 2), ==, 0x0280);
    pci_config_write(p->pci, p->devfn, 0x20, 0xffffffff, 4);
    g_assert_cmphex(pci_config_read(p->pci, p->devfn, 0x20, 4) & 0xfffd, ==, 0xfff1);
    rig_map(&r);
    /* each channel's decode enable, and the function's */
    pci_config_write(p->pci, p->devfn, 0x40, 0, 2);
    g_assert_cmphex(inb(r.b, CMD0 + R_STATUS), ==, 0xff);
    g_assert_cmphex(inb(r.b, CMD1 + R_STATUS), ==, 0x7f);
    pci_config_write(p->pci, p->devfn, 0x41, 0x80, 1);
    g_assert_cmphex(inb(r.b, CMD0 + R_STATUS), ==, 0x50);
    pci_config_write(p->pci, p->devfn, PCI_COMMAND, 4, 2);
    g_assert_cmphex(inb(r.b, CMD0 + R_STATUS), ==, 0xff);
    rig_map(&r);
    /* status: write one to clear, the capable bits are the host's */
    outb(r.b, BM + 2, 0xff);
    g_assert_cmphex(inb(r.b, BM + 2), ==, 0x60);
    outw(r.b, BM + 4, 0x1237);
    outw(r.b, BM + 6, 0xabcd);
    g_assert_cmphex(inl(r.b, BM + 4), ==, 0xabcd1234);
    g_assert_cmphex(inl(r.b, BM + 12), ==, 0);
    /* reset takes all of it back */
    device_reset_all(r.b->vm);
    g_assert_cmphex(pci_config_read(p->pci, p->devfn, 0x40, 4), ==, 0);
    g_assert_cmphex(inb(r.b, CMD0 + R_STATUS), ==, 0xff);
    rig_free(&r);
}

static void test_read_write(void)
{
    struct rig r = rig_hd(8 * MiB, NULL);

    prd(&r, 0, DMABUF, 4096, false);
    prd(&r, 1, DMABUF + 0x10000, 0, true); /* 64 KiB */
    command28(&r, 0xc8, 1000, 136);
    bm_start(&r, true);
    g_assert_cmphex(alt_status(&r), ==, BSY);
    g_assert_cmphex(inb(r.b, BM + 2) & 7, ==, ACT);
    bench_run(r.b);
    g_assert_true(irq_level(r.b, 14));
    g_assert_cmphex(bm_stop(&r) & 7, ==, BMINT);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 4096, r.disk->data + 1000 * 512, 4096);
    g_assert_cmpmem(ram_at(r.b, DMABUF + 0x10000), 65536, r.disk->data + 1008 * 512, 65536);
    /* started before the command; larger than the drive's buffer, many descriptors of odd sizes */
    uint32_t left = 1024 * 512, at = DMABUF;
    unsigned n = 0;
    while (left) {
        uint32_t k = MIN(left, 2 + (n * 2654435761u >> 20) % 20000 / 2 * 2);
        prd(&r, n++, at, k, left == k);
        left -= k;
        at += k;
    }
    bm_start(&r, true);
    g_assert_cmphex(inb(r.b, BM + 2) & 7, ==, ACT);
    command48(&r, 0x25, 5, 1024);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, BMINT);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 1024 * 512, r.disk->data + 5 * 512, 1024 * 512);
    /* and back to another place of the disk, with FUA */
    command48(&r, 0x3d, 4000, 1024);
    bm_start(&r, false);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, BMINT);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 1024 * 512, r.disk->data + 4000 * 512, 1024 * 512);
    rig_free(&r);
}

/* A bad sector: what comes before it is delivered, the engine is left active, the drive names the sector. */
static void test_media_error(void)
{
    struct rig r = rig_hd(8 * MiB, NULL);

    for (unsigned i = 0; i < 16; i++)
        prd(&r, i, DMABUF + i * 65536, 0, i == 15);
    r.disk->fail_at = 700 * 512;
    command48(&r, 0x25, 100, 2000);
    bm_start(&r, true);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, ACT | BMINT);
    g_assert_cmphex(status(&r), ==, 0x51);
    g_assert_cmphex(inb(r.b, CMD0 + R_ERROR), ==, UNC);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAL), ==, 700 & 255);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 700 >> 8);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 600 * 512, r.disk->data + 100 * 512, 600 * 512);
    g_assert_cmphex(ld_le32(ram_at(r.b, DMABUF + 600 * 512)), ==, 0);
    command48(&r, 0x35, 650, 100); /* a write: what comes before it is written */
    fill(&r, DMABUF, 65536, 0x3c);
    bm_start(&r, false);
    bench_run(r.b);
    bm_stop(&r);
    g_assert_cmphex(status(&r), ==, 0x51);
    g_assert_cmphex(inb(r.b, CMD0 + R_ERROR), ==, IDNF);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAL), ==, 700 & 255);
    g_assert_cmphex(r.disk->data[699 * 512 + 511], ==, 0x3c);
    rig_free(&r);
}

/* Sizes of table and transfer: the three endings that the specification tells apart. */
static void test_lengths(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);

    prd(&r, 0, DMABUF, 8192, true); /* more than the drive has */
    command28(&r, 0xc8, 0, 8);
    bm_start(&r, true);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, ACT | BMINT);
    g_assert_cmphex(inb(r.b, BM + 2) & ACT, ==, 0);
    g_assert_cmphex(status(&r), ==, 0x50);
    prd(&r, 0, DMABUF, 700, true); /* less, and not even whole sectors */
    fill(&r, DMABUF, 4096, 0);
    command28(&r, 0xc8, 0, 8);
    bm_start(&r, true);
    bench_run(r.b);
    g_assert_cmphex(inb(r.b, BM + 2) & 7, ==, 0);
    g_assert_false(irq_level(r.b, 14));
    g_assert_cmphex(alt_status(&r), ==, 0x58);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 700, r.disk->data, 700);
    g_assert_cmphex(*ram_at(r.b, DMABUF + 700), ==, 0);
    prd(&r, 0, DMABUF + 700, 4096 - 700, true); /* the host may go on with another table */
    bm_stop(&r);
    bm_start(&r, true);
    g_assert_cmphex(bm_stop(&r) & 7, ==, BMINT);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 4096, r.disk->data, 4096);
    status(&r);
    prd(&r, 0, DMABUF, 512, true); /* a write that is short: nothing of it reaches the disk */
    command28(&r, 0xca, 0, 8);
    bm_start(&r, false);
    bench_run(r.b);
    g_assert_cmphex(inb(r.b, BM + 2) & 7, ==, 0);
    g_assert_cmpuint(r.disk->n_writes, ==, 0);
    outb(r.b, CTL0, 4);
    outb(r.b, CTL0, 0);
    expect_idle(&r);
    rig_free(&r);
}

/* An endless table of the smallest regions, at the end of 64 KiB: it wraps, and the work ends with
 * the transfer. */
static void test_endless(void)
{
    struct rig r = rig_hd(8 * MiB, NULL);

    for (unsigned i = 0; i < 8192; i++)
        prd(&r, i, DMABUF + 2 * i + 1, 3, false); /* bit 0 of address and count is ignored */
    command48(&r, 0x25, 0, 200);
    outl(r.b, BM + 4, PRDT + 0xfff8);
    outb(r.b, BM, 8);
    outb(r.b, BM, 9);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, ACT | BMINT);
    g_assert_cmphex(status(&r), ==, 0x50);
    rig_free(&r);
}

/* Tables and regions outside RAM. */
static void test_not_ram(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);
    static const uint32_t bad[] = { 0xfffff000, 0xa0000000, 16 * MiB - 256, 0xfee00000 };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        for (unsigned write = 0; write < 2; write++) {
            prd(&r, 0, bad[i], 4096, true);
            command28(&r, write ? 0xca : 0xc8, 0, 8);
            bm_start(&r, !write);
            bench_run(r.b);
            g_assert_cmphex(bm_stop(&r) & 7, ==, BMERR);
            g_assert_cmphex(alt_status(&r), ==, 0x58);
            g_assert_false(irq_level(r.b, 14));
            outb(r.b, CTL0, 4);
            outb(r.b, CTL0, 0);
        }
    command28(&r, 0xc8, 0, 8); /* the table itself */
    outb(r.b, BM + 2, 6);
    outl(r.b, BM + 4, 0xe0000000);
    outb(r.b, BM, 9);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, BMERR);
    outb(r.b, CTL0, 4);
    outb(r.b, CTL0, 0);
    pci_config_write(r.pci->pci, r.pci->devfn, PCI_COMMAND, 1, 2); /* bus mastering off */
    prd(&r, 0, DMABUF, 4096, true);
    command28(&r, 0xc8, 0, 8);
    bm_start(&r, true);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, BMERR);
    outb(r.b, CTL0, 4);
    outb(r.b, CTL0, 0);
    expect_idle(&r);
    g_assert_cmpuint(r.disk->n_writes, ==, 0);
    rig_free(&r);
}

/* Stop, reset by every means, and a new command, while the disk is at work. */
static void test_in_flight(void)
{
    struct rig r = rig_hd(4 * MiB, NULL);

    for (unsigned how = 0; how < 4; how++)
        for (unsigned write = 0; write < 2; write++) {
            fill(&r, DMABUF, 65536, 0x77);
            prd(&r, 0, DMABUF, 0, true);
            r.disk->hold = true;
            command28(&r, write ? 0xca : 0xc8, 64, 128);
            bm_start(&r, !write);
            bench_run(r.b);
            g_assert_cmphex(alt_status(&r), ==, BSY);
            g_assert_cmpuint(r.disk->pending.length, ==, 1);
            outb(r.b, CMD0 + R_COMMAND, 0x20); /* dropped */
            outb(r.b, CMD0 + R_NSECTOR, 1);
            switch (how) {
            case 0:
                bm_stop(&r);
                fake_release(r.disk);
                if (!write) /* the drive has its data and waits for the engine */
                    g_assert_cmphex(alt_status(&r), ==, 0x58);
                outb(r.b, CTL0, 4);
                outb(r.b, CTL0, 0);
                break;
            case 1: outb(r.b, CTL0, 4); outb(r.b, CTL0, 0); bm_stop(&r); break;
            case 2: outb(r.b, CMD0 + R_COMMAND, 0x90); bm_stop(&r); break;
            case 3: device_reset_all(r.b->vm); rig_map(&r); break;
            }
            g_assert_cmpuint(r.disk->pending.length, ==, 0);
            g_assert_cmphex(alt_status(&r), ==, 0x50);
            if (!write) {
                g_assert_cmphex(*ram_at(r.b, DMABUF), ==, 0x77); /* nothing came after the stop */
                g_assert_cmphex(*ram_at(r.b, DMABUF + 65535), ==, 0x77);
            }
            r.disk->hold = false;
            bench_run(r.b);
            expect_idle(&r);
        }
    /* freed with a request in flight */
    r.disk->hold = true;
    command28(&r, 0xc8, 0, 1);
    rig_free(&r);
}

/* PIO abandoned half-way, data port touched in every wrong state, both drives of a channel at once. */
static void test_abuse(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);
    uint8_t buf[512];

    struct fake_blk *second = rig_disk(&r, "hd1", 1 * MiB);
    rig_drive(&r, "ide-hd", "drive=hd1");
    for (unsigned i = 0; i < 1000; i++) {
        inl(r.b, CMD0);
        outl(r.b, CMD0, i);
    }
    command28(&r, 0x20, 0, 0);
    bench_run(r.b);
    for (unsigned i = 0; i < 300; i++) { /* writes to a drive that reads */
        outw(r.b, CMD0, 0xdead);
        inb(r.b, CMD0); /* a byte takes a word */
    }
    outb(r.b, CMD0 + R_COMMAND, 0x30);
    g_assert_cmphex(status(&r), ==, 0x58);
    outb(r.b, CTL0, 4);
    outb(r.b, CTL0, 0);
    command28(&r, 0x30, 0, 2);
    pio_out(&r, buf, 100);
    for (unsigned i = 0; i < 500; i++)
        inw(r.b, CMD0); /* reads from a drive that writes: nothing moves */
    g_assert_cmphex(status(&r), ==, 0x58);
    outb(r.b, CTL0, 4);
    outb(r.b, CTL0, 0);
    g_assert_cmpuint(r.disk->n_writes, ==, 0);
    /* commands on both drives at once, one engine */
    prd(&r, 0, DMABUF, 512, false);
    prd(&r, 1, DMABUF + 512, 512, true);
    r.disk->hold = second->hold = true;
    command28(&r, 0xc8, 8, 1);
    outb(r.b, CMD0 + R_DEVICE, 0xf0);
    outb(r.b, CMD0 + R_NSECTOR, 1);
    outb(r.b, CMD0 + R_LBAL, 9);
    outb(r.b, CMD0 + R_COMMAND, 0xc8);
    bm_start(&r, true);
    fake_release(r.disk);
    fake_release(second);
    r.disk->hold = second->hold = false;
    bench_run(r.b);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 512, r.disk->data + 8 * 512, 512);
    g_assert_cmpmem(ram_at(r.b, DMABUF + 512), 512, second->data + 9 * 512, 512);
    bm_stop(&r);
    rig_free(&r);
}

static void test_trim(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);
    uint8_t *t = ram_at(r.b, DMABUF);

    prd(&r, 0, DMABUF, 512, true);
    memset(t, 0, 512);
    st_le64(t, 10 | 4ULL << 48);
    st_le64(t + 16, 100 | 1ULL << 48); /* entry 1 is empty */
    outb(r.b, CMD0 + R_FEATURES, 1);
    command48(&r, 0x06, 0, 1);
    bm_start(&r, false);
    bench_run(r.b);
    bm_stop(&r);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpuint(r.disk->n_discards, ==, 2);
    g_assert_cmphex(r.disk->data[9 * 512 + 4], !=, 0);
    for (unsigned i = 0; i < 4 * 512; i++)
        g_assert_cmphex(r.disk->data[10 * 512 + i], ==, 0);
    g_assert_cmphex(r.disk->data[14 * 512 + 4], !=, 0);
    st_le64(t + 504, 2047 | 2ULL << 48); /* past the end: none is done */
    outb(r.b, CMD0 + R_FEATURES, 1);
    command48(&r, 0x06, 0, 1);
    bm_start(&r, false);
    bench_run(r.b);
    bm_stop(&r);
    g_assert_cmphex(status(&r), ==, 0x51);
    g_assert_cmpuint(r.disk->n_discards, ==, 2);
    outb(r.b, CMD0 + R_FEATURES, 1);
    command48(&r, 0x06, 0, 9); /* more than word 105 says */
    g_assert_cmphex(status(&r), ==, 0x51);
    rig_free(&r);
}

/* A snapshot in the middle of a PIO read, of a DMA that waits, and with a request that waits for
 * the user. */
static void test_snapshot(void)
{
    struct rig r = rig_hd(1 * MiB, NULL), q = rig_hd(1 * MiB, NULL);
    uint8_t buf[1024];

    for (unsigned kind = 0; kind < 3; kind++) {
        GByteArray *ctl = g_byte_array_new(), *drv = g_byte_array_new();
        prd(&r, 0, DMABUF, 1024, true);
        prd(&q, 0, DMABUF, 1024, true);
        r.disk->hold = kind == 2;
        command28(&r, kind ? 0xc8 : 0x20, 20, 2);
        bench_run(r.b);
        if (kind == 0)
            pio_in(&r, buf, 100);
        if (kind == 2)
            r.b->vm->state = RUN_IO_ERROR;
        device_save(&r.pci->dev, ctl);
        device_save(r.drive, drv);
        GError *err = NULL;
        g_assert_true(device_load(&q.pci->dev, ctl->data, ctl->len, &err));
        g_assert_true(device_load(q.drive, drv->data, drv->len, &err));
        g_assert_no_error(err);
        bench_run(q.b);
        if (kind == 0) {
            pio_in(&q, buf + 100, 412);
            g_assert_cmpmem(buf, 512, q.disk->data + 20 * 512, 512);
            pio_in(&q, buf, 512);
            g_assert_cmpmem(buf, 512, q.disk->data + 21 * 512, 512);
        } else {
            bm_start(&q, true);
            bench_run(q.b);
            g_assert_cmpmem(ram_at(q.b, DMABUF), 1024, q.disk->data + 20 * 512, 1024);
            g_assert_cmphex(bm_stop(&q) & 7, ==, BMINT);
        }
        g_assert_cmphex(status(&q), ==, 0x50);
        r.b->vm->state = RUN_RUNNING;
        r.disk->hold = false;
        fake_release(r.disk);
        outb(r.b, CTL0, 4);
        outb(r.b, CTL0, 0);
        g_byte_array_unref(ctl);
        g_byte_array_unref(drv);
    }
    rig_free(&r);
    rig_free(&q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ide-dma/config", test_config);
    g_test_add_func("/ide-dma/read-write", test_read_write);
    g_test_add_func("/ide-dma/media-error", test_media_error);
    g_test_add_func("/ide-dma/lengths", test_lengths);
    g_test_add_func("/ide-dma/endless", test_endless);
    g_test_add_func("/ide-dma/not-ram", test_not_ram);
    g_test_add_func("/ide-dma/in-flight", test_in_flight);
    g_test_add_func("/ide-dma/abuse", test_abuse);
    g_test_add_func("/ide-dma/trim", test_trim);
    g_test_add_func("/ide-dma/snapshot", test_snapshot);
    return g_test_run();
}
