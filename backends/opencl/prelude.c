/* What stands in front of a kernel's text: how its indices are laid over work-items, and, where each work-item takes a
 * run of them, the functions that compilers for processors leave one at a time.
 *
 * Such compilers make vectors of a plain loop, as C compilers do, if they are told nothing more than what is said here. */
#include "opencl.h"

#include <string.h>

static const char doubles[] = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n";

/* ---- Loops ---- */

/* Neighbouring work-items take neighbouring indices, all of them one stride further in each turn. */
static const char items[] =
    "#define DIVVY__LOOP(i, first, count) \\\n"
    "    for (ulong i = (first) + get_global_id(0), divvy__stop = (first) + (count); i < divvy__stop; \\\n"
    "         i += get_global_size(0))\n"
    "#define DIVVY__SLOT get_global_id(0)\n"
    "#define DIVVY__LANES(l, lanes) for (int l = 0; l < (lanes); l++)\n"
    "#define DIVVY__RUN(count) ((ulong)1)\n";

/* Each work-item takes a run of neighbouring indices. Lanes are unrolled once they are vectors, without which they stay
 * in memory. */
#define RUN                                                                                     \
    "#define DIVVY__RUN(count) (((count) + get_global_size(0) - 1) / get_global_size(0))\n"     \
    "#define DIVVY__RUN_BEGIN(first, count) ((first) + get_global_id(0) * DIVVY__RUN(count))\n" \
    "#define DIVVY__RUN_END(first, count) \\\n"                                                 \
    "    ((first) + min((ulong)(count), (ulong)(get_global_id(0) + 1) * DIVVY__RUN(count)))\n"  \
    "#ifdef __clang__\n"                                                                        \
    "#define DIVVY__PRAGMA(text) _Pragma(text)\n"                                               \
    "#else\n"                                                                                   \
    "#define DIVVY__PRAGMA(text)\n"                                                             \
    "#endif\n"                                                                                  \
    "#define DIVVY__LANES(l, lanes) \\\n"                                                       \
    "    DIVVY__PRAGMA(\"clang loop vectorize(enable) unroll(enable)\") for (int l = 0; l < (lanes); l++)\n"

/* Two vectors at a time: what one waits for, the other computes. */
static const char runs[] =
    RUN "#define DIVVY__LOOP(i, first, count) \\\n"
        "    DIVVY__PRAGMA(\"clang loop interleave_count(2)\") \\\n"
        "    for (ulong i = DIVVY__RUN_BEGIN(first, count), divvy__stop = DIVVY__RUN_END(first, count); \\\n"
        "         i < divvy__stop; i++)\n"
        "#define DIVVY__SLOT get_global_id(0)\n";

/* The same by blocks of 64 indices, one lane each, which compilers turn into vectors where one accumulator would stay
 * a scalar. */
static const char runs_in_lanes[] =
    RUN "#define DIVVY__LOOP(i, first, count) \\\n"
        "    for (ulong divvy__block = DIVVY__RUN_BEGIN(first, count), divvy__end = DIVVY__RUN_END(first, count); \\\n"
        "         divvy__block < divvy__end; divvy__block += 64) \\\n"
        "        for (ulong i = divvy__block, divvy__lane = get_global_id(0) * 64, \\\n"
        "                   divvy__stop = min(divvy__end, divvy__block + 64); \\\n"
        "             i < divvy__stop; i++, divvy__lane++)\n"
        "#define DIVVY__SLOT divvy__lane\n";
_Static_assert(DIVVY_LANES == 64, "runs_in_lanes says 64");

/* ---- Functions ---- */

/* Those of <divvy/math.h>, as `math_text`. */
#include "math_text.h"

static const char functions_begin[] = "#if defined(__clang__) && __clang_major__ >= 11\n";
static const char functions_end[] = "#endif\n";

bool dv_cl_has_word(const char *text, const char *word)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        char before = at > text ? at[-1] : ' ', after = at[strlen(word)];
        if (!strchr(letters, before) && !(after && strchr(letters, after)))
            return true;
    }
    return false;
}

void dv_cl_prelude(const struct dv_cl_device *device, const char *source, bool folds,
                   const char *texts[DV_CL_PRELUDE_TEXTS])
{
    bool in_runs = device->found->loops == DV_CL_RUNS;
    bool functions = in_runs && (dv_cl_has_word(source, "exp") || dv_cl_has_word(source, "log"));
    texts[0] = device->found->doubles ? doubles : "";
    texts[1] = !in_runs ? items : folds ? runs_in_lanes : runs;
    texts[2] = functions ? functions_begin : "";
    texts[3] = functions ? math_text : "";
    texts[4] = functions ? functions_end : "";
    texts[5] = "#line 1\n";
}
