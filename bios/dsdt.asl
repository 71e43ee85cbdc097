/* bios/dsdt.asl - the fixed part of the board in ACPI's words: PCI routing, interrupt links, ISA devices.
 *
 * Source: ACPI Specification 6.3; 82371SB sheet (PIRQRC).  What depends on the command line (PCI windows, processors,
 * sleep states, which devices are there) and the long table of slots is in an SSDT that hw/pc/acpi.c makes.
 * Revision 1: integers of 32 bits, as old operating systems know them. */
DefinitionBlock ("dsdt.aml", "DSDT", 1, "BANTAM", "BANTAMPC", 1)
{
    /* 1 where the device is there: acpi.c puts the values in the place of these, whose size is one byte.  (Names
     * from the SSDT would need External, which firmware and old operating systems can't parse.) */
    Name (COMP, 0xE0) /* bit n: COM(n+1) */
    Name (FDCP, 0xE1)
    Name (KBCP, 0xE2)
    Name (MOUP, 0xE3)
    Name (PVPP, 0xE4)
    Name (FWCP, 0xE5)

    /* Off; S3 and S4 are in the SSDT, as the user may switch them off. */
    Name (\_S5, Package () { 0, 0, 0, 0 })

    /* The routing is the same in both modes: PIRQs reach the I/O APIC through the ISA interrupts. */
    Name (\PICF, 0)
    Method (\_PIC, 1) { \PICF = Arg0 }

    Scope (\_GPE) { Name (_HID, "ACPI0006") }

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)

            /* _CRS and _PRT are in the SSDT. */

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
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
                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x70, 0x70, 1, 2)
                        IRQNoFlags () { 8 }
                    })
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
                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Method (_STA) { If (\KBCP) { Return (0x0F) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x60, 0x60, 1, 1)
                        IO (Decode16, 0x64, 0x64, 1, 1)
                        IRQNoFlags () { 1 }
                    })
                }
                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Method (_STA) { If (\MOUP) { Return (0x0F) } Return (0) }
                    Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
                }
                Device (FDC0)
                {
                    Name (_HID, EisaId ("PNP0700"))
                    Method (_STA) { If (\FDCP) { Return (0x0F) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x3F2, 0x3F2, 1, 4)
                        IO (Decode16, 0x3F7, 0x3F7, 1, 1)
                        IRQNoFlags () { 6 }
                        DMA (Compatibility, NotBusMaster, Transfer8) { 2 }
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
        }

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
