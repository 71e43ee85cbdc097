/* bios/ssdt.asl - the fixed part of the board in ACPI's words: interrupt links, and the ISA devices that are not in
 * dsdt.asl.
 *
 * Source: ACPI Specification 6.3; 82371SB sheet (PIRQRC). */
DefinitionBlock ("ssdt.aml", "SSDT", 1, "BANTAM", "BANTAMPC", 1)
{
    /* The compiler makes a block of this that old operating systems can't parse; acpi.c takes it out. */
    External (\_SB.PCI0.ISA, DeviceObj)

    /* 1 where the device is there: acpi.c puts the values in the place of these, as in dsdt.asl. */
    Name (COMP, 0xE0) /* bit n: COM(n+1) */
    Name (PVPP, 0xE4)
    Name (FWCP, 0xE5)

    Scope (\_SB.PCI0.ISA)
    {
        OperationRegion (PIRQ, PCI_Config, 0x60, 4)
        Field (PIRQ, ByteAcc, NoLock, Preserve) { PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8 }

        Device (PIC)
        {
            Name (_HID, EisaId ("PNP0000"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x20, 0x20, 1, 2)
                IO (Decode16, 0xA0, 0xA0, 1, 2)
                IO (Decode16, 0x4D0, 0x4D0, 1, 2)
                IRQNoFlags () { 2 }
            })
        }
        Device (TMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x40, 0x40, 1, 4)
                IRQNoFlags () { 0 }
            })
        }
        Device (DMAC)
        {
            Name (_HID, EisaId ("PNP0200"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x00, 0x00, 1, 0x10)
                IO (Decode16, 0x81, 0x81, 1, 0x0F)
                IO (Decode16, 0xC0, 0xC0, 1, 0x20)
                DMA (Compatibility, NotBusMaster, Transfer8) { 4 }
            })
        }
        Device (SPKR)
        {
            Name (_HID, EisaId ("PNP0800"))
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x61, 0x61, 1, 1) })
        }
        Device (MBRD) /* what no other device claims */
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x92, 0x92, 1, 1)
                IO (Decode16, 0xB2, 0xB2, 1, 2)
                IO (Decode16, 0x600, 0x600, 1, 0x40)
                IO (Decode16, 0x700, 0x700, 1, 0x10)
            })
        }
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Method (_STA) { If (\COMP & 1) { Return (0x0F) } Return (0) }
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x3F8, 0x3F8, 8, 8) IRQNoFlags () { 4 } })
        }
        Device (COM2)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 2)
            Method (_STA) { If (\COMP & 2) { Return (0x0F) } Return (0) }
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x2F8, 0x2F8, 8, 8) IRQNoFlags () { 3 } })
        }
        Device (COM3)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 3)
            Method (_STA) { If (\COMP & 4) { Return (0x0F) } Return (0) }
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x3E8, 0x3E8, 8, 8) IRQNoFlags () { 4 } })
        }
        Device (COM4)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 4)
            Method (_STA) { If (\COMP & 8) { Return (0x0F) } Return (0) }
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x2E8, 0x2E8, 8, 8) IRQNoFlags () { 3 } })
        }
        Device (PEVT) /* pvpanic */
        {
            Name (_HID, "QEMU0001")
            Method (_STA) { If (\PVPP) { Return (0x0B) } Return (0) }
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x505, 0x505, 1, 1) })
            OperationRegion (PEOR, SystemIO, 0x505, 1)
            Field (PEOR, ByteAcc, NoLock, Preserve) { PEPT, 8 }
            Method (RDPT) { Return (PEPT) }
            Method (WRPT, 1) { PEPT = Arg0 }
        }
        Device (FWCF) /* fw_cfg */
        {
            Name (_HID, "QEMU0002")
            Method (_STA) { If (\FWCP) { Return (0x0B) } Return (0) }
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x510, 0x510, 1, 0x0C) })
        }
    }

    Scope (\_SB)
    {
        /* Interrupt links: PIRQRC's bit 7 switches the pin off. */
        Method (IQST, 1)
        {
            If (Arg0 & 0x80) { Return (0x09) }
            Return (0x0B)
        }
        Name (PRR0, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 0 } })
        Method (IQCR, 1, Serialized)
        {
            CreateDWordField (PRR0, 5, PRRI)
            If (Arg0 & 0x80) { PRRI = 0 } Else { PRRI = Arg0 }
            Return (PRR0)
        }
        Name (IQPR, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })

        Device (LNKA)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 1)
            Method (_PRS) { Return (IQPR) }
            Method (_STA) { Return (IQST (\_SB.PCI0.ISA.PRQA)) }
            Method (_DIS) { \_SB.PCI0.ISA.PRQA |= 0x80 }
            Method (_CRS) { Return (IQCR (\_SB.PCI0.ISA.PRQA)) }
            Method (_SRS, 1) { CreateDWordField (Arg0, 5, IRQN) \_SB.PCI0.ISA.PRQA = IRQN }
        }
        Device (LNKB)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 2)
            Method (_PRS) { Return (IQPR) }
            Method (_STA) { Return (IQST (\_SB.PCI0.ISA.PRQB)) }
            Method (_DIS) { \_SB.PCI0.ISA.PRQB |= 0x80 }
            Method (_CRS) { Return (IQCR (\_SB.PCI0.ISA.PRQB)) }
            Method (_SRS, 1) { CreateDWordField (Arg0, 5, IRQN) \_SB.PCI0.ISA.PRQB = IRQN }
        }
        Device (LNKC)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 3)
            Method (_PRS) { Return (IQPR) }
            Method (_STA) { Return (IQST (\_SB.PCI0.ISA.PRQC)) }
            Method (_DIS) { \_SB.PCI0.ISA.PRQC |= 0x80 }
            Method (_CRS) { Return (IQCR (\_SB.PCI0.ISA.PRQC)) }
            Method (_SRS, 1) { CreateDWordField (Arg0, 5, IRQN) \_SB.PCI0.ISA.PRQC = IRQN }
        }
        Device (LNKD)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 4)
            Method (_PRS) { Return (IQPR) }
            Method (_STA) { Return (IQST (\_SB.PCI0.ISA.PRQD)) }
            Method (_DIS) { \_SB.PCI0.ISA.PRQD |= 0x80 }
            Method (_CRS) { Return (IQCR (\_SB.PCI0.ISA.PRQD)) }
            Method (_SRS, 1) { CreateDWordField (Arg0, 5, IRQN) \_SB.PCI0.ISA.PRQD = IRQN }
        }
        Device (LNKS) /* the SCI is wired to IRQ 9 */
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 5)
            Name (SCIR, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 9 } })
            Method (_PRS) { Return (SCIR) }
            Method (_STA) { Return (0x0B) }
            Method (_DIS) { }
            Method (_CRS) { Return (SCIR) }
            Method (_SRS, 1) { }
        }
    }
}
