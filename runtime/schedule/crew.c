#include "schedule/crew.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/thread.h"
#include "schedule/absent.h"
#include "schedule/pool.h"
#include "schedule/relay.h"
#include "schedule/wish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long a context that closes waits for devices that hang, in all; and for those that are only building, since
 * what they do else takes no longer. */
static const uint64_t PATIENCE_NS = 2000000000, BUILD_PATIENCE_NS = 10000000;

static bool is_eager(const struct dv_plugin *plugin)
{
    return (plugin->backend->features & DIVVY_BACKEND_EAGER) != 0;
}

static bool is_named(const struct dv_crew *crew, const struct dv_plugin *plugin)
{
    return crew->filter.count > 0 && dv_filter_names(&crew->filter, plugin->name);
}

/* ---- Cores ---- */

/* How many cores the filter asks for on behalf of backends that compute on cores of their own accord, before they are
 * probed: what it says, or as many as there are. */
static unsigned guess_spare(const struct dv_crew *crew, unsigned count)
{
    unsigned guess = 0;
    for (unsigned k = 0; k < crew->filter.count; k++) {
        const struct dv_filter_item *item = &crew->filter.items[k];
        for (unsigned p = 0; p < crew->plugin_count; p++)
            if (!is_eager(crew->plugins[p]) && strcmp(crew->plugins[p]->name, item->backend) == 0)
                guess += item->units ? item->units : count;
    }
    return guess < count ? guess : count - 1;
}

static bool contains(const unsigned *cores, unsigned count, unsigned core)
{
    for (unsigned c = 0; c < count; c++)
        if (cores[c] == core)
            return true;
    return false;
}

/* Whether the filter picks single cores, such as cpu:0-3, and not all of them. */
static bool picks_cores(const struct dv_crew *crew, const struct dv_plugin *plugin)
{
    bool picks = is_named(crew, plugin);
    for (unsigned k = 0; k < crew->filter.count; k++)
        if (strcmp(crew->filter.items[k].backend, plugin->name) == 0 && crew->filter.items[k].by == DV_FILTER_ALL)
            picks = false;
    return picks;
}

/* The cores that it picks, in its order, each once: at most `room`. */
static unsigned picked_cores(const struct dv_crew *crew, const struct dv_plugin *plugin, unsigned room,
                             unsigned *out_cores)
{
    unsigned count = 0;
    for (unsigned k = 0; k < crew->filter.count; k++) {
        const struct dv_filter one = {.count = 1, .items = &crew->filter.items[k]};
        for (unsigned core = 0; core < crew->host->core_count && core < plugin->device_count && count < room; core++)
            if (!contains(out_cores, count, core) &&
                dv_filter_match(&one, plugin->name, core, plugin->devices[core].facts.name))
                out_cores[count++] = core;
    }
    return count;
}

/* Chooses the cores for the workers and those left to other backends. `eager`: the backend that runs on cores. */
static divvy_status choose_cores(struct dv_crew *crew, const struct dv_plugin *eager)
{
    unsigned allowed = crew->host->core_count, count, chosen[DV_CREW_MAX];
    DV_TRY(dv_topology_thread_count(crew->settings.threads, &count));
    if (count > DV_CREW_MAX)
        count = DV_CREW_MAX;
    crew->cores = calloc(allowed, sizeof *crew->cores);
    crew->spare_cores = calloc(allowed, sizeof *crew->spare_cores);
    crew->member_of_core = malloc(allowed * sizeof *crew->member_of_core);
    if (!crew->cores || !crew->spare_cores || !crew->member_of_core)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for the cores");
    for (unsigned core = 0; core < allowed; core++)
        crew->member_of_core[core] = -1;
    DV_TRY(dv_topology_place(crew->settings.bind, count, chosen, &crew->bound));

    const bool picked = eager && eager->device_count > 1 && picks_cores(crew, eager);
    unsigned spare = guess_spare(crew, count);
    if (picked) {
        crew->core_count = picked_cores(crew, eager, count, crew->cores);
        for (unsigned c = 0; c < count; c++)
            if (!contains(crew->cores, crew->core_count, chosen[c]))
                crew->spare_cores[crew->spare_count++] = chosen[c];
    } else if (eager) {
        crew->core_count = count - spare;
        if (crew->core_count > eager->device_count)
            crew->core_count = eager->device_count;
        for (unsigned c = 0; c < count; c++) {
            if (c < crew->core_count)
                crew->cores[c] = chosen[c];
            else if (c >= count - spare)
                crew->spare_cores[crew->spare_count++] = chosen[c];
        }
    } else {
        for (unsigned c = 0; c < count; c++)
            crew->spare_cores[crew->spare_count++] = chosen[c];
    }
    if (!spare && !picked && eager)
        crew->spare_count = 0;
    return DIVVY_OK;
}

/* How many cores the devices that the filter names compute on, now that they are known. */
static unsigned count_taken(const struct dv_crew *crew)
{
    unsigned taken = 0;
    for (unsigned p = 0; p < crew->plugin_count; p++) {
        const struct dv_plugin *plugin = crew->plugins[p];
        for (unsigned d = 0; !is_eager(plugin) && is_named(crew, plugin) && d < plugin->device_count; d++) {
            const divvy_device_facts *facts = &plugin->devices[d].facts;
            const struct dv_filter_item *item = dv_filter_match(&crew->filter, plugin->name, d, facts->name);
            if (item && facts->cores)
                taken += item->units ? item->units : facts->cores;
        }
    }
    return taken;
}

/* Cores that were kept for devices which do not need them go to the workers. */
static void give_back_spare(struct dv_crew *crew, bool to_workers)
{
    unsigned taken = count_taken(crew), back = crew->spare_count > taken ? crew->spare_count - taken : 0;
    for (unsigned c = 0; to_workers && c < back; c++)
        crew->cores[crew->core_count++] = crew->spare_cores[c];
    crew->spare_count -= back;
    memmove(crew->spare_cores, crew->spare_cores + back, crew->spare_count * sizeof *crew->spare_cores);
}

/* ---- Units ---- */

static unsigned class_for(struct dv_crew *crew, unsigned count, const struct dv_unit *unit)
{
    for (unsigned u = 0; u < count; u++)
        if (strcmp(crew->units[u]->device_class, unit->device_class) == 0)
            return crew->class_of[u];
    return crew->class_count++;
}

/* Under the pool's mutex. */
static divvy_status add_unit(struct dv_crew *crew, const struct dv_found *found, unsigned units, int core)
{
    unsigned count = atomic_load(&crew->unit_count);
    if (count == DV_CREW_MAX)
        return dv_fail(DIVVY_LIMIT, "more than %d devices", DV_CREW_MAX);
    struct dv_unit *unit = dv_pool_unit(found, units, core);
    if (!unit)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for %s:%u", found->plugin->name, found->index);
    if (dv_unit_is_retired(unit))
        return DIVVY_OK;
    for (unsigned u = 0; u < count; u++)
        if (crew->units[u] == unit)
            return DIVVY_OK; /* named twice */
    if (core < 0)
        DV_TRY(dv_pool_hire(crew, unit));
    crew->units[count] = unit;
    crew->class_of[count] = class_for(crew, count, unit);
    if (crew->profile) {
        divvy_device_facts facts = unit->facts;
        facts.device_class = unit->device_class;
        crew->profile_index[count] = dv_profile_add_device(crew->profile, unit->id, found->plugin->name, &facts, core);
    }
    if (core >= 0)
        crew->member_of_core[core] = (int)count;
    atomic_store(&crew->unit_count, count + 1);
    dv_log(DIVVY_LOG_INFO, "crew", "%s: %s (%s)", unit->id, unit->facts.name, unit->device_class);
    return DIVVY_OK;
}

static divvy_status add_cores(struct dv_crew *crew, const struct dv_plugin *eager)
{
    divvy_status status = DIVVY_OK;
    pthread_mutex_lock(&dv_pool.mutex);
    for (unsigned c = 0; status == DIVVY_OK && c < crew->core_count; c++) {
        unsigned device = eager->device_count > 1 ? crew->cores[c] : 0;
        if (device < eager->device_count)
            status = add_unit(crew, &eager->devices[device], 0, (int)crew->cores[c]);
    }
    pthread_mutex_unlock(&dv_pool.mutex);
    return status;
}

/* The last unit joins the crew's jobs in flight. Under the pool's mutex. */
static void join_jobs(struct dv_crew *crew)
{
    unsigned m = atomic_load(&crew->unit_count) - 1;
    for (struct dv_job *job = dv_pool.order.first; job; job = job->next) {
        if (job->crew != crew || job->member_count != m || m >= job->member_capacity)
            continue;
        pthread_mutex_lock(&job->mutex);
        if (job->joinable) {
            dv_job_seat_member(job, m, crew->units[m], DV_WAITING, -1);
            atomic_fetch_add(&job->alive, 1);
            job->member_count = m + 1;
            job->last_call = (struct dv_last_call){0}; /* in the next one it has a part from the start */
            dv_plan_join(&job->plan);
        }
        pthread_mutex_unlock(&job->mutex);
    }
}

static divvy_status add_devices(struct dv_crew *crew, struct dv_plugin *plugin)
{
    bool named = is_named(crew, plugin);
    divvy_status status = DIVVY_OK;
    for (unsigned d = 0; status == DIVVY_OK && d < plugin->device_count; d++) {
        const struct dv_found *found = &plugin->devices[d];
        const struct dv_filter_item *item = dv_filter_match(&crew->filter, plugin->name, d, found->facts.name);
        /* Cores are not to be used twice, unless somebody asks for it. */
        if (!item || (found->facts.cores > 0 && crew->core_count > 0 && !named))
            continue;
        pthread_mutex_lock(&dv_pool.mutex);
        unsigned before = atomic_load(&crew->unit_count);
        if (!atomic_load(&crew->closing))
            status = add_unit(crew, found, item->units, -1);
        if (atomic_load(&crew->unit_count) > before)
            join_jobs(crew);
        pthread_mutex_unlock(&dv_pool.mutex);
    }
    return status;
}

/* ---- Probing ---- */

/* Now, because a filter names it or there is nothing else to compute with; else when it may pay. */
static bool probes_at_once(const struct dv_crew *crew, const struct dv_plugin *plugin)
{
    return is_named(crew, plugin) || (crew->core_count == 0 && crew->filter.count == 0);
}

static divvy_status probe_plugin(struct dv_crew *crew, struct dv_plugin *plugin)
{
    int nice = crew->core_count && crew->spare_count == 0 ? 5 : 0;
    return dv_registry_probe(plugin, crew->spare_cores, crew->spare_count, nice);
}

divvy_status dv_crew_probe(struct dv_crew *crew)
{
    pthread_mutex_lock(&crew->probe_mutex);
    divvy_status status = DIVVY_OK;
    for (unsigned p = 0; p < crew->plugin_count && atomic_load(&crew->unprobed) && !atomic_load(&crew->closing); p++) {
        struct dv_plugin *plugin = crew->plugins[p];
        if (is_eager(plugin) || (crew->filter.count && !is_named(crew, plugin)))
            continue;
        divvy_status probed = probe_plugin(crew, plugin);
        if (probed == DIVVY_OK)
            probed = add_devices(crew, plugin);
        status = status == DIVVY_OK ? probed : status;
    }
    atomic_store(&crew->unprobed, 0);
    pthread_mutex_unlock(&crew->probe_mutex);
    return status;
}

static void *prober_main(void *argument)
{
    struct dv_crew *crew = argument;
    if (dv_crew_probe(crew) != DIVVY_OK)
        dv_log(DIVVY_LOG_INFO, "crew", "a backend could not be probed: %s", dv_error_text());
    dv_bell_ring(&dv_pool.work);
    atomic_store(&crew->probed, true);
    return NULL;
}

void dv_crew_probe_beside(struct dv_crew *crew)
{
    if (atomic_exchange(&crew->probing, true))
        return;
    crew->has_prober = dv_thread_start(&crew->prober, prober_main, crew) == 0;
}

/* ---- Opening and closing ---- */

/* Whether this process has not been told yet. */
static bool is_first_telling(void)
{
    static atomic_int told; /* the process that was: a child is another one */
    const int process = (int)getpid();
    return atomic_exchange(&told, process) != process;
}

/* What a child may not use after a fork: drivers whose threads stayed behind with the parent. */
static void leave_out_forked(struct dv_crew *crew)
{
    unsigned kept = 0;
    for (unsigned p = 0; p < crew->plugin_count; p++) {
        struct dv_plugin *plugin = crew->plugins[p];
        bool lost = !is_eager(plugin) && plugin->prober != 0 && plugin->prober != getpid();
        if (!lost) {
            crew->plugins[p] = crew->plugins[kept];
            crew->plugins[kept++] = plugin;
        } else if (is_first_telling()) {
            dv_log(DIVVY_LOG_WARN, "crew", "backend %s was opened before fork and is left out here", plugin->name);
        }
    }
    crew->forked_count = crew->plugin_count - kept;
    crew->plugin_count = kept;
}

static divvy_status choose(struct dv_crew *crew)
{
    struct dv_plugin *eager = NULL;
    for (unsigned p = 0; p < crew->plugin_count && !eager; p++)
        if (is_eager(crew->plugins[p]) && (crew->filter.count == 0 || is_named(crew, crew->plugins[p])))
            eager = crew->plugins[p];
    if (eager)
        DV_TRY(dv_registry_probe(eager, NULL, 0, 0));
    if (eager && eager->device_count == 0)
        eager = NULL;
    if (eager && eager->device_count == 1 &&
        !dv_filter_match(&crew->filter, eager->name, 0, eager->devices[0].facts.name))
        eager = NULL;
    DV_TRY(choose_cores(crew, eager));
    for (unsigned p = 0; p < crew->plugin_count; p++)
        if (!is_eager(crew->plugins[p]) && probes_at_once(crew, crew->plugins[p]))
            DV_TRY(probe_plugin(crew, crew->plugins[p]));
    if (eager)
        give_back_spare(crew, !picks_cores(crew, eager) && eager->device_count > 1);
    if (!*crew->settings.bind) /* bound to a part of the cores, several processes would pile up on the same ones */
        crew->bound = crew->core_count + crew->spare_count == crew->host->core_count;
    crew->entered = true;
    DV_TRY(dv_pool_enter(crew));
    DV_TRY(dv_relay_open(crew));
    if (eager)
        DV_TRY(add_cores(crew, eager));
    for (unsigned p = 0; p < crew->plugin_count; p++) {
        struct dv_plugin *plugin = crew->plugins[p];
        if (is_eager(plugin) || (crew->filter.count && !is_named(crew, plugin)))
            continue;
        if (probes_at_once(crew, plugin))
            DV_TRY(add_devices(crew, plugin));
        else
            atomic_fetch_add(&crew->unprobed, 1);
    }
    return DIVVY_OK;
}

/* Nothing is left: say what there is, also where the filter had nobody look. */
static divvy_status fail_empty(const struct dv_crew *crew)
{
    char there[1024] = "";
    size_t used = 0;
    for (unsigned p = 0; p < crew->plugin_count; p++) {
        struct dv_plugin *plugin = crew->plugins[p];
        if (dv_registry_probe(plugin, NULL, 0, 0) != DIVVY_OK)
            continue;
        for (unsigned d = 0; d < plugin->device_count && used < sizeof there - 1; d++) {
            int wrote = snprintf(there + used, sizeof there - used, "%s%s:%u (%s)", used ? ", " : "", plugin->name, d,
                                 plugin->devices[d].facts.name);
            used += wrote > 0 ? (size_t)wrote : 0;
        }
    }
    return dv_fail(DIVVY_NO_DEVICE, "no device is left%s%s%s; there are: %s",
                   crew->filter.count ? " by the filter \"" : "", crew->filter.count ? crew->settings.devices : "",
                   crew->filter.count ? "\"" : "", used ? there : "none");
}

/* What a single device learns is of no use to it: there is nothing to divide. */
static divvy_status remember_runs(struct dv_crew *crew)
{
    bool divides = atomic_load(&crew->unit_count) > 1 || atomic_load(&crew->unprobed) > 0;
    return dv_models_keep_in(&crew->models, divides ? crew->settings.models : "off", crew->host, crew->profile);
}

divvy_status dv_crew_open(struct dv_settings *settings, struct dv_crew *crew)
{
    *crew = (struct dv_crew){.settings = *settings};
    *settings = (struct dv_settings){0};
    dv_models_init(&crew->models);
    dv_balances_init(&crew->balances);
    pthread_mutex_init(&crew->script_mutex, NULL);
    pthread_mutex_init(&crew->probe_mutex, NULL);
    crew->host = dv_topology_get();
    if (!crew->host)
        return DIVVY_INTERNAL;
    DV_TRY(dv_wish_read(crew, crew->settings.schedule, &crew->schedule, &crew->parameter));
    DV_TRY(dv_filter_read(crew->settings.devices, &crew->filter));
    DV_TRY(dv_registry_load(&crew->settings, &crew->plugins, &crew->plugin_count));
    leave_out_forked(crew);
    if (crew->settings.profile)
        DV_TRY(dv_profile_open(crew->settings.profile, crew->settings.profile_jobs, crew->host, &crew->profile));
    DV_TRY(choose(crew));
    if (atomic_load(&crew->unit_count) == 0 && atomic_load(&crew->unprobed) == 0)
        return fail_empty(crew);
    dv_absent_here(crew);
    return remember_runs(crew);
}

static bool is_building(struct dv_crew *crew)
{
    bool building = false;
    for (unsigned m = crew->core_count; m < atomic_load(&crew->unit_count); m++)
        building = building || atomic_load(&crew->units[m]->building);
    return building;
}

static void await_jobs(struct dv_crew *crew)
{
    for (bool busy = true; busy;) {
        unsigned seen = dv_bell_epoch(&dv_pool.over);
        pthread_mutex_lock(&dv_pool.mutex);
        busy = crew->in_flight > 0;
        pthread_mutex_unlock(&dv_pool.mutex);
        if (busy)
            dv_bell_sleep(&dv_pool.over, seen, dv_now_ns() + 100000000);
    }
}

/* Whether nobody but the holder of its future knows any job: all others lie where they wait to be used again. */
static bool are_home(struct dv_crew *crew)
{
    unsigned made = 0, home = atomic_load_explicit(&crew->handy, memory_order_acquire) != NULL;
    pthread_mutex_lock(&dv_pool.mutex);
    for (struct dv_job *job = crew->spare; job; job = job->next_spare)
        home++;
    for (struct dv_job *job = crew->made; job; job = job->next_made) {
        made++;
        home += job->future_held && atomic_load(&job->references) == 1;
    }
    pthread_mutex_unlock(&dv_pool.mutex);
    return home == made;
}

/* Waits until no worker is inside a job any more; false if some device hangs, or builds. */
static bool settle_jobs(struct dv_crew *crew, uint64_t until)
{
    for (uint64_t begin = dv_now_ns(), now = begin;; now = dv_now_ns()) {
        bool settled = are_home(crew);
        if (settled || now >= until || (now - begin > BUILD_PATIENCE_NS && is_building(crew)))
            return settled;
        dv_bell_sleep(&dv_pool.over, dv_bell_epoch(&dv_pool.over), now + 200000);
    }
}

/* Nothing found from now on is added. True: nobody probes any more; else that takes long, and the prober is left behind
 * with the crew. */
static bool stop_prober(struct dv_crew *crew)
{
    pthread_mutex_lock(&dv_pool.mutex);
    atomic_store(&crew->closing, true);
    pthread_mutex_unlock(&dv_pool.mutex);
    if (!crew->has_prober)
        return true;
    for (uint64_t begin = dv_now_ns(), now = begin; !atomic_load(&crew->probed) && now - begin < BUILD_PATIENCE_NS;
         now = dv_now_ns())
        dv_bell_sleep(&dv_pool.over, dv_bell_epoch(&dv_pool.over), now + 200000);
    bool probed = atomic_load(&crew->probed);
    if (probed)
        pthread_join(crew->prober, NULL);
    else
        pthread_detach(crew->prober);
    return probed;
}

bool dv_crew_close(struct dv_crew *crew)
{
    bool settled = true;
    if (crew->entered)
        await_jobs(crew);
    uint64_t until = dv_now_ns() + PATIENCE_NS;
    if (crew->entered) {
        settled = stop_prober(crew);
        settled = settle_jobs(crew, until) && settled;
    }
    if (crew->entered && settled)
        dv_relay_close(crew);
    dv_models_save(&crew->models);
    if (crew->profile) {
        dv_models_record(&crew->models, crew->profile);
        divvy_status written = settled ? dv_profile_close(crew->profile) : dv_profile_end(crew->profile);
        if (written != DIVVY_OK)
            dv_log(DIVVY_LOG_WARN, "profile", "%s", dv_error_text());
    }
    if (settled) {
        for (struct dv_job *job = crew->made, *next; job; job = next) {
            next = job->next_made;
            dv_job_free(job);
        }
        dv_models_fini(&crew->models);
        dv_balances_fini(&crew->balances);
        dv_wishes_forget(crew);
        pthread_mutex_destroy(&crew->script_mutex);
        dv_filter_free(&crew->filter);
        free(crew->plugins);
        free(crew->member_of_core);
        free(crew->cores);
        free(crew->spare_cores);
        dv_settings_free(&crew->settings);
        pthread_mutex_destroy(&crew->probe_mutex);
    }
    if (crew->entered)
        dv_pool_leave(until);
    return settled;
}
