/* tests/fuzz/fuzz_device.c - any device, under a script of accesses and events (script.c).
 *
 * Input: the class's name and a newline, a byte of flags, and for FLAG_TABLE 64 bytes of partition table
 * (which the device guesses its disk's geometry from); then the script. */
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "device";

enum { FLAG_TABLE = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    const struct device_class *cls = input_class(&in);
    struct catalog_rig r = catalog_rig_prepare(CATALOG_FULL);
    GError *err = NULL;

    if (input_u8(&in) & FLAG_TABLE) {
        struct fake_blk *disk = g_hash_table_lookup(r.b->vm->blks, "disk");
        size_t len;
        const uint8_t *table = input_bytes(&in, 64, &len);
        memcpy(disk->data + 446, table, len);
        st_le16(disk->data + 510, 0xaa55);
    }
    if (!catalog_rig_plug(&r, cls, CATALOG_FULL, NULL, &err))
        g_error("%s: %s", cls->name, err->message);
    script_run(&r, &in);
    catalog_rig_free(&r);
    return 0;
}
