/* Which drivers are known for what. */
#include "check.h"

#include "../../backends/opencl/quirks.h"

int main(void)
{
    /* A driver of which nothing is known has no quirk; nor has one that it resembles. */
    CHECK(!dv_cl_quirks_of("Portable Computing Language", "pthread-skylake", "3.1").staged);
    CHECK(!dv_cl_quirks_of("Portable Computing Language", "pthread-skylake", "3.1").unsafe);
    CHECK(!dv_cl_quirks_of("", "", "").staged);
    CHECK(!dv_cl_quirks_of("Mesa", "llvmpipe (LLVM 15.0.6, 256 bits)", "22.3.6").unsafe);

    /* All of rusticl works on copies; llvmpipe under it is not to be trusted. */
    CHECK(dv_cl_quirks_of("rusticl", "AMD Radeon 780M", "24.0.1").staged);
    CHECK(!dv_cl_quirks_of("rusticl", "AMD Radeon 780M", "24.0.1").unsafe);
    CHECK(dv_cl_quirks_of("rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", "22.3.6").staged);
    CHECK_HAS(dv_cl_quirks_of("rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", "22.3.6").unsafe, "65,535");

    /* Two that compute before they return. */
    CHECK(dv_cl_quirks_of("Oclgrind", "Oclgrind Simulator", "Oclgrind 21.10").computes_in_flush);
    CHECK(dv_cl_quirks_of("Portable Computing Language", "basic-haswell", "3.1").computes_in_flush);
    CHECK(!dv_cl_quirks_of("Portable Computing Language", "pthread-haswell", "3.1").computes_in_flush);
    return check_summary();
}
