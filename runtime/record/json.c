#include "record/json.h"

#include "base/status.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Where the pieces go. */
struct output {
    FILE *file;
    const struct dv_content *content;
    bool no_memory; /* some piece is not whole */
};

/* ---- Members of objects ---- */

static void keep(struct output *out, const void *added)
{
    if (!added)
        out->no_memory = true;
}

/* cJSON's numbers are doubles, printed with 15 digits: longer ones go as text, so that the file holds them exactly. */
static void add_count(struct output *out, cJSON *object, const char *name, uint64_t value)
{
    if (value < 1000000000000000u) {
        keep(out, cJSON_AddNumberToObject(object, name, (double)value));
        return;
    }
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    keep(out, cJSON_AddRawToObject(object, name, digits));
}

static void add_moment(struct output *out, cJSON *object, const char *name, uint64_t moment_ns)
{
    uint64_t origin_ns = out->content->origin_ns;
    add_count(out, object, name, moment_ns > origin_ns ? moment_ns - origin_ns : 0);
}

static void add_null(struct output *out, cJSON *object, const char *name)
{
    keep(out, cJSON_AddNullToObject(object, name));
}

/* 0 stands for "unknown" in records. */
static void add_known(struct output *out, cJSON *object, const char *name, uint64_t value)
{
    if (value)
        add_count(out, object, name, value);
    else
        add_null(out, object, name);
}

static void add_real(struct output *out, cJSON *object, const char *name, double value)
{
    if (isfinite(value))
        keep(out, cJSON_AddNumberToObject(object, name, value));
    else
        add_null(out, object, name);
}

static void add_flag(struct output *out, cJSON *object, const char *name, bool value)
{
    keep(out, cJSON_AddBoolToObject(object, name, value));
}

/* Bytes of the UTF-8 character that `text` begins with; 0 if it is none. */
static size_t character_bytes(const unsigned char *text)
{
    size_t bytes = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point = bytes > 1 ? text[0] & (0x7fu >> bytes) : text[0];

    for (size_t i = 1; i < bytes; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return bytes && point >= least[bytes] && point <= 0x10ffff && !surrogate ? bytes : 0;
}

char *dv_json_clean(const char *text)
{
    char *clean = strdup(text ? text : "");
    for (unsigned char *at = (unsigned char *)clean; at && *at;) {
        size_t bytes = character_bytes(at);
        if (!bytes)
            *at = '?';
        at += bytes ? bytes : 1;
    }
    return clean;
}

static void add_text(struct output *out, cJSON *object, const char *name, const char *text)
{
    char *clean = dv_json_clean(text);
    keep(out, clean);
    if (!clean)
        return;
    keep(out, cJSON_AddStringToObject(object, name, clean));
    free(clean);
}

static cJSON *new_object(struct output *out)
{
    cJSON *object = cJSON_CreateObject();
    keep(out, object);
    return object;
}

static cJSON *add_array(struct output *out, cJSON *object, const char *name)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);
    keep(out, array);
    return array;
}

static void append(struct output *out, cJSON *array, cJSON *item)
{
    if (!cJSON_AddItemToArray(array, item)) {
        out->no_memory = true;
        cJSON_Delete(item);
    }
}

static void adopt(struct output *out, cJSON *object, const char *name, cJSON *item)
{
    if (!cJSON_AddItemToObject(object, name, item)) {
        out->no_memory = true;
        cJSON_Delete(item);
    }
}

/* ---- Pieces of the file ---- */

/* Prints an object on one line and frees it; an open one is left without its last brace. */
static void put(struct output *out, cJSON *object, bool open)
{
    char *text = object ? cJSON_PrintUnformatted(object) : NULL;
    keep(out, text);
    if (text)
        fwrite(text, 1, strlen(text) - (open ? 1 : 0), out->file);
    cJSON_free(text);
    cJSON_Delete(object);
}

typedef cJSON *make_object(struct output *out, size_t index);

/* `"name":[` one object a line `]`. */
static void put_list(struct output *out, const char *name, size_t count, make_object *make)
{
    fprintf(out->file, ",\n\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ",\n" : "\n", out->file);
        put(out, make(out, i), false);
    }
    fputc(']', out->file);
}

static const char *program_path(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length <= 0)
        return program_invocation_name;
    path[length] = 0;
    return path;
}

static cJSON *make_host(struct output *out)
{
    const struct dv_topology *host = out->content->host;
    cJSON *object = new_object(out);
    struct utsname system;

    if (uname(&system) == 0) {
        add_text(out, object, "name", system.nodename);
        add_text(out, object, "system", system.sysname);
        add_text(out, object, "release", system.release);
        add_text(out, object, "machine", system.machine);
    }
    add_text(out, object, "model", host->model);
    add_count(out, object, "machine_cores", host->machine_cores);
    add_count(out, object, "machine_threads", host->machine_threads);
    add_count(out, object, "numa", host->numa_count);
    if (host->quota > 0)
        add_real(out, object, "quota", host->quota);
    else
        add_null(out, object, "quota");
    add_known(out, object, "memory_bytes", host->memory_bytes);
    add_known(out, object, "l1_bytes", host->l1_bytes);
    add_known(out, object, "l2_bytes", host->l2_bytes);
    add_known(out, object, "l3_bytes", host->l3_bytes);
    add_flag(out, object, "synthetic", host->synthetic);

    cJSON *cores = add_array(out, object, "cores");
    for (unsigned i = 0; i < host->core_count; i++) {
        cJSON *core = new_object(out);
        add_count(out, core, "cpu", host->cores[i].cpu);
        add_count(out, core, "numa", host->cores[i].numa);
        add_count(out, core, "kind", host->cores[i].kind);
        add_count(out, core, "package", host->cores[i].package);
        add_count(out, core, "threads", host->cores[i].threads);
        append(out, cores, core);
    }
    return object;
}

static cJSON *make_head(struct output *out)
{
    const struct dv_content *content = out->content;
    cJSON *object = new_object(out);
    char path[4096], started[64], version[48];
    struct tm day;

    size_t used = strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%S", gmtime_r(&content->started.tv_sec, &day));
    snprintf(started + used, sizeof started - used, ".%06ldZ", content->started.tv_nsec / 1000);
    snprintf(version, sizeof version, "%d.%d.%d", DIVVY_VERSION_MAJOR, DIVVY_VERSION_MINOR, DIVVY_VERSION_PATCH);

    add_count(out, object, "divvy_profile", 1);
    add_text(out, object, "version", version);
    add_text(out, object, "program", program_path(path, sizeof path));
    add_count(out, object, "process", (uint64_t)getpid());
    add_text(out, object, "started", started);
    add_count(out, object, "wall_ns", content->wall_ns);
    adopt(out, object, "host", make_host(out));
    return object;
}

static const char *type_name(divvy_device_type type)
{
    switch (type) {
    case DIVVY_CORE:
        return "core";
    case DIVVY_CPU:
        return "cpu";
    case DIVVY_GPU:
        return "gpu";
    case DIVVY_ACCELERATOR:
        break;
    }
    return "accelerator";
}

static cJSON *make_device(struct output *out, size_t index)
{
    const struct dv_device_record *device = &out->content->devices[index];
    cJSON *object = new_object(out);

    add_text(out, object, "id", device->id);
    add_text(out, object, "name", device->name);
    add_text(out, object, "backend", device->backend);
    add_text(out, object, "class", device->device_class);
    add_text(out, object, "type", type_name(device->type));
    add_text(out, object, "identity", device->driver);
    add_text(out, object, "address", device->address);
    if (device->core >= 0)
        add_count(out, object, "core", (uint64_t)device->core);
    else
        add_null(out, object, "core");
    add_count(out, object, "cores", device->cores);
    add_count(out, object, "units", device->units);
    add_count(out, object, "granule", device->granule);
    add_known(out, object, "memory_bytes", device->memory_bytes);
    add_flag(out, object, "staged", device->staged);
    add_flag(out, object, "opened", device->opened);
    add_count(out, object, "fixed_ns", device->fixed_ns);
    add_known(out, object, "latency_ns", device->rates.latency_ns);
    add_known(out, object, "upload_bytes_per_s", device->rates.upload_bytes_per_s);
    add_known(out, object, "download_bytes_per_s", device->rates.download_bytes_per_s);
    return object;
}

/* ---- Jobs ---- */

/* What the sums of one device, or of all, have in common. */
static void add_totals(struct output *out, cJSON *object, const struct dv_use *use, uint64_t idle_ns)
{
    add_count(out, object, "partitions", use->partitions);
    add_count(out, object, "items", use->items);
    add_count(out, object, "busy_ns", use->busy_ns);
    add_count(out, object, "idle_ns", idle_ns);
    add_count(out, object, "min_ns", use->min_ns);
    add_count(out, object, "avg_ns", use->partitions ? use->busy_ns / use->partitions : 0);
    add_count(out, object, "max_ns", use->max_ns);
    add_count(out, object, "build_ns", use->build_ns);
}

static cJSON *make_use(struct output *out, const struct dv_use *use, uint64_t idle_ns)
{
    cJSON *object = new_object(out);

    add_count(out, object, "device", use->device);
    add_totals(out, object, use, idle_ns);
    add_count(out, object, "fixed_ns", use->fixed_ns);
    if (use->ready_ns)
        add_moment(out, object, "ready_ns", use->ready_ns);
    else
        add_null(out, object, "ready_ns");
    if (use->ns_per_item > 0)
        add_real(out, object, "ns_per_item", use->ns_per_item);
    else
        add_null(out, object, "ns_per_item");
    add_flag(out, object, "parked", use->parked);
    add_flag(out, object, "retired", use->retired);
    return object;
}

static cJSON *make_summary(struct output *out, const struct dv_job_record *job)
{
    uint64_t wall_ns = job->end_ns > job->start_ns ? job->end_ns - job->start_ns : 0, all_idle_ns = 0;
    cJSON *object = new_object(out), *devices = add_array(out, object, "devices");
    struct dv_use all = {0};

    for (size_t i = 0; i < job->use_count; i++) {
        const struct dv_use *use = &job->uses[i];
        uint64_t idle_ns = wall_ns > use->busy_ns ? wall_ns - use->busy_ns : 0;
        append(out, devices, make_use(out, use, idle_ns));
        all_idle_ns += idle_ns;
        if (use->partitions && (!all.partitions || use->min_ns < all.min_ns))
            all.min_ns = use->min_ns;
        if (use->max_ns > all.max_ns)
            all.max_ns = use->max_ns;
        all.partitions += use->partitions;
        all.items += use->items;
        all.busy_ns += use->busy_ns;
        all.build_ns += use->build_ns;
    }
    add_totals(out, object, &all, all_idle_ns);
    add_count(out, object, "compute_ns", all.busy_ns);
    add_count(out, object, "overhead_ns", job->split_ns + job->combine_ns);
    /* No number of devices can be faster than the longest partition. */
    if (all.max_ns)
        add_real(out, object, "maximum_speedup", (double)all.busy_ns / (double)all.max_ns);
    else
        add_null(out, object, "maximum_speedup");
    return object;
}

const char *dv_reason_name(enum dv_reason reason)
{
    static const char *const names[] = {[DV_PROBE] = "probe", [DV_SHARE] = "share", [DV_FLOOR] = "floor",
                                        [DV_TAIL] = "tail",   [DV_FIXED] = "fixed", [DV_DUPLICATE] = "duplicate"};
    return names[reason];
}

static cJSON *make_partition(struct output *out, const struct dv_job_record *job, size_t index)
{
    static const char *const outcomes[] = {
        [DV_ACCEPTED] = "accepted", [DV_FAILED] = "failed", [DV_LATE] = "late", [DV_DROPPED] = "dropped"};
    const struct dv_partition_record *partition = &job->partitions[index];
    const struct dv_decision *decision = &partition->decision;
    cJSON *object = new_object(out);

    add_count(out, object, "device", job->uses[partition->device].device);
    add_count(out, object, "first", partition->first);
    add_count(out, object, "count", partition->count);
    add_count(out, object, "requested", partition->requested);
    add_moment(out, object, "queued_ns", partition->queued_ns);
    add_moment(out, object, "start_ns", partition->start_ns);
    add_moment(out, object, "end_ns", partition->end_ns);
    add_count(out, object, "jit_ns", partition->jit_ns);
    add_count(out, object, "copy_in_ns", partition->copy_in_ns);
    add_count(out, object, "run_ns", partition->run_ns);
    add_count(out, object, "copy_out_ns", partition->copy_out_ns);
    add_count(out, object, "bytes", partition->bytes);
    add_count(out, object, "attempt", partition->attempt);
    add_text(out, object, "outcome", outcomes[partition->outcome]);
    add_text(out, object, "reason", dv_reason_name(partition->reason));
    if (decision->end_ns > 0) {
        add_real(out, object, "share", decision->share);
        add_real(out, object, "guard", decision->guard);
        add_real(out, object, "floor", decision->floor);
        add_moment(out, object, "expected_end_ns", (uint64_t)decision->end_ns);
    }
    return object;
}

static const char *basis_name(divvy_bound_basis basis)
{
    return basis == DIVVY_BOUND_MEASURED ? "measured" : basis == DIVVY_BOUND_MODEL ? "model" : "unknown";
}

static cJSON *make_losses(struct output *out, const struct dv_losses *losses)
{
    cJSON *object = new_object(out);
    add_real(out, object, "launch_ns", losses->launch_ns);
    add_real(out, object, "copies_ns", losses->copies_ns);
    add_real(out, object, "jit_ns", losses->jit_ns);
    add_real(out, object, "repeated_ns", losses->repeated_ns);
    add_real(out, object, "waiting_ns", losses->waiting_ns);
    add_real(out, object, "imbalance_ns", losses->imbalance_ns);
    return object;
}

static cJSON *make_job(struct output *out, const struct dv_kept_job *kept)
{
    const struct dv_job_record *job = &kept->record;
    bool bounded = job->bound_basis != DIVVY_BOUND_UNKNOWN;
    cJSON *object = new_object(out);

    add_count(out, object, "id", job->id);
    add_text(out, object, "name", job->name);
    add_text(out, object, "kernel", job->kernel);
    add_count(out, object, "count", job->count);
    add_text(out, object, "schedule", job->schedule);
    if (job->block)
        add_count(out, object, "block", job->block);
    add_moment(out, object, "start_ns", job->start_ns);
    add_moment(out, object, "end_ns", job->end_ns);
    add_count(out, object, "split_ns", job->split_ns);
    add_count(out, object, "combine_ns", job->combine_ns);
    add_known(out, object, "bound_ns", bounded ? job->bound_ns : 0);
    add_text(out, object, "bound_basis", basis_name(job->bound_basis));
    if (bounded)
        add_real(out, object, "efficiency", job->efficiency);
    else
        add_null(out, object, "efficiency");
    if (bounded)
        adopt(out, object, "losses", make_losses(out, &job->losses));
    add_text(out, object, "status", divvy_status_name(job->status));
    if (job->error[0])
        add_text(out, object, "error", job->error);
    if (kept->partitions_left_out)
        add_count(out, object, "partitions_left_out", kept->partitions_left_out);
    adopt(out, object, "summary", make_summary(out, job));
    return object;
}

static void put_jobs(struct output *out)
{
    fputs(",\n\"jobs\":[", out->file);
    for (size_t i = 0; i < out->content->job_count; i++) {
        const struct dv_kept_job *kept = out->content->jobs[i];
        const struct dv_job_record *job = &kept->record;
        fputs(i ? ",\n" : "\n", out->file);
        put(out, make_job(out, kept), job->partition_count > 0);
        if (job->partition_count == 0)
            continue;
        fputs(",\"partitions\":[", out->file);
        for (size_t k = 0; k < job->partition_count; k++) {
            fputs(k ? ",\n" : "\n", out->file);
            put(out, make_partition(out, job, k), false);
        }
        fputs("]}", out->file);
    }
    fputc(']', out->file);
}

static cJSON *make_summed(struct output *out, size_t index)
{
    const struct dv_summed_jobs *summed = &out->content->summed[index];
    cJSON *object = new_object(out);

    add_text(out, object, "kernel", summed->kernel);
    add_count(out, object, "jobs", summed->jobs);
    add_count(out, object, "failed", summed->failed);
    add_count(out, object, "items", summed->items);
    add_moment(out, object, "first_ns", summed->first_ns);
    add_moment(out, object, "last_ns", summed->last_ns);
    add_count(out, object, "wall_ns", summed->wall_ns);
    add_count(out, object, "min_ns", summed->min_ns);
    add_count(out, object, "avg_ns", summed->wall_ns / summed->jobs);
    add_count(out, object, "max_ns", summed->max_ns);
    add_count(out, object, "split_ns", summed->split_ns);
    add_count(out, object, "combine_ns", summed->combine_ns);
    add_count(out, object, "bounded_jobs", summed->bounded_jobs);
    add_count(out, object, "bounded_wall_ns", summed->bounded_wall_ns);
    add_known(out, object, "bound_ns", summed->bound_ns);
    if (summed->bounded_wall_ns)
        add_real(out, object, "efficiency", (double)summed->bound_ns / (double)summed->bounded_wall_ns);
    else
        add_null(out, object, "efficiency");

    cJSON *devices = add_array(out, object, "devices");
    for (size_t i = 0; i < summed->use_count; i++) {
        cJSON *device = new_object(out);
        add_count(out, device, "device", i);
        add_count(out, device, "partitions", summed->uses[i].partitions);
        add_count(out, device, "items", summed->uses[i].items);
        add_count(out, device, "busy_ns", summed->uses[i].busy_ns);
        append(out, devices, device);
    }
    return object;
}

/* ---- Models and events ---- */

static cJSON *make_model(struct output *out, size_t index)
{
    const struct dv_model_record *model = &out->content->models[index];
    cJSON *object = new_object(out);

    add_text(out, object, "kernel", model->kernel);
    add_text(out, object, "class", model->device_class);
    add_count(out, object, "size_class", model->size_class);
    add_real(out, object, "fixed_ns", model->fixed_ns);
    add_real(out, object, "ns_per_item", model->ns_per_item);
    add_real(out, object, "uncertainty", model->uncertainty);
    add_count(out, object, "samples", model->samples);
    add_text(out, object, "state", model->running ? "running" : "learning");
    add_flag(out, object, "stored", model->stored);
    add_known(out, object, "partition", model->partition);
    return object;
}

static cJSON *make_event(struct output *out, size_t index)
{
    const struct dv_event_record *event = &out->content->events[index];
    cJSON *object = new_object(out);

    add_moment(out, object, "time_ns", event->time_ns);
    add_text(out, object, "what", event->what);
    if (event->device >= 0)
        add_count(out, object, "device", (uint64_t)event->device);
    else
        add_null(out, object, "device");
    add_known(out, object, "job", event->job);
    add_text(out, object, "text", event->text);
    return object;
}

divvy_status dv_json_write(const struct dv_content *content, FILE *file)
{
    struct output out = {.file = file, .content = content};

    put(&out, make_head(&out), true);
    put_list(&out, "devices", content->device_count, make_device);
    put_jobs(&out);
    put_list(&out, "jobs_summed", content->summed_count, make_summed);
    put_list(&out, "models", content->model_count, make_model);
    put_list(&out, "events", content->event_count, make_event);
    if (content->events_left_out)
        fprintf(file, ",\n\"events_left_out\":%" PRIu64, content->events_left_out);
    fputs("}\n", file);
    return out.no_memory ? dv_fail(DIVVY_NO_MEMORY, "memory ran out while the profile was written") : DIVVY_OK;
}
