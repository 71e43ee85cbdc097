/* bios/microvm.asl - the fixed part of the machine without firmware in ACPI's words.
 *
 * Source: ACPI Specification 6.3, 4.1 (hardware-reduced ACPI), 5.6.9 (generic event device).  The virtio devices are
 * in an SSDT that hw/pc/microvm_acpi.c writes. */
DefinitionBlock ("microvm.aml", "DSDT", 2, "BANTAM", "BANTAMMV", 1)
{
    /* 1 where the device is there: microvm_acpi.c puts the values in the place of these. */
    Name (COMP, 0xE1)
    Name (RTCP, 0xE2)

    Name (\_S5, Package () { 5, 0, 0, 0 })

    Scope (\_SB)
    {
        Device (PWRB)
        {
            Name (_HID, EisaId ("PNP0C0C"))
            Name (_UID, 0)
        }
        Device (GED)
        {
            Name (_HID, "ACPI0013")
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { 9 } })
            OperationRegion (EVTR, SystemMemory, 0xFEA00000, 4)
            Field (EVTR, DWordAcc, NoLock, WriteAsZeros) { ESEL, 32 }
            Method (_EVT, 1, Serialized)
            {
                Local0 = ESEL /* reading takes the events */
                If (Local0 & 2) { Notify (\_SB.PWRB, 0x80) }
            }
        }
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Method (_STA) { If (\COMP) { Return (0x0F) } Return (0) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x3F8, 0x3F8, 1, 8)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
            })
        }
        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Method (_STA) { If (\RTCP) { Return (0x0F) } Return (0) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x70, 0x70, 1, 2)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 8 }
            })
        }
    }
}
