#include "machine/topology.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/status.h"
#include "machine/quota.h"

#include <ctype.h>
#include <errno.h>
#include <hwloc.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hwloc_topology_t machine; /* NULL: discovery failed */
static struct dv_topology topology;
static int *core_of_thread; /* [thread_limit]: by the operating system's number; -1: of no core that may be used */
static int thread_limit;
static char discovery_error[256];

/* ---- Discovery -------------------------------------------------------------------------------- */

/* Hardware threads that the control group's cpuset and the affinity mask allow; never empty. */
static hwloc_bitmap_t allowed_threads(void)
{
    hwloc_bitmap_t allowed = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(machine));
    hwloc_bitmap_t mask = hwloc_bitmap_alloc();
    if (allowed && mask && hwloc_get_cpubind(machine, mask, HWLOC_CPUBIND_PROCESS) == 0 &&
        hwloc_bitmap_intersects(allowed, mask))
        hwloc_bitmap_and(allowed, allowed, mask);
    hwloc_bitmap_free(mask);
    return allowed;
}

static unsigned numa_of(hwloc_obj_t object)
{
    int number = object->nodeset ? hwloc_bitmap_first(object->nodeset) : -1;
    hwloc_obj_t node = number < 0 ? NULL : hwloc_get_numanode_obj_by_os_index(machine, (unsigned)number);
    return node ? node->logical_index : 0;
}

static unsigned package_of(hwloc_obj_t object)
{
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(machine, HWLOC_OBJ_PACKAGE, object);
    return package ? package->logical_index : 0;
}

static unsigned kind_of(hwloc_const_bitmap_t threads)
{
    int kind = hwloc_cpukinds_get_by_cpuset(machine, threads, 0);
    return kind < 0 ? 0 : (unsigned)kind;
}

/* Fills the core unless none of its hardware threads is allowed. */
static bool describe_core(hwloc_obj_t object, hwloc_const_bitmap_t allowed, struct dv_core *out)
{
    hwloc_bitmap_t threads = hwloc_bitmap_alloc();
    if (!threads)
        return false;
    hwloc_bitmap_and(threads, object->cpuset, allowed);
    const int first = hwloc_bitmap_first(threads);
    if (first >= 0)
        *out = (struct dv_core){
            .cpu = (unsigned)first,
            .numa = numa_of(object),
            .kind = kind_of(threads),
            .package = package_of(object),
            .threads = (unsigned)hwloc_bitmap_weight(threads),
        };
    hwloc_bitmap_free(threads);
    return first >= 0;
}

static unsigned how_many(hwloc_obj_type_t type)
{
    int count = hwloc_get_nbobjs_by_type(machine, type);
    return count > 0 ? (unsigned)count : 0;
}

/* Some virtual machines state hardware threads only: each is a core then. */
static hwloc_obj_type_t core_type(void)
{
    return how_many(HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
}

/* All its hardware threads, since a thread of the program may run where the library's do not. */
static void note_threads(hwloc_obj_t object, unsigned core)
{
    for (int thread = hwloc_bitmap_first(object->cpuset); thread >= 0 && thread < thread_limit;
         thread = hwloc_bitmap_next(object->cpuset, thread))
        core_of_thread[thread] = (int)core;
}

static bool find_cores(void)
{
    const hwloc_obj_type_t type = core_type();
    struct dv_core *cores = calloc(how_many(type), sizeof *cores);
    hwloc_bitmap_t allowed = allowed_threads();
    thread_limit = hwloc_bitmap_last(hwloc_topology_get_topology_cpuset(machine)) + 1;
    core_of_thread = thread_limit > 0 ? malloc((size_t)thread_limit * sizeof *core_of_thread) : NULL;
    for (int thread = 0; core_of_thread && thread < thread_limit; thread++)
        core_of_thread[thread] = -1;
    for (unsigned i = 0; cores && core_of_thread && allowed && i < how_many(type); i++) {
        hwloc_obj_t object = hwloc_get_obj_by_type(machine, type, i);
        if (describe_core(object, allowed, &cores[topology.core_count]))
            note_threads(object, topology.core_count++);
    }
    hwloc_bitmap_free(allowed);
    topology.cores = cores;
    return topology.core_count > 0;
}

static void find_caches(void)
{
    hwloc_obj_t object = hwloc_get_pu_obj_by_os_index(machine, topology.cores[0].cpu);
    for (; object; object = object->parent) {
        if (!hwloc_obj_type_is_dcache(object->type))
            continue;
        uint64_t bytes = object->attr->cache.size;
        if (object->attr->cache.depth == 1)
            topology.l1_bytes = bytes;
        else if (object->attr->cache.depth == 2)
            topology.l2_bytes = bytes;
        else if (object->attr->cache.depth == 3)
            topology.l3_bytes = bytes;
    }
}

static const char *processor_model(void)
{
    hwloc_obj_t package = hwloc_get_obj_by_type(machine, HWLOC_OBJ_PACKAGE, 0);
    const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    if (!model)
        model = hwloc_obj_get_info_by_name(hwloc_get_root_obj(machine), "CPUModel");
    return model ? model : "";
}

/* Nodes may tell less than there is where memory was added while the system ran. */
static uint64_t memory_of_machine(void)
{
    uint64_t nodes = hwloc_get_root_obj(machine)->total_memory;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t all = !topology.synthetic && pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    return all > nodes ? all : nodes;
}

/* What the machine is made of, in words that are the same as long as it is the same machine: every level of its tree with
 * how many there are and how large the caches are, and its kinds of cores. */
static void describe_whole(FILE *out)
{
    char attributes[256];
    fprintf(out, "%s\n%d\n", topology.model, topology.synthetic);
    for (int depth = 0; depth < hwloc_topology_get_depth(machine); depth++) {
        hwloc_obj_t object = hwloc_get_obj_by_depth(machine, depth, 0);
        fprintf(out, "%s %u", hwloc_obj_type_string(object->type), hwloc_get_nbobjs_by_depth(machine, depth));
        for (; object && hwloc_obj_type_is_cache(object->type); object = object->next_cousin)
            fprintf(out, " %llu", (unsigned long long)object->attr->cache.size);
        fputc('\n', out);
    }
    fprintf(out, "nodes %u\n", topology.numa_count);
    hwloc_bitmap_t threads = hwloc_bitmap_alloc();
    for (unsigned kind = 0; threads && kind < topology.kind_count; kind++)
        if (hwloc_cpukinds_get_info(machine, kind, threads, NULL, NULL, NULL, 0) == 0 &&
            hwloc_bitmap_list_snprintf(attributes, sizeof attributes, threads) >= 0)
            fprintf(out, "kind %s\n", attributes);
    hwloc_bitmap_free(threads);
}

static void digest_machine(void)
{
    char *words = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&words, &bytes);
    if (out) {
        describe_whole(out);
        fclose(out);
    }
    dv_hash(words ? words : "", words ? bytes : 0, topology.digest);
    free(words);
}

static void describe_machine(void)
{
    const int kinds = hwloc_cpukinds_get_nr(machine, 0);
    topology.kind_count = kinds > 0 ? (unsigned)kinds : 1;
    topology.model = processor_model();
    topology.machine_cores = how_many(core_type());
    topology.machine_threads = how_many(HWLOC_OBJ_PU);
    topology.numa_count = how_many(HWLOC_OBJ_NUMANODE);
    topology.synthetic = !hwloc_topology_is_thissystem(machine);
    topology.memory_bytes = memory_of_machine();
    topology.quota = topology.synthetic ? 0 : dv_quota_read("");
    find_caches();
    digest_machine();
}

/* Disallowed cores are loaded too, to tell how large the machine is. */
static bool load_machine(void)
{
    if (hwloc_topology_init(&machine) != 0)
        return false;
    if (hwloc_topology_set_flags(machine, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) == 0 &&
        hwloc_topology_load(machine) == 0)
        return true;
    hwloc_topology_destroy(machine);
    machine = NULL;
    return false;
}

static void discover(void)
{
    if (!load_machine()) {
        snprintf(discovery_error, sizeof discovery_error, "the machine's topology could not be read: %s",
                 strerror(errno));
        return;
    }
    if (!find_cores()) {
        snprintf(discovery_error, sizeof discovery_error, "no core of this machine may be used");
        return;
    }
    describe_machine();
    dv_log(DIVVY_LOG_INFO, "topology", "%u of %u cores may be used", topology.core_count, topology.machine_cores);
}

const struct dv_topology *dv_topology_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, discover);
    if (*discovery_error) {
        dv_fail(DIVVY_INTERNAL, "%s", discovery_error);
        return NULL;
    }
    return &topology;
}

/* ---- Choosing cores --------------------------------------------------------------------------- */

/* A quota of 1.5 cores is worth two cores, each of which stands still a quarter of the time. */
static unsigned default_cores(void)
{
    if (topology.quota <= 0 || topology.quota >= topology.core_count)
        return topology.core_count;
    return (unsigned)ceil(topology.quota);
}

divvy_status dv_topology_thread_count(int threads, unsigned *out_count)
{
    if (!dv_topology_get())
        return DIVVY_INTERNAL;
    if (threads > 0 && (unsigned)threads > topology.core_count)
        return dv_fail(DIVVY_LIMIT, "threads is %d; this process may use %u cores", threads, topology.core_count);
    if (threads > 0) {
        *out_count = (unsigned)threads;
    } else if (threads == 0) {
        *out_count = default_cores();
    } else {
        unsigned left_out = 0u - (unsigned)threads - 1;
        *out_count = left_out < topology.core_count ? topology.core_count - left_out : 1;
    }
    return DIVVY_OK;
}

/* Neighbours first, on the fastest kind of core. */
static void place_compact(unsigned count, unsigned *out_cores)
{
    unsigned placed = 0;
    for (unsigned kind = topology.kind_count; kind-- > 0;)
        for (unsigned i = 0; i < topology.core_count && placed < count; i++)
            if (topology.cores[i].kind == kind)
                out_cores[placed++] = i;
}

/* How many of the placed cores share the package and the NUMA node of this one. The package weighs more. */
static unsigned crowd(unsigned core, const unsigned *placed, unsigned placed_count)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < placed_count; i++) {
        const struct dv_core *there = &topology.cores[placed[i]], *here = &topology.cores[core];
        sum += (there->package == here->package) * (topology.core_count + 1) + (there->numa == here->numa);
    }
    return sum;
}

static bool is_placed(unsigned core, const unsigned *placed, unsigned placed_count)
{
    for (unsigned i = 0; i < placed_count; i++)
        if (placed[i] == core)
            return true;
    return false;
}

/* Each next core where there is least company. */
static void place_scattered(unsigned count, unsigned *out_cores)
{
    for (unsigned placed = 0; placed < count; placed++) {
        unsigned best = topology.core_count, best_crowd = 0;
        for (unsigned i = 0; i < topology.core_count; i++) {
            if (is_placed(i, out_cores, placed))
                continue;
            unsigned here = crowd(i, out_cores, placed);
            if (best == topology.core_count || here < best_crowd) {
                best = i;
                best_crowd = here;
            }
        }
        out_cores[placed] = best;
    }
}

/* Reads "7" or "2-5" and moves *at behind it. */
static bool read_range(const char **at, unsigned *out_low, unsigned *out_high)
{
    unsigned long bounds[2];
    for (int i = 0; i < 2; i++) {
        char *end;
        if (!isdigit((unsigned char)**at))
            return false;
        bounds[i] = strtoul(*at, &end, 10);
        if (bounds[i] >= topology.core_count)
            return false;
        *at = end;
        if (i == 0 && *end != '-') {
            bounds[1] = bounds[0];
            break;
        }
        *at += i == 0;
    }
    *out_low = (unsigned)bounds[0];
    *out_high = (unsigned)bounds[1];
    return bounds[0] <= bounds[1];
}

static divvy_status place_listed(const char *list, unsigned count, unsigned *out_cores)
{
    unsigned placed = 0, named = 0, low, high;
    const char *at = list;
    do {
        if (!read_range(&at, &low, &high) || (*at && *at != ',') || (*at == ',' && !at[1]))
            return dv_fail(DIVVY_INVALID,
                           "bind is \"%s\"; it takes compact, scatter, none or a list of cores from 0 to %u "
                           "such as 0,2-5",
                           list, topology.core_count - 1);
        for (unsigned core = low; core <= high; core++, named++)
            if (placed < count && !is_placed(core, out_cores, placed))
                out_cores[placed++] = core;
        at += *at == ',';
    } while (*at);
    if (placed < count)
        return dv_fail(DIVVY_INVALID, "bind is \"%s\", which names %u cores; %u are to be used", list, named, count);
    return DIVVY_OK;
}

divvy_status dv_topology_place(const char *bind, unsigned count, unsigned *out_cores, bool *out_bound)
{
    if (!dv_topology_get())
        return DIVVY_INTERNAL;
    if (count > topology.core_count)
        return dv_fail(DIVVY_LIMIT, "%u cores are to be used; this process may use %u", count, topology.core_count);
    *out_bound = strcmp(bind, "none") != 0;
    if (strcmp(bind, "scatter") == 0) {
        place_scattered(count, out_cores);
        return DIVVY_OK;
    }
    if (*bind && *out_bound && strcmp(bind, "compact") != 0)
        return place_listed(bind, count, out_cores);
    if (!*bind) /* bound to some cores only, several processes would pile up on the first ones */
        *out_bound = count == topology.core_count;
    place_compact(count, out_cores);
    return DIVVY_OK;
}

/* ---- Binding ---------------------------------------------------------------------------------- */

divvy_status dv_topology_bind(const unsigned *cores, unsigned count)
{
    if (!dv_topology_get())
        return DIVVY_INTERNAL;
    if (topology.synthetic)
        return DIVVY_OK;
    hwloc_bitmap_t wanted = hwloc_bitmap_alloc(), got = hwloc_bitmap_alloc();
    bool sits = false;
    if (wanted && got) {
        for (unsigned i = 0; i < count; i++)
            hwloc_bitmap_set(wanted, topology.cores[cores[i]].cpu);
        sits = hwloc_set_cpubind(machine, wanted, HWLOC_CPUBIND_THREAD) == 0 &&
               hwloc_get_cpubind(machine, got, HWLOC_CPUBIND_THREAD) == 0 && hwloc_bitmap_isequal(wanted, got);
    }
    hwloc_bitmap_free(wanted);
    hwloc_bitmap_free(got);
    if (!sits)
        return dv_fail(DIVVY_UNSUPPORTED, "a thread could not be bound to %u of the cores", count);
    return DIVVY_OK;
}

int dv_topology_here(void)
{
    if (topology.synthetic)
        return -1;
    int thread = sched_getcpu();
    return thread >= 0 && thread < thread_limit ? core_of_thread[thread] : -1;
}
