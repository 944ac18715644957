# What divvy_conformance runs on here: every backend, and every OpenCL implementation that can be had without hardware.

# conformance(NAME WORDS... [ENV A=B ...] [UNDER COMMAND...]): one test; status 77 skips.
function(conformance name)
  cmake_parse_arguments(test "" "" "ENV;UNDER" ${ARGN})
  set(size)
  if(DIVVY_SANITIZE)
    set(size --quick)
  endif()
  add_test(NAME conformance_${name}
    COMMAND ${test_UNDER} $<TARGET_FILE:divvy_conformance> ${size} ${test_UNPARSED_ARGUMENTS})
  set_tests_properties(conformance_${name} PROPERTIES LABELS backend SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT "DIVVY_PLUGIN_PATH=${DIVVY_BUILD_PLUGIN_DIR};${test_ENV}")
endfunction()

conformance(serial serial)
foreach(level x86-64 x86-64-v3 x86-64-v4)
  conformance(cpu_${level} cpu ENV DIVVY_CPU_LEVEL=${level})
  set_tests_properties(conformance_cpu_${level} PROPERTIES SKIP_REGULAR_EXPRESSION "this processor has no level")
endforeach()
conformance(fake --without exports $<TARGET_FILE:divvy_fake>) # it exports what tests steer it by
if(NOT TARGET divvy_opencl)
  return()
endif()

# Drivers leak, and end threads in a way that the sanitizer's signal stacks do not survive.
set(environment)
if(DIVVY_SANITIZE)
  set(environment ASAN_OPTIONS=use_sigaltstack=0
    "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/backend/opencl.supp:print_suppressions=0")
endif()

# PoCL: its devices with threads and without, and both; each as it is, in the caller's arrays, and on copies.
set(pocl OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd ${environment})
conformance(opencl_pocl opencl ENV ${pocl})
conformance(opencl_pocl_staged opencl ENV ${pocl} DIVVY_OPENCL_STAGED=1)
conformance(opencl_pocl_items opencl ENV ${pocl} DIVVY_OPENCL_LOOPS=items)
conformance(opencl_pocl_basic opencl ENV ${pocl} POCL_DEVICES=basic)
conformance(opencl_pocl_two opencl ENV ${pocl} "POCL_DEVICES=pthread basic")
conformance(opencl_pocl_two_staged opencl ENV ${pocl} "POCL_DEVICES=pthread basic" DIVVY_OPENCL_STAGED=1)
if(DIVVY_SANITIZE)
  return() # the others do not live with sanitizers: see backends/opencl/README.md
endif()

# Mesa's llvmpipe, whose loops end after 65,535 turns: small kernels only.
conformance(opencl_rusticl --quick --without loops opencl ENV RUSTICL_ENABLE=llvmpipe DIVVY_OPENCL_PLATFORMS=rusticl
  DIVVY_OPENCL_UNSAFE=1)

# Oclgrind watches every access; two of its contexts at once disturb each other. What it says of values that were never
# set holds for the contract's kernels only: see backends/opencl/README.md.
find_program(OCLGRIND oclgrind)
if(OCLGRIND)
  foreach(loops items runs)
    set(oclgrind OCL_ICD_VENDORS=/nonexistent DIVVY_OPENCL_LOOPS=${loops})
    conformance(opencl_oclgrind_${loops} --quick --without threads opencl UNDER ${OCLGRIND} --data-races
      ENV ${oclgrind})
    conformance(opencl_oclgrind_${loops}_values --quick --only contract --without threads opencl
      UNDER ${OCLGRIND} --uninitialized ENV ${oclgrind})
    set_tests_properties(conformance_opencl_oclgrind_${loops} conformance_opencl_oclgrind_${loops}_values PROPERTIES
      LABELS "backend;driver"
      FAIL_REGULAR_EXPRESSION "Invalid (read|write);[Dd]ata race;Uninitialized (value|address|data);OCLGRIND FATAL ERROR")
  endforeach()
endif()

# Intel's runtime for processors, if this names the folder of its libintelocl.so.
set(DIVVY_INTEL_OPENCL "$ENV{DIVVY_INTEL_OPENCL}" CACHE PATH "Folder of Intel's libintelocl.so, to test on it")
if(DIVVY_INTEL_OPENCL)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/intel/intel.icd" "${DIVVY_INTEL_OPENCL}/libintelocl.so\n")
  set(intel "OCL_ICD_VENDORS=${CMAKE_CURRENT_BINARY_DIR}/intel")
  conformance(opencl_intel opencl ENV ${intel})
  conformance(opencl_intel_staged opencl ENV ${intel} DIVVY_OPENCL_STAGED=1)
endif()
