/* bios/demo/screen.c - the card: a frame, and a bantam rooster in half blocks.
 *
 * A cell of the picture is the character "upper half block": its colours are those of two picture dots, one
 * above the other.  For that all 16 background colours are wanted, so blinking is switched off. */
#include "demo.h"

enum { COLUMNS = 80, ROWS = 25, PICTURE_X = 1, PICTURE_Y = 2, ATTR = 0x17, FRAME = 0x1b, UPPER_HALF = 0xdf };

static volatile uint16_t *const cells = (volatile uint16_t *) 0xb8000;
static bool on;

/* r red, y yellow, o orange (brown), w white, k black, g green, c cyan, l light red, d dark grey */
static const char *const rooster[] = {
    "......r..r..................",
    ".....rr.rr.r.......cc.......",
    ".....rrrrrrr.....cccccc.....",
    ".....rrrrrr....cccggggcc....",
    "....oooooo....ccggggggggc...",
    "...oowkoooo..ccgggg..gggg...",
    ".yyoookoooo..cggg.....gggg..",
    "yyyooooooooo.cgg..ccc..ggg..",
    "...rroooyooo.cg..cgggg.ggg..",
    "...rrooyyyoyoo..cgg.ggg.gg..",
    "...rr.oyoyyyooooog...gg.gg..",
    "....r.yyyyyoyoooooo..gg.g...",
    "......yyoyyooooooooo.gg.....",
    "......oyyyoooorrrroooog.....",
    ".....oooyyooorrrrrrroo......",
    ".....oooooooorrllllrro......",
    ".....ooooooooorrllrrdd......",
    "......ooooooooorrrrdd.......",
    ".......ddooooooooddd........",
    "........dddddddddd..........",
    "..........ddd.dd............",
    "...........y...y............",
    "...........y...y............",
    "...........y...y............",
    ".........yyyy.yyyy..........",
    "........y..y.y..y...........",
};
enum { PICTURE_ROWS = sizeof rooster / sizeof rooster[0] / 2 };

static uint8_t color(char c)
{
    static const char names[] = ".bgcrmolKBGCRMyw";

    if (c == '.')
        return ATTR >> 4;
    switch (c) {
    case 'k': return 0;
    case 'd': return 8;
    case 'l': return 12;
    }
    for (uint8_t i = 1; i < 16; i++)
        if (names[i] == c)
            return i;
    return ATTR >> 4;
}

static void put(unsigned x, unsigned y, uint8_t attr, uint8_t ch)
{
    if (on && x < COLUMNS && y < ROWS)
        cells[y * COLUMNS + x] = (uint16_t) (attr << 8 | ch);
}

void screen_text(unsigned x, unsigned y, uint8_t attr, const char *text)
{
    while (*text)
        put(x++, y, attr, (uint8_t) *text++);
}

static void draw_frame(void)
{
    for (unsigned x = 0; x < COLUMNS; x++) {
        put(x, 0, FRAME, x == 0 ? 0xc9 : x == COLUMNS - 1 ? 0xbb : 0xcd);
        put(x, ROWS - 1, FRAME, x == 0 ? 0xc8 : x == COLUMNS - 1 ? 0xbc : 0xcd);
    }
    for (unsigned y = 1; y < ROWS - 1; y++) {
        put(0, y, FRAME, 0xba);
        put(COLUMNS - 1, y, FRAME, 0xba);
        for (unsigned x = 1; x < COLUMNS - 1; x++)
            put(x, y, ATTR, ' ');
    }
    screen_text(3, 0, 0x1e, "\xb5 Bantam demo guest \xc6");
}

static void draw_picture(void)
{
    for (unsigned y = 0; y < PICTURE_ROWS; y++) {
        const char *up = rooster[2 * y], *low = rooster[2 * y + 1];
        for (unsigned x = 0; up[x]; x++) {
            if (up[x] != '.' || low[x] != '.')
                put(PICTURE_X + x, PICTURE_Y + y, (uint8_t) (color(low[x]) << 4 | color(up[x])), UPPER_HALF);
        }
    }
    screen_text(7, 16, 0x1e, "B  A  N  T  A  M");
}

void screen_start(void)
{
    on = inb(0x3cc) != 0xff;
    if (!on)
        return;
    inb(0x3da); /* attribute mode control: colours, nine-dot lines, no blinking */
    outb(0x3c0, 0x10);
    outb(0x3c0, 0x04);
    outb(0x3c0, 0x20);
    outb(0x3d4, 0x0a); /* no cursor */
    outb(0x3d5, 0x20);
    draw_frame();
    draw_picture();
}
