/* divvy view: any bytes as a profile. What is read is shown in every manner: the text holds no character that a
 * terminal would obey, and the JSON is JSON. */
#include "fuzz.h"

#include "view.h"

#include <cjson/cJSON.h>

#include <locale.h>
#include <string.h>

enum { MEMORY = 256 << 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    MUST(setlocale(LC_CTYPE, "C.UTF-8"));
    return 0;
}

/* Whether a terminal would obey nothing of the text. */
static bool is_harmless(const char *text)
{
    while (*text) {
        unsigned point;
        size_t bytes = dv_utf8(text, &point);
        if (bytes == 0 || (point < 0x20 && point != '\n' && point != '\t') || (point >= 0x7f && point < 0xa0) ||
            (point >= 0x202a && point <= 0x202e))
            return false;
        text += bytes;
    }
    return true;
}

static void show(struct dv_view *view, const struct dv_view_choice *choice, int width, bool unicode)
{
    char *text = NULL;
    size_t length = 0;
    struct dv_style style = {.out = open_memstream(&text, &length), .width = width, .unicode = unicode};
    MUST(style.out);
    dv_view_text(view, choice, &style);
    MUST(fclose(style.out) == 0);
    MUST(is_harmless(text) && strlen(text) == length);
    for (size_t i = 0; !unicode && i < length; i++)
        MUST((unsigned char)text[i] < 0x80);
    free(text);
}

static void show_json(const struct dv_view *view, const struct dv_view_choice *choice)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    MUST(out && dv_view_json(view, choice, out));
    MUST(fclose(out) == 0);
    MUST(is_harmless(text));
    cJSON *json = cJSON_Parse(text);
    MUST(json);
    cJSON_Delete(json);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dv_view_choice all = {.all = true}, few = {0}, one = {.job = "1", .all = true};
    struct dv_view view;
    char problem[512] = "";
    bool good = dv_view_parse((const char *)data, size, MEMORY, "profile", &view, problem, sizeof problem);
    MUST(good == (problem[0] == 0));
    if (!good)
        return 0;
    show(&view, &few, 40, true);
    show(&view, &all, 132, true);
    show(&view, &all, 80, false);
    show_json(&view, &all);
    show_json(&view, &one);
    dv_view_free(&view);
    return 0;
}
