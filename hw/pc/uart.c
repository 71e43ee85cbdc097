/* hw/pc/uart.c - 16550A asynchronous receiver and transmitter with FIFOs.
 *
 * Sheet: National Semiconductor PC16550D (1995), section 8 Registers; figures in brackets are its headings.
 *
 * Theory: the line has no speed of its own: a character leaves when the chardev takes it and arrives when the
 * receiver has room for it.  A chardev without room is a slow line: TSR stays full, then the FIFO fills,
 * and THRE and TEMT tell, so that a guest that looks at them loses nothing.  A chardev with input finds no
 * more room than there is in the receiver, so that nothing piles up here, and a line from outside never
 * overruns.
 *
 * Deviations:
 * - Baud rate, word length and parity go to the chardev and set the character time of the receive timeout;
 *   they don't slow down the data, nor mask a character to 5 bits.
 * - PE and FE never occur, except in a guest that looks at them after a break, which sets BI alone.
 * - The modem inputs CTS, DSR and DCD are active while a chardev is plugged in, and RI is not: a null
 *   modem cable.
 * - A divisor of 0 is taken as 1 for the timeout, and not passed on. */
#include "hw/pc/uart.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = RBR, FCR = IIR, DLL = RBR, DLM = IER };
enum { ERBFI = 0x01, ETBEI = 0x02, ELSI = 0x04, EDSSI = 0x08 };
enum { IIR_MODEM = 0x00, IIR_NONE = 0x01, IIR_THRE = 0x02, IIR_RDA = 0x04, IIR_RLS = 0x06, IIR_TIMEOUT = 0x0c,
       IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 0x01, FCR_RX_RESET = 0x02, FCR_TX_RESET = 0x04, FCR_TRIGGER = 0xc0 };
enum { LCR_WLS = 0x03, LCR_STB = 0x04, LCR_PEN = 0x08, LCR_EPS = 0x10, LCR_STICK = 0x20, LCR_BREAK = 0x40,
       LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10 };
enum { LSR_DR = 0x01, LSR_OE = 0x02, LSR_BI = 0x10, LSR_ERR = 0x1e, LSR_THRE = 0x20, LSR_TEMT = 0x40,
       LSR_FIFO_ERR = 0x80 };
enum { MSR_DELTA = 0x0f, TERI = 0x04, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

enum { XTAL = 1843200 };

static bool fifo(const struct uart *u)
{
    return u->fcr & FCR_ENABLE;
}

static unsigned capacity(const struct uart *u) /* of RBR and THR, or of their FIFOs */
{
    return fifo(u) ? UART_FIFO : 1;
}

static unsigned trigger(const struct uart *u)
{
    static const uint8_t level[] = { 1, 4, 8, 14 };

    return fifo(u) ? level[u->fcr >> 6] : 1;
}

static unsigned iir(const struct uart *u) /* [Interrupt Identification]: highest priority first */
{
    if ((u->ier & ELSI) && (u->lsr & LSR_ERR))
        return IIR_RLS;
    if ((u->ier & ERBFI) && u->rx_len >= trigger(u))
        return IIR_RDA;
    if ((u->ier & ERBFI) && u->timeout_int)
        return IIR_TIMEOUT;
    if ((u->ier & ETBEI) && u->thre_int)
        return IIR_THRE;
    if ((u->ier & EDSSI) && (u->msr & MSR_DELTA))
        return IIR_MODEM;
    return IIR_NONE;
}

static void update_irq(struct uart *u)
{
    /* In loopback the output pins, OUT2 among them, are inactive. */
    bool open = !u->out2_gates || (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

    irq_set(&u->irq, open && iir(u) != IIR_NONE);
}

/* --- receiver --------------------------------------------------------------------------------------- */

static int64_t char_time(const struct uart *u)
{
    unsigned bits = 7 + (u->lcr & LCR_WLS) + !!(u->lcr & LCR_PEN) + !!(u->lcr & LCR_STB);

    return (int64_t) bits * 16 * MAX(u->divisor, 1) * NS_PER_SEC / XTAL;
}

/* [FIFO interrupt mode]: four character times since a character came or was read.  The timer is let run
 * out and then looks at rx_time, so that the data path needs not move it for each character. */
static void arm_timeout(struct uart *u)
{
    u->rx_time = (uint64_t) clock_now(u->dev->vm);
    if (fifo(u) && (u->ier & ERBFI) && u->rx_len && !timer_armed(&u->timeout))
        timer_at(&u->timeout, (int64_t) u->rx_time + 4 * char_time(u));
}

static void timeout(void *opaque)
{
    struct uart *u = opaque;
    int64_t due = (int64_t) u->rx_time + 4 * char_time(u);

    if (!fifo(u) || !u->rx_len || !(u->ier & ERBFI))
        return;
    if (clock_now(u->dev->vm) < due) {
        timer_at(&u->timeout, due);
        return;
    }
    u->timeout_int = true;
    update_irq(u);
}

/* The error bits of a character show when it reaches the top of the FIFO. */
static void reveal(struct uart *u)
{
    u->lsr &= ~(LSR_DR | LSR_FIFO_ERR);
    if (!u->rx_len)
        return;
    u->lsr |= LSR_DR | u->rx_err[u->rx_head];
    u->rx_err[u->rx_head] = 0;
    for (unsigned i = 0; fifo(u) && i < u->rx_len; i++)
        if (u->rx_err[(u->rx_head + i) % UART_FIFO] || (i == 0 && (u->lsr & (LSR_ERR & ~LSR_OE))))
            u->lsr |= LSR_FIFO_ERR;
}

static void push(struct uart *u, uint8_t c, uint8_t error)
{
    if (u->rx_len == capacity(u)) {
        u->lsr |= LSR_OE;
        if (fifo(u))
            return;     /* the character in the shift register is lost */
        u->rx_len = 0;  /* that in RBR is */
    }
    unsigned at = (u->rx_head + u->rx_len++) % UART_FIFO;
    u->rx[at] = c;
    u->rx_err[at] = error;
    if (u->rx_len == 1 || error)
        reveal(u);
}

static size_t uart_can_receive(void *opaque)
{
    struct uart *u = opaque;
    size_t room = u->mcr & MCR_LOOP ? 0 : capacity(u) - u->rx_len;

    u->starved = !room;
    return room;
}

static void uart_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct uart *u = opaque;

    for (size_t i = 0; i < len; i++)
        push(u, buf[i], 0);
    u->timeout_int = false;
    arm_timeout(u);
    update_irq(u);
}

static void accept_more(struct uart *u)
{
    if (u->starved && !u->rx_len && !(u->mcr & MCR_LOOP)) {
        u->starved = false;
        chardev_accept(u->chr);
    }
}

static uint8_t read_rbr(struct uart *u)
{
    if (!u->rx_len)
        return u->rbr;
    u->rbr = u->rx[u->rx_head];
    u->rx_head = (u->rx_head + 1) % UART_FIFO;
    u->rx_len--;
    u->timeout_int = false;
    reveal(u);
    arm_timeout(u);
    update_irq(u);
    accept_more(u);
    return u->rbr;
}

static void clear_rx(struct uart *u)
{
    u->rx_head = u->rx_len = 0;
    u->timeout_int = false;
    timer_stop(&u->timeout);
    u->lsr &= ~(LSR_DR | LSR_FIFO_ERR);
}

static void uart_event(void *opaque, enum chardev_event ev)
{
    struct uart *u = opaque;

    if (ev != CHARDEV_BREAK || (u->mcr & MCR_LOOP))
        return;
    push(u, 0, LSR_BI);
    arm_timeout(u);
    update_irq(u);
}

/* --- transmitter ------------------------------------------------------------------------------------ */

static bool shift_out(struct uart *u, uint8_t c) /* false: the line is still busy with the last one */
{
    if (u->mcr & MCR_LOOP) {
        push(u, c, 0);
        arm_timeout(u);
        return true;
    }
    return chardev_write(u->chr, &c, 1) == 1;
}

static void pump(struct uart *u)
{
    bool busy = u->tx_len;

    for (;;) {
        if (u->tsr_full && !shift_out(u, u->tsr))
            break;
        u->tsr_full = u->tx_len;
        if (!u->tx_len)
            break;
        u->tsr = u->tx[u->tx_head];
        u->tx_head = (u->tx_head + 1) % UART_FIFO;
        u->tx_len--;
    }
    u->lsr &= ~(LSR_THRE | LSR_TEMT);
    if (!u->tx_len) {
        u->lsr |= LSR_THRE | (u->tsr_full ? 0 : LSR_TEMT);
        u->thre_int |= busy;
    }
}

static void uart_writable(void *opaque)
{
    struct uart *u = opaque;

    pump(u);
    update_irq(u);
}

static void write_thr(struct uart *u, uint8_t c)
{
    if (u->thre_int) { /* low for a moment: an 8259 wants to see the next edge */
        u->thre_int = false;
        update_irq(u);
    }
    if (u->tx_len == capacity(u)) { /* the guest did not look at THRE */
        if (!fifo(u))
            u->tx[u->tx_head] = c;
        return;
    }
    u->tx[(u->tx_head + u->tx_len++) % UART_FIFO] = c;
    pump(u);
    update_irq(u);
}

/* --- line and modem control ------------------------------------------------------------------------- */

static void set_params(struct uart *u)
{
    static const char parity[] = { 'O', 'E', 'M', 'S' }; /* EPS, stick */

    if (u->divisor)
        chardev_set_params(u->chr, XTAL / 16 / u->divisor,
                           u->lcr & LCR_PEN ? parity[(u->lcr & (LCR_EPS | LCR_STICK)) >> 4] : 'N',
                           5 + (u->lcr & LCR_WLS), u->lcr & LCR_STB ? 2 : 1);
}

static void write_lcr(struct uart *u, uint8_t v)
{
    uint8_t changed = u->lcr ^ v;

    u->lcr = v;
    if (changed & ~(LCR_BREAK | LCR_DLAB))
        set_params(u);
    if (!(changed & LCR_BREAK))
        return;
    if (!(u->mcr & MCR_LOOP)) {
        chardev_set_break(u->chr, v & LCR_BREAK);
    } else if (v & LCR_BREAK) {
        push(u, 0, LSR_BI);
        arm_timeout(u);
    }
    update_irq(u);
}

static void update_msr(struct uart *u, bool deltas)
{
    uint8_t m = u->mcr, old = u->msr, in = u->chr ? MSR_CTS | MSR_DSR | MSR_DCD : 0;

    if (m & MCR_LOOP) /* [Modem Control, bit 4]: the outputs feed the inputs */
        in = (m & MCR_RTS ? MSR_CTS : 0) | (m & MCR_DTR ? MSR_DSR : 0) | (m & MCR_OUT1 ? MSR_RI : 0) |
             (m & MCR_OUT2 ? MSR_DCD : 0);
    u->msr = (old & MSR_DELTA) | in;
    if (deltas)
        u->msr |= ((old ^ in) >> 4 & MSR_DELTA & ~TERI) | ((old & ~in & MSR_RI) ? TERI : 0);
}

static void write_mcr(struct uart *u, uint8_t v)
{
    bool was = u->mcr & MCR_LOOP;

    u->mcr = v & 0x1f;
    update_msr(u, true);
    pump(u);
    update_irq(u);
    if (was && !(v & MCR_LOOP))
        accept_more(u);
}

static void write_fcr(struct uart *u, uint8_t v)
{
    bool toggled = (u->fcr ^ v) & FCR_ENABLE;

    if (toggled || (v & FCR_RX_RESET && v & FCR_ENABLE)) {
        clear_rx(u);
        u->starved = true;
    }
    if (toggled || (v & FCR_TX_RESET && v & FCR_ENABLE)) { /* TSR is not cleared */
        u->tx_head = u->tx_len = 0;
        u->thre_int |= !(u->lsr & LSR_THRE);
        u->lsr |= LSR_THRE;
    }
    u->fcr = v & FCR_ENABLE ? v & (FCR_ENABLE | FCR_TRIGGER) : 0; /* the rest is taken only with bit 0 */
    update_irq(u);
    accept_more(u);
}

static void write_ier(struct uart *u, uint8_t v)
{
    if ((v & ~u->ier & ETBEI) && (u->lsr & LSR_THRE)) /* enabling it while THR is empty interrupts at once */
        u->thre_int = true;
    u->ier = v & 0x0f;
    arm_timeout(u);
    update_irq(u);
}

/* --- registers -------------------------------------------------------------------------------------- */

static uint8_t read_iir(struct uart *u)
{
    unsigned id = iir(u);

    if (id == IIR_THRE) {
        u->thre_int = false;
        update_irq(u);
    }
    return (uint8_t) (id | (fifo(u) ? IIR_FIFO : 0));
}

static uint8_t read_lsr(struct uart *u)
{
    uint8_t v = u->lsr;

    if (v & LSR_ERR) {
        u->lsr &= ~LSR_ERR;
        reveal(u);
        update_irq(u);
    }
    return v;
}

static uint8_t read_msr(struct uart *u)
{
    uint8_t v = u->msr;

    if (v & MSR_DELTA) {
        u->msr &= ~MSR_DELTA;
        update_irq(u);
    }
    return v;
}

uint8_t uart_read(struct uart *u, unsigned reg)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (reg) {
    case RBR: return dlab ? (uint8_t) u->divisor : read_rbr(u);
    case IER: return dlab ? u->divisor >> 8 : u->ier;
    case IIR: return read_iir(u);
    case LCR: return u->lcr;
    case MCR: return u->mcr;
    case LSR: return read_lsr(u);
    case MSR: return read_msr(u);
    case SCR: return u->scr;
    default:  return 0xff;
    }
}

void uart_write(struct uart *u, unsigned reg, uint8_t v)
{
    if ((u->lcr & LCR_DLAB) && reg <= DLM) {
        u->divisor = reg == DLL ? (u->divisor & 0xff00) | v : (u->divisor & 0xff) | v << 8;
        set_params(u);
        return;
    }
    switch (reg) {
    case THR: write_thr(u, v); break;
    case IER: write_ier(u, v); break;
    case FCR: write_fcr(u, v); break;
    case LCR: write_lcr(u, v); break;
    case MCR: write_mcr(u, v); break;
    case SCR: u->scr = v; break;
    default:  break; /* LSR and MSR are for reading */
    }
}

/* --- life ------------------------------------------------------------------------------------------- */

static void resume(void *opaque) /* after a restore: this chardev has promised nothing yet */
{
    struct uart *u = opaque;

    u->starved = true;
    pump(u);
    update_irq(u);
    accept_more(u);
}

static const struct chardev_fe uart_fe = {
    .can_receive = uart_can_receive, .receive = uart_receive, .event = uart_event, .writable = uart_writable,
};

bool uart_init(struct uart *u, struct device *dev, struct chardev *chr, GError **err)
{
    u->dev = dev;
    u->divisor = 12;
    u->lsr = LSR_THRE | LSR_TEMT;
    timer_init(&u->timeout, dev->vm, timeout, u);
    bh_init(&u->resume, dev->vm, resume, u);
    if (chr && !chardev_attach(chr, &uart_fe, u, dev->name, err))
        return false;
    u->chr = chr;
    return true;
}

void uart_clear(struct uart *u)
{
    if (!u->dev)
        return;
    timer_stop(&u->timeout);
    bh_cancel(&u->resume);
    chardev_detach(u->chr);
    u->chr = NULL;
    irq_set(&u->irq, false);
}

void uart_reset(struct uart *u) /* [table Reset]: SCR, the divisor and RBR stay */
{
    if (u->lcr & LCR_BREAK && !(u->mcr & MCR_LOOP))
        chardev_set_break(u->chr, false);
    u->ier = u->fcr = u->lcr = u->mcr = u->msr = 0;
    u->tx_head = u->tx_len = 0;
    u->tsr_full = u->thre_int = false;
    clear_rx(u);
    u->lsr = LSR_THRE | LSR_TEMT;
    update_msr(u, false);
    update_irq(u);
    u->starved = true;
    accept_more(u);
}

bool uart_post_load(struct uart *u)
{
    if (u->rx_len > capacity(u) || u->tx_len > capacity(u) || (int64_t) u->rx_time < 0 ||
        u->rx_time > (uint64_t) INT64_MAX / 2)
        return false;
    if (u->lcr & LCR_BREAK && !(u->mcr & MCR_LOOP))
        chardev_set_break(u->chr, true);
    set_params(u);
    bh_schedule(&u->resume);
    return true;
}

void uart_describe(const struct uart *u, GString *text)
{
    g_string_append_printf(text,
                           "%u baud, IER %02x LCR %02x MCR %02x LSR %02x MSR %02x, FIFO %s, %u in, %u out\n",
                           u->divisor ? XTAL / 16 / u->divisor : 0, u->ier, u->lcr, u->mcr, u->lsr, u->msr,
                           fifo(u) ? "on" : "off", u->rx_len, u->tx_len + u->tsr_full);
}

const struct state uart_state[] = {
    STATE_HOST(struct uart, dev), STATE_HOST(struct uart, chr), STATE_HOST(struct uart, out2_gates),
    STATE_HOST(struct uart, starved), STATE_HOST(struct uart, resume), STATE_IRQ(struct uart, irq),
    STATE_TIMER(struct uart, timeout),
    STATE_U8(struct uart, ier, .max = 0x0f), STATE_U8(struct uart, fcr), STATE_U8(struct uart, lcr),
    STATE_U8(struct uart, mcr, .max = 0x1f), STATE_U8(struct uart, lsr), STATE_U8(struct uart, msr),
    STATE_U8(struct uart, scr), STATE_U8(struct uart, rbr), STATE_U16(struct uart, divisor),
    STATE_BOOL(struct uart, thre_int), STATE_BOOL(struct uart, timeout_int),
    STATE_BYTES(struct uart, rx), STATE_BYTES(struct uart, rx_err),
    STATE_U8(struct uart, rx_head, .max = UART_FIFO - 1), STATE_U8(struct uart, rx_len, .max = UART_FIFO),
    STATE_BYTES(struct uart, tx), STATE_U8(struct uart, tx_head, .max = UART_FIFO - 1),
    STATE_U8(struct uart, tx_len, .max = UART_FIFO), STATE_U8(struct uart, tsr),
    STATE_BOOL(struct uart, tsr_full),
    STATE_U64(struct uart, rx_time), {}
};
