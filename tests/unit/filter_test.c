#include "base/status.h"
#include "machine/registry.h"

#include "check.h"

/* The number of the item that lets the device pass, or -1. */
static int item(const char *text, const char *backend, unsigned index, const char *name)
{
    struct dv_filter filter;
    if (!CHECK_EQ(dv_filter_read(text, &filter), DIVVY_OK)) {
        fprintf(stderr, "  \"%s\": %s\n", text, divvy_error());
        return -2;
    }
    const struct dv_filter_item *match = dv_filter_match(&filter, backend, index, name);
    int number = match ? (int)(match - filter.items) : -1;
    dv_filter_free(&filter);
    return number;
}

static unsigned units(const char *text, const char *name)
{
    struct dv_filter filter;
    CHECK_EQ(dv_filter_read(text, &filter), DIVVY_OK);
    const struct dv_filter_item *match = dv_filter_match(&filter, "opencl", 0, name);
    unsigned found = match ? match->units : 999;
    dv_filter_free(&filter);
    return found;
}

int main(void)
{
    struct dv_filter filter;

    /* An empty filter lets everything pass, whole. */
    CHECK_EQ(dv_filter_read("", &filter), DIVVY_OK);
    CHECK_EQ(filter.count, 0);
    CHECK(dv_filter_names(&filter, "cpu"));
    const struct dv_filter_item *all = dv_filter_match(&filter, "anything", 7, "x");
    CHECK(all && all->by == DV_FILTER_ALL && all->units == 0);
    dv_filter_free(&filter);

    /* A backend alone is all of its devices; another backend's do not pass. */
    CHECK_EQ(item("cpu", "cpu", 99, "core 99"), 0);
    CHECK_EQ(item("cpu", "opencl", 0, "x"), -1);
    CHECK_EQ(item("cpu", "cp", 0, "x"), -1);

    /* Numbers and ranges are inclusive; the first item that fits counts. */
    CHECK_EQ(item("cpu:0-3,opencl:0", "cpu", 0, ""), 0);
    CHECK_EQ(item("cpu:0-3,opencl:0", "cpu", 3, ""), 0);
    CHECK_EQ(item("cpu:0-3,opencl:0", "cpu", 4, ""), -1);
    CHECK_EQ(item("cpu:0-3,opencl:0", "opencl", 0, ""), 1);
    CHECK_EQ(item("cpu:0-3,opencl:0", "opencl", 1, ""), -1);
    CHECK_EQ(item("cpu:1,cpu:0-4,cpu", "cpu", 1, ""), 0);
    CHECK_EQ(item("cpu:1,cpu:0-4,cpu", "cpu", 2, ""), 1);
    CHECK_EQ(item("cpu:1,cpu:0-4,cpu", "cpu", 5, ""), 2);
    CHECK_EQ(item("cpu:4294967295", "cpu", 4294967295u, ""), 0);

    /* A name is a part of the device's, its case ignored; it may hold spaces, colons and slashes. */
    CHECK_EQ(item("opencl:name~radeon", "opencl", 5, "AMD Radeon 780M"), 0);
    CHECK_EQ(item("opencl:name~radeon", "opencl", 5, "llvmpipe"), -1);
    CHECK_EQ(item("opencl:name~HD Graphics: 6", "opencl", 0, "Intel HD Graphics: 620"), 0);
    CHECK_EQ(item("opencl:name~a/b", "opencl", 0, "xa/by"), 0);

    /* Units stand behind a slash, in every form that names devices. */
    CHECK_EQ(units("opencl:0/2", ""), 2);
    CHECK_EQ(units("opencl:0-3/16", ""), 16);
    CHECK_EQ(units("opencl:name~Radeon/4", "a radeon"), 4);
    CHECK_EQ(units("opencl:0", ""), 0);

    /* A filter names the backends of its items only. */
    CHECK_EQ(dv_filter_read("cpu:0,opencl:name~x", &filter), DIVVY_OK);
    CHECK(dv_filter_names(&filter, "cpu") && dv_filter_names(&filter, "opencl"));
    CHECK(!dv_filter_names(&filter, "sim") && !dv_filter_names(&filter, "open"));
    dv_filter_free(&filter);
    dv_filter_free(&filter);
    dv_filter_free(NULL);

    /* Bad filters are INVALID; the message repeats them and tells what is allowed. */
    static const char *const wrong[] = {
        ",",
        "cpu,",
        ",cpu",
        "cpu,,opencl",
        ":0",
        "cpu:",
        "cpu:x",
        "cpu:1-",
        "cpu:-1",
        "cpu:3-1",
        "cpu:1-2-3",
        "cpu:0/",
        "cpu:0/0",
        "cpu:0/x",
        "cpu:0/-1",
        "cpu:/2",
        "cpu/2",
        "cpu:name~",
        "cpu:name~/2",
        "cpu:name",
        "CPU",
        "cpu :0",
        "cpu: 0",
        "cpu:4294967296",
        "cpu:0 ",
        "a_backend_whose_name_is_longer_than_it_may_be",
        "cpu:name~0123456789012345678901234567890123456789012345678901234567890123456789",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (!CHECK_EQ(dv_filter_read(wrong[i], &filter), DIVVY_INVALID))
            fprintf(stderr, "  \"%s\"\n", wrong[i]);
        CHECK_EQ(filter.count, 0);
        CHECK_HAS(divvy_error(), wrong[i]);
        CHECK_HAS(divvy_error(), "opencl:name~text");
    }
    return check_summary();
}
