// oneTBB: each thread of its arena bound to a core, and its three ways to cut a range.
#include "bench_peer.h"

#include <functional>
#include <memory>
#include <oneapi/tbb.h>

namespace
{

// Binds whoever enters the arena, by the slot taken there.
class binder : public tbb::task_scheduler_observer
{
  public:
    binder(tbb::task_arena &arena, void (*bind)(unsigned core)) : tbb::task_scheduler_observer(arena), bind_(bind)
    {
        observe(true);
    }
    ~binder() override
    {
        observe(false);
    }
    void on_scheduler_entry(bool) override
    {
        bind_(static_cast<unsigned>(tbb::this_task_arena::current_thread_index()));
    }

  private:
    void (*bind_)(unsigned core);
};

std::unique_ptr<tbb::task_arena> arena;
std::unique_ptr<binder> observer;

// The arena stays while nobody wants another number of threads, so that its threads stay too.
unsigned take_places(unsigned threads, void (*bind)(unsigned core))
{
    static void (*last_bind)(unsigned core);
    if (!arena || arena->max_concurrency() != static_cast<int>(threads) || bind != last_bind) {
        last_bind = bind;
        observer.reset();
        arena = std::make_unique<tbb::task_arena>(static_cast<int>(threads));
        observer = std::make_unique<binder>(*arena, bind);
    }
    return static_cast<unsigned>(arena->max_concurrency());
}

using range = tbb::blocked_range<size_t>;

// Ranges of whole grains.
template <class Partitioner>
void run(size_t count, size_t grain, bench_part *part, void *context, const Partitioner &partitioner)
{
    size_t grains = (count + grain - 1) / grain;
    arena->execute([&] {
        tbb::parallel_for(
            range(0, grains),
            [=](const range &some) {
                size_t first = some.begin() * grain, end = some.end() * grain;
                part(context, first, (end < count ? end : count) - first);
            },
            partitioner);
    });
}

void run_static(size_t count, size_t, bench_part *part, void *context)
{
    run(count, 1, part, context, tbb::static_partitioner());
}
void run_simple(size_t count, size_t grain, bench_part *part, void *context)
{
    run(count, grain, part, context, tbb::simple_partitioner());
}
void run_auto(size_t count, size_t grain, bench_part *part, void *context)
{
    run(count, grain, part, context, tbb::auto_partitioner());
}

template <class Sum, class Element> double sum(size_t count, const Element *x)
{
    Sum total = 0;
    arena->execute([&] {
        total = tbb::parallel_reduce(
            range(0, count, 1 << 14), Sum(0),
            [=](const range &some, Sum before) {
                Sum mine = 0;
                for (size_t i = some.begin(), end = some.end(); i < end; i++)
                    mine += x[i];
                return before + mine;
            },
            std::plus<Sum>(), tbb::simple_partitioner());
    });
    return total;
}

double sum_float(size_t count, const float *x)
{
    return sum<float>(count, x);
}
double sum_double(size_t count, const double *x)
{
    return sum<double>(count, x);
}

constexpr unsigned settle_ms = 5;
const bench_peer by_static = {
    "TBB static", BENCH_STATIC, settle_ms, take_places, run_static, nullptr, nullptr, nullptr, nullptr, nullptr};
const bench_peer by_simple = {
    "TBB simple", BENCH_DYNAMIC, settle_ms, take_places, run_simple, nullptr, nullptr, nullptr, sum_float, sum_double};
const bench_peer by_auto = {
    "TBB auto", BENCH_GUIDED, settle_ms, take_places, run_auto, nullptr, nullptr, nullptr, nullptr, nullptr};

} // namespace

extern "C" __attribute__((visibility("default")))
const bench_peer *const bench_peers_plugin[] = {&by_static, &by_simple, &by_auto, nullptr};
