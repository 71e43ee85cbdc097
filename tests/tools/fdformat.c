/* tests/tools/fdformat.c - run in a guest: format a floppy through Linux's driver.   fdformat DEVICE [FIRST LAST]: the
 * cylinders (default: all), both sides. */
#include <fcntl.h>
#include <linux/fd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct floppy_struct geo;
    int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;

    if (fd < 0 || ioctl(fd, FDGETPRM, &geo)) {
        perror("fdformat: open");
        return 1;
    }
    printf("FORMAT %u cylinders, %u sectors, %u heads\n", geo.track, geo.sect, geo.head);
    unsigned first = argc > 3 ? (unsigned) atoi(argv[2]) : 0, last = argc > 3 ? (unsigned) atoi(argv[3])
        : geo.track - 1;
    if (ioctl(fd, FDFMTBEG, NULL)) {
        perror("FDFMTBEG");
        return 1;
    }
    for (unsigned c = first; c <= last; c++)
        for (unsigned h = 0; h < geo.head; h++) {
            struct format_descr d = { .head = h, .track = c };
            if (ioctl(fd, FDFMTTRK, &d)) {
                perror("FDFMTTRK");
                return 1;
            }
        }
    if (ioctl(fd, FDFMTEND, NULL)) {
        perror("FDFMTEND");
        return 1;
    }
    return close(fd) != 0;
}
