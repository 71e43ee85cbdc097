/* hw/pc/uart.h - the 16550A by itself, for whatever bus carries it.
 *
 * The owner embeds it, connects `irq`, calls uart_init() from realize and uart_clear() from unrealize, and
 * names it in its state table by STATE_STRUCT(struct x, uart, uart_state).  Everything under the VM lock. */
#ifndef BANTAM_HW_PC_UART_H
#define BANTAM_HW_PC_UART_H

#include "vmm/char/chardev.h"
#include "vmm/core/device.h"

enum { UART_FIFO = 16 };

struct uart {
    struct device *dev;  /* the owner */
    struct chardev *chr; /* NULL: nothing is plugged in */
    bool out2_gates;     /* the interrupt leaves only while OUT2 is active, as on the PC */
    bool starved;        /* can_receive said 0 */
    struct bh resume;
    struct irq irq;      /* connected by the owner before uart_init */
    struct timer timeout;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint8_t rbr;         /* the character read last */
    uint16_t divisor;    /* DLM:DLL */
    bool thre_int, timeout_int;
    uint8_t rx[UART_FIFO], rx_err[UART_FIFO]; /* characters and their LSR error bits */
    uint8_t rx_head, rx_len;
    uint8_t tx[UART_FIFO];
    uint8_t tx_head, tx_len;
    uint8_t tsr;         /* being shifted out: the chardev has not taken it yet */
    bool tsr_full;
    uint64_t rx_time;    /* virtual ns at which a character last came or was read */
};

extern const struct state uart_state[];

bool uart_init(struct uart *u, struct device *dev, struct chardev *chr, GError **err);
void uart_clear(struct uart *u);
void uart_reset(struct uart *u);
bool uart_post_load(struct uart *u);
void uart_describe(const struct uart *u, GString *text);

/* Registers 0..7, one byte each. */
uint8_t uart_read(struct uart *u, unsigned reg);
void uart_write(struct uart *u, unsigned reg, uint8_t val);

#endif
