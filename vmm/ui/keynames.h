/* vmm/ui/keynames.h - QEMU's key names (QMP's QKeyCode) and their Linux key codes; included by
 * input.c only. */
#include <linux/input-event-codes.h>

#define KEY_NAMES(K) \
    K("shift", KEY_LEFTSHIFT) K("shift_r", KEY_RIGHTSHIFT) K("alt", KEY_LEFTALT) K("alt_r", KEY_RIGHTALT) \
    K("ctrl", KEY_LEFTCTRL) K("ctrl_r", KEY_RIGHTCTRL) K("meta_l", KEY_LEFTMETA) \
    K("meta_r", KEY_RIGHTMETA) K("menu", KEY_COMPOSE) K("compose", KEY_COMPOSE) K("esc", KEY_ESC) \
    K("0", KEY_0) K("1", KEY_1) K("2", KEY_2) K("3", KEY_3) K("4", KEY_4) K("5", KEY_5) K("6", KEY_6) \
    K("7", KEY_7) K("8", KEY_8) K("9", KEY_9) K("a", KEY_A) K("b", KEY_B) K("c", KEY_C) K("d", KEY_D) \
    K("e", KEY_E) K("f", KEY_F) K("g", KEY_G) K("h", KEY_H) K("i", KEY_I) K("j", KEY_J) K("k", KEY_K) \
    K("l", KEY_L) K("m", KEY_M) K("n", KEY_N) K("o", KEY_O) K("p", KEY_P) K("q", KEY_Q) K("r", KEY_R) \
    K("s", KEY_S) K("t", KEY_T) K("u", KEY_U) K("v", KEY_V) K("w", KEY_W) K("x", KEY_X) K("y", KEY_Y) \
    K("z", KEY_Z) K("minus", KEY_MINUS) K("equal", KEY_EQUAL) K("backspace", KEY_BACKSPACE) \
    K("tab", KEY_TAB) K("bracket_left", KEY_LEFTBRACE) K("bracket_right", KEY_RIGHTBRACE) \
    K("ret", KEY_ENTER) K("semicolon", KEY_SEMICOLON) K("apostrophe", KEY_APOSTROPHE) \
    K("grave_accent", KEY_GRAVE) K("backslash", KEY_BACKSLASH) K("comma", KEY_COMMA) K("dot", KEY_DOT) \
    K("slash", KEY_SLASH) K("asterisk", KEY_KPASTERISK) K("spc", KEY_SPACE) K("less", KEY_102ND) \
    K("caps_lock", KEY_CAPSLOCK) K("num_lock", KEY_NUMLOCK) K("scroll_lock", KEY_SCROLLLOCK) \
    K("f1", KEY_F1) K("f2", KEY_F2) K("f3", KEY_F3) K("f4", KEY_F4) K("f5", KEY_F5) K("f6", KEY_F6) \
    K("f7", KEY_F7) K("f8", KEY_F8) K("f9", KEY_F9) K("f10", KEY_F10) K("f11", KEY_F11) K("f12", KEY_F12) \
    K("f13", KEY_F13) K("f14", KEY_F14) K("f15", KEY_F15) K("f16", KEY_F16) K("f17", KEY_F17) \
    K("f18", KEY_F18) K("f19", KEY_F19) K("f20", KEY_F20) K("f21", KEY_F21) K("f22", KEY_F22) \
    K("f23", KEY_F23) K("f24", KEY_F24) K("kp_divide", KEY_KPSLASH) K("kp_multiply", KEY_KPASTERISK) \
    K("kp_subtract", KEY_KPMINUS) K("kp_add", KEY_KPPLUS) K("kp_enter", KEY_KPENTER) \
    K("kp_decimal", KEY_KPDOT) K("kp_comma", KEY_KPCOMMA) K("kp_equals", KEY_KPEQUAL) K("kp_0", KEY_KP0) \
    K("kp_1", KEY_KP1) K("kp_2", KEY_KP2) K("kp_3", KEY_KP3) K("kp_4", KEY_KP4) K("kp_5", KEY_KP5) \
    K("kp_6", KEY_KP6) K("kp_7", KEY_KP7) K("kp_8", KEY_KP8) K("kp_9", KEY_KP9) K("print", KEY_SYSRQ) \
    K("sysrq", KEY_SYSRQ) K("pause", KEY_PAUSE) K("home", KEY_HOME) K("end", KEY_END) \
    K("pgup", KEY_PAGEUP) K("pgdn", KEY_PAGEDOWN) K("left", KEY_LEFT) K("right", KEY_RIGHT) \
    K("up", KEY_UP) K("down", KEY_DOWN) K("insert", KEY_INSERT) K("delete", KEY_DELETE) K("ro", KEY_RO) \
    K("yen", KEY_YEN) K("hiragana", KEY_HIRAGANA) K("henkan", KEY_HENKAN) K("muhenkan", KEY_MUHENKAN) \
    K("katakanahiragana", KEY_KATAKANAHIRAGANA) K("lang1", KEY_HANGEUL) K("lang2", KEY_HANJA) \
    K("stop", KEY_STOP) K("again", KEY_AGAIN) K("props", KEY_PROPS) K("undo", KEY_UNDO) \
    K("front", KEY_FRONT) K("copy", KEY_COPY) K("open", KEY_OPEN) K("paste", KEY_PASTE) \
    K("find", KEY_FIND) K("cut", KEY_CUT) K("lf", KEY_LINEFEED) K("help", KEY_HELP) K("power", KEY_POWER) \
    K("sleep", KEY_SLEEP) K("wake", KEY_WAKEUP) K("audionext", KEY_NEXTSONG) \
    K("audioprev", KEY_PREVIOUSSONG) K("audiostop", KEY_STOPCD) K("audioplay", KEY_PLAYPAUSE) \
    K("audiomute", KEY_MUTE) K("volumeup", KEY_VOLUMEUP) K("volumedown", KEY_VOLUMEDOWN) \
    K("mediaselect", KEY_MEDIA) K("mail", KEY_MAIL) K("calculator", KEY_CALC) K("computer", KEY_COMPUTER) \
    K("ac_home", KEY_HOMEPAGE) K("ac_back", KEY_BACK) K("ac_forward", KEY_FORWARD) \
    K("ac_refresh", KEY_REFRESH) K("ac_bookmarks", KEY_BOOKMARKS)

/* Numbers: scan code set 1, with 80h added (or, as on the wire, E0h before it) for the extended keys.
 * Those that differ from the Linux key code: */
static const struct {
    uint8_t scan, code;
} key_scans[] = {
    { 0x54, KEY_SYSRQ }, { 0x70, KEY_KATAKANAHIRAGANA }, { 0x73, KEY_RO }, { 0x79, KEY_HENKAN },
    { 0x7b, KEY_MUHENKAN }, { 0x7d, KEY_YEN }, { 0x7e, KEY_KPCOMMA }, { 0x59, KEY_KPEQUAL },
    { 0x90, KEY_PREVIOUSSONG }, { 0x99, KEY_NEXTSONG }, { 0x9c, KEY_KPENTER }, { 0x9d, KEY_RIGHTCTRL },
    { 0xa0, KEY_MUTE }, { 0xa1, KEY_CALC }, { 0xa2, KEY_PLAYPAUSE }, { 0xa4, KEY_STOPCD },
    { 0xae, KEY_VOLUMEDOWN },
    { 0xb0, KEY_VOLUMEUP }, { 0xb2, KEY_HOMEPAGE }, { 0xb5, KEY_KPSLASH }, { 0xb7, KEY_SYSRQ },
    { 0xb8, KEY_RIGHTALT },
    { 0xc5, KEY_PAUSE }, { 0xc6, KEY_PAUSE }, { 0xc7, KEY_HOME }, { 0xc8, KEY_UP }, { 0xc9, KEY_PAGEUP },
    { 0xcb, KEY_LEFT }, { 0xcd, KEY_RIGHT }, { 0xcf, KEY_END }, { 0xd0, KEY_DOWN }, { 0xd1, KEY_PAGEDOWN },
    { 0xd2, KEY_INSERT }, { 0xd3, KEY_DELETE }, { 0xdb, KEY_LEFTMETA }, { 0xdc, KEY_RIGHTMETA },
    { 0xdd, KEY_COMPOSE },
    { 0xde, KEY_POWER }, { 0xdf, KEY_SLEEP }, { 0xe3, KEY_WAKEUP }, { 0xe6, KEY_BOOKMARKS },
    { 0xe7, KEY_REFRESH },
    { 0xe8, KEY_STOP }, { 0xe9, KEY_FORWARD }, { 0xea, KEY_BACK }, { 0xeb, KEY_COMPUTER }, { 0xec, KEY_MAIL },
    { 0xed, KEY_MEDIA },
};
