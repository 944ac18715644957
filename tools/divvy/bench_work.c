#include "bench_work.h"

#include "bench_team.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Arrays ------------------------------------------------------------------------------------- */

static const divvy_parameter *parameter(const struct work *work, unsigned p)
{
    return &work->kind->kernel->parameters[p];
}

void *work_array(const struct work *work, unsigned p)
{
    void *array;
    memcpy(&array, (char *)work->args + parameter(work, p)->offset, sizeof array);
    return array;
}

size_t work_array_bytes(const struct work *work, unsigned p, size_t count)
{
    const divvy_parameter *of = parameter(work, p);
    if (divvy_kind_is_fold(of->kind))
        return of->element_bytes;
    return of->element_bytes * work->extents[p].elements * (of->kind == DIVVY_KIND_all ? 1 : count);
}

static void fill(struct work *work)
{
    if (!work->cores) {
        work->kind->fill(work, 0, work->count);
        return;
    }
    bench_team_start(work->cores);
    bench_pin(0);
    bench_team_run(work->count, work->kind->fill, work);
    bench_unpin();
}

void work_make(struct work *work, const struct work_kind *kind, size_t count, unsigned cores)
{
    const divvy_kernel *kernel = kind->kernel;
    *work = (struct work){.kind = kind, .count = count, .cores = cores, .args = calloc(1, kernel->args_size)};
    bench_require(work->args != NULL, kind->name, "memory");
    kind->set_values(work);
    kernel->extents(work->args, count, work->extents);
    for (unsigned p = 0; p < kernel->parameter_count; p++) {
        if (kernel->parameters[p].kind == DIVVY_KIND_value)
            continue;
        void *array = bench_alloc(work_array_bytes(work, p, count));
        memcpy((char *)work->args + kernel->parameters[p].offset, &array, sizeof array);
    }
    fill(work);
    work_spoil(work);
}

void work_free(struct work *work)
{
    for (unsigned p = 0; p < work->kind->kernel->parameter_count; p++)
        if (parameter(work, p)->kind != DIVVY_KIND_value)
            free(work_array(work, p));
    free(work->args);
}

void work_spoil(struct work *work)
{
    bool in_place = false;
    for (unsigned p = 0; p < work->kind->kernel->parameter_count; p++) {
        in_place = in_place || parameter(work, p)->kind == DIVVY_KIND_inout;
        if (divvy_kind_is_written(parameter(work, p)->kind) && parameter(work, p)->kind != DIVVY_KIND_inout)
            memset(work_array(work, p), 0xff, work_array_bytes(work, p, work->count)); /* NaN, -1 */
    }
    if (in_place)
        fill(work);
}

/* ---- Running ------------------------------------------------------------------------------------ */

divvy_body *work_form(const struct work_kind *kind, const char *level)
{
    for (size_t f = 0; f < kind->kernel->form_count; f++)
        if (strcmp(kind->kernel->forms[f].level, level) == 0)
            return kind->kernel->forms[f].body;
    bench_require(false, kind->name, level);
    return NULL;
}

void work_run_form(const struct work *work, divvy_body *body, size_t first, size_t count)
{
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    for (unsigned p = 0; p < work->kind->kernel->parameter_count; p++) {
        const divvy_parameter *of = parameter(work, p);
        if (of->kind == DIVVY_KIND_value) {
            slices[p] = (divvy_slice){.data = (char *)work->args + of->offset, .bytes = of->element_bytes};
            continue;
        }
        size_t base = of->kind == DIVVY_KIND_all ? 0 : first * work->extents[p].elements;
        slices[p] = (divvy_slice){.data = (char *)work_array(work, p) + base * of->element_bytes,
                                  .bytes = work_array_bytes(work, p, count),
                                  .base = base};
    }
    body(slices, first, count, work->count);
}

static void require_done(divvy_status status, const char *name)
{
    if (status != DIVVY_OK)
        fprintf(stderr, "%s\n", divvy_error());
    bench_require(status == DIVVY_OK, name, "divvy");
}

divvy *work_open_with(const divvy_options *options)
{
    divvy *dv;
    divvy_options forgetful = *options;
    forgetful.models = "off"; /* a first call is one */
    require_done(divvy_open(&dv, &forgetful), "opening a context");
    return dv;
}

divvy *work_open(const char *schedule, unsigned threads)
{
    return work_open_with(&(divvy_options){.backend = "cpu", .schedule = schedule, .threads = (int)threads});
}

const char *work_level(void)
{
    static char level[32];
    divvy *dv = work_open("static", 0);
    divvy_device core;
    require_done(divvy_device_at(dv, 0, &core), "the first core");
    snprintf(level, sizeof level, "%s", core.driver);
    divvy_close(dv);
    return level;
}

/* ---- Ways --------------------------------------------------------------------------------------- */

static void run_part(void *context, size_t first, size_t count)
{
    const struct way *way = context;
    work_run_form(way->work, way->body, first, count);
}

static void way_run(void *context)
{
    struct way *way = context;
    struct work *work = way->work;
    const struct work_kind *kind = work->kind;
    if (kind->advance)
        kind->advance(work);
    if (way->dv)
        require_done(divvy_run_kernel(way->dv, kind->kernel, work->count, work->args, kind->kernel->args_size),
                     kind->name);
    else if (way->peer && way->body)
        way->peer->run(work->count, kind->grain, run_part, way);
    else if (way->peer)
        kind->run_peer(work, way->peer);
    else
        bench_team_run(work->count, run_part, way);
}

static void way_before(void *context)
{
    const struct way *way = context;
    bench_take_places(way->peer, way->threads);
}

static void way_spoil(void *context)
{
    work_spoil(((struct way *)context)->work);
}

static bool way_is_right(void *context)
{
    const struct work *work = ((struct way *)context)->work;
    return work->kind->is_right(work);
}

struct bench_contender way_contender(struct way *way, const char *name)
{
    struct bench_contender contender = {.before = way_before,
                                        .run = way_run,
                                        .spoil = way_spoil,
                                        .is_right = way_is_right,
                                        .context = way,
                                        .on_first_core = !way->dv,
                                        .settle_ms = way->peer ? way->peer->settle_ms
                                                     : way->dv ? 0
                                                               : 1};
    snprintf(contender.name, sizeof contender.name, "%s%s",
             name        ? name
             : way->peer ? way->peer->name
                         : "",
             way->peer && way->body ? ", same code" : "");
    return contender;
}
