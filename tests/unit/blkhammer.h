/* tests/unit/blkhammer.h - random requests on a drive, several in flight, against a model in memory. */
#ifndef BANTAM_TESTS_BLKHAMMER_H
#define BANTAM_TESTS_BLKHAMMER_H

#include "tests/unit/blktest.h"

enum { DISK = 4 << 20, DEPTH = 16 };

struct slot {
    struct io io;
    uint8_t *mem; /* guest memory of the request, at an odd place */
    uint64_t off;
    size_t len;
    bool busy, write;
};

static inline uint32_t rnd(uint32_t n)
{
    return (uint32_t) g_test_rand_int_range(0, (gint32) n);
}

static inline bool overlaps(const struct slot *s, unsigned n, uint64_t off, size_t len)
{
    for (unsigned i = 0; i < n; i++)
        if (s[i].busy && s[i].off < off + len && off < s[i].off + s[i].len)
            return true;
    return false;
}

static inline void finish(struct slot *s, uint8_t *model)
{
    g_assert_cmpint(s->io.err, ==, 0);
    uint8_t *flat = g_malloc(s->len), *p = flat;
    for (unsigned i = 0; i < s->io.req.niov; p += s->io.iov[i].iov_len, i++)
        memcpy(p, s->io.iov[i].iov_base, s->io.iov[i].iov_len);
    if (s->write)
        memcpy(model + s->off, flat, s->len);
    else
        g_assert_cmpmem(flat, s->len, model + s->off, s->len);
    g_free(flat);
    s->busy = false;
}

/* Random requests, several in flight, against a model.  Those in flight never overlap each other (that would
 * have no right answer), but they share blocks of the disk, so that read-modify-write of one must not harm
 * the other. */
static inline void hammer(struct blk *blk, uint8_t *model, size_t size, unsigned count, bool aligned)
{
    struct slot *s = g_new0(struct slot, DEPTH);
    unsigned flying = 0, flushes = 0;

    for (unsigned i = 0; i < DEPTH; i++)
        s[i].mem = aligned_buf(320 * KiB);
    while (count || flying) {
        for (unsigned i = 0; i < DEPTH && count; i++) {
            if (s[i].busy)
                continue;
            size_t unit = aligned ? 4096 : 512,
                   len = unit * (1 + rnd(rnd(4) ? 8 : 128 * 1024 / (uint32_t) unit));
            uint64_t off = unit * rnd((uint32_t) (size / unit));
            len = MIN(len, size - off);
            if (overlaps(s, DEPTH, off, len))
                continue;
            struct slot *t = &s[i];
            memset(&t->io, 0, sizeof t->io);
            t->off = off;
            t->len = len;
            t->write = rnd(2);
            t->busy = true;
            unsigned n = 0;
            /* pieces, with gaps between them */
            for (size_t at = 0, mem = aligned ? 0 : rnd(16); at < len; n++) {
                size_t part = 1 + rnd(3) * 511 + rnd(9000);
                part = n == 63 || aligned ? len - at : MIN(len - at, part);
                t->io.iov[n] = (struct iovec){ t->mem + mem, part };
                for (size_t k = 0; t->write && k < part; k++)
                    t->mem[mem + k] = (uint8_t) g_random_int();
                at += part;
                mem += part + (aligned ? 0 : rnd(3));
            }
            t->io.req = (struct blk_req){ .op = t->write ? BLK_WRITE : BLK_READ,
                                          .off = off,
                                          .len = len,
                                          .iov = t->io.iov,
                                          .niov = n,
                                          .done = io_done,
                                          .opaque = &t->io };
            exec_enter(blk->exec);
            blk_plug(blk);
            blk_submit(blk, &t->io.req);
            blk_unplug(blk);
            exec_leave(blk->exec);
            count--;
            flying++;
        }
        if (!rnd(64)) {
            g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
            flushes++;
        }
        unsigned left = 0; /* a flush may have turned the loop for them all */
        for (unsigned i = 0; i < DEPTH; i++)
            left += s[i].busy && !s[i].io.done;
        exec_iterate(blk->exec, left > 0);
        for (unsigned i = 0; i < DEPTH; i++)
            if (s[i].busy && s[i].io.done) {
                finish(&s[i], model);
                flying--;
            }
    }
    for (unsigned i = 0; i < DEPTH; i++)
        free(s[i].mem);
    g_free(s);
}

#endif
