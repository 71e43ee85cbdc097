/* tests/kvm/test_kvm.c - exits, interrupts, resets: tiny guests on the local /dev/kvm. */
#include "tests/kvm/guest.h"

#define EXIT(n) "mov $" #n ", %al\n out %al, $0xf4\n 9: hlt\n jmp 9b\n"

GUEST(pio_code, 16,
      "mov $0x100, %dx\n"
      "mov $0x11223344, %eax\n"
      "out %al, %dx\n"
      "out %ax, %dx\n"
      "out %eax, %dx\n"
      "inc %dx\n"
      "in %dx, %al\n"   /* 1 */
      "out %al, %dx\n"
      "in %dx, %ax\n"   /* 0302 */
      "out %ax, %dx\n"
      "in %dx, %eax\n"  /* 07060504 */
      "out %eax, %dx\n"
      EXIT(3));

static void test_pio(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, pio_code, pio_code_end);
    g_assert_cmpint(guest_run(g, CPU_REAL16), ==, 7);
    g_assert_cmpstr(g->log->str, ==, "0:44 0:3344 0:11223344 1:01 1:0302 1:07060504 ");
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/pio", test_pio);
    return g_test_run();
}
