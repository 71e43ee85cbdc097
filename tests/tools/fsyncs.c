/* tests/tools/fsyncs.c - run in a guest: files that are on the disk when it says so.
 *
 *   fsyncs DIR DISK OFFSET COUNT
 *
 * File I (0..COUNT-1) is written under another name, fsync'ed, renamed to DIR/fI, and DIR fsync'ed; then sector
 * OFFSET/512 of DISK, outside the file system, is written with "ACK I" (O_DIRECT, no flush): its place among the writes
 * of the disk's log says what was acknowledged when, to the record.  In between, a file that nobody syncs grows. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int main(int argc, char **argv)
{
    static uint8_t data[65536];
    static uint8_t sector[512] __attribute__((aligned(512)));
    char tmp[256], name[256];

    if (argc < 5)
        return 2;
    off_t off = strtoll(argv[3], NULL, 0);
    int disk = open(argv[2], O_WRONLY | O_DIRECT), dir = open(argv[1], O_RDONLY | O_DIRECTORY);
    snprintf(name, sizeof name, "%s/noise", argv[1]);
    int noise = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (disk < 0 || dir < 0 || noise < 0)
        die("open");
    for (uint32_t i = 0; i < strtoul(argv[4], NULL, 0); i++) {
        uint32_t x = i * 2654435761u + 1;
        size_t len = x % 40000 + 1;
        for (size_t k = 0; k < len; k++) {
            x = x * 1664525 + 1013904223;
            data[k] = (uint8_t) (x >> 24);
        }
        snprintf(tmp, sizeof tmp, "%s/new", argv[1]);
        snprintf(name, sizeof name, "%s/f%u", argv[1], i);
        int f = open(tmp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (f < 0 || write(f, data, len) != (ssize_t) len || fsync(f) || close(f))
            die(tmp);
        if (rename(tmp, name) || fsync(dir))
            die(name);
        memset(sector, 0, sizeof sector);
        snprintf((char *) sector, sizeof sector, "ACK %u\n", i);
        if (pwrite(disk, sector, sizeof sector, off) != sizeof sector)
            die("ack");
        printf("FSYNCED %u\n", i);
        fflush(stdout);
        if (write(noise, data, len / 2) < 0)
            die("noise");
    }
    return 0;
}
