/* bios/dsdt.asl - the fixed part of the board in ACPI's words, as far as SeaBIOS wants to know of it.
 *
 * Source: ACPI Specification 6.3.  SeaBIOS reads all of the DSDT, which takes it 10 ms a KiB where KVM interprets it,
 * and nothing else: so the rest is in the SSDT: its fixed part in ssdt.asl; what depends on the command line (PCI
 * windows, processors, sleep states) and the long table of slots are added by hw/pc/acpi.c.
 * Revision 1: integers of 32 bits, as old operating systems know them. */
DefinitionBlock ("dsdt.aml", "DSDT", 1, "BANTAM", "BANTAMPC", 1)
{
    /* 1 where the device is there: acpi.c puts the values in the place of these, whose size is one byte.  (Names
     * from the SSDT would need External, which firmware and old operating systems can't parse.) */
    Name (FDCP, 0xE1)
    Name (KBCP, 0xE2)
    Name (MOUP, 0xE3)

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
                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x70, 0x70, 1, 2)
                        IRQNoFlags () { 8 }
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
            }
        }
    }
}
