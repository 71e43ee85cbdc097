/* hw/pc/serial.c - an ISA serial port: a 16550A at COM1 to COM4.
 *
 * Addresses and interrupts are the PC/AT's; the chip is in uart.c.
 *
 * Deviations: with out2-gate=off the interrupt does not pass through OUT2's gate.  The cards have that
 * gate, but some teaching kernels, written for an emulator without it, never set OUT2. */
#include "hw/catalog.h"
#include "hw/pc/uart.h"
#include "vmm/core/vm.h"

enum { N_PORTS = 4, UNSET = UINT32_MAX };

struct serial {
    struct device dev;
    struct region io;
    struct uart uart;
    uint32_t index, iobase, irq; /* properties */
    struct chardev *chardev;
    bool out2_gate;
};

static uint64_t serial_read(void *opaque, uint64_t off, unsigned size)
{
    (void) size;
    return uart_read(&((struct serial *) opaque)->uart, (unsigned) off);
}

static void serial_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    uart_write(&((struct serial *) opaque)->uart, (unsigned) off, (uint8_t) val);
}
static const struct region_ops serial_ops = { serial_read, serial_write, .min = 1, .max = 1 };

static uint32_t free_index(struct vm *vm)
{
    unsigned used = 0;

    for (unsigned i = 0; i < vm->devices->len; i++) {
        struct device *d = vm->devices->pdata[i];
        if (d->cls == &isa_serial_class)
            used |= BIT(container_of(d, struct serial, dev)->index);
    }
    for (uint32_t i = 0; i < N_PORTS; i++)
        if (!(used & BIT(i)))
            return i;
    return N_PORTS;
}

static bool serial_realize(struct device *d, GError **err)
{
    static const struct {
        uint16_t iobase, irq;
    } std[N_PORTS] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };
    struct serial *s = container_of(d, struct serial, dev);

    if (s->index == UNSET)
        s->index = free_index(d->vm);
    if (s->index >= N_PORTS)
        return fail(err, "at most %u serial ports are supported (index 0 to %u)", N_PORTS, N_PORTS - 1);
    if (s->iobase == UNSET)
        s->iobase = std[s->index].iobase;
    if (s->irq == UNSET)
        s->irq = std[s->index].irq;
    if (s->iobase > 0xfff8)
        return fail(err, "iobase 0x%x is out of range: 0 to 0xfff8", s->iobase);
    region_init_io(&s->io, "serial", &serial_ops, s, 8);
    s->uart.out2_gates = s->out2_gate;
    return isa_claim_irq(d, &s->uart.irq, s->irq, err) && uart_init(&s->uart, d, s->chardev, err) &&
           space_add(&d->vm->pio, &s->io, s->iobase, 0, err);
}

static void serial_unrealize(struct device *d)
{
    struct serial *s = container_of(d, struct serial, dev);

    uart_clear(&s->uart);
    space_remove(&s->io);
}

static void serial_reset(struct device *d)
{
    uart_reset(&container_of(d, struct serial, dev)->uart);
}

static bool serial_post_load(struct device *d)
{
    return uart_post_load(&container_of(d, struct serial, dev)->uart);
}

static void serial_describe(const struct device *d, GString *text)
{
    uart_describe(&container_of(d, struct serial, dev)->uart, text);
}

static const struct prop serial_props[] = {
    PROP_U32(struct serial, index, UNSET, .desc = "0 is COM1; default: the first that is free"),
    PROP_U32(struct serial, iobase, UNSET, .desc = "default: by index"),
    PROP_U32(struct serial, irq, UNSET, .desc = "default: by index"), PROP_CHARDEV(struct serial, chardev),
    PROP_BOOL(struct serial, out2_gate, true, .name = "out2-gate",
              .desc = "off: interrupts need no OUT2, for kernels that never set it"),
    {}
};
static const struct state serial_state[] = {
    STATE_HOST(struct serial, io), STATE_STRUCT(struct serial, uart, uart_state), {}
};
const struct device_class isa_serial_class = {
    .name = "isa-serial", .desc = "16550A serial port", .version = 1, .size = sizeof(struct serial),
    .bus = &isa_bus_class, .props = serial_props, .state = serial_state, .realize = serial_realize,
    .unrealize = serial_unrealize, .reset = serial_reset, .post_load = serial_post_load,
    .describe = serial_describe,
};
